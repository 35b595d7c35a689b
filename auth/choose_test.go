package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

var today = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// of is a certificate of a user, valid for days from today: from and until may be negative.
func of(user string, serial int64, from, until int) *keystore.Identity {
	return ofThen(today, user, serial, from, until)
}

func ofThen(today time.Time, user string, serial int64, from, until int) *keystore.Identity {
	today = today.UTC() // whose days all have 24 hours
	c := x509.Certificate{Subject: pkix.Name{CommonName: fmt.Sprintf("batch %d", serial)}, NotBefore: today.AddDate(0, 0, from), NotAfter: today.AddDate(0, 0, until)}
	if user != "" {
		c.EmailAddresses = []string{user}
	}
	return numbered(c, serial, testKey())
}

func numbered(c x509.Certificate, serial int64, key crypto.Signer) *keystore.Identity {
	c.SerialNumber = big.NewInt(serial)
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &keystore.Identity{Leaf: leaf, LeafPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Signer: key}
}

const batch = "batch@example.com"

func TestChoose(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak := numbered(x509.Certificate{EmailAddresses: []string{batch}, Subject: pkix.Name{CommonName: "weak"}, NotBefore: today.AddDate(0, -1, 0), NotAfter: today.AddDate(1, 0, 0)}, 90, small)
	ec := numbered(x509.Certificate{EmailAddresses: []string{batch}, Subject: pkix.Name{CommonName: "curve"}, NotBefore: today.AddDate(0, -1, 0), NotAfter: today.AddDate(1, 0, 0)}, 91, curve)
	ca := x509.Certificate{SerialNumber: big.NewInt(99), Subject: pkix.Name{CommonName: "Authority"}}
	issuedBy := of(batch, 18, -300, 10)
	signed := *issuedBy.Leaf
	der, err := x509.CreateCertificate(rand.Reader, &signed, &ca, testKey().Public(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	if issuedBy.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	two := func(serial int64, until int, addresses ...string) *keystore.Identity {
		return numbered(x509.Certificate{Subject: pkix.Name{CommonName: "two"}, EmailAddresses: addresses, NotBefore: today.AddDate(0, 0, -9), NotAfter: today.AddDate(0, 0, until)}, serial, testKey())
	}
	old, current, next := of(batch, 1, -400, -35), of(batch, 2, -340, 25), of(batch, 3, -2, 363)
	for _, test := range []struct {
		name string
		ids  []*keystore.Identity
		at   time.Time
		want []int64 // serials
		err  string
	}{
		{name: "one", ids: []*keystore.Identity{current}, want: []int64{2}},
		{name: "the one that ends last is first", ids: []*keystore.Identity{current, next, old}, want: []int64{3, 2}},
		{name: "of equal ends the one that began last", ids: []*keystore.Identity{of(batch, 5, -20, 30), of(batch, 6, -10, 30)}, want: []int64{6, 5}},
		{name: "the same twice is one", ids: []*keystore.Identity{current, next, current}, want: []int64{3, 2}},
		{name: "one that is not valid yet waits", ids: []*keystore.Identity{current, of(batch, 7, 5, 400)}, want: []int64{2}},
		{name: "small keys and other kinds are passed over", ids: []*keystore.Identity{weak, ec, current}, want: []int64{2}},
		{name: "capitals make no other user", ids: []*keystore.Identity{current, of("Batch@Example.com", 8, -2, 300)}, want: []int64{8, 2}},
		{name: "another user's that has ended does not count", ids: []*keystore.Identity{current, of("ada@example.com", 9, -400, -1)}, want: []int64{2}},
		{name: "nobody's goes along, last", ids: []*keystore.Identity{current, of("", 10, -2, 3000)}, want: []int64{2, 10}},
		{name: "a placeholder with an address is behind one that was issued", ids: []*keystore.Identity{of(batch, 17, -2, 3000), issuedBy, current}, want: []int64{18, 17, 2}},
		{name: "addresses in another order", ids: []*keystore.Identity{two(19, 20, "ada@example.com", batch), two(20, 300, batch, "Ada@example.com")}, want: []int64{20, 19}},
		{name: "the last second of the old one", ids: []*keystore.Identity{current, next}, at: current.Leaf.NotAfter, want: []int64{3, 2}},
		{name: "and after it", ids: []*keystore.Identity{current, next}, at: current.Leaf.NotAfter.Add(time.Second), want: []int64{3}},

		{name: "none", err: `no certificate with its private key is given → name the files of both`},
		{name: "one that has ended", ids: []*keystore.Identity{old},
			err: `certificate "batch 1" ended 2026-10-23T12:00:00Z, and now it is 2026-11-27T12:00:00Z → renew it at the authority that issued it, have the new one registered in Anaplan (Administration > Security > Certificates), and name its file here`},
		{name: "all have ended", ids: []*keystore.Identity{of(batch, 11, -800, -400), old},
			err: `none of 2 certificates can log in: certificate "batch 1" ended 2026-10-23T12:00:00Z, and now it is 2026-11-27T12:00:00Z; certificate "batch 11" ended 2025-10-23T12:00:00Z, and now it is 2026-11-27T12:00:00Z → renew it at the authority that issued it, have the new one registered in Anaplan (Administration > Security > Certificates), and name its file here`},
		{name: "all begin later", ids: []*keystore.Identity{of(batch, 12, 1, 300), of(batch, 13, 2, 301)},
			err: `none of 2 certificates can log in: certificate "batch 13" is valid from 2026-11-29T12:00:00Z on, and now it is 2026-11-27T12:00:00Z; certificate "batch 12" is valid from 2026-11-28T12:00:00Z on, and now it is 2026-11-27T12:00:00Z → use the certificate that is valid today, or set this machine's clock if it is wrong`},
		{name: "the clock is years behind", ids: []*keystore.Identity{current, next}, at: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
			err: `none of 2 certificates can log in: certificate "batch 3" is valid from 2026-11-25T12:00:00Z on, and now it is 1970-01-01T00:00:00Z; certificate "batch 2" is valid from 2025-12-22T12:00:00Z on, and now it is 1970-01-01T00:00:00Z → use the certificate that is valid today, or set this machine's clock if it is wrong`},
		{name: "none is strong enough", ids: []*keystore.Identity{weak, of(batch, 14, -9, -1)},
			err: `none of 2 certificates can log in: the key of certificate "weak" has 1024 bits, and Anaplan wants 2048 or more; certificate "batch 14" ended 2026-11-26T12:00:00Z, and now it is 2026-11-27T12:00:00Z → order a certificate for an RSA key of 2048 bits or more`},
		{name: "many that cannot be used", ids: []*keystore.Identity{of(batch, 21, -9, -1), of(batch, 22, -9, -2), of(batch, 23, -9, -3), of(batch, 24, -9, -4), of(batch, 25, -9, -5), of(batch, 26, -9, -6), of(batch, 27, -9, -7)},
			err: `none of 7 certificates can log in: certificate "batch 21" ended 2026-11-26T12:00:00Z, and now it is 2026-11-27T12:00:00Z; certificate "batch 22" ended 2026-11-25T12:00:00Z, and now it is 2026-11-27T12:00:00Z; certificate "batch 23" ended 2026-11-24T12:00:00Z, and now it is 2026-11-27T12:00:00Z; certificate "batch 24" ended 2026-11-23T12:00:00Z, and now it is 2026-11-27T12:00:00Z; certificate "batch 25" ended 2026-11-22T12:00:00Z, and now it is 2026-11-27T12:00:00Z; and 2 more → renew it at the authority that issued it, have the new one registered in Anaplan (Administration > Security > Certificates), and name its file here`},
		{name: "two users", ids: []*keystore.Identity{current, of("ada@example.com", 15, -2, 300)},
			err: `the certificates of one connection would log in as several users: the certificate of ada@example.com that ends 2027-09-23 (serial f) and the certificate of batch@example.com that ends 2026-12-22 (serial 2) → leave the certificates of one user here, and give the other user a connection of its own: no run may go on as somebody else when a certificate is renewed`},
		{name: "another user's that begins later", ids: []*keystore.Identity{current, of("ada@example.com", 16, 5, 300)},
			err: `the certificates of one connection would log in as several users: the certificate of ada@example.com that ends 2027-09-23 (serial 10) and the certificate of batch@example.com that ends 2026-12-22 (serial 2) → leave the certificates of one user here, and give the other user a connection of its own: no run may go on as somebody else when a certificate is renewed`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.at.IsZero() {
				test.at = today
			}
			got, err := Choose(test.ids, test.at)
			text := ""
			if e, ok := errors.AsType[*keystore.CertificateError](err); ok {
				text = e.Error() + " → " + e.Next
			} else if err != nil {
				t.Fatalf("the error is a %T", err)
			}
			if d := cmp.Diff(test.err, text); d != "" {
				t.Error(d)
			}
			var serials []int64
			for _, id := range got {
				serials = append(serials, id.Leaf.SerialNumber.Int64())
			}
			if d := cmp.Diff(test.want, serials); d != "" {
				t.Error(d)
			}
		})
	}
}

// Whatever is given in whatever order: the choice is the same, it holds all that can log in, and no later one ends later.
func TestChooseKeepsItsOrder(t *testing.T) {
	var pool []*keystore.Identity
	for i := range 24 {
		pool = append(pool, of(batch, int64(i), i%4-3, i%6-2))
	}
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.SampledFrom(pool), 1, 12).Draw(t, "certificates")
		now := today.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "hours")) * time.Hour)
		got, err := Choose(ids, now)
		fit := map[sum]bool{}
		for _, id := range ids {
			if id.Check(now) == nil {
				fit[fingerprint(id)] = true
			}
		}
		if len(got) != len(fit) || (err == nil) != (len(fit) > 0) {
			t.Fatalf("%d of %d, %v", len(got), len(fit), err)
		}
		for i, id := range got {
			if !fit[fingerprint(id)] {
				t.Fatal("one that cannot log in")
			}
			if i > 0 && id.Leaf.NotAfter.After(got[i-1].Leaf.NotAfter) {
				t.Fatal("one that ends later comes later")
			}
		}
		again, _ := Choose(rapid.Permutation(ids).Draw(t, "another order"), now)
		if !slices.EqualFunc(got, again, func(a, b *keystore.Identity) bool { return fingerprint(a) == fingerprint(b) }) {
			t.Fatal("the order of the files matters")
		}
	})
}

func TestExpiry(t *testing.T) {
	c := CertificateInfo{User: batch, Subject: "CN=b", Serial: "1f", Until: time.Date(2026, 12, 26, 12, 0, 0, 0, time.UTC)}
	const renew = ": renew it: anaplan-runner auth request makes a key and a request for the next one"
	for _, test := range []struct {
		before time.Duration // its end
		newer  string
		want   string
	}{
		{60*24*time.Hour + time.Second, "", ""},
		{60 * 24 * time.Hour, "", "notice: the certificate of batch@example.com (serial 1f) ends in 60 days (2026-12-26)" + renew},
		{30*24*time.Hour + time.Second, "", "notice: the certificate of batch@example.com (serial 1f) ends in 30 days (2026-12-26)" + renew},
		{29 * 24 * time.Hour, "", "the certificate of batch@example.com (serial 1f) ends in 29 days (2026-12-26)" + renew},
		{14 * 24 * time.Hour, "", "urgent: the certificate of batch@example.com (serial 1f) ends in 14 days (2026-12-26)" + renew},
		{7 * 24 * time.Hour, "", "urgent: the certificate of batch@example.com (serial 1f) ends in 7 days (2026-12-26), and nothing logs in with it from then on" + renew},
		{36 * time.Hour, "", "urgent: the certificate of batch@example.com (serial 1f) ends in 1 day (2026-12-26T12:00:00Z), and nothing logs in with it from then on" + renew},
		{time.Hour, "", "urgent: the certificate of batch@example.com (serial 1f) ends within a day (2026-12-26T12:00:00Z), and nothing logs in with it from then on" + renew},
		{20 * 24 * time.Hour, "a newer one is at hand", "the certificate of batch@example.com (serial 1f) ends in 20 days (2026-12-26): a newer one is at hand"},
	} {
		if d := cmp.Diff(test.want, Expiry(c, c.Until.Add(-test.before), test.newer)); d != "" {
			t.Error(d)
		}
	}
	c.User = ""
	if got := c.String(); got != `the certificate "CN=b" that ends 2026-12-26 (serial 1f)` {
		t.Error(got)
	}
}

// contact is a certificate of a user in whose subject the address of a team stands.
func contact(at time.Time, serial int64, until int, user string) *keystore.Identity {
	return numbered(x509.Certificate{EmailAddresses: []string{user}, Subject: pkix.Name{CommonName: user, ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: []int{1, 2, 840, 113549, 1, 9, 1}, Value: "pki@example.com"}}}, NotBefore: at.AddDate(0, 0, -9), NotAfter: at.AddDate(0, 0, until)}, serial, testKey())
}

func TestAnAddressThatTwoUsersHaveMakesThemNotOne(t *testing.T) {
	anna, bob := contact(today, 1, 20, "anna@example.com"), contact(today, 2, 300, "bob@example.com")
	if got := anna.Emails(); len(got) != 2 {
		t.Fatalf("addresses: %q", got)
	}
	also := contact(today, 3, 400, "bob@example.com")
	also.Leaf.EmailAddresses = append(also.Leaf.EmailAddresses, "anna@example.com")
	for _, other := range []*keystore.Identity{bob, also} {
		if _, err := Choose([]*keystore.Identity{anna, other}, today); !errors.Is(err, keystore.SeveralUsers) {
			t.Errorf("%v", err)
		}
		if same, others := OfOneUser([]*keystore.Identity{anna, other}, today); len(same) != 1 || len(others) != 1 {
			t.Errorf("of one user: %d and %d", len(same), len(others))
		}
	}
	if _, err := Choose([]*keystore.Identity{also, bob}, today); err != nil { // the first is the same
		t.Error(err)
	}
}

func TestWhatNamesNobodyIsNoOtherUser(t *testing.T) {
	named, nobody := contact(today, 1, 20, "anna@example.com"), numbered(x509.Certificate{Subject: pkix.Name{CommonName: "new"}, NotBefore: today, NotAfter: today.AddDate(0, 0, 300)}, 2, testKey())
	if same, others := OfOneUser([]*keystore.Identity{nobody, named}, today); len(same) != 2 || len(others) != 0 {
		t.Errorf("of one user: %d and %d", len(same), len(others))
	}
}
