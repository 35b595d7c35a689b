package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// A wait looks every so often; a local source must stay as it is for so long.
const (
	lookLocal  = 2 * time.Second
	lookRemote = 15 * time.Second
	quiet      = 10 * time.Second
)

// Await is Find for a source that may not be there yet. It returns when the marker is
// there, or, without one, when the files are there and, if they are local, had the same
// size and time for 10 seconds. told, if not nil, is called with what is waited for
// whenever that changes. A wait that reaches its limit is an *InputError.
func (s *Stores) Await(ctx context.Context, src Source, w WaitFor, told func(string)) (Found, error) {
	if w.Limit <= 0 || src.Name == stdin {
		return s.Find(ctx, src)
	}
	if told == nil {
		told = func(string) {}
	}
	wait := waiting{stores: s, src: src, marker: w.Name}
	limit := time.NewTimer(w.Limit)
	defer limit.Stop()
	said := ""
	for {
		found, why, err := wait.look(ctx)
		if err != nil || why == "" {
			return found, err
		}
		if why != said {
			told(why)
			said = why
		}
		every := lookRemote
		if !Remote(or(wait.marker, src.Name)) {
			every = lookLocal
		}
		again := time.NewTimer(every)
		select {
		case <-again.C:
		case <-limit.C:
			again.Stop()
			return Found{}, &InputError{Path: Display(src.Name), What: fmt.Sprintf("after %s: %s", w.Limit, why), Err: wait.last,
				Next: "find out why it was not written, or raise the limit of wait_for"}
		case <-ctx.Done():
			again.Stop()
			return Found{}, context.Cause(ctx)
		}
	}
}

// waiting is one wait for a source.
type waiting struct {
	stores *Stores
	src    Source
	marker string
	seen   []Entry   // at the last look
	since  time.Time // they are as they are
	last   error     // why the last look saw nothing
}

// look says which files the source is, or why it is waited for.
func (w *waiting) look(ctx context.Context) (found Found, why string, err error) {
	w.last = nil
	if w.marker != "" {
		all, err := w.stores.list(ctx, Source{Name: w.marker})
		if err := w.lasting(ctx, err); err != nil || w.last != nil {
			return Found{}, "waiting for the marker " + Display(w.marker) + ", which cannot be looked for", err
		}
		if len(all) == 0 {
			return Found{}, "waiting for the marker " + Display(w.marker), nil
		}
		found, err := w.stores.Find(ctx, w.src) // its maker says that it is there
		return found, "", err
	}
	all, err := w.stores.list(ctx, w.src)
	if err := w.lasting(ctx, err); err != nil || w.last != nil {
		return Found{}, "waiting for " + Display(w.src.Name) + ", which cannot be looked for", err
	}
	if len(all) == 0 {
		w.seen = nil
		return Found{}, "waiting for " + Display(w.src.Name), nil
	}
	if found, err = pick(w.src, all); err != nil || Remote(w.src.Name) {
		return found, "", err
	}
	if now := time.Now(); !slices.EqualFunc(w.seen, found.Entries, Entry.Same) {
		w.seen, w.since = found.Entries, now
	} else if now.Sub(w.since) >= quiet {
		return found, "", nil
	}
	return Found{}, fmt.Sprintf("waiting until %s has not changed for %s", Display(w.src.Name), quiet), nil
}

// lasting is an error that waiting does not mend. Another is kept, to say at the end.
func (w *waiting) lasting(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, ErrDenied):
		return err
	}
	if e, ok := errors.AsType[*InputError](err); ok && e.Err == nil {
		return err
	}
	w.last = err
	return nil
}
