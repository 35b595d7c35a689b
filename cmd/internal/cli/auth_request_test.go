package cli

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// inFolder changes to a folder of the test's own.
func inFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	return dir
}

func filesHere(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRequestMakesKeyAndRequest(t *testing.T) {
	if testing.Short() {
		return // nothing runs side by side in it, and the race detector is slow with keys
	}
	cert, _ := identityFiles(t)
	inFolder(t)
	got := call([]string{"PASS", "canary of the key"}, "auth", "request", "--renew", cert, "--bits", "2048", "--out", "new", "--passphrase", "env:PASS", "--output", "json")
	if got.code != 0 || got.err != "" {
		t.Fatalf("code %d: %s", got.code, got.err)
	}
	var r requested
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Next) != 5 || !strings.Contains(strings.Join(r.Next, "\n"), cert) {
		t.Errorf("next: %q", r.Next)
	}
	want := requested{Schema: 1, Key: "new.key.pem", NewKey: true, Encrypted: true, Request: "new.csr.pem", Email: "nightly.batch@example.com",
		Subject: "CN=nightly.batch@example.com,O=Sample Retail", Bits: 2048, Renews: cert, PublicKey: r.PublicKey, Next: r.Next}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	key, _, err := keystore.Files{KeyPath: "new.key.pem", Passphrase: func() (secret.Value, error) { return secret.FromString("canary of the key"), nil }}.LoadKey()
	if err != nil {
		t.Fatal(err)
	}
	csr := readRequest(t, "new.csr.pem")
	if pub, ok := key.Public().(interface{ Equal(x any) bool }); ok && !pub.Equal(csr.PublicKey) {
		t.Error("key and request do not belong together")
	}
	for _, name := range []string{"new.key.pem", "new.csr.pem"} {
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// The same key again, for another user.
	got = call([]string{"PASS", "canary of the key"}, "auth", "request", "--email", "other@example.com", "--from-key", "new.key.pem", "--out", "again", "--passphrase", "env:PASS")
	if got.code != 0 {
		t.Fatal(got.err)
	}
	for _, part := range []string{"new.key.pem (RSA, 2048 bits, encrypted, as it was)\n", "CN=other@example.com\n", "1. send again.csr.pem (not the key) to a public authority", "Administration > Security > Certificates"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("no %q in\n%s", part, got.out)
		}
	}
	// And from a file that others may read.
	if err := os.Chmod("new.key.pem", 0o644); err != nil {
		t.Fatal(err)
	}
	got = call([]string{"PASS", "canary of the key"}, "auth", "request", "--email", "other@example.com", "--from-key", "new.key.pem", "--out", "open", "--passphrase", "env:PASS")
	if warned := strings.Contains(got.err, "others than its owner may read the private key new.key.pem (mode 0644), so that a login refuses it: chmod 600 new.key.pem"); got.code != 0 || warned != (runtime.GOOS != "windows") {
		t.Errorf("code %d: %s", got.code, got.err)
	}
	if names := filesHere(t); !slices.Equal(names, []string{"again.csr.pem", "new.csr.pem", "new.key.pem", "open.csr.pem"}) {
		t.Errorf("files: %v", names)
	}
}

// A key may be in a key store.
func TestRequestForAKeyOfAStore(t *testing.T) {
	given := map[string][]byte{}
	for _, name := range []string{"several.jks", "modern.p12", "second.pem", "user.pem"} {
		given[name] = storeFile(t, name)
	}
	inFolder(t)
	writeFile(t, "several.jks", given["several.jks"])
	writeFile(t, "modern.p12", given["modern.p12"])
	for _, tt := range []struct{ args, alias, certificate string }{
		{"--from-key several.jks --alias second --key-passphrase env:STORE --out one", "second", "second.pem"},
		{"--from-key modern.p12 --out two", "", "user.pem"},
	} {
		got := call([]string{"STORE", "changeit"}, append([]string{"auth", "request", "--email", "batch@example.com", "--passphrase", "env:STORE", "--output", "json"}, strings.Fields(tt.args)...)...)
		var r requested
		if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 {
			t.Fatalf("%s: code %d: %s", tt.args, got.code, got.err)
		}
		block, _ := pem.Decode(given[tt.certificate])
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		pub, ok := readRequest(t, r.Request).PublicKey.(interface{ Equal(x crypto.PublicKey) bool })
		if !ok || !pub.Equal(c.PublicKey) || r.NewKey || !r.Encrypted || r.Alias != tt.alias {
			t.Errorf("%s: %+v", tt.args, r)
		}
		if named := strings.Contains(r.Next[3], `alias = "second"`) && strings.Contains(r.Next[1], "--alias second"); named != (tt.alias != "") {
			t.Errorf("%s: %q", tt.args, r.Next)
		}
	}
	if names := filesHere(t); !slices.Equal(names, []string{"modern.p12", "one.csr.pem", "several.jks", "two.csr.pem"}) {
		t.Errorf("files: %v", names)
	}
}

// Key and old certificate may be in the same one.
func TestRequestThatRenewsFromAStore(t *testing.T) {
	several, modern := storeFile(t, "several.jks"), storeFile(t, "modern.p12")
	inFolder(t)
	writeFile(t, "several.jks", several)
	writeFile(t, "modern.p12", modern)
	for _, args := range []string{
		"--renew several.jks --from-key several.jks --alias second --out one",
		"--renew modern.p12 --from-key modern.p12 --out two",
	} {
		if got := call([]string{"STORE", "changeit"}, append([]string{"auth", "request", "--passphrase", "env:STORE"}, strings.Fields(args)...)...); got.code != 0 {
			t.Errorf("%s: code %d: %s", args, got.code, got.err)
		}
	}
}

// TestSubjectForAnotherUserHasNoOldAddress: the subject of an old certificate without its email address.
func TestSubjectForAnotherUserHasNoOldAddress(t *testing.T) {
	email := pkix.AttributeTypeAndValue{Type: emailAddress, Value: "old@example.com"}
	cn := pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Batch"}
	for want, given := range map[string]pkix.RDNSequence{
		"CN=Batch": {{cn}, {email}},
		"":         {{email}},
	} {
		der, err := asn1.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		var got pkix.RDNSequence
		left := withoutEmail(der)
		if left != nil {
			if _, err := asn1.Unmarshal(left, &got); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != want || want == "" && left != nil {
			t.Errorf("%s: got %s", given, got)
		}
	}
	plain, err := asn1.Marshal(pkix.RDNSequence{{cn}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(withoutEmail(plain), plain) {
		t.Error("a subject without an address is changed")
	}
	a, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	inFolder(t)
	writeFile(t, "old.pem", issued(t, 5, "old@example.com", time.Now().AddDate(-1, 0, 0), time.Now(), func(c *x509.Certificate) {
		c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{cn, email}}
	}))
	writeFile(t, "old.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)}))
	for out, address := range map[string]string{"same": "", "other": "new@example.com"} {
		args := []string{"auth", "request", "--renew", "old.pem", "--from-key", "old.key", "--out", out}
		if address != "" {
			args = append(args, "--email", address)
		}
		if got := call(nil, args...); got.code != 0 {
			t.Fatal(got.err)
		}
		kept := slices.ContainsFunc(readRequest(t, out+".csr.pem").Subject.Names, func(n pkix.AttributeTypeAndValue) bool { return n.Type.Equal(emailAddress) })
		if kept != (address == "") {
			t.Errorf("%s: the old address is in the subject: %v", out, kept)
		}
	}
}

func readRequest(t *testing.T, name string) *x509.CertificateRequest {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

// What is wrong is found before anything is written.
func TestRequestRefuses(t *testing.T) {
	cert, key := identityFiles(t)
	elliptic, err := filepath.Abs("../../../auth/keystore/testdata/ec.pem")
	if err != nil {
		t.Fatal(err)
	}
	keystoreFiles := filepath.Dir(elliptic)
	inFolder(t)
	for name, text := range map[string]string{"there.key.pem": "mine", "half.csr.pem": "mine"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := filesHere(t)
	const address = "write the address of the Anaplan user alone, as in batch@example.com"
	for _, tt := range []struct {
		args string
		code int
		want string // on stderr, without the program's name
	}{
		{"", 64, "neither --email nor --out is given\n  → write auth request --email ADDRESS-OF-THE-ANAPLAN-USER --out PREFIX; --renew CERTIFICATE takes the address of an old one\n"},
		{"--email a@example.com", 64, "no --out is given\n  → give --out PREFIX, such as --out batch-2027\n"},
		{"--out x", 64, "no --email is given\n  → give --email with the address of the Anaplan user, or --renew with the old certificate\n"},
		{"--out x --email ada", 64, "--email: \"ada\" is not an email address\n  → " + address + "\n"},
		{"--out x --email ada@example", 64, "--email: \"ada@example\" is not an email address: its domain is not whole\n  → " + address + "\n"},
		{"--out x --email åda@example.com", 64, "--email: \"åda@example.com\" has a character that an address in a certificate cannot have\n  → " + address + "\n"},
		{"--out x --email a@example.com --bits 1024", 64, "--bits: Anaplan wants 2048 bits or more, and 1024 is not from 2048 to 8192\n  → leave it out (3072), or write --bits 2048 or more\n"},
		{"--out x --email a@example.com --bits 2048 --from-key KEY", 64, "--bits is for a new key, and --from-key names one that is there\n  → leave out --bits\n"},
		{"--out x --email a@example.com --alias batch", 64, "--alias and --key-passphrase are for a key in a key store, and no --from-key names one\n  → give --from-key, or leave them out\n"},
		{"--out x --email a@example.com --from-key SEVERAL --passphrase env:STORE", 77, "key store file SEVERAL holds several private keys: \"prod\" (Batch User, until 2126-"},
		{"--out x --email a@example.com --from-key EC", 77, "private key file EC holds a key that is not RSA, and Anaplan takes RSA only\n  → name an RSA key of 2048 bits or more, or have a new one made\n"},
		{"--out x --email a@example.com --from-key WEAK", 77, "private key file WEAK holds a key of 1024 bits, and Anaplan wants 2048 or more\n  → name an RSA key of 2048 bits or more, or have a new one made\n"},
		{"--out x --email a@example.com --from-key CERT", 77, "private key file CERT holds a certificate and no private key\n  → name the file with the private key, the one the certificate was ordered with\n"},
		{"--out x --email a@example.com", 64, "no passphrase for the new key is given, and there is no terminal to ask on\n  → give --passphrase file:PATH or env:NAME, or say --no-passphrase\n"},
		{"--out x --email a@example.com --passphrase hunter2", 64, "--passphrase: not a reference: write file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD instead of the value itself\n  → arguments can be seen by everybody on the machine: write --passphrase file:PATH, or set ANAPLAN_PASSPHRASE\n"},
		{"--out x --email a@example.com --passphrase env:PASS --no-passphrase", 64, "--passphrase and --no-passphrase contradict each other\n  → give one of them\n"},
		{"--out x --email a@example.com --passphrase env:EMPTY", 77, "command line: passphrase: environment variable EMPTY, which is to hold a secret, is empty\n  → correct this key, then try `auth check`\n"},
		{"--out there --email a@example.com --no-passphrase", 64, "there.key.pem exists already\n  → give another --out: a key or a request that may be in use is never replaced; to request again for this key: --from-key there.key.pem\n"},
		{"--out half --email a@example.com --no-passphrase", 64, "half.csr.pem exists already\n  → give another --out: a key or a request that may be in use is never replaced\n"},
		{"--out no/x --email a@example.com --no-passphrase", 65, "stat no: no such file or directory\n  → name files in a folder that can be written, on a disk with room; nothing was left behind\n"},
		{"--out x --email a@example.com --subject CN=a --cn b", 64, "--subject stands in place of --cn, --org and --country\n  → give one of them\n"},
		{"--out x --email a@example.com --subject /CN=a", 64, "--subject: the subject begins with a slash: write it with commas, as in CN=Batch User,O=Example,C=GB\n  → write it as in --subject \"CN=Batch,O=Example,C=GB\"\n"},
		{"--out x --email a@example.com --country Belgium", 64, "--country: the country \"Belgium\" is not a code of two capital letters, such as GB\n  → write it as in --country GB\n"},
		{"--out x --renew NOEMAIL", 64, "--renew NOEMAIL: the certificate has no email address\n  → give it with --email\n"},
		{"--out x --renew STORE --passphrase env:STORE", 64, "--renew STORE: key store file STORE is encrypted, and no password is given: it is not opened for a new key\n  → give --email with the address of the Anaplan user in its place\n"},
		{"--out x --renew KEY", 77, "certificate file KEY holds a private key and no certificate\n  → name the file with the certificate here, and this one as private key\n"},
		{"--out x --email a@example.com extra", 64, "anaplan-runner auth request: there is one argument too many: \"extra\"\n  → "},
	} {
		paths := map[string]string{"CERT": cert, "KEY": key, "EC": elliptic, "WEAK": filepath.Join(keystoreFiles, "weak.pem"), "SEVERAL": filepath.Join(keystoreFiles, "stores", "several.jks"), "STORE": filepath.Join(keystoreFiles, "stores", "modern.p12"), "NOEMAIL": filepath.Join(keystoreFiles, "weak-certificate.pem")}
		args, want := []string{"auth", "request"}, tt.want
		for _, a := range strings.Fields(tt.args) {
			if path, ok := paths[a]; ok {
				want, a = strings.ReplaceAll(want, a, path), path
			}
			args = append(args, a)
		}
		got := call([]string{"PASS", "x", "EMPTY", "", "STORE", "changeit"}, args...)
		if got.code != tt.code || !strings.HasPrefix(got.err, "anaplan-runner: "+want) || got.out != "" {
			t.Errorf("%s: code %d\n%s%s", tt.args, got.code, got.err, got.out)
		}
	}
	if diff := cmp.Diff(before, filesHere(t)); diff != "" {
		t.Error(diff)
	}
}

// A file that appears meanwhile is not replaced, and what was placed before is taken back.
func TestPlaceNewIsAllOrNothing(t *testing.T) {
	inFolder(t)
	files := []newFile{{"a.key.pem", []byte("key")}, {"a.csr.pem", []byte("csr")}}
	if err := os.WriteFile("a.csr.pem", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := placeNew(files); err == nil || err.Error() != "a.csr.pem exists already" {
		t.Errorf("got %v", err)
	}
	if names := filesHere(t); !slices.Equal(names, []string{"a.csr.pem"}) {
		t.Errorf("files: %v", names)
	}
	if data, _ := os.ReadFile("a.csr.pem"); string(data) != "mine" {
		t.Errorf("a.csr.pem holds %q", data)
	}
	if err := placeNew([]newFile{{"b.key.pem", []byte("key")}, {"no/b.csr.pem", []byte("csr")}}); err == nil || !strings.Contains(err.Error(), "no/b.csr.pem") {
		t.Errorf("got %v", err)
	}
	if names := filesHere(t); !slices.Equal(names, []string{"a.csr.pem"}) {
		t.Errorf("files: %v", names)
	}
}
