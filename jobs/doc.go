// Package jobs plans and runs jobs: it resolves a job file's names against a tenant,
// runs the steps in their order, and records every decision in a ledger before it
// acts on it.
//
//	plan, err := jobs.NewPlan(job, jobs.Selection{}) // pure: order, what waits for what
//	bound, err := jobs.Bind(ctx, plan, connect)      // reads only: every name, every import's file
//	state, err := runner.Run(ctx, jobs.Request{ID: id, Plan: plan, Date: time.Now()})
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
// A step reads its sources and holds them against their guards, uploads them, starts its
// task, watches it to its end, fetches the failure dumps, judges, and, for an export,
// downloads. What did not happen is repeated, as the step's retry says; what a task did has
// happened and is never repeated. A model that is busy, locked, offline or closed is waited
// for, each with its own patience.
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
//	intent          yes    anything else       start_unknown   ends unsure, 76
//	intent          yes    (we died)           nothing         is for the next runner to settle
//
// After unsure nothing starts on the same model, or on one that reads it, in this run; nor
// behind a task that was left running. An intent without an outcome forbids a second start:
// package ledger refuses to record one.
//
// # Stopping
//
// The context of a run is cancelled with a [Stopped] as its cause. Nothing new starts; a
// start on its way has two seconds; tasks are left running or asked to be cancelled, and
// their steps do not end, since how their tasks end is not known. Run returns within four
// seconds.
//
// # A ledger that fails
//
// What could not be recorded is kept, and goes with the next append; an append that failed
// may have been made, so the ledger is looked at before it is tried again. After the first
// failure that lasts nothing more is started, and what runs is watched to its end.
package jobs
