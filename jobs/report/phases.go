package report

import (
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Phase is a part of a step's time.
type Phase struct {
	Kind PhaseKind
	From time.Time
	To   time.Time
}

// PhaseKind says what a step did, or waited for.
type PhaseKind string

// The kinds of phases, in the order of a step's life.
const (
	Preparing   PhaseKind = "preparing" // login, reading and checking sources
	Uploading   PhaseKind = "uploading"
	Waiting     PhaseKind = "waiting"  // for the model, or for a next try
	Queued      PhaseKind = "queued"   // the task is started and has not begun
	Running     PhaseKind = "running"  // the task runs
	Fetching    PhaseKind = "fetching" // failure dumps
	Downloading PhaseKind = "downloading"
)

// Kinds lists every kind of phase in order.
var Kinds = []PhaseKind{Preparing, Uploading, Waiting, Queued, Running, Fetching, Downloading}

// phases divides a step's time as far as its events tell: they say when something was
// done, not when it was begun. A step without an end lasts until the last event of its
// run.
func phases(t ledger.StepState, seen time.Time) []Phase {
	if t.Started.IsZero() {
		return nil
	}
	end := t.Ended
	if end.IsZero() {
		end = seen
	}
	marks := marksOf(t)
	slices.SortStableFunc(marks, func(a, b mark) int { return a.at.Compare(b.at) })
	var all []Phase
	for i, m := range marks {
		p := Phase{m.kind, earlier(m.at, end), end}
		if i+1 < len(marks) {
			p.To = earlier(marks[i+1].at, end)
		}
		switch n := len(all); {
		case !p.To.After(p.From):
		case n > 0 && all[n-1].Kind == p.Kind:
			all[n-1].To = p.To
		default:
			all = append(all, p)
		}
	}
	if len(all) == 0 { // all in a moment
		all = []Phase{{marks[len(marks)-1].kind, end, end}}
	}
	return all
}

// mark is a moment from which on a step did something else.
type mark struct {
	at   time.Time
	kind PhaseKind
}

func marksOf(t ledger.StepState) []mark {
	var marks []mark
	add := func(at time.Time, kind PhaseKind) { marks = append(marks, mark{at, kind}) }
	for i, try := range t.Tries {
		kind := Preparing
		for _, u := range t.Uploads { // what lies before the end of an upload is mostly it
			if !u.At.Before(try.Started) && (i+1 == len(t.Tries) || u.At.Before(t.Tries[i+1].Started)) {
				kind = Uploading
			}
		}
		if t.Plan.Verb == "download" || t.Plan.Verb == "upload" {
			kind = map[string]PhaseKind{"download": Downloading, "upload": Uploading}[t.Plan.Verb]
		}
		add(try.Started, kind)
	}
	for i, u := range t.Uploads {
		if t.Started.IsZero() || u.At.Before(t.Started) {
			continue // ahead of need, while the step waited for others
		}
		kind := Preparing
		if i+1 < len(t.Uploads) {
			kind = Uploading
		}
		add(u.At, kind)
	}
	for _, w := range t.Waits {
		if !running(t, w.Since) { // an outage while the task runs is not waiting for it
			add(w.Since, Waiting)
		}
	}
	for _, i := range t.Intents {
		add(i.At, Queued)
		if !i.Began.IsZero() {
			add(i.Began, Running)
		}
		if !i.Ended.IsZero() {
			kind := Fetching
			if len(t.Dumps) == 0 && len(t.Targets) > 0 {
				kind = Downloading
			}
			add(i.Ended, kind)
		}
	}
	for _, c := range t.Commands {
		add(c.At, Running)
		if !c.Ended.IsZero() {
			add(c.Ended, Preparing)
		}
	}
	if len(t.Targets) > 0 && len(t.Dumps) > 0 {
		add(t.Dumps[len(t.Dumps)-1].At, Downloading)
	}
	return marks
}

func running(t ledger.StepState, at time.Time) bool {
	for _, i := range t.Intents {
		if !i.Began.IsZero() && !at.Before(i.Began) && (i.Ended.IsZero() || at.Before(i.Ended)) {
			return true
		}
	}
	return false
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
