// Package report turns what a ledger knows of a run into something to read: one struct,
// [Report], and three renderers of it: [Text], [JSON] and [HTML].
//
// A report holds counts and reasons. Rejected rows are people's data: they are in it
// only if the job file allows so many for the step, and never in its JSON.
//
// The same state gives the same bytes. A run without an end is shown as it stood at its
// last event: whether it goes on or its runner died cannot be told from its events.
package report
