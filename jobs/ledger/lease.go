package ledger

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Key names what a lease is for. Leases are taken in the order job, run, model, file, of one
// kind sorted, and never one of an earlier kind while one of a later kind is held, so that
// runners cannot wait for one another in a ring.
type Key string

// JobKey is the key of a job: of its runs one at a time has it.
func JobKey(job string) Key { return key("job", job) }

// RunKey is the key of a run: who has it, and nobody else, continues the run.
func RunKey(run ID) Key { return key("run", run.Job, run.Run) }

// ModelKey is the key of a model. It is held from before the intent to start a task until
// the task has ended and what it left is here.
func ModelKey(m ModelRef) Key { return key("model", m.Host, m.ID) }

// FileKey is the key of a server file as a user sees it: uploads are private
// (anaplan-api.md 8.3). It is held from the first chunk until the import that reads the
// file has ended; where these are two steps it is taken anew, and the epoch tells whether
// somebody else had it in between.
func FileKey(m ModelRef, file, user string) Key { return key("file", m.Host, m.ID, file, user) }

func key(kind string, parts ...string) Key {
	for _, p := range parts {
		kind += "/" + url.PathEscape(p)
	}
	return Key(kind)
}

// words names what the key is for, for people.
func (k Key) words() string {
	parts := strings.Split(string(k), "/")
	for i, p := range parts {
		if plain, err := url.PathUnescape(p); err == nil {
			parts[i] = plain
		}
	}
	switch {
	case parts[0] == "job" && len(parts) == 2:
		return fmt.Sprintf("job %q", parts[1])
	case parts[0] == "run" && len(parts) == 3:
		return fmt.Sprintf("run %q of job %q", parts[2], parts[1])
	case parts[0] == "model" && len(parts) == 3:
		return "model " + parts[2]
	case parts[0] == "file" && len(parts) == 5:
		return fmt.Sprintf("server file %s of model %s", parts[3], parts[2])
	}
	return string(k)
}

// Holder says who has a lease, for people.
type Holder struct {
	Runner Runner    `json:"runner"`
	Run    ID        `json:"run"`
	Step   string    `json:"step,omitempty"`
	Since  time.Time `json:"since"` // by the clock of who took it
}

// String is "run … of job …, step …, process … of user@host since …".
func (h Holder) String() string {
	text := fmt.Sprintf("run %q of job %q", h.Run.Run, h.Run.Job)
	if h.Step != "" {
		text += fmt.Sprintf(", step %q", h.Step)
	}
	return text + fmt.Sprintf(", process %d of %s on %s, since %s", h.Runner.PID, h.Runner.User, h.Runner.Host,
		h.Since.Local().Format("2006-01-02 15:04:05"))
}

// Lease is a lease that was taken. Its methods may be called by several goroutines.
type Lease interface {
	Key() Key
	Epoch() int64

	// Check says whether the lease is still held for certain; if not the error is
	// ErrLeaseLost. It does not wait and asks nobody. A lost lease is never found again.
	Check() error

	// Release gives the lease back. A second call does nothing.
	Release()
}

// ErrLeaseLost says that a lease may belong to somebody else by now: nothing is started and
// nothing uploaded under it. To watch and to fetch needs no lease.
var ErrLeaseLost = errors.New("the lease is lost: another runner may go on in its place")

// HeldError says that somebody else has a lease.
type HeldError struct {
	Key Key
	By  Holder
}

func (e *HeldError) Error() string { return fmt.Sprintf("%s is held by %s", e.Key.words(), e.By) }

// Start is a start of a task as other runs see it.
type Start struct {
	Run    ID
	Step   string
	Verb   string
	Object ObjectRef
	Intent IntentState // without its Before and Result
}

// Wish is what a person wants of a run that somebody else runs.
type Wish struct {
	What string    `json:"what"` // WishCancel, WishDetach
	By   string    `json:"by"`   // user@host
	At   time.Time `json:"at"`
	Seq  int64     `json:"seq"` // of the last event of the run when it was left; set by Ask
}

// The wishes: that Anaplan's tasks are cancelled, or left running, and nothing new starts.
const (
	WishCancel = "cancel"
	WishDetach = "detach"
)
