package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Canaries: they may be in no error.
const (
	password = "canary-password"
	theToken = "s.canary-token"
	secretID = "canary-secret-id"
	theJWT   = "canary-jwt"
)

// server is a vault as its published HTTP API describes it, as far as a Client calls it: KV version 2, the preflight of mounts,
// lookup-self, revoke-self, and the logins of AppRole and Kubernetes. The answers are those that a real OpenBao 2.7 gave.
type server struct {
	mu       sync.Mutex
	calls    []string // "GET /v1/secret/data/a", in order
	spaces   []string // the namespaces asked for
	tokens   map[string]bool
	logins   int
	versions map[string]string // mount -> version
	faults   map[int]fault     // by number of the call, from 0
	after    fault             // for all later ones; nil: none
}

func newServer() *server {
	return &server{tokens: map[string]bool{theToken: true}, versions: map[string]string{"secret": "2", "old": "1", "team/kv": "2"}}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if n := r.Header.Get("X-Vault-Namespace"); n != "" && n != "finance" {
		fail(w, 404, "namespace not found")
		return
	}
	if mount, ok := strings.CutSuffix(path, "/login"); ok {
		s.login(w, r, mount)
		return
	}
	if !s.tokens[r.Header.Get("X-Vault-Token")] {
		fail(w, 403, "permission denied")
		return
	}
	switch {
	case path == "auth/token/lookup-self":
		write(w, 200, `{"data":{"ttl":600},"auth":null}`)
	case path == "auth/token/revoke-self" && r.Method == http.MethodPut:
		delete(s.tokens, r.Header.Get("X-Vault-Token"))
		w.WriteHeader(204)
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		mount := strings.TrimPrefix(path, "sys/internal/ui/mounts/")
		switch version := s.versions[mount]; {
		case mount == "pki":
			write(w, 200, `{"data":{"type":"pki","options":null,"path":"pki/"},"auth":null}`)
		case version == "":
			fail(w, 403, `preflight capability check returned 403, please ensure client's policies grant access to path "`+mount+`/"`)
		default:
			write(w, 200, `{"data":{"type":"kv","options":{"version":"`+version+`"},"path":"`+mount+`/"},"auth":null}`)
		}
	default:
		s.kv(w, r, path)
	}
}

func (s *server) login(w http.ResponseWriter, r *http.Request, mount string) {
	var body map[string]string
	_ = json.NewDecoder(r.Body).Decode(&body)
	switch {
	case mount == "auth/approle" && (body["role_id"] != "role-1" || body["secret_id"] != secretID):
		fail(w, 400, "invalid role or secret ID")
	case mount == "auth/kubernetes" && body["role"] != "runner":
		fail(w, 400, fmt.Sprintf("invalid role name %q", body["role"]))
	case mount == "auth/kubernetes" && body["jwt"] != theJWT:
		fail(w, 403, "service account name not authorized")
	case mount != "auth/approle" && mount != "auth/kubernetes":
		fail(w, 403, "permission denied")
	default:
		s.logins++
		token := fmt.Sprintf("%s-%d", theToken, s.logins)
		s.tokens[token] = true
		write(w, 200, `{"data":null,"auth":{"client_token":"`+token+`","lease_duration":600,"renewable":true}}`)
	}
}

func (s *server) kv(w http.ResponseWriter, r *http.Request, path string) {
	mount, rest, ok := strings.Cut(path, "/data/")
	switch {
	case s.versions[mount] == "" && mount != "pki":
		fail(w, 404, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	case !ok || s.versions[mount] != "2":
		fail(w, 404)
	case rest == "forbidden":
		fail(w, 403, "1 error occurred:\n\t* permission denied\n\n")
	case rest == "deleted":
		write(w, 404, `{"data":{"data":null,"metadata":{"deletion_time":"2026-11-26T22:31:56Z","destroyed":false,"version":1}},"auth":null}`)
	case rest == "destroyed":
		write(w, 404, `{"data":{"data":null,"metadata":{"deletion_time":"","destroyed":true,"version":2}},"auth":null}`)
	case rest == "nothing":
		write(w, 200, `{"data":{"data":null,"metadata":{"deletion_time":"","destroyed":false,"version":2}},"auth":null}`)
	case rest == "odd":
		write(w, 200, `{"value":"x"}`)
	case rest == "anaplan/prod" && slices.Contains([]string{"", "1", "2"}, r.URL.Query().Get("version")):
		write(w, 200, `{"data":{"data":{"passphrase":"`+password+r.URL.Query().Get("version")+`","line":"a\n","number":12345678901234567890,"flag":true,"list":["`+password+`"],"empty":"","null":null},"metadata":{"deletion_time":"","destroyed":false,"version":2}},"auth":null}`)
	case rest == `a b/ü#%`:
		write(w, 200, `{"data":{"data":{"x":"found"},"metadata":{"version":1}}}`)
	default:
		fail(w, 404)
	}
}

func write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func fail(w http.ResponseWriter, status int, texts ...string) {
	b, _ := json.Marshal(map[string][]string{"errors": append([]string{}, texts...)})
	write(w, status, string(b))
}

// A fault is what happens to a call instead of its answer.
type fault func(*http.Request) (*http.Response, error)

// RoundTrip makes the server one in memory.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	n := len(s.calls)
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
	s.spaces = append(s.spaces, r.Header.Get("X-Vault-Namespace"))
	f := s.faults[n]
	if f == nil {
		f = s.after
	}
	s.mu.Unlock()
	if f != nil {
		if resp, err := f(r); resp != nil || err != nil {
			return resp, err
		}
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func dropped(err error) fault {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func answers(status int, body string, headers ...string) fault {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Status: strconv.Itoa(status), Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}, nil
	}
}

func cutShort(r *http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(`{"data":{"da`), failing{io.ErrUnexpectedEOF})
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

var refused = dropped(&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 8200}, Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}})

// methods are all ways to log in, to a server in memory.
func options(t *testing.T, s *server, method string) Options {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"sink": theToken + "\n", "jwt": theJWT} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	value := func(text string) func(context.Context) (secret.Value, error) {
		return func(context.Context) (secret.Value, error) { return secret.FromString(text), nil }
	}
	return Options{Address: "https://vault.example.com:8200/", Method: method, Token: value(theToken), TokenFile: filepath.Join(dir, "sink"), RoleID: "role-1",
		SecretID: value(secretID + "\n"), Role: "runner", JWTFile: filepath.Join(dir, "jwt"), Transport: s}
}

// told checks an error and returns its parts, on one line; no canary is in it.
func told(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return ""
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(fmt.Sprintf("%v %+v", e, e), "canary") {
			t.Errorf("a secret is shown: %v", e)
		}
	}
	f, ok := errors.AsType[*secret.FetchError](err)
	if !ok {
		t.Errorf("%T: %v", err, err)
		return ""
	}
	code := 77
	if f.Temporary {
		code = 75
	}
	return fmt.Sprintf("%d %s\n  → %s\n", code, f.What, f.Next)
}
