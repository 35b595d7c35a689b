package ledger

// Verdict says how a step or a run ended.
type Verdict string

// The verdicts.
const (
	OK        Verdict = "ok"
	Partial   Verdict = "partial"   // completed with failures beyond what is accepted
	Failed    Verdict = "failed"    // did not do its work
	Cancelled Verdict = "cancelled" // Anaplan says CANCELLED, and rolled it back
	TimedOut  Verdict = "timed_out" // our limit passed; what Anaplan does is in the message
	Unsure    Verdict = "unsure"    // cannot be told whether Anaplan ran it
	Skipped   Verdict = "skipped"   // nothing to do, or not asked for
	Blocked   Verdict = "blocked"   // not reached
)

// Verdicts are all of them.
var Verdicts = []Verdict{OK, Partial, Failed, Cancelled, TimedOut, Unsure, Skipped, Blocked}

// Cause says why a verdict is not ok. It is empty for ok and skipped.
type Cause string

// The causes.
const (
	CauseAction       Cause = "action"        // Anaplan ran it and it failed
	CauseRows         Cause = "rows"          // more rejected than the job accepts
	CauseInput        Cause = "input"         // a source or result is missing or unreadable
	CauseGuard        Cause = "guard"         // a guard refused it
	CauseConfig       Cause = "config"        // the job file is wrong, or names what does not exist
	CauseLogin        Cause = "login"         // no token
	CausePermission   Cause = "permission"    // no access
	CauseBusy         Cause = "busy"          // the model was not free within our patience
	CauseNetwork      Cause = "network"       // no answer within our patience
	CauseTime         Cause = "time"          // a time limit passed
	CauseSignal       Cause = "signal"        // somebody stopped the run
	CauseStartUnknown Cause = "start_unknown" // the answer to a start was lost
	CauseInternal     Cause = "internal"      // our mistake, or our disk
)

// Causes are all of them.
var Causes = []Cause{CauseAction, CauseRows, CauseInput, CauseGuard, CauseConfig, CauseLogin, CausePermission,
	CauseBusy, CauseNetwork, CauseTime, CauseSignal, CauseStartUnknown, CauseInternal}

// Rows counts the rows (module imports: cells) that Anaplan reports. A nil field is
// not known, which is different from 0.
type Rows struct {
	Total    *int64 `json:"total"`
	OK       *int64 `json:"ok"`
	Ignored  *int64 `json:"ignored"`
	Warnings *int64 `json:"warnings"`
	Failed   *int64 `json:"failed"`
}

// Add adds what is known; what neither knows stays unknown. The counts of n are not shared.
func (r *Rows) Add(n Rows) {
	for _, c := range []struct{ to, n **int64 }{
		{&r.Total, &n.Total}, {&r.OK, &n.OK}, {&r.Ignored, &n.Ignored}, {&r.Warnings, &n.Warnings}, {&r.Failed, &n.Failed},
	} {
		if *c.n == nil {
			continue
		}
		sum := **c.n
		if *c.to != nil {
			sum += **c.to
		}
		*c.to = &sum
	}
}
