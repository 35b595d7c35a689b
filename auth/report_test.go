package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// asDocumented is a certificate as anaplan-api.md 2.3 asks for.
func asDocumented(begin, end time.Time) x509.Certificate {
	return x509.Certificate{
		Subject:               pkix.Name{CommonName: "Batch User"},
		EmailAddresses:        []string{"batch@example.com"},
		NotBefore:             begin,
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		CRLDistributionPoints: []string{"http://crl.example.com/x"},
	}
}

// authority issues certificates that are not self-signed.
func authority(t *testing.T, leaf x509.Certificate) *keystore.Identity {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := issue(x509.Certificate{Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, caKey)
	leaf.SerialNumber = big.NewInt(0x4711)
	der, err := x509.CreateCertificate(rand.Reader, &leaf, ca.Leaf, testKey().Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &keystore.Identity{Leaf: c, Signer: testKey(), Chain: []*x509.Certificate{ca.Leaf}}
}

func TestReport(t *testing.T) {
	begin, end := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	id := authority(t, asDocumented(begin, end))
	id.Warnings = []string{"old encryption"}
	got := CheckCertificate(id, end.Add(-60*24*time.Hour))
	want := Report{
		Subject: "CN=Batch User", Issuer: "CN=Test CA", Serial: "4711",
		Emails: []string{"batch@example.com"}, NotBefore: begin, NotAfter: end, DaysLeft: 60, Bits: 2048,
		KeyMatches: true, Chain: []string{"CN=Test CA"}, Warnings: []string{"old encryption"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Report{}, "Fingerprint", "Requirements")); diff != "" {
		t.Error(diff)
	}
	names := ""
	for _, r := range got.Requirements {
		if names += r.Name + " "; !r.OK || r.Text == "" {
			t.Errorf("%+v", r)
		}
	}
	if names != "rsa bits validity email key_usage revocation issuer client " {
		t.Errorf("requirements %s", names)
	}
	if len(got.Fingerprint) != 64 {
		t.Errorf("fingerprint %q", got.Fingerprint)
	}
	id.Signer = nil
	if CheckCertificate(id, begin).KeyMatches {
		t.Error("a key that is not there matches")
	}
	b, err := json.Marshal(CheckCertificate(&keystore.Identity{Leaf: id.Leaf}, begin))
	if err != nil || strings.Contains(string(b), "null") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestDaysLeft(t *testing.T) {
	begin, end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	id := authority(t, asDocumented(begin, end))
	day := 24 * time.Hour
	for _, tt := range []struct {
		left    time.Duration
		want    int
		problem string
	}{
		{10 * day, 10, ""}, {10*day - 1, 9, ""}, {day, 1, ""}, {day - 1, 0, ""}, {0, 0, ""}, {-1, -1, "ended"}, {-day - 1, -2, "ended"},
		{365 * day, 365, "is valid from"},
	} {
		r := CheckCertificate(id, end.Add(-tt.left))
		if r.DaysLeft != tt.want || (r.Problem == "") != (tt.problem == "") || !strings.Contains(r.Problem, tt.problem) || (r.Next == "") != (tt.problem == "") {
			t.Errorf("%v left: %d days, %q, %q; want %d, %q", tt.left, r.DaysLeft, r.Problem, r.Next, tt.want, tt.problem)
		}
	}
}

func TestReportWarnsOfWhatTheDocumentsAskFor(t *testing.T) {
	begin, end := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name   string
		change func(*x509.Certificate)
		want   []string // a piece of each warning
	}{
		{"nothing", func(*x509.Certificate) {}, nil},
		{"OCSP instead of a CRL", func(c *x509.Certificate) { c.CRLDistributionPoints, c.OCSPServer = nil, []string{"http://ocsp"} }, nil},
		{"client and server", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		}, nil},
		{"no extended usage", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, nil},
		{"server only", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, []string{"TLS servers"}},
		{"no email", func(c *x509.Certificate) { c.EmailAddresses = nil }, []string{"no email address"}},
		{"email in the subject", func(c *x509.Certificate) {
			c.EmailAddresses = nil
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "batch@example.com"}}
		}, []string{"in the subject only"}},
		{"no usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, []string{"digitalSignature"}},
		{"encryption only", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, []string{"digitalSignature"}},
		{"no revocation", func(c *x509.Certificate) { c.CRLDistributionPoints = nil }, []string{"CRL"}},
		{"all of it", func(c *x509.Certificate) {
			*c = x509.Certificate{NotBefore: begin, NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		}, []string{"no email", "digitalSignature", "CRL", "TLS servers"}},
	} {
		c := asDocumented(begin, end)
		tt.change(&c)
		checkWarnings(t, tt.name, CheckCertificate(authority(t, c), time.Now()).Warnings, tt.want)
	}
	self := asDocumented(begin, end)
	checkWarnings(t, "self-signed", CheckCertificate(issue(self, testKey()), time.Now()).Warnings, []string{"self-signed"})
	self.IsCA, self.BasicConstraintsValid = true, true
	checkWarnings(t, "an authority", CheckCertificate(issue(self, testKey()), time.Now()).Warnings, []string{"self-signed", "authority"})
}

func checkWarnings(t *testing.T, name string, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.Contains) {
		t.Errorf("%s: warnings %q, want %q", name, got, want)
	}
}
