package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

var update = flag.Bool("update", false, "write the golden files")

// world is a server behind TLS as example.com, all in memory. It lets everybody log in, and has nothing.
type world struct {
	server *http.Server
	accept chan net.Conn
	done   chan struct{}
	roots  *x509.CertPool
}

func (w *world) Accept() (net.Conn, error) {
	select {
	case c := <-w.accept:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}
func (w *world) Close() error   { return nil }
func (w *world) Addr() net.Addr { return &net.TCPAddr{} }

// dial leads to the server.
func (w *world) dial() net.Conn {
	ours, theirs := net.Pipe()
	select {
	case w.accept <- theirs:
	case <-w.done:
		theirs.Close()
	}
	return ours
}

// certificate is that of package httptest, for example.com.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.TLS.Certificates[0], roots
}

func newWorld(own tls.Certificate, roots *x509.CertPool, least uint16) (*world, func()) {
	w := &world{accept: make(chan net.Conn), done: make(chan struct{}), roots: roots}
	w.server = &http.Server{Handler: http.HandlerFunc(serve), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = w.server.Serve(tls.NewListener(w, &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS10, MaxVersion: least}))
	}()
	return w, func() {
		close(w.done)
		_ = w.server.Close()
		<-served
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/token/authenticate" {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"status":{"code":404,"message":"there is no such thing"}}`)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"status":"SUCCESS","statusMessage":"Login successful","tokenInfo":{"expiresAt":%d,"tokenValue":"token-1"}}`, time.Now().Add(time.Hour).UnixMilli())
}

// calls are what a run asks for, one after the other.
var calls = []struct {
	name string
	send func(ctx context.Context, c *anaplan.Client) error
}{
	{"login", nil},
	{"GET users/me", func(ctx context.Context, c *anaplan.Client) error { _, err := c.Me(ctx); return err }},
	{"PUT chunk", func(ctx context.Context, c *anaplan.Client) error {
		return c.PutChunk(ctx, nowhere, "113000000001", 0, anaplan.BytesBody([]byte("a,b\n")))
	}},
	{"POST start", func(ctx context.Context, c *anaplan.Client) error {
		_, err := c.Start(ctx, anaplan.Object{Model: nowhere, Kind: anaplan.KindImport, ID: "112000000001"}, anaplan.StartOptions{Locale: "en_US"})
		return err
	}},
	{"GET task", func(ctx context.Context, c *anaplan.Client) error {
		_, err := c.Task(ctx, anaplan.Object{Model: nowhere, Kind: anaplan.KindImport, ID: "112000000001"}, "T")
		return err
	}},
}

var nowhere = anaplan.ModelRef{Workspace: "w", Model: "m"}

// from makes the calls, with a proxy that is faulty from the n-th on, and returns the error of that one.
func from(ctx context.Context, t *testing.T, w *world, f *fake, o anaplan.BaseOptions, fault string, n int) error {
	o.RootCAs, o.Network = w.roots, f.dial
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	base, err := anaplan.BaseTransport(o)
	if err != nil {
		t.Error(err)
		return err
	}
	source := auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: "batch@example.com", Password: secret.FromString("s3cret")},
		Client: &http.Client{Transport: base}, Base: "https://example.com"})
	client := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base, Authorize: func(rt http.RoundTripper) http.RoundTripper {
		return &auth.Transport{Source: source, Base: rt, Hosts: []string{"https://example.com"}}
	}}), "https://example.com/2/0")
	for i, call := range calls {
		if i == n {
			base.CloseIdleConnections()
			f.be(fault)
		}
		if call.send == nil {
			_, err = source.Token(ctx)
		} else {
			err = call.send(ctx, client)
		}
		if i == n {
			return err
		}
		if _, ok := errors.AsType[*proxy.Error](err); ok {
			t.Errorf("%s: %v", call.name, err)
			return err
		}
	}
	return nil
}

// TestFaults is what is said, and the code, when a proxy is faulty at each call in turn.
func TestFaults(t *testing.T) {
	own, roots := certificate(t)
	with := func(address string) anaplan.BaseOptions {
		return anaplan.BaseOptions{Proxy: address, ProxyUser: fakeUser, ProxyPassword: func() (string, error) { return fakePassword, nil }}
	}
	wrong := with("http://proxy.example.com:8080")
	wrong.ProxyPassword = func() (string, error) { return "canary-wrong", nil }
	bare := with("http://proxy.example.com:8080")
	bare.ProxyUser = "anna"
	unknown := with("http://proxy.example.com:8080")
	unknown.ProxyPassword = func() (string, error) { return "", errors.New("environment variable PROXY is not set") }
	insists := with("http://proxy.example.com:8080")
	insists.ProxyAuth = "basic"
	web, socks := with("http://proxy.example.com:8080"), with("socks5://proxy.example.com:1080")
	var got strings.Builder
	for _, tt := range []struct {
		name, auth, fault string
		o                 anaplan.BaseOptions
		from              int // the first call that can meet it
	}{
		{"refused", "basic", "refused", web, 0},
		{"407, no login given", "", "407 for ever", anaplan.BaseOptions{Proxy: "http://proxy.example.com:8080"}, 0},
		{"407 for ever", "", "407 for ever", web, 0},
		{"407 after the first", "basic", "407 for ever", web, 1},
		{"wrong password, basic", "basic", "", wrong, 0},
		{"wrong user, NTLM", "ntlm", "", bare, 0},
		{"Digest only", "digest", "", web, 0},
		{"basic, and the proxy wants NTLM", "ntlm", "", insists, 0},
		{"no password", "basic", "", unknown, 0},
		{"403", "basic", "403 Forbidden", web, 0},
		{"502", "ntlm", "502 Bad Gateway", web, 0},
		{"503", "basic", "503 Service Unavailable", web, 0},
		{"405", "basic", "405 Method Not Allowed", web, 0},
		{"429", "basic", "429 Too Many Requests", web, 0},
		{"garbage", "basic", "garbage", web, 0},
		{"endless header", "basic", "endless header", web, 0},
		{"hang", "basic", "hang", web, 0},
		{"closed", "basic", "closed", web, 0},
		{"dropped after CONNECT", "basic", "dropped after CONNECT", web, 0},
		{"SOCKS: refused", "socks login", "refused", socks, 0},
		{"SOCKS: login", "socks login", "login", socks, 0},
		{"SOCKS: no login given", "socks login", "", anaplan.BaseOptions{Proxy: "socks5h://proxy.example.com:1080"}, 0},
		{"SOCKS: no method", "socks", "no method", socks, 0},
		{"SOCKS: not allowed", "socks", "not allowed", socks, 0},
		{"SOCKS: unreachable", "socks", "unreachable", socks, 0},
		{"SOCKS: another answer", "socks", "other", socks, 0},
		{"SOCKS: garbage", "socks", "garbage", socks, 0},
		{"SOCKS: hang", "socks login", "hang", socks, 0},
		{"SOCKS: closed", "socks login", "closed", socks, 0},
		{"SOCKS: dropped after it", "socks", "dropped after CONNECT", socks, 0},
	} {
		for n := tt.from; n < len(calls); n++ {
			if tt.fault == "" && n > 0 {
				break // it is so from the first on
			}
			synctest.Test(t, func(t *testing.T) {
				w, end := newWorld(own, roots, tls.VersionTLS13)
				f := &fake{auth: tt.auth, target: w.dial}
				err := from(t.Context(), t, w, f, tt.o, tt.fault, n)
				f.close()
				end()
				if err == nil {
					t.Fatalf("%s at %s: no error", tt.name, calls[n].name)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("%s: a password is shown: %v", tt.name, err)
				}
				if calls[n].name == "POST start" && !errors.Is(err, anaplan.ErrNotStarted) {
					t.Errorf("%s: the start is not known not to have happened: %v", tt.name, err)
				}
				e, ok := errors.AsType[*proxy.Error](err)
				if !ok || !strings.Contains(err.Error(), "proxy.example.com:") {
					t.Fatalf("%s at %s: %T, %v", tt.name, calls[n].name, err, err)
				}
				ending := jobs.Explain(err)
				fmt.Fprintf(&got, "%s, at %s: %d\n", tt.name, calls[n].name, ledger.Code(ending.Verdict, ending.Cause))
				if n == tt.from {
					fmt.Fprintf(&got, "  %s\n  → %s\n", e, ending.Next)
				}
			})
		}
	}
	golden(t, "testdata/faults.txt", got.String())
}

// TestFinalFaultsAreNotRepeated: a proxy may lock a user whose password is wrong.
func TestFinalFaultsAreNotRepeated(t *testing.T) {
	own, roots := certificate(t)
	for n := range calls {
		synctest.Test(t, func(t *testing.T) {
			w, end := newWorld(own, roots, tls.VersionTLS13)
			f := &fake{auth: "basic", target: w.dial}
			o := anaplan.BaseOptions{Proxy: "http://p.example.com:1", ProxyUser: fakeUser, ProxyAuth: "basic", ProxyPassword: func() (string, error) { return fakePassword, nil }}
			err := from(t.Context(), t, w, f, o, "407 for ever", n)
			f.close()
			end()
			if err == nil || len(f.connects) != min(n, 1)+1 {
				t.Errorf("%s: %d times asked, %v", calls[n].name, len(f.connects), err)
			}
		})
	}
}

// TestRefusedLoginIsNotSentAgain: a wrong password that is sent again and again may lock the user.
func TestRefusedLoginIsNotSentAgain(t *testing.T) {
	for _, tt := range []struct{ auth, address, user, want, then string }{
		{"basic", "http://p:1", fakeUser, ",Basic,,,", ",Basic,,Basic"}, // it is asked without a login how it wants one
		{"ntlm", "http://p:1", `CORP\bob`, ",NTLM,NTLM,,,", ""},
		{"socks login", "socks5://p:1", fakeUser, "user", "user,user,"},
	} {
		for fetched, want := range map[string]string{"old-password": tt.want, fakePassword: tt.then} { // what is there when it is fetched once more
			if want == "" {
				continue
			}
			f := &fake{auth: tt.auth}
			asked := 0
			d, err := proxy.New(proxy.Options{Address: tt.address, User: tt.user, Network: f.dial, Password: func() (string, error) {
				if asked++; asked > 1 {
					return fetched, nil
				}
				return "old-password", nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Dial(t.Context(), "https", "api.anaplan.com:443")
			for n := range 3 {
				if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Login || n > 0 && e.Host != "auth.anaplan.com:443" {
					t.Errorf("%s: %v", tt.auth, err)
				}
				if _, err = d.Dial(t.Context(), "https", "auth.anaplan.com:443"); err == nil {
					break
				}
			}
			f.close()
			if got := strings.Join(f.connects, ","); got != want || asked != 2 || (err == nil) != (fetched == fakePassword) {
				t.Errorf("%s: %q, want %q; fetched %d times; %v", tt.auth, got, want, asked, err)
			}
		}
	}
}

// TestLogins: how we log in is what the proxy asks for, and is not asked for twice.
func TestLogins(t *testing.T) {
	own, roots := certificate(t)
	environment := map[string]string{"HTTPS_PROXY": "http://CORP%5Canna:canary-p%3Ass%2Fword@proxy.example.com:8080"}
	for _, tt := range []struct {
		name, auth string
		o          anaplan.BaseOptions
		env        map[string]string
		want       string // the logins of the first two connections
	}{
		{"none is wanted", "", anaplan.BaseOptions{Proxy: "http://p:1"}, nil, ","},
		{"basic", "basic", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser}, nil, ",Basic,Basic"},
		{"basic at once", "basic", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser, ProxyAuth: "basic"}, nil, "Basic,Basic"},
		{"NTLM", "ntlm", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser}, nil, ",NTLM,NTLM,NTLM,NTLM"},
		{"NTLM at once", "ntlm", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser, ProxyAuth: "ntlm"}, nil, "NTLM,NTLM,NTLM,NTLM"},
		{"both: the password is not shown", "both", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser}, nil, ",NTLM,NTLM,NTLM,NTLM"},
		{"both, and we want basic", "both", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser, ProxyAuth: "basic"}, nil, "Basic,Basic"},
		{"NTLM called Negotiate", "negotiate", anaplan.BaseOptions{Proxy: "http://p:1", ProxyUser: fakeUser}, nil, ",NTLM,NTLM,NTLM,NTLM"},
		{"SOCKS", "socks", anaplan.BaseOptions{Proxy: "socks5://p:1"}, nil, ",,,"},
		{"SOCKS with a login", "socks login", anaplan.BaseOptions{Proxy: "socks5h://p:1", ProxyUser: fakeUser}, nil, "user,,user,"},
		{"of the environment", "basic", anaplan.BaseOptions{}, environment, ",Basic,Basic"},
		{"of the environment, by NTLM", "ntlm", anaplan.BaseOptions{}, environment, ",NTLM,NTLM,NTLM,NTLM"},
		{"ours at the environment's proxy", "basic", anaplan.BaseOptions{ProxyUser: fakeUser}, map[string]string{"all_proxy": "x:y@proxy.example.com:80"}, ",Basic,Basic"},
		{"SOCKS of the environment", "socks login", anaplan.BaseOptions{}, map[string]string{"ALL_PROXY": "socks5://CORP%5Canna:canary-p%3Ass%2Fword@proxy.example.com"}, "user,,user,"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, end := newWorld(own, roots, tls.VersionTLS13)
			f := &fake{auth: tt.auth, target: w.dial}
			tt.o.Getenv = func(name string) string { return tt.env[name] }
			asked := 0
			if tt.o.ProxyUser != "" {
				tt.o.ProxyPassword = func() (string, error) { asked++; return fakePassword, nil }
			}
			err := from(t.Context(), t, w, f, tt.o, "", 1)
			f.close()
			end()
			if _, ok := errors.AsType[*proxy.Error](err); !ok {
				err = nil // the server has nothing
			}
			if got := strings.Join(f.connects, ","); err != nil || got != tt.want || asked > 1 {
				t.Errorf("%s: %q, want %q; asked %d times; %v", tt.name, got, tt.want, asked, err)
			}
			for _, target := range f.targets {
				if target != "example.com:443" && target != "" {
					t.Errorf("%s: it was asked for %s", tt.name, target)
				}
			}
		})
	}
}

// TestChoice: which addresses go through the environment's proxy.
func TestChoice(t *testing.T) {
	env := map[string]string{"HTTPS_PROXY": "http://secure:1", "http_proxy": "plain:2", "ALL_PROXY": "socks5://all:3", "NO_PROXY": ".internal.example.com,10.0.0.0/8,exact.example.com:444"}
	for _, tt := range []struct {
		scheme, addr, want string
		env                map[string]string
	}{
		{"https", "api.anaplan.com:443", "secure:1", env},
		{"http", "files.example.com:80", "plain:2", env},
		{"https", "x.internal.example.com:443", "x.internal.example.com:443", env},
		{"https", "10.1.2.3:443", "10.1.2.3:443", env},
		{"https", "exact.example.com:444", "exact.example.com:444", env},
		{"https", "exact.example.com:443", "secure:1", env},
		{"https", "127.0.0.1:443", "127.0.0.1:443", env},
		{"http", "localhost:8080", "localhost:8080", env},
		{"https", "[::1]:443", "[::1]:443", env},
		{"https", "api.anaplan.com:443", "api.anaplan.com:443", nil},
		{"https", "api.anaplan.com:443", "all:3", map[string]string{"ALL_PROXY": "socks5://all:3"}},
		{"https", "api.anaplan.com:443", "all:1080", map[string]string{"all_proxy": "socks5h://all"}},
		{"https", "api.anaplan.com:443", "api.anaplan.com:443", map[string]string{"ALL_PROXY": "socks5://all:3", "no_proxy": "*"}},
	} {
		var dialed string
		d, err := proxy.New(proxy.Options{Getenv: func(name string) string { return tt.env[name] }, Network: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialed = addr
			return nil, errors.New("not today")
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Dial(t.Context(), tt.scheme, tt.addr); err == nil || dialed != tt.want {
			t.Errorf("%s %s: %s was called, want %s; %v", tt.scheme, tt.addr, dialed, tt.want, err)
		}
	}
}

// TestWrongProxies: what is said of options that cannot be right.
func TestWrongProxies(t *testing.T) {
	password := func() (string, error) { return "canary", nil }
	var got strings.Builder
	for _, tt := range []struct {
		name string
		o    proxy.Options
	}{
		{"no scheme", proxy.Options{Address: "proxy.example.com:8080"}},
		{"no scheme, a user", proxy.Options{Address: "anna:canary@proxy.example.com:8080"}},
		{"another scheme", proxy.Options{Address: "ftp://anna:canary@proxy.example.com:21"}},
		{"no host", proxy.Options{Address: "http://:8080"}},
		{"not a port", proxy.Options{Address: "http://anna:canary@proxy.example.com:eighty"}},
		{"a path", proxy.Options{Address: "http://anna:canary@proxy.example.com:8080/proxy.pac"}},
		{"a query", proxy.Options{Address: "http://proxy.example.com:8080?key=canary"}},
		{"an escape", proxy.Options{Address: "http://anna:canary%zz@proxy.example.com:8080"}},
		{"a password without a user", proxy.Options{Address: "http://proxy.example.com:8080", Password: password}},
		{"another login", proxy.Options{Address: "http://proxy.example.com:8080", User: "anna", Password: password, Auth: "digest"}},
		{"the environment's is none", proxy.Options{Getenv: func(string) string { return "http://anna:canary@proxy:x" }}},
		{"the environment's has another scheme", proxy.Options{Getenv: func(string) string { return "quic://anna:canary@proxy:1" }}},
	} {
		d, err := proxy.New(tt.o)
		if err == nil {
			_, err = d.Dial(t.Context(), "https", "api.anaplan.com:443")
		}
		e, ok := errors.AsType[*proxy.Error](err)
		if !ok || e.Kind != proxy.Misconfigured || !e.Final() || strings.Contains(err.Error()+e.Next(), "canary") {
			t.Errorf("%s: %T %v", tt.name, err, err)
			continue
		}
		fmt.Fprintf(&got, "%s: %s → %s\n", tt.name, err, e.Next())
	}
	golden(t, "testdata/wrong.txt", got.String())
}

// TestUntrustedProxy: one that inspects TLS is named, and so is what to do; TLS 1.1 is refused.
func TestUntrusted(t *testing.T) {
	own, roots := certificate(t)
	for _, tt := range []struct {
		name  string
		roots *x509.CertPool
		most  uint16
		says  string
		next  string
	}{
		{"inspected", x509.NewCertPool(), tls.VersionTLS13, "whoever is not trusted as example.com", "--ca-file"},
		{"TLS 1.1", roots, tls.VersionTLS11, "TLS fails there", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, end := newWorld(own, tt.roots, tt.most)
			f := &fake{target: w.dial}
			err := from(t.Context(), t, w, f, anaplan.BaseOptions{Proxy: "http://proxy.example.com:8080"}, "", 0)
			f.close()
			end()
			got := jobs.Explain(err)
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "http://proxy.example.com:8080") ||
				got.Cause != ledger.CauseNetwork || !strings.Contains(got.Next, tt.next) {
				t.Errorf("%s: %v → %s", tt.name, err, got.Next)
			}
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update and read what it wrote", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
