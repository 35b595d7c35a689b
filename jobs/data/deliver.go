package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// Target says where the bytes of a download go.
type Target struct {
	Name string // path or URL; compressed by its ending: .gz .zst .zip
	Keep int    // how many previous ones are kept, as NAME.1, the latest, NAME.2 …
	Done string // name of a marker, written when all targets are in place

	// Before is what the last delivery had in mind whose place this one takes; nil: there
	// was none. What that put in place is not kept.
	Before *Placing
}

// Delivery takes one stream of bytes to several targets. Write all, then Finish, then
// Commit; Abort at any time, which does nothing after Commit. Not safe for concurrent use.
type Delivery struct {
	stores  *Stores
	outlets []*outlet
	pipe    *io.PipeWriter // to the pass, which runs beside the writing
	facts   Facts
	err     error         // of the pass
	seen    chan struct{} // closed when the pass has ended
	state   deliveryState
}

type deliveryState int

const (
	writing deliveryState = iota
	finished
	ended // committed, or aborted
)

// outlet is one target.
type outlet struct {
	Target
	store Store
	w     Writer
	z     io.WriteCloser // writes to w
	sum   storedSum      // of what is written to w, if previous ones are kept
	plan  *Placing       // likewise, when it was looked at
	done  bool           // it is in place
}

// Deliver begins a delivery. The format is that of the bytes. Folders of local targets
// are made. Abort must be called when the delivery does not come to Commit, and ctx must
// last until then.
func (s *Stores) Deliver(ctx context.Context, targets []Target, format Format, checks Checks) (_ *Delivery, err error) {
	if len(targets) == 0 {
		return nil, errors.New("a delivery without a target")
	}
	d := &Delivery{stores: s, seen: make(chan struct{})}
	defer func() {
		if err != nil {
			for _, o := range d.outlets {
				err = errors.Join(err, o.w.Abort())
			}
		}
	}()
	for i, t := range targets {
		if slices.ContainsFunc(targets[:i], func(other Target) bool { return other.Name == t.Name }) {
			return nil, &InputError{Path: Display(t.Name), What: "it is a target twice", Next: "take one out"}
		}
		store, err := s.of(t.Name)
		if err != nil {
			return nil, err
		}
		w, err := store.Create(ctx, t.Name)
		if err != nil {
			return nil, err
		}
		o := &outlet{Target: t, store: store, w: w}
		d.outlets = append(d.outlets, o)
		to := io.Writer(w)
		if t.Keep > 0 {
			to = io.MultiWriter(w, &o.sum)
		}
		if o.z, err = compressed(to, t.Name); err != nil {
			return nil, err
		}
	}
	r, w := io.Pipe()
	d.pipe = w
	in := newPass(ctx, r, format, checks)
	in.download = true
	go func() {
		defer close(d.seen)
		d.facts, d.err = in.run()
		if e, ok := errors.AsType[*InputError](d.err); ok && e.Path == "" {
			e.Path = Display(targets[0].Name)
		}
		_ = r.CloseWithError(d.err) // ends a Write that waits; never fails
	}()
	return d, nil
}

// Write takes bytes. An error of the checks (*GuardError, *InputError) comes as soon as
// it is known.
func (d *Delivery) Write(p []byte) (int, error) {
	if d.state != writing {
		return 0, errors.New("a delivery that has ended is written to")
	}
	if _, err := d.pipe.Write(p); err != nil {
		return 0, err
	}
	for _, o := range d.outlets {
		if _, err := o.z.Write(p); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Finish says that all bytes were written. When it returns, every target is complete and
// durable, and none is in place.
func (d *Delivery) Finish(ctx context.Context) (Facts, error) {
	if d.state != writing {
		return Facts{}, errors.New("a delivery is finished twice")
	}
	_ = d.pipe.Close() // never fails
	if <-d.seen; d.err != nil {
		return Facts{}, d.err
	}
	for _, o := range d.outlets {
		if err := o.z.Close(); err != nil {
			return Facts{}, err
		}
		if err := o.w.Ready(ctx); err != nil {
			return Facts{}, err
		}
	}
	d.state = finished
	d.facts.Modified = time.Now()
	return d.facts, nil
}

// Placing looks at what is in place under the names of targets of which previous ones are
// kept. What it gives is to be recorded before Commit, and to be given to a further
// delivery as Target.Before if nothing says that this one came to its end.
func (d *Delivery) Placing(ctx context.Context) ([]Placing, error) {
	if d.state != finished {
		return nil, errors.New("a delivery is looked at before it is finished")
	}
	var all []Placing
	for _, o := range d.outlets {
		if o.Keep <= 0 {
			continue
		}
		var err error
		if o.plan, err = o.placing(ctx); err != nil {
			return nil, about("look for the previous", o.Name, err)
		}
		all = append(all, *o.plan)
	}
	return all, nil
}

// Commit puts the targets in place, in order, and keeps previous ones where that is
// wanted. Old markers are removed before the first, new ones written after the last.
// After an error placed are the names that are in place nevertheless; the error says so
// too.
func (d *Delivery) Commit(ctx context.Context) (placed []string, err error) {
	if d.state != finished {
		return nil, errors.New("a delivery is committed before it is finished")
	}
	d.state = ended
	defer func() {
		for _, o := range d.outlets {
			err = errors.Join(err, o.w.Abort())
		}
		if err != nil && len(placed) > 0 {
			err = fmt.Errorf("%w; but %s in place already", err, are(placed))
		}
	}()
	var markers []string
	for _, o := range d.outlets {
		if o.Done != "" && !slices.Contains(markers, o.Done) {
			markers = append(markers, o.Done)
		}
	}
	for _, name := range markers {
		if err := d.stores.remove(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, about("remove the old marker", name, err)
		}
	}
	for _, o := range d.outlets {
		err := o.place(ctx)
		if o.done {
			placed = append(placed, o.Name)
		}
		if err != nil {
			return placed, err
		}
	}
	for _, name := range markers {
		if err := d.stores.mark(ctx, name, placed, d.facts); err != nil {
			return placed, about("write the marker", name, err)
		}
	}
	return placed, nil
}

// about is an error as one of what was being done to a file. That of a file system stays
// one: a bare error number would be taken for the network's.
func about(doing, name string, err error) error {
	if _, remote := errors.AsType[*StoreError](err); !remote {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			return &fs.PathError{Op: doing, Path: Display(name), Err: e.Err}
		}
	}
	return fmt.Errorf("%s %s: %w", doing, Display(name), err)
}

func are(names []string) string {
	shown := make([]string, 0, len(names))
	for _, n := range names {
		shown = append(shown, Display(n))
	}
	if len(names) == 1 {
		return quoted(shown) + " is"
	}
	return quoted(shown) + " are"
}

// place keeps the previous file and takes its place.
func (o *outlet) place(ctx context.Context) (err error) {
	if o.Keep > 0 {
		if o.plan == nil {
			o.plan, err = o.placing(ctx)
		}
		if err == nil {
			err = keep(ctx, o.store, o.Name, o.plan, o.Keep)
		}
		if err != nil {
			return about("keep the previous", o.Name, err)
		}
	}
	if err := o.w.Commit(ctx); err != nil {
		return err
	}
	if o.done = true; o.Keep <= 0 {
		return nil
	}
	return forget(ctx, o.store, o.Name, o.Keep)
}

// Abort gives up: nothing was put in place, and nothing is left behind. It may be called
// twice.
func (d *Delivery) Abort() error {
	if d.state == ended {
		return nil
	}
	d.state = ended
	_ = d.pipe.CloseWithError(errAborted) // never fails
	<-d.seen
	var err error
	for _, o := range d.outlets {
		err = errors.Join(err, o.w.Abort())
	}
	return err
}

var errAborted = errors.New("the delivery was given up")
