package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// Continue goes on with a run. It takes the leases of its job and of the run: somebody who
// has one is a *ledger.HeldError, unless Overlap says to wait. A run that is not there is
// ledger.ErrNoRun, a closed one ErrClosed; the state of a closed one is returned. After any
// other error before the run was taken over the state is empty, and nothing was recorded.
// Otherwise it is as Run: steps that are done are left, what was under way goes on where it
// was, and what did not happen begins.
//
// Ids of the run's record that are gone from the model, or that bear another name by now,
// end it as a mistake of configuration.
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
	if run.state.Closed() { // only its end was not recorded
		return run.finish(ctx, ledger.Outcome(run.state))
	}
	bound, err := run.rebind(ctx)
	if err != nil {
		return run.refuse(ctx, err)
	}
	run.decide(ctx, c, adopted)
	return run.steps(ctx, bound)
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
			return nil, nil
		}
		return nil, ErrClosed
	}
	if r.req.Plan, err = RecordedPlan(r.state); err != nil {
		return nil, err
	}
	began := []ledger.Body{ledger.RunContinued{Runner: c.Runner, Version: r.Version}}
	if c.Repair != nil {
		repaired, err := repair(r.state, r.req.Plan, c.Repair)
		if err != nil {
			return nil, err
		}
		if repaired != nil {
			began = append(began, *repaired)
		}
		r.req.Plan = c.Repair
	}
	if err := checkDecisions(r.state, c); err != nil {
		return nil, err
	}
	if adopted, err = r.adoptions(ctx, c); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(r.state.Created.Timezone)
	if err != nil {
		return nil, fmt.Errorf("the time zone of run %q: %w", c.ID.Run, err)
	}
	if !c.Late {
		if r.limits, err = limitsOf(r.req.Plan.Job, r.now(), zone); err != nil {
			return nil, err
		}
	}
	for _, t := range r.state.Steps {
		for _, i := range t.Intents {
			r.intents.Store(max(r.intents.Load(), int64(i.Number)))
		}
	}
	r.files = newFillings(r.state)
	r.begun = r.state.Seq + 1
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
		if !ok || len(r.state.Repairs) > 0 && !sameNames(s, t, r.req.Plan.Job) {
			continue
		}
		s.Workspace = configs.Ref{ID: t.Model.Workspace}
		s.Model = configs.Ref{ID: t.Model.ID, Name: t.Model.Name}
		s.Object = configs.Ref{ID: t.Object.ID, Name: t.Object.Name}
		plan.Steps[i] = s
	}
	named := r.req.Plan
	r.req.Plan = &plan
	bound, err := r.resolve(ctx)
	r.req.Plan = named
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

// sameNames says whether a step of the plan still means what was resolved for it: a
// repaired job file may name something else for a step that is not done.
func sameNames(s PlanStep, t ledger.StepState, job *configs.Job) bool {
	means := func(ref configs.Ref, id, name string) bool {
		return ref.Zero() || ref.ID == id || ref.ID == "" && (ref.Name == name || ref.Name == id)
	}
	model, space := s.Model, s.Workspace
	if model.Zero() {
		model = job.Model
	}
	if space.Zero() {
		space = job.Workspace
	}
	return means(s.Object, t.Object.ID, t.Object.Name) && means(model, t.Model.ID, t.Model.Name)
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
// which nothing is known.
func mayRun(t *ledger.StepState) bool {
	life := t.Life()
	if len(life) == 0 {
		return false
	}
	last := life[len(life)-1]
	return last.Outcome == ledger.IntentPending || last.Outcome == ledger.IntentOpen || last.Outcome == ledger.IntentStarted && last.Ended.IsZero()
}

// ranAndNotJudged says whether the step's task has ended, and what it left is not collected.
func ranAndNotJudged(t *ledger.StepState) bool {
	life := t.Life()
	return len(life) > 0 && life[len(life)-1].Outcome == ledger.IntentStarted
}

// rerunSafe says whether a continued run may do again what the step's task did.
func rerunSafe(s PlanStep) bool {
	if s.Rerun != "" {
		return s.Rerun == "safe"
	}
	return s.Verb == configs.Import || s.Verb == configs.Export
}

// decide records what is to be done with the steps that have ended: what a person says of
// them, else what the job says.
func (r *run) decide(ctx context.Context, c Continuation, adopted map[string]anaplan.Task) {
	for i := range r.state.Steps {
		t := &r.state.Steps[i]
		name := t.Plan.Name
		events := r.decided(c, adopted, t)
		if len(events) == 0 && t.End != nil && !t.Plan.Satisfied(*t.End) {
			if e := reopening(t, r.req.Plan.Steps[i]); e != nil {
				events = append(events, *e)
			}
		}
		if len(events) > 0 {
			_ = r.record(ctx, name, events...) // kept as trouble: then nothing starts
		}
	}
}

// reopening says how a continued run goes on with a step that ended and is not done; nil:
// only a person may say so. It is pure.
func reopening(t *ledger.StepState, s PlanStep) *ledger.StepReopened {
	life := t.Life()
	switch {
	case mayRun(t):
		return &ledger.StepReopened{Why: "what became of its task is looked at again"}
	case len(life) == 0 || life[len(life)-1].Outcome != ledger.IntentStarted:
		return &ledger.StepReopened{Why: "nothing of it has run"}
	case rerunSafe(s):
		return &ledger.StepReopened{Rerun: true, Why: fmt.Sprintf("it ended %s, and the job says that it may be run again", t.End.Verdict)}
	}
	return nil
}

// checkDecisions says what of a person's decisions does not fit the run.
func checkDecisions(s ledger.State, c Continuation) error {
	find := func(flag, name string) (*ledger.StepState, error) {
		var names []string
		for i := range s.Steps {
			if s.Steps[i].Plan.Name == name {
				return &s.Steps[i], nil
			}
			names = append(names, fmt.Sprintf("%q", s.Steps[i].Plan.Name))
		}
		return nil, &DecisionError{flag, name, "the run has no such step", "its steps are " + strings.Join(names, ", ")}
	}
	for _, name := range c.Again {
		t, err := find("--again", name)
		if err != nil {
			return err
		}
		last := lastOf(t)
		switch {
		case slices.Contains(c.Accept, name):
			return &DecisionError{"--again", name, "--accept names it too", "leave one out"}
		case last == nil:
			return &DecisionError{"--again", name, "nothing of it was started", "leave it out: it is begun anyway"}
		case last.Outcome == ledger.IntentStarted && last.Ended.IsZero() && (t.End == nil || t.End.Verdict != ledger.Unsure):
			return &DecisionError{"--again", name, fmt.Sprintf("its task %s may still run", last.Task), "continue the run without it, which watches the task to its end; or cancel the run"}
		}
	}
	for _, name := range c.Accept {
		t, err := find("--accept", name)
		if err != nil {
			return err
		}
		if t.End != nil && t.Plan.Satisfied(*t.End) {
			return &DecisionError{"--accept", name, "it is done: " + string(t.End.Verdict), "leave it out"}
		}
	}
	for _, task := range c.Adopt {
		if !slices.ContainsFunc(s.Steps, func(t ledger.StepState) bool { return unknown(&t) }) {
			return &DecisionError{"--adopt", task, "the run has no start whose answer was lost", "leave it out"}
		}
	}
	return nil
}

func lastOf(t *ledger.StepState) *ledger.IntentState {
	if life := t.Life(); len(life) > 0 {
		return &life[len(life)-1]
	}
	return nil
}

// unknown says whether it is not known if the step's last start happened.
func unknown(t *ledger.StepState) bool {
	last := lastOf(t)
	return last != nil && (last.Outcome == ledger.IntentPending || last.Outcome == ledger.IntentOpen)
}

// decided are the events of a person's decisions on a step.
func (r *run) decided(c Continuation, adopted map[string]anaplan.Task, t *ledger.StepState) []ledger.Body {
	last := lastOf(t)
	task, isAdopted := adopted[t.Plan.Name]
	var events []ledger.Body
	reopen := func(rerun bool, why string) {
		if t.End != nil || rerun {
			events = append(events, ledger.StepReopened{Rerun: rerun, Why: why, By: c.By})
		}
	}
	overrule := func(text string) {
		events = append(events, ledger.StartSettled{Number: last.Number, Outcome: ledger.IntentOverruled, Text: text, By: c.By})
	}
	switch {
	case slices.Contains(c.Again, t.Plan.Name):
		why := c.By + " decided to do it again"
		if unknown(t) {
			reopen(false, why)
			overrule(why)
		} else {
			reopen(last.Outcome == ledger.IntentStarted, why)
		}
	case slices.Contains(c.Accept, t.Plan.Name):
		why := c.By + " took it for ok"
		message := why
		if t.End != nil {
			message = fmt.Sprintf("%s; it had ended %s: %s", why, t.End.Verdict, t.End.Message)
		}
		reopen(false, why)
		if unknown(t) {
			overrule(why)
		}
		events = append(events, ledger.StepEnded{Verdict: ledger.OK, Message: message, Rows: rowsOfEnd(t)})
	case isAdopted:
		why := c.By + " says that it is its own"
		reopen(false, why)
		events = append(events, ledger.StartSettled{Number: last.Number, Outcome: ledger.IntentStarted, Task: task.ID, Created: task.CreationTime, Text: why, By: c.By})
	}
	return events
}

func rowsOfEnd(t *ledger.StepState) ledger.Rows {
	if t.End != nil {
		return t.End.Rows
	}
	return ledger.Rows{}
}

// adoptions finds for the tasks that a person names the steps whose starts they are.
func (r *run) adoptions(ctx context.Context, c Continuation) (map[string]anaplan.Task, error) {
	found := map[string]anaplan.Task{}
	for _, id := range c.Adopt {
		was := len(found)
		for i := range r.state.Steps {
			t := &r.state.Steps[i]
			if !unknown(t) {
				continue
			}
			if slices.Contains(lastOf(t).Before.Recent, id) {
				return nil, &DecisionError{"--adopt", id, "it was there before the run wanted to start its own", "look at the tasks again: anaplan-runner tasks"}
			}
			tenant, err := r.Connect(ctx, r.req.Plan.Steps[i].Connection)
			if err != nil {
				return nil, err
			}
			o := anaplan.Object{Model: anaplan.ModelRef{Workspace: t.Model.Workspace, Model: t.Model.ID}, Kind: anaplan.Kind(t.Plan.Verb), ID: t.Object.ID}
			for task, err := range tenant.Client.Tasks(ctx, o) {
				if err != nil {
					return nil, err
				}
				if task.ID == id {
					found[t.Plan.Name] = task
				}
			}
		}
		if len(found) == was {
			return nil, &DecisionError{"--adopt", id, "Anaplan does not know it as a task of what the run wanted to start", "look at the tasks again: anaplan-runner tasks"}
		}
	}
	return found, nil
}
