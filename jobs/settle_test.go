package jobs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestSettling loses the answer to the only start of a run, in all the ways that differ in
// what can be found out.
func TestSettling(t *testing.T) {
	const ana = "ana.ortiz@example.com"
	start := simulator.Moment{Method: "POST", Path: `/tasks$`}
	after := simulator.Fault{Method: "POST", Path: `/tasks$`, Drop: "after"}
	before := simulator.Fault{Method: "POST", Path: `/tasks$`, Drop: "before"}
	later := after
	later.After = 3 * time.Minute
	away := func(what string, long time.Duration) []simulator.Spell {
		looks := simulator.Moment{Method: "GET", Path: `/users/me`, Nth: 2} // the first is of the beginning
		return []simulator.Spell{{Moment: looks, Model: "Sales Hub", What: what, For: long}}
	}
	load := func(n *night) configs.Step { return loadSales(n, 1000) }
	stores := func(n *night) configs.Step {
		return configs.Step{Name: "stores", Verb: configs.Import, Object: configs.Ref{Name: "Load Stores"}, Source: n.file("stores.csv"),
			Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}, Warnings: &configs.Limit{Rows: 1000}}}
	}
	export := func(n *night) configs.Step {
		s := sampleNight(n)[4]
		s.Guard = configs.Guard{}
		return s
	}
	banner := func(n *night) configs.Step { return sampleNight(n)[9] }
	stranger := func(object, user string, at simulator.Moment) []simulator.Stranger {
		return []simulator.Stranger{{Moment: at, User: user, Model: "Sales Hub", Kind: "import", Object: object}}
	}
	old := simulator.Moment{} // before the run
	quick := simulator.Options{}
	slow := slowTasks()
	for _, tc := range []struct {
		name      string
		o         simulator.Options
		step      func(*night) configs.Step
		fault     simulator.Fault
		spells    []simulator.Spell
		strangers []simulator.Stranger
		exclusive bool
		code      int
		tasks     int // of ours
		outcome   ledger.IntentOutcome
		why       string // in the reason
		took      time.Duration
	}{
		{name: "it did not arrive", step: load, fault: before, tasks: 1, outcome: ledger.IntentAbsent, why: "two lists", took: 5 * time.Minute},
		{name: "it arrives after the first list", step: load, fault: later, tasks: 1, outcome: ledger.IntentStarted, why: "", took: 3 * time.Minute},
		{name: "while it runs the status names it", o: slow, step: load, fault: after, tasks: 1, outcome: ledger.IntentStarted, why: "status names it"},
		{name: "a stranger ran it before, and rows tell", step: stores, fault: after, strangers: stranger("Load Stores", ana, old), spells: away("page", time.Minute),
			tasks: 1, outcome: ledger.IntentStarted, why: "as many rows"},
		{name: "a stranger ran it before, and nothing tells", step: export, fault: after, spells: away("page", time.Minute),
			strangers: []simulator.Stranger{{Moment: old, User: ana, Model: "Sales Hub", Kind: "export", Object: "Forecast Output"}},
			code:      ledger.CodeUnsure, tasks: 1, outcome: ledger.IntentOpen},
		{name: "nobody else uses the login", step: export, fault: after, exclusive: true, spells: away("page", time.Minute),
			strangers: []simulator.Stranger{{Moment: old, User: ana, Model: "Sales Hub", Kind: "export", Object: "Forecast Output"}},
			tasks:     1, outcome: ledger.IntentStarted, why: "exclusive_user"},
		{name: "whoever runs it, the effect is the same", step: banner, fault: after, tasks: 1, outcome: ledger.IntentStarted, why: "same effect"},
		{name: "a stranger runs it at that moment, and ours did not arrive", step: banner, fault: before, tasks: 0, outcome: ledger.IntentStarted, why: "same effect",
			strangers: []simulator.Stranger{{Moment: start, User: ana, Model: "Sales Hub", Kind: "action", Object: "Close banner"}}},
		{name: "a stranger loads it at that moment, and ours did not arrive", step: load, fault: before, tasks: 0, code: ledger.CodeUnsure, outcome: ledger.IntentOpen,
			strangers: stranger("Load Sales", ana, start)},
		{name: "two are new", step: load, fault: after, tasks: 1, code: ledger.CodeUnsure, outcome: ledger.IntentOpen, strangers: stranger("Load Sales", ana, start)},
		{name: "access is lost: the list is empty and says nothing", step: stores, fault: after, spells: away("no_access", 20*time.Minute), tasks: 1,
			outcome: ledger.IntentStarted, took: 20 * time.Minute},
		{name: "access is lost for longer than settle_wait", step: load, fault: after, spells: away("no_access", 3*time.Hour), tasks: 1,
			code: ledger.CodeUnsure, outcome: ledger.IntentOpen, took: 2 * time.Hour},
		{name: "the model is loaded again", step: load, fault: before, spells: away("loading", 20*time.Minute), tasks: 1,
			outcome: ledger.IntentAbsent, took: 25 * time.Minute},
		{name: "maintenance", step: load, fault: before, spells: away("page", 30*time.Minute), tasks: 1, outcome: ledger.IntentAbsent, took: 35 * time.Minute},
		{name: "the calls hang", step: load, fault: before, spells: away("hang", 10*time.Minute), tasks: 1, outcome: ledger.IntentAbsent, took: 15 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := tc.o
				if o.Switches == nil {
					o = quick
				}
				o.Faults, o.Spells, o.Strangers = []simulator.Fault{tc.fault}, tc.spells, tc.strangers
				n := newLeanNight(t, o)
				defer n.close()
				n.runner.Connect = func(context.Context, string) (*Tenant, error) {
					return &Tenant{Client: n.client, Host: host, Exclusive: tc.exclusive}, nil
				}
				time.Sleep(time.Minute) // what strangers did before has ended
				s := n.run(t.Context(), tc.step(n))
				ours := 0
				for _, task := range n.sim.Tasks() {
					if task.User == sample.Email {
						ours++
					}
				}
				first := s.Steps[0].Intents[0]
				if s.End.Code != tc.code || ours != tc.tasks || first.Outcome != tc.outcome {
					t.Errorf("code %d, %d tasks of ours, the intent is %s\n%s", s.End.Code, ours, first.Outcome, messages(s))
				}
				if first.Settled != nil && !strings.Contains(first.Settled.Text, tc.why) {
					t.Errorf("the reason is %q, want %q", first.Settled.Text, tc.why)
				}
				if took := s.Ended.Sub(first.Lost); took < tc.took || took > tc.took+12*time.Minute && tc.took > 0 {
					t.Errorf("it took %s, want about %s", took, tc.took)
				}
			})
		})
	}
}

// TestStrangersOfThisLedger: what another run started meanwhile is not taken for ours.
func TestStrangersOfThisLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{{Method: "POST", Path: `/tasks$`, Drop: "before"}}})
		defer n.close()
		ctx, stop := context.WithCancelCause(t.Context())
		n.runner.Watch = func(p Progress) {
			if p.Phase == PhaseQueue {
				stop(&Stopped{Signal: "SIGTERM"}) // the start is on its way
			}
		}
		first := n.run(ctx, loadSales(n, 1000))
		n.runner.Watch = nil
		if i := first.Steps[0].Intents; len(i) != 1 || i[0].Outcome != ledger.IntentOpen {
			t.Fatalf("%+v", i)
		}
		began := time.Now()
		second, err := n.runner.Run(t.Context(), n.request(ledger.ID{Job: "another", Run: "r"}, loadSales(n, 1000)))
		if err != nil || second.End.Code != 0 {
			t.Fatal(err, messages(second))
		}
		// It has waited for what might still arrive, and says for whom.
		waits := second.Steps[0].Waits
		if time.Since(began) < 5*time.Minute || len(waits) != 1 || !strings.Contains(waits[0].Text, first.Created.ID.Run) {
			t.Errorf("after %s: %+v", time.Since(began), waits)
		}
		first = n.resume(first.Created.ID, Continuation{})
		if i := first.Steps[0].Intents; first.End.Code != 0 || len(i) != 2 || i[0].Outcome != ledger.IntentAbsent || len(n.sim.Tasks()) != 2 {
			t.Errorf("%+v\n%s", i, messages(first))
		}
	})
}

// TestUploadsOfOthers: what a run has uploaded is uploaded again if another run had the
// server file before the import reads it; else it is not.
func TestUploadsOfOthers(t *testing.T) {
	for _, between := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			up := func(from string) configs.Step {
				return configs.Step{Name: "up", Verb: configs.Upload, Object: configs.Ref{Name: "stores.csv"}, Source: n.file(from)}
			}
			banner := sampleNight(n)[9]
			banner.When = ""
			read := configs.Step{Name: "load", Verb: configs.Import, Object: configs.Ref{Name: "Load Stores"}, Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}, Warnings: &configs.Limit{Rows: 1000}}}
			stores, err := os.ReadFile(filepath.Join(n.dir, "stores.csv"))
			if err == nil {
				err = os.WriteFile(filepath.Join(n.dir, "others.csv"), []byte(firstLines(string(stores), 3)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			other := make(chan ledger.State, 1)
			n.runner.Watch = func(p Progress) {
				if p.Step != "banner off" || p.Phase != PhaseEnd {
					return
				}
				n.runner.Watch = nil
				if !between {
					return
				}
				second := *n.runner
				go func() {
					s, err := second.Run(context.Background(), n.request(ledger.ID{Job: "another", Run: "r"}, up("others.csv")))
					if err != nil || s.End.Code != 0 {
						t.Error(err, messages(s))
					}
					other <- s
				}()
			}
			runs := n.request(ledger.ID{Job: "nightly", Run: "r"}, up("stores.csv"), banner, banner2(n), read)
			s, err := n.runner.Run(t.Context(), runs)
			if err != nil || s.End.Code != 0 {
				t.Fatal(err, messages(s))
			}
			if between {
				<-other
			}
			if again := len(s.Steps[3].Uploads); again != map[bool]int{false: 0, true: 1}[between] {
				t.Errorf("between %v: uploaded again %d times", between, again)
			}
			tasks := n.sim.Tasks()
			stores, err = os.ReadFile(filepath.Join(n.dir, "stores.csv"))
			if err != nil {
				t.Fatal(err)
			}
			if read := tasks[len(tasks)-1].Read; len(read) != 1 || read[0].SHA256 != fmt.Sprintf("%x", sha256.Sum256(stores)) {
				t.Errorf("it read %+v", read)
			}
		})
	}
}

// TestUploadsBesideAReader: what an import loads as the model holds it is not filled anew
// while that reads it, by a runner that lives or one that has left it running.
func TestUploadsBesideAReader(t *testing.T) {
	for _, left := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, slowTasks())
			defer n.close()
			n.runner.Watch = nil
			up := configs.Step{Name: "up", Verb: configs.Upload, Object: configs.Ref{Name: "sales.csv"}, Source: n.file("sales.csv")}
			if s := n.run(t.Context(), up); s.End.Code != 0 {
				t.Fatal(messages(s))
			}
			load := loadSales(n, 1000)
			load.Source = &configs.Source{Server: true}
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			done := make(chan ledger.State)
			go func() {
				s, err := n.runner.Run(ctx, n.request(ledger.ID{Job: "reader", Run: "r"}, load))
				if err != nil {
					t.Error(err)
				}
				done <- s
			}()
			time.Sleep(time.Minute)
			if left {
				stop(&Stopped{Signal: "SIGTERM"})
				if s := <-done; s.End.Code != ledger.CodeTerminate || len(n.sim.Tasks()) != 1 {
					t.Error(messages(s))
				}
			}
			s, err := n.runner.Run(t.Context(), n.request(ledger.ID{Job: "writer", Run: "r"}, up))
			if task := n.sim.Tasks()[0]; err != nil || s.End.Code != 0 || s.Steps[0].Uploads[0].At.Before(task.Ended) || task.Ended.IsZero() {
				t.Errorf("left running: %v: uploaded at %s, the task ended at %s; %v\n%s", left, s.Steps[0].Uploads[0].At, task.Ended, err, messages(s))
			}
			if !left {
				if s := <-done; s.End.Code != 0 {
					t.Error(messages(s))
				}
			}
		})
	}
}

func banner2(n *night) configs.Step {
	return configs.Step{Name: "banner on", Verb: configs.Action, Object: configs.Ref{Name: "Open banner"}}
}

// TestSettlingEnds: a task that may be a stranger's is not waited for without limit.
func TestSettlingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := slowTasks()
		o.Speed = 0.00001
		o.Faults = []simulator.Fault{{Method: "POST", Path: `/tasks$`, Drop: "before"}}
		o.Strangers = []simulator.Stranger{{User: "ana.ortiz@example.com", Model: "Sales Hub", Kind: "import", Object: "Load Sales",
			Moment: simulator.Moment{Method: "POST", Path: `/tasks$`}}}
		n := newLeanNight(t, o)
		defer n.close()
		load := loadSales(n, 1000)
		load.Timeout = 6 * time.Hour
		if testing.Short() {
			load.Timeout = time.Hour
		}
		s := n.run(t.Context(), load)
		if took := s.Ended.Sub(s.Started); s.End.Code != ledger.CodeUnsure || took > load.Timeout+time.Hour {
			t.Errorf("after %s\n%s", took, messages(s))
		}
	})
}

// TestNewIsNew: a task that one of Anaplan's machines dates a moment before somebody else's,
// which another has dated, is new.
func TestNewIsNew(t *testing.T) {
	at := time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)
	listed := func(latest time.Duration) ledger.TaskListed {
		return ledger.TaskListed{Count: 1, Latest: at.Add(latest), Recent: []string{"THEIRS"}}
	}
	for _, tc := range []struct {
		name    string
		before  ledger.TaskListed
		task    string
		created time.Duration
		want    bool
	}{
		{"later", listed(-time.Hour), "OURS", time.Second, true},
		{"of the same time", listed(0), "OURS", 0, true},
		{"the one that was listed", listed(0), "THEIRS", 0, false},
		{"a moment before theirs", listed(5 * time.Second), "OURS", time.Second, true},
		{"long before the intent", listed(5 * time.Second), "OLD", -time.Hour, false},
		{"before the last one of long ago", listed(-time.Hour), "OLD", -time.Hour - time.Second, false},
	} {
		i := ledger.IntentState{Intent: ledger.Intent{ServerTime: at, Before: tc.before}}
		if got := isNew(i, anaplan.Task{ID: tc.task, CreationTime: at.Add(tc.created)}); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// TestSettlingHalts: a deadline ends the settling too, after the time that a cancel has.
func TestSettlingHalts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{{Method: "POST", Path: `/tasks$`, Drop: "after"}},
			Spells: []simulator.Spell{{Moment: simulator.Moment{Method: "GET", Path: `/users/me`, Nth: 2}, Model: "Sales Hub", What: "no_access", For: 3 * time.Hour}}})
		defer n.close()
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, configs.Step{Name: "stores", Verb: configs.Import, Object: configs.Ref{Name: "Load Stores"}, Source: n.file("stores.csv"),
			Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}, Warnings: &configs.Limit{Rows: 1000}}})
		req.Date = time.Now().UTC()
		req.Plan.Job.Deadline = time.Now().Add(5 * time.Minute).UTC().Format("15:04")
		s, err := n.runner.Run(t.Context(), req)
		if took := s.Ended.Sub(s.Started); err != nil || s.End.Code != ledger.CodeTime || took > 30*time.Minute || s.Steps[0].Intents[0].Outcome != ledger.IntentOpen {
			t.Errorf("%v after %s\n%s", err, took, messages(s))
		}
		time.Sleep(3 * time.Hour)
		s = n.resume(req.ID, Continuation{Late: true})
		if s.End.Code != 0 {
			t.Error(messages(s))
		}
		n.onceEach(s)
	})
}
