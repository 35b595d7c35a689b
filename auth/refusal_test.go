package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/google/go-cmp/cmp"
)

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
		time.Sleep(time.Nanosecond)
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
