package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

// text tells what runs, as of now.
func (r statusResult) text(w io.Writer, now time.Time) error {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(printable(fmt.Sprintf(format, args...)) + "\n") }
	for i, s := range r.Runs {
		if i > 0 {
			line("")
		}
		line("run %s of job %s: %s", s.Run, s.Job, s.words(now))
		if s.Wish != nil {
			line("  %s was asked for by %s, %s", s.Wish.What, s.Wish.By, ago(s.Wish.At, now))
		}
		for _, t := range s.Steps {
			line("  %s: %s: %s", t.Name, t.object(), t.words(now))
			if t.Wait != nil {
				line("    waits since %s: %s: %s", moment(t.Wait.Since), t.Wait.Reason, t.Wait.Text)
			}
			if h := t.ModelHeld; h != nil && (h.Run != s.Run || h.Job != s.Job || h.Step != t.Name) {
				line("    the model is held by run %s of job %s, step %s, since %s", h.Run, h.Job, h.Step, moment(h.Since))
			}
			if t.Online != nil {
				line("    Anaplan now: %s", t.Online.words(t.Task != ""))
			}
		}
		if s.Next != "" {
			line("  → %s", s.Next)
		}
	}
	switch {
	case len(r.Runs) == 0:
		line("nothing runs by ledger %s", r.Ledger)
	default:
		line("ledger: %s", r.Ledger)
	}
	if r.Open > 0 {
		line("%d further %s ended and can be continued: %s runs --open", r.Open, map[bool]string{true: "run has", false: "runs have"}[r.Open == 1], name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s runStatus) words(now time.Time) string {
	switch s.State {
	case "running":
		return fmt.Sprintf("running since %s, by process %d of %s on %s", moment(s.Holder.Since), s.Holder.Runner.PID, s.Holder.Runner.User, s.Holder.Runner.Host)
	case "gone":
		return fmt.Sprintf("its runner is gone (process %d of %s on %s); last event %s", s.Runner.PID, s.Runner.User, s.Runner.Host, ago(s.Updated, now))
	case "closed":
		return fmt.Sprintf("ended %s; nothing is left to do", s.Verdict)
	}
	return fmt.Sprintf("ended %s, %s; it can be continued", s.Verdict, ago(s.Updated, now))
}

// object names what the step does; a program runs in no model.
func (t stepStatus) object() string {
	text := fmt.Sprintf("%s %q", t.Verb, t.Object.Name)
	if t.Model.Name != "" {
		text += fmt.Sprintf(" in model %q", t.Model.Name)
	}
	return text
}

func (t stepStatus) words(now time.Time) string {
	since := ", since " + moment(t.Since)
	switch t.Doing {
	case "starting":
		return "was being started; it is not known whether Anaplan runs it" + since
	case "unknown":
		return "the answer to its start was lost; it is not known whether Anaplan runs it" + since
	case "queued", "running":
		state := strings.TrimSpace(or(t.TaskState, string("NOT_STARTED")) + " " + t.TaskStep)
		return fmt.Sprintf("task %s, %s%s", t.Task, state, since)
	case "begun":
		return "was begun, and nothing of it runs" + since
	case "left":
		return "its program was begun; how it ended is not known, and it may still run" + since
	}
	return t.Doing + since
}

func (o online) words(task bool) string {
	model := "model: " + o.ModelStep
	if o.ModelText != "" {
		model += " (" + o.ModelText + ")"
	}
	if o.ModelFailed != "" {
		model = "model: no answer: " + o.ModelFailed
	}
	switch {
	case !task:
		return model
	case o.TaskFailed != "":
		return "task: no answer: " + o.TaskFailed + "; " + model
	case o.TaskState == "":
		return model
	}
	return "task " + strings.TrimSpace(o.TaskState+" "+o.TaskStep) + "; " + model
}

// moment is a time on this machine's clock.
func moment(t report.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// ago is a time with how long ago it is.
func ago(t report.Time, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", moment(t), now.Sub(t.Time).Round(time.Second))
}

// unsettled lists what of a run may still run in Anaplan, in words.
func unsettled(state ledger.State) []string {
	var all []string
	for _, t := range state.Steps {
		for _, i := range t.Intents {
			switch {
			case !i.Unsettled():
			case i.Task == "":
				all = append(all, fmt.Sprintf("step %q: it is not known whether Anaplan runs %s %q", t.Plan.Name, t.Plan.Verb, t.Object.Name))
			default:
				all = append(all, fmt.Sprintf("step %q: task %s was %s when it was last seen", t.Plan.Name, i.Task, or(i.State, "NOT_STARTED")))
			}
		}
	}
	return all
}
