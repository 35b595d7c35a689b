package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// onward is the value of StepPlan.OnFailure and OnPartial with which a run goes on.
const onward = "continue"

// Satisfied says whether a step that ended so lets those that need it go on.
func (p StepPlan) Satisfied(end StepEnded) bool {
	switch end.Verdict {
	case OK, Skipped:
		return true
	case Partial:
		return p.OnPartial == onward
	}
	return false
}

// Stops says whether a step that ended so keeps the run from starting anything new. An
// unsure one always does, a blocked one never: what blocked it may have.
func (p StepPlan) Stops(end StepEnded) bool {
	switch end.Verdict {
	case OK, Skipped, Blocked:
		return false
	case Unsure:
		return true
	case Partial:
		return p.OnPartial != onward
	}
	return p.OnFailure != onward
}

// Closed says whether there is nothing left to do: every step ended ok, skipped, or
// partial where the job goes on after that. Only an open run can be continued.
func (s State) Closed() bool {
	for _, t := range s.Steps {
		if t.End == nil || !t.Plan.Satisfied(*t.End) {
			return false
		}
	}
	return true
}

// severity orders the codes of a run whose steps did not stop it, the worst first. A step
// that a signal had cancelled, of a run that was continued since, is like one that failed.
var severity = []int{CodeTerminate, CodeAction, CodeTime, CodePermission, CodeConfig, CodeInput, CodeTemporary, CodeInternal, CodeRows}

// Outcome is how a run has ended, by its steps: 76 if any step is unsure; else the
// signal's code, unless nothing was left to do when it came; likewise 124 if a time of day
// kept a step from its start or its end; else that of the first step that stopped it, in the
// order of their ends; else the worst of its steps; else 0. It is pure.
func Outcome(s State) RunEnded {
	if t := s.firstEnded(func(t StepState) bool { return t.End.Verdict == Unsure }); t != nil {
		return byStep(*t, CodeUnsure)
	}
	if s.stopped() {
		code := Code(Cancelled, s.Stop.Cause)
		if s.Stop.Signal == "SIGINT" {
			code = CodeInterrupt
		}
		return RunEnded{Verdict: Cancelled, Cause: s.Stop.Cause, Code: code, Message: s.Stop.Text,
			Next: "to continue: " + ResumeCommand(s.Created.ID)}
	}
	if t := s.firstEnded(func(t StepState) bool { return t.Plan.Stops(*t.End) }); t != nil {
		return byStep(*t, Code(t.End.Verdict, t.End.Cause))
	}
	for _, code := range severity {
		if t := s.firstEnded(func(t StepState) bool { return Code(t.End.Verdict, t.End.Cause) == code }); t != nil {
			return byStep(*t, code)
		}
	}
	if slices.ContainsFunc(s.Steps, func(t StepState) bool { return t.End == nil }) {
		return RunEnded{Verdict: Failed, Cause: CauseInternal, Code: CodeInternal, Message: "the run ended before its steps did"}
	}
	for _, t := range s.Steps {
		if t.End.Verdict != Skipped {
			return RunEnded{Verdict: OK, Code: CodeOK}
		}
	}
	return RunEnded{Verdict: Skipped, Code: CodeOK, Message: "every step was skipped"}
}

// stopped says whether the run was stopped before its steps had ended. A time of day that
// passes while the last ones run stops nothing: not_after lets them go on.
func (s State) stopped() bool {
	if s.Stop == nil || s.Closed() {
		return false
	}
	return s.Stop.Cause != CauseTime || slices.ContainsFunc(s.Steps, func(t StepState) bool {
		return t.End == nil || t.End.Stopped
	})
}

func byStep(t StepState, code int) RunEnded {
	return RunEnded{Verdict: t.End.Verdict, Cause: t.End.Cause, Code: code,
		Message: fmt.Sprintf("step %q: %s", t.Plan.Name, t.End.Message), Next: t.End.Next}
}

// firstEnded is the step that ended first of those that a function wants.
func (s State) firstEnded(want func(StepState) bool) *StepState {
	var first *StepState
	for i := range s.Steps {
		t := &s.Steps[i]
		if t.End == nil || !want(*t) {
			continue
		}
		if first == nil || t.Ended.Before(first.Ended) {
			first = t
		}
	}
	return first
}

// ResumeCommand is the command that continues a run, whole, so that it can be pasted.
func ResumeCommand(id ID, more ...string) string {
	words := append([]string{id.Run}, more...)
	if strings.HasPrefix(id.Run, "-") { // else it is an option
		words = append(slices.Clone(more), "--", id.Run)
	}
	text := "anaplan-runner resume"
	for _, word := range words {
		text += " " + quoteArg(word)
	}
	return text
}

// quoteArg is a word for a command line that a person pastes: into a shell, or into cmd.exe
// unless the word holds what a shell would read in double quotes.
func quoteArg(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@+", r)
	}
	switch {
	case word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0:
		return word
	case strings.ContainsAny(word, "$`\\!\""):
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return `"` + word + `"`
}
