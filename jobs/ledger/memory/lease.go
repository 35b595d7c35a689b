package memory

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// claim is what is known of a key.
type claim struct {
	epoch int64
	by    *lease    // nil: nobody has it
	until time.Time // when it expires; zero: never
}

// held says whether somebody has the key.
func (c *claim) held() bool {
	return c != nil && c.by != nil && (c.until.IsZero() || time.Now().Before(c.until))
}

// lease is like a kernel's lock: it is held until it is released, or its process ends.
type lease struct {
	of     *Ledger
	key    ledger.Key
	epoch  int64
	holder ledger.Holder
	timed  ledger.Lease // what renews it, if leases expire
	dead   bool         // its process has ended: it is not given back
}

// Take implements ledger.Ledger.
func (l *Ledger) Take(ctx context.Context, key ledger.Key, by ledger.Holder) (ledger.Lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if l.claims == nil {
		l.claims = map[ledger.Key]*claim{}
	}
	c := l.claims[key]
	if c == nil {
		c = &claim{}
		l.claims[key] = c
	}
	if c.held() {
		return nil, &ledger.HeldError{Key: key, By: c.by.holder}
	}
	c.epoch++
	h := &lease{of: l, key: key, epoch: c.epoch, holder: by}
	c.by = h
	if !l.Expire {
		return h, nil
	}
	times := l.Times.Filled()
	c.until = time.Now().Add(times.Life)
	h.timed = ledger.Timed(key, c.epoch, times.Instant(), times, h.renew, h.giveBack)
	l.timed = append(slices.DeleteFunc(l.timed, func(h *lease) bool { return l.claims[h.key].by != h }), h)
	return h.timed, nil
}

// Holder implements ledger.Ledger.
func (l *Ledger) Holder(ctx context.Context, key ledger.Key) (*ledger.Holder, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if c := l.claims[key]; c.held() {
		by := c.by.holder
		return &by, nil
	}
	return nil, nil
}

// Free ends every lease that a process has, as a kernel does when it ends. Leases that
// expire are no longer renewed, and stay in the way of others until then.
func (l *Ledger) Free(pid int) {
	l.mu.Lock()
	var ended []*lease
	for _, c := range l.claims {
		if c.by == nil || c.by.holder.Runner.PID != pid {
			continue
		}
		if c.by.timed == nil {
			c.by = nil
			continue
		}
		c.by.dead = true
		ended = append(ended, c.by)
	}
	l.mu.Unlock()
	for _, h := range ended {
		h.timed.Release()
	}
}

// Cut says whether the renewals of a process get lost from here on, where leases expire: the
// process goes on, and so does time.
func (l *Ledger) Cut(pid int, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == nil {
		l.cut = map[int]bool{}
	}
	l.cut[pid] = cut
}

var errCut = errors.New("the renewal was lost")

// renew is what is sent to renew a lease that expires.
func (h *lease) renew(context.Context) error {
	l := h.of
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.claims[h.key]
	switch {
	case c.by != h:
		return ledger.ErrLeaseLost
	case l.cut[h.holder.Runner.PID]:
		return errCut
	}
	c.until = time.Now().Add(l.Times.Filled().Life)
	return nil
}

// giveBack is what is sent to give back a lease that expires.
func (h *lease) giveBack(context.Context) error {
	l := h.of
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut[h.holder.Runner.PID] && !l.closed {
		return errCut
	}
	if c := l.claims[h.key]; c.by == h && !h.dead {
		c.by = nil
	}
	return nil
}

// epoch is the last one of a key, 0 if it was never taken.
func (l *Ledger) epoch(key ledger.Key) (int64, error) {
	if c := l.claims[key]; c != nil {
		return c.epoch, nil
	}
	return 0, nil
}

// Key implements ledger.Lease.
func (h *lease) Key() ledger.Key { return h.key }

// Epoch implements ledger.Lease.
func (h *lease) Epoch() int64 { return h.epoch }

// Check implements ledger.Lease.
func (h *lease) Check() error {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if h.of.closed || h.of.claims[h.key].by != h {
		return ledger.ErrLeaseLost
	}
	return nil
}

// Release implements ledger.Lease.
func (h *lease) Release() {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if c := h.of.claims[h.key]; c.by == h {
		c.by = nil
	}
}
