package keystore

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

func TestNewRequestAsksForWhatAnaplanWants(t *testing.T) {
	key, err := NewKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	text, err := NewRequest(key, RequestOptions{Email: "batch@example.com", Subject: pkix.Name{CommonName: "Batch", Country: []string{"GB"}}})
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		t.Fatalf("no single PEM block: %s", text)
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckSignature(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(r.EmailAddresses, []string{"batch@example.com"}) || r.Subject.String() != "CN=Batch,C=GB" {
		t.Errorf("got %v, %v", r.EmailAddresses, r.Subject)
	}
	got := map[string][]byte{}
	for _, e := range r.Extensions {
		got[e.Id.String()] = e.Value
	}
	delete(got, "2.5.29.17") // looked at above
	want := map[string][]byte{
		"2.5.29.15": {3, 2, 7, 0x80},
		"2.5.29.37": {0x30, 20, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 4, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	old, err := NewRequest(key, RequestOptions{Email: "a@example.com", RawSubject: r.RawSubject, Subject: pkix.Name{CommonName: "other"}})
	if err != nil {
		t.Fatal(err)
	}
	block, _ = pem.Decode(old)
	if again, err := x509.ParseCertificateRequest(block.Bytes); err != nil || again.Subject.CommonName != "Batch" {
		t.Errorf("got %v, %v", again, err)
	}
}

// What is written must be what this package reads.
func TestEncodedKeyIsRead(t *testing.T) {
	if testing.Short() {
		t.Skip("under the race detector a key takes half a minute, and nothing here runs side by side")
	}
	key, err := NewKey(2048)
	if err != nil {
		t.Fatal(err)
	}
	pass := secret.FromString("correct horse")
	for _, tt := range []struct {
		passphrase secret.Value
		kind       string
	}{{secret.Value{}, "PRIVATE KEY"}, {pass, "ENCRYPTED PRIVATE KEY"}} {
		text, err := EncodeKey(key, tt.passphrase)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := pem.Decode(text); b == nil || b.Type != tt.kind {
			t.Errorf("got %v", b)
		}
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _, err := Files{KeyPath: path, Passphrase: func() (secret.Value, error) { return tt.passphrase, nil }}.LoadKey()
		if err != nil {
			t.Fatal(err)
		}
		if !key.Public().(*rsa.PublicKey).Equal(got.Public()) {
			t.Error("another key came back")
		}
		if _, _, err := (Files{KeyPath: path, Passphrase: gives("wrong")}).LoadKey(); tt.kind != "PRIVATE KEY" && !errors.Is(err, WrongPassphrase) {
			t.Errorf("got %v", err)
		}
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	for name, want := range map[string]error{"ec.pem": NotRSA, "weak.pem": WeakKey, "certificate.pem": NoKey, "absent.pem": Unreadable} {
		if _, _, err := (Files{KeyPath: "testdata/" + name, AllowOpen: true}).LoadKey(); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewKeyBits(t *testing.T) {
	for _, bits := range []int{0, 1024, 2047, 8193} {
		if _, err := NewKey(bits); err == nil {
			t.Errorf("%d bits were taken", bits)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	for _, s := range []string{"a@example.com", "nightly.batch+eu@mail.example.co.uk"} {
		if err := CheckEmail(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "a", "a@", "@example.com", "a@example", "Ada <a@example.com>", "a@example.com, b@example.com", "a b@example.com", "å@example.com", "a@[10.0.0.1]", "a@example.com\n"} {
		if err := CheckEmail(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestParseSubject(t *testing.T) {
	for _, tt := range []struct{ in, want, err string }{
		{`CN=Batch User, O=Example\, Inc.,C=GB`, `CN=Batch User,O=Example\, Inc.,C=GB`, ""},
		{"ou=Finance,l=Ghent,st=East", "OU=Finance,L=Ghent,ST=East", ""},
		{"/CN=x/O=y", "", "the subject begins with a slash: write it with commas, as in CN=Batch User,O=Example,C=GB"},
		{"CN", "", `the subject has "CN" where NAME=VALUE should stand`},
		{"CN=a,CN=b", "", "the subject has CN twice"},
		{"C=Belgium", "", `the country "Belgium" is not a code of two capital letters, such as GB`},
		{"DC=x", "", `the subject has the attribute "DC", and CN, O, OU, L, ST and C are known`},
		{"E=a@example.com", "", "the email address does not stand in the subject: it goes into SubjectAltName, which Anaplan prefers"},
	} {
		n, err := ParseSubject(tt.in)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: %v", tt.in, err)
			}
			continue
		}
		if err != nil || n.String() != tt.want {
			t.Errorf("%s: %v, %v", tt.in, n, err)
		}
	}
}

func TestSubjectShowsEmail(t *testing.T) {
	id, err := Files{CertificatePath: "testdata/certificate.pem"}.LoadCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if got := Subject(id.Leaf.Subject); got != "CN=Batch User,emailAddress=batch@example.com" {
		t.Errorf("got %s", got)
	}
}
