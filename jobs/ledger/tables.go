package ledger

import (
	"fmt"
	"slices"
	"time"
)

// Tables are what a ledger in a database keeps of a run beside its events, for queries and
// as a second lock on the legal moves: a row of the run, one of each of its steps, and one
// of each start of a task. They follow from the events and hold nothing else. Times are
// stamped (see [Stamp]); a text may hold any characters, and a database that cannot keep one
// of them keeps another in its place.
type Tables struct {
	Run   RunRow
	Steps []StepRow // in file order
	Tasks []TaskRow // step by step, the earliest first
}

// RunRow is the row of a run.
type RunRow struct {
	Job, Run                string
	Seq                     int64 // of the last event
	Started, Updated, Ended string
	Verdict, Cause          string
	Code, Steps, Done       int // Done: steps that have ended
	Closed                  bool
}

// StepRow is the row of a step, which its run and its name identify.
type StepRow struct {
	Position            int // in file order, from 0
	Name, Verb          string
	Host, Model, Object string // empty until the names are resolved
	State               string // planned, started or ended
	Tries               int
	Started, Ended      string
	Verdict, Cause      string
}

// TaskRow is the row of one start of a task, which its run and its number identify.
type TaskRow struct {
	Step                   string
	Number                 int
	Host, Model, Object    string // those of the step then
	Epoch                  int64
	Outcome, Task, State   string
	Intended, Began, Ended string
	Spent                  bool // the step was begun anew since
}

// stamp is how times stand in tables: UTC, always nine digits of a second, so that they sort
// as text.
const stamp = "2006-01-02T15:04:05.000000000Z"

// Stamp is a time as tables hold it; the zero time is empty.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(stamp)
}

// Unstamp reads what Stamp has made.
func Unstamp(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(stamp, text)
}

// Tables are the tables of the run, made of what is known of it.
func (s *State) Tables() Tables {
	t := Tables{Run: s.RunRow(), Steps: s.stepRows()}
	for i := range s.Steps {
		for n := range s.Steps[i].Intents {
			t.Tasks = append(t.Tasks, s.Steps[i].taskRow(n))
		}
	}
	return t
}

// RunRow is the row of the run.
func (s *State) RunRow() RunRow {
	sum := s.Summary()
	return RunRow{Job: sum.ID.Job, Run: sum.ID.Run, Seq: s.Seq, Started: Stamp(sum.Started), Updated: Stamp(sum.Updated), Ended: Stamp(sum.Ended),
		Verdict: string(sum.Verdict), Cause: string(sum.Cause), Code: sum.Code, Steps: sum.Steps, Done: sum.Done, Closed: sum.Closed}
}

// Summary is what a list of runs shows of the row.
func (r RunRow) Summary() (Summary, error) {
	s := Summary{ID: ID{Job: r.Job, Run: r.Run}, Verdict: Verdict(r.Verdict), Cause: Cause(r.Cause), Code: r.Code, Steps: r.Steps, Done: r.Done, Closed: r.Closed}
	for _, f := range []struct {
		to   *time.Time
		text string
	}{{&s.Started, r.Started}, {&s.Updated, r.Updated}, {&s.Ended, r.Ended}} {
		at, err := Unstamp(f.text)
		if err != nil {
			return Summary{}, fmt.Errorf("time of run %q: %w", r.Run, err)
		}
		*f.to = at
	}
	return s, nil
}

func (s *State) stepRows() []StepRow {
	rows := make([]StepRow, len(s.Steps))
	for i := range s.Steps {
		rows[i] = s.stepRow(i)
	}
	return rows
}

func (s *State) stepRow(i int) StepRow {
	t := &s.Steps[i]
	r := StepRow{Position: i, Name: t.Plan.Name, Verb: t.Plan.Verb, Host: t.Model.Host, Model: t.Model.ID, Object: t.Object.ID,
		State: "planned", Tries: len(t.Tries), Started: Stamp(t.Started), Ended: Stamp(t.Ended)}
	if r.Tries > 0 {
		r.State = "started"
	}
	if t.End != nil {
		r.State, r.Verdict, r.Cause = "ended", string(t.End.Verdict), string(t.End.Cause)
	}
	return r
}

// taskRow is the row of the n-th start.
func (t *StepState) taskRow(n int) TaskRow {
	i := t.Intents[n]
	return TaskRow{Step: t.Plan.Name, Number: i.Number, Host: i.Model.Host, Model: i.Model.ID, Object: i.Object.ID, Epoch: i.Epoch,
		Outcome: string(i.Outcome), Task: i.Task, State: i.State, Intended: Stamp(i.At), Began: Stamp(i.Began), Ended: Stamp(i.Ended), Spent: n < t.Spent}
}

// Change is what one event changes in the tables, apart from the run's own row, in the order
// of its fields. What it does not name stays.
type Change struct {
	Only  []string  // rows of other steps than these go; nil: none goes
	Add   []StepRow // of steps that may have no row yet: where there is one, it stays
	Steps []StepRow // as they are now; each has a row
	Spent string    // all starts of this step are spent now; "": no step
	Start *TaskRow  // a new one
	Task  *TaskRow  // as it is now; it has a row
}

// Change is the change that the state's last event makes, which the state has taken in.
func (s *State) Change(last Event) Change {
	i := slices.IndexFunc(s.Steps, func(t StepState) bool { return t.Plan.Name == last.Step })
	task := func() *TaskRow {
		r := s.Steps[i].taskRow(len(s.Steps[i].Intents) - 1)
		return &r
	}
	switch b := last.Body.(type) {
	case RunCreated:
		return Change{Add: s.stepRows()}
	case RunResolved, RunContinued:
		return Change{Steps: s.stepRows()}
	case JobRepaired:
		c := Change{Only: []string{}, Steps: s.stepRows()}
		for _, r := range c.Steps {
			c.Only = append(c.Only, r.Name)
			c.Add = append(c.Add, StepRow{Position: r.Position, Name: r.Name, Verb: r.Verb, State: "planned"})
		}
		return c
	case StepStarted, StepEnded:
		return Change{Steps: []StepRow{s.stepRow(i)}}
	case StepReopened:
		c := Change{Steps: []StepRow{s.stepRow(i)}}
		if b.Rerun {
			c.Spent = last.Step
		}
		return c
	case Intent:
		return Change{Start: task()}
	case TaskStarted, StartRefused, StartUnknown, StartSettled, TaskSeen, TaskEnded:
		return Change{Task: task()}
	}
	return Change{}
}
