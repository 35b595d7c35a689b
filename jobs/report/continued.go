package report

import (
	"fmt"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Continuation is one time that a runner went on with the run.
type Continuation struct {
	At      Time          `json:"at"`
	Runner  ledger.Runner `json:"runner"`
	Version string        `json:"version"` // of the program
}

// Repair is one time that what was left of the run was given another job file.
type Repair struct {
	At      Time     `json:"at"`
	JobFile string   `json:"job_file"`
	Changes []string `json:"changes"` // a line each
}

// Settled is what became of a start whose answer was lost, or whose runner died.
type Settled struct {
	At      Time                 `json:"at"`
	Outcome ledger.IntentOutcome `json:"outcome"` // started: the task is ours, absent: nothing was started, overruled
	Task    string               `json:"task"`    // "" unless it is started
	Reason  string               `json:"reason"`
	By      string               `json:"by"` // the person who decided, user@host; "" if it was found out
}

// Reopened is one time that a step which had ended was not done after all.
type Reopened struct {
	At     Time   `json:"at"`
	Rerun  bool   `json:"rerun"` // what its task did is done again
	Reason string `json:"reason"`
	By     string `json:"by"` // the person who decided, user@host; "" if the job file did
}

// continuations are those of a state, with the job files that it was given.
func continuations(s ledger.State) ([]Continuation, []Repair) {
	all, repairs := []Continuation{}, []Repair{}
	for _, c := range s.Continued {
		all = append(all, Continuation{Time{c.At}, c.Runner, c.Version})
	}
	for _, r := range s.Repairs {
		repairs = append(repairs, Repair{Time{r.At}, r.JobFile, list(r.Changes)})
	}
	return all, repairs
}

// decisions are what was found out about a step's starts, and decided about the step.
func decisions(t ledger.StepState) ([]Settled, []Reopened) {
	settled, reopened := []Settled{}, []Reopened{}
	for _, i := range t.Intents {
		if s := i.Settled; s != nil {
			settled = append(settled, Settled{Time{s.At}, s.Outcome, s.Task, s.Text, s.By})
		}
	}
	for _, o := range t.Reopened {
		reopened = append(reopened, Reopened{Time{o.At}, o.Rerun, o.Why, o.By})
	}
	return settled, reopened
}

// words say who went on with the run, and when.
func (c Continuation) words(r Report) string {
	text := "continued on " + r.moment(c.At.Time)
	if c.Runner.Host != "" {
		text += " by " + who(c.Runner)
	}
	return oneLine(text)
}

func (f Repair) words(r Report) string {
	return oneLine(fmt.Sprintf("%s: the rest follows another job file, %s", r.moment(f.At.Time), f.JobFile))
}

// words say what became of the start.
func (s Settled) words(r Report) string {
	text := r.moment(s.At.Time) + ": "
	switch s.Outcome {
	case ledger.IntentStarted:
		text += "task " + s.Task + " is that of the start whose answer was lost"
	case ledger.IntentAbsent:
		text += "the start whose answer was lost started nothing"
	default:
		text += "what became of the start is not known"
	}
	return told(text, s.Reason, s.By)
}

// words say what is done with the step.
func (o Reopened) words(r Report) string {
	text := r.moment(o.At.Time) + ": the step goes on"
	if o.Rerun {
		text = r.moment(o.At.Time) + ": the step is done again"
	}
	return told(text, o.Reason, o.By)
}

func told(text, why, by string) string {
	if why != "" {
		text += ": " + why
	}
	if by != "" && !strings.Contains(why, by) {
		text += " (decided by " + by + ")"
	}
	return oneLine(text)
}

// who names a runner.
func who(r ledger.Runner) string {
	text := r.Host
	if r.User != "" {
		text = r.User + " on " + r.Host
	}
	if r.PID != 0 {
		text += fmt.Sprintf(", process %d", r.PID)
	}
	return text
}
