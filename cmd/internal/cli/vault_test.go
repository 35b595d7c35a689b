package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// vaultServer is a vault with one secret, "anaplan/prod" in "secret", and what was asked of it. That the client understands real
// ones is tested elsewhere: with every answer and fault in auth/secret/vault, and with OpenBao by .ci/integration.
type vaultServer struct {
	*httptest.Server
	mu     sync.Mutex
	fields map[string]string
	calls  []string
	sealed bool
}

const vaultCanary = "canary-vault"

func newVaultServer(t *testing.T) *vaultServer {
	s := &vaultServer{fields: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1/"))
		w.Header().Set("Content-Type", "application/json")
		token := r.Header.Get("X-Vault-Token")
		switch {
		case s.sealed:
			w.WriteHeader(503)
			_, _ = io.WriteString(w, `{"errors":["Vault is sealed"]}`)
		case r.URL.Path == "/v1/auth/approle/login":
			_, _ = io.WriteString(w, `{"auth":{"client_token":"`+vaultCanary+`-approle"}}`)
		case token != vaultCanary && token != vaultCanary+"-approle":
			w.WriteHeader(403)
			_, _ = io.WriteString(w, `{"errors":["permission denied"]}`)
		case r.URL.Path == "/v1/secret/data/anaplan/prod":
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"data": s.fields, "metadata": map[string]any{"version": 1}}})
		case r.URL.Path == "/v1/auth/token/revoke-self":
			w.WriteHeader(204)
		default:
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"errors":[]}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *vaultServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// TestSecretsAreFetchedOncePerCall and again when they are to be forgotten.
func TestSecretsAreFetchedOncePerCall(t *testing.T) {
	s := newVaultServer(t)
	s.fields["a"], s.fields["b"] = "one", "two"
	log := logrus.New()
	log.SetOutput(io.Discard)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret_id"), []byte(vaultCanary), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Program{log: log, Now: time.Now, Getenv: func(name string) (string, bool) {
		return map[string]string{"VAULT_ADDR": s.URL}[name], name == "VAULT_ADDR"
	}}
	conn := configs.Connection{Name: "prod", Dir: dir, Vault: configs.Vault{Method: "approle", RoleID: "r", SecretID: "file:secret_id"}}
	fetch := func(reference, want string) {
		t.Helper()
		if v, err := p.resolve(conn, reference); err != nil || v.RevealString() != want {
			t.Errorf("%s: %q, %v", reference, v.RevealString(), err)
		}
	}
	login, get, revoke := "PUT auth/approle/login", "GET secret/data/anaplan/prod", "PUT auth/token/revoke-self"
	for range 2 {
		fetch("vault:anaplan/prod#a", "one")
		fetch("vault:secret:anaplan/prod#b", "two")
	}
	if diff := cmp.Diff([]string{login, get}, s.asked()); diff != "" {
		t.Error(diff)
	}
	s.fields["a"] = "new"
	fetch("vault:anaplan/prod#a", "one")
	p.forgetSecrets(conn)
	fetch("vault:anaplan/prod#a", "new")
	if diff := cmp.Diff([]string{get}, s.asked()); diff != "" {
		t.Error(diff)
	}
	// A signal ends what is being fetched, and nothing after it.
	ctx, stop := context.WithCancel(t.Context())
	done := p.secretsEndWith(ctx)
	stop()
	p.forgetSecrets(conn)
	if _, err := p.resolve(conn, "vault:anaplan/prod#a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	done()
	fetch("vault:anaplan/prod#a", "new")
	if diff := cmp.Diff([]string{get}, s.asked()); diff != "" {
		t.Error(diff)
	}
	other := conn
	other.Name = "test"
	if _, err := p.resolve(other, "vault:anaplan/prod#a"); err != nil {
		t.Error(err)
	}
	p.endSecrets()
	if diff := cmp.Diff([]string{login, get, revoke, revoke}, s.asked()); diff != "" {
		t.Error(diff)
	}
}

// TestLoginsFromAVault: certificate, key and passphrase in one, with nothing but the environment.
// TestTokenOfTheVaultProgramIsBounded: its file may be anything.
func TestTokenOfTheVaultProgramIsBounded(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	file := filepath.Join(home, ".vault-token")
	p := &Program{Getenv: func(string) (string, bool) { return "", false }}
	for n, want := range map[int]string{maxToken: "", maxToken + 1: "logging in to the vault: " + file + " holds more than 64 KiB, which is the most"} {
		writeFile(t, file, []byte(strings.Repeat("x", n)))
		if _, err := p.vaultToken(); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestLoginsFromAVault(t *testing.T) {
	s := newVaultServer(t)
	certificate, key := identityFiles(t)
	for name, file := range map[string]string{"cert": certificate, "key": key} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.fields[name] = string(b)
	}
	env := []string{"VAULT_ADDR", s.URL, "VAULT_TOKEN", vaultCanary, "ANAPLAN_SIMULATOR_SPEED", "10000"}
	payload := func(env []string, more ...string) called {
		args := append([]string{"auth", "payload", "--region", "us1", "--output", "json"}, more...)
		c := call(env, args...)
		if strings.Contains(c.out+c.err, vaultCanary) {
			t.Errorf("a secret is shown: %s%s", c.out, c.err)
		}
		return c
	}
	right := []string{"--certificate", "vault:anaplan/prod#cert", "--private-key", "vault:secret:anaplan/prod?version=1#key"}
	if c := payload(env, right...); c.code != 0 {
		t.Errorf("%d: %s", c.code, c.err)
	}
	if diff := cmp.Diff([]string{"GET secret/data/anaplan/prod", "GET secret/data/anaplan/prod"}, s.asked()); diff != "" {
		t.Error(diff) // the version is another secret; the token is not ours to revoke
	}
	openbao := []string{"BAO_ADDR", s.URL, "BAO_TOKEN", vaultCanary}
	if c := payload(openbao, right...); c.code != 0 {
		t.Errorf("%d: %s", c.code, c.err)
	}
	for _, tt := range []struct {
		env          []string
		reference    string
		code         int
		what, next   string
		sealed, gone bool
	}{
		{env, "vault:anaplan/prod#none", 77, `certificate: the secret anaplan/prod in mount secret has no field "none"; its fields are: cert, key`, "write one of them", false, false},
		{env, "vault:anaplan/prod", 77, "vault:MOUNT:PATH#FIELD", "", false, false},
		{[]string{"VAULT_ADDR", s.URL, "VAULT_TOKEN", vaultCanary + "x"}, "vault:anaplan/prod#cert", 77, "was refused (403)", "give a token that lives", false, false},
		{[]string{"VAULT_TOKEN", vaultCanary}, "vault:anaplan/prod#cert", 77, "needs the address of a vault", "VAULT_ADDR", false, false},
		{append([]string{"VAULT_CACERT", "none.pem"}, env...), "vault:anaplan/prod#cert", 77, "the authorities of the vault's certificate", "VAULT_CACERT", false, false},
		{env, "vault:anaplan/prod#cert", 75, "the vault is sealed", "have it unsealed", true, false},
		{env, "vault:anaplan/prod#cert", 75, "also after 4 repeats", "see whether the vault runs", false, true},
	} {
		s.sealed = tt.sealed
		if tt.gone {
			s.Close()
		}
		c := payload(tt.env, "--certificate", tt.reference, "--private-key", "vault:anaplan/prod#key")
		var r failed
		if err := json.Unmarshal([]byte(c.out), &r); err != nil {
			t.Errorf("%s: %v in %q", tt.reference, err, c.out)
		}
		if c.code != tt.code || r.ExitCode != tt.code || !strings.Contains(r.Message, tt.what) || !strings.Contains(r.Next, tt.next) {
			t.Errorf("%s: %d, %s → %s", tt.reference, c.code, r.Message, r.Next)
		}
		if want := map[int]string{75: "network", 77: "login"}[tt.code]; fmt.Sprint(r.Cause) != want {
			t.Errorf("%s: cause %s, want %s", tt.reference, r.Cause, want)
		}
	}
}

// TestExecWritesItsVault into the job that it runs, and nothing where there is none.
func TestExecWritesItsVault(t *testing.T) {
	conn := configs.Connection{Dir: "/d", Region: "us1", Certificates: configs.Files{"vault:a#cert"}, Vault: configs.Vault{Address: "https://v", Namespace: "n", Mount: "m",
		Method: "approle", Token: "env:T", TokenFile: "sink", RoleID: "r", SecretID: "file:s", Role: "o", JWTFile: "j", AuthMount: "a", CA: "/ca"}}
	var job execJob
	job.writeLogin(conn)
	want := execVault{Address: "https://v", Namespace: "n", Mount: "m", Method: "approle", Token: "env:T", TokenFile: "/d/sink", RoleID: "r", SecretID: "file:/d/s", Role: "o",
		JWTFile: "/d/j", AuthMount: "a", CA: "/ca"}
	if diff := cmp.Diff(want, job.Auth.Vault); diff != "" || job.Auth.Certificate != "vault:a#cert" {
		t.Errorf("certificate %v %s", job.Auth.Certificate, diff)
	}
	for vault, written := range map[configs.Vault]bool{{}: false, {Mount: "m"}: true} {
		conn.Vault = vault
		job.writeLogin(conn)
		var b strings.Builder
		if err := toml.NewEncoder(&b).Encode(job); err != nil || strings.Contains(b.String(), "vault]") != written {
			t.Errorf("%v: %s", err, b.String())
		}
	}
}

func TestVariablesWithSecrets(t *testing.T) {
	conn := configs.Connection{Certificates: configs.Files{"env:A", "c.pem"}, PrivateKeys: configs.Files{"env:B", "file:k"}, Passphrase: "env:C", KeyPassphrase: "env:D",
		Password: "env:E", ProxyPassword: "env:F", Vault: configs.Vault{Token: "env:G", SecretID: "env:H"}}
	got := variablesOf(conn)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"A", "B", "C", "D", "E", "F", "G", "H"}, got); diff != "" {
		t.Error(diff)
	}
}
