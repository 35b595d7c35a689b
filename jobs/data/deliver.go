package data

import (
	"context"
	"errors"
)

// Target says where the bytes of a download go.
type Target struct {
	Name string // path or URL; compressed by its ending: .gz .zst .zip
	Keep int    // how many previous ones are kept, as NAME.1, the latest, NAME.2 …
	Done string // name of a marker, written when all targets are in place
}

// Delivery takes one stream of bytes to several targets. Write all, then Finish, then
// Commit; Abort at any time, which does nothing after Commit. Not safe for concurrent use.
type Delivery struct{}

// Deliver begins a delivery. The format is that of the bytes. Folders of local targets
// are made. Abort must be called when the delivery does not come to Commit.
func (s *Stores) Deliver(ctx context.Context, targets []Target, format Format, checks Checks) (*Delivery, error) {
	return nil, errors.New("nothing is delivered yet")
}

// Write takes bytes. An error of the checks (*GuardError, *InputError) comes as soon as
// it is known.
func (d *Delivery) Write(p []byte) (int, error) { return 0, errors.New("nothing is delivered yet") }

// Finish says that all bytes were written. When it returns, every target is complete and
// durable, and none is in place.
func (d *Delivery) Finish(ctx context.Context) (Facts, error) {
	return Facts{}, errors.New("nothing is delivered yet")
}

// Commit puts the targets in place, in order, and keeps previous ones where that is
// wanted. Old markers are removed before the first, new ones written after the last.
// After an error placed are the names that are in place nevertheless; the error says so
// too.
func (d *Delivery) Commit(ctx context.Context) (placed []string, err error) {
	return nil, errors.New("nothing is delivered yet")
}

// Abort gives up: nothing was put in place, and nothing is left behind. It may be called
// twice.
func (d *Delivery) Abort() error { return nil }
