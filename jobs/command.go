package jobs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// commandTimeout is how long a step's program may run.
const commandTimeout = time.Hour

// errLimit is the cause with which a program's context ends when its time is over.
var errLimit = errors.New("its time is over")

// command runs the step's program, once: that it begins is recorded before it is started.
// What an earlier runner left is judged, or done again if the job says that it may be.
func (s *step) command(ctx context.Context) *ending {
	if c := s.ran; c != nil {
		end := s.commandLeft(ctx, *c)
		if end != nil {
			return end
		}
		s.ran = nil
	}
	if s.run.only {
		return stopEnding() // nothing starts
	}
	argv := s.plan.Argv
	if _, err := FindProgram(s.run.req.Plan.Job.Dir, argv); err != nil && s.run.Exec == nil {
		return s.failed(ctx, "start it", err)
	}
	if err := s.outlastPrograms(ctx); err != nil {
		return s.failed(ctx, "start it", err)
	}
	s.programs++
	unbegun := func(err error) *ending {
		s.note(ledger.CommandEnded{Code: -1, Error: fmt.Sprintf("it was not started: %v", err)})
		return s.failed(ctx, "start it", err)
	}
	if err := s.record(ledger.CommandStarted{Program: filepath.Base(argv[0])}); err != nil {
		return unbegun(err) // it may be another runner's to begin, and to lock
	}
	lock, unlock := s.lockProgram() // before the check: who takes the run over looks at it after
	defer unlock()
	err := context.Cause(ctx)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return unbegun(err)
	}
	s.progress(Progress{Phase: PhaseRun, Text: filepath.Base(argv[0]), Done: -1})
	limited, cancel := context.WithTimeoutCause(ctx, s.commandLimit(), errLimit)
	defer cancel()
	began := time.Now()
	var last lastLines
	exit, err := s.exec(limited, Program{Argv: argv, Lock: lock}, &last)
	ended := ledger.CommandEnded{Code: exit.Code, Took: time.Since(began)}
	switch {
	case err != nil:
		ended.Code, ended.Error = -1, err.Error()
	case exit.Stopped && ctx.Err() == nil:
		ended.Why, ended.Tail = ledger.CauseTime, last.lines
	case exit.Stopped:
		ended.Why, ended.Tail = ledger.CauseSignal, last.lines
	case exit.Code != 0:
		ended.Tail = last.lines
	}
	s.note(ended)
	switch {
	case err != nil:
		return s.failed(ctx, "start it", err)
	case ended.Why != ledger.CauseSignal:
		return s.commandEnded(ended)
	}
	if h := s.run.halted(ctx); h != nil && h.cancel {
		end := s.commandEnded(ended)
		end.Cause, end.Stopped = h.asked.Cause, true
		if h.asked.Cause == ledger.CauseTime {
			end.Verdict = ledger.TimedOut
		}
		end.Message += ": " + h.asked.Text
		return end
	}
	return stopEnding()
}

// commandLeft is what becomes of a program that an earlier runner began; nil if it is to be
// run again.
func (s *step) commandLeft(ctx context.Context, c ledger.CommandState) *ending {
	again := func(why string) *ending {
		if s.run.only || s.run.halted(ctx) != nil {
			return stopEnding()
		}
		return asEnding(s.record(ledger.StepReopened{Rerun: true, Why: why}))
	}
	runs := ""
	if c.End == nil {
		runs = s.programRuns()
	}
	if s.run.only && runs != "" {
		s.note(ledger.Warned{Text: s.describe() + ": " + runs})
	}
	switch {
	case c.End != nil && c.End.Why == ledger.CauseSignal && rerunSafe(s.plan) && !s.run.only:
		return again("its program was ended because the run was stopped, and the job says that it may be run again")
	case c.End != nil:
		return s.commandEnded(*c.End)
	case rerunSafe(s.plan):
		return again("its program had begun, and nothing says how it ended; the job says that it may be run again")
	case s.run.only:
		return stopEnding()
	}
	resume := func(flag string) string { return ledger.ResumeCommand(s.run.req.ID, flag, s.plan.Name) }
	message := fmt.Sprintf("%s: it was begun %s, and nothing says whether it did its work: its runner is gone", s.describe(), c.At.UTC().Format(time.RFC3339))
	if runs != "" {
		message += "; " + runs
	}
	return &ending{StepEnded: ledger.StepEnded{Verdict: ledger.Unsure, Cause: ledger.CauseStartUnknown, Message: message,
		Next: fmt.Sprintf("look at what it did, and whether it still runs; nothing was repeated; to run it once more: %s; if it did its work: %s",
			resume("--again"), resume("--accept"))}}
}

// commandEnded is the ending of a step whose program ended. It is pure.
func (s *step) commandEnded(c ledger.CommandEnded) *ending {
	took := c.Took.Round(time.Millisecond)
	end := func(v ledger.Verdict, cause ledger.Cause, next, format string, args ...any) *ending {
		text := s.describe() + ": " + fmt.Sprintf(format, args...)
		if v != ledger.OK {
			text += printed(c.Tail)
		}
		return &ending{StepEnded: ledger.StepEnded{Verdict: v, Cause: cause, Message: text, Next: next}}
	}
	switch {
	case c.Why == ledger.CauseTime:
		return end(ledger.TimedOut, ledger.CauseTime, "find out why it took so long, or raise the step's timeout",
			"it was ended after %s, its limit is %s", took, s.commandLimit())
	case c.Why == ledger.CauseSignal:
		return end(ledger.Cancelled, ledger.CauseAction, "see what it had done", "it was ended after %s because the run was stopped", took)
	case c.Code != 0:
		code := fmt.Sprintf("exit code %d", c.Code)
		if c.Code < 0 {
			code = "ended by a signal"
		}
		return end(ledger.Failed, ledger.CauseAction, "see why it failed: its lines are in the log with --debug", "%s after %s", code, took)
	}
	return end(ledger.OK, "", "", "exit code 0 after %s", took)
}

func (s *step) commandLimit() time.Duration {
	if s.plan.Timeout > 0 {
		return s.plan.Timeout
	}
	return commandTimeout
}
