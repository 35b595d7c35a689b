package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Options say what a state does not hold. The zero value works.
type Options struct {
	Ledger string // names the ledger: [ledger.Ledger.Where]
	// Rejected reads the first rows of a failure dump, at most so many. It is called only
	// for steps whose job file allows rows to be shown. Nil: none are shown.
	Rejected func(path string, most int) (Rejected, error)
}

// New makes the report of a run. It does not change the state and keeps no part of it
// that it changes.
func New(s ledger.State, o Options) Report {
	c := s.Created
	r := Report{
		Schema: Schema, Job: c.ID.Job, Run: c.ID.Run, Ledger: o.Ledger,
		Started: Time{s.Started}, Ended: Time{s.Ended}, Seen: s.Updated,
		Date: c.Date, Timezone: c.Timezone, Zone: zone(c.Timezone), Version: c.Version, Runner: c.Runner,
		JobFile: c.JobFile, Warnings: list(s.Warnings), Steps: []Step{},
	}
	r.Continued, r.Repaired = continuations(s)
	r.Transfers = transfers(s)
	r.Resumed = len(s.Continued) > 0
	if s.Resolved != nil {
		r.User = s.Resolved.User.Email
		if r.User == "" {
			r.User = s.Resolved.User.ID
		}
	}
	r.Moved = []Moved{}
	for _, m := range s.Moves {
		r.Moved = append(r.Moved, Moved{m.From, m.To, m.Error})
		if m.Error != "" {
			r.Warnings = append(slices.Clone(r.Warnings), fmt.Sprintf("%s stays where it is, it could not be moved to %s: %s", m.From, m.To, m.Error))
		}
	}
	if s.Stop != nil {
		r.Stopped, r.Signal = s.Stop.Text, s.Stop.Signal
	}
	if s.End != nil {
		r.Verdict, r.Cause, r.Message, r.Next = s.End.Verdict, s.End.Cause, s.End.Message, s.End.Next
		code := s.End.Code
		r.Code = &code
		r.Seen = s.Ended
	}
	for _, t := range s.Steps {
		step := newStep(t, o, r.Seen)
		r.Steps = append(r.Steps, step)
		for _, i := range t.Intents {
			r.Adopted = r.Adopted || i.Outcome == ledger.IntentStarted && i.Text != ""
		}
		for i, try := range t.Tries {
			// A try that neither failed nor was the last one: its runner did not end it.
			r.Resumed = r.Resumed || try.Failed == nil && i < len(t.Tries)-1
		}
	}
	return r
}

func newStep(t ledger.StepState, o Options, seen time.Time) Step {
	s := Step{
		Name: t.Plan.Name, Verb: t.Plan.Verb, Object: t.Object, Model: Model{t.Model.ID, t.Model.Name},
		Tries: len(t.Tries), Started: Time{t.Started}, Ended: Time{t.Ended},
		Dumps: []Dump{}, Uploads: []File{}, Commands: []Command{}, Actions: []Action{}, Warnings: list(t.Warnings),
		Phases: phases(t, seen),
	}
	s.Settled, s.Reopened = decisions(t)
	if s.Object.ID == "" && s.Object.Name == "" {
		s.Object.Name = t.Plan.Label
	}
	if s.Model.ID == "" && s.Model.Name == "" {
		s.Model.Name = t.Plan.Model
	}
	for _, i := range t.Intents {
		if i.Task == "" {
			continue
		}
		s.Task = i.Task
		began := i.Began
		if began.IsZero() {
			began = later(i.At, seen)
		}
		queued := seconds(began.Sub(i.At))
		if s.Queued != nil {
			queued += *s.Queued
		}
		s.Queued = &queued
	}
	for _, u := range t.Uploads {
		s.Uploads = append(s.Uploads, newUpload(u))
	}
	s.Outputs = outputs(t.Targets)
	if len(s.Outputs) > 0 {
		s.Output = &s.Outputs[0]
	}
	for _, d := range t.Dumps {
		s.Dumps = append(s.Dumps, newDump(d.DumpSaved, t.Plan.ShowRejected, o))
	}
	for _, w := range t.Waits {
		s.Waits = append(s.Waits, Wait{w.Since, w.Reason, w.Text})
	}
	for _, try := range t.Tries {
		if try.Failed != nil {
			s.Failed = append(s.Failed, Try{try.Number, try.Failed.Cause, try.Failed.Text})
		}
	}
	for _, c := range t.Cancelled {
		s.Cancels = append(s.Cancels, cancel(c))
	}
	if life := t.Life(); t.End == nil && len(life) > 0 {
		switch life[len(life)-1].Outcome {
		case ledger.IntentPending, ledger.IntentOpen:
			s.Message = "its start was sent, and the answer is not known: Anaplan may run it. Who continues the run finds out before anything is started again"
		}
	}
	if c := t.Command(); c != nil && c.End == nil && t.End == nil {
		s.Message = "its program was begun, and how it ended is not known. It is not run again unless the job file or a person says so"
	}
	for _, c := range t.Commands {
		s.Commands = append(s.Commands, newCommand(c))
	}
	if e := t.End; e != nil {
		s.Verdict, s.Cause, s.Message, s.Next, s.Rows = e.Verdict, e.Cause, e.Message, e.Next, e.Rows
		for _, a := range e.Actions {
			s.Actions = append(s.Actions, newAction(a))
		}
	}
	return s
}

func newAction(a ledger.ActionVerdict) Action {
	action := Action{Object: a.Object, Verdict: a.Verdict, Cause: a.Cause, Message: a.Message, Rows: a.Rows,
		Texts: list(a.Texts), Started: Time{a.Started}}
	if !a.Started.IsZero() || a.Duration > 0 {
		n := seconds(a.Duration)
		action.Seconds = &n
	}
	return action
}

// newDump reads rejected rows only if the job allows some, and never keeps more.
func newDump(d ledger.DumpSaved, most int, o Options) Dump {
	dump := Dump{Of: d.Of, Path: d.Path, Bytes: d.Bytes, Rejected: d.Dump.Rejected, Warned: d.Dump.Warned,
		Reasons: list(d.Dump.Reasons), Error: d.Error, Task: d.Task, Requested: max(0, most)}
	if most <= 0 || o.Rejected == nil || d.Path == "" {
		return dump
	}
	rows, err := o.Rejected(d.Path, most)
	if err != nil {
		dump.Unread = err.Error()
		return dump
	}
	if len(rows.Rows) > most {
		rows.Rows, rows.More = rows.Rows[:most], true
	}
	dump.First = &Rejected{Columns: shortened(rows.Columns), More: rows.More}
	for _, row := range rows.Rows {
		row.Cells, row.Errors = shortened(row.Cells), shortened(row.Errors)
		dump.First.Rows = append(dump.First.Rows, row)
	}
	return dump
}

// mostRunes is how much of a cell is shown: a cell may hold a book.
const mostRunes = 200

func shortened(cells []string) []string {
	all := slices.Clone(cells)
	for i, c := range all {
		if utf8.RuneCountInString(c) > mostRunes {
			all[i] = string([]rune(c)[:mostRunes]) + "…"
		}
	}
	return all
}

// cancel says what was asked. That is not yet a cancel done.
func cancel(c ledger.CancelAsked) string {
	text := fmt.Sprintf("asked Anaplan to cancel task %s: %s", c.Task, c.Reason)
	if c.Error != "" {
		text += "; asking failed: " + c.Error
	}
	return text
}

// zone finds a time zone by its name. A machine without its rules gives UTC.
func zone(name string) *time.Location {
	if loc, err := time.LoadLocation(strings.TrimSpace(name)); err == nil {
		return loc
	}
	return time.UTC
}

func seconds(d time.Duration) float64 {
	return max(0, d.Round(time.Millisecond).Seconds())
}

// list is a list that is [] in JSON even without entries.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
