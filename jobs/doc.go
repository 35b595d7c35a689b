// Package jobs plans and runs jobs: it resolves a job file's names against a tenant,
// runs the steps in their order, and records every decision in a ledger before it
// acts on it.
package jobs
