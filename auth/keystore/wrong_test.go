package keystore

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A wrongInput is one way to go wrong. Names without a folder are of files in testdata or its stores, which their owner alone may read.
type wrongInput struct {
	name  string
	files Files
	want  Problem
	at    time.Time // also looked at with Check at this time, if not zero
}

// TestWrongInputs is what people see, word for word, for whatever can be wrong with a key, certificate, passphrase, store, alias,
// permission or clock.
func TestWrongInputs(t *testing.T) {
	golden, err := filepath.Abs("testdata/wrong.golden")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(golden)
	if err != nil && !*update {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, from := range []string{"testdata", "testdata/stores"} {
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				data, err := os.ReadFile(filepath.Join(from, e.Name()))
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, e.Name()), data, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Chdir(dir)
	var got strings.Builder
	rows := append(wrongStores(t), wrongPEM(t)...)
	if modesMean {
		rows = append(rows, wrongModes(t)...)
	}
	if len(rows) < 70 {
		t.Errorf("%d rows", len(rows))
	}
	for _, tt := range rows {
		id, err := tt.files.Load()
		if err == nil && !tt.at.IsZero() {
			err = id.Check(tt.at)
		} else if err == nil || id != nil {
			t.Errorf("%s: loads as %v, %v", tt.name, id, err)
			continue
		}
		e, ok := errors.AsType[*CertificateError](err)
		if !ok || e.Problem != tt.want || e.Next == "" {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			continue
		}
		for _, password := range []string{"changeit", "keypass1", "canary", "s3cret"} {
			if strings.Contains(e.Error()+e.Next, password) {
				t.Errorf("%s: shows a password: %v", tt.name, err)
			}
		}
		fmt.Fprintf(&got, "%s [%s]\n  %v\n  > %s\n", tt.name, e.Problem, err, strings.ReplaceAll(e.Next, "\n", "\n  > "))
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, before, _ := strings.Cut(string(want), "open: "); !modesMean {
		want = want[:len(want)-len(before)-len("open: ")]
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

func wrongStores(t *testing.T) []wrongInput {
	content := func(name string) []byte {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	cut := func(name string, left int) Files {
		data := content(name)
		if left < 0 {
			left += len(data)
		}
		return Files{CertificatePath: name, Certificate: data[:left], Passphrase: gives("changeit")}
	}
	flip := func(name string, at int) Files {
		data := content(name)
		if at < 0 {
			at += len(data)
		}
		data[at] ^= 0x55
		return Files{CertificatePath: name, Certificate: data, Passphrase: gives("changeit"), KeyPassphrase: gives("keypass1")}
	}
	store := func(name, pass, alias string) Files {
		return Files{CertificatePath: name, Passphrase: gives(pass), Alias: alias}
	}
	crafted := func(data []byte) Files {
		return Files{CertificatePath: "crafted.p12", Certificate: data, Passphrase: gives("changeit")}
	}
	withKey := func(name, pass, own string) Files {
		return Files{CertificatePath: name, Passphrase: gives(pass), KeyPassphrase: gives(own)}
	}
	java := content("several.jks")
	entry := func(old, changed string) []byte { return bytes.Replace(java, []byte(old), []byte(changed), 1) }
	many := bytes.Clone(java)
	copy(many[8:], []byte{0xff, 0xff, 0xff, 0xff})
	long := bytes.Clone(java)
	copy(long[bytes.Index(java, []byte("X.509"))+5:], []byte{0xff, 0xff, 0xff, 0xf0})
	version := bytes.Clone(java)
	version[7] = 9
	return []wrongInput{
		// Passwords.
		{name: "PKCS#12, no password", files: Files{CertificatePath: "modern.p12"}, want: PassphraseMissing},
		{name: "PKCS#12, empty password", files: store("modern.p12", "", ""), want: PassphraseMissing},
		{name: "PKCS#12, wrong password", files: store("modern.p12", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12, password with a line end", files: store("modern.p12", "changeit\n", ""), want: WrongPassphrase},
		{name: "PKCS#12, password in capitals", files: store("modern.p12", "CHANGEIT", ""), want: WrongPassphrase},
		{name: "PKCS#12 of old programs, wrong password", files: store("legacy.p12", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12 with a check sum only, wrong password", files: store("plain-mac.p12", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12 without check sum, wrong password", files: store("no-mac.p12", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12 without check sum, no password", files: Files{CertificatePath: "no-mac.p12"}, want: PassphraseMissing},
		{name: "PKCS#12, only the key encrypted, wrong password", files: store("key-only-encrypted.p12", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12, only the key encrypted, no password", files: Files{CertificatePath: "key-only-encrypted.p12"}, want: PassphraseMissing},
		{name: "PKCS#12, only the key encrypted, wrong key password", files: withKey("key-only-encrypted.p12", "canary", "canary"), want: WrongPassphrase},
		{name: "PKCS#12, umlauts left out", files: store("umlaut.p12", "passwort", ""), want: WrongPassphrase},
		{name: "PKCS#12 in a .jks, wrong password", files: store("pkcs12.jks", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12 in base64, wrong password", files: store("pkcs12.base64", "canary", ""), want: WrongPassphrase},
		{name: "PKCS#12, key password in place of the store's", files: Files{CertificatePath: "modern.p12", KeyPassphrase: gives("changeit")}, want: PassphraseMissing},
		{name: "JKS, no password", files: Files{CertificatePath: "anaplan.jks"}, want: PassphraseMissing},
		{name: "JKS, wrong password", files: store("anaplan.jks", "canary", ""), want: WrongPassphrase},
		{name: "JKS, the key's password in place of the store's", files: store("one-password.jks", "keypass1", ""), want: WrongPassphrase},
		{name: "JKS, the key has a password of its own", files: store("anaplan.jks", "changeit", ""), want: WrongPassphrase},
		{name: "JKS, wrong key password", files: withKey("anaplan.jks", "changeit", "canary"), want: WrongPassphrase},
		{name: "JKS, umlauts left out", files: store("umlaut.jks", "passwort", ""), want: WrongPassphrase},
		// Aliases.
		{name: "PKCS#12, several keys", files: store("several.p12", "changeit", ""), want: SeveralKeys},
		{name: "JKS, several keys", files: store("several.jks", "changeit", ""), want: SeveralKeys},
		{name: "PKCS#12, no such alias", files: store("several.p12", "changeit", "production"), want: NoAlias},
		{name: "JKS, no such alias", files: store("several.jks", "changeit", "production"), want: NoAlias},
		{name: "JKS, alias with a space at its end", files: store("anaplan.jks", "changeit", "anaplankey "), want: NoAlias},
		{name: "PKCS#12 without names, an alias", files: store("unnamed.p12", "changeit", "batch"), want: NoAlias},
		{name: "PKCS#12, alias of a trusted certificate", files: store("several.p12", "changeit", "ROOT"), want: NoKey},
		{name: "JKS, alias of a trusted certificate", files: store("several.jks", "changeit", "root"), want: NoKey},
		// What is in it.
		{name: "PKCS#12 as trust store", files: store("trust.p12", "changeit", ""), want: NoKey},
		{name: "JKS as trust store", files: store("trust.jks", "changeit", "root"), want: NoKey},
		{name: "PKCS#12 without key", files: store("no-key.p12", "changeit", ""), want: NoKey},
		{name: "PKCS#12 without certificate", files: store("no-certificate.p12", "changeit", ""), want: NoCertificate},
		{name: "PKCS#12, empty", files: store("empty.p12", "changeit", ""), want: Empty},
		{name: "JKS, empty", files: store("empty.jks", "changeit", ""), want: Empty},
		{name: "JCEKS", files: store("store.jceks", "changeit", ""), want: Unsupported},
		{name: "PKCS#12 with RC4", files: store("rc4.p12", "changeit", ""), want: Unsupported},
		{name: "JKS, elliptic key", files: store("elliptic.jks", "changeit", ""), want: NotRSA, at: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{name: "JKS, DSA key", files: store("dsa.jks", "changeit", ""), want: NotRSA},
		{name: "a store as key of another's certificate", files: Files{CertificatePath: "second.pem", KeyPath: "modern.p12", Passphrase: gives("changeit")}, want: Mismatch},
		{name: "another's key for the certificate of a store", files: Files{CertificatePath: "one-password.jks", KeyPath: "other.pem", Passphrase: gives("changeit")}, want: Mismatch},
		{name: "a trust store as key", files: Files{CertificatePath: "user.pem", KeyPath: "trust.jks", Passphrase: gives("changeit")}, want: NoKey},
		{name: "a store without certificate, and a key", files: Files{CertificatePath: "no-certificate.p12", KeyPath: "user.key.pem", Passphrase: gives("changeit")}, want: NoCertificate},
		// Damage.
		{name: "PKCS#12, cut off within its head", files: cut("modern.p12", 20), want: Damaged},
		{name: "PKCS#12, half of it", files: cut("modern.p12", 2000), want: Damaged},
		{name: "PKCS#12, its last byte missing", files: cut("modern.p12", -1), want: Damaged},
		{name: "PKCS#12, four bytes of it", files: cut("modern.p12", 4), want: NotPEM},
		{name: "PKCS#12, a bit of its certificates flipped", files: flip("modern.p12", 900), want: Damaged},
		{name: "PKCS#12, a bit of its key flipped", files: flip("modern.p12", 3900), want: Damaged},
		{name: "PKCS#12, a bit of its check sum flipped", files: flip("modern.p12", -30), want: Damaged},
		{name: "PKCS#12, its first bit flipped", files: flip("modern.p12", 0), want: NotPEM},
		{name: "PKCS#12, its inner length flipped", files: flip("modern.p12", 10), want: Damaged},
		{name: "PKCS#12 with text after it", files: crafted(append(content("modern.p12"), "tail"...)), want: Damaged},
		{name: "PKCS#12 copied as text", files: crafted(bytes.ToValidUTF8(content("modern.p12"), []byte("\xef\xbf\xbd"))), want: NotPEM},
		{name: "JKS, cut off within its head", files: cut("anaplan.jks", 10), want: Damaged},
		{name: "JKS, half of it", files: cut("anaplan.jks", 2000), want: Damaged},
		{name: "JKS, its last byte missing", files: cut("anaplan.jks", -1), want: Damaged},
		{name: "JKS, a bit of its key flipped", files: flip("one-password.jks", 300), want: WrongPassphrase},
		{name: "JKS, a bit of its certificate flipped", files: flip("one-password.jks", -200), want: Damaged},
		{name: "JKS, a bit of its check sum flipped", files: flip("one-password.jks", -1), want: Damaged},
		{name: "JKS, its first bit flipped", files: flip("anaplan.jks", 0), want: NotPEM},
		{name: "JKS, a name of a certificate's kind that is longer than all", files: Files{CertificatePath: "s.jks", Certificate: entry("\x00\x05X.509", "\xff\xffX.509"), Passphrase: gives("changeit")}, want: Damaged},
		{name: "JKS that claims 4 billion entries", files: Files{CertificatePath: "s.jks", Certificate: many, Passphrase: gives("changeit")}, want: Damaged},
		{name: "JKS that claims a certificate of 4 GB", files: Files{CertificatePath: "s.jks", Certificate: long, Passphrase: gives("changeit")}, want: Damaged},
		{name: "JKS of a version to come", files: Files{CertificatePath: "s.jks", Certificate: version, Passphrase: gives("changeit")}, want: Damaged},
		// What would take forever, or is not done.
		{name: "PKCS#12 that asks for 2 billion iterations", files: crafted(repack(t, content("modern.p12"), func(p *pfx) { p.MAC.Iterations = 1<<31 - 1 })), want: Unsupported},
		{name: "PKCS#12 that asks for no iterations", files: crafted(repack(t, content("modern.p12"), func(p *pfx) { p.MAC.Iterations = -1 })), want: Damaged},
		{name: "PKCS#12 with a check sum by MD5", files: crafted(repack(t, content("modern.p12"), func(p *pfx) { p.MAC.Digest.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 5} })), want: Unsupported},
		{name: "PKCS#12, its key asks for 2 billion iterations", files: crafted(craft(t, 1<<31-1)), want: Unsupported},
		{name: "PKCS#12 sealed with a key", files: crafted(repack(t, content("plain.p12"), func(p *pfx) { p.Safe.Type = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} })), want: Unsupported},
		{name: "PKCS#12 in BER, cut off", files: crafted(append([]byte{0x30, 0x80, 2, 1, 3, 0x30, 0x80}, make([]byte, 40)...)), want: Damaged},
		{name: "PKCS#12 in BER, without its end", files: crafted(bytes.TrimSuffix(content("firefox.p12"), []byte{0, 0})), want: Damaged},
	}
}

// repack changes a PKCS#12 file outside its content.
func repack(t *testing.T, data []byte, change func(*pfx)) []byte {
	t.Helper()
	var p pfx
	if _, err := asn1.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	change(&p)
	if len(p.MAC.Digest.Algorithm.Algorithm) == 0 {
		return marshal(t, struct {
			Version int
			Safe    contentInfo
		}{p.Version, p.Safe})
	}
	return marshal(t, p)
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// craft makes a PKCS#12 file without check sum, of a key whose encryption asks for so many iterations.
func craft(t *testing.T, iterations int) []byte {
	t.Helper()
	oid := func(n ...int) asn1.ObjectIdentifier { return n }
	algorithm := func(id asn1.ObjectIdentifier, parameters any) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: marshal(t, parameters)}}
	}
	kdf := algorithm(oid(1, 2, 840, 113549, 1, 5, 12), struct {
		Salt       []byte
		Iterations int
	}{[]byte("saltsalt"), iterations})
	sealed := marshal(t, encryptedInfo{algorithm(oid(1, 2, 840, 113549, 1, 5, 13), pbes2{kdf, algorithm(oid(2, 16, 840, 1, 101, 3, 4, 1, 2), make([]byte, 16))}), make([]byte, 32)})
	explicit := func(der []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
	}
	type plainBag struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	bags := []plainBag{{oid(1, 2, 840, 113549, 1, 12, 10, 1, 2), explicit(sealed)}}
	data := func(v any) plainBag {
		return plainBag{oid(1, 2, 840, 113549, 1, 7, 1), explicit(marshal(t, marshal(t, v)))}
	}
	return marshal(t, struct {
		Version int
		Safe    plainBag
	}{3, data([]plainBag{data(bags)})})
}

func wrongPEM(t *testing.T) []wrongInput {
	cert, err := os.ReadFile("certificate.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile("pkcs8.pem")
	if err != nil {
		t.Fatal(err)
	}
	begin, end := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2226, 1, 1, 0, 0, 0, 0, time.UTC)
	flipped := bytes.Clone(key)
	flipped[400] ^= 1
	flippedCert := bytes.Clone(cert)
	flippedCert[40] ^= 0x60
	return []wrongInput{
		{name: "nothing", want: Missing},
		{name: "file that is not there", files: Files{CertificatePath: "none.pem"}, want: Unreadable},
		{name: "key file that is not there", files: Files{CertificatePath: "certificate.pem", KeyPath: "none.pem"}, want: Unreadable},
		{name: "empty file", files: Files{CertificatePath: "empty.pem", Certificate: []byte("\n")}, want: Empty},
		{name: "text", files: Files{CertificatePath: "notes.txt", Certificate: []byte("see the wiki")}, want: NotPEM},
		{name: "a key of 2 MB", files: Files{CertificatePath: "certificate.pem", Key: bytes.Repeat([]byte("A"), 2<<20), KeyPath: "k.pem"}, want: NotPEM},
		{name: "base64 of nothing known", files: Files{CertificatePath: "certificate.pem", KeyPath: "k.pem", Key: []byte(base64.StdEncoding.EncodeToString([]byte("hello, world")))}, want: NotPEM},
		{name: "no key at all", files: Files{CertificatePath: "certificate.pem"}, want: NoKey},
		{name: "another's key", files: Files{CertificatePath: "certificate.pem", KeyPath: "other.pem"}, want: Mismatch},
		{name: "no passphrase", files: Files{CertificatePath: "certificate.pem", KeyPath: "encrypted-aes.pem"}, want: PassphraseMissing},
		{name: "wrong passphrase", files: Files{CertificatePath: "certificate.pem", KeyPath: "encrypted-aes.pem", Passphrase: gives("canary")}, want: WrongPassphrase},
		{name: "key, cut off", files: Files{CertificatePath: "certificate.pem", KeyPath: "k.pem", Key: key[:700]}, want: Damaged},
		{name: "key, a bit flipped", files: Files{CertificatePath: "certificate.pem", KeyPath: "k.pem", Key: flipped}, want: Damaged},
		{name: "certificate, a bit flipped", files: Files{CertificatePath: "c.pem", Certificate: flippedCert, KeyPath: "pkcs8.pem"}, want: Damaged},
		{name: "certificate, cut off", files: Files{CertificatePath: "c.pem", Certificate: cert[:500], KeyPath: "pkcs8.pem"}, want: Damaged},
		{name: "key of 200,000 bits", files: Files{CertificatePath: "certificate.pem", KeyPath: "k.pem", Key: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: giant(t)})}, want: Unsupported},
		{name: "encrypted key of 200,000 bits", files: Files{CertificatePath: "certificate.pem", KeyPath: "k.pem", Key: pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: giant(t)}), Passphrase: refuses(t)}, want: Unsupported},
		{name: "too short a key", files: Files{CertificatePath: "weak-certificate.pem", KeyPath: "weak.pem"}, want: WeakKey, at: begin},
		{name: "elliptic", files: Files{CertificatePath: "ec-certificate.pem", KeyPath: "ec.pem"}, want: NotRSA, at: begin},
		{name: "clock before the certificate's time", files: Files{CertificatePath: "certificate.pem", KeyPath: "pkcs8.pem"}, want: NotYetValid, at: begin},
		{name: "clock after the certificate's time", files: Files{CertificatePath: "certificate.pem", KeyPath: "pkcs8.pem"}, want: Expired, at: end},
		{name: "clock before the time of a store's certificate", files: Files{CertificatePath: "one-password.jks", Passphrase: gives("changeit")}, want: NotYetValid, at: begin},
		{name: "clock after the time of a store's certificate", files: Files{CertificatePath: "modern.p12", Passphrase: gives("changeit")}, want: Expired, at: end},
	}
}

// giant is an RSA key that takes seconds to check.
func giant(t *testing.T) []byte {
	one := new(big.Int).Lsh(big.NewInt(1), 100_000)
	return marshal(t, struct {
		Version                  int
		N                        *big.Int
		E                        int
		D, P, Q, DP, DQ, Inverse *big.Int
	}{0, new(big.Int).Mul(one, one), 65537, one, one, one, one, one, one})
}

// A key in a store is no exception, nor one without PEM.
func TestGiantKeysAreNotLookedAt(t *testing.T) {
	der := marshal(t, struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}, giant(t)})
	if _, ok, err := (file{role: roleStore, path: "s.p12"}).pkcs8Key(der, "a"); !ok || !errors.Is(err, Unsupported) {
		t.Errorf("of a store: %v, %v", ok, err)
	}
	if kind, ok := derKind(giant(t)); ok {
		t.Errorf("of a file: %+v", kind)
	}
}

// wrongModes come last, and their names begin with "open: ".
func wrongModes(t *testing.T) []wrongInput {
	mode := func(name, as string, mode os.FileMode) string {
		data, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(as, data, 0o600)
		}
		if err == nil {
			err = os.Chmod(as, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		return as
	}
	return []wrongInput{
		{name: "open: key that everybody may read", files: Files{CertificatePath: "certificate.pem", KeyPath: mode("pkcs8.pem", "open.pem", 0o644)}, want: OpenToOthers},
		{name: "open: key that its group may read", files: Files{CertificatePath: "certificate.pem", KeyPath: mode("pkcs8.pem", "group.pem", 0o640)}, want: OpenToOthers},
		{name: "open: encrypted key, before its passphrase is asked for", files: Files{CertificatePath: "certificate.pem", KeyPath: mode("encrypted-aes.pem", "an encrypted.pem", 0o604), Passphrase: refuses(t)}, want: OpenToOthers},
		{name: "open: certificate and key in one", files: Files{CertificatePath: mode("from-p12.pem", "both.pem", 0o444)}, want: OpenToOthers},
		{name: "open: PKCS#12", files: Files{CertificatePath: mode("modern.p12", "open.p12", 0o644), Passphrase: gives("changeit")}, want: OpenToOthers},
		{name: "open: JKS", files: Files{CertificatePath: mode("anaplan.jks", "open.jks", 0o644), Passphrase: gives("changeit")}, want: OpenToOthers},
		{name: "open: JKS as key alone", files: Files{CertificatePath: "user.pem", KeyPath: mode("one-password.jks", "key.jks", 0o660), Passphrase: gives("changeit")}, want: OpenToOthers},
	}
}

// Flipped bytes do not go unnoticed, wherever they are.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	step := 13
	if testing.Short() {
		step = 401
	}
	for _, name := range []string{"no-iterations.p12", "one-password.jks"} {
		data := read(t, "stores/"+name)
		for at := 0; at < len(data); at += step {
			flipped := bytes.Clone(data)
			flipped[at] ^= 0x10
			id, err := Files{Certificate: flipped, Passphrase: gives("changeit")}.Load()
			if err == nil || id != nil {
				t.Errorf("%s: byte %d is another, and it loads", name, at)
			}
		}
	}
}

func TestWorkIsBounded(t *testing.T) {
	var w work
	for range maxWork / maxIterations {
		if err := w.spend(maxIterations); err != nil {
			t.Error(err)
		}
	}
	if err := w.spend(1); err == nil {
		t.Error("more than all is spent")
	}
	if err := new(work).spend(maxIterations + 1); err == nil {
		t.Error("too much at once")
	}
	if err := new(work).spend(-1); err == nil {
		t.Error("work is given back")
	}
	if n := saturated(4, 1<<62); n < maxIterations {
		t.Errorf("overflows to %d", n)
	}
	for _, id := range []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 12, 1, 3}, {1, 2, 840, 113549, 1, 12, 1, 6}} {
		for _, n := range []int{maxIterations/2 + 1, 1 << 62, 1<<62 + 5, 1<<63 - 1} {
			parameters := marshal(t, struct {
				Salt       []byte
				Iterations int
			}{[]byte("saltsalt"), n})
			s, err := schemeOf(pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: parameters}})
			if err == nil {
				err = new(work).spend(s.iterations)
			}
			if err == nil {
				t.Errorf("%v: %d iterations are taken as %d", id, n, s.iterations)
			}
		}
	}
}
