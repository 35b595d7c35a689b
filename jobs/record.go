package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// ledgerError says that the ledger did not record.
type ledgerError struct {
	where string
	err   error
}

func (e *ledgerError) Error() string { return fmt.Sprintf("ledger %s: %v", e.where, e.err) }
func (e *ledgerError) Unwrap() error { return e.err }

// record applies events to the state and appends them to the ledger. Only the owner of
// the state calls it.
//
// A failed append is tried again for a while. What still is not recorded is kept, and goes with the next append: what is known must
// not be lost. From then on every call returns the first failure, even if a later append
// succeeds: after it nothing is started any more.
func (r *run) record(ctx context.Context, step string, bodies ...ledger.Body) error {
	at := r.now().UTC()
	before := len(r.pending)
	for _, b := range bodies {
		e, err := stored(ledger.Event{Seq: r.state.Seq + 1, At: at, Step: step, Body: b})
		if err == nil {
			err = r.state.Apply(e)
		}
		if err != nil {
			return r.fail(err) // our mistake: it is never written
		}
		r.pending = append(r.pending, e)
	}
	told := slices.Clone(r.pending[before:])
	err := r.flush(ctx)
	if r.recorded > 0 { // else there is no run
		for _, e := range told {
			r.log(e)
		}
	}
	return err
}

// stored is an event as it will be read again: the state is folded from that.
func stored(e ledger.Event) (ledger.Event, error) {
	data, err := ledger.Encode(e)
	if err != nil {
		return e, err
	}
	return ledger.Decode(data)
}

// flush appends what is not recorded yet.
func (r *run) flush(ctx context.Context) error {
	if len(r.pending) == 0 || r.closed {
		return r.trouble
	}
	running := ctx
	ctx = context.WithoutCancel(ctx)
	began := time.Now()
	var err error
	for try := 0; ; try++ {
		if try > 0 && (r.trouble != nil || !again(running, began, try)) {
			if try > 1 {
				break
			}
			time.Sleep(100 * time.Millisecond) // the run must go on, or end: once more
		}
		// An append that failed may have been made all the same.
		if r.doubt {
			if failed := r.look(ctx); failed != nil {
				err = failed
				if errors.Is(failed, ledger.ErrConflict) {
					return r.close(failed)
				}
				continue
			}
			if len(r.pending) == 0 {
				return r.trouble
			}
		}
		var seq int64
		if seq, err = r.Ledger.Append(ctx, r.req.ID, r.recorded, r.epoch(), r.pending...); err == nil {
			r.recorded, r.pending, r.doubt = seq, nil, false
			return r.trouble
		}
		if errors.Is(err, ledger.ErrConflict) && r.doubt { // an append of before may have been made only now
			was := r.recorded
			if failed := r.look(ctx); failed != nil && !errors.Is(failed, ledger.ErrConflict) {
				err = failed
				continue
			}
			if len(r.pending) == 0 {
				r.doubt = false
				return r.trouble
			}
			if r.recorded > was {
				continue
			}
		}
		if errors.Is(err, ledger.ErrConflict) || errors.Is(err, ledger.ErrClosed) {
			return r.close(err)
		}
		r.doubt = true
	}
	return r.fail(err)
}

// ledgerPatience is how long a ledger that fails is tried again while nothing else presses:
// a disk may be full for a moment, a server may be started anew.
const ledgerPatience = 30 * time.Second

// again waits before another try of something with the ledger, and says whether there is
// time for it.
func again(ctx context.Context, began time.Time, try int) bool {
	return time.Since(began) < ledgerPatience && sleep(ctx, min(100*time.Millisecond<<(try-1), 5*time.Second))
}

// close gives the ledger up: another runner writes, or it was closed.
func (r *run) close(err error) error {
	r.closed = true
	return r.fail(err)
}

// fail keeps the first failure.
func (r *run) fail(err error) error {
	if r.trouble == nil {
		r.trouble = &ledgerError{r.Ledger.Where(), err}
		if r.recorded > 0 { // else there is no run, and Run says so
			r.logger().Errorf("%v: nothing more is started", r.trouble)
		}
	}
	return r.trouble
}

// look takes from what is pending what the ledger holds already. Events of somebody else
// are ErrConflict.
func (r *run) look(ctx context.Context) error {
	there, err := r.Ledger.Events(ctx, r.req.ID, r.recorded)
	switch {
	case errors.Is(err, ledger.ErrNoRun):
		return nil
	case err != nil:
		return err
	case len(there) > len(r.pending):
		return ledger.ErrConflict
	}
	for i := range there {
		mine, err := ledger.Encode(r.pending[i])
		if err != nil {
			return err
		}
		theirs, err := ledger.Encode(there[i])
		if err != nil {
			return err
		}
		if !bytes.Equal(mine, theirs) {
			return ledger.ErrConflict
		}
	}
	r.recorded += int64(len(there))
	r.pending = r.pending[len(there):]
	return nil
}
