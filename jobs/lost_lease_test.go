package jobs

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// TestTasksAfterALostLease: a runner that has lost the run's lease cancels nothing: another may
// watch its tasks, and wants them to go on.
func TestTasksAfterALostLease(t *testing.T) {
	for name, tc := range map[string]struct {
		stop    func(n *night, id ledger.ID, stop context.CancelCauseFunc) // after four minutes
		timeout time.Duration
		want    string // when another has gone on
		says    string
	}{
		"a signal": {stop: func(_ *night, _ ledger.ID, stop context.CancelCauseFunc) { stop(&Stopped{Signal: "SIGINT"}) },
			want: "load sales ok", says: "the cancel failed"},
		"a wish": {stop: func(n *night, id ledger.ID, _ context.CancelCauseFunc) {
			_ = n.ledger.Ask(context.Background(), id, ledger.Wish{What: ledger.WishCancel, By: "omar@there", At: time.Now()})
		}, want: "load sales ok", says: "it was left running"},
		"its time limit": {timeout: 4 * time.Minute, want: "load sales timed_out/time", says: "the cancel failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := slowTasks()
				o.Speed = 0.001
				n := newLeanNight(t, o)
				defer n.close()
				n.ledger = &memory.Ledger{Expire: true}
				n.runner.Ledger = n.ledger
				step := loadSales(n, 1000)
				step.Timeout = tc.timeout
				req := n.request(ledger.ID{Job: "nightly", Run: "r"}, step)
				req.Runner = ledger.Runner{Host: "one", PID: 1}
				ctx, stop := context.WithCancelCause(t.Context())
				defer stop(nil)
				time.AfterFunc(2*time.Minute, func() { n.ledger.Cut(1, true) })
				if tc.stop != nil {
					time.AfterFunc(4*time.Minute, func() { tc.stop(n, req.ID, stop) })
				}
				s, err := n.runner.Run(ctx, req)
				if err != nil || len(s.Steps[0].Cancelled) > 0 || !strings.Contains(messages(s)+strings.Join(s.Steps[0].Warnings, "\n"), tc.says) {
					t.Errorf("%v: %+v\n%s\n%q", err, s.Steps[0].Cancelled, messages(s), s.Steps[0].Warnings)
				}
				if asked := n.cancels(); asked > 0 {
					t.Errorf("a task was cancelled %d times without the lease", asked)
				}
				time.Sleep(time.Minute) // the lease ends
				if s = n.resume(req.ID, Continuation{}); verdicts(s) != tc.want {
					t.Error(messages(s))
				}
			})
		})
	}
}

// cancels counts the requests to cancel a task.
func (n *night) cancels() (asked int) {
	for _, r := range n.sim.Requests() {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/tasks/") {
			asked++
		}
	}
	return asked
}
