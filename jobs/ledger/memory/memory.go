// Package memory keeps a ledger in memory, for tests and for commands that leave no
// record.
package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Ledger is a ledger that ends with its process. The zero value is ready for use, by
// several goroutines.
type Ledger struct {
	mu     sync.Mutex
	runs   map[ledger.ID]*record
	order  []ledger.ID
	closed bool
}

type record struct {
	events [][]byte // encoded, so that what was appended cannot change
	state  ledger.State
}

var _ ledger.Ledger = (*Ledger)(nil)

// Append implements ledger.Ledger.
func (l *Ledger) Append(ctx context.Context, id ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ledger.ErrClosed
	}
	r := l.runs[id]
	if r == nil {
		r = &record{}
	}
	if r.state.Seq != after {
		return 0, ledger.ErrConflict
	}
	stored := slices.Clone(r.events)
	for i, e := range events {
		e.Seq = after + int64(i) + 1
		data, err := ledger.Encode(e)
		if err != nil {
			return 0, r.restore(err)
		}
		// What is applied is what will be read again.
		if e, err = ledger.Decode(data); err == nil {
			err = r.state.Apply(e)
		}
		if err != nil {
			return 0, r.restore(err)
		}
		stored = append(stored, data)
	}
	r.events = stored
	if l.runs == nil {
		l.runs = map[ledger.ID]*record{}
	}
	if l.runs[id] == nil {
		l.runs[id] = r
		l.order = append(l.order, id)
	}
	return r.state.Seq, nil
}

// restore takes back what a failed append has applied.
func (r *record) restore(cause error) error {
	events, err := decode(r.events)
	if err != nil {
		return err
	}
	if r.state, err = ledger.Fold(events); err != nil {
		return err
	}
	return cause
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
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ledger.ErrClosed
	}
	r := l.runs[id]
	if r == nil {
		return nil, fmt.Errorf("run %q of job %q: %w", id.Run, id.Job, ledger.ErrNoRun)
	}
	return decode(r.events[min(max(after, 0), int64(len(r.events))):])
}

// Runs implements ledger.Ledger.
func (l *Ledger) Runs(ctx context.Context, q ledger.Query) ([]ledger.Summary, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ledger.ErrClosed
	}
	var found []ledger.Summary
	for _, id := range slices.Backward(l.order) {
		if s := l.runs[id].state.Summary(); q.Wants(s) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b ledger.Summary) int { return b.Started.Compare(a.Started) })
	return found[:min(len(found), q.Most())], nil
}

// Where implements ledger.Ledger.
func (l *Ledger) Where() string { return "memory" }

// Close implements ledger.Ledger.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}
