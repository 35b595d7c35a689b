package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/google/go-cmp/cmp"
)

const (
	loginOK   = "/token/authenticate 201"
	refreshOK = "/token/refresh 200"
)

func TestRenewalBeginsWhenASeventhIsLeft(t *testing.T) {
	for _, tt := range []struct{ life, begins, last time.Duration }{
		{35 * time.Minute, 30 * time.Minute, time.Second},
		{70 * time.Minute, 65 * time.Minute, time.Second}, // at most 5 minutes
		{35 * time.Second, 30 * time.Second, time.Second},
		{7 * time.Second, 6 * time.Second, time.Second / 2}, // of a short life not more than half of the seventh
	} {
		for _, at := range []struct {
			name  string
			after time.Duration
			want  []string
		}{
			{"a nanosecond before", tt.begins - 1, []string{loginOK}},
			{"then", tt.begins, []string{loginOK, refreshOK}},
			{"a nanosecond before the last second", tt.life - tt.last - 1, []string{loginOK, refreshOK}},
			{"in the last second", max(tt.life-tt.last, loginEvery), []string{loginOK, loginOK}},
		} {
			t.Run(tt.life.String()+" "+at.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, tt.life)
					s, _ := h.source(nil)
					token(t, s)
					time.Sleep(at.after)
					token(t, s)
					if diff := cmp.Diff(at.want, h.paths()); diff != "" {
						t.Error(diff)
					}
				})
			})
		}
	}
}

func TestLifeIsExpiresAtLessDateCountedFromTheQuestion(t *testing.T) {
	for name, offset := range map[string]time.Duration{"clocks agree": 0, "server 3 h ahead": 3 * time.Hour, "server 3 h behind": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				h.offset = offset
				h.slow["/token/authenticate"] = 4 * time.Second
				s, rec := h.source(func(o *SourceOptions) {
					o.Login = Basic{User: "batch@example.com", Password: secret.FromString("s3cret")}
				})
				asked := time.Now()
				tok := token(t, s)
				if diff := cmp.Diff(asked.Add(35*time.Minute), tok.ExpiresAt); diff != "" {
					t.Error(diff)
				}
				// From the question on: 4 s of the 30 minutes are over when the answer comes.
				time.Sleep(30*time.Minute - 4*time.Second - 1)
				token(t, s)
				if diff := cmp.Diff([]string{loginOK}, h.paths()); diff != "" {
					t.Error(diff)
				}
				time.Sleep(1)
				token(t, s)
				if diff := cmp.Diff([]string{loginOK, refreshOK}, h.paths()); diff != "" {
					t.Error(diff)
				}
				if got, want := len(rec.warnings), map[bool]int{true: 0, false: 1}[offset == 0]; got != want {
					t.Errorf("%d warnings %q, want %d", got, rec.warnings, want)
				}
			})
		})
	}
}

func TestWithoutDateOurClockIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.noDate = true
		s, _ := h.source(nil)
		if diff := cmp.Diff(time.Now().Add(35*time.Minute), token(t, s).ExpiresAt); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAJumpedClockMakesNoDeadTokenTrusted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sleep time.Duration // on the monotonic clock
		jump  time.Duration // of the wall clock, besides
		want  []string
	}{
		{"a laptop slept past the end", 0, 35 * time.Minute, []string{loginOK, loginOK}},
		{"a laptop slept into the last seventh", 0, 30 * time.Minute, []string{loginOK, refreshOK}},
		{"and a nanosecond less", 0, 30*time.Minute - 1, []string{loginOK}},
		{"the wall clock was set back a day", 35 * time.Minute, -24 * time.Hour, []string{loginOK, loginOK}},
		{"set back, in the last seventh", 30 * time.Minute, -24 * time.Hour, []string{loginOK, refreshOK}},
		{"set back, and a nanosecond less", 30*time.Minute - 1, -24 * time.Hour, []string{loginOK}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				var jump time.Duration
				s, _ := h.source(func(o *SourceOptions) { o.Now = func() time.Time { return time.Now().Add(jump) } })
				token(t, s)
				// What the laptop's processes do not notice is past on the server.
				time.Sleep(max(tt.sleep, loginEvery))
				if tt.sleep == 0 {
					tt.jump -= loginEvery
				}
				jump = tt.jump
				if tt.jump > 0 {
					h.offset = tt.jump
				}
				token(t, s)
				if diff := cmp.Diff(tt.want, h.paths()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestOneRenewalServesAllWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.slow["/token/authenticate"] = 20 * time.Second
		s, _ := h.source(nil)
		impatient, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		// The impatient caller is the one who starts the renewal.
		if _, err := s.Token(impatient); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Fatalf("the impatient caller got %v after %v", err, time.Since(began))
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if tok, err := s.Token(context.Background()); err != nil || tok.Generation != 1 {
					t.Errorf("generation %d, %v", tok.Generation, err)
				}
			})
		}
		wg.Wait()
		if got := time.Since(began); got != 20*time.Second {
			t.Errorf("took %v, want 20s", got)
		}
		if diff := cmp.Diff([]string{loginOK}, h.paths()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRefreshElseLogin(t *testing.T) {
	status := func(path string, code int) func(string, int, http.ResponseWriter) bool {
		return func(p string, n int, w http.ResponseWriter) bool {
			if p != path {
				return false
			}
			refuse(w, code, "FAILURE", "no")
			return true
		}
	}
	for _, tt := range []struct {
		name  string
		fault func(string, int, http.ResponseWriter) bool
		want  []string
	}{
		{"fine", nil, []string{loginOK, refreshOK}},
		{"400 leads to a login", status("/token/refresh", 400), []string{loginOK, "/token/refresh 400", loginOK}},
		{"401, and the token is not used again", func(p string, n int, w http.ResponseWriter) bool {
			if p == "/token/authenticate" && n == 2 {
				w.WriteHeader(503)
				return true
			}
			return status("/token/refresh", 401)(p, n, w)
		}, []string{loginOK, "/token/refresh 401", "/token/authenticate 503", loginOK}},
		{"401 leads to a login", status("/token/refresh", 401), []string{loginOK, "/token/refresh 401", loginOK}},
		{"503 is tried again", func(p string, n int, w http.ResponseWriter) bool {
			return n == 1 && status("/token/refresh", 503)(p, n, w)
		}, []string{loginOK, "/token/refresh 503", refreshOK}},
		{"503 twice leads to a login", status("/token/refresh", 503), []string{loginOK, "/token/refresh 503", "/token/refresh 503", loginOK}},
		{"a lost answer is tried again", func(p string, n int, w http.ResponseWriter) bool {
			if p == "/token/refresh" && n == 1 {
				w.WriteHeader(599)
				return true
			}
			return false
		}, []string{loginOK, "/token/refresh 599", refreshOK}},
		{"an answer without a token", func(p string, n int, w http.ResponseWriter) bool {
			if p == "/token/refresh" {
				w.Write([]byte(`{"status":"SUCCESS","tokenInfo":{}}`))
				return true
			}
			return false
		}, []string{loginOK, refreshOK, refreshOK, loginOK}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				h.fault = tt.fault
				s, _ := h.source(nil)
				token(t, s)
				time.Sleep(30 * time.Minute)
				if tok := token(t, s); tok.Generation != 2 {
					t.Errorf("generation %d, want 2", tok.Generation)
				}
				if diff := cmp.Diff(tt.want, h.paths()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestARefreshIsNotRepeatedPastTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 14*time.Second)
		h.fault = func(p string, _ int, w http.ResponseWriter) bool {
			if p == "/token/refresh" {
				w.WriteHeader(500)
			}
			return p == "/token/refresh"
		}
		s, _ := h.source(nil)
		token(t, s)
		time.Sleep(12 * time.Second)
		token(t, s)
		if diff := cmp.Diff([]string{loginOK, "/token/refresh 500", loginOK}, h.paths()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestATokenThatHasEndedWhenItComesIsNone(t *testing.T) {
	for ms, want := range map[int64]error{1750736826001: nil, 1750736826000: ErrUnavailable, 1750736825999: ErrUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			a := &answering{status: 201, header: http.Header{"Date": {"Tue, 24 Jun 2025 03:47:06 GMT"}},
				body: fmt.Sprintf(`{"tokenInfo":{"expiresAt":%d,"tokenValue":"x"}}`, ms)}
			s := NewSource(SourceOptions{Login: Basic{"u", secret.FromString("p")}, Base: base, Client: &http.Client{Transport: a}})
			if _, err := s.Token(context.Background()); !errors.Is(err, want) {
				t.Errorf("%d: got %v", ms, err)
			}
		})
	}
}

// The refresh is answered before all tokens end, but its answer arrives after a 401 did.
func TestA401DuringARefreshIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, _ := h.source(nil)
		token(t, s)
		time.Sleep(30 * time.Minute)
		h.slow["/token/refresh"] = 5 * time.Second
		var wg sync.WaitGroup
		wg.Go(func() {
			if tok := token(t, s); tok.Generation != 3 {
				t.Errorf("got generation %d, want 3", tok.Generation)
			}
		})
		time.Sleep(time.Second)
		s.Invalidate(1)
		wg.Wait()
		if diff := cmp.Diff([]string{loginOK, refreshOK, loginOK}, h.paths()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestALiveTokenIsUsedWhileTheAuthHostIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, rec := h.source(nil)
		first := token(t, s)
		h.fault = func(_ string, _ int, w http.ResponseWriter) bool { refuse(w, 503, "DOWN", "down"); return true }
		time.Sleep(30 * time.Minute)
		if diff := cmp.Diff(first.Generation, token(t, s).Generation); diff != "" {
			t.Error(diff)
		}
		// Both ways are tried briefly: callers wait.
		if diff := cmp.Diff([]string{loginOK, "/token/refresh 503", "/token/refresh 503", "/token/authenticate 503"}, h.paths()); diff != "" {
			t.Error(diff)
		}
		// Left alone for a while, then tried again.
		calls := len(h.paths())
		time.Sleep(pauseAfterFailure - 1)
		token(t, s)
		if got := len(h.paths()); got != calls {
			t.Errorf("%d calls within the pause", got-calls)
		}
		time.Sleep(1)
		token(t, s)
		if len(h.paths()) == calls {
			t.Error("no call after the pause")
		}
		time.Sleep(5 * time.Minute)
		_, err := s.Token(context.Background())
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
			t.Errorf("with a dead token: %v", err)
		}
		h.fault = nil
		if tok := token(t, s); tok.Generation != 2 {
			t.Errorf("generation %d after the outage, want 2", tok.Generation)
		}
		if diff := cmp.Diff(LoggedIn, rec.events[len(rec.events)-1].Kind); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLoginsAreTenSecondsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, _ := h.source(nil)
		for range 4 {
			s.Invalidate(token(t, s).Generation)
		}
		// A login that fails counts as well.
		h.fault = func(p string, n int, w http.ResponseWriter) bool {
			if n == 5 {
				refuse(w, 500, "", "")
			}
			return n == 5
		}
		token(t, s)
		want := []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 40 * time.Second, 50 * time.Second}
		if diff := cmp.Diff(want, h.times("/token/authenticate")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARefusedLoginIsFinal(t *testing.T) {
	for name, login := range map[string]Login{
		"v1":    Certificate{Identity: testIdentity(), Message: V1},
		"v2":    Certificate{Identity: testIdentity()},
		"basic": Basic{User: "batch@example.com", Password: secret.FromString("wrong")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				if name != "v2" { // its message would carry a wrong time, which could be why
					h.offset = 40 * time.Minute
				}
				h.fault = func(_ string, _ int, w http.ResponseWriter) bool {
					refuse(w, 401, "FAILURE_BAD_CREDENTIAL", "Invalid <credential>.  Verify!")
					return true
				}
				s, rec := h.source(func(o *SourceOptions) { o.Login = login })
				for range 3 {
					_, err := s.Token(context.Background())
					e, ok := errors.AsType[*LoginError](err)
					if !ok || !errors.Is(err, ErrRefused) || errors.Is(err, ErrUnavailable) {
						t.Fatalf("got %v", err)
					}
					if e.Status != 401 || e.Code != "FAILURE_BAD_CREDENTIAL" || e.Text != "Invalid <credential>.  Verify!" || e.Next == "" {
						t.Errorf("got %+v", e)
					}
					time.Sleep(time.Minute)
				}
				if diff := cmp.Diff([]string{"/token/authenticate 401"}, h.paths()); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]EventKind{LoginFailed}, rec.kinds()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestAfterARefusalALiveTokenIsUsedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, _ := h.source(nil)
		token(t, s)
		h.fault = func(_ string, _ int, w http.ResponseWriter) bool { refuse(w, 400, "F", "no"); return true }
		time.Sleep(30 * time.Minute)
		token(t, s)
		time.Sleep(5*time.Minute - margin - 1)
		token(t, s)
		time.Sleep(1)
		if _, err := s.Token(context.Background()); !errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{loginOK, "/token/refresh 400", "/token/authenticate 400"}, h.paths()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAClockThatIsOff(t *testing.T) {
	refused := "/token/authenticate 401"
	for _, tt := range []struct {
		name   string
		login  Login
		offset time.Duration
		fresh  time.Duration
		want   []string
		warn   string
		ok     bool
	}{
		{"40 minutes behind", nil, 40 * time.Minute, 0, []string{refused, loginOK}, "40m0s behind", true},
		{"40 minutes ahead", nil, -40 * time.Minute, 0, []string{refused, loginOK}, "39m59s ahead", true},
		{"a minute behind", nil, time.Minute, 0, []string{loginOK}, "", true},
		{"a second more", nil, time.Minute + time.Second, 0, []string{loginOK}, "1m1s behind", true},
		{"a minute off is not why it was refused", nil, time.Minute, time.Second, []string{refused}, "", false},
		{"a second more may be", nil, time.Minute + time.Second, 2 * time.Second, []string{refused, loginOK}, "behind", true},
		{"v1 does not care", Certificate{Identity: testIdentity(), Message: V1}, 40 * time.Minute, 0, []string{loginOK}, "behind", true},
		{"a wrong password is final all the same", Basic{"batch@example.com", secret.FromString("x")}, 40 * time.Minute, 0, []string{refused}, "behind", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				h.offset, h.fresh = tt.offset, tt.fresh
				s, rec := h.source(func(o *SourceOptions) {
					if tt.login != nil {
						o.Login = tt.login
					}
				})
				tok, err := s.Token(context.Background())
				if tt.ok != (err == nil) {
					t.Fatalf("got %v", err)
				}
				if diff := cmp.Diff(tt.want, h.paths()); diff != "" {
					t.Error(diff)
				}
				if (tt.warn == "") != (len(rec.warnings) == 0) || len(rec.warnings) > 1 || !strings.Contains(strings.Join(rec.warnings, ""), tt.warn) {
					t.Errorf("warnings %q, want one with %q", rec.warnings, tt.warn)
				}
				if !tt.ok {
					return
				}
				// From then on, the host's time is known: the next login is right at once, and nobody is warned again.
				time.Sleep(loginEvery)
				s.Invalidate(tok.Generation)
				token(t, s)
				if diff := cmp.Diff(append(tt.want, loginOK), h.paths()); diff != "" {
					t.Error(diff)
				}
				if len(rec.warnings) > 1 {
					t.Errorf("warned again: %q", rec.warnings)
				}
			})
		})
	}
}

func TestARefusalForTheClockIsTriedOnceMoreOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.fault = func(_ string, n int, w http.ResponseWriter) bool {
			// A host whose Date is always another one.
			w.Header().Set("Date", time.Now().Add(time.Duration(n)*time.Hour).UTC().Format(http.TimeFormat))
			refuse(w, 401, "F", "no")
			return true
		}
		s, _ := h.source(nil)
		if _, err := s.Token(context.Background()); !errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]time.Duration{0, 10 * time.Second}, h.times("/token/authenticate")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTemporaryFailuresOfALoginAreRepeatedWithFreshMessages(t *testing.T) {
	for _, code := range []int{408, 429, 500, 502, 503, 504, 599} {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, 35*time.Minute)
			h.fault = func(_ string, n int, w http.ResponseWriter) bool {
				if n > 2 {
					return false
				}
				if code == 429 {
					w.Header().Set("Retry-After", "25")
				}
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(code)
				w.Write([]byte("<html>no"))
				return true
			}
			s, _ := h.source(nil)
			token(t, s)
			at := h.times("/token/authenticate")
			if len(at) != 3 {
				t.Fatalf("%d: %d logins, want 3", code, len(at))
			}
			if code == 429 && (at[1] < 25*time.Second || at[2]-at[1] < 25*time.Second) {
				t.Errorf("Retry-After is not kept: %v", at)
			}
		})
	}
}

func TestATemporaryFailureIsNotRepeatedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.fault = func(_ string, n int, w http.ResponseWriter) bool { w.WriteHeader(502); return true }
		s, _ := h.source(nil)
		_, err := s.Token(context.Background())
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if got := len(h.paths()); got != s.o.Retry.Tries {
			t.Errorf("%d logins, want %d", got, s.o.Retry.Tries)
		}
	})
}

func TestACertificateThatCannotBeUsedSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		old := *testIdentity()
		leaf := *old.Leaf
		leaf.NotAfter = time.Now().Add(-1)
		old.Leaf = &leaf
		s, _ := h.source(func(o *SourceOptions) { o.Login = Certificate{Identity: &old} })
		if _, err := s.Token(context.Background()); !errors.Is(err, keystore.Expired) {
			t.Errorf("got %v", err)
		}
		if len(h.paths()) > 0 {
			t.Errorf("sent %v", h.paths())
		}
	})
}

func TestInvalidateByGeneration(t *testing.T) {
	for _, tt := range []struct {
		name     string
		changing bool // a refresh makes another value
		report   uint64
		want     uint64 // generation afterwards: 2, the refreshed one, or 3, a new login
	}{
		{"the one we have", false, 2, 3},
		{"an earlier one with the same value", false, 1, 3},
		{"an earlier one with another value", true, 1, 2},
		{"one that never was", false, 7, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				h.changing = tt.changing
				s, _ := h.source(nil)
				token(t, s)
				time.Sleep(30 * time.Minute)
				token(t, s)
				s.Invalidate(tt.report)
				if diff := cmp.Diff(tt.want, token(t, s).Generation); diff != "" {
					t.Error(diff)
				}
				// Reported late, once more: nothing happens.
				s.Invalidate(tt.report)
				if diff := cmp.Diff(tt.want, token(t, s).Generation); tt.want == 3 && diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, rec := h.source(nil)
		if err := s.Logout(context.Background()); err != nil || len(h.paths()) > 0 {
			t.Errorf("without a token: %v, %v", err, h.paths())
		}
		s, rec = h.source(nil)
		token(t, s)
		if err := s.Logout(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Logout(context.Background()); err != nil {
			t.Error("the second time:", err)
		}
		if _, err := s.Token(context.Background()); !errors.Is(err, ErrLoggedOut) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff([]string{loginOK, "/token/logout 204"}, h.paths()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]EventKind{LoggedIn, LoggedOut}, rec.kinds()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLogoutEndsARenewalOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.slow["/token/authenticate"] = 30 * time.Second
		s, _ := h.source(nil)
		waiter := make(chan error)
		go func() {
			_, err := s.Token(context.Background())
			waiter <- err
		}()
		time.Sleep(time.Second)
		began := time.Now()
		if err := s.Logout(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-waiter; !errors.Is(err, ErrLoggedOut) || time.Since(began) != 0 {
			t.Errorf("the waiter got %v after %v", err, time.Since(began))
		}
	})
}

func TestValidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, _ := h.source(nil)
		want := Session{User: "batch@example.com", UserGUID: "aa", CustomerGUID: "bb", ExpiresAt: time.Now().Add(35 * time.Minute).Local()}
		got, err := s.Validate(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		h.expireAll()
		if _, err := s.Validate(context.Background()); err != nil {
			t.Error(err)
		}
		want2 := []string{loginOK, "/token/validate 200", "/token/validate 401", loginOK, "/token/validate 200"}
		if diff := cmp.Diff(want2, h.paths()); diff != "" {
			t.Error(diff)
		}
		h.fault = func(p string, _ int, w http.ResponseWriter) bool {
			if p == "/token/validate" {
				refuse(w, 401, "F", "never")
			}
			return p == "/token/validate"
		}
		if _, err := s.Validate(context.Background()); !errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
		if diff := cmp.Diff(append(want2, "/token/validate 401", loginOK, "/token/validate 401"), h.paths()); diff != "" {
			t.Error(diff)
		}
	})
}
