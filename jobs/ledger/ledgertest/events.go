package ledgertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// T0 is when the runs of tests start.
var T0 = time.Date(2026, 11, 24, 2, 0, 0, 123456789, time.UTC)

// Steps are the steps of the runs of tests.
var Steps = []string{"load", "post"}

// At is an event of the run at T0 and so much later.
func At(later time.Duration, b ledger.Body) ledger.Event {
	return ledger.Event{At: T0.Add(later), Body: b}
}

// In is an event of a step.
func In(step string, later time.Duration, b ledger.Body) ledger.Event {
	return ledger.Event{At: T0.Add(later), Step: step, Body: b}
}

// Created is the first event of a run of two steps.
func Created(id ledger.ID, at time.Time) ledger.Event {
	c := ledger.RunCreated{ID: id, Version: "test", Date: "2026-11-24", Timezone: "Europe/Paris", Job: json.RawMessage(`{}`),
		Params: map[string]string{"version": "Actual"}, Runner: ledger.Runner{Host: "h", PID: 7, User: "u"}}
	for _, s := range Steps {
		c.Steps = append(c.Steps, ledger.StepPlan{Name: s, Verb: "import", Label: "Load", Model: "Hub", OnPartial: "continue"})
	}
	return ledger.Event{At: at, Body: c}
}

// Repaired gives a run these steps in this order.
func Repaired(steps ...string) ledger.JobRepaired {
	r := ledger.JobRepaired{JobFile: "other.toml", JobDigest: "d2", Job: json.RawMessage(`{"repaired":true}`), Changes: []string{"a change"}}
	for _, s := range steps {
		r.Steps = append(r.Steps, ledger.StepPlan{Name: s, Verb: "import", Label: "Load", Model: "Hub", OnPartial: "continue"})
	}
	return r
}

// Resolved resolves these steps, each to an object of its own in one model.
func Resolved(steps ...string) ledger.RunResolved {
	var r ledger.RunResolved
	for _, s := range steps {
		r.Steps = append(r.Steps, ledger.StepObject{Step: s, Object: ledger.ObjectRef{ID: "112 " + s, Name: s}, Model: Model})
	}
	return r
}

// Model is the model of the runs of tests.
var Model = ledger.ModelRef{ID: "M1", Name: "Hub", Workspace: "W1", Host: "api.example.com:443"}

// Story is a whole run that holds every kind of event: it is stopped, continued with
// another job file, and closed.
func Story(id ledger.ID) []ledger.Event {
	n := int64(5)
	rows := ledger.Rows{Total: &n, OK: &n}
	of := ledger.ObjectRef{ID: "112000000001", Name: "Load"}
	model := Model
	s := time.Second
	return []ledger.Event{
		Created(id, T0),
		At(1*s, ledger.RunResolved{User: ledger.User{ID: "U1", Email: "u@example.com"}, Steps: []ledger.StepObject{
			{Step: "load", Object: of, Model: model}, {Step: "post", Object: of, Model: model}}}),
		In("load", 2*s, ledger.StepStarted{Try: 1}),
		In("load", 3*s, ledger.Waiting{Reason: "busy", Text: "the model is busy"}),
		In("load", 4*s, ledger.TryFailed{Try: 1, Cause: ledger.CauseNetwork, Text: "reset"}),
		In("load", 5*s, ledger.StepStarted{Try: 2}),
		In("load", 6*s, ledger.SourceUploaded{File: of, Path: "a.csv", Bytes: 9, Rows: &n, Chunks: 1, Wire: 7, Took: s, Digest: "d", Modified: T0, User: "U1"}),
		In("load", 7*s, ledger.Intent{Number: 1, Epoch: 3, ServerTime: T0, Before: ledger.TaskListed{Count: 1, Latest: T0, Recent: []string{"A"}}}),
		In("load", 8*s, ledger.StartRefused{Number: 1, Text: "429"}),
		In("load", 9*s, ledger.Intent{Number: 2}),
		In("load", 10*s, ledger.StartUnknown{Number: 2, Text: "time-out"}),
		In("load", 11*s, ledger.TaskStarted{Number: 2, Task: "T1", Created: T0}),
		In("load", 12*s, ledger.TaskSeen{Task: "T1", State: "NOT_STARTED"}),
		In("load", 13*s, ledger.TaskSeen{Task: "T1", State: "IN_PROGRESS", Step: "Loading"}),
		In("load", 14*s, ledger.CancelAsked{Task: "T1", Reason: "time", Error: "502"}),
		In("load", 15*s, ledger.TaskEnded{Task: "T1", State: "COMPLETE", Step: "Complete.", Result: json.RawMessage(`{"successful":true}`)}),
		In("load", 16*s, ledger.DumpSaved{Task: "T1", Of: of, Path: "d.csv", Bytes: 3,
			Dump: ledger.DumpStats{Rejected: 1, Reasons: []ledger.Reason{{Text: "unknown item", Count: 1}}}}),
		In("load", 17*s, ledger.TargetWritten{File: of, Path: "o.csv", Bytes: 4, Rows: &n, Chunks: 1, Digest: "e", Wire: 5, Took: 2 * s}),
		In("load", 18*s, ledger.Warned{Text: "slow"}),
		In("load", 19*s, ledger.StepEnded{Verdict: ledger.Partial, Cause: ledger.CauseRows, Message: "m", Next: "n", Rows: rows,
			Actions: []ledger.ActionVerdict{{Object: of, Verdict: ledger.OK, Rows: rows, Texts: []string{"t"}, Started: T0, Duration: s}}}),
		At(20*s, ledger.StopAsked{Cause: ledger.CauseSignal, Signal: "SIGTERM", Text: "stopped"}),
		At(21*s, ledger.RunEnded{Verdict: ledger.Cancelled, Cause: ledger.CauseSignal, Code: 143, Message: "m", Next: "n"}),
		At(22*s, ledger.RunContinued{Runner: ledger.Runner{Host: "h2", PID: 8, User: "u2"}, Version: "test 2"}),
		At(23*s, Repaired("check", "load", "post")),
		At(24*s, ledger.RunResolved{User: ledger.User{ID: "U1", Email: "u@example.com"}, Steps: []ledger.StepObject{
			{Step: "check", Object: ledger.ObjectRef{ID: "112000000002", Name: "Check"}, Model: model},
			{Step: "load", Object: of, Model: model}, {Step: "post", Object: of, Model: model}}}),
		In("load", 25*s, ledger.StepReopened{Rerun: true, Why: "asked for", By: "u2@h2"}),
		In("load", 26*s, ledger.StepStarted{Try: 3}),
		In("load", 26*s, ledger.CommandStarted{Program: "make"}),
		In("load", 26*s, ledger.CommandEnded{Code: 1, Took: s, Why: ledger.CauseTime, Tail: []string{"a line"}, Error: "not there"}),
		In("load", 27*s, ledger.Intent{Number: 3, Epoch: 4, Files: []ledger.FileRead{{File: "113000000001", User: "U1", Digest: "d", Epoch: 2}}}),
		In("load", 28*s, ledger.StartUnknown{Number: 3, Text: "reset"}),
		In("load", 29*s, ledger.StartSettled{Number: 3, Outcome: ledger.IntentAbsent, Text: "two lists hold none"}),
		In("load", 30*s, ledger.Intent{Number: 4, Epoch: 5}),
		In("load", 31*s, ledger.StartSettled{Number: 4, Outcome: ledger.IntentStarted, Task: "T2", Created: T0, Text: "adopted", By: "u2@h2"}),
		In("load", 32*s, ledger.TaskEnded{Task: "T2", State: "COMPLETE", Step: "Complete.", Result: json.RawMessage(`{"successful":true}`)}),
		In("load", 32*s, ledger.TargetPlacing{File: of, Path: "o.csv", Previous: "4-1", First: "5-1", Kept: true, Stored: "4-ab"}),
		In("load", 33*s, ledger.StepEnded{Verdict: ledger.OK, Rows: rows}),
		In("check", 34*s, ledger.StepEnded{Verdict: ledger.Skipped}),
		In("post", 35*s, ledger.StepEnded{Verdict: ledger.Skipped}),
		At(36*s, ledger.SourceMoved{Source: "*.csv", From: "a.csv", To: "done/a.csv", Digest: "d", Error: "denied"}),
		At(36*s, ledger.RunEnded{Verdict: ledger.OK}),
	}
}

// Draw draws an event that may or may not follow what is known of a run.
func Draw(t *rapid.T, s ledger.State, later time.Duration) ledger.Event {
	step := rapid.SampledFrom([]string{"load", "load", "load", "post", "post", "more"}).Draw(t, "step")
	number, task, try, next := fitting(s, step)
	if rapid.IntRange(0, 4).Draw(t, "odd") == 0 {
		number = rapid.IntRange(1, 4).Draw(t, "number")
		try, next = number, number
		task = fmt.Sprint("T", rapid.IntRange(1, 3).Draw(t, "task"))
	} else if bodies := onward(s, step); rapid.Bool().Draw(t, "onward") {
		body := rapid.SampledFrom(bodies).Draw(t, "body")
		if _, ok := body.(ledger.RunContinued); ok {
			step = ""
		}
		return In(step, later, body)
	}
	verdict := rapid.SampledFrom(ledger.Verdicts).Draw(t, "verdict")
	cause := rapid.SampledFrom(append([]ledger.Cause{""}, ledger.Causes...)).Draw(t, "cause")
	plan := rapid.SampledFrom([][]string{{"load", "post"}, {"load", "post"}, {"post", "load"}, {"load", "post", "more"}, {"load"}}).Draw(t, "plan")
	by := rapid.SampledFrom([]string{"", "u@h"}).Draw(t, "by")
	settled := ledger.StartSettled{Number: number, Text: "seen", By: by,
		Outcome: rapid.SampledFrom([]ledger.IntentOutcome{ledger.IntentStarted, ledger.IntentAbsent, ledger.IntentOverruled}).Draw(t, "outcome")}
	if settled.Outcome == ledger.IntentStarted {
		settled.Task = task
	}
	again := ledger.StepReopened{Rerun: rapid.Bool().Draw(t, "rerun"), Why: "w", By: by}
	body := rapid.SampledFrom([]ledger.Body{
		Resolved(plan...), ledger.StepStarted{Try: try}, ledger.StepStarted{Try: 1}, ledger.Waiting{Reason: "busy"},
		ledger.SourceUploaded{Bytes: 3}, ledger.Intent{Number: next, Epoch: 1}, ledger.Intent{Number: next},
		ledger.TaskStarted{Number: number, Task: task}, ledger.TaskStarted{Number: number, Task: task},
		ledger.StartRefused{Number: number, Text: "no"}, ledger.StartUnknown{Number: number},
		ledger.TaskSeen{Task: task, State: "IN_PROGRESS"}, ledger.TaskSeen{Task: task, State: "NOT_STARTED"},
		ledger.CancelAsked{Task: task}, ledger.TaskEnded{Task: task, State: "COMPLETE"}, ledger.DumpSaved{Task: task},
		ledger.TargetPlacing{Path: "p"}, ledger.TargetWritten{Path: "p"}, ledger.Warned{Text: "w"}, ledger.TryFailed{Try: try - 1},
		ledger.StepEnded{Verdict: verdict, Cause: cause}, ledger.StopAsked{Cause: ledger.CauseSignal},
		ledger.RunEnded{Verdict: verdict, Cause: cause, Code: number}, ledger.RunContinued{Runner: ledger.Runner{PID: number}},
		Repaired(plan...), again, again, settled, settled, ledger.SourceMoved{From: "a", To: "b"},
		ledger.CommandStarted{Program: "p"}, ledger.CommandEnded{Code: number}, ledger.CommandEnded{Error: "no"}, ledger.CommandEnded{Why: cause},
	}).Draw(t, "body")
	switch body.(type) {
	case ledger.RunResolved, ledger.RunContinued, ledger.JobRepaired, ledger.SourceMoved, ledger.StopAsked, ledger.RunEnded:
		step = ""
	}
	return In(step, later, body)
}

// fitting is what the next event of a step could bear: the number and the task of its last
// start, the number of its next try, and that of the run's next start.
func fitting(s ledger.State, step string) (number int, task string, try, next int) {
	number, task, try, next = 1, "T1", 1, 1
	for _, t := range s.Steps {
		next += len(t.Intents)
		if t.Plan.Name != step {
			continue
		}
		try = len(t.Tries) + 1
		if n := len(t.Intents); n > 0 {
			i := t.Intents[n-1]
			number, task = i.Number, fmt.Sprint("T", i.Number)
			if i.Task != "" {
				task = i.Task
			}
		}
	}
	return number, task, try, next
}

// onward are events that bring a step on.
func onward(s ledger.State, step string) []ledger.Body {
	number, task, try, next := fitting(s, step)
	at := slices.IndexFunc(s.Steps, func(t ledger.StepState) bool { return t.Plan.Name == step })
	switch {
	case s.End != nil || at < 0:
		return []ledger.Body{ledger.RunContinued{}}
	case s.Steps[at].End != nil:
		return []ledger.Body{ledger.StepReopened{}, ledger.StepReopened{Rerun: true}, ledger.StepReopened{Rerun: true, By: "u@h"}, ledger.RunContinued{}}
	case len(s.Steps[at].Tries) == 0:
		return []ledger.Body{ledger.StepStarted{Try: try}}
	}
	if c := s.Steps[at].Command(); c != nil && c.End == nil {
		return []ledger.Body{ledger.CommandEnded{}, ledger.CommandEnded{Error: "no"}, ledger.StepReopened{Rerun: true}}
	}
	life := s.Steps[at].Life()
	if len(life) == 0 {
		return []ledger.Body{ledger.Intent{Number: next}}
	}
	settled := []ledger.Body{ledger.StartSettled{Number: number, Outcome: ledger.IntentStarted, Task: task},
		ledger.StartSettled{Number: number, Outcome: ledger.IntentAbsent}, ledger.StartSettled{Number: number, Outcome: ledger.IntentOverruled, By: "u@h"}}
	switch last := life[len(life)-1]; {
	case last.Outcome == ledger.IntentPending:
		return append(settled, ledger.TaskStarted{Number: number, Task: task}, ledger.TaskStarted{Number: number, Task: task},
			ledger.StartRefused{Number: number}, ledger.StartUnknown{Number: number}, ledger.StartUnknown{Number: number})
	case last.Outcome == ledger.IntentOpen:
		return settled
	case last.Outcome == ledger.IntentStarted && last.Ended.IsZero():
		return []ledger.Body{ledger.TaskSeen{Task: task, State: "IN_PROGRESS"}, ledger.TaskEnded{Task: task, State: "COMPLETE"}}
	case last.Outcome == ledger.IntentStarted:
		return []ledger.Body{ledger.StepReopened{Rerun: true}, ledger.StepEnded{Verdict: ledger.Failed}}
	}
	return []ledger.Body{ledger.Intent{Number: next}}
}
