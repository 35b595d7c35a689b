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
// Before the request that starts a task, an Intent is appended, and what became of it
// after:
//
//	pending    nothing yet: it is being sent, or its runner died
//	started    TaskStarted: Anaplan gave a task id
//	refused    StartRefused: it is certain that nothing was started
//	open       StartUnknown: the answer was lost
//
// A pending or open one is settled by StartSettled, when Anaplan was looked at or a person
// decided:
//
//	started    this task is ours
//	absent     Anaplan has none
//	overruled  it is not known, and a person goes on
//
// A pending or open one forbids a further intent of its step. So does one that was started,
// also when its task has ended, until a StepReopened with Rerun says that it is to be done
// again: the starts since then are the step's [StepState.Life]. [State.Apply] refuses the
// rest, so that no program can record a second start by mistake.
//
// # Continuing
//
// A run that is not [State.Closed] is continued by RunContinued, after its end or when its
// runner is gone. Blocked steps are planned again; another step that has ended goes on only
// after StepReopened. A JobRepaired gives what is left another plan: steps that have begun
// are all in it, and a RunResolved that follows may give another object only to a step that
// is neither done nor has a start that may run or is not judged. What a task was started
// for stays with its intent.
//
// # Leases
//
// A [Lease] is taken from the ledger, for a run, a model or a server file ([Key]); of the
// runners that share the ledger only one has it. Every taking raises the epoch of the key.
// Append compares epochs: one that is lower than the run has seen, and an intent that is not
// of the last epoch of its model, are ErrConflict. So a runner that lost a lease without
// noticing records no start. What remains is a runner that is stopped after it recorded an
// intent and before its request is sent: where leases expire, another may settle that
// intent as absent meanwhile, and when the first goes on, its request is a second start. The
// lease is therefore checked immediately before the request, and a start is settled as
// absent only after a time for which no runner is likely to stand still between the two.
//
// Leases of a file's ledger are locks of the kernel: a stopped process keeps them, a dead one
// has none. Those of a ledger for several machines expire: see [Timed].
//
// # Writing
//
// [Ledger.Append] adds events in one transaction, and names the last event its caller
// knows: of two writers to one run, one fails with ErrConflict. A caller acts only on
// what was appended without an error.
package ledger
