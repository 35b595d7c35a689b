package keystore

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"
)

// The stores were made by testdata/make.sh, with OpenSSL 3.0, keytool 17 and NSS 3.87.
const inStores = "testdata/stores/"

func gives(s string) func() (secret.Value, error) {
	return func() (secret.Value, error) { return secret.FromString(s), nil }
}

func refuses(t *testing.T) func() (secret.Value, error) {
	return func() (secret.Value, error) { t.Error("asked for a password"); return secret.Value{}, nil }
}

// keyOf reads one of the unencrypted keys that the stores were made from.
func keyOf(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(read(t, "stores/"+name+".key.pem"))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func TestStoresLoad(t *testing.T) {
	changeit, own := gives("changeit"), gives("keypass1")
	user, second := keyOf(t, "user"), keyOf(t, "second")
	for _, tt := range []struct {
		file  string
		files Files
		want  string // the alias
		chain int
		key   *rsa.PrivateKey // nil: whichever its certificate is for
	}{
		{"modern.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"modern.p12", Files{Passphrase: changeit, Alias: "batch PROD"}, "Batch Prod", 2, user},
		{"legacy.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"des.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"des2.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"aes128.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"pbes2-3des.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"no-password.p12", Files{Passphrase: refuses(t)}, "Batch Prod", 2, user},
		{"no-password.p12", Files{}, "Batch Prod", 2, user},
		{"plain.p12", Files{Passphrase: refuses(t)}, "Batch Prod", 2, user},
		{"plain-mac.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"no-mac.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"key-only-encrypted.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"key-only-encrypted.p12", Files{KeyPassphrase: changeit}, "Batch Prod", 2, user},
		{"no-iterations.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"umlaut.p12", Files{Passphrase: gives("pässwört€😀")}, "Batch Prod", 2, user},
		{"unnamed.p12", Files{Passphrase: changeit}, "1", 0, user},
		{"unnamed.p12", Files{Passphrase: changeit, Alias: "1"}, "1", 0, user},
		{"anaplan.jks", Files{Passphrase: changeit, KeyPassphrase: own}, "anaplankey", 2, user},
		{"anaplan.jks", Files{Passphrase: changeit, KeyPassphrase: own, Alias: "AnaplanKey"}, "anaplankey", 2, user},
		{"one-password.jks", Files{Passphrase: changeit}, "anaplan", 2, user},
		{"one-password.jks", Files{Passphrase: changeit, KeyPassphrase: gives("another, not needed")}, "anaplan", 2, user},
		{"umlaut.jks", Files{Passphrase: gives("pässwört€")}, "anaplan", 2, user},
		{"pkcs12.jks", Files{Passphrase: changeit}, "anaplan", 2, user},
		{"pkcs12.jks", Files{Passphrase: changeit, KeyPassphrase: gives("ignored by keytool, too")}, "anaplan", 2, user},
		{"pkcs12.base64", Files{Passphrase: changeit}, "anaplan", 2, user},
		{"keytool-legacy.p12", Files{Passphrase: changeit}, "anaplan", 2, user},
		{"secret.p12", Files{Passphrase: changeit}, "anaplan", 2, user},
		{"firefox.p12", Files{Passphrase: changeit}, "Batch Prod", 2, user},
		{"firefox-legacy.p12", Files{Passphrase: gives("pässwört€😀")}, "Batch Prod", 2, user},
		{"generated.p12", Files{Passphrase: changeit}, "mykey", 0, nil},
		{"several.p12", Files{Passphrase: changeit, Alias: "prod"}, "prod", 2, user},
		{"several.p12", Files{Passphrase: changeit, Alias: "SECOND"}, "second", 2, second},
		{"several.jks", Files{Passphrase: changeit, Alias: "prod"}, "prod", 2, user},
		{"several.jks", Files{Passphrase: changeit, Alias: "second"}, "second", 2, second},
	} {
		for _, from := range []string{"file", "memory", "named twice", "key from the store, certificate in PEM"} {
			slow := strings.HasPrefix(tt.file, "firefox") // 600,000 iterations
			if testing.Short() && (slow || from != "file") || slow && from != "memory" {
				continue
			}
			t.Run(fmt.Sprintf("%s %s from %s", tt.file, tt.files.Alias, from), func(t *testing.T) {
				files := tt.files
				files.AllowOpen = true
				chain := tt.chain
				switch from {
				case "file":
					files.CertificatePath = inStores + tt.file
				case "memory":
					files.CertificatePath, files.Certificate = "env:STORE", read(t, "stores/"+tt.file)
				case "named twice":
					files.CertificatePath, files.KeyPath = inStores+tt.file, inStores+tt.file
				default:
					if tt.key == nil {
						return
					}
					pem := map[*rsa.PrivateKey]string{user: "user.pem", second: "second.pem"}[tt.key]
					files.CertificatePath, files.KeyPath, chain = inStores+pem, inStores+tt.file, 0
				}
				id, err := files.Load()
				if err != nil {
					t.Fatal(err)
				}
				key := id.Signer.(*rsa.PrivateKey)
				if tt.key != nil && !key.Equal(tt.key) || !key.PublicKey.Equal(id.Leaf.PublicKey) {
					t.Error("the key is another's")
				}
				if id.Alias != tt.want || len(id.Chain) != chain || len(id.Warnings) > 0 {
					t.Errorf("alias %q, %d above it, warnings %q", id.Alias, len(id.Chain), id.Warnings)
				}
				for i, c := range id.Chain {
					below := slices.Concat([]*x509.Certificate{id.Leaf}, id.Chain)[i]
					if err := below.CheckSignatureFrom(c); err != nil {
						t.Errorf("the chain is out of order: %v", err)
					}
				}
				if b, rest := pem.Decode(id.LeafPEM); b == nil || len(rest) > 0 || !bytes.Equal(b.Bytes, id.Leaf.Raw) {
					t.Errorf("leaf block is %q", id.LeafPEM)
				}
			})
		}
	}
}

// Another's work with what OpenSSL 3.0 does not make: PBMAC1, and a sum over it.
func TestPBMAC1(t *testing.T) {
	key := keyOf(t, "user")
	block, _ := pem.Decode(read(t, "stores/user.pem"))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	data, err := pkcs12.Modern2026.Encode(key, leaf, nil, "changeit")
	if err != nil {
		t.Fatal(err)
	}
	files := Files{Certificate: data, Passphrase: gives("changeit")}
	if id, err := files.Load(); err != nil || !id.Signer.(*rsa.PrivateKey).Equal(key) {
		t.Errorf("%v, %v", id, err)
	}
	files.Passphrase = gives("changed")
	if _, err := files.Load(); !errors.Is(err, WrongPassphrase) {
		t.Errorf("got %v", err)
	}
}

func TestEachPasswordIsAskedForOnce(t *testing.T) {
	for file, want := range map[string][2]int{"modern.p12": {1, 1}, "no-password.p12": {0, 1}, "anaplan.jks": {1, 1}, "several.jks": {1, 1}} {
		store, key := 0, 0
		_, _ = Files{AllowOpen: true, CertificatePath: inStores + file,
			Passphrase:    func() (secret.Value, error) { store++; return gives("changeit")() },
			KeyPassphrase: func() (secret.Value, error) { key++; return gives("keypass1")() }}.LoadAll()
		if got := [2]int{store, key}; got[0] != want[0] || got[1] > want[1] {
			t.Errorf("%s: asked %v times, want %v", file, got, want)
		}
	}
	gone := errors.New("gone")
	fails := func() (secret.Value, error) { return secret.Value{}, gone }
	for _, file := range []string{"modern.p12", "no-mac.p12", "key-only-encrypted.p12", "anaplan.jks"} {
		if _, err := (Files{AllowOpen: true, CertificatePath: inStores + file, Passphrase: fails}).Load(); !errors.Is(err, gone) {
			t.Errorf("%s: got %v", file, err)
		}
		if _, err := (Files{AllowOpen: true, CertificatePath: inStores + file, Passphrase: gives("changeit"), KeyPassphrase: fails}).Load(); !errors.Is(err, gone) {
			t.Errorf("%s, its key: got %v", file, err)
		}
	}
}

func TestLoadAllOfAStoreIsEveryPrivateKey(t *testing.T) {
	for _, tt := range []struct {
		file, alias string
		want        []string
	}{
		{"several.p12", "", []string{"prod", "second"}}, {"several.jks", "", []string{"prod", "second"}},
		{"several.jks", "second", []string{"second"}}, {"secret.p12", "", []string{"anaplan"}}, {"generated.p12", "", []string{"mykey"}},
	} {
		all, err := Files{AllowOpen: true, CertificatePath: inStores + tt.file, Alias: tt.alias, Passphrase: gives("changeit")}.LoadAll()
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
		var got []string
		for _, id := range all {
			got = append(got, id.Alias)
			if !id.Signer.(*rsa.PrivateKey).PublicKey.Equal(id.Leaf.PublicKey) {
				t.Errorf("%s: the key of %s is another's", tt.file, id.Alias)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.file, diff)
		}
	}
	for _, file := range []string{"trust.jks", "trust.p12", "empty.jks", "empty.p12"} {
		if all, err := (Files{AllowOpen: true, CertificatePath: inStores + file, Passphrase: gives("changeit")}).LoadAll(); err == nil || len(all) > 0 {
			t.Errorf("%s: %v, %v", file, all, err)
		}
	}
}

// One key of two has another password: the other is there all the same.
func TestLoadAllReturnsTheRest(t *testing.T) {
	data := bytes.Clone(read(t, "stores/several.jks"))
	s, err := file{role: roleStore, data: data}.openJava(passwords{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.keys() {
		if e.alias != "prod" {
			continue
		}
		at := bytes.Index(data, e.sealed) + len(e.sealed) - 30
		data[at] ^= 1
	}
	rewriteSum(data, "changeit")
	all, err := Files{Certificate: data, Passphrase: gives("changeit")}.LoadAll()
	if len(all) != 1 || all[0].Alias != "second" || !errors.Is(err, WrongPassphrase) || !strings.Contains(err.Error(), `"prod"`) {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestLoadCertificateOfAStore(t *testing.T) {
	for _, tt := range []struct {
		file, password, alias, name string
		want                        error
	}{
		{"modern.p12", "changeit", "", "Batch User", nil},
		{"modern.p12", "", "", "", PassphraseMissing},
		{"anaplan.jks", "", "", "Batch User", nil},
		{"several.jks", "", "second", "Second User", nil},
		{"several.jks", "", "", "", SeveralKeys},
		{"several.p12", "changeit", "Prod", "Batch User", nil},
		{"trust.jks", "", "", "Example Root", nil},
		{"empty.jks", "", "", "", NoCertificate},
		{"no-key.p12", "changeit", "", "Batch User", nil},
		{"no-certificate.p12", "changeit", "", "", NoCertificate},
	} {
		id, err := Files{CertificatePath: inStores + tt.file, Alias: tt.alias, Passphrase: gives(tt.password)}.LoadCertificate()
		if tt.want != nil {
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v", tt.file, err)
			}
			continue
		}
		if err != nil || id.Signer != nil || id.Leaf.Subject.CommonName != tt.name {
			t.Errorf("%s: got %v, %v", tt.file, id, err)
		}
	}
}

func TestLoadKeyOfAStore(t *testing.T) {
	for _, tt := range []struct {
		file, alias, password, own string
		want                       *rsa.PrivateKey
		err                        error
	}{
		{"modern.p12", "", "changeit", "", keyOf(t, "user"), nil},
		{"no-certificate.p12", "", "changeit", "", nil, nil},
		{"anaplan.jks", "", "changeit", "keypass1", keyOf(t, "user"), nil},
		{"several.jks", "second", "changeit", "", keyOf(t, "second"), nil},
		{"several.p12", "", "changeit", "", nil, SeveralKeys},
		{"modern.p12", "", "", "", nil, PassphraseMissing},
		{"anaplan.jks", "", "changeit", "", nil, WrongPassphrase},
		{"elliptic.jks", "", "changeit", "", nil, NotRSA},
		{"trust.jks", "", "changeit", "", nil, NoKey},
	} {
		files := Files{KeyPath: inStores + tt.file, Alias: tt.alias, Passphrase: gives(tt.password), AllowOpen: true}
		if tt.own != "" {
			files.KeyPassphrase = gives(tt.own)
		}
		key, _, err := files.LoadKey()
		if !errors.Is(err, tt.err) || (key == nil) != (tt.err != nil) || tt.want != nil && !tt.want.Equal(key) {
			t.Errorf("%s %s: %v", tt.file, tt.alias, err)
		}
	}
}

func TestAliasOfPEMIsAWarning(t *testing.T) {
	id, err := Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", KeyPath: "testdata/pkcs8.pem", Alias: "prod"}.Load()
	if err != nil || len(id.Warnings) != 1 || !strings.Contains(id.Warnings[0], `alias "prod" is not looked at`) {
		t.Errorf("got %v, %v", id.Warnings, err)
	}
}

func TestFilesOpenToOthers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("Windows goes by access lists")
		return
	}
	dir := t.TempDir()
	put := func(name string, mode os.FileMode, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, fmt.Sprintf("%04o-%s", mode, name))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := read(t, "certificate.pem"), read(t, "pkcs8.pem")
	both := slices.Concat(cert, key)
	for _, tt := range []struct {
		mode    os.FileMode
		refused bool
	}{{0o600, false}, {0o640, true}, {0o400, false}, {0o700, false}, {0o620, false}, {0o604, true}, {0o644, true}, {0o444, true}, {0o440, true}} {
		if testing.Short() && tt.mode&0o040 == 0 && tt.mode != 0o600 {
			continue
		}
		open := put("c.pem", 0o644, cert)
		encrypted := put("e.pem", tt.mode, read(t, "encrypted-aes.pem"))
		link := filepath.Join(dir, fmt.Sprintf("link-%04o", tt.mode)) // as Kubernetes mounts secrets
		if err := os.Symlink(encrypted, link); err != nil {
			t.Fatal(err)
		}
		for _, files := range []Files{
			{CertificatePath: open, KeyPath: put("k.pem", tt.mode, key)},
			{CertificatePath: open, KeyPath: encrypted, Passphrase: passphrase},
			{CertificatePath: open, KeyPath: link, Passphrase: passphrase},
			{CertificatePath: put("both.pem", tt.mode, both)},
			{CertificatePath: put("both.pem", tt.mode, both), Key: key},
			{CertificatePath: put("s.p12", tt.mode, read(t, "stores/modern.p12")), Passphrase: gives("changeit")},
			{CertificatePath: put("s.jks", tt.mode, read(t, "stores/one-password.jks")), Passphrase: gives("changeit")},
			{Certificate: read(t, "stores/user.pem"), KeyPath: put("s.jks", tt.mode, read(t, "stores/one-password.jks")), Passphrase: gives("changeit")},
			{CertificatePath: put("s.p12", tt.mode, read(t, "stores/modern.p12")), Key: read(t, "stores/user.key.pem"), Passphrase: gives("changeit")},
		} {
			_, err := files.Load()
			_, errAll := files.LoadAll()
			if tt.refused != errors.Is(err, OpenToOthers) || !tt.refused && err != nil || tt.refused != errors.Is(errAll, OpenToOthers) {
				t.Errorf("%04o, %v: %v, %v", tt.mode, files, err, errAll)
			}
			if tt.refused && !strings.Contains(err.Error(), fmt.Sprintf("%04o", tt.mode)) {
				t.Errorf("%v does not say the mode", err)
			}
			files.AllowOpen = true
			if _, err := files.Load(); err != nil {
				t.Errorf("%04o allowed, %v: %v", tt.mode, files, err)
			}
		}
	}
	// Without a key in it, anybody may read it.
	if _, err := (Files{CertificatePath: put("c.p12", 0o644, read(t, "stores/no-key.p12")), Key: read(t, "stores/user.key.pem"), Passphrase: gives("changeit")}).Load(); err != nil {
		t.Error(err)
	}
}

// rewriteSum gives a changed Java key store the check sum of its content.
func rewriteSum(data []byte, pass string) {
	h := sha1.New()
	h.Write(javaPassword(secret.FromString(pass)))
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(data[:len(data)-sha1.Size])
	copy(data[len(data)-sha1.Size:], h.Sum(nil))
}
