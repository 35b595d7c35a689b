package jobs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// masterData is a process of a clean import, one with a warning and rejected rows, and
// another action.
func masterData(n *night, accept, ofStores *configs.Accept) configs.Step {
	s := process("Load Master Data")
	s.Files = []configs.StepFile{{File: configs.Ref{Name: "products.csv"}, Source: *n.file("products.csv")}, {File: configs.Ref{Name: "stores.csv"}, Source: *n.file("stores.csv")}}
	if accept != nil {
		s.Accept = *accept
	}
	if ofStores != nil {
		s.Actions = []configs.StepAction{{Action: configs.Ref{Name: "Load Stores"}, Accept: ofStores}}
	}
	return s
}

func hub(c *simulator.Company) *simulator.Model { return &c.Workspaces[0].Models[0] }

func importOf(c *simulator.Company, name string) *simulator.Import {
	all := hub(c).Imports
	return &all[slices.IndexFunc(all, func(i simulator.Import) bool { return i.Name == name })]
}

// TestVerdictsOnTheWire runs what Anaplan can say of a task against the simulator, with
// rejected rows reported as successful and not.
func TestVerdictsOnTheWire(t *testing.T) {
	yes := true
	rows := func(failed, warned int64) *configs.Accept {
		return &configs.Accept{Failed: &configs.Limit{Rows: failed}, Warnings: &configs.Limit{Rows: warned}}
	}
	for _, tc := range []struct {
		name    string
		sw      simulator.Switches
		company func(*simulator.Company)
		step    func(n *night) configs.Step
		want    string
		code    int
		actions string // verdicts of the process's actions
		dumps   int
		says    string
	}{
		{name: "rejected rows", step: func(n *night) configs.Step { return loadSales(n, 0) }, want: "partial/rows", code: 3, dumps: 1, says: "the job accepts 0"},
		{name: "rejected rows, accepted", step: func(n *night) configs.Step { return loadSales(n, 1000) }, want: "ok", dumps: 1},
		{name: "a prompt without an answer", step: func(n *night) configs.Step { s := loadSales(n, 0); s.Prompts = nil; return s }, want: "failed/action", code: 1, says: "could not run"},
		{name: "a prompt answered with nothing that is", step: func(n *night) configs.Step {
			s := loadSales(n, 0)
			s.Prompts[0].Item = "Actuals"
			return s
		}, want: "failed/action", code: 1, says: "could not run"},
		{name: "ignored cells", step: func(n *night) configs.Step {
			return configs.Step{Name: "p", Verb: configs.Import, Object: configs.Ref{Name: "Load Budget"}, Source: n.file("budget.txt")}
		}, want: "ok", says: "ignored"},
		{name: "more ignored than accepted", step: func(n *night) configs.Step {
			return configs.Step{Name: "p", Verb: configs.Import, Object: configs.Ref{Name: "Load Budget"}, Source: n.file("budget.txt"), Accept: configs.Accept{Ignored: share(10)}}
		}, want: "partial/rows", code: 3, says: "ignored, the job accepts 10%"},
		{name: "an import that cannot run", company: func(c *simulator.Company) { importOf(c, "Load Sales").Fails = "moduleImportNoWriteAccess" },
			step: func(n *night) configs.Step { return loadSales(n, 1000) }, want: "failed/action", code: 1, says: "it could not run"},
		{name: "a failure that is no detail we know", company: func(c *simulator.Company) { importOf(c, "Load Sales").Fails = "somethingNew" },
			step: func(n *night) configs.Step { return loadSales(n, 1000) }, want: "failed/action", code: 1},
		{name: "an action that cannot run", company: func(c *simulator.Company) { hub(c).Actions[1].Fails = true },
			step: func(*night) configs.Step {
				return configs.Step{Name: "p", Verb: configs.Action, Object: configs.Ref{Name: "Delete expired rows"}, Delete: true}
			}, want: "failed/action", code: 1},
		{name: "a process with rejected rows", step: func(n *night) configs.Step { return masterData(n, nil, nil) }, want: "partial/rows", code: 3, actions: "ok partial ok", dumps: 1, says: `"Load Stores"`},
		{name: "a process, accepted by the action", step: func(n *night) configs.Step { return masterData(n, nil, rows(100, 100)) }, want: "ok", actions: "ok ok ok", dumps: 1},
		{name: "a process, accepted by the step", step: func(n *night) configs.Step { return masterData(n, rows(100, 100), nil) }, want: "ok", actions: "ok ok ok", dumps: 1},
		{name: "accepted by the step, not by the action", step: func(n *night) configs.Step { return masterData(n, rows(100, 100), rows(0, 100)) }, want: "partial/rows", code: 3, actions: "ok partial ok", dumps: 1},
		{name: "a process that says nothing", sw: simulator.Switches{SilentProcess: true}, step: func(n *night) configs.Step { return masterData(n, rows(100, 100), nil) },
			want: "partial/rows", code: 3, says: "gives no reason"},
		{name: "a process that says nothing, accepted", sw: simulator.Switches{SilentProcess: true}, step: func(n *night) configs.Step {
			return masterData(n, &configs.Accept{Unexplained: &yes}, nil)
		}, want: "ok"},
		{name: "an action of a process cannot run", company: func(c *simulator.Company) { importOf(c, "Load Products").Fails = "internalError" },
			step: func(n *night) configs.Step { return masterData(n, rows(100, 100), nil) }, want: "failed/action", code: 1, actions: "failed failed failed", says: "could not run"},
		{name: "an action of a process cannot run, the rest does", sw: simulator.Switches{ContinueAfterFailure: true}, company: func(c *simulator.Company) { importOf(c, "Load Products").Fails = "internalError" },
			step: func(n *night) configs.Step { return masterData(n, rows(100, 100), nil) }, want: "failed/action", code: 1, actions: "failed ok ok", dumps: 1},
		{name: "what is sometimes missing", sw: simulator.Switches{SparseTasks: true, BareTaskID: true, EchoZero: true, NoDump: "200", NoDump204: true, RefreshNewValue: true, Unauthorized: "empty"},
			step: func(n *night) configs.Step { return masterData(n, rows(100, 100), nil) }, want: "ok", actions: "ok ok ok", dumps: 1},
	} {
		for _, successful := range []bool{true, false} {
			if tc.sw.SilentProcess && successful {
				continue // it is silent about rows that make it unsuccessful
			}
			t.Run(tc.name+map[bool]string{true: "/successful", false: "/not successful"}[successful], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := sample.Company()
					if tc.company != nil {
						tc.company(c)
					}
					sw := tc.sw
					sw.RejectsSuccessful = successful
					n := newNightOf(t, c, simulator.Options{Switches: &sw})
					defer n.close()
					s := n.run(t.Context(), tc.step(n))
					st := s.Steps[0]
					if got := verdicts(s); got != st.Plan.Name+" "+tc.want || s.End.Code != tc.code {
						t.Errorf("got %s, code %d; want %s, code %d\n%s", got, s.End.Code, tc.want, tc.code, messages(s))
					}
					var actions []string
					for _, a := range st.End.Actions {
						actions = append(actions, string(a.Verdict))
					}
					if got := strings.Join(actions, " "); tc.actions != "" && got != tc.actions {
						t.Errorf("actions %s, want %s", got, tc.actions)
					}
					if !strings.Contains(st.End.Message, tc.says) || st.End.Verdict != ledger.OK && st.End.Next == "" {
						t.Errorf("%q; %q", st.End.Message, st.End.Next)
					}
					if len(st.Dumps) != tc.dumps || len(n.sim.Tasks()) != 1 {
						t.Errorf("%d dumps, want %d; %d tasks", len(st.Dumps), tc.dumps, len(n.sim.Tasks()))
					}
				})
			})
		}
	}
}

// TestDumpThatIsGone: it was announced and cannot be had, so what was rejected is not
// known.
func TestDumpThatIsGone(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault simulator.Fault
		want  string
	}{
		{"a moment's outage", simulator.Fault{Path: "/dump/chunks", Count: 12, Status: 502, Body: "html"}, "ok"},
		{"a chunk that breaks off", simulator.Fault{Path: "/dump/chunks/0", Count: 2, Truncate: true}, "ok"},
		{"none", simulator.Fault{Path: "/dump/chunks", Count: -1, Status: 404}, "partial/rows"},
		{"for ever", simulator.Fault{Path: "/dump/chunks", Count: -1, Drop: "before"}, "partial/rows"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, simulator.Options{Faults: []simulator.Fault{tc.fault}})
				defer n.close()
				s := n.run(t.Context(), loadSales(n, 1000))
				if got := verdicts(s); got != "load sales "+tc.want {
					t.Errorf("%s\n%s", got, messages(s))
				}
				if d := s.Steps[0].Dumps; len(d) != 1 || (d[0].Error == "") != (tc.want == "ok") || (d[0].Path == "") != (d[0].Error != "") {
					t.Errorf("dumps %+v", d)
				}
				if files, _ := filepath.Glob(filepath.Join(n.dir, "runs", "*", "*")); (len(files) == 1) != (tc.want == "ok") {
					t.Errorf("files %q", files)
				}
			})
		})
	}
}

// TestGuards refuses sources before anything is sent, and results before anything is
// replaced.
func TestGuards(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	hour, truth := time.Hour, true
	content := func(name, text string) func(*night) {
		return func(n *night) {
			if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
				n.t.Fatal(err)
			}
		}
	}
	sales := func(g configs.Guard) func(*night) configs.Step {
		return func(n *night) configs.Step { s := loadSales(n, 1000); s.Guard = g; return s }
	}
	for _, tc := range []struct {
		name string
		prep func(*night)
		step func(*night) configs.Step
		want string
		says string
	}{
		{"enough rows", nil, sales(configs.Guard{MinRows: number(24), MaxRows: number(24), Header: &truth, MaxAge: &configs.Age{Duration: hour}}), "ok", ""},
		{"too few", nil, sales(configs.Guard{MinRows: number(25)}), "failed/guard", "guard min_rows: it has 24 data rows, at least 25 are wanted"},
		{"too many", nil, sales(configs.Guard{MaxRows: number(23)}), "failed/guard", "guard max_rows: it has 24 data rows"},
		{"only a header", content("sales.csv", "Product code,Country,Month,Units,Revenue\n"), sales(configs.Guard{MinRows: number(1)}), "failed/guard", "it has 0 data rows"},
		{"stale", func(n *night) { old(n, "sales.csv", 25*time.Hour) }, sales(configs.Guard{MaxAge: &configs.Age{Duration: hour}}), "failed/guard", "guard max_age: it was written"},
		{"another header", content("sales.csv", "Product,Country,Month,Units,Revenue\nP1007,FR,Jan 26,1,1\n"), sales(configs.Guard{Header: &truth}), "failed/guard", `the import expects "Product code", which it does not have`},
		{"missing", func(n *night) { os.Remove(filepath.Join(n.dir, "sales.csv")) }, sales(configs.Guard{}), "failed/input", "sales.csv: it is not there"},
		{"empty", content("sales.csv", ""), sales(configs.Guard{}), "failed/input", "it is empty"},
		{"cut off", content("sales.csv", "Product code,Country\n\"P1007"), sales(configs.Guard{}), "failed/input", "never closed"},
		{"a file of a process", nil, func(n *night) configs.Step {
			s := masterData(n, nil, nil)
			s.Files[1].Guard = configs.Guard{MinRows: number(10000)}
			return s
		}, "failed/guard", "guard min_rows"},
		{"a result with too few rows", nil, func(n *night) configs.Step {
			return configs.Step{Name: "p", Verb: configs.Export, Object: configs.Ref{Name: "Store List"}, Guard: configs.Guard{MinRows: number(10000)},
				Targets: []configs.Target{{Path: filepath.Join(n.dir, "target.csv")}}}
		}, "failed/guard", "guard min_rows"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				// The bubble's clock stands in the year 2000, the files' times do not.
				real := time.Now()
				if info, err := os.Stat(filepath.Join(n.dir, "sales.csv")); err == nil {
					real = info.ModTime()
				}
				n.runner.Now = func() time.Time { return real.Add(time.Minute) }
				content("target.csv", "as it was")(n)
				if tc.prep != nil {
					tc.prep(n)
				}
				s := n.run(t.Context(), tc.step(n))
				if got := verdicts(s); got != s.Steps[0].Plan.Name+" "+tc.want || !strings.Contains(messages(s), tc.says) {
					t.Errorf("%s\n%s", got, messages(s))
				}
				if tc.want == "ok" {
					return
				}
				if s.End.Code != ledger.CodeInput || s.End.Next == "" {
					t.Errorf("%+v", s.End)
				}
				for _, r := range n.sim.Requests() {
					if s.Steps[0].Plan.Verb != "export" && r.Method != "GET" && !strings.HasPrefix(r.Path, "/token/") {
						t.Errorf("it sent %s %s", r.Method, r.Path)
					}
				}
				if data, err := os.ReadFile(filepath.Join(n.dir, "target.csv")); err != nil || string(data) != "as it was" {
					t.Errorf("the target holds %q, %v", data, err)
				}
				if left, _ := filepath.Glob(filepath.Join(n.dir, ".*")); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			})
		})
	}
}

// old makes a file older.
func old(n *night, name string, by time.Duration) {
	path := filepath.Join(n.dir, name)
	info, err := os.Stat(path)
	if err == nil {
		at := info.ModTime().Add(-by)
		err = os.Chtimes(path, at, at)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// TestFileThatChangesBetweenCheckAndUpload is never imported.
func TestFileThatChangesBetweenCheckAndUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		path := filepath.Join(n.dir, "sales.csv")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Between the check and the upload nothing is asked of Anaplan, but the chunk count.
		n.sim.AddFaults(simulator.Fault{Method: "POST", Path: "/files/[0-9]+$", Delay: time.Minute})
		time.AfterFunc(30*time.Second, func() {
			data[len(data)-2] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Error(err)
			}
		})
		sales := loadSales(n, 1000)
		sales.Ahead = new(bool) // else it is seen before the step's turn, and does no harm
		s := n.run(t.Context(), sales)
		if verdicts(s) != "load sales failed/input" || len(n.sim.Tasks()) > 0 || !strings.Contains(messages(s), "the source changed while it was read") {
			t.Errorf("%s, %d tasks\n%s", verdicts(s), len(n.sim.Tasks()), messages(s))
		}
	})
}
