// Package ledger holds the events of runs and folds them into what is known of a run.
package ledger
