package report

import (
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

// TestAProgramIsNotAnaplan: what failed for a program is not laid at Anaplan's door.
func TestAProgramIsNotAnaplan(t *testing.T) {
	for verb, want := range map[string]string{"command": "The run failed: a program failed", "action": "The run failed: Anaplan could not do it"} {
		s := begin(t, plan(verb, "s", "make", "")).resolved().at(1).add("s", ledger.StepStarted{Try: 1}, ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction}).end()
		if got := reportOf(t, s).Headline(); got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
}
