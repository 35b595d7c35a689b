package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Ledger is the durable record of runs. Implementations are safe for use by several
// goroutines, and, where they outlive a process, by several processes.
type Ledger interface {
	// Append adds events to a run, in one transaction: all of them, durably, or none.
	// after is the sequence number of the last event that the caller knows, 0 for a new
	// run, whose first event must be RunCreated of this very run. Numbers of the events
	// are given here; times must be set. If the run has moved on, the error is
	// ErrConflict: of two writers one fails. epoch is that of the caller's lease of the
	// run, 0 without leases; a lower one than the run has seen is ErrConflict too, and so is
	// an Intent whose epoch is not that of the last lease of its model, if that was ever
	// taken. Events that cannot follow are an *OrderError. The returned number is that of the last event of
	// the run; without events nothing is added. When ctx ends, the append has happened
	// if and only if the error is nil.
	Append(ctx context.Context, run ID, after int64, epoch int64, events ...Event) (int64, error)

	// Events returns the events of a run after the given number, in order; none is no
	// error. An unknown run is ErrNoRun. If one of them is of an unknown kind, no event
	// is returned, and the error is an *UnknownKindError.
	Events(ctx context.Context, run ID, after int64) ([]Event, error)

	// Runs lists runs, the latest first; of those that started at the same instant, the
	// one that was created last.
	Runs(ctx context.Context, q Query) ([]Summary, error)

	// Take takes a lease: whoever has it is the only one among the runners that share the
	// ledger. Every taking raises the epoch of the key, which begins with 1. If somebody
	// else has it the error is a *HeldError: Take never waits for a lease.
	Take(ctx context.Context, key Key, by Holder) (Lease, error)

	// Holder says who has a lease; nil if nobody has.
	Holder(ctx context.Context, key Key) (*Holder, error)

	// Unsettled lists the starts on a model, of all runs, of which a task may run or come
	// to run: intents that are pending or open, and tasks that have not ended. The earliest
	// first.
	Unsettled(ctx context.Context, host, model string) ([]Start, error)

	// Tasks are the ids of the tasks of an object, of all runs, that were intended after a
	// time.
	Tasks(ctx context.Context, host, model, object string, after time.Time) ([]string, error)

	// Ask leaves a wish for whoever runs a run; Asked gives the latest one, nil if there is
	// none. An unknown run is ErrNoRun.
	Ask(ctx context.Context, run ID, w Wish) error
	Asked(ctx context.Context, run ID) (*Wish, error)

	// Remove takes a run with all its events out of the ledger. A run whose lease somebody
	// has is a *HeldError, an unknown one ErrNoRun.
	Remove(ctx context.Context, run ID) error

	// Where names the ledger for people: "memory", or a path.
	Where() string

	// Close frees what the ledger holds. Later calls fail with ErrClosed; closing again
	// does nothing.
	Close() error
}

// Errors of a ledger, compared with errors.Is.
var (
	ErrNoRun    = errors.New("no such run")
	ErrConflict = errors.New("another runner has written to this run")
	ErrClosed   = errors.New("the ledger is closed")
)

// Query selects runs. Zero fields do not restrict.
type Query struct {
	Job   string
	Run   string // the run id, exactly
	Since time.Time
	Open  bool // only runs that are not closed
	Limit int  // 0: 50

	Updated time.Time // only runs to which something was added then, or later
	Moved   string    // only runs in which the step of this name has uploaded a source, or written a target
}

// Summary is a run in a list.
type Summary struct {
	ID      ID
	Started time.Time
	Updated time.Time
	Ended   time.Time // zero while it runs, or after its runner died
	Verdict Verdict   // empty likewise
	Cause   Cause
	Code    int
	Steps   int
	Done    int  // steps that have ended
	Closed  bool // nothing is left to do
}

// Summary is the state in a line.
func (s State) Summary() Summary {
	sum := Summary{ID: s.Created.ID, Started: s.Started, Updated: s.Updated, Ended: s.Ended, Steps: len(s.Steps), Closed: s.Closed()}
	if s.End != nil {
		sum.Verdict, sum.Cause, sum.Code = s.End.Verdict, s.End.Cause, s.End.Code
	}
	for _, t := range s.Steps {
		if t.End != nil {
			sum.Done++
		}
	}
	return sum
}

// Wants says whether a run is one that the query asks for, apart from what its steps have
// moved.
func (q Query) Wants(s Summary) bool {
	return (q.Job == "" || q.Job == s.ID.Job) && (q.Run == "" || q.Run == s.ID.Run) &&
		(q.Since.IsZero() || !s.Started.Before(q.Since)) && !(q.Open && s.Closed) &&
		(q.Updated.IsZero() || !s.Updated.Before(q.Updated))
}

// Marks are texts by which the events that Moved asks for are found as they are stored. Each
// holds one of them, another event hardly does.
func (q Query) Marks() (uploaded, written string) {
	step, _ := json.Marshal(q.Moved) // a text; never fails
	mark := func(b Body) string { return fmt.Sprintf(`"step":%s,"kind":"%s"`, step, b.Kind()) }
	return mark(SourceUploaded{}), mark(TargetWritten{})
}

// Most is the number of runs that the query wants at most.
func (q Query) Most() int {
	if q.Limit <= 0 {
		return 50
	}
	return q.Limit
}
