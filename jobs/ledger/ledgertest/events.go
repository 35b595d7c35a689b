package ledgertest

import (
	"encoding/json"
	"fmt"
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

// Story is a whole run that holds every kind of event.
func Story(id ledger.ID) []ledger.Event {
	n := int64(5)
	rows := ledger.Rows{Total: &n, OK: &n}
	of := ledger.ObjectRef{ID: "112000000001", Name: "Load"}
	model := ledger.ModelRef{ID: "M1", Name: "Hub", Workspace: "W1", Host: "api.example.com:443"}
	s := time.Second
	return []ledger.Event{
		Created(id, T0),
		At(1*s, ledger.RunResolved{User: ledger.User{ID: "U1", Email: "u@example.com"}, Steps: []ledger.StepObject{
			{Step: "load", Object: of, Model: model}, {Step: "post", Object: of, Model: model}}}),
		In("load", 2*s, ledger.StepStarted{Try: 1}),
		In("load", 3*s, ledger.Waiting{Reason: "busy", Text: "the model is busy"}),
		In("load", 4*s, ledger.TryFailed{Try: 1, Cause: ledger.CauseNetwork, Text: "reset"}),
		In("load", 5*s, ledger.StepStarted{Try: 2}),
		In("load", 6*s, ledger.SourceUploaded{File: of, Path: "a.csv", Bytes: 9, Rows: &n, Chunks: 1, Digest: "d", Modified: T0, User: "U1"}),
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
		In("load", 17*s, ledger.TargetWritten{File: of, Path: "o.csv", Bytes: 4, Rows: &n, Chunks: 1, Digest: "e"}),
		In("load", 18*s, ledger.Warned{Text: "slow"}),
		In("load", 19*s, ledger.StepEnded{Verdict: ledger.Partial, Cause: ledger.CauseRows, Message: "m", Next: "n", Rows: rows,
			Actions: []ledger.ActionVerdict{{Object: of, Verdict: ledger.OK, Rows: rows, Texts: []string{"t"}, Started: T0, Duration: s}}}),
		At(20*s, ledger.StopAsked{Cause: ledger.CauseSignal, Signal: "SIGTERM", Text: "stopped"}),
		At(21*s, ledger.RunEnded{Verdict: ledger.Cancelled, Cause: ledger.CauseSignal, Code: 143, Message: "m", Next: "n"}),
	}
}

// Draw draws an event that may or may not follow.
func Draw(t *rapid.T, later time.Duration) ledger.Event {
	number := rapid.IntRange(1, 4).Draw(t, "number")
	task := fmt.Sprint("T", rapid.IntRange(1, 3).Draw(t, "task"))
	verdict := rapid.SampledFrom(ledger.Verdicts).Draw(t, "verdict")
	cause := rapid.SampledFrom(append([]ledger.Cause{""}, ledger.Causes...)).Draw(t, "cause")
	objects := []ledger.StepObject{}
	for _, s := range Steps {
		objects = append(objects, ledger.StepObject{Step: s, Object: ledger.ObjectRef{ID: "112"}, Model: ledger.ModelRef{ID: "M", Host: "h"}})
	}
	body := rapid.SampledFrom([]ledger.Body{
		ledger.RunResolved{Steps: objects}, ledger.StepStarted{Try: number}, ledger.StepStarted{Try: 1}, ledger.Waiting{Reason: "busy"},
		ledger.SourceUploaded{Bytes: 3}, ledger.Intent{Number: number, Epoch: 1}, ledger.Intent{Number: number},
		ledger.TaskStarted{Number: number, Task: task}, ledger.TaskStarted{Number: number, Task: task},
		ledger.StartRefused{Number: number, Text: "no"}, ledger.StartUnknown{Number: number},
		ledger.TaskSeen{Task: task, State: "IN_PROGRESS"}, ledger.TaskSeen{Task: task, State: "NOT_STARTED"},
		ledger.CancelAsked{Task: task}, ledger.TaskEnded{Task: task, State: "COMPLETE"}, ledger.DumpSaved{Task: task},
		ledger.TargetWritten{Path: "p"}, ledger.Warned{Text: "w"}, ledger.TryFailed{Try: number},
		ledger.StepEnded{Verdict: verdict, Cause: cause}, ledger.StopAsked{Cause: ledger.CauseSignal},
		ledger.RunEnded{Verdict: verdict, Cause: cause, Code: number},
	}).Draw(t, "body")
	step := ""
	switch body.(type) {
	case ledger.RunResolved, ledger.StopAsked, ledger.RunEnded:
	default:
		step = rapid.SampledFrom(Steps).Draw(t, "step")
	}
	return In(step, later, body)
}
