package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

// The canaries: one in every secret's place, and one in the rows that Anaplan rejects.
const (
	canaryPassphrase = keyPassphrase
	canaryRow        = "canary-in-the-rows"
)

// secretive is a tenant that remembers every secret that passed it.
type secretive struct {
	sim  *simulator.Simulator
	mu   sync.Mutex
	seen map[string]string // the secret, and what it is
}

func (s *secretive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.remember(value, scheme)
	if r.URL.Path == "/token/authenticate" {
		body, _ := io.ReadAll(r.Body)
		var pair map[string]string
		_ = json.Unmarshal(body, &pair)
		s.remember(pair["encodedData"], "encodedData")
		s.remember(pair["encodedSignedData"], "encodedSignedData")
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	s.sim.ServeHTTP(w, r)
}

func (s *secretive) remember(secret, what string) {
	if len(secret) < 16 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[secret] = what
}

// TestNothingSecretIsShown runs a whole job with a certificate whose key is encrypted,
// then with a password, telling as much as can be told, and looks for every secret in
// everything that was written: output, log, ledger, reports, result file. The rows that
// Anaplan rejects are only in the failure dump, which only its owner can read.
func TestNothingSecretIsShown(t *testing.T) {
	tenant := &secretive{sim: simulator.New(sample.Company(), simulator.Options{Speed: scriptSpeed, TokenLife: 3 * time.Second}), seen: map[string]string{}}
	defer tenant.sim.Close()
	server := httptest.NewServer(tenant)
	defer server.Close()
	dir := canaryFolder(t, server.URL)
	secrets := map[string]string{canaryPassphrase: "passphrase", sample.Password: "password"}
	env := []string{"ANAPLAN_SIMULATOR_SPEED", fmt.Sprint(scriptSpeed), "SECRET_PASS", canaryPassphrase, "SECRET_WORD", sample.Password}
	var said strings.Builder
	for _, connection := range []string{"certificate", "basic", "wrong"} {
		for i, more := range [][]string{{"--log-format", "json", "--output", "json"}, {"--output", "text"}} {
			args := append([]string{"run", filepath.Join(dir, connection+".toml"), "--debug", "--ledger", filepath.Join(dir, "ledger.db"), "--run-id", fmt.Sprint(connection, i),
				"--report", filepath.Join(dir, connection+".html"), "--result-file", filepath.Join(dir, connection+".json")}, more...)
			got := call(env, args...)
			if want := map[string]int{"certificate": 3, "basic": 3, "wrong": 77}[connection]; got.code != want {
				t.Fatalf("%v: code %d\n%s", args, got.code, got.err)
			}
			said.WriteString(got.out + got.err)
		}
	}
	at := []string{"ANAPLAN_API_URL", server.URL, "ANAPLAN_AUTH_URL", server.URL}
	login := []string{"--connection", "certificate", "--connections", filepath.Join(dir, "connections.toml"), "-w", "Finance", "-m", "Sales Hub", "--debug"}
	for _, args := range [][]string{{"runs"}, {"runs", "show", "wrong0", "--debug"}, {"runs", "show", "certificate0", "--output", "html"}, {"runs", "dumps", "basic0"}, {"runs", "prune", "--older-than", "1d", "--debug"},
		{"status", "--debug"}, {"resume", "wrong1", "--debug"}, {"resume", "certificate1", "--debug"}, {"cancel", "certificate1", "--debug"},
		slices.Concat([]string{"list", "imports"}, login),
		slices.Concat([]string{"exec", "import", "Load Sales", "--source", filepath.Join(dir, "data", "sales.csv"), "--prompt", "Version=Actual"}, login),
		slices.Concat([]string{"exec", "import", "Load Sales", "--source", filepath.Join(dir, "data", "sales.csv"), "--print-job"}, login),
		slices.Concat([]string{"tasks", "import", "Load Sales"}, login), {"auth", "check", "--all", "--connections", filepath.Join(dir, "connections.toml")},
		{"check", filepath.Join(dir, "certificate.toml"), "--debug"}, {"plan", filepath.Join(dir, "certificate.toml"), "--debug"}} {
		got := call(slices.Concat(env, at, []string{"ANAPLAN_LEDGER", filepath.Join(dir, "ledger.db")}), args...)
		if got.code == 64 || got.out+got.err == "" {
			t.Errorf("%v did nothing: code %d\n%s", args, got.code, got.err)
		}
		said.WriteString(got.out + got.err)
	}
	tenant.mu.Lock()
	defer tenant.mu.Unlock()
	if len(tenant.seen) < 10 {
		t.Errorf("only %d secrets passed by: the test sees too little", len(tenant.seen))
	}
	for s, what := range tenant.seen {
		secrets[s] = what
	}
	own := map[string]bool{"data/sales.csv": true, "cert.pem": true, "key.pem": true}
	files, dumps := 0, 0
	search := func(where, text string) {
		for s, what := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s holds a %s", where, what)
			}
		}
	}
	search("what was printed", said.String())
	if strings.Contains(said.String(), canaryRow) {
		t.Error("a rejected row was printed")
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		data, err := os.ReadFile(path)
		if err != nil || own[filepath.ToSlash(name)] {
			return err
		}
		files++
		search(name, string(data))
		if strings.Contains(name, "_rejected_") {
			dumps++
			if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 || !bytes.Contains(data, []byte(canaryRow)) {
				t.Errorf("%s: it is to hold the rejected rows for its owner only: %v, %v", name, info.Mode(), err)
			}
			return nil
		}
		if bytes.Contains(data, []byte(canaryRow)) {
			t.Errorf("%s holds a rejected row", name)
		}
		return nil
	})
	if err != nil || files < 10 || dumps != 6 {
		t.Errorf("%d files, %d dumps: %v", files, dumps, err)
	}
}

// canaryFolder holds jobs, connections and data with the canaries in their places.
func canaryFolder(t *testing.T, url string) string {
	t.Helper()
	files, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	key, err := encryptedKey(files["key.pem"])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	login := fmt.Sprintf("urls = { api = \"%s/2/0\", auth = %q }\n", url, url)
	sales := string(files["data/sales.csv"]) + strings.Repeat(canaryRow+","+canaryRow+","+canaryRow+",1,1\n", 3)
	job := "name = \"%[1]s\"\nconnection = \"%[1]s\"\nanaplan = { workspace = \"Finance\", model = \"Sales Hub\" }\n[[step]]\nname = \"sales\"\n" +
		"import = \"Load Sales\"\nsource = \"data/sales.csv\"\nprompts = { Version = \"Actual\" }\n"
	for name, text := range map[string]string{
		"cert.pem": string(files["cert.pem"]), "key.pem": string(key), "data/sales.csv": sales,
		"connections.toml": "[connection.certificate]\n" + login + "certificate = \"cert.pem\"\nprivate_key = \"key.pem\"\npassphrase = \"env:SECRET_PASS\"\n" +
			"[connection.basic]\n" + login + "method = \"basic\"\nuser = \"" + sample.Email + "\"\npassword = \"env:SECRET_WORD\"\n" +
			"[connection.wrong]\n" + login + "method = \"basic\"\nuser = \"" + sample.Email + "\"\npassword = \"env:SECRET_PASS\"\n",
		"certificate.toml": fmt.Sprintf(job, "certificate"), "basic.toml": fmt.Sprintf(job, "basic"), "wrong.toml": fmt.Sprintf(job, "wrong"),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPanicShowsNoValue: what a panic carries may be anything.
func TestPanicShowsNoValue(t *testing.T) {
	var errs bytes.Buffer
	p := &Program{In: strings.NewReader(""), Out: panicking{}, Err: &errs, Now: time.Now, Getenv: func(string) (string, bool) { return "", false }}
	if code := p.Main([]string{"version"}); code != 70 {
		t.Errorf("code %d", code)
	}
	if text := errs.String(); strings.Contains(text, canaryPassphrase) || !strings.Contains(text, "internal error") {
		t.Errorf("stderr: %s", text)
	}
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("with " + canaryPassphrase) }
