// Package jobs plans and runs jobs: it resolves a job file's names against a tenant,
// runs the steps in their order, and records every decision in a ledger before it
// acts on it.
//
//	plan, err := jobs.NewPlan(job, jobs.Selection{}) // pure: order, what waits for what
//	bound, err := jobs.Bind(ctx, plan, connect)      // reads only: every name, every import's file
//	state, err := runner.Run(ctx, jobs.Request{ID: id, Plan: plan, Date: time.Now()})
//	state, err = runner.Continue(ctx, jobs.Continuation{ID: id}) // after anything
//
// # Who does what
//
// One goroutine, that of [Runner.Run], owns the state of the run. Each step under way has
// a goroutine; what it finds out it sends to the owner, and waits until that is durable.
// What decides is pure and does nothing: schedule (who starts, who is blocked), judge (the
// verdict on a finished task), explain (the cause of an error), sequence (steps that fill
// one server file).
//
// # A step
//
// A step reads its sources and holds them against their guards, takes the leases of its
// model and server files, uploads, starts its task, watches it to its end, fetches the
// failure dumps, judges, and, for an export, downloads. What did not happen is repeated, as
// the step's retry says; what a task did has happened and is not repeated, unless rerun_on
// says so. A model that is busy, locked, offline or closed is waited for, each with its own
// patience, and so is another runner.
//
// # Ahead of need
//
// The uploads of a step are made before its turn where that changes nothing (AheadOf): a
// model's uploads are done before its first action, since file calls may hang while it
// works, and while other models work. Where most steps come one after another is served
// first. An upload ahead of need has the lease of its file, and nothing else; it waits for
// nobody, and it is never made while anything may run in the model. Nothing starts in a
// model while uploads of it go on, unless they stand still or take too long: then the step
// goes first. Whatever keeps such an upload from being made is no verdict. The step finds its
// server file filled, by the epoch of the lease, and its source unchanged, or does at its
// turn what it would have done anyway, and says then what is wrong.
//
// # Starting once
//
// The object's task list is read. The intent is recorded. Then the start is sent, once:
//
//	recorded        sent   answered            recorded        the step
//	intent          no     (stopped, or the    start_refused   is tried again, or ends
//	                       ledger failed)
//	intent          yes    a task id           task_started    watches it
//	intent          yes    surely nothing      start_refused   is tried again, or ends
//	intent          yes    anything else       start_unknown   settles it
//	intent          yes    (we died)           nothing         the next runner settles it
//
// To settle is to look at the object's tasks, when Anaplan shows that it can be believed:
//
//	new tasks                                  recorded        the step
//	none, twice, 5 minutes apart               absent          is tried again, with a new intent
//	one, with a reason why it is ours          started         watches it
//	one without, or several                    nothing         ends unsure, 76: a person decides
//
// After unsure nothing starts on the same model, or on one that reads it, in this run; nor
// behind a task that was left running. An intent without an outcome forbids a second start,
// and so does a task that has run: package ledger refuses to record one.
//
// # Leases
//
// A runner has the lease of the job and of the run for as long as it runs (one that only
// cancels, that of the run); a try has that of its model, from before the intent until what the task left is here, and those of the
// server files that it reads. They are checked immediately before the start is sent, and
// before every piece of an upload. Who takes a model first waits for what this ledger knows
// to be under way there, whoever started it. What an earlier step uploaded is uploaded
// again if the epoch of the file's lease says that somebody else had the file since.
//
// One thing remains that no lease can prevent: with leases that expire, a process that is
// frozen between that last check and the moment when the kernel takes the request, for
// longer than its lease and the settling of its intent by another runner together.
//
// # Continuing
//
// [Runner.Continue] uses the values and ids of the record. What is done stays. A start of
// which nothing is known is settled before anything else starts on its model, a task that
// runs is watched, one that has ended is judged by what is recorded, and what did not
// happen begins. A step whose task ended, and that is not ok, is run again if its rerun is
// safe, or if a person says so. A program of a step that has outlived its runner is waited for
// before it is begun again, on the same machine: it has a locked file open.
//
// # Stopping
//
// The context of a run is cancelled with a [Stopped] as its cause. Nothing new starts; a
// start on its way has two seconds; tasks are left running or asked to be cancelled, and
// their steps do not end, since how their tasks end is not known. Run returns within four
// seconds. A deadline, and a person who cancels the run from elsewhere, leave more time: the
// cancel is followed, and what really happened is the verdict.
//
// # A ledger that fails
//
// What could not be recorded is kept, and goes with the next append; an append that failed
// may have been made, so the ledger is looked at before it is tried again. After the first
// failure that lasts nothing more is started, and what runs is watched to its end. What
// tasks wrote is fetched, but for targets of which previous ones are kept: what is done with
// those is recorded before.
package jobs
