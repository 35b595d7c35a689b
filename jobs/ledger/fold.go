package ledger

import (
	"fmt"
	"slices"
)

// OrderError says that an event cannot follow those before it: the ledger was damaged,
// or our program is wrong. A run whose events do not fold is never continued.
type OrderError struct {
	Seq  int64
	Kind string
	Why  string
}

func (e *OrderError) Error() string {
	return fmt.Sprintf("event %d (%s): %s", e.Seq, e.Kind, e.Why)
}

// Fold makes of a run's events what is known of the run. It is pure, and the same for
// the events at once as for some of them first and the rest by Apply.
func Fold(events []Event) (State, error) {
	var s State
	for _, e := range events {
		if err := s.Apply(e); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// Apply takes in the next event. After an error the state is as it was.
func (s *State) Apply(e Event) error {
	wrong := func(format string, args ...any) error {
		return &OrderError{e.Seq, kindOf(e), fmt.Sprintf(format, args...)}
	}
	if e.Seq != s.Seq+1 {
		return wrong("it follows event %d", s.Seq)
	}
	if b, ok := e.Body.(RunCreated); ok {
		if s.Seq != 0 {
			return wrong("the run exists already")
		}
		if name := twice(b.Steps); name != "" {
			return wrong("two steps are named %q", name)
		}
		s.create(e, b)
		return nil
	}
	if s.Seq == 0 {
		return wrong("the first event must create the run")
	}
	if s.End != nil {
		return wrong("the run has ended")
	}
	var why string
	if e.Step == "" {
		why = s.applyRun(e)
	} else if i := slices.IndexFunc(s.Steps, func(t StepState) bool { return t.Plan.Name == e.Step }); i < 0 {
		why = fmt.Sprintf("the run has no step %q", e.Step)
	} else if b, ok := e.Body.(Intent); ok && s.intended(b.Number) {
		why = fmt.Sprintf("intent %d exists already", b.Number)
	} else {
		why = s.Steps[i].apply(e)
	}
	if why != "" {
		return wrong("%s", why)
	}
	s.Seq, s.Updated = e.Seq, e.At
	return nil
}

func kindOf(e Event) string {
	if e.Body == nil {
		return "no body"
	}
	return e.Body.Kind()
}

// twice is the first name that two steps bear.
func twice(steps []StepPlan) string {
	seen := map[string]bool{}
	for _, p := range steps {
		if seen[p.Name] {
			return p.Name
		}
		seen[p.Name] = true
	}
	return ""
}

// intended says whether an intent of the run has this number.
func (s *State) intended(number int) bool {
	return slices.ContainsFunc(s.Steps, func(t StepState) bool {
		return slices.ContainsFunc(t.Intents, func(i IntentState) bool { return i.Number == number })
	})
}

func (s *State) create(e Event, b RunCreated) {
	*s = State{Created: b, Seq: e.Seq, Started: e.At, Updated: e.At, Steps: make([]StepState, len(b.Steps))}
	for i, p := range b.Steps {
		s.Steps[i].Plan = p
	}
}

// applyRun takes in an event of the run as a whole, and says what is wrong with it.
func (s *State) applyRun(e Event) string {
	switch b := e.Body.(type) {
	case RunResolved:
		if s.Resolved != nil {
			return "the names are resolved already"
		}
		if i := slices.IndexFunc(s.Steps, func(t StepState) bool { return len(t.Tries) > 0 || t.End != nil }); i >= 0 {
			return fmt.Sprintf("step %q has begun", s.Steps[i].Plan.Name)
		}
		if len(b.Steps) != len(s.Steps) {
			return fmt.Sprintf("it resolves %d steps of %d", len(b.Steps), len(s.Steps))
		}
		for i, o := range b.Steps {
			if o.Step != s.Steps[i].Plan.Name {
				return fmt.Sprintf("it resolves step %q in the place of %q", o.Step, s.Steps[i].Plan.Name)
			}
		}
		for i, o := range b.Steps {
			s.Steps[i].Object, s.Steps[i].Model = o.Object, o.Model
		}
		s.Resolved = &b
	case Warned:
		s.Warnings = append(s.Warnings, b.Text)
	case StopAsked:
		if s.Stop == nil {
			s.Stop = &b
		}
	case RunEnded:
		if why := improper(b.Verdict, b.Cause); why != "" {
			return why
		}
		if b.Code < 0 || b.Code > 255 {
			return fmt.Sprintf("%d is no exit code", b.Code)
		}
		s.End, s.Ended = &b, e.At
	default:
		return "it must belong to a step"
	}
	return ""
}

// apply takes in an event of one step, and says what is wrong with it.
func (t *StepState) apply(e Event) string {
	if t.End != nil {
		return "the step has ended"
	}
	switch b := e.Body.(type) {
	case RunResolved, StopAsked, RunEnded, nil:
		return "it must not belong to a step"
	case StepEnded:
		if why := improper(b.Verdict, b.Cause); why != "" {
			return why
		}
		t.End, t.Ended = &b, e.At
		return ""
	case StepStarted:
		if b.Try != len(t.Tries)+1 {
			return fmt.Sprintf("it is try %d after %d tries", b.Try, len(t.Tries))
		}
		if t.Started.IsZero() {
			t.Started = e.At
		}
		t.Tries = append(t.Tries, Try{Number: b.Try, Started: e.At})
		return ""
	case Warned:
		t.Warnings = append(t.Warnings, b.Text)
		return ""
	}
	if len(t.Tries) == 0 {
		return "the step has not started"
	}
	switch b := e.Body.(type) {
	case Waiting:
		t.Waits = append(t.Waits, WaitState{Waiting: b, Since: e.At})
	case SourceUploaded:
		t.Uploads = append(t.Uploads, UploadState{b, e.At})
	case TargetWritten:
		t.Targets = append(t.Targets, TargetState{b, e.At})
	case DumpSaved:
		t.Dumps = append(t.Dumps, DumpState{b, e.At})
	case TryFailed:
		try := &t.Tries[len(t.Tries)-1]
		if try.Number != b.Try || try.Failed != nil {
			return "it is not the try under way"
		}
		try.Failed = &b
	default:
		return t.applyTask(e)
	}
	return ""
}

// applyTask takes in an event of an intent or its task: the protocol of a start.
func (t *StepState) applyTask(e Event) string {
	if b, ok := e.Body.(Intent); ok {
		if i := t.intent(); i != nil && (i.Outcome == IntentPending || i.Outcome == IntentOpen) {
			return fmt.Sprintf("intent %d is %s: a second start is forbidden", i.Number, i.Outcome)
		}
		if i := t.intent(); i != nil && i.Outcome == IntentStarted && i.Ended.IsZero() {
			return fmt.Sprintf("task %s of intent %d has not ended", i.Task, i.Number)
		}
		if b.Number < 1 {
			return "intents are numbered from 1"
		}
		t.Intents = append(t.Intents, IntentState{Intent: b, At: e.At, Outcome: IntentPending})
		return ""
	}
	i := t.intent()
	if i == nil {
		return "there is no intent"
	}
	switch b := e.Body.(type) {
	case TaskStarted:
		if i.Number != b.Number || i.Outcome != IntentPending && i.Outcome != IntentOpen {
			return fmt.Sprintf("intent %d is not waiting for it", b.Number)
		}
		if b.Task == "" {
			return "it has no task id"
		}
		i.Outcome, i.Task, i.Created = IntentStarted, b.Task, b.Created
	case StartRefused:
		if i.Number != b.Number || i.Outcome != IntentPending {
			return fmt.Sprintf("intent %d is not waiting for it", b.Number)
		}
		i.Outcome, i.Text = IntentRefused, b.Text
	case StartUnknown:
		if i.Number != b.Number || i.Outcome != IntentPending {
			return fmt.Sprintf("intent %d is not waiting for it", b.Number)
		}
		i.Outcome, i.Text = IntentOpen, b.Text
	case TaskSeen:
		if !i.underWay(b.Task) {
			return fmt.Sprintf("task %s is not under way", b.Task)
		}
		i.State, i.Step = b.State, b.Step
		if i.Began.IsZero() && b.State != "NOT_STARTED" {
			i.Began = e.At
		}
	case TaskEnded:
		if !i.underWay(b.Task) {
			return fmt.Sprintf("task %s is not under way", b.Task)
		}
		i.State, i.Step, i.Ended, i.Result = b.State, b.Step, e.At, b.Result
		if i.Began.IsZero() {
			i.Began = e.At
		}
	case CancelAsked:
		if i.Task != b.Task || b.Task == "" {
			return fmt.Sprintf("task %s is not that of intent %d", b.Task, i.Number)
		}
		t.Cancelled = append(t.Cancelled, b)
	}
	return ""
}

// underWay says whether the intent's task is this one and has not ended.
func (i *IntentState) underWay(task string) bool {
	return i.Outcome == IntentStarted && i.Task == task && i.Ended.IsZero()
}

// improper says what is wrong with how something ended.
func improper(v Verdict, c Cause) string {
	if !slices.Contains(Verdicts, v) {
		return fmt.Sprintf("there is no verdict %q", v)
	}
	if c != "" && !slices.Contains(Causes, c) {
		return fmt.Sprintf("there is no cause %q", c)
	}
	return ""
}

// intent is the latest one, nil before the first.
func (t *StepState) intent() *IntentState {
	if len(t.Intents) == 0 {
		return nil
	}
	return &t.Intents[len(t.Intents)-1]
}
