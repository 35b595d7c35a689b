package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// authorityOnce issues the certificates of many: quickly, so that tests can have thousands. They have one key.
var authorityOnce = sync.OnceValues(func() (*issuer, error) {
	pub, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Client CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, pub, signer)
	if err != nil {
		return nil, err
	}
	ca, err = x509.ParseCertificate(der)
	return &issuer{ca, signer, key}, err
})

type issuer struct {
	ca     *x509.Certificate
	signer ed25519.PrivateKey
	key    *rsa.PrivateKey
}

// issued is a certificate as Anaplan's documents ask for, as PEM, but for what change does.
func issued(tb testing.TB, serial int64, email string, begin, end time.Time, change ...func(*x509.Certificate)) []byte {
	tb.Helper()
	a, err := authorityOnce()
	if err != nil {
		tb.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: email, Organization: []string{"Example"}}, EmailAddresses: []string{email},
		NotBefore: begin, NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		CRLDistributionPoints: []string{"http://crl.example.com/x"}}
	for _, f := range change {
		f(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.ca, a.key.Public(), a.signer)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// manyCertificates makes a folder of n certificates, with their key, in folders of 100.
func manyCertificates(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	a, err := authorityOnce()
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		tb.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	now := time.Now().Truncate(time.Second)
	for i := range n {
		folder := filepath.Join(dir, fmt.Sprintf("team-%02d", i/100))
		name := filepath.Join(folder, fmt.Sprintf("batch-%05d", i))
		end := now.AddDate(0, 0, i%420-20)
		writeFile(tb, name+".pem", issued(tb, int64(i+100), fmt.Sprintf("batch.user.%05d@example.com", i), end.AddDate(-1, 0, -30), end))
		writeFile(tb, name+".key", key)
	}
	return dir
}

func writeFile(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestAuthCheckOfManyIsOneLineEach(t *testing.T) {
	dir := manyCertificates(t, 100)
	for _, columns := range []string{"", "100"} {
		got := call([]string{"COLUMNS", columns}, "auth", "check", dir)
		if got.code != 77 { // some have ended
			t.Fatalf("code %d: %s", got.code, got.err)
		}
		lines := strings.Split(got.out, "\n")
		if want := "100 certificates of 100 users: 21 cannot be used, 60 within 60 days of the end, 19 ok (200 files looked at, 0 without certificates or keys)"; lines[0] != want {
			t.Errorf("the first line is %q", lines[0])
		}
		table := lines[2:103]
		for i, line := range table {
			if n := len([]rune(line)); columns != "" && n > 100 || i > 0 && !strings.Contains(line, "matches") {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if t.Failed() {
			t.Log(got.out)
		}
		last := ""
		for _, line := range table[1:82] { // those that end first stand first
			day := strings.Fields(line)[1]
			if day < last {
				t.Errorf("%s stands after %s", day, last)
			}
			last = day
		}
	}
}

func BenchmarkAuthCheck10000(b *testing.B) {
	dir := manyCertificates(b, 10_000)
	for _, output := range checkForms {
		b.Run(output, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := call(nil, "auth", "check", dir, "--output", output); got.code != 77 {
					b.Fatal(got.err)
				}
			}
		})
	}
}
