package report

import (
	"fmt"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// verdictWords say what a step's verdict means, as in "the step …".
var verdictWords = map[ledger.Verdict]string{
	ledger.OK:        "ok",
	ledger.Partial:   "finished, but more was rejected than the job accepts",
	ledger.Failed:    "failed",
	ledger.Cancelled: "was cancelled",
	ledger.TimedOut:  "passed its time limit",
	ledger.Unsure:    "may or may not have run at Anaplan; nothing was repeated",
	ledger.Skipped:   "was skipped",
	ledger.Blocked:   "was not started",
}

// causeWords say why a verdict is not ok.
var causeWords = map[ledger.Cause]string{
	ledger.CauseAction:       "Anaplan could not do it",
	ledger.CauseRows:         "rejected rows",
	ledger.CauseInput:        "a file is missing or cannot be read",
	ledger.CauseGuard:        "a guard of the job refused a file",
	ledger.CauseConfig:       "the job file is wrong, or names what does not exist",
	ledger.CauseLogin:        "the login was refused",
	ledger.CausePermission:   "access was refused",
	ledger.CauseBusy:         "the model was not free",
	ledger.CauseNetwork:      "no usable answer came",
	ledger.CauseTime:         "a time limit passed",
	ledger.CauseSignal:       "stopped from outside",
	ledger.CauseStartUnknown: "the answer to the start was lost",
	ledger.CauseInternal:     "a fault of this program or its disk",
}

// commandVerdicts and commandCauses are the words for a command, which runs here, not in
// Anaplan, where they are others.
var (
	commandVerdicts = map[ledger.Verdict]string{
		ledger.Unsure: "may or may not have done its work; nothing was repeated",
	}
	commandCauses = map[ledger.Cause]string{
		ledger.CauseAction:       "its program failed",
		ledger.CauseBusy:         "its program may already run",
		ledger.CauseStartUnknown: "how its program ended is not known",
	}
)

func (s Step) isCommand() bool { return s.Verb == "command" }

// how is the verdict in words.
func (s Step) how() string {
	if words := commandVerdicts[s.Verdict]; words != "" && s.isCommand() {
		return words
	}
	return verdictWords[s.Verdict]
}

// why is the cause in words.
func (s Step) why() string {
	if words := commandCauses[s.Cause]; words != "" && s.isCommand() {
		return words
	}
	return causeWords[s.Cause]
}

// why is the cause in words: that of the first step that failed for it.
func (r Report) why() string {
	for _, s := range r.Steps {
		if s.Verdict == ledger.Failed && s.Cause == r.Cause {
			return strings.Replace(s.why(), "its program", "a program", 1)
		}
	}
	return causeWords[r.Cause]
}

// short is a verdict as it stands in a table. A step without a verdict has not ended.
func short(v ledger.Verdict, started bool) string {
	switch {
	case v == ledger.TimedOut:
		return "timed out"
	case v != "":
		return cells.Truncate(oneLine(string(v)), 12, "…")
	case started:
		return "not ended"
	}
	return "not begun"
}

// Headline says in plain words how the run went.
func (r Report) Headline() string {
	n := r.count()
	head := ""
	switch r.Verdict {
	case "":
		if len(r.Steps) == 0 {
			return "The run has not ended"
		}
		return fmt.Sprintf("The run has not ended; %s of %d done", plural(n.ended(), "step"), len(r.Steps))
	case ledger.OK:
		head = "The run finished"
		if n.accepted > 0 {
			return head + fmt.Sprintf("; %s rejected rows, within what the job accepts", plural(n.accepted, "step"))
		}
		head += fmt.Sprintf("; %s ok", plural(n.of(ledger.OK), "step"))
		if k := n.of(ledger.Skipped); k > 0 {
			head += fmt.Sprintf(", %d skipped", k)
		}
		return head
	case ledger.Skipped:
		return "There was nothing to do: every step was skipped"
	case ledger.Partial:
		head = fmt.Sprintf("The run finished, but %s rejected more rows than the job accepts", plural(n.of(ledger.Partial), "step"))
	case ledger.Cancelled:
		head = "The run was cancelled by Anaplan"
		if r.Cause == ledger.CauseSignal {
			head = "The run was stopped from outside"
			if r.Signal != "" {
				head += " by " + oneLine(r.Signal)
			}
		}
	case ledger.Unsure:
		head = "It is not known whether Anaplan ran a step; a person has to look"
		if r.unsureOfPrograms() {
			head = "It is not known whether a program did its work; a person has to look"
		}
	case ledger.TimedOut:
		head = "The run passed a time limit"
	default:
		head = "The run failed"
		if words := r.why(); words != "" {
			head += ": " + words
		}
	}
	if b := n.of(ledger.Blocked) + n.open; b > 0 {
		head += fmt.Sprintf("; %s not done", plural(b, "step"))
	}
	return head
}

// unsureOfPrograms says whether all steps that are unsure are commands.
func (r Report) unsureOfPrograms() (found bool) {
	for _, s := range r.Steps {
		if s.Verdict == ledger.Unsure && !s.isCommand() {
			return false
		}
		found = found || s.Verdict == ledger.Unsure
	}
	return found
}

// counts are the steps of a run by their verdicts.
type counts struct {
	by       map[ledger.Verdict]int
	open     int // without a verdict
	unbegun  int // of these not started either
	accepted int // ok with rejected rows
}

func (r Report) count() counts {
	n := counts{by: map[ledger.Verdict]int{}}
	for _, s := range r.Steps {
		if s.Verdict == "" {
			n.open++
			if s.Started.IsZero() {
				n.unbegun++
			}
			continue
		}
		n.by[s.Verdict]++
		if s.Verdict == ledger.OK && positive(s.Rows.Failed) {
			n.accepted++
		}
	}
	return n
}

func (n counts) of(v ledger.Verdict) int { return n.by[v] }

func (n counts) ended() int {
	all := 0
	for _, k := range n.by {
		all += k
	}
	return all
}

// String counts the steps in words, in the order of [ledger.Verdicts].
func (n counts) String() string {
	var parts []string
	for _, v := range ledger.Verdicts {
		if k := n.by[v]; k > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", k, short(v, true)))
		}
	}
	rest := n.ended()
	for _, v := range ledger.Verdicts {
		rest -= n.by[v]
	}
	if rest > 0 { // verdicts of a newer program
		parts = append(parts, fmt.Sprintf("%d other", rest))
	}
	if k := n.open - n.unbegun; k > 0 {
		parts = append(parts, fmt.Sprintf("%d not ended", k))
	}
	if n.unbegun > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", n.unbegun))
	}
	if len(parts) == 0 {
		return "no steps"
	}
	return strings.Join(parts, ", ")
}

// Rows is the sum over all steps of what is known.
func (r Report) Rows() (all ledger.Rows) {
	for _, s := range r.Steps {
		all.Add(s.Rows)
	}
	return all
}

// rowWords puts counts into words: "4,980 loaded, 17 rejected". Empty if none is known.
func rowWords(r ledger.Rows) string {
	var parts []string
	for _, c := range []struct {
		n    *int64
		what string
	}{{r.OK, "loaded"}, {r.Ignored, "ignored"}, {r.Warnings, "with warnings"}, {r.Failed, "rejected"}} {
		if c.n != nil && (*c.n != 0 || c.what == "loaded") {
			parts = append(parts, number(*c.n)+" "+c.what)
		}
	}
	return strings.Join(parts, ", ")
}

// notable says whether there is more to say of a step than that it is ok.
func (s Step) notable() bool {
	return s.Verdict != ledger.OK && s.Verdict != ledger.Skipped && (s.Verdict != "" || !s.Started.IsZero()) ||
		positive(s.Rows.Failed) || positive(s.Rows.Warnings) || len(s.Warnings) > 0 || len(s.Failed)+len(s.Cancels)+len(s.Dumps)+len(s.Settled)+len(s.Reopened) > 0
}

func positive(n *int64) bool { return n != nil && *n > 0 }

func plural[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(int64(n)) + " " + what + "s"
}
