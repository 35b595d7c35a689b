package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// step is one step under way, in its own goroutine. It owns nothing that others see:
// what it finds out it sends to the run to be recorded.
type step struct {
	run    *run
	plan   PlanStep
	bound  BoundStep
	tenant *Tenant
	last   *ending // of the try before
	tries  int     // that were recorded, by runners before too

	// begun is the start that the runner before left, or this one: of the step's present
	// life. Nil: nothing was started that counts.
	begun *ledger.IntentState

	// ran is the same of the step's program, of which earlier runners left these.
	ran      *ledger.CommandState
	programs int           // how often it was begun
	orphans  []programLeft // of which it is not known how they ended

	saved     []ledger.DumpSaved      // by earlier runners
	written   []ledger.TargetWritten  // since its task ended, by earlier runners too
	placings  map[string]data.Placing // what was to be done with targets of which previous ones are kept, by their names
	overruled []ledger.Start          // of steps on the model, whose tasks a person did not wait for
	stopped   map[string]bool         // the tasks that earlier runners asked to cancel because they were stopped
	ahead     bool                    // it is not the step's turn: a server file is filled ahead of need
	held      *holding                // what the try holds
	reads     []ledger.FileRead       // what the step's task is to read
	origin    *origin                 // of what it downloads, if others may have come between
	own       *origin                 // what this runner started last
	uploaded  map[string]string       // digests of what earlier steps uploaded for it, by the id of the server file
}

// ending is how a step or a try ended.
type ending struct {
	ledger.StepEnded
	Again bool   // it did not happen, and trying again may help
	Runs  bool   // its task may still run: nothing else may start on its model
	Rerun string // why the job wants what ran to be done again; empty: it does not

	// stopped: the run was stopped before the step's end was known. It is not recorded as
	// ended, so that it can be continued.
	stopped bool
}

// stopEnding is the ending of a step that was stopped.
func stopEnding() *ending { return &ending{stopped: true} }

func newStep(r *run, i int) *step {
	s := &step{run: r, plan: r.bound.Plan.Steps[i], bound: r.bound.Steps[i], origin: originOf(r, i)}
	s.uploaded = uploadedFor(r, i)
	t := &r.state.Steps[i]
	s.tries, s.stopped, s.placings = len(t.Tries), map[string]bool{}, map[string]data.Placing{}
	for _, w := range t.Targets {
		if w.Version != "" {
			s.placings[w.Path] = data.Placing{Previous: w.Version, Kept: true}
		}
	}
	for _, p := range t.Placings {
		s.placings[p.Path] = data.Placing{Previous: p.Previous, First: p.First, Kept: p.Kept, Stored: p.Stored}
	}
	for _, asked := range t.Cancelled {
		s.stopped[asked.Task] = s.stopped[asked.Task] || asked.Stop
	}
	for _, other := range r.state.Steps {
		for _, i := range other.Intents {
			if i.Outcome == ledger.IntentOverruled && other.Model == t.Model {
				s.overruled = append(s.overruled, ledger.Start{Run: r.req.ID, Step: other.Plan.Name, Verb: other.Plan.Verb, Object: other.Object, Intent: i})
			}
		}
	}
	s.programs = len(t.Commands)
	s.orphans = r.orphans(t)
	if c := t.Command(); c != nil {
		ran := *c
		s.ran = &ran
	}
	if life := t.Life(); len(life) > 0 {
		last := life[len(life)-1]
		switch last.Outcome {
		case ledger.IntentPending, ledger.IntentOpen, ledger.IntentStarted:
			s.begun = &last
		}
		for _, d := range t.Dumps {
			s.saved = append(s.saved, d.DumpSaved)
		}
		for _, w := range t.Targets {
			if !last.Ended.IsZero() && !w.At.Before(last.Ended) {
				s.written = append(s.written, w.TargetWritten)
			}
		}
	}
	return s
}

// do runs the step with its tries.
func (s *step) do(ctx context.Context) *ending {
	return s.again(ctx, func(ctx context.Context) *ending {
		var events []ledger.Body
		if s.last != nil {
			events = append(events, ledger.TryFailed{Try: s.tries, Cause: s.last.Cause, Text: s.last.Message})
			if s.last.Rerun != "" {
				events = append(events, ledger.StepReopened{Rerun: true, Why: s.last.Rerun})
			}
		}
		events = append(events, ledger.StepStarted{Try: s.tries + 1})
		if err := s.record(events...); err != nil {
			return explain(err)
		}
		s.tries++
		if s.last != nil && s.last.Rerun != "" {
			s.begun, s.origin, s.written = nil, nil, nil
		}
		defer s.release()
		s.last = s.try(ctx)
		return s.last
	})
}

// again repeats what did not happen, as often and with the waits that the job says.
// What a task did has happened: it is not repeated from here.
func (s *step) again(ctx context.Context, f func(context.Context) *ending) *ending {
	tries, wait := retryOf(s.plan.Retry)
	for try := 1; ; try++ {
		end := f(ctx)
		if end.stopped || !end.Again || try >= tries {
			return end
		}
		if !sleep(ctx, wait) {
			return stopEnding()
		}
		wait = longer(wait)
	}
}

// try makes one attempt at the step, or goes on with what an earlier runner began.
func (s *step) try(ctx context.Context) *ending {
	if s.plan.Verb == configs.Command {
		return s.command(ctx)
	}
	tenant, err := s.run.Connect(ctx, s.plan.Connection)
	if err != nil {
		return s.failed(ctx, "connect", err)
	}
	s.tenant = tenant
	if b := s.begun; b != nil && b.Outcome == ledger.IntentStarted {
		end := s.resume(ctx, *b)
		if end.Verdict != ledger.Cancelled || !s.stopped[b.Task] || !rerunSafe(s.plan) || s.run.halted(ctx) != nil {
			return end
		}
		s.release()
		s.origin = nil
		if err := s.record(ledger.StepReopened{Rerun: true, Why: "its task was cancelled because the run was stopped"}); err != nil {
			return explain(err)
		}
		s.begun = nil
	}
	sources, end := s.inspect(ctx)
	defer func() { closeAll(sources) }()
	if end != nil && s.begun == nil {
		return end
	}
	if err := s.hold(ctx); err != nil {
		return s.failed(ctx, "take the leases", err)
	}
	if s.begun != nil {
		begun := *s.begun
		task, unsure := s.settle(ctx, begun)
		if unsure != nil {
			return unsure
		}
		s.begun = nil
		if task != nil {
			s.origin = &origin{task.ID, cmp.Or(task.CreationTime, begun.ServerTime)}
			return s.attend(ctx, *task)
		}
		if end != nil {
			return end
		}
		if err := s.late(); err != nil {
			return s.failed(ctx, "start", err)
		}
	}
	if s.run.only {
		return stopEnding() // there is nothing to cancel, and nothing starts
	}
	if err := s.quiet(ctx); err != nil {
		return s.failed(ctx, "wait for what runs in the model", err)
	}
	if sources, end = s.inspectChanged(ctx, sources); end != nil {
		return end
	}
	if end := s.fill(ctx, sources); end != nil {
		return end
	}
	switch {
	case s.plan.Verb == configs.Upload:
		return s.done("uploaded")
	case s.plan.Verb == configs.Download:
		return s.fetch(ctx)
	}
	task, end := s.start(ctx)
	if end != nil {
		return end
	}
	return s.attend(ctx, task)
}

// resume goes on with a task that an earlier runner started: it watches it, or, if that
// has seen its end, collects what it left. Neither needs a lease, but nobody of this ledger
// should take the failure dumps away meanwhile.
func (s *step) resume(ctx context.Context, b ledger.IntentState) *ending {
	if lease, err := s.run.lease(ctx, ledger.ModelKey(s.bound.Model), s.run.holder(s.plan.Name)); err == nil {
		s.held = &holding{model: lease}
	}
	task := anaplan.Task{ID: b.Task, State: anaplan.TaskState(b.State), CurrentStep: b.Step, CreationTime: b.Created}
	if b.Ended.IsZero() {
		return s.attend(ctx, task)
	}
	if len(b.Result) > 0 {
		task.RawResult, task.Result = b.Result, &anaplan.Result{}
		if err := json.Unmarshal(b.Result, task.Result); err != nil {
			return s.failed(ctx, "read the result of task "+b.Task, err)
		}
	}
	return s.gather(ctx, task, nil)
}

// attend watches a started task to its end and collects what it left.
func (s *step) attend(ctx context.Context, task anaplan.Task) *ending {
	last, late, end := s.follow(ctx, task)
	if end != nil {
		return end
	}
	return s.gather(s.run.lasting(ctx), last, late)
}

// gather fetches what a task left that has ended, and judges it.
func (s *step) gather(ctx context.Context, last anaplan.Task, late *overdue) *ending {
	// What it left is fetched even if the run was stopped meanwhile, for as long as the
	// process has. Then its end is left to whoever continues.
	ctx, cancel := graceful(ctx, stopGrace)
	defer cancel()
	found := s.collect(ctx, last)
	if ctx.Err() != nil {
		return stopEnding()
	}
	s.note(found.events...)
	verdict := late.apply(judge(s.judged(last, found)))
	if planned(s.plan).Satisfied(verdict) {
		if end := s.again(ctx, s.fetch); end.stopped || end.Verdict != ledger.OK {
			end.Again = end.Rerun != "" // what it ran has run
			end.Fetch = s.plan.Verb == configs.Process
			return end
		}
	}
	if why := s.rerunOn(last); why != "" && verdict.Verdict == ledger.Failed {
		return &ending{StepEnded: verdict, Again: true, Rerun: why}
	}
	return &ending{StepEnded: verdict}
}

// rerunOn says why the job wants a failed task to be done again, if it does.
func (s *step) rerunOn(t anaplan.Task) string {
	if !rerunSafe(s.plan) || t.Result == nil {
		return ""
	}
	d := find(*t.Result, func(d anaplan.Detail) bool { return slices.Contains(s.plan.RerunOn, d.Type) })
	if d == nil {
		return ""
	}
	return "rerun_on: " + d.Type
}

// note records what happened. That it could not be recorded changes nothing here: it is
// kept, and the run starts nothing more.
func (s *step) note(bodies ...ledger.Body) { _ = s.record(bodies...) }

// record asks the owner of the run's state to record events of this step, and waits
// until they are durable.
func (s *step) record(bodies ...ledger.Body) error {
	if len(bodies) == 0 {
		return nil
	}
	reply := make(chan error, 1)
	s.run.tell("record "+s.plan.Name+" "+bodies[len(bodies)-1].Kind(), recordRequest{s.plan.Name, bodies, s.ahead, reply})
	return <-reply
}

// failed explains an error of this step. One that only says that the run was stopped is
// no end of the step.
func (s *step) failed(ctx context.Context, doing string, err error) *ending {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)) || errors.Is(err, errAbsent)) {
		return stopEnding()
	}
	if errors.Is(err, errNotAfter) || errors.Is(err, errUnrecorded) {
		return stopEnding()
	}
	e := explain(err)
	e.Message = fmt.Sprintf("%s: %s: %s", s.describe(), doing, e.Message)
	return e
}

// describe names what the step does, with Anaplan's object and the model.
func (s *step) describe() string {
	if s.plan.Verb == configs.Command {
		return fmt.Sprintf("command %q", s.plan.Argv[0])
	}
	return fmt.Sprintf("%s %q (%s) in model %q", s.plan.Verb, s.bound.Object.Name, s.bound.Object.ID, s.bound.Model.Name)
}

// look is the command by which a person sees the object's tasks, or one of them: whole, so
// that it can be pasted.
func (s *step) look(task string) string {
	words := []string{"anaplan-runner tasks", string(s.plan.Verb), s.bound.Object.ID}
	if task != "" {
		words = append(words, task)
	}
	if name := cmp.Or(s.plan.Connection, s.run.bound.Plan.Job.Connection); name != "" {
		words = append(words, fmt.Sprintf("--connection %q", name))
	}
	return strings.Join(append(words, "--workspace", s.bound.Model.Workspace, "--model", s.bound.Model.ID), " ")
}

func (s *step) done(text string) *ending {
	return &ending{StepEnded: ledger.StepEnded{Verdict: ledger.OK, Message: s.describe() + ": " + text}}
}

func (s *step) model() anaplan.ModelRef {
	return anaplan.ModelRef{Workspace: s.bound.Model.Workspace, Model: s.bound.Model.ID}
}

func (s *step) object() anaplan.Object {
	return anaplan.Object{Model: s.model(), Kind: s.bound.Kind, ID: s.bound.Object.ID}
}

func (s *step) progress(p Progress) {
	p.Step, p.Ahead = s.plan.Name, s.ahead
	s.run.progress(p)
}

// stopGrace is how long a step goes on with what it must finish after the run was
// stopped. The process ends within 4 s (design.md 5, signals).
const stopGrace = 2 * time.Second

// graceful is a context that outlives ctx by d.
func graceful(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if sleep(longer, d) {
			cancel(context.Cause(ctx))
		}
	})
	return longer, func() { stop(); cancel(context.Canceled) }
}

// sleep waits and says whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
