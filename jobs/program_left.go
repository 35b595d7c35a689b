package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// programFile is the file that the nth start of the step's program is locked by: on Unix a
// program outlives a runner that is killed. It does not lie in the spool, which the next runner
// sweeps.
func (r *run) programFile(step string, n int) string {
	return filepath.Join(r.runDir(), "programs", ledger.DirName(ledger.ID{Job: step, Run: strconv.Itoa(n)})+".lock")
}

// lockProgram locks the file of the step's last start, if that can be done. unlock is called
// when the program has ended: what it left behind is nobody's concern.
func (s *step) lockProgram() (lock *os.File, unlock func()) {
	file := s.run.programFile(s.plan.Name, s.programs)
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
func (s *step) runsOn() (*programLeft, error) { return running(s.orphans) }

// orphans are the programs of a step of which it is not known how they ended.
func (r *run) orphans(t *ledger.StepState) (all []programLeft) {
	for i, c := range t.Commands {
		if c.End == nil {
			all = append(all, programLeft{file: r.programFile(t.Plan.Name, i+1), since: c.At})
		}
	}
	return all
}

// running is the first that still runs. The error is of one of which it cannot be told, if
// none is known to run.
func running(orphans []programLeft) (_ *programLeft, failed error) {
	for _, left := range orphans {
		runs, group, err := locksProgram(left.file)
		if runs {
			left.group = group
			return &left, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// checkPrograms says which step a person takes for ok though its program runs.
func (r *run) checkPrograms(c Continuation) error {
	for i := range r.state.Steps {
		t := &r.state.Steps[i]
		if !slices.Contains(c.Accept, t.Plan.Name) {
			continue
		}
		if left, _ := running(r.orphans(t)); left != nil { // what cannot be told, a person decides
			_, next := left.Explain()
			return &DecisionError{"--accept", t.Plan.Name, "its program still runs: " + left.Error(), next}
		}
	}
	return nil
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
		if err != nil { // that helps nobody who has decided, or whose program may run again
			s.note(ledger.Warned{Text: fmt.Sprintf("whether a program that an earlier runner began still runs cannot be told: %v", err)})
		}
		return nil
	}
	why := func(err error) reason {
		if _, ok := errors.AsType[*programLeft](err); ok {
			return reasonProgram
		}
		return ""
	}
	return s.run.waits(ctx, s.plan.Wait, try, why, s.waiting)
}
