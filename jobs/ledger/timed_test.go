package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// row plays the store's side of a lease: it notes when it was renewed, and fails as told.
type row struct {
	began    time.Time
	mu       sync.Mutex
	renewals []time.Duration // when renewals were asked for, from the beginning
	released []time.Duration
	answer   func(ctx context.Context, number int) error // nil: success at once
}

func newRow() *row { return &row{began: time.Now()} }

func (r *row) renew(ctx context.Context) error {
	r.mu.Lock()
	r.renewals = append(r.renewals, time.Since(r.began))
	n := len(r.renewals)
	r.mu.Unlock()
	if r.answer == nil {
		return nil
	}
	return r.answer(ctx, n)
}

func (r *row) release(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released = append(r.released, time.Since(r.began))
	return errors.New("nobody hears this")
}

func (r *row) want(t *testing.T, renewals ...time.Duration) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := cmp.Diff(renewals, r.renewals); d != "" {
		t.Errorf("renewals (-want +got):\n%s", d)
	}
}

func (r *row) take(t Times) Lease {
	return Timed("model/h/m", 7, t.Instant(), t, r.renew, r.release)
}

// held says that the lease is held, and lost that it is not, after the bubble's clock has
// reached a time from the beginning.
func (r *row) held(t *testing.T, l Lease, at time.Duration) {
	t.Helper()
	r.until(at)
	if err := l.Check(); err != nil {
		t.Errorf("after %s: %v, want held", at, err)
	}
}

func (r *row) lost(t *testing.T, l Lease, at time.Duration) {
	t.Helper()
	r.until(at)
	if err := l.Check(); !errors.Is(err, ErrLeaseLost) {
		t.Errorf("after %s: %v, want it lost", at, err)
	}
}

func (r *row) until(at time.Duration) {
	if d := at - time.Since(r.began); d > 0 {
		<-time.After(d)
	}
	synctest.Wait()
}

const sec = time.Second

var errDown = errors.New("the store is down")

func TestTimedRenewsUntilReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		l := r.take(Times{})
		if l.Key() != "model/h/m" || l.Epoch() != 7 {
			t.Errorf("got %s, %d", l.Key(), l.Epoch())
		}
		r.held(t, l, 50*sec)
		l.Release()
		l.Release()
		r.lost(t, l, 200*sec)
		r.want(t, 15*sec, 30*sec, 45*sec)
		if d := cmp.Diff([]time.Duration{50 * sec}, r.released); d != "" {
			t.Errorf("released (-want +got):\n%s", d)
		}
	})
}

func TestTimedTrustsFromWhenItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(ctx context.Context, n int) error {
			if n == 1 { // sent after 15 s, answered after 22 s: trusted until 55 s
				<-time.After(7 * sec)
				return nil
			}
			return errDown
		}
		l := r.take(Times{})
		defer l.Release()
		r.held(t, l, 55*sec-1)
		r.lost(t, l, 55*sec)
		r.want(t, 15*sec, 30*sec, 33*sec, 36*sec, 39*sec, 42*sec, 45*sec, 48*sec, 51*sec, 54*sec)
	})
}

func TestTimedIsTriedAgainWhileTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(_ context.Context, n int) error {
			if n <= 8 {
				return errDown
			}
			return nil
		}
		l := r.take(Times{})
		defer l.Release()
		r.held(t, l, 60*sec)
		r.want(t, 15*sec, 18*sec, 21*sec, 24*sec, 27*sec, 30*sec, 33*sec, 36*sec, 39*sec, 54*sec)
	})
}

func TestTimedIsNotFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(ctx context.Context, n int) error {
			if n < 9 {
				return errDown
			}
			<-time.After(2 * sec) // sent after 39 sec, answered after 41 sec, against the limit'sec will
			return nil
		}
		l := r.take(Times{})
		defer l.Release()
		r.held(t, l, 40*sec-1)
		r.lost(t, l, 200*sec) // nobody has looked meanwhile
		r.want(t, 15*sec, 18*sec, 21*sec, 24*sec, 27*sec, 30*sec, 33*sec, 36*sec, 39*sec)
	})
}

func TestTimedLimitsARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(ctx context.Context, n int) error {
			<-ctx.Done()
			return ctx.Err()
		}
		l := r.take(Times{})
		defer l.Release()
		r.lost(t, l, 40*sec)
		r.until(200 * sec)
		r.want(t, 15*sec, 26*sec, 37*sec)
	})
}

func TestTimedLimitsTheLastRenewalByTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		var ends []time.Duration
		r.answer = func(ctx context.Context, n int) error {
			end, _ := ctx.Deadline()
			ends = append(ends, end.Sub(r.began))
			return errDown
		}
		l := r.take(Times{Retry: 10 * sec})
		r.lost(t, l, 100*sec)
		l.Release()
		r.want(t, 15*sec, 25*sec, 35*sec)
		if d := cmp.Diff([]time.Duration{23 * sec, 33 * sec, 40 * sec}, ends); d != "" {
			t.Errorf("limits (-want +got):\n%s", d)
		}
	})
}

// A renewal that is under way could bring the row back after it was released.
func TestTimedReleaseComesAfterTheLastRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(context.Context, int) error {
			<-time.After(5 * sec)
			return nil
		}
		l := r.take(Times{})
		r.until(16 * sec)
		go l.Release()
		r.lost(t, l, 17*sec)
		l.Release()
		if d := cmp.Diff([]time.Duration{20 * sec}, r.released); d != "" {
			t.Errorf("released (-want +got):\n%s", d)
		}
	})
}

func TestTimedReleaseEndsARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(ctx context.Context, n int) error {
			<-ctx.Done()
			return ctx.Err()
		}
		l := r.take(Times{})
		r.until(16 * sec)
		l.Release()
		if got := time.Since(r.began); got != 16*sec {
			t.Errorf("released after %s", got)
		}
	})
}

func TestTimedAnotherEpochIsLostAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		r.answer = func(context.Context, int) error { return ErrLeaseLost }
		l := r.take(Times{})
		r.held(t, l, 15*sec-1)
		r.lost(t, l, 15*sec)
		r.until(200 * sec)
		r.want(t, 15*sec)
		l.Release() // the row has another epoch: release sees that for itself
	})
}

// clock is a wall clock that the test sets; the bubble's is the monotonic one.
type clock struct {
	mu   sync.Mutex
	gain time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.gain)
}

func (c *clock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gain += d
}

func TestTimedWallClockJumps(t *testing.T) {
	type jump struct{ at, by time.Duration }
	for _, test := range []struct {
		name   string
		jumps  []jump
		heldAt time.Duration
		lostAt time.Duration // 0: never
	}{
		{"forward within trust", []jump{{10 * sec, 25*sec - 1}}, 200 * sec, 0},
		{"forward beyond trust, the machine slept", []jump{{10 * sec, 30 * sec}}, 10*sec - 1, 10 * sec},
		{"back by a second", []jump{{10 * sec, -sec}}, 200 * sec, 0},
		{"back by more", []jump{{10 * sec, -sec - 1}}, 10*sec - 1, 10 * sec},
		{"forward and back within a period", []jump{{5 * sec, 10 * sec}, {6 * sec, -10 * sec}}, 6*sec - 1, 6 * sec},
		{"a bit back in each period", []jump{{10 * sec, -sec}, {20 * sec, -sec}, {40 * sec, -sec}}, 200 * sec, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, r := &clock{}, newRow()
				l := r.take(Times{Now: c.now})
				defer l.Release()
				held := func() bool { return l.Check() == nil }
				for _, j := range test.jumps {
					r.held(t, l, j.at-1)
					r.until(j.at)
					c.jump(j.by)
					held()
				}
				if test.lostAt == 0 {
					r.held(t, l, test.heldAt)
					return
				}
				r.lost(t, l, test.lostAt)
			})
		})
	}
}

// Either clock is enough.
func TestTimedMonotonicClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := &clock{}, newRow()
		r.answer = func(context.Context, int) error { return errDown }
		l := r.take(Times{Now: c.now})
		defer l.Release()
		r.until(10 * sec)
		c.jump(-sec / 2)
		r.held(t, l, 40*sec-1)
		r.lost(t, l, 40*sec)
	})
}

// A wall clock that stands still is one that goes back.
func TestTimedFrozenWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRow()
		stands := time.Now()
		l := r.take(Times{Now: func() time.Time { return stands }})
		defer l.Release()
		r.held(t, l, sec)
		r.lost(t, l, sec+1)
	})
}

// Whoever is stopped and continues looks at the clock before its timers have run.
func TestTimedStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := &clock{}, newRow()
		l := r.take(Times{Now: c.now})
		defer l.Release()
		r.held(t, l, 14*sec)
		c.jump(61 * sec)
		if err := l.Check(); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("got %v", err)
		}
		c.jump(-61 * sec)
		r.lost(t, l, 200*sec)
		r.want(t)
	})
}

func TestTimesFilled(t *testing.T) {
	got := Times{Renew: 1}.Filled()
	got.Now = nil
	if d := cmp.Diff(Times{Life: 60 * sec, Renew: 1, Trust: 40 * sec, Retry: 3 * sec, Limit: 8 * sec}, got); d != "" {
		t.Error(d)
	}
}
