package ledger

import (
	"fmt"
	"slices"
	"time"
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
	var why string
	if _, on := e.Body.(RunContinued); s.End != nil && !on {
		why = "the run has ended"
	} else if e.Step == "" {
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
	*s = State{Created: b, Runner: b.Runner, Seq: e.Seq, Started: e.At, Updated: e.At, Steps: make([]StepState, len(b.Steps))}
	for i, p := range b.Steps {
		s.Steps[i].Plan = p
	}
}

// repair gives what is left of the run another plan, and says what is wrong with it.
func (s *State) repair(b JobRepaired, at time.Time) string {
	if name := twice(b.Steps); name != "" {
		return fmt.Sprintf("two steps are named %q", name)
	}
	steps := make([]StepState, len(b.Steps))
	kept := 0
	for i, p := range b.Steps {
		steps[i].Plan = p
		at := slices.IndexFunc(s.Steps, func(t StepState) bool { return t.Plan.Name == p.Name })
		if at < 0 {
			continue
		}
		t := s.Steps[at]
		if t.begun() {
			kept++
			if t.Plan.Verb != p.Verb {
				return fmt.Sprintf("step %q has begun, and is given another verb", p.Name)
			}
		}
		if !t.fixed() && (t.Plan.Verb != p.Verb || t.Plan.Label != p.Label || t.Plan.Model != p.Model) {
			t.Object, t.Model = ObjectRef{}, ModelRef{} // until the new names are resolved
		}
		if t.End != nil && t.End.Verdict == Skipped {
			t.End, t.Ended = nil, time.Time{}
		}
		t.Plan = p
		steps[i] = t
	}
	for _, t := range s.Steps {
		if t.begun() {
			kept--
		}
	}
	if kept != 0 {
		return "a step that has begun is missing"
	}
	s.Steps = steps
	s.Created.JobFile, s.Created.JobDigest, s.Created.Job, s.Created.Steps = b.JobFile, b.JobDigest, b.Job, b.Steps
	s.Repairs = append(s.Repairs, RepairState{b, at})
	return ""
}

// applyRun takes in an event of the run as a whole, and says what is wrong with it.
func (s *State) applyRun(e Event) string {
	switch b := e.Body.(type) {
	case RunContinued:
		if s.Closed() {
			return "the run is closed"
		}
		s.Runner, s.Continued = b.Runner, append(s.Continued, ContinuedState{b, e.At, e.Seq})
		s.End, s.Ended, s.Stop = nil, time.Time{}, nil
		for i := range s.Steps {
			if t := &s.Steps[i]; t.End != nil && t.End.Verdict == Blocked {
				t.End, t.Ended = nil, time.Time{}
			} else if t.End != nil && t.End.Stopped { // that stop is over: from here on it is an end like others
				end := *t.End
				end.Stopped, t.End = false, &end
			}
		}
	case JobRepaired:
		return s.repair(b, e.At)
	case RunResolved:
		if len(b.Steps) != len(s.Steps) {
			return fmt.Sprintf("it resolves %d steps of %d", len(b.Steps), len(s.Steps))
		}
		for i, o := range b.Steps {
			if o.Step != s.Steps[i].Plan.Name {
				return fmt.Sprintf("it resolves step %q in the place of %q", o.Step, s.Steps[i].Plan.Name)
			}
		}
		for i, o := range b.Steps {
			if t := &s.Steps[i]; t.fixed() && (t.Object.ID != o.Object.ID || t.Model.ID != o.Model.ID || t.Model.Host != o.Model.Host) {
				return fmt.Sprintf("step %q has begun, and is given another object", t.Plan.Name)
			}
		}
		for i, o := range b.Steps {
			s.Steps[i].Object, s.Steps[i].Model = o.Object, o.Model
		}
		s.Resolved = &b
	case Warned:
		s.Warnings = append(s.Warnings, b.Text)
	case SourceMoved:
		s.Moves = append(s.Moves, MoveState{b, e.At})
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
	if b, ok := e.Body.(StepReopened); ok {
		return t.reopen(b, e.At)
	}
	if t.End != nil {
		return "the step has ended"
	}
	switch b := e.Body.(type) {
	case RunResolved, RunContinued, JobRepaired, SourceMoved, StopAsked, RunEnded, nil:
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
	if b, ok := e.Body.(SourceUploaded); ok { // also ahead of its first try
		t.Uploads = append(t.Uploads, UploadState{b, t.Model, e.At})
		return ""
	}
	if len(t.Tries) == 0 {
		return "the step has not started"
	}
	switch b := e.Body.(type) {
	case Waiting:
		t.Waits = append(t.Waits, WaitState{Waiting: b, Since: e.At})
	case TargetPlacing:
		t.Placings = append(t.Placings, b)
	case TargetWritten:
		t.Targets = append(t.Targets, TargetState{b, e.At})
	case DumpSaved:
		t.Dumps = append(t.Dumps, DumpState{b, e.At})
	case CommandStarted:
		if t.Command() != nil {
			return "its program has begun: nothing says that it is to be run again"
		}
		t.Commands = append(t.Commands, CommandState{CommandStarted: b, At: e.At})
	case CommandEnded:
		if b.Why != "" && b.Why != CauseTime && b.Why != CauseSignal {
			return fmt.Sprintf("no program is ended for %q", b.Why)
		}
		c := t.Command()
		if c == nil || c.End != nil {
			return "no program of it runs"
		}
		c.End, c.Ended = &b, e.At
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
		if i := t.intent(); i != nil && i.Outcome == IntentStarted && len(t.Life()) > 0 {
			return fmt.Sprintf("task %s of intent %d was started: nothing says that it is to be done again", i.Task, i.Number)
		}
		if b.Number < 1 {
			return "intents are numbered from 1"
		}
		t.Intents = append(t.Intents, IntentState{Intent: b, Object: t.Object, Model: t.Model, At: e.At, Outcome: IntentPending})
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
		i.Outcome, i.Text, i.Lost = IntentOpen, b.Text, e.At
	case StartSettled:
		if i.Number != b.Number || i.Outcome != IntentPending && i.Outcome != IntentOpen {
			return fmt.Sprintf("intent %d is not waiting for it", b.Number)
		}
		switch b.Outcome {
		case IntentStarted:
			if b.Task == "" {
				return "it has no task id"
			}
			i.Task, i.Created = b.Task, b.Created
		case IntentAbsent, IntentOverruled:
			if b.Task != "" {
				return "it has a task id"
			}
		default:
			return fmt.Sprintf("a start is not settled as %q", b.Outcome)
		}
		i.Outcome, i.Settled = b.Outcome, &SettledState{b, e.At}
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

// reopen takes back the end of a step, and says what is wrong with that.
func (t *StepState) reopen(b StepReopened, at time.Time) string {
	i := t.intent()
	unknown := i != nil && (i.Outcome == IntentPending || i.Outcome == IntentOpen)
	unended := i != nil && i.Outcome == IntentStarted && i.Ended.IsZero()
	switch {
	case t.End == nil && !b.Rerun:
		return "the step has not ended"
	case t.End == nil && t.Command() == nil && (len(t.Life()) == 0 || i.Outcome != IntentStarted):
		return "no task of the step has ended"
	case b.Rerun && unknown:
		return fmt.Sprintf("what became of intent %d is not known", i.Number)
	case b.Rerun && unended && b.By == "": // a person may know better
		return fmt.Sprintf("task %s of intent %d has not ended", i.Task, i.Number)
	}
	t.End, t.Ended = nil, time.Time{}
	if b.Rerun {
		t.Spent, t.Ran = len(t.Intents), len(t.Commands)
	}
	t.Reopened = append(t.Reopened, ReopenedState{b, at})
	return ""
}

// fixed says whether the step's object cannot change any more: the step is done, or what
// it started may run or is not judged.
func (t *StepState) fixed() bool {
	if t.End != nil && t.Plan.Satisfied(*t.End) {
		return true
	}
	if c := t.Command(); c != nil {
		return c.End == nil || t.End == nil
	}
	life := t.Life()
	if len(life) == 0 {
		return false
	}
	last := life[len(life)-1]
	return last.Unsettled() || t.End == nil && last.Outcome == IntentStarted
}

// begun says whether the step has left something that another plan must not forget.
func (t *StepState) begun() bool {
	return len(t.Tries) > 0 || t.End != nil && t.End.Verdict != Blocked && t.End.Verdict != Skipped
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
