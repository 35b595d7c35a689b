package report

import (
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func TestHowAProgramEnded(t *testing.T) {
	s := time.Second
	for _, tt := range []struct {
		ended *ledger.CommandEnded
		want  string
	}{
		{nil, "it was begun, and how it ended is not known"},
		{&ledger.CommandEnded{Took: 72 * s}, "exit code 0 after 1m 12s"},
		{&ledger.CommandEnded{Code: 255, Took: s / 10, Tail: []string{"a line"}}, "exit code 255 after 0.1s"},
		{&ledger.CommandEnded{Code: 1}, "exit code 1"},
		{&ledger.CommandEnded{Code: -1, Took: s}, "ended by a signal after 1s"},
		{&ledger.CommandEnded{Code: -1, Took: s, Why: ledger.CauseTime}, "ended after 1s, because its time was over"},
		{&ledger.CommandEnded{Code: 143, Took: s, Why: ledger.CauseSignal}, "ended after 1s, because the run was stopped"},
		{&ledger.CommandEnded{Code: -1, Error: "exec:\nno such file"}, "nothing of it ran: exec: no such file"},
	} {
		c := ledger.CommandState{CommandStarted: ledger.CommandStarted{Program: "make"}, At: t0, End: tt.ended}
		if tt.ended != nil {
			c.Ended = t0.Add(tt.ended.Took)
		}
		if got := newCommand(c).Words(); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.ended, got, tt.want)
		}
	}
}

// TestAProgramIsNotAnaplan: what became of a program is not laid at Anaplan's door.
func TestAProgramIsNotAnaplan(t *testing.T) {
	for _, tt := range []struct {
		verb       string
		verdict    ledger.Verdict
		cause      ledger.Cause
		head, says string
	}{
		{"command", ledger.Failed, ledger.CauseAction, "The run failed: a program failed", "failed: its program failed"},
		{"action", ledger.Failed, ledger.CauseAction, "The run failed: Anaplan could not do it", "failed: Anaplan could not do it"},
		{"command", ledger.Failed, ledger.CauseBusy, "The run failed: a program may already run", "failed: its program may already run"},
		{"action", ledger.Failed, ledger.CauseBusy, "The run failed: the model was not free", "failed: the model was not free"},
		{"command", ledger.Unsure, ledger.CauseStartUnknown, "It is not known whether a program did its work; a person has to look",
			"may or may not have done its work; nothing was repeated: how its program ended is not known"},
		{"action", ledger.Unsure, ledger.CauseStartUnknown, "It is not known whether Anaplan ran a step; a person has to look",
			"may or may not have run at Anaplan; nothing was repeated: the answer to the start was lost"},
	} {
		s := begin(t, plan(tt.verb, "s", "make", "")).resolved().at(1).add("s", ledger.StepStarted{Try: 1}, ledger.StepEnded{Verdict: tt.verdict, Cause: tt.cause}).end()
		r := reportOf(t, s)
		if got := r.Headline(); got != tt.head {
			t.Errorf("%s, %s: got %q, want %q", tt.verb, tt.cause, got, tt.head)
		}
		if got := words(r.Steps[0]); got != tt.says {
			t.Errorf("%s, %s: got %q, want %q", tt.verb, tt.cause, got, tt.says)
		}
	}
	both := Report{Verdict: ledger.Unsure, Steps: []Step{{Verb: "command", Verdict: ledger.Unsure}, {Verb: "action", Verdict: ledger.Unsure}}}
	if got := both.Headline(); !strings.HasPrefix(got, "It is not known whether Anaplan") {
		t.Errorf("a program and Anaplan: %q", got)
	}
}
