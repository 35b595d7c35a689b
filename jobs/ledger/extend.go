package ledger

import (
	"fmt"
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
// in. Every ledger appends through it. After an error the state may hold some of the
// events: it must be thrown away, and what was kept taken back.
func (s *State) Extend(run ID, events []Event, keep func(Stored) error) error {
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
		if err := keep(Stored{e, data}); err != nil {
			return err
		}
	}
	return nil
}
