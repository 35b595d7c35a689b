package jobs

// mutant is a mistake that a test puts into a Runner, to see that it is found. No program
// sets one.
type mutant string

// The mutants that cannot be put in from outside.
const (
	mutantOneList mutant = "believe one empty list"
	mutantAnyTask mutant = "adopt any new task"
	mutantDigest  mutant = "compare no digest"
	mutant404     mutant = "take 404 for empty"
	mutantRetry   mutant = "let retry run a failed process again"
)
