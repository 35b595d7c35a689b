package anaplan_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

var english = anaplan.StartOptions{Locale: "en_US"}

// The table of what a lost answer means (design: "Starting a task once").
func TestWhatAFailedStartMeans(t *testing.T) {
	const unknown, not = true, false
	for _, tt := range []struct {
		name    string
		fault   simulator.Fault
		unknown bool
		tasks   int // that Anaplan has at the end
		is      error
	}{
		{"401 in JSON", simulator.Fault{Status: 401}, not, 0, anaplan.ErrUnauthorized},
		{"401 as a page", simulator.Fault{Status: 401, Body: "html"}, not, 0, anaplan.ErrUnauthorized},
		{"401 empty", simulator.Fault{Status: 401, Body: "empty"}, not, 0, anaplan.ErrUnauthorized},
		{"429 in JSON", simulator.Fault{Status: 429}, not, 0, anaplan.ErrRateLimited},
		{"429 as a page", simulator.Fault{Status: 429, Body: "html"}, not, 0, anaplan.ErrRateLimited},
		{"429 empty", simulator.Fault{Status: 429, Body: "empty"}, not, 0, anaplan.ErrRateLimited},

		{"400 in JSON", simulator.Fault{Status: 400}, not, 0, anaplan.ErrBadRequest},
		{"403 in JSON", simulator.Fault{Status: 403}, not, 0, anaplan.ErrForbidden},
		{"404 in JSON", simulator.Fault{Status: 404}, not, 0, anaplan.ErrNotFound},
		{"405 in JSON", simulator.Fault{Status: 405}, not, 0, anaplan.ErrBadRequest},
		{"409 in JSON", simulator.Fault{Status: 409}, not, 0, anaplan.ErrBusy},
		{"410 in JSON", simulator.Fault{Status: 410}, not, 0, anaplan.ErrMoved},
		{"422 in JSON", simulator.Fault{Status: 422}, not, 0, anaplan.ErrArchived},
		{"423 in JSON", simulator.Fault{Status: 423}, not, 0, anaplan.ErrLocked},
		{"424 in JSON", simulator.Fault{Status: 424}, not, 0, anaplan.ErrOffline},
		{"425 in JSON", simulator.Fault{Status: 425}, not, 0, anaplan.ErrDeployed},
		{"452 in JSON", simulator.Fault{Status: 452}, not, 0, anaplan.ErrBadRequest},

		{"400 as a page", simulator.Fault{Status: 400, Body: "html"}, unknown, 0, anaplan.ErrBadRequest},
		{"403 as a page", simulator.Fault{Status: 403, Body: "html"}, unknown, 0, anaplan.ErrForbidden},
		{"404 empty", simulator.Fault{Status: 404, Body: "empty"}, unknown, 0, anaplan.ErrNotFound},
		{"409 as a page, though it began", simulator.Fault{Status: 409, Body: "html", Took: true}, unknown, 1, anaplan.ErrBusy},

		{"408 in JSON", simulator.Fault{Status: 408}, unknown, 0, anaplan.ErrUnavailable},
		{"408, though it began", simulator.Fault{Status: 408, Took: true}, unknown, 1, anaplan.ErrUnavailable},
		{"301", simulator.Fault{Status: 301, Body: "html"}, unknown, 0, anaplan.ErrUnavailable},
		{"302, though it began", simulator.Fault{Status: 302, Body: "html", Took: true}, unknown, 1, anaplan.ErrUnavailable},
		{"307", simulator.Fault{Status: 307, Body: "empty"}, unknown, 0, anaplan.ErrUnavailable},
		{"307 in JSON", simulator.Fault{Status: 307}, unknown, 0, anaplan.ErrUnavailable},
		{"500 in JSON", simulator.Fault{Status: 500}, unknown, 0, anaplan.ErrUnavailable},
		{"500, though it began", simulator.Fault{Status: 500, Took: true}, unknown, 1, anaplan.ErrUnavailable},
		{"502 as a page", simulator.Fault{Status: 502, Body: "html"}, unknown, 0, anaplan.ErrUnavailable},
		{"502, though it began", simulator.Fault{Status: 502, Body: "html", Took: true}, unknown, 1, anaplan.ErrUnavailable},
		{"503 empty", simulator.Fault{Status: 503, Body: "empty"}, unknown, 0, anaplan.ErrUnavailable},
		{"504 as a page", simulator.Fault{Status: 504, Body: "html"}, unknown, 0, anaplan.ErrUnavailable},

		{"200 as a page", simulator.Fault{Status: 200, Body: "html"}, unknown, 0, nil},
		{"200 as a page, though it began", simulator.Fault{Status: 200, Body: "html", Took: true}, unknown, 1, nil},
		{"200 empty", simulator.Fault{Status: 200, Body: "empty"}, unknown, 0, nil},
		{"200 without an id", simulator.Fault{Status: 200}, unknown, 0, nil},
		{"202 empty", simulator.Fault{Status: 202, Body: "empty"}, unknown, 0, nil},
		{"204, though it began", simulator.Fault{Status: 204, Body: "empty", Took: true}, unknown, 1, nil},
		{"the answer breaks off", simulator.Fault{Truncate: true}, unknown, 1, anaplan.ErrBrokenOff},

		{"reset before", simulator.Fault{Drop: "before"}, unknown, 0, io.EOF},
		{"reset after", simulator.Fault{Drop: "after"}, unknown, 1, io.EOF},
		{"reset, and it begins three minutes later", simulator.Fault{Drop: "after", After: 3 * time.Minute}, unknown, 1, io.EOF},
		{"no answer in time", simulator.Fault{Delay: time.Hour}, unknown, 0, anaplan.ErrNoAnswer},
		{"late, but in time", simulator.Fault{Delay: 299 * time.Second, Status: 502}, unknown, 0, anaplan.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
				o := n.object(anaplan.KindExport, "Sales Out")
				n.prepared()
				n.sim.AddFaults(tt.fault)
				task, err := n.client.Start(n.Context(), o, english)
				n.failedStart(task, err, tt.unknown)
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("got %v, want it to be %v", err, tt.is)
				}
				if got := len(n.requests()); got != 1 {
					t.Errorf("%d requests", got)
				}
				time.Sleep(3 * time.Minute)
				if got := len(n.sim.Tasks()); got != tt.tasks {
					t.Errorf("%d tasks, want %d", got, tt.tasks)
				}
			})
		})
	}
}

// failedStart checks that an error is one of the two and no task is given.
func (n *tenant) failedStart(task anaplan.Task, err error, unknown bool) {
	n.Helper()
	e, ok := errors.AsType[*anaplan.StartError](err)
	if !ok || e.Unknown != unknown || errors.Is(err, anaplan.ErrStartUnknown) != unknown || errors.Is(err, anaplan.ErrNotStarted) == unknown {
		n.Errorf("got %v, want unknown %v", err, unknown)
	}
	if task.ID != "" {
		n.Errorf("and a task %s", task.ID)
	}
}

func TestStartReadsBothForms(t *testing.T) {
	for _, bare := range []bool{false, true} {
		inBubble(t, simulator.Options{Switches: &simulator.Switches{BareTaskID: bare}}, anaplan.HTTPOptions{}, func(n *tenant) {
			o := n.object(anaplan.KindExport, "Sales Out")
			task, err := n.client.Start(n.Context(), o, english)
			if err != nil || task.ID != n.sim.Tasks()[0].ID || task.State.Terminal() {
				t.Errorf("bare %v: %+v, %v", bare, task, err)
			}
			if got := n.finish(o, task.ID); got.State != anaplan.Complete || got.Result == nil || !got.Result.Successful {
				t.Errorf("bare %v: %+v", bare, got)
			}
		})
	}
}

func TestACancelledStart(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		o := n.object(anaplan.KindExport, "Sales Out")
		n.prepared()
		// Before anything is sent it has certainly not begun.
		ctx, cancel := context.WithCancelCause(n.Context())
		cause := errors.New("stopped")
		cancel(cause)
		task, err := n.client.Start(ctx, o, english)
		n.failedStart(task, err, false)
		if !errors.Is(err, cause) || len(n.requests()) != 0 {
			t.Errorf("%d requests, %v", len(n.requests()), err)
		}
		// On the way it is not known.
		n.sim.AddFaults(simulator.Fault{Delay: time.Minute})
		ctx, cancel = context.WithCancelCause(n.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		task, err = n.client.Start(ctx, o, english)
		n.failedStart(task, err, true)
		if !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStartThatWaitsForTheRateLimitInVainIsNotSent(t *testing.T) {
	l := anaplan.NewLimiter(1)
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		o := n.object(anaplan.KindExport, "Sales Out")
		hc := anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: n.sim.Transport(), Limiter: l})
		n.must(l.Wait(n.Context()))
		n.prepared()
		ctx, cancel := context.WithTimeout(n.Context(), 10*time.Second)
		defer cancel()
		task, err := anaplan.New(hc, api).Start(ctx, o, english)
		n.failedStart(task, err, false)
		if !errors.Is(err, context.DeadlineExceeded) || len(n.requests()) != 0 {
			t.Errorf("%d requests, %v", len(n.requests()), err)
		}
	})
}

// A 401 starts nothing: the authorization may log in again and send the start once more.
func TestAStartAfterA401(t *testing.T) {
	connect := func(n *tenant, wrap func(http.RoundTripper) http.RoundTripper) *anaplan.Client {
		n.sim.ExpireTokens() // that of the preparation: this client logs in by itself
		base := n.sim.Transport()
		base.DisableKeepAlives = true
		source := auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: "ada@example.com", Password: secret.FromString("pw")},
			Client: &http.Client{Transport: base}, Base: "https://auth.anaplan.com"})
		return anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: wrap(base), Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return &auth.Transport{Source: source, Base: rt, Hosts: []string{"api.anaplan.com"}}
		}}), api)
	}
	same := func(rt http.RoundTripper) http.RoundTripper { return rt }
	starts := func(n *tenant) (all int) {
		for _, r := range n.requests() {
			if r.Method == "POST" && strings.HasSuffix(r.Path, "/tasks") {
				all++
			}
		}
		return all
	}
	t.Run("starts", func(t *testing.T) {
		inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
			o := n.object(anaplan.KindExport, "Sales Out")
			c := connect(n, same)
			_, err := c.Me(n.Context())
			n.must(err)
			n.sim.AddFaults(simulator.Fault{Path: "/tasks$", ExpireToken: true})
			task, err := c.Start(n.Context(), o, english)
			if err != nil || task.ID == "" || starts(n) != 2 || len(n.sim.Tasks()) != 1 {
				t.Errorf("%d starts, %d tasks: %v", starts(n), len(n.sim.Tasks()), err)
			}
		})
	})
	t.Run("the second one is lost", func(t *testing.T) {
		inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
			o := n.object(anaplan.KindExport, "Sales Out")
			n.sim.AddFaults(simulator.Fault{Path: "/tasks$", Status: 401}, simulator.Fault{Path: "/tasks$", Nth: 2, Drop: "after"})
			task, err := connect(n, same).Start(n.Context(), o, english)
			n.failedStart(task, err, true)
			if starts(n) != 2 {
				t.Errorf("%d starts", starts(n))
			}
		})
	})
	t.Run("the login is refused", func(t *testing.T) {
		inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
			o := n.object(anaplan.KindExport, "Sales Out")
			c := connect(n, same)
			_, err := c.Me(n.Context())
			n.must(err)
			n.sim.AddFaults(simulator.Fault{Path: "/tasks$", Status: 401}, simulator.Fault{Path: "^/token/authenticate", Status: 401})
			task, err := c.Start(n.Context(), o, english)
			n.failedStart(task, err, false)
			if !errors.Is(err, auth.ErrRefused) || starts(n) != 1 {
				t.Errorf("%d starts, %v", starts(n), err)
			}
		})
	})
	t.Run("and no connection", func(t *testing.T) {
		inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
			o := n.object(anaplan.KindExport, "Sales Out")
			n.sim.AddFaults(simulator.Fault{Path: "/tasks$", Status: 401})
			refused := errors.New("connection refused")
			c := connect(n, func(rt http.RoundTripper) http.RoundTripper {
				base := rt.(*http.Transport).Clone()
				dial, dials := base.DialTLSContext, 0
				base.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if dials++; dials > 1 {
						return nil, refused
					}
					return dial(ctx, network, addr)
				}
				return base
			})
			task, err := c.Start(n.Context(), o, english)
			n.failedStart(task, err, false)
			if !errors.Is(err, refused) || starts(n) != 1 {
				t.Errorf("%d starts, %v", starts(n), err)
			}
		})
	})
}

// On real sockets, by the transport that goes to the network.
func TestStartsOverLoopback(t *testing.T) {
	base := func(o anaplan.BaseOptions) *http.Transport {
		rt, err := anaplan.BaseTransport(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(rt.CloseIdleConnections)
		return rt
	}
	// A listener that gives each connection to f.
	listen := func(f func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				f(conn)
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	whole := func(conn net.Conn) { // reads the request to its end
		var got []byte
		for buf := make([]byte, 4096); !strings.HasSuffix(string(got), "}"); {
			k, err := conn.Read(buf)
			if err != nil {
				return
			}
			got = append(got, buf[:k]...)
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet
	defer untrusted.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer proxy.Close()

	for _, tt := range []struct {
		name    string
		api     string
		base    *http.Transport
		unknown bool
	}{
		{"the connection is refused", "http://" + nobody + "/2/0", base(anaplan.BaseOptions{}), false},
		{"there is no such host", "https://anaplan.invalid/2/0", refusing(base(anaplan.BaseOptions{})), false},
		{"the certificate is not trusted", untrusted.URL + "/2/0", base(anaplan.BaseOptions{}), false},
		{"TLS ends at once", "https://" + listen(func(net.Conn) {}) + "/2/0", base(anaplan.BaseOptions{}), false},
		{"the proxy refuses to connect", "https://127.0.0.1:1/2/0", base(anaplan.BaseOptions{Proxy: proxy.URL}), false},
		{"there is no proxy", "https://127.0.0.1:1/2/0", base(anaplan.BaseOptions{Proxy: "http://" + nobody}), false},
		{"closed after the request was read", "http://" + listen(whole) + "/2/0", base(anaplan.BaseOptions{}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: tt.base}), tt.api)
			task, err := c.Start(t.Context(), anaplan.Object{Kind: anaplan.KindImport, ID: "112000000001"}, english)
			(&tenant{T: t}).failedStart(task, err, tt.unknown)
		})
	}
}

// refusing is a transport that finds no host: the look-up must not leave this machine.
func refusing(rt *http.Transport) *http.Transport {
	rt.DialTLSContext = func(_ context.Context, _, addr string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
	}
	return rt
}

// TestStartIsChecked: a check that fails at the last moment keeps the task from being
// started, over real connections, however much of the header is written by then.
func TestStartIsChecked(t *testing.T) {
	for _, size := range []int{0, 20000} { // more than the transport's buffer
		whole := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				whole++
			}
		}))
		base, err := anaplan.BaseTransport(anaplan.BaseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		lost := errors.New("the lease is lost")
		c := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base, Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return bearer{rt, strings.Repeat("x", size)}
		}}), srv.URL+"/2/0")
		checks := 0
		opts := anaplan.StartOptions{Locale: "en_US", Check: func() error { checks++; return lost }}
		_, err = c.Start(t.Context(), anaplan.Object{Kind: anaplan.KindImport, ID: "112000000001"}, opts)
		if !errors.Is(err, anaplan.ErrNotStarted) || !errors.Is(err, lost) || checks == 0 {
			t.Errorf("%v after %d checks", err, checks)
		}
		base.CloseIdleConnections()
		srv.Close()
		if whole > 0 {
			t.Error("it was sent")
		}
	}
}
