package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Limits of watching a task.
const (
	defaultTimeout = 24 * time.Hour
	// cancelWait is how long a cancel is followed: Anaplan cancels only while it can roll
	// back, else the task runs to its end (anaplan-api.md 11.7).
	cancelWait = 15 * time.Minute
	// goneLimit is how long a task may be unknown (404) before it is given up: its model
	// may have been moved, or our access taken.
	goneLimit = 15 * time.Minute
	// pollLimit bounds one poll with its repeats, so that limits are kept though Anaplan
	// hangs.
	pollLimit = 2 * time.Minute
)

func (r *Runner) pollEvery(age time.Duration) time.Duration {
	if r.Speed > 0 {
		return r.scaled(PollEvery(time.Duration(float64(age) * r.Speed)))
	}
	return PollEvery(age)
}

// PollEvery is the time between two polls of a task of this age: Anaplan asks for 5 s at
// least, less often for long tasks (anaplan-api.md 5).
func PollEvery(age time.Duration) time.Duration {
	switch {
	case age < 2*time.Minute:
		return 5 * time.Second
	case age < 30*time.Minute:
		return 10 * time.Second
	}
	return 30 * time.Second
}

// overdue says why a task was cancelled by us.
type overdue struct {
	why     string // "its limit of 1h had passed"
	verdict ledger.Verdict
	cause   ledger.Cause
	next    string
	stopped bool // the run was
}

// apply turns the verdict of a task that ended after its time limit into what is to be
// said: a cancel that came too late changes no verdict.
func (o *overdue) apply(end ledger.StepEnded) ledger.StepEnded {
	if o == nil {
		return end
	}
	if end.Verdict == ledger.Cancelled {
		end.Verdict, end.Cause, end.Stopped = o.verdict, o.cause, o.stopped
		end.Message += "; it was cancelled because " + o.why
		end.Next = o.next
		return end
	}
	end.Message += "; the cancel came too late: " + o.why
	return end
}

// watching is what follow remembers between polls.
type watching struct {
	task      anaplan.Task
	since     time.Time // of the start
	began     time.Time // first seen in a state other than NOT_STARTED
	state     anaplan.TaskState
	outage    time.Time // first of the failed polls in a row
	gone      time.Time // first 404 in a row
	warned    bool
	overdue   *overdue
	halt      *halt     // the run is being cancelled, and the task with it
	haltAsked time.Time // when a cancel was first asked for because of that
	canceled  time.Time // when we asked for a cancel
}

// halted takes in that the run is being cancelled.
func (w *watching) halted(h *halt) {
	w.halt = h
	w.overdue = &overdue{why: h.asked.Text, verdict: ledger.Cancelled, cause: h.asked.Cause, stopped: true,
		next: "run it again; what it had changed was rolled back"}
	if h.asked.Cause == ledger.CauseTime {
		w.overdue.verdict = ledger.TimedOut
	}
}

// follow polls a task until it has ended. An ending says why its end is not known. A
// ledger that fails keeps nobody from watching.
func (s *step) follow(ctx context.Context, task anaplan.Task) (last anaplan.Task, late *overdue, end *ending) {
	w := &watching{task: task, since: time.Now()}
	if b := s.begun; b != nil && !b.Began.IsZero() {
		w.began = w.since.Add(-max(0, s.run.now().Sub(b.Began)))
	}
	for {
		t, err := s.poll(ctx, task.ID)
		switch {
		case err == nil:
			w.outage, w.gone = time.Time{}, time.Time{}
			if s.seen(w, t) {
				return t, w.overdue, nil
			}
		case ctx.Err() != nil: // below
		default:
			if end := s.pollFailed(w, err); end != nil {
				return t, nil, end
			}
		}
		if h := s.run.halted(ctx); h != nil && h.cancel {
			if w.halt == nil {
				w.halted(h)
			}
			ctx = s.run.outer
		} else if ctx.Err() != nil {
			s.leave(ctx, w)
			return t, nil, stopEnding()
		}
		if end := s.limits(ctx, w); end != nil {
			return t, nil, end
		}
		sleep(ctx, min(s.run.pollEvery(time.Since(w.since)), max(time.Second, s.left(w))))
	}
}

func (s *step) poll(ctx context.Context, task string) (anaplan.Task, error) {
	short, cancel := context.WithTimeout(ctx, pollLimit)
	defer cancel()
	return s.tenant.Client.Task(short, s.object(), task)
}

// seen takes in one answer and says whether the task has ended.
func (s *step) seen(w *watching, t anaplan.Task) bool {
	if w.began.IsZero() && t.State != anaplan.NotStarted {
		w.began = time.Now()
	}
	if t.State.Terminal() {
		s.note(ledger.TaskEnded{Task: w.task.ID, State: string(t.State), Step: t.CurrentStep, Result: t.RawResult})
		return true
	}
	p := Progress{Phase: PhaseRun, Text: t.CurrentStep, Done: -1}
	if t.State == anaplan.NotStarted {
		p.Phase = PhaseQueue
	} else if t.Progress != nil {
		p.Done = *t.Progress
	}
	s.progress(p)
	if t.State != w.state {
		w.state = t.State
		s.note(ledger.TaskSeen{Task: w.task.ID, State: string(t.State), Step: t.CurrentStep})
	}
	return false
}

// pollFailed decides what a failed poll means: the task goes on without us, so we go on
// asking, unless asking cannot help.
func (s *step) pollFailed(w *watching, err error) *ending {
	lost := func(cause ledger.Cause, why string, next string) *ending {
		return &ending{Runs: true, StepEnded: ledger.StepEnded{Verdict: ledger.Unsure, Cause: cause,
			Message: fmt.Sprintf("%s: task %s was started, its end is not known: %s", s.describe(), w.task.ID, why),
			Next:    next}}
	}
	look := "see how it ended: " + s.look(w.task.ID)
	if e := explain(err); e.Cause == ledger.CauseLogin {
		return lost(ledger.CauseLogin, err.Error(), e.Next+"; "+look)
	}
	if !refused(err) {
		w.gone = time.Time{}
	} else if w.gone.IsZero() {
		w.gone = time.Now()
	} else if time.Since(w.gone) >= goneLimit {
		return lost(ledger.CausePermission, fmt.Sprintf("Anaplan refuses to tell for %s: %v", goneLimit, err), look)
	}
	if w.outage.IsZero() {
		w.outage = time.Now()
		why := refusal(err)
		if why == "" {
			why = "network"
		}
		s.note(ledger.Waiting{Reason: string(why), Text: fmt.Sprintf("task %s cannot be polled, it goes on without us: %v", w.task.ID, err)})
	}
	return nil
}

// refused says whether Anaplan answers and will not tell of the task: it does not know it,
// or we may not ask. Asking again helps if access was lost for a moment only.
func refused(err error) bool {
	return errors.Is(err, anaplan.ErrNotFound) || errors.Is(err, anaplan.ErrForbidden) ||
		errors.Is(err, anaplan.ErrBadRequest) || errors.Is(err, anaplan.ErrArchived)
}

// limit is how long the task may stay as it is, since when, and what it means if it stays
// longer: before it began the patience for a busy model, after it began the timeout.
func (s *step) limit(w *watching) (limit time.Duration, from time.Time, cause ledger.Cause) {
	if w.began.IsZero() {
		return reasonBusy.patience(s.plan.Wait), w.since, ledger.CauseBusy
	}
	return s.timeout(), w.began, ledger.CauseTime
}

// left is the time until the next thing that limits decides.
func (s *step) left(w *watching) time.Duration {
	limit, from, _ := s.limit(w)
	if !w.canceled.IsZero() {
		limit, from = s.cancelWait(), w.canceled
	}
	left := limit - time.Since(from)
	if s.plan.WarnAfter > 0 && !w.warned {
		left = min(left, s.plan.WarnAfter-time.Since(w.since))
	}
	return left
}

// limits applies the time limits.
func (s *step) limits(ctx context.Context, w *watching) *ending {
	if s.plan.WarnAfter > 0 && !w.warned && time.Since(w.since) >= s.plan.WarnAfter {
		w.warned = true
		s.note(ledger.Warned{Text: fmt.Sprintf("runs for longer than %s", s.plan.WarnAfter)})
	}
	if !w.canceled.IsZero() {
		if time.Since(w.canceled) < s.cancelWait() {
			return nil
		}
		return s.timedOut(w, fmt.Sprintf("a cancel was asked for %s ago and is not done", s.cancelWait()))
	}
	if w.halt != nil {
		return s.cancelHalted(ctx, w)
	}
	limit, from, cause := s.limit(w)
	if time.Since(from) < limit {
		return nil
	}
	w.overdue = &overdue{why: fmt.Sprintf("its limit of %s had passed", limit), verdict: ledger.TimedOut, cause: cause,
		next: "find out why it took so long, or raise its limit; what it had changed was rolled back"}
	if !s.cancels(w) {
		return s.timedOut(w, "it was left running")
	}
	short, done := context.WithTimeout(ctx, pollLimit)
	defer done()
	if _, err := s.cancel(short, w.task.ID, fmt.Sprintf("its limit of %s passed", limit), false); err != nil {
		if ctx.Err() != nil {
			return nil // stopped: the task is left as the signal says
		}
		return s.timedOut(w, fmt.Sprintf("the cancel failed: %v", err))
	}
	w.canceled = time.Now()
	return nil
}

// cancelHalted asks for the cancel of a task of a run that is being cancelled, until
// Anaplan has heard it.
func (s *step) cancelHalted(ctx context.Context, w *watching) *ending {
	short, done := context.WithTimeout(ctx, pollLimit)
	defer done()
	if w.haltAsked.IsZero() {
		w.haltAsked = time.Now()
	}
	switch _, err := s.cancel(short, w.task.ID, w.halt.asked.Text, true); {
	case err == nil:
		w.canceled = time.Now()
	case errors.Is(err, ledger.ErrLeaseLost):
		return s.timedOut(w, fmt.Sprintf("it was left running: %v", err))
	case time.Since(w.haltAsked) >= s.cancelWait():
		return s.timedOut(w, fmt.Sprintf("no cancel was heard for %s: %v", s.cancelWait(), err))
	}
	return nil
}

func (s *step) cancelWait() time.Duration {
	if s.plan.CancelWait > 0 {
		return s.plan.CancelWait
	}
	return cancelWait
}

// timedOut is the ending of a step whose task is not watched any longer, though it may run.
// Whether it was cancelled is not known.
func (s *step) timedOut(w *watching, what string) *ending {
	if w.halt != nil && w.halt.asked.Cause != ledger.CauseTime {
		s.note(ledger.Warned{Text: fmt.Sprintf("task %s: %s; what became of it is not known", w.task.ID, what)})
		return stopEnding()
	}
	return &ending{Runs: true, StepEnded: ledger.StepEnded{Verdict: ledger.TimedOut, Cause: w.overdue.cause, Stopped: w.overdue.stopped,
		Message: fmt.Sprintf("%s: task %s: %s; %s", s.describe(), w.task.ID, w.overdue.why, what),
		Next:    "see how it ends: " + s.look(w.task.ID)}}
}

func (s *step) timeout() time.Duration {
	if s.plan.Timeout > 0 {
		return s.plan.Timeout
	}
	return defaultTimeout
}

// cancels says whether a task that is overdue is cancelled: one that has not begun leaves
// nothing behind, an import or export is rolled back cleanly, a process may have done half
// its work (anaplan-api.md 8.3).
func (s *step) cancels(w *watching) bool {
	switch s.plan.OnTimeout {
	case "cancel":
		return true
	case "detach":
		return false
	}
	return w.began.IsZero() || s.plan.Verb == configs.Import || s.plan.Verb == configs.Export
}

// cancel asks Anaplan to cancel a task, and records that we asked. The tasks of a run that may
// be another runner's by now are left to that runner: ledger.ErrLeaseLost.
func (s *step) cancel(ctx context.Context, task, why string, stop bool) (anaplan.Task, error) {
	if err := s.run.ours(); err != nil {
		return anaplan.Task{}, err
	}
	t, err := s.tenant.Client.Cancel(ctx, s.object(), task)
	asked := ledger.CancelAsked{Task: task, Reason: why, Stop: stop}
	if err != nil {
		asked.Error = err.Error()
	}
	s.note(asked)
	return t, err
}

// leave is what a step does with its task when the run is stopped: after SIGINT Anaplan
// is asked to cancel it, else it is left running, unless on_stop says otherwise. The step
// does not end: how its task ends is not known yet.
func (s *step) leave(ctx context.Context, w *watching) {
	if !s.cancelsOnStop(context.Cause(ctx)) {
		s.note(ledger.Warned{Text: fmt.Sprintf("task %s was left running", w.task.ID)})
		return
	}
	short, done := context.WithTimeout(context.WithoutCancel(ctx), leaveGrace)
	defer done()
	t, err := s.cancel(short, w.task.ID, context.Cause(ctx).Error(), true)
	switch {
	case err != nil:
		s.note(ledger.Warned{Text: fmt.Sprintf("task %s goes on as far as we know, the cancel failed: %v", w.task.ID, err)})
	case t.State.Terminal() && s.seen(w, t): // one that had not begun is cancelled at once
	default:
		s.note(ledger.Warned{Text: fmt.Sprintf("Anaplan was asked to cancel task %s; whether it did is not known", w.task.ID)})
	}
}

// leaveGrace is the time for the cancel of a task when the run is stopped. A start may
// have used its own grace before.
const leaveGrace = 1500 * time.Millisecond

func (s *step) cancelsOnStop(cause error) bool {
	if h, ok := errors.AsType[*halt](cause); ok && !h.cancel {
		return false // detached: a person wants it to go on
	}
	stopped, ok := errors.AsType[*Stopped](cause)
	switch s.plan.OnStop {
	case "cancel":
		return true
	case "detach":
		return false
	}
	return ok && stopped.Signal == "SIGINT"
}

func asEnding(err error) *ending {
	if err == nil {
		return nil
	}
	return explain(err)
}
