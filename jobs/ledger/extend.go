package ledger

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// mostIDChars is the length of a run id at most (design: 1 to 250 characters of any kind).
const mostIDChars = 250

// Check says what is wrong with the names of a run: the run id must have 1 to 250
// characters, and both names must be text without NUL, which no command line and not
// every ledger can hold. Slashes, quotes, blanks and line ends are all right.
func (id ID) Check() error {
	switch n := utf8.RuneCountInString(id.Run); {
	case n == 0:
		return fmt.Errorf("the run id is empty")
	case n > mostIDChars:
		return fmt.Errorf("the run id has %d characters, %d are allowed", n, mostIDChars)
	}
	for _, name := range []string{id.Job, id.Run} {
		if !utf8.ValidString(name) {
			return fmt.Errorf("%q is not valid UTF-8", name)
		}
		if strings.ContainsRune(name, 0) {
			return fmt.Errorf("%q holds a NUL character", name)
		}
	}
	return nil
}

// Stored is an event as a ledger keeps it, and as it will be read again.
type Stored struct {
	Event
	Data []byte // what Encode made of it
}

// Extend gives events their numbers, checks that they may follow what the state knows of
// this run, and calls keep with each as it is to be stored, after the state has taken it
// in. last is the last epoch of a lease, 0 if it was never taken; it is asked for the model
// of every Intent, and one of another epoch is ErrConflict. Every ledger appends through
// it. After an error the state may hold some of the events: it must be thrown away, and
// what was kept taken back.
func (s *State) Extend(run ID, events []Event, last func(Key) (int64, error), keep func(Stored) error) error {
	if err := run.Check(); err != nil {
		return err
	}
	for _, e := range events {
		e.Seq = s.Seq + 1
		if e.At.IsZero() {
			return fmt.Errorf("event %d has no time", e.Seq)
		}
		if c, ok := e.Body.(RunCreated); ok && c.ID != run {
			return fmt.Errorf("event %d creates run %q of job %q in the record of run %q of job %q", e.Seq, c.ID.Run, c.ID.Job, run.Run, run.Job)
		}
		data, err := Encode(e)
		if err != nil {
			return err
		}
		// What is applied is what will be read again.
		if e, err = Decode(data); err != nil {
			return err
		}
		if err := s.Apply(e); err != nil {
			return err
		}
		if err := s.fence(e, last); err != nil {
			return err
		}
		if err := keep(Stored{e, data}); err != nil {
			return err
		}
	}
	return nil
}

// fence refuses an intent, which the state has taken in, under another lease of its model
// than the last one.
func (s *State) fence(e Event, last func(Key) (int64, error)) error {
	b, ok := e.Body.(Intent)
	if !ok {
		return nil
	}
	at := slices.IndexFunc(s.Steps, func(t StepState) bool { return t.Plan.Name == e.Step })
	key := ModelKey(s.Steps[at].Model)
	switch epoch, err := last(key); {
	case err != nil:
		return err
	case epoch != 0 && epoch != b.Epoch:
		return fmt.Errorf("intent %d under lease %d of %s, whose last one is %d: %w", b.Number, b.Epoch, key, epoch, ErrConflict)
	}
	return nil
}
