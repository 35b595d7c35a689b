package jobs

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
)

// TestOutputAfterLostLeases: a runner that loses its leases before what its export wrote is
// in place does not take for it, or put over it, what another run's export has written since.
func TestOutputAfterLostLeases(t *testing.T) {
	const long = 270 * time.Second
	for name, tc := range map[string]struct {
		faults []simulator.Fault
		guard  configs.Guard
	}{
		"while it downloads":   {faults: []simulator.Fault{{Method: "GET", Path: `/files/116[0-9]*/chunks/0$`, Delay: long}}},
		"while its guard runs": {guard: configs.Guard{Command: &configs.GuardCommand{Argv: []string{"look"}, Timeout: time.Hour}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{Faults: tc.faults})
				defer n.close()
				n.ledger = &memory.Ledger{Expire: true}
				n.runner.Ledger, n.runner.Watch = n.ledger, nil
				n.runner.Exec = func(context.Context, Program) (Exit, error) {
					time.Sleep(long)
					return Exit{}, nil
				}
				export := func(name string, guard configs.Guard) configs.Step {
					s := sampleNight(n)[4]
					s.Targets, s.Guard, s.Rerun = []configs.Target{{Path: filepath.Join(n.dir, name)}}, guard, "ask"
					return s
				}
				first := n.request(ledger.ID{Job: "first", Run: "r"}, export("first.csv", tc.guard))
				first.Runner = ledger.Runner{Host: "one", PID: 1}
				done := make(chan ledger.State)
				go func() {
					s, _ := n.runner.Run(t.Context(), first)
					done <- s
				}()
				time.Sleep(30 * time.Second)
				n.ledger.Cut(1, true)
				time.Sleep(90 * time.Second)
				second := n.request(ledger.ID{Job: "second", Run: "r"}, append(sampleNight(n)[:2:2], export("second.csv", configs.Guard{}))...)
				second.Runner = ledger.Runner{Host: "two", PID: 2}
				if s, err := n.runner.Run(t.Context(), second); err != nil || s.End.Code != 0 {
					t.Error(err, messages(s))
				}
				s := <-done
				if verdicts(s) != "publish failed/input" {
					t.Error(messages(s))
				}
				if _, err := os.Stat(filepath.Join(n.dir, "first.csv")); err == nil {
					t.Error("an output that another run has replaced was put in place")
				}
			})
		})
	}
}
