// Package memory keeps a ledger in memory, for tests and for commands that leave no
// record.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Ledger is a ledger that ends with its process. The zero value is ready for use, by
// several goroutines.
type Ledger struct {
	// Expire makes of leases rows that end by themselves if they are not renewed, as those
	// of a ledger for several machines: see ledger.Timed. Times are theirs. Neither changes
	// once the ledger is in use.
	Expire bool
	Times  ledger.Times

	mu     sync.Mutex
	runs   map[ledger.ID]*record
	order  []ledger.ID
	claims map[ledger.Key]*claim
	timed  []*lease     // that are being renewed
	cut    map[int]bool // by process: its renewals get lost
	closed bool
}

type record struct {
	events [][]byte // encoded, so that what was appended cannot change
	epoch  int64    // the highest
	state  ledger.State
	wish   *ledger.Wish
}

var _ ledger.Ledger = (*Ledger)(nil)

// Append implements ledger.Ledger.
func (l *Ledger) Append(ctx context.Context, id ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	r := l.runs[id]
	if r == nil {
		r = &record{}
	}
	if int64(len(r.events)) != after || epoch < r.epoch {
		return 0, ledger.ErrConflict
	}
	if len(events) == 0 {
		return after, nil
	}
	if err := r.fold(); err != nil {
		return 0, err
	}
	stored := slices.Clone(r.events)
	if err := r.state.Extend(id, events, l.epoch, func(e ledger.Stored) error {
		stored = append(stored, e.Data)
		return nil
	}); err != nil {
		return 0, err // the state may hold some of them; fold will notice
	}
	r.events, r.epoch = stored, epoch
	if l.runs == nil {
		l.runs = map[ledger.ID]*record{}
	}
	if l.runs[id] == nil {
		l.runs[id] = r
		l.order = append(l.order, id)
	}
	return r.state.Seq, nil
}

// fold brings the state up to the events.
func (r *record) fold() error {
	if r.state.Seq == int64(len(r.events)) {
		return nil
	}
	events, err := decode(r.events)
	if err != nil {
		return err
	}
	r.state, err = ledger.Fold(events)
	return err
}

func decode(stored [][]byte) ([]ledger.Event, error) {
	events := make([]ledger.Event, len(stored))
	for i, data := range stored {
		e, err := ledger.Decode(data)
		if err != nil {
			return nil, err
		}
		events[i] = e
	}
	return events, nil
}

// Events implements ledger.Ledger.
func (l *Ledger) Events(ctx context.Context, id ledger.ID, after int64) ([]ledger.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.run(ctx, id)
	if err != nil {
		return nil, err
	}
	return decode(r.events[min(max(after, 0), int64(len(r.events))):])
}

// Runs implements ledger.Ledger.
func (l *Ledger) Runs(ctx context.Context, q ledger.Query) ([]ledger.Summary, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	var found []ledger.Summary
	for _, id := range slices.Backward(l.order) {
		r := l.runs[id]
		if err := r.fold(); err != nil {
			return nil, fmt.Errorf("run %q of job %q: %w", id.Run, id.Job, err)
		}
		if s := r.state.Summary(); q.Wants(s) && r.moved(q) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b ledger.Summary) int { return b.Started.Compare(a.Started) })
	return found[:min(len(found), q.Most())], nil
}

// moved says whether the run has moved what the query asks for.
func (r *record) moved(q ledger.Query) bool {
	uploaded, written := q.Marks()
	return q.Moved == "" || slices.ContainsFunc(r.events, func(e []byte) bool {
		return bytes.Contains(e, []byte(uploaded)) || bytes.Contains(e, []byte(written))
	})
}

// Where implements ledger.Ledger.
func (l *Ledger) Where() string { return "memory" }

// Close implements ledger.Ledger.
func (l *Ledger) Close() error {
	l.mu.Lock()
	l.closed = true
	timed := l.timed
	l.timed = nil
	l.mu.Unlock()
	for _, h := range timed {
		h.timed.Release()
	}
	return nil
}
