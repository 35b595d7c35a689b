package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
)

// TestStatusOfAProgramWhoseRunnerIsGone: of one of which it is not known how it ended nobody says
// that it does not run.
func TestStatusOfAProgramWhoseRunnerIsGone(t *testing.T) {
	begun := []ledger.Body{ledger.StepStarted{Try: 1}, ledger.CommandStarted{Program: "make"}}
	for name, tc := range map[string]struct {
		more []ledger.Body
		want string
	}{
		"it may run":                   {nil, "its program was begun; how it ended is not known, and it may still run, since "},
		"it may run and is waited for": {[]ledger.Body{ledger.StepReopened{Rerun: true}}, "its program was begun; how it ended is not known, and it may still run, since "},
		"it ended":                     {[]ledger.Body{ledger.CommandEnded{}}, "was begun, and nothing of it runs, since "},
	} {
		t.Run(name, func(t *testing.T) {
			id := ledger.ID{Job: "j", Run: "r"}
			events := []ledger.Event{{Body: ledger.RunCreated{ID: id, Steps: []ledger.StepPlan{{Name: "prepare", Verb: "command", Label: "make"}}}},
				{Body: ledger.RunResolved{Steps: []ledger.StepObject{{Step: "prepare"}}}}}
			for _, b := range slices.Concat(begun, tc.more) {
				events = append(events, ledger.Event{Step: "prepare", Body: b})
			}
			for i := range events {
				events[i].Seq, events[i].At = int64(i+1), time.Now()
			}
			l := &book{Ledger: &memory.Ledger{}}
			if _, err := l.Append(t.Context(), id, 0, 0, events...); err != nil {
				t.Fatal(err)
			}
			state, err := ledger.Fold(events)
			if err != nil {
				t.Fatal(err)
			}
			s, err := (&Program{}).statusOf(t.Context(), nil, l, state)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := (statusResult{Runs: []runStatus{s}}).text(&text, time.Now()); err != nil {
				t.Fatal(err)
			}
			if want := `  prepare: command "make": ` + tc.want; !strings.Contains(text.String(), want) {
				t.Errorf("want %q in\n%s", want, &text)
			}
		})
	}
}
