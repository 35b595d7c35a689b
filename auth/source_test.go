package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
				time.Sleep(time.Nanosecond)
				token(t, s)
				if diff := cmp.Diff([]string{loginOK, refreshOK}, h.paths()); diff != "" {
					t.Error(diff)
				}
				if got, want := len(rec.warnings), map[bool]int{true: 0, false: 1}[offset == 0]; got != want {
					t.Errorf("%d warnings %q, want %d", got, rec.warnings, want)
				}
				// The answer took 4 s, and its Date leaves out up to one.
				if off, known := s.ClockOff(); !known || (off+offset).Abs() > 5*time.Second {
					t.Errorf("our clock is %s ahead (known: %v), want about %s", off, known, -offset)
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
