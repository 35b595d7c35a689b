package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// programFile is the file that the nth start of the step's program is locked by: on Unix a
// program outlives a runner that is killed. It does not lie in the spool, which the next runner
// sweeps.
func (s *step) programFile(n int) string {
	return filepath.Join(s.run.runDir(), "programs", ledger.DirName(ledger.ID{Job: s.plan.Name, Run: strconv.Itoa(n)})+".lock")
}

// lockProgram locks the file of the step's last start, if that can be done. unlock is called
// when the program has ended: what it left behind is nobody's concern.
func (s *step) lockProgram() (lock *os.File, unlock func()) {
	file := s.programFile(s.programs)
	lock, err := lockProgram(file)
	if err != nil {
		s.note(ledger.Warned{Text: fmt.Sprintf("if this runner is killed, it cannot be told whether its program goes on: %v", err)})
	}
	if lock == nil {
		return nil, func() {}
	}
	return lock, func() {
		_ = lock.Close() // if it was not begun
		_ = os.Remove(file)
	}
}

// programLeft is a program of which it is not known how it ended, and which may run on this
// machine.
type programLeft struct {
	file  string
	since time.Time
	group string // its process group; empty if that is not known
}

func (e *programLeft) Error() string {
	text := "begun " + e.since.UTC().Format(time.RFC3339)
	if e.group != "" {
		text = "process group " + e.group + ", " + text
	}
	return text
}

// Explain implements explained.
func (e *programLeft) Explain() (ledger.Cause, string) {
	next := "wait until it has ended, or end it"
	if e.group != "" {
		next += ": kill -- -" + e.group
	}
	return ledger.CauseBusy, next
}

// runsOn is the first program of the step that an earlier runner began and that still runs on
// this machine; nil: none. One that closes what it inherits is not seen.
func (s *step) runsOn() (*programLeft, error) {
	for _, left := range s.orphans {
		runs, group, err := locksProgram(left.file)
		if runs {
			left.group = group
			return &left, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// programRuns says in words that a program still runs, or that this cannot be told; empty: none
// does.
func (s *step) programRuns() string {
	switch left, err := s.runsOn(); {
	case err != nil:
		return fmt.Sprintf("whether it still runs cannot be told: %v", err)
	case left != nil:
		return fmt.Sprintf("it still runs: %v", left)
	}
	return ""
}

// outlastPrograms waits until what earlier runners began has ended: no program runs beside
// itself.
func (s *step) outlastPrograms(ctx context.Context) error {
	try := func() error {
		if err := s.late(); err != nil {
			return err
		}
		left, err := s.runsOn()
		if left != nil {
			return left
		}
		return err
	}
	why := func(err error) reason {
		if _, ok := errors.AsType[*programLeft](err); ok {
			return reasonProgram
		}
		return ""
	}
	return s.run.waits(ctx, s.plan.Wait, try, why, s.waiting)
}
