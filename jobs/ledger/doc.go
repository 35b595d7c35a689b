// Package ledger holds the events of runs and folds them into what is known of a run.
//
// # The record
//
// Events are the truth; everything else is folded from them by [Fold], which is pure.
// A run begins with RunCreated, which holds the job with its values, and RunResolved,
// which holds the ids that its names stand for: whoever continues the run uses these.
// A step begins with StepStarted and ends with StepEnded; a run ends, for this runner,
// with RunEnded. A step without an end was under way when its runner stopped.
//
// # Starting once
//
// Before the request that starts a task, an Intent is appended. One of three events
// follows it: TaskStarted (Anaplan gave an id), StartRefused (it is certain that nothing
// was started) or StartUnknown (the answer was lost). An intent with none of them is
// pending: its runner died. A pending or unknown one forbids a further intent, and
// [State.Apply] refuses it, so that no program can record a second start by mistake.
//
// # Writing
//
// [Ledger.Append] adds events in one transaction, and names the last event its caller
// knows: of two writers to one run, one fails with ErrConflict. A caller acts only on
// what was appended without an error.
package ledger
