package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
)

// logins are ways to log in, with a right password and one that is refused, and how often what the proxy noted means that it was sent.
var logins = []struct {
	auth, address, user, wrong string
	sent                       func(connects []string) int
}{
	{"basic", "http://p:1", fakeUser, "wrong-password", func(all []string) int { return times(all, "Basic") }},
	{"ntlm", "http://p:1", `CORP\bob`, "wrong-password", func(all []string) int { return (times(all, "NTLM") + 1) / 2 }}, // the fake goes by the user
	{"socks login", "socks5://p:1", fakeUser, "wrong-password", func(all []string) int { return times(all, "user") }},
}

func times(all []string, kind string) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(k string) bool { return k != kind }))
}

// dialers are n that go through one proxy, with what they know of logins in common.
func dialers(t *testing.T, n int, o proxy.Options) []*proxy.Dialer {
	t.Helper()
	o.Logins = &proxy.Logins{}
	var all []*proxy.Dialer
	for range n {
		d, err := proxy.New(o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// together dials once for each dialer, at the same moment.
func together(ctx context.Context, all []*proxy.Dialer) []error {
	errs := make([]error, len(all))
	var done sync.WaitGroup
	for i, d := range all {
		done.Go(func() {
			_, errs[i] = d.Dial(ctx, "https", fmt.Sprintf("host-%d.example.com:443", i))
		})
	}
	done.Wait()
	return errs
}

// TestAWrongPasswordIsSentOnce, however many connections begin at the same moment, of one dialer or of several.
func TestAWrongPasswordIsSentOnce(t *testing.T) {
	for _, tt := range logins {
		for _, several := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{auth: tt.auth, slow: time.Second}
				defer f.close()
				all := dialers(t, 8, proxy.Options{Address: tt.address, User: tt.user, Network: f.dial, Password: func() (string, error) { return tt.wrong, nil }})
				if !several {
					all = slices.Repeat(all[:1], 8)
				}
				for i, err := range together(t.Context(), all) {
					if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Login || e.Host != fmt.Sprintf("host-%d.example.com:443", i) {
						t.Errorf("%s: %v", tt.auth, err)
					}
				}
				if n := tt.sent(f.connects); n != 1 {
					t.Errorf("%s, %v: sent %d times: %q", tt.auth, several, n, f.connects)
				}
			})
		}
	}
}

// TestAChangedPasswordIsFetchedOnce when the old one is refused, and all log in with the new one.
func TestAChangedPasswordIsFetchedOnce(t *testing.T) {
	for _, tt := range logins {
		if tt.auth == "ntlm" { // the fake knows no passwords of it
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			f := &fake{auth: tt.auth, slow: time.Second}
			defer f.close()
			asked := 0
			all := slices.Repeat(dialers(t, 1, proxy.Options{Address: tt.address, User: tt.user, Network: f.dial, Password: func() (string, error) {
				if asked++; asked == 1 {
					return tt.wrong, nil
				}
				return fakePassword, nil
			}}), 6)
			if err := errors.Join(together(t.Context(), all)...); err == nil || strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("%s: one is refused, and the others log in: %v", tt.auth, err)
			}
			if n := tt.sent(f.connects); n != 6 || asked != 2 { // the one that is refused, and five
				t.Errorf("%s: sent %d times, fetched %d times", tt.auth, n, asked)
			}
		})
	}
}

// TestAPasswordThatWorkedIsTriedAgainByOne: it may have been changed since.
func TestAPasswordThatWorkedIsTriedAgainByOne(t *testing.T) {
	for _, tt := range logins {
		if tt.auth == "ntlm" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			f := &fake{auth: tt.auth, slow: time.Second / 2}
			defer f.close()
			all := slices.Repeat(dialers(t, 1, proxy.Options{Address: tt.address, User: tt.user, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }}), 4)
			if err := errors.Join(together(t.Context(), all)...); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
			if tt.auth == "basic" {
				f.be("407 for ever")
			} else {
				f.be("login")
			}
			f.mu.Lock()
			f.connects = nil
			f.mu.Unlock()
			for _, err := range together(t.Context(), all) {
				if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Login {
					t.Errorf("%s: %v", tt.auth, err)
				}
			}
			if n := tt.sent(f.connects); n != 1 {
				t.Errorf("%s: sent %d times: %q", tt.auth, n, f.connects)
			}
		})
	}
}

// TestWhoWaitsForALoginIsNotLost when the one that is tried has no outcome, or nobody waits any more.
func TestWhoWaitsForALoginIsNotLost(t *testing.T) {
	for _, tt := range logins {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{auth: tt.auth, slow: time.Second}
			defer f.close()
			first, user := true, tt.user
			if tt.auth == "ntlm" {
				user = fakeUser
			}
			o := proxy.Options{Address: tt.address, User: user, Password: func() (string, error) { return fakePassword, nil }, Timeout: time.Minute,
				Network: func(ctx context.Context, network, addr string) (net.Conn, error) {
					if first {
						first = false
						silent, other := net.Pipe() // it never answers
						go func() { <-ctx.Done(); other.Close() }()
						return silent, nil
					}
					return f.dial(ctx, network, addr)
				}}
			if tt.auth != "socks login" {
				o.Auth = tt.auth // so that the first connection is the one that logs in
			}
			d := dialers(t, 1, o)[0]
			tried, give := context.WithCancel(t.Context())
			results := make(chan error, 3)
			go func() { _, err := d.Dial(tried, "https", "first.example.com:443"); results <- err }()
			synctest.Wait()
			impatient, end := context.WithTimeout(t.Context(), 2*time.Second)
			defer end()
			go func() { _, err := d.Dial(impatient, "https", "impatient.example.com:443"); results <- err }()
			err := <-results
			if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Unreachable || !strings.Contains(err.Error(), "another login") {
				t.Errorf("%s: who was impatient: %v", tt.auth, err)
			}
			go func() { _, err := d.Dial(t.Context(), "https", "patient.example.com:443"); results <- err }()
			synctest.Wait()
			give()
			for range 2 {
				if err := <-results; err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", tt.auth, err)
				}
			}
			if n := tt.sent(f.connects); n != 1 {
				t.Errorf("%s: who was patient logged in %d times: %q", tt.auth, n, f.connects)
			}
		})
	}
}

// TestADeadTargetDoesNotHoldUpOthers: an HTTP proxy is silent until it has reached the target, or has given it up.
func TestADeadTargetDoesNotHoldUpOthers(t *testing.T) {
	for _, tt := range logins {
		for before, within := range map[string]time.Duration{"nothing": 8 * time.Second, "a login": 2 * time.Second, "502 Bad Gateway": time.Millisecond} {
			if before == "502 Bad Gateway" && tt.auth != "basic" { // the others log in before they say what is wanted
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				f := &fake{auth: tt.auth}
				o := proxy.Options{Address: tt.address, User: fakeUser, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }}
				if before == "502 Bad Gateway" {
					o.Auth = tt.auth
				}
				d := dialers(t, 1, o)[0]
				switch before {
				case "a login":
					if _, err := d.Dial(t.Context(), "https", "first.example.com:443"); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
				case "502 Bad Gateway": // which means that the login was taken
					f.be(before)
					if _, err := d.Dial(t.Context(), "https", "first.example.com:443"); err == nil {
						t.Fatal("no 502")
					}
					f.be("")
				}
				ctx, end := context.WithCancel(t.Context())
				var dead sync.WaitGroup
				for range 3 {
					dead.Go(func() { _, _ = d.Dial(ctx, "https", "dead.example.com:443") })
				}
				synctest.Wait()
				for range 3 {
					brief, done := context.WithTimeout(t.Context(), within)
					if _, err := d.Dial(brief, "https", "well.example.com:443"); err != nil {
						t.Errorf("%s after %s: %v", tt.auth, before, err)
					}
					done()
				}
				end()
				dead.Wait()
				f.close()
			})
		}
	}
}

// TestASlowRefusal: what is silent for seconds may yet be a refusal, so not all that wait go on at once.
func TestASlowRefusal(t *testing.T) {
	for _, tt := range logins {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{auth: tt.auth, slow: 6500 * time.Millisecond}
			defer f.close()
			all := dialers(t, 8, proxy.Options{Address: tt.address, User: tt.user, Network: f.dial, Password: func() (string, error) { return tt.wrong, nil }})
			_ = together(t.Context(), all)
			if n := tt.sent(f.connects); n < 1 || n > 3 && tt.auth != "ntlm" { // which has two answers to wait for
				t.Errorf("%s: sent %d times: %q", tt.auth, n, f.connects)
			}
		})
	}
}

// TestAWrongWayDoesNotSpoilALogin that is right, and is used by another connection as the proxy asks for it.
func TestAWrongWayDoesNotSpoilALogin(t *testing.T) {
	for auth, wrong := range map[string]string{"basic": proxy.NTLM, "ntlm": proxy.Basic} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{auth: auth}
			defer f.close()
			o := proxy.Options{Address: "http://p:1", User: fakeUser, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }, Logins: &proxy.Logins{}}
			for _, o.Auth = range []string{wrong, ""} {
				d, err := proxy.New(o)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = d.Dial(t.Context(), "https", "api.anaplan.com:443"); (err == nil) != (o.Auth == "") {
					t.Errorf("the proxy wants %s, proxy_auth = %q: %v", auth, o.Auth, err)
				}
			}
			if auth == "basic" { // no proof of the password was sent by NTLM, so nothing was refused
				f.auth, o.Auth = "ntlm", proxy.NTLM
				if d, err := proxy.New(o); err != nil {
					t.Error(err)
				} else if _, err = d.Dial(t.Context(), "https", "api.anaplan.com:443"); err != nil {
					t.Errorf("NTLM, when the proxy wants it: %v", err)
				}
			}
		})
	}
}

// TestALoginThatEndsTheConnectionIsNotSentAgain at once, by nobody: some proxies do that instead of refusing it.
func TestALoginThatEndsTheConnectionIsNotSentAgain(t *testing.T) {
	for _, tt := range logins[:2] { // SOCKS proxies refuse by it
		synctest.Test(t, func(t *testing.T) {
			f := &fake{auth: tt.auth, slow: time.Second, fault: "closed on a login"}
			defer f.close()
			all := dialers(t, 4, proxy.Options{Address: tt.address, User: fakeUser, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }})
			for i, err := range together(t.Context(), all) {
				if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Unreachable || e.Host != fmt.Sprintf("host-%d.example.com:443", i) || !strings.Contains(e.Next(), "proxy_password") {
					t.Errorf("%s: %v", tt.auth, err)
				}
			}
			if n := tt.sent(f.connects); n != 1 {
				t.Errorf("%s: sent %d times: %q", tt.auth, n, f.connects)
			}
			f.be("")
			if err := together(t.Context(), all[:1])[0]; err == nil {
				t.Errorf("%s: it was sent again at once", tt.auth)
			}
			time.Sleep(10 * time.Second)
			if err := errors.Join(together(t.Context(), all)...); err != nil {
				t.Errorf("%s: later: %v", tt.auth, err)
			}
		})
	}
}

// TestAProxyThatEndsTheConnectionAfter407 without saying so has ended none on a login.
func TestAProxyThatEndsTheConnectionAfter407(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{auth: "basic", fault: "closed after 407"}
		defer f.close()
		all := dialers(t, 2, proxy.Options{Address: "http://p:1", User: fakeUser, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }})
		if err := errors.Join(together(t.Context(), all)...); err != nil {
			t.Error(err)
		}
	})
}

// TestAProxyThatChangesItsMethod is logged in to by the new one.
func TestAProxyThatChangesItsMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{auth: "basic"}
		defer f.close()
		d := dialers(t, 1, proxy.Options{Address: "http://p:1", User: fakeUser, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }})[0]
		for _, method := range []string{"basic", "ntlm", "ntlm", "basic"} {
			f.mu.Lock()
			f.auth = method
			f.mu.Unlock()
			if _, err := d.Dial(t.Context(), "https", "a.example.com:443"); err != nil {
				t.Errorf("%s: %v", method, err)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestASOCKSProxyThatIsStartedAnew in the middle of a login that worked before has not refused it.
func TestASOCKSProxyThatIsStartedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{auth: "socks login", slow: time.Second}
		defer f.close()
		d := dialers(t, 1, proxy.Options{Address: "socks5://p:1", User: fakeUser, Network: f.dial, Password: func() (string, error) { return fakePassword, nil }})[0]
		if _, err := d.Dial(t.Context(), "https", "a.example.com:443"); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second/2, func() { // it has the login, and has not answered it
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, c := range f.open {
				c.Close()
			}
		})
		if _, err := d.Dial(t.Context(), "https", "a.example.com:443"); err == nil {
			t.Fatal("the proxy was there all the time")
		}
		time.Sleep(time.Hour)
		if _, err := d.Dial(t.Context(), "https", "a.example.com:443"); err != nil {
			t.Errorf("an hour later: %v", err)
		}
	})
}

// TestASOCKSProxyThatResets a connection on a wrong password has refused it.
func TestASOCKSProxyThatResets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var sent atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(c, make([]byte, 4))
			_, _ = c.Write([]byte{5, 2})
			_, _ = io.ReadFull(c, make([]byte, 2))
			sent.Add(1)
			_ = c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	}()
	d := dialers(t, 1, proxy.Options{Address: "socks5://" + l.Addr().String(), User: "anna", Password: func() (string, error) { return "wrong", nil }})[0]
	for range 4 {
		_, err := d.Dial(t.Context(), "https", "a.example.com:443")
		if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Login {
			t.Errorf("%v", err)
		}
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}
