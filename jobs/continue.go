package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Continuation is a run to go on with: one that has ended open, or whose runner is gone.
type Continuation struct {
	ID     ledger.ID
	Runner ledger.Runner
	By     string // user@host, who makes the decisions below

	// Repair is the plan of another job file for the steps that are not done; nil: the
	// job as it was recorded.
	Repair *Plan

	Again  []string // steps to be done again, whatever their task did, or may have done
	Accept []string // steps that are taken for ok
	Adopt  []string // ids of tasks that are those of the starts whose answers were lost

	// Overlap says what happens while somebody runs the run, or another run of its job: with
	// OverlapWait that is waited for, else it is an error.
	Overlap configs.Overlap

	// Late says that the job's not_after and deadline do not count.
	Late bool

	// Cancel starts nothing: what may still run is cancelled and watched to its end.
	Cancel bool
}

// ErrClosed says that a run has nothing left to do.
var ErrClosed = errors.New("the run is closed")

// DecisionError says that what a person decided does not fit the run. Nothing was done.
type DecisionError struct {
	Flag    string // "--again", "--accept", "--adopt"
	Value   string
	What    string
	Instead string
}

func (e *DecisionError) Error() string { return e.Flag + " " + e.Value + ": " + e.What }

// RepairError says that another job file does not fit what the run has done. Nothing was
// done.
type RepairError struct {
	Changes []string // a line each: the step, the key, what it was and is
}

func (e *RepairError) Error() string { return "the job file differs in what the run has done" }

// Continue goes on with a run. It takes the leases of its job, if it is not to be cancelled,
// and of the run: somebody who has one is a *ledger.HeldError, unless Overlap says to wait. A run that is not there is
// ledger.ErrNoRun, a closed one ErrClosed; the state of a closed one is returned. After any
// other error before the run was taken over the state is empty, and nothing was recorded.
// Otherwise it is as Run: steps that are done are left, what was under way goes on where it
// was, and what did not happen begins.
//
// Of a run that is done but for its end the sources are moved. As long as Anaplan cannot be
// asked for what that needs, the run stays as it is: an error, and an empty state.
//
// Ids of the run's record that are gone from the model, or that bear another name by now,
// end it as a mistake of configuration. That the model of steps that are done is archived by
// now, or cannot be seen, does not.
func (r *Runner) Continue(ctx context.Context, c Continuation) (ledger.State, error) {
	run := newRun(r, Request{ID: c.ID, Runner: c.Runner})
	run.by, run.only = c.By, c.Cancel
	adopted, err := run.takeOver(ctx, c)
	switch {
	case errors.Is(err, ErrClosed):
		return run.state, err
	case err != nil:
		return ledger.State{}, err
	}
	defer run.disown()
	if run.state.Closed() { // only its end was not recorded, or that its sources were moved
		return run.conclude(ctx)
	}
	bound, err := run.rebind(ctx)
	if h, ok := errors.AsType[*halt](err); ok && h.cancel && slices.ContainsFunc(run.state.Steps, func(t ledger.StepState) bool { return mayRun(&t) }) {
		run.only, run.why = true, h // nothing is watched yet: what runs is to be cancelled all the same
		bound, err = run.rebind(ctx)
	}
	if err != nil {
		return run.refuse(ctx, err)
	}
	run.catchUp(ctx, bound)
	run.decide(ctx, c, adopted)
	return run.steps(ctx, bound)
}

// conclude ends a run whose steps are all done: it moves their sources, as far as that is
// not recorded, and records its end. Whoever comes after that moves nothing any more: while
// it cannot be said what is to be moved, but may be later, the run stays without an end, and
// the error says why; the state is empty then.
func (r *run) conclude(ctx context.Context) (ledger.State, error) {
	plan, err := RecordedPlan(r.state)
	if err == nil && slices.ContainsFunc(plan.Steps, movesSources) {
		r.req.Plan, r.was = plan, plan
		for i := range plan.Steps {
			switch plan.Steps[i].Verb {
			case configs.Export, configs.Action, configs.Download, configs.Command:
				plan.Steps[i].Skip = true // it reads no source: nothing of it needs to be there any more
			}
		}
		r.only = false // there is nothing to cancel
		bound, err := r.rebind(ctx)
		if err == nil {
			return r.steps(ctx, bound)
		}
		if h, ok := errors.AsType[*halt](err); ok {
			return ledger.State{}, &Stopped{Signal: h.asked.Signal}
		}
		if _, passes := errors.AsType[passingError](err); passes || explain(err).Cause != ledger.CauseConfig {
			return ledger.State{}, fmt.Errorf("move the sources of run %q: %w", r.req.ID.Run, err)
		}
		_ = r.record(ctx, "", ledger.Warned{Text: fmt.Sprintf("it cannot be told whether all of its sources were moved: %v", err)}) // kept as trouble
	}
	return r.finish(ctx, ledger.Outcome(r.state))
}

// movesSources says whether a step has a source that is moved after it.
func movesSources(s PlanStep) bool {
	moves := func(src configs.Source) bool { return src.After != configs.After{} }
	return s.Source != nil && moves(*s.Source) || slices.ContainsFunc(s.Files, func(f configs.StepFile) bool { return moves(f.Source) })
}

// takeOver reads the run under its leases and records that this runner goes on with it.
// After an error nothing is held, and nothing was recorded; nor was anything of a run that
// has nothing left to do.
func (r *run) takeOver(ctx context.Context, c Continuation) (adopted map[string]anaplan.Task, err error) {
	if err := r.own(ctx, c.ID, c.Overlap); err != nil {
		return nil, fmt.Errorf("continue run %q: %w", c.ID.Run, err)
	}
	defer func() {
		if err != nil {
			r.disown()
		}
	}()
	var events []ledger.Event
	if err := r.read(ctx, func() (err error) {
		events, err = r.Ledger.Events(ctx, c.ID, 0)
		return err
	}); err != nil {
		return nil, err
	}
	if r.state, err = ledger.Fold(events); err != nil {
		return nil, fmt.Errorf("run %q cannot be continued: %w", c.ID.Run, err)
	}
	r.recorded = r.state.Seq
	if r.state.Closed() {
		if r.state.End == nil {
			return nil, checkDone(c)
		}
		return nil, ErrClosed
	}
	if r.req.Plan, err = RecordedPlan(r.state); err != nil {
		return nil, err
	}
	began := []ledger.Body{ledger.RunContinued{Runner: c.Runner, Version: r.Version}}
	r.was = r.req.Plan
	if c.Repair != nil {
		now, err := NewPlan(c.Repair.Job, r.was.Selection)
		if err != nil {
			return nil, err
		}
		repaired, err := repair(r.state, r.was, now)
		if err != nil {
			return nil, err
		}
		if repaired != nil {
			began = append(began, *repaired)
		}
		r.req.Plan = now
	}
	if err := checkDecisions(r.state, c); err != nil {
		return nil, err
	}
	if err := r.checkPrograms(c); err != nil {
		return nil, err
	}
	if adopted, err = r.adoptions(ctx, c); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(r.state.Created.Timezone)
	if err != nil {
		return nil, fmt.Errorf("the time zone of run %q: %w", c.ID.Run, err)
	}
	if !c.Late && !c.Cancel {
		if r.limits, err = limitsOf(r.req.Plan.Job, r.now(), zone); err != nil {
			return nil, err
		}
		if r.limits.past(r.limits.deadline, r.now()) { // what still runs is watched, as it was left
			r.limits = limits{notAfter: r.limits.deadline, key: "deadline"}
		}
	}
	for _, t := range r.state.Steps {
		for _, i := range t.Intents {
			r.intents.Store(max(r.intents.Load(), int64(i.Number)))
		}
	}
	r.files = newFillings(r.state)
	if err := r.record(ctx, "", began...); err != nil {
		return nil, fmt.Errorf("continue run %q: %w", c.ID.Run, err)
	}
	return adopted, nil
}

// RecordedPlan is the plan of a run as it was recorded, without places in files.
func RecordedPlan(s ledger.State) (*Plan, error) {
	job, err := DecodeJob(s.Created.Job)
	if err != nil {
		return nil, err
	}
	return NewPlan(job, Selection{Only: s.Created.Only, From: s.Created.From})
}

// rebind finds the objects of the run again by the ids of its record, and everything that
// is new by its name.
func (r *run) rebind(ctx context.Context) (*Bound, error) {
	known := map[string]ledger.StepState{}
	if r.state.Resolved != nil {
		for _, t := range r.state.Steps {
			if t.Object.ID != "" {
				known[t.Plan.Name] = t
			}
		}
	}
	plan := *r.req.Plan
	plan.Steps = slices.Clone(plan.Steps)
	for i, s := range plan.Steps {
		t, ok := known[s.Name]
		if !ok || r.was != r.req.Plan && !sameMeaning(&t, r.was, r.req.Plan, s) {
			continue
		}
		s.Workspace = configs.Ref{ID: t.Model.Workspace}
		s.Model = configs.Ref{ID: t.Model.ID, Name: t.Model.Name}
		s.Object = configs.Ref{ID: t.Object.ID, Name: t.Object.Name}
		plan.Steps[i] = s
	}
	bound, err := r.resolveAs(ctx, &plan)
	if _, passes := errors.AsType[passingError](err); passes {
		bound, err = r.resolveLeft(ctx, &plan, err)
	}
	if err != nil {
		return nil, err
	}
	var problems configs.Problems
	for i, s := range plan.Steps {
		t, ok := known[s.Name]
		if !ok || s.Skip || s.Object.ID != t.Object.ID {
			continue
		}
		b := bound.Steps[i]
		if b.Model.Host != t.Model.Host {
			problems = append(problems, problem(plan.Job, s.Step, "connection", fmt.Sprintf("it leads to %s, and the run was created at %s", b.Model.Host, t.Model.Host),
				"continue the run with the connection that it had"))
		}
		if b.Object.Name != t.Object.Name {
			problems = append(problems, problem(plan.Job, s.Step, string(s.Verb), fmt.Sprintf("%s was %q when the run was created, and is %q now", t.Object.ID, t.Object.Name, b.Object.Name),
				"see that it is still what the job means; then begin a new run"))
		}
		if b.Model.Name != t.Model.Name {
			problems = append(problems, problem(plan.Job, s.Step, "model", fmt.Sprintf("%s was %q when the run was created, and is %q now", t.Model.ID, t.Model.Name, b.Model.Name),
				"see that it is still the model that the job means; then begin a new run"))
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	if r.state.Resolved == nil || len(r.state.Repairs) > 0 {
		_ = r.record(ctx, "", resolved(bound)...) // kept as trouble: then nothing starts
	}
	return bound, nil
}

// resolveAs resolves the names of the run as another plan has them.
func (r *run) resolveAs(ctx context.Context, plan *Plan) (*Bound, error) {
	named := r.req.Plan
	defer func() { r.req.Plan = named }()
	r.req.Plan = plan
	return r.resolve(ctx)
}

// resolveLeft leaves out the models in which nothing is left to do, after an error that one
// of them may be the reason of: it may have been archived since. What is bound there is what
// the record says.
func (r *run) resolveLeft(ctx context.Context, plan *Plan, why error) (*Bound, error) {
	left := map[string]bool{} // ids of models in which something is
	for i, s := range plan.Steps {
		t := &r.state.Steps[i]
		switch {
		case s.Skip || s.Verb == configs.Command:
		case t.Object.ID == "" || s.Object.ID != t.Object.ID:
			return nil, why // it is not known where that leads
		case t.End == nil || !t.Plan.Satisfied(*t.End) || mayRun(t) || movesSources(s):
			left[t.Model.ID] = true
		}
	}
	rest := *plan
	rest.Steps = slices.Clone(plan.Steps)
	spared := false
	for i := range rest.Steps {
		if s := &rest.Steps[i]; !s.Skip && s.Verb != configs.Command && !left[r.state.Steps[i].Model.ID] {
			s.Skip, spared = true, true
		}
	}
	if !spared {
		return nil, why
	}
	bound, err := r.resolveAs(ctx, &rest)
	if err != nil {
		return nil, err
	}
	for i := range bound.Steps {
		if rest.Steps[i].Skip && !plan.Steps[i].Skip {
			bound.Steps[i].Object, bound.Steps[i].Model = r.state.Steps[i].Object, r.state.Steps[i].Model
		}
	}
	bound.Plan = plan
	return bound, nil
}

// sameMeaning says whether a step of another job file still means the model and object
// that were resolved for it.
func sameMeaning(t *ledger.StepState, was, now *Plan, s PlanStep) bool {
	means := func(ref configs.Ref, id, name string) bool {
		return ref.ID == id || ref.ID == "" && (ref.Name == name || ref.Name == id)
	}
	old := stepNamed(was, s.Name)
	space := or(s.Workspace, now.Job.Workspace)
	return old != nil && means(s.Object, t.Object.ID, t.Object.Name) && means(or(s.Model, now.Job.Model), t.Model.ID, t.Model.Name) &&
		(space == or(old.Workspace, was.Job.Workspace) || space.ID == t.Model.Workspace)
}

// or is a reference, or the one that stands in for it.
func or(ref, standard configs.Ref) configs.Ref {
	if ref.Zero() {
		return standard
	}
	return ref
}

// standings is what the scheduler knows of the steps when the runner begins.
func (r *run) standings() []standing {
	st := make([]standing, len(r.bound.Plan.Steps))
	for i := range st {
		t := &r.state.Steps[i]
		if t.End != nil {
			st[i].end = t.End
			st[i].runs = mayRun(t)
			continue
		}
		st[i].begun = mayRun(t) || ranAndNotJudged(t)
	}
	return st
}

// mayRun says whether a task of the step may run: one that has not ended, or a start of
// which nothing is known; or a program of it.
func mayRun(t *ledger.StepState) bool {
	if c := t.Command(); c != nil {
		return c.End == nil
	}
	life := t.Life()
	if len(life) == 0 {
		return false
	}
	last := life[len(life)-1]
	return last.Outcome == ledger.IntentPending || last.Outcome == ledger.IntentOpen || last.Outcome == ledger.IntentStarted && last.Ended.IsZero()
}

// ranAndNotJudged says whether the step's task has ended, and what it left is not collected;
// or its program has ended.
func ranAndNotJudged(t *ledger.StepState) bool {
	if t.Command() != nil {
		return true
	}
	life := t.Life()
	return len(life) > 0 && life[len(life)-1].Outcome == ledger.IntentStarted
}
