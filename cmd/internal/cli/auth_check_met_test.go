package cli

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
)

// storeFile is a key store of the package keystore's tests.
func storeFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "auth", "keystore", "testdata", "stores", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A connection that lies in a folder, and was not named, runs no program.
func TestAuthCheckRunsNothingThatIsMet(t *testing.T) {
	company(t)
	writeFile(t, "met/connections.toml", []byte("[connection.x]\nregion = \"eu3\"\ncertificate = \"../certs/hr.pem\"\nprivate_key = \"cmd:touch ran\"\npassphrase = \"cmd:touch ran\"\n"+
		"[connection.y]\nregion = \"eu3\"\ncertificate = \"cmd:touch ran\"\n"))
	inv := inventoryOf(t, 0, "met")
	for i, want := range []string{" not checked not given   y:cmd:touch ran", "hr@example.com ok not given   x:hr.pem"} {
		if got := lineOf(inv.Certificates[i]); got != want {
			t.Error(got)
		}
	}
	if _, err := os.Stat("met/ran"); err == nil {
		t.Error("the program was run")
	}
}

// The passwords of its key stores are no exception: without them there is less to say, and nothing is wrong.
func TestAuthCheckFetchesNoPasswordOfWhatIsMet(t *testing.T) {
	modern, java := storeFile(t, "modern.p12"), storeFile(t, "anaplan.jks")
	company(t)
	asked := false
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		w.WriteHeader(http.StatusForbidden)
	}))
	defer vault.Close()
	writeFile(t, "met/s.p12", modern)
	writeFile(t, "met/s.jks", java)
	writeFile(t, "met/pw", []byte("changeit"))
	address := "vault = { address = \"" + vault.URL + "\" }\n"
	for _, tt := range []struct{ name, connection, want string }{
		{"a key password by a program", "certificate = \"s.p12\"\npassphrase = \"file:pw\"\nkey_passphrase = \"cmd:touch ran\"\n", "matches"},
		{"a key password by a program, and another than the store's", "certificate = \"s.jks\"\npassphrase = \"file:pw\"\nkey_passphrase = \"cmd:touch ran\"\n", "encrypted"},
		{"a key password in a vault", "certificate = \"s.p12\"\npassphrase = \"file:pw\"\nkey_passphrase = \"vault:a#b\"\n" + address, "matches"},
		{"a store's password by a program", "certificate = \"s.p12\"\npassphrase = \"cmd:touch ran\"\n", " not checked encrypted"},
		{"a store's password in a vault", "certificate = \"s.p12\"\npassphrase = \"vault:a#b\"\n" + address, " not checked encrypted"},
		{"no password of a store", "certificate = \"s.p12\"\n", " not checked encrypted"},
		{"no password of a key", "certificate = \"../certs/sales.pem\"\nprivate_key = \"../new/sales-2027.key\"\n", "encrypted"},
		{"one key of two in a vault", "certificate = \"../certs/hr.pem\"\nprivate_key = [\"other.key\", \"vault:a#b\"]\n" + address, "hr@example.com ok not given"},
	} {
		writeFile(t, "met/other.key", []byte(keyPEM(0)))
		writeFile(t, "met/connections.toml", []byte("[connection.x]\nregion = \"eu3\"\n"+tt.connection))
		inv := inventoryOf(t, -1, "met", "--warn", "0d")
		line := ""
		for _, c := range inv.Certificates {
			if c.Connection == "x" {
				line += lineOf(c) + " " + c.Problem
			}
		}
		if inv.ExitCode != 0 || !strings.Contains(line, tt.want) {
			t.Errorf("%s: code %d, %s, want %s", tt.name, inv.ExitCode, line, tt.want)
		}
	}
	if _, err := os.Stat("met/ran"); err == nil {
		t.Error("a program was run")
	}
	if asked {
		t.Error("a vault was asked")
	}
}

// --online logs in by what is named, not by what lies in a folder.
func TestAuthCheckOnlineOnlyByWhatIsNamed(t *testing.T) {
	certificate, key := identityFiles(t)
	inFolder(t)
	asked := false
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer host.Close()
	writeFile(t, "met/connections.toml", []byte("[connection.x]\nurls = { api = \""+host.URL+"/2/0\", auth = \""+host.URL+"\" }\ncertificate = \""+certificate+"\"\nprivate_key = \""+key+"\"\n"))
	got := call(nil, "auth", "check", "met", "--online", "--warn", "0d")
	if asked || got.code != 0 || !strings.Contains(got.err, "no login is tried") {
		t.Errorf("asked: %v, code %d: %s", asked, got.code, got.err)
	}
	for _, args := range [][]string{{"met/connections.toml"}, {"met", "--all", "--connections", "met/connections.toml"}} {
		asked = false
		if got := call(nil, append([]string{"auth", "check", "--online"}, args...)...); !asked || got.code != 77 {
			t.Errorf("%v: asked: %v, code %d: %s", args, asked, got.code, got.err)
		}
	}
}

// What is wrong in one place does not hide the rest.
func TestAuthCheckGoesOnAfterAWrongFileThatIsMet(t *testing.T) {
	dir := company(t)
	writeFile(t, "tree/a/hr.pem", issued(t, 7, "hr@example.com", time.Now().AddDate(0, 0, -1), time.Now().AddDate(0, 0, 300)))
	writeFile(t, "tree/b/connections.toml", []byte("[connection.x]\nregion = \"xx9\"\n"))
	writeFile(t, "tree/b/job.toml", []byte(jobWith("night", `connection = "x"`)))
	writeFile(t, "tree/c/job.toml", []byte(jobWith("inline", "")+"[auth]\ncertificate = \"../a/hr.pem\"\n"))
	const told = "so what it uses is not known: tree/b/connections.toml:2: connection.x: region: there is no region"
	for _, tt := range []struct {
		args string
		code int
		want []string // connection, else user
	}{
		{"tree", 77, []string{"tree/b/connections.toml", "hr@example.com inline"}},
		{"tree/a --jobs tree", 0, []string{"hr@example.com "}},
	} {
		got := call(nil, append([]string{"auth", "check"}, strings.Fields(tt.args+" --output json")...)...)
		var inv inventory.Inventory
		if err := json.Unmarshal([]byte(got.out), &inv); err != nil {
			t.Errorf("%s: code %d, %v: %s", tt.args, got.code, err, got.err)
			continue
		}
		var found []string
		for _, c := range inv.Certificates {
			if c.Report == nil {
				found = append(found, strings.TrimPrefix(c.File, dir+"/"))
				continue
			}
			found = append(found, c.User+" "+strings.Join(c.Jobs, "+"))
		}
		if d := cmp.Diff(tt.want, found); d != "" || got.code != tt.code || !strings.Contains(got.err, told) {
			t.Errorf("%s: code %d, %s\n%s", tt.args, got.code, got.err, d)
		}
	}
	if got := call(nil, "auth", "check", "tree/a", "--jobs", "tree", "--connections", "tree/b/connections.toml"); got.code != 78 {
		t.Errorf("a wrong file that is named: code %d, %s", got.code, got.err)
	}
	if u, err := user.Current(); err != nil || u.Uid == "0" {
		return // nothing is closed to it
	}
	if err := os.Mkdir("tree/closed", 0o000); err != nil {
		t.Fatal(err)
	}
	if got := call(nil, "auth", "check", "tree/a", "--jobs", "tree"); got.code != 0 || !strings.Contains(got.err, "tree/closed") {
		t.Errorf("a closed folder among jobs: code %d, %s", got.code, got.err)
	}
}

// A key of a store that cannot be opened is told of, beside those that can.
func TestAuthCheckShowsTheKeyThatCannotBeOpened(t *testing.T) {
	data := storeFile(t, "several.jks")
	key := []byte("\x06\x0a\x2b\x06\x01\x04\x01\x2a\x02\x11\x01\x01") // begins what Java has encrypted
	at := bytes.LastIndex(data, key)
	if at < 0 || at == bytes.Index(data, key) {
		t.Fatal("there are no two keys")
	}
	data[at+40]++ // as with another password
	sum := sha1.New()
	for _, c := range utf16.Encode([]rune("changeit")) {
		sum.Write([]byte{byte(c >> 8), byte(c)})
	}
	sum.Write([]byte("Mighty Aphrodite"))
	sum.Write(data[:len(data)-sha1.Size])
	copy(data[len(data)-sha1.Size:], sum.Sum(nil))
	inFolder(t)
	writeFile(t, "s.jks", data)
	if got := call([]string{"PW", "changeit"}, "auth", "check", "s.jks", "--passphrase", "env:PW"); got.code != 77 {
		t.Errorf("code %d\n%s%s", got.code, got.out, got.err)
	}
}
