package keystore

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"
)

var update = flag.Bool("update", false, "write golden files")

// The files in testdata were made with OpenSSL 3.0, OpenSSH and keytool; encrypted ones have this passphrase.
func passphrase() (secret.Value, error) { return secret.FromString("s3cret"), nil }

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoad(t *testing.T) {
	cert := read(t, "certificate.pem")
	other := read(t, "weak-certificate.pem")
	key := read(t, "pkcs8.pem")
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name     string
		files    Files
		chain    int
		warnings []string // a piece of each
	}{
		{name: "PKCS#8", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/pkcs8.pem"}},
		{name: "PKCS#1", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/pkcs1.pem"}},
		{name: "encrypted, AES", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/encrypted-aes.pem", Passphrase: passphrase}},
		{name: "encrypted, triple DES and SHA-1", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/encrypted-3des.pem", Passphrase: passphrase}},
		{name: "encrypted, scrypt", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/encrypted-scrypt.pem", Passphrase: passphrase}},
		{name: "legacy, AES", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/legacy-aes.pem", Passphrase: passphrase},
			warnings: []string{"openssl pkcs8 -topk8 -v2 aes-256-cbc -in testdata/legacy-aes.pem -out converted.pem"}},
		{name: "legacy, triple DES", files: Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/legacy-3des.pem", Passphrase: passphrase},
			warnings: []string{"openssl pkcs8 -topk8"}},
		{name: "both in one file, as openssl pkcs12 writes it", files: Files{AllowOpen: true, CertificatePath: "testdata/from-p12.pem", Passphrase: passphrase}},
		{name: "both named, one file", files: Files{AllowOpen: true, CertificatePath: "testdata/from-p12.pem", KeyPath: "testdata/from-p12.pem", Passphrase: passphrase}},
		{name: "the certificate's file holds another's key too", files: Files{AllowOpen: true, Certificate: join(cert, read(t, "other.pem")), Key: key}},
		{name: "a key file that holds the certificate too", files: Files{AllowOpen: true, Certificate: cert, Key: join(cert, key)}},
		{name: "a chain, leaf first", files: Files{AllowOpen: true, Certificate: join(cert, other), Key: key}, chain: 1},
		{name: "a chain, leaf last", files: Files{AllowOpen: true, Certificate: join(other, other, cert), Key: key}, chain: 2},
		{name: "with BOM", files: Files{AllowOpen: true, Certificate: join([]byte("\xef\xbb\xbf"), cert), Key: join([]byte("\xef\xbb\xbf"), key)}},
		{name: "with CRLF", files: Files{AllowOpen: true, Certificate: bytes.ReplaceAll(cert, []byte("\n"), []byte("\r\n")), Key: bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n"))}},
		{name: "with text around", files: Files{AllowOpen: true, Certificate: join([]byte("Bag Attributes\n  x\n"), cert, []byte("\ntail")), Key: key}},
		{name: "content comes before paths", files: Files{AllowOpen: true, CertificatePath: "nowhere", KeyPath: "nowhere", Certificate: cert, Key: key}},
		{name: "the same certificate twice", files: Files{AllowOpen: true, Certificate: join(cert, cert), Key: key}, chain: 1},
		{name: "one of the chain is unreadable", files: Files{AllowOpen: true, Certificate: join(cert, []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")), Key: key},
			warnings: []string{"block 2 is no readable certificate"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := tt.files.Load()
			if err != nil {
				t.Fatal(err)
			}
			if id.Leaf.Subject.CommonName != "Batch User" {
				t.Errorf("leaf is %s", id.Leaf.Subject)
			}
			if !id.Signer.(*rsa.PrivateKey).PublicKey.Equal(id.Leaf.PublicKey) {
				t.Error("the key is another's")
			}
			// Only the leaf: neither chain, nor key, nor text around it.
			b, rest := pem.Decode(id.LeafPEM)
			if b == nil || len(rest) > 0 || !bytes.Equal(b.Bytes, id.Leaf.Raw) || !bytes.Equal(id.LeafPEM, cert) {
				t.Errorf("leaf block is %q", id.LeafPEM)
			}
			if len(id.Chain) != tt.chain {
				t.Errorf("chain has %d, want %d", len(id.Chain), tt.chain)
			}
			if len(id.Warnings) != len(tt.warnings) {
				t.Fatalf("warnings %q, want %q", id.Warnings, tt.warnings)
			}
			for i, w := range tt.warnings {
				if !strings.Contains(id.Warnings[i], w) {
					t.Errorf("warning %q lacks %q", id.Warnings[i], w)
				}
			}
		})
	}
}

func TestThePassphraseIsAskedForOnlyWhenNeeded(t *testing.T) {
	asked := 0
	ask := func() (secret.Value, error) { asked++; return passphrase() }
	for file, want := range map[string]int{"pkcs1.pem": 0, "pkcs8.pem": 0, "encrypted-aes.pem": 1, "legacy-aes.pem": 1, "encrypted-sha512.pem": 0, "certificate.pem": 0} {
		asked = 0
		_, _ = Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/" + file, Passphrase: ask}.Load()
		if asked != want {
			t.Errorf("%s: asked %d times, want %d", file, asked, want)
		}
	}
	asked = 0
	_, _ = Files{AllowOpen: true, CertificatePath: "testdata/request.pem", KeyPath: "testdata/encrypted-aes.pem", Passphrase: ask}.Load()
	if asked != 0 {
		t.Error("asked, though the certificate is none")
	}
	gone := errors.New("gone")
	_, err := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/encrypted-aes.pem", Passphrase: func() (secret.Value, error) { return secret.Value{}, gone }}.Load()
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

// TestQuoted: a name is one word of a shell, which does nothing.
func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{"certs/ünï-2027_a.pem": "certs/ünï-2027_a.pem", "": "''", "a b": "'a b'", "$(touch y)": "'$(touch y)'", "a`b`": "'a`b`'",
		"it's": `'it'\''s'`, "_-./:@+": "_-./:@+"} {
		if got := Quoted(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	for _, c := range " \t\r\n\"`$&|;<>()[]{}*?!#~=%^,\u00a0" {
		if name := string(c); Quoted(name) != "'"+name+"'" {
			t.Errorf("%q: %s", name, Quoted(name))
		}
	}
}

// What people see, for every problem there is.
func TestProblems(t *testing.T) {
	var utf16 []byte
	for _, c := range read(t, "certificate.pem") {
		utf16 = append(utf16, c, 0)
	}
	good, key := "testdata/certificate.pem", "testdata/pkcs8.pem"
	block, _ := pem.Decode(read(t, "certificate.pem"))
	bare := []byte(base64.StdEncoding.EncodeToString(block.Bytes))
	text := func(s string) []byte { return []byte(s) }
	secretly := func(s string) func() (secret.Value, error) {
		return func() (secret.Value, error) { return secret.FromString(s), nil }
	}
	var golden strings.Builder
	for _, tt := range []struct {
		name  string
		files Files
		want  Problem
	}{
		{"nothing given", Files{}, Missing},
		{"empty certificate", Files{AllowOpen: true, Certificate: text(" \r\n"), CertificatePath: "c.pem", KeyPath: key}, Empty},
		{"empty key", Files{AllowOpen: true, CertificatePath: good, Key: text("\xef\xbb\xbf"), KeyPath: "k.pem"}, Empty},
		{"some text", Files{AllowOpen: true, Certificate: text("hello"), KeyPath: key}, NotPEM},
		{"certificate in DER", Files{AllowOpen: true, CertificatePath: "testdata/certificate.der", KeyPath: key}, DER},
		{"key in DER, as certificate", Files{AllowOpen: true, CertificatePath: "testdata/key.der"}, DER},
		{"key in DER", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/key.der"}, DER},
		{"encrypted key in DER", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/encrypted-key.der"}, DER},
		{"request in DER", Files{AllowOpen: true, CertificatePath: "testdata/request.der", KeyPath: key}, Request},
		{"base64 without lines around", Files{AllowOpen: true, Certificate: bare, KeyPath: key}, NotPEM},
		{"PKCS#7", Files{AllowOpen: true, CertificatePath: "testdata/certificate.p7b", KeyPath: key}, PKCS7},
		{"PKCS#7 in DER", Files{AllowOpen: true, CertificatePath: "testdata/certificate-der.p7b", KeyPath: key}, PKCS7},
		{"trusted certificate", Files{AllowOpen: true, CertificatePath: "testdata/trusted.pem", KeyPath: key}, Unsupported},
		{"UTF-16 with BOM", Files{AllowOpen: true, Certificate: append(text("\xff\xfe"), utf16...), CertificatePath: "with space.pem", KeyPath: key}, UTF16},
		{"UTF-16 without BOM", Files{AllowOpen: true, CertificatePath: good, Key: utf16, KeyPath: "k.pem"}, UTF16},
		{"request as certificate", Files{AllowOpen: true, CertificatePath: "testdata/request.pem", KeyPath: key}, Request},
		{"request as key", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/request.pem"}, Request},
		{"public key as key", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/public.pem"}, PublicKey},
		{"public key as certificate", Files{AllowOpen: true, CertificatePath: "testdata/public.pem", KeyPath: key}, PublicKey},
		{"key as certificate", Files{AllowOpen: true, CertificatePath: key, KeyPath: key}, NoCertificate},
		{"certificate as key", Files{AllowOpen: true, CertificatePath: good, KeyPath: good}, NoKey},
		{"certificate without any key", Files{AllowOpen: true, CertificatePath: good}, NoKey},
		{"two keys", Files{AllowOpen: true, CertificatePath: good, Key: append(read(t, "pkcs8.pem"), read(t, "other.pem")...)}, SeveralKeys},
		{"another's key", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/other.pem"}, Mismatch},
		{"another's key, elliptic", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/ec.pem"}, Mismatch},
		{"OpenSSH's format", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/openssh.pem"}, Unsupported},
		{"no passphrase", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/encrypted-aes.pem"}, PassphraseMissing},
		{"empty passphrase", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/legacy-aes.pem", Passphrase: secretly("")}, PassphraseMissing},
		{"wrong passphrase", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/encrypted-aes.pem", Passphrase: secretly("s3cret\n")}, WrongPassphrase},
		{"wrong passphrase, scrypt", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/encrypted-scrypt.pem", Passphrase: secretly("x")}, WrongPassphrase},
		{"wrong passphrase, legacy", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/legacy-aes.pem", Passphrase: secretly("S3cret")}, WrongPassphrase},
		{"encryption with SHA-512", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/encrypted-sha512.pem", Passphrase: passphrase}, Unsupported},
		{"old encryption", Files{AllowOpen: true, CertificatePath: good, KeyPath: "testdata/encrypted-pbe.pem", Passphrase: passphrase}, Unsupported},
		{"cut off", Files{AllowOpen: true, Certificate: read(t, "certificate.pem")[:600], CertificatePath: "c.pem", KeyPath: key}, Damaged},
		{"second block cut off", Files{AllowOpen: true, Certificate: append(read(t, "certificate.pem"), read(t, "certificate.pem")[:600]...), CertificatePath: "c.pem", KeyPath: key}, Damaged},
		{"line ends written out", Files{AllowOpen: true, Certificate: bytes.ReplaceAll(read(t, "certificate.pem"), text("\n"), text(`\n`)), KeyPath: key}, Damaged},
		{"content is no certificate", Files{AllowOpen: true, Certificate: text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), KeyPath: key}, Damaged},
		{"content is no key", Files{AllowOpen: true, CertificatePath: good, Key: text("-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----\n")}, Damaged},
		{"content is no encrypted key", Files{AllowOpen: true, CertificatePath: good, Key: text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), Passphrase: passphrase}, Damaged},
		{"something else in PEM", Files{AllowOpen: true, CertificatePath: good, Key: text("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n")}, NoKey},
	} {
		id, err := tt.files.Load()
		e, ok := errors.AsType[*CertificateError](err)
		if !ok || id != nil {
			t.Errorf("%s: %v, %v", tt.name, id, err)
			continue
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: is %q, want %q", tt.name, e.Problem, tt.want)
		}
		if e.Next == "" {
			t.Errorf("%s: no next step", tt.name)
		}
		fmt.Fprintf(&golden, "%s\n  %v\n  > %s\n", tt.name, err, strings.ReplaceAll(e.Next, "\n", "\n  > "))
	}
	const file = "testdata/problems.golden"
	if *update {
		if err := os.WriteFile(file, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, "problems.golden")), golden.String()); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadableFile(t *testing.T) {
	for _, p := range []Files{{AllowOpen: true, CertificatePath: "testdata/none.pem"}, {AllowOpen: true, CertificatePath: "testdata"}, {AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/none.pem"}} {
		if _, err := p.Load(); !errors.Is(err, Unreadable) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := (Files{AllowOpen: true, CertificatePath: "testdata/none.pem"}).Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestNoErrorShowsKeyOrPassphrase(t *testing.T) {
	const canary = "Canary-7f3a"
	key := read(t, "pkcs8.pem")
	body := bytes.Split(key, []byte("\n"))[3]
	for _, name := range []string{"encrypted-aes.pem", "legacy-aes.pem", "encrypted-scrypt.pem", "encrypted-pbe.pem"} {
		_, err := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/" + name, Passphrase: func() (secret.Value, error) { return secret.FromString(canary), nil }}.Load()
		if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, canary) || err == nil {
			t.Errorf("%s: %s", name, s)
		}
	}
	// A key where the certificate belongs, one that is damaged.
	for _, p := range []Files{{AllowOpen: true, Certificate: key}, {AllowOpen: true, Certificate: key[:900]}, {AllowOpen: true, Certificate: read(t, "certificate.pem"), Key: append(key[:800:800], "\n-----END PRIVATE KEY-----\n"...)}} {
		_, err := p.Load()
		if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, string(body)) || err == nil {
			t.Errorf("%s", s)
		}
	}
}

// Of several certificates for a key the one that ends last is first, in a PEM file as in a store.
func TestLoadEach(t *testing.T) {
	first, err := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/pkcs8.pem"}.Load()
	if err != nil {
		t.Fatal(err)
	}
	earlier := *first.Leaf
	earlier.NotAfter = earlier.NotAfter.Add(-time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &earlier, &earlier, first.Signer.Public(), first.Signer)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	old, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	store, err := pkcs12.Modern.Encode(first.Signer, old, []*x509.Certificate{first.Leaf}, "changeit") // the renewed one is beside the entry
	if err != nil {
		t.Fatal(err)
	}
	key := read(t, "pkcs8.pem")
	for name, files := range map[string]Files{
		"the old one first": {Certificate: slices.Concat(block, first.LeafPEM), Key: key},
		"the new one first": {Certificate: slices.Concat(first.LeafPEM, block), Key: key},
		"with their key":    {Certificate: slices.Concat(block, key, first.LeafPEM)},
		"each twice":        {Certificate: slices.Concat(block, first.LeafPEM, block, first.LeafPEM), Key: key},
		"a store":           {Certificate: store, Passphrase: gives("changeit")},
	} {
		all, err := files.LoadEach()
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != 2 || !all[0].Leaf.Equal(first.Leaf) || !all[1].Leaf.Equal(old) || all[1].Signer == nil || len(all[0].Warnings) > 0 {
			t.Errorf("%s: %v", name, all)
		}
		if id, err := files.Load(); err != nil || !id.Leaf.Equal(first.Leaf) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
		if each, err := files.LoadAll(); err != nil || len(each) != 2 {
			t.Errorf("%s: %v, %v", name, each, err)
		}
	}
}

// A store may still hold the placeholder that its key was made with, which has no address, or is self-signed, and ends in years.
func TestAPlaceholderInAStoreIsLeftOut(t *testing.T) {
	id, err := Files{AllowOpen: true, CertificatePath: inStores + "modern.p12", Passphrase: gives("changeit")}.Load()
	if err != nil {
		t.Fatal(err)
	}
	made := func(addresses ...string) *x509.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "batch"}, EmailAddresses: addresses, NotBefore: id.Leaf.NotBefore, NotAfter: id.Leaf.NotAfter.AddDate(9, 0, 0)}
		der, err := x509.CreateCertificate(rand.Reader, c, c, id.Signer.Public(), id.Signer)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tt := range []struct {
		name        string
		own, beside *x509.Certificate
		want        int
	}{
		{"without an address", id.Leaf, made(), 1},
		{"with one", id.Leaf, made(id.Emails()...), 1},
		{"it is the entry's own", made(), id.Leaf, 2},
	} {
		data, err := pkcs12.Modern.Encode(id.Signer, tt.own, []*x509.Certificate{tt.beside}, "changeit")
		if err != nil {
			t.Fatal(err)
		}
		all, err := Files{Certificate: data, Passphrase: gives("changeit")}.LoadEach()
		if err != nil || len(all) != tt.want || !slices.ContainsFunc(all, func(one *Identity) bool { return one.Leaf.Equal(id.Leaf) }) {
			t.Errorf("%s: %v, %v", tt.name, all, err)
		}
	}
}

func TestLoadCertificate(t *testing.T) {
	id, err := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem"}.LoadCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if id.Signer != nil || id.Leaf.Subject.CommonName != "Batch User" {
		t.Errorf("got %v, %v", id.Leaf.Subject, id.Signer)
	}
	if _, err := (Files{AllowOpen: true, CertificatePath: "testdata/pkcs8.pem"}).LoadCertificate(); !errors.Is(err, NoCertificate) {
		t.Errorf("got %v", err)
	}
}

func TestLoadAllOfPEMIsTheOneThatLoadFinds(t *testing.T) {
	files := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/pkcs8.pem"}
	all, err := files.LoadAll()
	if err != nil || len(all) != 1 || all[0].Signer == nil || all[0].Leaf.Subject.CommonName != "Batch User" {
		t.Errorf("got %v, %v", all, err)
	}
	files.KeyPath = "testdata/other.pem"
	if all, err := files.LoadAll(); len(all) != 0 || !errors.Is(err, Mismatch) {
		t.Errorf("got %v, %v", all, err)
	}
}

func FuzzLoad(f *testing.F) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			f.Add(read(f, e.Name()))
		}
	}
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"))
	cert := read(f, "certificate.pem")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range []Files{{AllowOpen: true, Certificate: data}, {AllowOpen: true, Certificate: cert, Key: data}} {
			if len(data) == 0 {
				continue
			}
			p.Passphrase = passphrase
			id, err := p.Load()
			if (err == nil) != (id != nil) {
				t.Fatalf("%v and %v", id, err)
			}
			if err != nil {
				if e, ok := errors.AsType[*CertificateError](err); !ok || e.What == "" || e.Next == "" {
					t.Fatalf("error without what or next: %#v", err)
				}
				continue
			}
			if b, rest := pem.Decode(id.LeafPEM); b == nil || len(rest) > 0 || id.Signer == nil {
				t.Fatalf("identity is incomplete: %+v", id)
			}
		}
	})
}
