package ledger

import "time"

// State is what is known of a run. It is folded from the run's events and from nothing
// else.
type State struct {
	Created   RunCreated // with the job of the last repair
	Runner    Runner     // who runs it, or did so last
	Continued []ContinuedState
	Repairs   []RepairState
	Resolved  *RunResolved // nil until every name was found
	Seq       int64        // of the last event
	Started   time.Time
	Updated   time.Time
	Steps     []StepState // in file order
	Stop      *StopAsked
	End       *RunEnded // nil while it runs, or after its runner died
	Ended     time.Time
	Warnings  []string
	Moves     []MoveState
}

// ContinuedState is one time that the run was continued.
type ContinuedState struct {
	RunContinued
	At  time.Time
	Seq int64
}

// RepairState is one time that the run was given another job file.
type RepairState struct {
	JobRepaired
	At time.Time
}

// ReopenedState is one time that a step was opened again.
type ReopenedState struct {
	StepReopened
	At time.Time
}

// SettledState is what became of a start whose outcome was not known, and when that was
// found out or decided.
type SettledState struct {
	StartSettled
	At time.Time
}

// StepState is what is known of one step.
type StepState struct {
	Plan      StepPlan
	Object    ObjectRef
	Model     ModelRef
	Tries     []Try
	Intents   []IntentState
	Spent     int // how many of Intents are of before the step was begun anew
	Reopened  []ReopenedState
	Uploads   []UploadState
	Placings  []TargetPlacing
	Targets   []TargetState
	Dumps     []DumpState
	Commands  []CommandState
	Ran       int // how many of Commands are of before the step was begun anew
	Waits     []WaitState
	Warnings  []string
	Started   time.Time // of the first try
	Ended     time.Time
	End       *StepEnded // nil until it ended
	Cancelled []CancelAsked
}

// Try is one attempt at a step within a run.
type Try struct {
	Number  int
	Started time.Time
	Failed  *TryFailed // nil for the last one
}

// WaitState is one time of waiting.
type WaitState struct {
	Waiting
	Since time.Time
}

// UploadState is a server file that was filled, and when.
type UploadState struct {
	SourceUploaded
	Model ModelRef // of the step then: a repaired job may give it another one
	At    time.Time
}

// TargetState is a file that was put in place, and when.
type TargetState struct {
	TargetWritten
	At time.Time
}

// DumpState is what became of a failure dump, and when.
type DumpState struct {
	DumpSaved
	At time.Time
}

// MoveState is a file of a source that was moved, and when.
type MoveState struct {
	SourceMoved
	At time.Time
}

// CommandState is one start of a step's program and what became of it.
type CommandState struct {
	CommandStarted
	At    time.Time
	End   *CommandEnded // nil: it runs, or its runner died
	Ended time.Time
}

// IntentState is one start of a task and what became of it.
type IntentState struct {
	Intent
	Object  ObjectRef // of the step then: a repaired job may give it another one
	Model   ModelRef
	At      time.Time
	Outcome IntentOutcome
	Text    string        // why it was refused or is open
	Lost    time.Time     // when the answer was given up, of an open one
	Settled *SettledState // nil unless it was open or pending, and somebody found out or decided
	Task    string
	Created time.Time // Anaplan's creationTime, else zero
	Began   time.Time // when a state other than NOT_STARTED was first seen
	State   string
	Step    string
	Ended   time.Time
	Result  []byte // Anaplan's JSON, nil until the task ended
}

// IntentOutcome says what is known of a start.
type IntentOutcome string

// The outcomes of an intent. A pending one has no event after it: its runner died, or
// it is being sent. Pending and open ones forbid a second start. An absent one was not
// found at Anaplan; an overruled one was not known, and a person decided to go on.
const (
	IntentPending   IntentOutcome = "pending"
	IntentOpen      IntentOutcome = "open"
	IntentRefused   IntentOutcome = "refused"
	IntentStarted   IntentOutcome = "started"
	IntentAbsent    IntentOutcome = "absent"
	IntentOverruled IntentOutcome = "overruled"
)

// Life is the starts since the step was begun anew, the earliest first.
func (t *StepState) Life() []IntentState { return t.Intents[t.Spent:] }

// Command is the start of the step's program that counts since the step was begun anew; nil
// if there is none, or if nothing of it ran.
func (t *StepState) Command() *CommandState {
	if len(t.Commands) == t.Ran {
		return nil
	}
	if last := &t.Commands[len(t.Commands)-1]; last.End == nil || last.End.Error == "" {
		return last
	}
	return nil
}
