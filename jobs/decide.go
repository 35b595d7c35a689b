package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

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
		if r.only && !mayRun(t) {
			continue // nothing of it can be cancelled: it ended as it did
		}
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
	switch ran := t.Command() != nil; {
	case mayRun(t):
		return &ledger.StepReopened{Why: "what became of its task is looked at again"}
	case !ran && (len(life) == 0 || life[len(life)-1].Outcome != ledger.IntentStarted):
		return &ledger.StepReopened{Why: "nothing of it has run"}
	case t.End.Fetch && !ofItsObject(t):
		return &ledger.StepReopened{Rerun: true, Why: "the job names another object by now, and nothing of that has run"}
	case t.End.Fetch && (t.End.Cause != ledger.CauseGuard || !rerunSafe(s)):
		return &ledger.StepReopened{Why: "what its task wrote is fetched"}
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
	runs := func(t *ledger.StepState) bool { // as far as we know
		last := lastOf(t)
		return last != nil && last.Outcome == ledger.IntentStarted && last.Ended.IsZero() && (t.End == nil || t.End.Verdict != ledger.Unsure)
	}
	const watch = "continue the run without it, which watches the task to its end; or cancel the run"
	for _, name := range c.Again {
		t, err := find("--again", name)
		if err != nil {
			return err
		}
		last := lastOf(t)
		switch {
		case slices.Contains(c.Accept, name):
			return &DecisionError{"--again", name, "--accept names it too", "leave one out"}
		case last == nil && t.Command() == nil:
			return &DecisionError{"--again", name, "nothing of it was started", "leave it out: it is begun anyway"}
		case runs(t):
			return &DecisionError{"--again", name, fmt.Sprintf("its task %s may still run", last.Task), watch}
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
		if runs(t) {
			return &DecisionError{"--accept", name, fmt.Sprintf("its task %s may still run", lastOf(t).Task), watch}
		}
	}
	for _, task := range c.Adopt {
		if !slices.ContainsFunc(s.Steps, func(t ledger.StepState) bool { return unknown(&t) }) {
			return &DecisionError{"--adopt", task, "the run has no start whose answer was lost", "leave it out"}
		}
	}
	return nil
}

// checkDone says that nothing is left to decide in a run that is done but for its end.
func checkDone(c Continuation) error {
	for _, d := range []struct {
		flag   string
		values []string
	}{{"--again", c.Again}, {"--accept", c.Accept}, {"--adopt", c.Adopt}} {
		if len(d.values) > 0 {
			return &DecisionError{d.flag, d.values[0], "every step of the run is done, only its end was not recorded", "leave it out, and the run is ended; then begin a new one"}
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

// ofItsObject says whether the step's last task is one of the object that the step means: a
// corrected job may have given it another one since.
func ofItsObject(t *ledger.StepState) bool {
	last := lastOf(t)
	return last != nil && last.Object.ID == t.Object.ID && last.Model.ID == t.Model.ID && last.Model.Host == t.Model.Host
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
			reopen(t.Command() != nil || last.Outcome == ledger.IntentStarted, why)
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
			tenant, err := r.Connect(ctx, stepNamed(r.req.Plan, t.Plan.Name).Connection) // what has begun is not missing in it
			if err != nil {
				return nil, err
			}
			known, err := r.Ledger.Tasks(ctx, t.Model.Host, t.Model.ID, t.Object.ID, r.now().Add(-2*knownSpan))
			if err != nil {
				return nil, err
			}
			if slices.Contains(known, id) {
				return nil, &DecisionError{"--adopt", id, "it is the task of another start that this ledger knows", "look at the tasks again: anaplan-runner tasks"}
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
