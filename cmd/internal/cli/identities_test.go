package cli

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

var (
	rotationNow  = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	rotationKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
		for i := range keys {
			k, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			keys[i] = k
		}
		return keys
	})
)

const (
	batchUser = "batch@example.com"
	// What is told of a certificate of another user.
	overRenamed = "warning: passed over: the certificate of batch@example.com that ends 2026-12-22 (serial 1), in "
	leaveOne    = ", for its key has a certificate of another user there; leave the certificates of one user in the file"
	noFile      = "holds no file that ends in .pem, .crt, .cer, .key, .p12, .pfx, .jks"
)

// certPEM is a certificate of the n-th key that is valid for days from today.
func certPEM(key int, serial int64, user string, from, until int) string {
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint("batch ", serial)}, EmailAddresses: []string{user},
		NotBefore: rotationNow.AddDate(0, 0, from), NotAfter: rotationNow.AddDate(0, 0, until)}
	k := rotationKeys()[key]
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// authorityPEM is a certificate that logs nobody in.
func authorityPEM() string {
	c := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: rotationNow.AddDate(-1, 0, 0), NotAfter: rotationNow.AddDate(9, 0, 0)}
	k := rotationKeys()[2]
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func keyPEM(key int) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rotationKeys()[key])}))
}

// rotationFolder has what the rows below name.
func rotationFolder(t *testing.T) string {
	dir := t.TempDir()
	old, fresh := certPEM(0, 1, batchUser, -340, 25), certPEM(1, 2, batchUser, -2, 363)
	other := certPEM(0, 10, "batch@new.example.com", -2, 363)
	ada, kept := certPEM(2, 4, "ada@example.com", -1, 200), certPEM(0, 3, batchUser, -1, 364)
	for path, data := range map[string]string{
		"old.pem": old, "old.key": keyPEM(0), "new.pem": fresh, "new.key": keyPEM(1), "lonely.key": keyPEM(2),
		"both.pem": keyPEM(1) + fresh, "kept.pem": kept, "ada.pem": ada, "all.pem": old + ada,
		"one/batch.pem": certPEM(0, 5, batchUser, -400, -35) + old + kept, "one/batch.key": keyPEM(0), "ended.pem": certPEM(0, 5, batchUser, -400, -35), "ended2.pem": certPEM(1, 6, batchUser, -400, -36),
		"later.pem": certPEM(1, 7, batchUser, 3, 400), "text.pem": "hello", "empty.pem": "",
		"certs/old.pem": old, "certs/old.key": keyPEM(0), "certs/zz.pem": fresh, "certs/aa.key": keyPEM(1), "certs/notes.txt": "n", "certs/.hidden.pem": "h", "certs/old.pem~": "o", "certs/old.pem.bak": "o", "certs/sub/x.pem": "x",
		"keys/a.key": keyPEM(0), "keys/b.key": keyPEM(1), "void/.gitkeep": "", "texts/notes.txt": "n",
		"bare/old.pem": old, "bare/new.pem": fresh, "broken/a.pem": "a", "broken/b.pem": "b",
		"users/old.pem": old, "users/old.key": keyPEM(0), "users/ada.pem": ada, "users/ada.key": keyPEM(2),
		"twice.pem": old + keyPEM(0) + kept, "pair.pem": old + kept, "authority/old.pem": old, "authority/old.key": keyPEM(0), "authority/ca.pem": authorityPEM(),
		"renamed.pem": old + other, "renamedkey.pem": old + keyPEM(0) + other, "soon.pem": old + certPEM(0, 11, "batch@new.example.com", 3, 400), "formerly.pem": certPEM(0, 12, "batch@old.example.com", -400, -35) + old,
		"strangers/old.pem": old, "strangers/old.key": keyPEM(0), "strangers/ada.pem": certPEM(2, 8, "ada@example.com", -400, -36),
		"leftover/old.pem": old, "leftover/old.key": keyPEM(0), "leftover/ended.pem": certPEM(1, 6, batchUser, -400, -36),
	} {
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCertificatesAndKeysAreMatched(t *testing.T) {
	dir := rotationFolder(t)
	for _, row := range []struct {
		name         string
		certificates []string
		keys         []string
		now          time.Time
		want         string   // serials in the order of use, else the error
		told         []string // of level info and above
	}{
		{name: "one of each", certificates: []string{"old.pem"}, keys: []string{"old.key"}, want: "1"},
		{name: "one file with both", certificates: []string{"both.pem"}, want: "2"},
		{name: "pairs", certificates: []string{"old.pem", "new.pem"}, keys: []string{"old.key", "new.key"}, want: "2 1"},
		{name: "in another order", certificates: []string{"new.pem", "old.pem"}, keys: []string{"old.key", "new.key"}, want: "2 1"},
		{name: "one with its key inside", certificates: []string{"old.pem", "both.pem"}, keys: []string{"old.key"}, want: "2 1"},
		{name: "two certificates of one key", certificates: []string{"old.pem", "kept.pem"}, keys: []string{"old.key"}, want: "3 1"},
		{name: "a folder", certificates: []string{"certs"}, want: "2 1", told: []string{"info: certs: notes.txt passed over, for certificates and keys end in .pem, .crt, .cer, .key, .p12, .pfx, .jks"}},
		{name: "a folder for each", certificates: []string{"bare"}, keys: []string{"keys"}, want: "2 1"},
		{name: "the same folder for both", certificates: []string{"users/old.pem", "leftover"}, keys: []string{"leftover"}, want: "1"},
		{name: "two certificates of one key in its file", certificates: []string{"twice.pem"}, want: "3 1"},
		{name: "the same in a list", certificates: []string{"twice.pem", "new.pem"}, keys: []string{"new.key"}, want: "3 2 1"},
		{name: "two certificates of one key in one file", certificates: []string{"pair.pem"}, keys: []string{"old.key"}, want: "3 1"},
		{name: "a user was renamed", certificates: []string{"renamed.pem"}, keys: []string{"old.key"}, want: "10", told: []string{overRenamed + "renamed.pem" + leaveOne}},
		{name: "with the key inside", certificates: []string{"renamedkey.pem"}, want: "10", told: []string{overRenamed + "renamedkey.pem" + leaveOne}},
		{name: "in a list of keys", certificates: []string{"renamed.pem"}, keys: []string{"new.key", "old.key"}, want: "10",
			told: []string{"warning: passed over: the private key new.key belongs to none of the certificates; name the certificate that was ordered with it, or take the key away", overRenamed + "renamed.pem" + leaveOne}},
		{name: "a user will be renamed", certificates: []string{"soon.pem"}, keys: []string{"old.key"}, want: "1",
			told: []string{"warning: passed over: the certificate of batch@new.example.com that ends 2028-01-01 (serial b), in soon.pem" + leaveOne}},
		{name: "a user was renamed long ago", certificates: []string{"formerly.pem"}, keys: []string{"old.key"}, want: "1"},
		{name: "an authority's certificate beside", certificates: []string{"authority"}, want: "1"},
		{name: "three certificates of one key in one file", certificates: []string{"one"}, want: "3 1"},
		{name: "an old one without its key lies about", certificates: []string{"leftover"}, want: "1"},
		{name: "one that begins later waits", certificates: []string{"old.pem", "later.pem"}, keys: []string{"old.key", "new.key"}, want: "1"},

		{name: "a key that belongs to none", certificates: []string{"old.pem", "new.pem"}, keys: []string{"old.key", "lonely.key", "new.key"}, want: "2 1",
			told: []string{"warning: passed over: the private key lonely.key belongs to none of the certificates; name the certificate that was ordered with it, or take the key away"}},
		{name: "a certificate without a key", certificates: []string{"old.pem", "new.pem"}, keys: []string{"old.key"}, want: "1",
			told: []string{"warning: passed over: no private key is there for the certificate of batch@example.com that ends 2027-11-25 (serial 2), in new.pem; name the key that the certificate was ordered with"}},
		{name: "one that is no certificate", certificates: []string{"old.pem", "text.pem"}, keys: []string{"old.key"}, want: "1",
			told: []string{`warning: passed over: certificate file text.pem is neither PEM, since it has no -----BEGIN line, nor a key store; name a PEM file or a key store with the certificate`}},
		{name: "one that is not there", certificates: []string{"absent.pem", "old.pem"}, keys: []string{"old.key"}, want: "1",
			told: []string{"warning: passed over: certificate file absent.pem cannot be read: open absent.pem: no such file or directory; check the path and who may read the file"}},

		{name: "no key at all", certificates: []string{"old.pem", "new.pem"},
			want: "no certificate has its private key: no private key is there for the certificate of batch@example.com that ends 2026-12-22 (serial 1), in old.pem; no private key is there for the certificate of batch@example.com that ends 2027-11-25 (serial 2), in new.pem → name the key that the certificate was ordered with"},
		{name: "none of the keys", certificates: []string{"old.pem"}, keys: []string{"new.key", "lonely.key"},
			want: "no certificate has its private key: the private key new.key belongs to none of the certificates; the private key lonely.key belongs to none of the certificates; no private key is there for the certificate of batch@example.com that ends 2026-12-22 (serial 1), in old.pem → name the certificate that was ordered with it, or take the key away"},
		{name: "an empty folder", certificates: []string{"void"}, want: "the folder void " + noFile + " → put the certificates and their keys there, or name another folder"},
		{name: "a folder of other files", certificates: []string{"texts"}, want: "the folder texts " + noFile + " → put the certificates and their keys there, or name another folder",
			told: []string{"info: texts: notes.txt passed over, for certificates and keys end in .pem, .crt, .cer, .key, .p12, .pfx, .jks"}},
		{name: "an empty folder of keys", certificates: []string{"old.pem"}, keys: []string{"void"}, want: "the folder void " + noFile + " → put the certificates and their keys there, or name another folder"},
		{name: "a folder of keys alone", certificates: []string{"keys"}, want: "there is no certificate in keys, only 2 private keys → put the certificates beside their keys, or name them as certificate"},
		{name: "a folder of certificates alone", certificates: []string{"bare"},
			want: "no certificate has its private key: no private key is there for the certificate of batch@example.com that ends 2027-11-25 (serial 2), in bare/new.pem; no private key is there for the certificate of batch@example.com that ends 2026-12-22 (serial 1), in bare/old.pem → name the key that the certificate was ordered with"},
		{name: "a folder of broken files", certificates: []string{"broken"},
			want: "no certificate has its private key: certificate file broken/a.pem is neither PEM, since it has no -----BEGIN line, nor a key store; certificate file broken/b.pem is neither PEM, since it has no -----BEGIN line, nor a key store → name a PEM file or a key store with the certificate"},
		{name: "two users", certificates: []string{"users"},
			want: "the certificates of one connection would log in as several users: the certificate of ada@example.com that ends 2027-06-15 (serial 4) and the certificate of batch@example.com that ends 2026-12-22 (serial 1) → leave the certificates of one user here, and give the other user a connection of its own: no run may go on as somebody else when a certificate is renewed"},
		{name: "two users in one file", certificates: []string{"all.pem"}, keys: []string{"old.key", "lonely.key"},
			want: "the certificates of one connection would log in as several users: the certificate of ada@example.com that ends 2027-06-15 (serial 4) and the certificate of batch@example.com that ends 2026-12-22 (serial 1) → leave the certificates of one user here, and give the other user a connection of its own: no run may go on as somebody else when a certificate is renewed"},
		{name: "all have ended", certificates: []string{"ended.pem", "ended2.pem"}, keys: []string{"old.key", "new.key"},
			want: `none of 2 certificates can log in: certificate "batch 5" ended 2026-10-23T12:00:00Z, and now it is 2026-11-27T12:00:00Z; certificate "batch 6" ended 2026-10-22T12:00:00Z, and now it is 2026-11-27T12:00:00Z → renew it at the authority that issued it, have the new one registered in Anaplan (Administration > Security > Certificates), and name its file here`},
		{name: "one that has ended and one that begins later", certificates: []string{"ended.pem", "later.pem"}, keys: []string{"old.key", "new.key"},
			want: `none of 2 certificates can log in: certificate "batch 7" is valid from 2026-11-30T12:00:00Z on, and now it is 2026-11-27T12:00:00Z; certificate "batch 5" ended 2026-10-23T12:00:00Z, and now it is 2026-11-27T12:00:00Z → use the certificate that is valid today, or set this machine's clock if it is wrong`},
		{name: "a clock that is years ahead", certificates: []string{"old.pem", "new.pem"}, keys: []string{"old.key", "new.key"}, now: rotationNow.AddDate(5, 0, 0),
			want: `none of 2 certificates can log in: certificate "batch 2" ended 2027-11-25T12:00:00Z, and now it is 2031-11-27T12:00:00Z; certificate "batch 1" ended 2026-12-22T12:00:00Z, and now it is 2031-11-27T12:00:00Z → renew it at the authority that issued it, have the new one registered in Anaplan (Administration > Security > Certificates), and name its file here`},
		{name: "a reference to nothing", certificates: []string{"old.pem", "env:ROTATION_ABSENT"}, keys: []string{"old.key"}, want: "1",
			told: []string{"warning: passed over: prod: certificate: environment variable ROTATION_ABSENT, which is to hold a secret, is not set; correct this key, then try `auth check`"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.now.IsZero() {
				row.now = rotationNow
			}
			log, hook := test.NewNullLogger()
			log.SetOutput(io.Discard)
			p := &Program{Getenv: func(string) (string, bool) { return "", false }, Now: func() time.Time { return row.now }, In: strings.NewReader(""), Err: io.Discard, log: log}
			ids, err := p.identities(configs.Connection{Name: "prod", Dir: dir, Certificates: row.certificates, PrivateKeys: row.keys}, func(text string) { log.Warn(text) })
			if err == nil {
				ids, err = auth.Choose(ids, row.now)
			}
			var got []string
			for _, id := range ids {
				got = append(got, id.Leaf.SerialNumber.String())
			}
			text := strings.Join(got, " ")
			if err != nil {
				f := explain(err)
				text = f.what + " → " + f.next
			}
			bare := strings.NewReplacer(dir+string(filepath.Separator), "")
			if d := cmp.Diff(row.want, bare.Replace(text)); d != "" {
				t.Error(d)
			}
			var told []string
			for _, e := range hook.AllEntries() {
				if e.Level <= logrus.InfoLevel {
					told = append(told, bare.Replace(e.Level.String()+": "+e.Message))
				}
			}
			if d := cmp.Diff(row.told, told); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAFolderOfTooManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.pem", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := test.NewNullLogger()
	l := &loading{p: &Program{log: log}, most: 19}
	if _, err := l.folder(dir); err == nil || err.Error() != "the folder "+dir+" holds 20 files, and may hold 19" {
		t.Error(err)
	}
	l.most = 20
	files, err := l.folder(dir)
	if err != nil || len(files) != 20 || !slices.IsSortedFunc(files, func(a, b material) int { return strings.Compare(a.text, b.text) }) {
		t.Errorf("%v, %v", files, err)
	}
}

// A pipe or a socket by the name of a certificate is none: to open it could take forever.
func TestWhatIsNoFileIsPassedOver(t *testing.T) {
	t.Chdir(t.TempDir()) // for names of sockets are short
	for _, dir := range []string{"certs", "elsewhere"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, "certs/a.pem", nil)
	writeFile(t, "elsewhere/b.pem", nil)
	socket, err := net.Listen("unix", "certs/socket.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for name, target := range map[string]string{"certs/b.pem": "../elsewhere/b.pem", "certs/folder.pem": "../elsewhere", "certs/pipe.pem": "socket.pem", "certs/lost.pem": "nowhere"} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := test.NewNullLogger()
	files, err := (&loading{p: &Program{log: log}, most: mostFiles}).folder("certs")
	var got []string
	for _, m := range files {
		got = append(got, filepath.Base(m.text))
	}
	if d := cmp.Diff([]string{"a.pem", "b.pem", "lost.pem"}, got); d != "" || err != nil { // what is wrong with a link is said when it is read
		t.Error(err, d)
	}
}
