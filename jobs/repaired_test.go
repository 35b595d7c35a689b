package jobs

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestRepairedToAnotherProcess: a step whose process is ok and whose output was refused is
// given another process: that is started, and not judged by what the first one did.
func TestRepairedToAnotherProcess(t *testing.T) {
	for name, other := range map[string]func(*night) configs.Step{
		"in the same model": func(n *night) configs.Step { return sampleNight(n)[1] },
		"in another model":  func(n *night) configs.Step { return sampleNight(n)[2] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				publish := configs.Step{Name: "publish", Verb: configs.Process, Object: configs.Ref{Name: "Publish Month"},
					Files: []configs.StepFile{{File: configs.Ref{Name: "Forecast Output"}, Guard: configs.Guard{MinRows: new(int64(1_000_000))},
						Targets: []configs.Target{{Path: filepath.Join(n.dir, "out.csv")}}}}}
				s := n.run(t.Context(), publish)
				if got := verdicts(s); got != "publish failed/guard" {
					t.Fatal(got, messages(s))
				}
				id := s.Created.ID
				repaired := other(n)
				repaired.Name, repaired.Base, repaired.Needs, repaired.NeedsSet = "publish", "publish", nil, false
				repaired.Accept.MinLoaded = new(int64)
				s = n.resume(id, Continuation{Repair: n.request(id, repaired).Plan})
				if got := verdicts(s); got != "publish ok" || s.End.Code != ledger.CodeOK {
					t.Fatal(got, messages(s))
				}
				if last := lastOf(&s.Steps[0]); len(s.Steps[0].Intents) != 2 || last.Object.Name != repaired.Object.Name {
					t.Errorf("%d tasks were started, the last one of %q", len(s.Steps[0].Intents), last.Object.Name)
				}
			})
		})
	}
}

// TestAdoptAndRepairAtOnce: a task is adopted for the step that lost its start, wherever
// that stands in the corrected job.
func TestAdoptAndRepairAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stranger := simulator.Stranger{User: "ana.ortiz@example.com", Model: "Sales Hub", Kind: "import", Object: "Load Sales",
			Moment: simulator.Moment{Method: "POST", Path: `/tasks$`}}
		n := newLeanNight(t, simulator.Options{Strangers: []simulator.Stranger{stranger},
			Faults: []simulator.Fault{{Method: "POST", Path: `/tasks$`, Drop: "after"}}})
		defer n.close()
		load := loadSales(n, 1000)
		load.Connection = "sales"
		connect := n.runner.Connect
		asked := map[string]int{}
		n.runner.Connect = func(ctx context.Context, connection string) (*Tenant, error) {
			asked[connection]++
			return connect(ctx, connection)
		}
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, sampleNight(n)[9], load)
		var err error
		if req.Plan, err = NewPlan(req.Plan.Job, Selection{Only: []string{"load sales"}}); err != nil {
			t.Fatal(err)
		}
		s, err := n.runner.Run(t.Context(), req)
		if err != nil || s.End.Code != ledger.CodeUnsure {
			t.Fatal(err, messages(s))
		}
		var ours string
		for _, task := range n.sim.Tasks() {
			if !task.Stranger {
				ours = task.ID
			}
		}
		s = n.resume(req.ID, Continuation{Adopt: []string{ours}, Repair: n.request(req.ID, load).Plan})
		if verdicts(s) != "load sales ok" || s.Steps[0].Intents[0].Task != ours || asked[""] > 0 {
			t.Errorf("%s; connections: %v", messages(s), asked)
		}
	})
}
