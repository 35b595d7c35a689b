package jobs

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestAPanicOfAStepReachesTheCaller: else it would end the process without a logout, with
// a code that means nothing, and with its value on stderr.
func TestAPanicOfAStepReachesTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, simulator.Options{})
		defer n.close()
		n.runner.Watch = func(p Progress) {
			if p.Phase == PhaseRun {
				panic("a value")
			}
		}
		id := ledger.ID{Job: "nightly", Run: "one"}
		func() {
			defer func() {
				crash, ok := recover().(*Crash)
				if !ok || crash.Value != "a value" || !strings.Contains(string(crash.Stack), "follow") {
					t.Errorf("got %+v", crash)
				}
			}()
			_, _ = n.runner.Run(t.Context(), n.request(id, configs.Step{Name: "off", Verb: configs.Action, Object: configs.Ref{Name: "Close banner"}}))
		}()
		events, err := n.ledger.Events(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		state, err := ledger.Fold(events)
		if err != nil || state.End != nil || len(state.Steps[0].Intents) != 1 || state.Steps[0].Intents[0].Task == "" {
			t.Errorf("the ledger holds %+v, %v", state, err)
		}
	})
}
