package memory

import (
	"context"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// claim is what is known of a key.
type claim struct {
	epoch int64
	by    *lease // nil: nobody has it
}

// lease is like a kernel's lock: it is held until it is released, or its process ends.
type lease struct {
	of     *Ledger
	key    ledger.Key
	epoch  int64
	holder ledger.Holder
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
	if c.by != nil {
		return nil, &ledger.HeldError{Key: key, By: c.by.holder}
	}
	c.epoch++
	c.by = &lease{of: l, key: key, epoch: c.epoch, holder: by}
	return c.by, nil
}

// Holder implements ledger.Ledger.
func (l *Ledger) Holder(ctx context.Context, key ledger.Key) (*ledger.Holder, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if c := l.claims[key]; c != nil && c.by != nil {
		by := c.by.holder
		return &by, nil
	}
	return nil, nil
}

// Free takes away every lease that a process has, as a kernel does when it ends.
func (l *Ledger) Free(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.claims {
		if c.by != nil && c.by.holder.Runner.PID == pid {
			c.by = nil
		}
	}
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
