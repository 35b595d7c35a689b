package auth

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
		time.Sleep(time.Nanosecond)
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
