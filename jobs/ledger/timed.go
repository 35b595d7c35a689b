package ledger

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Times are the times of leases that expire. Zero fields are those of [Times.Filled].
type Times struct {
	Life  time.Duration // how long a row lives in the store, by the store's clock: 60 s
	Renew time.Duration // from sending one renewal to sending the next: 15 s
	Trust time.Duration // how long a holder trusts the lease, from when it sent the last renewal that succeeded: 40 s
	Retry time.Duration // from a renewal that failed to the next: 3 s
	Limit time.Duration // of one renewal or release: 8 s

	// Now is the wall clock; nil: time.Now. Tests let it jump. The monotonic clock is
	// always that of the process.
	Now func() time.Time
}

// Filled are the times with the usual values where nothing else is said.
func (t Times) Filled() Times {
	fill := func(d *time.Duration, usual time.Duration) {
		if *d <= 0 {
			*d = usual
		}
	}
	fill(&t.Life, 60*time.Second)
	fill(&t.Renew, 15*time.Second)
	fill(&t.Trust, 40*time.Second)
	fill(&t.Retry, 3*time.Second)
	fill(&t.Limit, 8*time.Second)
	if t.Now == nil {
		t.Now = time.Now
	}
	return t
}

// mostBackwards is how far the wall clock may go back against the monotonic one; beyond it
// nobody knows how long the lease was not renewed.
const mostBackwards = time.Second

// Instant is a point in time on the wall clock and on the monotonic clock. The monotonic
// clock stops while a machine sleeps, the wall clock can be set: neither is believed alone.
type Instant struct {
	wall time.Time // without a monotonic reading
	mono time.Time
}

// Instant is now. It is taken before a lease is asked for.
func (t Times) Instant() Instant {
	if t.Now == nil {
		t.Now = time.Now
	}
	return Instant{wall: t.Now().Round(0), mono: time.Now()}
}

// since is how long ago an earlier instant was, on each clock.
func (i Instant) since(earlier Instant) (wall, mono time.Duration) {
	return i.wall.Sub(earlier.wall), i.mono.Sub(earlier.mono)
}

// Timed is a lease of a row that expires by the store's clock, and that was taken by a
// request sent at an instant. It is renewed in the background until it is released or lost;
// it is lost
//
//   - when renew says so, with ErrLeaseLost: the row has another epoch, or is gone;
//   - when either clock says that the last renewal that succeeded was sent Trust ago;
//   - when the wall clock went back by more than a second.
//
// Any other error of renew is tried again while the lease is trusted. renew and release get
// a context that ends after Limit. release is called once, by Release, after the last
// renewal has returned, and also when the lease is lost: it must give back only a row that
// still has this epoch. An error of it is nothing to anybody: the row ends by itself.
// Release waits for it.
func Timed(key Key, epoch int64, sent Instant, t Times, renew, release func(context.Context) error) Lease {
	ctx, stop := context.WithCancel(context.Background())
	l := &timed{key: key, epoch: epoch, times: t.Filled(), sent: sent, release: release, stop: stop,
		ended: make(chan struct{}), given: make(chan struct{})}
	go l.keep(ctx, renew)
	return l
}

type timed struct {
	key      Key
	epoch    int64
	times    Times
	release  func(context.Context) error
	stop     context.CancelFunc
	ended    chan struct{} // closed when the renewing has ended
	given    chan struct{} // closed when the lease was given back
	released atomic.Bool

	mu    sync.Mutex
	sent  Instant       // of the last renewal that succeeded
	ahead time.Duration // the most that the wall clock gained on the monotonic one since then
	lost  bool
}

func (l *timed) Key() Key     { return l.key }
func (l *timed) Epoch() int64 { return l.epoch }

// Release implements Lease.
func (l *timed) Release() {
	if l.released.Swap(true) {
		<-l.given
		return
	}
	defer close(l.given)
	l.lose()
	l.stop()
	<-l.ended
	ctx, cancel := context.WithTimeout(context.Background(), l.times.Limit)
	defer cancel()
	_ = l.release(ctx)
}

// Check implements Lease.
func (l *timed) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.look(l.times.Instant())
}

// look finds out whether the lease is lost. mu is held.
func (l *timed) look(now Instant) error {
	wall, mono := now.since(l.sent)
	l.ahead = max(l.ahead, wall-mono)
	if wall >= l.times.Trust || mono >= l.times.Trust || l.ahead-(wall-mono) > mostBackwards {
		l.lost = true
	}
	if l.lost {
		return ErrLeaseLost
	}
	return nil
}

func (l *timed) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = true
}

// renewed takes in that a renewal succeeded, unless the lease was lost before its answer.
func (l *timed) renewed(sent Instant) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.times.Instant()
	if err := l.look(now); err != nil {
		return err
	}
	wall, mono := now.since(sent)
	l.sent, l.ahead = sent, max(0, wall-mono)
	return nil
}

// left is how long the lease is still trusted if nothing happens.
func (l *timed) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wall, mono := l.times.Instant().since(l.sent)
	return l.times.Trust - max(wall, mono)
}

// keep renews until ctx ends or the lease is lost.
func (l *timed) keep(ctx context.Context, renew func(context.Context) error) {
	defer close(l.ended)
	next := l.times.Renew - time.Since(l.sent.mono)
	for {
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if l.Check() != nil {
			return
		}
		sent := l.times.Instant()
		attempt, cancel := context.WithTimeout(ctx, min(l.times.Limit, l.left()))
		err := renew(attempt)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrLeaseLost):
			l.lose()
			return
		case err != nil:
			next = l.times.Retry
		case l.renewed(sent) != nil:
			return
		default:
			next = l.times.Renew - time.Since(sent.mono)
		}
	}
}
