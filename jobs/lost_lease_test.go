package jobs

import (
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

// TestOutputAfterLostLeases: a runner that loses its leases while it downloads what its
// export wrote does not take for it what another run's export has written since.
func TestOutputAfterLostLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{{Method: "GET", Path: `/files/116[0-9]*/chunks/0$`, Delay: 270 * time.Second}}})
		defer n.close()
		n.ledger = &memory.Ledger{Expire: true}
		n.runner.Ledger, n.runner.Watch = n.ledger, nil
		export := func(name string) configs.Step {
			s := sampleNight(n)[4]
			s.Targets, s.Guard, s.Rerun = []configs.Target{{Path: filepath.Join(n.dir, name)}}, configs.Guard{}, "ask"
			return s
		}
		first := n.request(ledger.ID{Job: "first", Run: "r"}, export("first.csv"))
		first.Runner = ledger.Runner{Host: "one", PID: 1}
		done := make(chan ledger.State)
		go func() {
			s, _ := n.runner.Run(t.Context(), first)
			done <- s
		}()
		time.Sleep(30 * time.Second)
		n.ledger.Cut(1, true)
		time.Sleep(90 * time.Second)
		second := n.request(ledger.ID{Job: "second", Run: "r"}, append(sampleNight(n)[:2:2], export("second.csv"))...)
		second.Runner = ledger.Runner{Host: "two", PID: 2}
		if s, err := n.runner.Run(t.Context(), second); err != nil || s.End.Code != 0 {
			t.Error(err, messages(s))
		}
		s := <-done
		if verdicts(s) != "publish failed/input" {
			t.Error(messages(s))
		}
		if _, err := os.Stat(filepath.Join(n.dir, "first.csv")); err == nil {
			t.Error("the output of the second run was put in place as that of the first")
		}
	})
}
