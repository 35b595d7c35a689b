package vault

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

var methods = []string{Token, Agent, AppRole, Kubernetes}

func ref(t *testing.T, s string) secret.VaultRef {
	t.Helper()
	r, err := secret.ParseVault(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, c *Client, s string) string {
	t.Helper()
	v, err := c.Read(t.Context(), ref(t, s))
	if err != nil {
		t.Errorf("%s: %v", s, err)
	}
	return v.RevealString()
}

func TestReadsASecretOnce(t *testing.T) {
	for _, method := range methods {
		s := newServer()
		o := options(t, s, method)
		o.Namespace = "finance"
		c := New(o)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if got := read(t, c, "anaplan/prod#passphrase"); got != password {
					t.Errorf("%s: got %q", method, got)
				}
			})
		}
		all.Wait()
		for field, want := range map[string]string{"line": "a\n", "number": "12345678901234567890", "flag": "true", "empty": ""} {
			if got := read(t, c, "secret:anaplan/prod#"+field); got != want {
				t.Errorf("%s: %s is %q", method, field, got)
			}
		}
		if got := read(t, c, "team/kv:anaplan/prod?version=1#passphrase"); got != password+"1" {
			t.Errorf("%s: version 1 is %q", method, got)
		}
		if got := read(t, c, "a b/ü#%#x"); got != "found" {
			t.Errorf("%s: a path with other characters has %q", method, got)
		}
		c.Close(t.Context())
		want := []string{"GET /v1/secret/data/anaplan/prod", "GET /v1/team/kv/data/anaplan/prod?version=1", "GET /v1/secret/data/a%20b/%C3%BC%23%25"}
		if method == AppRole || method == Kubernetes {
			want = append([]string{"PUT /v1/auth/" + method + "/login"}, want...)
			want = append(want, "PUT /v1/auth/token/revoke-self")
		}
		if diff := cmp.Diff(want, s.calls); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
		if spaces := slices.Compact(s.spaces); len(spaces) != 1 || spaces[0] != "finance" {
			t.Errorf("%s: namespaces %q", method, spaces)
		}
		if !s.tokens[theToken] || len(s.tokens) != 1 {
			t.Errorf("%s: tokens that live at the end: %v", method, s.tokens)
		}
	}
}

// TestAnEndedTokenIsReplaced when a secret is read again, hours later.
func TestAnEndedTokenIsReplaced(t *testing.T) {
	for _, method := range methods {
		s := newServer()
		o := options(t, s, method)
		given := theToken
		o.Token = func(context.Context) (secret.Value, error) { return secret.FromString(given), nil }
		c := New(o)
		read(t, c, "anaplan/prod#passphrase")
		s.tokens = map[string]bool{"s.new": true}
		given = "s.new"
		if err := os.WriteFile(o.TokenFile, []byte("s.new"), 0o600); err != nil {
			t.Fatal(err)
		}
		read(t, c, "anaplan/prod#passphrase") // kept
		before := len(s.calls)
		c.Forget()
		if got := read(t, c, "anaplan/prod#passphrase"); got != password {
			t.Errorf("%s: got %q", method, got)
		}
		want := []string{"GET /v1/secret/data/anaplan/prod", "GET /v1/secret/data/anaplan/prod"}
		if method == AppRole || method == Kubernetes {
			want = slices.Insert(want, 1, "GET /v1/auth/token/lookup-self", "PUT /v1/auth/"+method+"/login")
		}
		if diff := cmp.Diff(want, s.calls[before:]); diff != "" {
			t.Errorf("%s: %s", method, diff)
		}
	}
}

// TestATokenThatLivesIsKept though it may not read something: a login may have been possible once alone.
func TestATokenThatLivesIsKept(t *testing.T) {
	s := newServer()
	c := New(options(t, s, AppRole))
	read(t, c, "anaplan/prod#passphrase")
	if _, err := c.Read(t.Context(), ref(t, "forbidden#x")); err == nil {
		t.Error("a secret that may not be read is read")
	}
	if got := read(t, c, "anaplan/prod?version=2#passphrase"); got != password+"2" {
		t.Errorf("got %q", got)
	}
	c.Close(t.Context())
	if s.logins != 1 || len(s.tokens) != 1 {
		t.Errorf("%d logins; tokens that live at the end: %v", s.logins, s.tokens)
	}
}

// TestWhatIsWrong is every refusal that does not come from the network.
func TestWhatIsWrong(t *testing.T) {
	var out strings.Builder
	try := func(what, reference string, change func(*Options, *server)) {
		s := newServer()
		o := options(t, s, Token)
		if change != nil {
			change(&o, s)
		}
		v, err := New(o).Read(t.Context(), ref(t, reference))
		if !v.Empty() {
			t.Errorf("%s: there is a value", what)
		}
		text := strings.NewReplacer(filepath.Dir(o.TokenFile)+string(filepath.Separator), "DIR/").Replace(told(t, err))
		fmt.Fprintf(&out, "%s: vault:%s\n%s\n", what, reference, text)
	}
	as := func(method string, change func(*Options)) func(*Options, *server) {
		return func(o *Options, _ *server) {
			o.Method, o.AuthMount = method, ""
			if change != nil {
				change(o)
			}
		}
	}
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	large := func(name string) {
		if err := os.WriteFile(name, bytes.Repeat([]byte("canary"), maxToken), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	try("no such field", "anaplan/prod#password", nil)
	try("a field that is null", "anaplan/prod#null", nil)
	try("a field that is a list", "anaplan/prod#list", nil)
	try("no such path", "anaplan/none#x", nil)
	try("no such version", "anaplan/prod?version=9#x", nil)
	try("the path of the API", "secret/data/anaplan/prod#x", nil)
	try("the mount in the path", "secret/anaplan/prod#x", nil)
	try("deleted", "deleted#x", nil)
	try("destroyed", "destroyed#x", nil)
	try("nothing in it", "nothing#x", nil)
	try("another JSON", "odd#x", nil)
	try("no such mount", "kv:anaplan/prod#x", nil)
	try("a KV version 1 mount", "old:anaplan/prod#x", nil)
	try("a mount of another kind", "pki:anaplan/prod#x", nil)
	try("not allowed", "forbidden#x", nil)
	try("no such namespace", "anaplan/prod#x", func(o *Options, _ *server) { o.Namespace = "teem" })
	gone := func(o *Options, s *server) { s.tokens = map[string]bool{} }
	try("an ended token", "anaplan/prod#x", gone)
	try("an ended token of an agent", "anaplan/prod#x", func(o *Options, s *server) { o.Method = Agent; gone(o, s) })
	try("no token", "anaplan/prod#x", func(o *Options, _ *server) {
		o.Token = func(context.Context) (secret.Value, error) {
			return secret.Value{}, errors.New("environment variable VAULT_TOKEN is not set")
		}
	})
	try("a token with other things", "anaplan/prod#x", func(o *Options, _ *server) {
		o.Token = func(context.Context) (secret.Value, error) { return secret.FromString("Key Value\ncanary"), nil }
	})
	try("no token file", "anaplan/prod#x", as(Agent, func(o *Options) { o.TokenFile = filepath.Join(filepath.Dir(o.TokenFile), "none") }))
	try("no token file named", "anaplan/prod#x", as(Agent, func(o *Options) { o.TokenFile = "" }))
	try("a token file that is something else", "anaplan/prod#x", as(Agent, func(o *Options) { o.TokenFile = o.TokenFile + ".large"; large(o.TokenFile) }))
	try("a wrong secret_id", "anaplan/prod#x", as(AppRole, func(o *Options) { o.RoleID = "role-2" }))
	try("no secret_id", "anaplan/prod#x", as(AppRole, func(o *Options) {
		o.SecretID = func(context.Context) (secret.Value, error) { return secret.Value{}, io.ErrUnexpectedEOF }
	}))
	try("a wrong auth_mount", "anaplan/prod#x", as(AppRole, func(o *Options) { o.AuthMount = "aproll" }))
	try("a wrong role", "anaplan/prod#x", as(Kubernetes, func(o *Options) { o.Role = "walker" }))
	try("another service account", "anaplan/prod#x", as(Kubernetes, func(o *Options) { o.JWTFile = file("canary") }))
	try("outside of a pod", "anaplan/prod#x", as(Kubernetes, func(o *Options) { o.JWTFile = "/none/token" }))
	try("not allowed, after a login", "forbidden#x", as(AppRole, nil))
	try("a namespace that is none, at login", "anaplan/prod#x", as(AppRole, func(o *Options) { o.Namespace = "teem" }))
	try("another method", "anaplan/prod#x", as("ldap", nil))
	try("no address", "anaplan/prod#x", func(o *Options, _ *server) { o.Address = "" })
	try("an address in clear", "anaplan/prod#x", func(o *Options, _ *server) { o.Address = "http://vault.example.com:8200" })
	try("an address with a password", "anaplan/prod#x", func(o *Options, _ *server) { o.Address = "https://u:canary@vault.example.com" })
	try("no address at all", "anaplan/prod#x", func(o *Options, _ *server) { o.Address = "canary" })
	golden(t, "wrong.txt", out.String())
}

// faults are what can come in place of an answer, again and again.
var faults = []struct {
	name   string
	fault  fault
	passes bool // it may pass: it is repeated, and ends in 75
}{
	{"connection refused", refused, true},
	{"dropped", dropped(io.EOF), true},
	{"500", answers(500, `{"errors":["internal error"]}`), true},
	{"502 with a page", answers(502, "<html>canary</html>"), true},
	{"503 sealed", answers(503, `{"errors":["Vault is sealed"]}`), true},
	{"429", answers(429, `{"errors":["request path \"x\": rate limit quota exceeded"]}`, "Retry-After", "7"), true},
	{"412", answers(412, `{"errors":["required index state not present"]}`), true},
	{"truncated", cutShort, true},
	{"truncated JSON", answers(200, `{"auth":{"client_token":"canary`), true},
	{"hanging", hangs, true},
	{"403", answers(403, `{"errors":["permission denied"]}`), false},
	{"404", answers(404, `{"errors":[]}`), false},
	{"405", answers(405, `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}`), false},
	{"a page", answers(200, "<!DOCTYPE html><title>canary</title>"), false},
	{"403 with a page", answers(403, "<html>canary</html>"), false},
	{"an empty answer", answers(200, ""), false},
	{"redirect", answers(307, "", "Location", "https://other.example.com:8200/v1/x?canary"), false},
	{"endless", answers(200, strings.Repeat(" ", maxAnswer+1)), false},
}

// TestFaultsAtEveryCall puts every fault at every call of every login, for ever and for a moment.
func TestFaultsAtEveryCall(t *testing.T) {
	var out strings.Builder
	for _, method := range methods {
		calls := 1
		if method == AppRole || method == Kubernetes {
			calls = 2
		}
		for call := range calls {
			for _, f := range faults {
				synctest.Test(t, func(t *testing.T) {
					s := newServer()
					o := options(t, s, method)
					s.faults = map[int]fault{}
					for i := range call {
						s.faults[i] = func(*http.Request) (*http.Response, error) { return nil, nil }
					}
					s.after = f.fault
					c := New(o)
					began := time.Now()
					v, err := c.Read(t.Context(), ref(t, "anaplan/prod#passphrase"))
					text := strings.NewReplacer(o.TokenFile, "SINK").Replace(told(t, err))
					if !v.Empty() || strings.HasPrefix(text, "75") != f.passes {
						t.Errorf("%s, call %d, %s: %s", method, call, f.name, text)
					}
					fmt.Fprintf(&out, "%s, call %d, %s: %d calls in %s\n%s\n", method, call, f.name, len(s.calls), time.Since(began), text)

					// The next one is not kept waiting by what is out of reach.
					before, again := len(s.calls), time.Now()
					_, err = c.Read(t.Context(), ref(t, "anaplan/other#passphrase"))
					told(t, err)
					if f.passes && (time.Since(again) != 0 || len(s.calls) != before) {
						t.Errorf("%s, call %d, %s: asked again after %s, with %d calls", method, call, f.name, time.Since(again), len(s.calls)-before)
					}
					if !f.passes {
						return
					}
					// It is there again a minute later, or at once for who asks anew.
					s.after = nil
					if call == 0 {
						time.Sleep(pauseAfter)
					} else {
						c.Forget()
					}
					if got := read(t, c, "anaplan/prod#passphrase"); got != password {
						t.Errorf("%s, call %d, %s: got %q when it was over", method, call, f.name, got)
					}

					s = newServer() // once
					s.faults = map[int]fault{call: f.fault}
					o.Transport = s
					if got := read(t, New(o), "anaplan/prod#passphrase"); got != password {
						t.Errorf("%s, call %d, %s, once: got %q", method, call, f.name, got)
					}
				})
			}
		}
	}
	golden(t, "faults.txt", out.String())
}

// TestFaultsOfQuestions: what 403 and 404 mean is asked of the server; that this fails changes nothing of the answer's kind.
func TestFaultsOfQuestions(t *testing.T) {
	for _, reference := range []string{"forbidden#x", "none#x"} {
		for _, f := range faults {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.faults = map[int]fault{0: func(*http.Request) (*http.Response, error) { return nil, nil }}
				s.after = f.fault
				_, err := New(options(t, s, Token)).Read(t.Context(), ref(t, reference))
				if text := told(t, err); !strings.HasPrefix(text, "77") || len(s.calls) < 2 {
					t.Errorf("%s, %s: %d calls, %s", reference, f.name, len(s.calls), text)
				}
			})
		}
	}
}

func TestWhoAsksMayStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.after = hangs
		c := New(options(t, s, AppRole))
		for _, limit := range []time.Duration{time.Second, 21 * time.Second} { // in a try, and between two
			ctx, cancel := context.WithTimeout(t.Context(), limit-time.Second/2)
			began := time.Now()
			done := make(chan error)
			go func() {
				_, err := c.Read(ctx, ref(t, "anaplan/prod#x"))
				done <- err
			}()
			synctest.Wait()
			short, stop := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := c.Read(short, ref(t, "anaplan/prod#x")); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Millisecond {
				t.Errorf("behind another: %v after %s", err, time.Since(began))
			}
			stop()
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != limit-time.Second/2 {
				t.Errorf("%v after %s", err, time.Since(began))
			}
			cancel()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c.Close(ctx) // no token, nothing to revoke
		s.after = nil
		if got := read(t, c, "anaplan/prod#passphrase"); got != password {
			t.Errorf("afterwards: %q", got)
		}
	})
}
