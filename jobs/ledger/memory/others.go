package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Unsettled implements ledger.Ledger.
func (l *Ledger) Unsettled(ctx context.Context, host, model string) ([]ledger.Start, error) {
	var found []ledger.Start
	err := l.everyRun(ctx, func(s *ledger.State) { found = append(found, s.Unsettled(host, model)...) })
	if err != nil {
		return nil, err
	}
	ledger.SortStarts(found)
	return found, nil
}

// Tasks implements ledger.Ledger.
func (l *Ledger) Tasks(ctx context.Context, host, model, object string, after time.Time) ([]string, error) {
	var found []string
	err := l.everyRun(ctx, func(s *ledger.State) { found = append(found, s.Tasks(host, model, object, after)...) })
	if err != nil {
		return nil, err
	}
	slices.Sort(found)
	return found, nil
}

// everyRun calls do with the state of every run, in the order in which they were created.
func (l *Ledger) everyRun(ctx context.Context, do func(*ledger.State)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(ctx); err != nil {
		return err
	}
	for _, id := range l.order {
		r := l.runs[id]
		if err := r.fold(); err != nil {
			return fmt.Errorf("run %q of job %q: %w", id.Run, id.Job, err)
		}
		do(&r.state)
	}
	return nil
}

// Ask implements ledger.Ledger.
func (l *Ledger) Ask(ctx context.Context, id ledger.ID, w ledger.Wish) error {
	if err := w.Check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.run(ctx, id)
	if err != nil {
		return err
	}
	w.Seq = int64(len(r.events))
	r.wish = &w
	return nil
}

// Asked implements ledger.Ledger.
func (l *Ledger) Asked(ctx context.Context, id ledger.ID) (*ledger.Wish, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, err := l.run(ctx, id)
	if err != nil || r.wish == nil {
		return nil, err
	}
	w := *r.wish
	return &w, nil
}

// Remove implements ledger.Ledger.
func (l *Ledger) Remove(ctx context.Context, id ledger.ID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.run(ctx, id); err != nil {
		return err
	}
	if c := l.claims[ledger.RunKey(id)]; c.held() {
		return &ledger.HeldError{Key: c.by.key, By: c.by.holder}
	}
	delete(l.runs, id)
	l.order = slices.DeleteFunc(l.order, func(other ledger.ID) bool { return other == id })
	return nil
}

// run finds a run. The caller has the lock.
func (l *Ledger) run(ctx context.Context, id ledger.ID) (*record, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	r := l.runs[id]
	if r == nil {
		return nil, fmt.Errorf("run %q of job %q: %w", id.Run, id.Job, ledger.ErrNoRun)
	}
	return r, nil
}

// usable says why no call can be made. The caller has the lock.
func (l *Ledger) usable(ctx context.Context) error {
	if l.closed {
		return ledger.ErrClosed
	}
	return ctx.Err()
}
