package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// resume goes on with a run as another process, and checks that its state is what the
// ledger holds.
func (n *night) resume(id ledger.ID, c Continuation) ledger.State {
	n.t.Helper()
	s, err := n.resumed(id, c)
	if err != nil {
		n.t.Fatal(err)
	}
	events, err := n.ledger.Events(context.Background(), id, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	if again, err := ledger.Fold(events); err != nil || again.Seq != s.Seq || verdicts(again) != verdicts(s) {
		n.t.Fatalf("the ledger's events do not fold to the run's state: %v", err)
	}
	return s
}

func (n *night) resumed(id ledger.ID, c Continuation) (ledger.State, error) {
	n.pid++
	c.ID, c.By, c.Runner = id, "ada@here", ledger.Runner{Host: "here", PID: 1000 + n.pid}
	return n.runner.Continue(context.Background(), c)
}

// lostImport is a night whose first start takes effect and loses its answer, with strangers.
func lostImport(t *testing.T, strangers ...simulator.Stranger) (*night, ledger.State) {
	n := newLeanNight(t, simulator.Options{Strangers: strangers,
		Faults: []simulator.Fault{{Method: "POST", Path: `/tasks$`, Drop: "after"}}})
	return n, n.run(t.Context(), sampleNight(n)...)
}

// TestLostAnswers: whose the new task is.
func TestLostAnswers(t *testing.T) {
	stranger := simulator.Stranger{User: "ana.ortiz@example.com", Model: "Sales Hub", Kind: "import", Object: "Load Sales",
		Moment: simulator.Moment{Method: "POST", Path: `/tasks$`}}
	synctest.Test(t, func(t *testing.T) {
		n, s := lostImport(t, stranger)
		defer n.close()
		first := s.Steps[0]
		if s.End.Code != ledger.CodeUnsure || first.End.Verdict != ledger.Unsure {
			t.Fatal(verdicts(s), messages(s))
		}
		for _, task := range n.sim.Tasks() {
			if !strings.Contains(first.End.Message, task.ID) || !strings.Contains(first.End.Next, "--adopt "+task.ID) {
				t.Errorf("task %s is not named: %s; %s", task.ID, first.End.Message, first.End.Next)
			}
		}
		if _, err := n.resumed(s.Created.ID, Continuation{Adopt: []string{"0123456789ABCDEF0123456789ABCDEF"}}); !isDecision(err, "--adopt") {
			t.Errorf("a task that is not there: %v", err)
		}
		ours := ""
		for _, task := range n.sim.Tasks() {
			if !task.Stranger {
				ours = task.ID
			}
		}
		s = n.resume(s.Created.ID, Continuation{Adopt: []string{ours}})
		if i := s.Steps[0].Intents[0]; s.End.Code != 0 || i.Task != ours || i.Settled == nil || i.Settled.By != "ada@here" {
			t.Errorf("%s\n%+v", messages(s), i)
		}
		n.onceEach(s)
	})
}

// TestAdoptOfAnother: a task that another run has started is not adopted.
func TestAdoptOfAnother(t *testing.T) {
	stranger := simulator.Stranger{User: "ana.ortiz@example.com", Model: "Sales Hub", Kind: "import", Object: "Load Sales",
		Moment: simulator.Moment{Method: "POST", Path: `/tasks$`}}
	synctest.Test(t, func(t *testing.T) {
		n, s := lostImport(t, stranger)
		defer n.close()
		other := n.run(t.Context(), loadSales(n, 1000))
		if other.End.Code != 0 {
			t.Fatal(messages(other))
		}
		if _, err := n.resumed(s.Created.ID, Continuation{Adopt: []string{other.Steps[0].Intents[0].Task}}); !isDecision(err, "--adopt") {
			t.Errorf("%v", err)
		}
	})
}

func isDecision(err error, flag string) bool {
	d, ok := errors.AsType[*DecisionError](err)
	return ok && d.Flag == flag && d.Instead != ""
}

// TestDecisions: what a person may say of a step of which nothing is known, and what not.
func TestDecisions(t *testing.T) {
	stranger := simulator.Stranger{User: "ana.ortiz@example.com", Model: "Sales Hub", Kind: "import", Object: "Load Sales",
		Moment: simulator.Moment{Method: "POST", Path: `/tasks$`}}
	for _, tc := range []struct {
		c     Continuation
		code  int
		tasks int // of ours, of the import
		flag  string
	}{
		{c: Continuation{Accept: []string{"load sales"}}, tasks: 1},
		{c: Continuation{Again: []string{"load sales"}}, tasks: 2},
		{c: Continuation{Again: []string{"loads sales"}}, flag: "--again"},
		{c: Continuation{Again: []string{"load sales"}, Accept: []string{"load sales"}}, flag: "--again"},
		{c: Continuation{Again: []string{"forecast"}}, flag: "--again"},
		{c: Continuation{Accept: []string{"x"}}, flag: "--accept"},
		{c: Continuation{}, tasks: 1, code: ledger.CodeUnsure},
	} {
		t.Run(fmt.Sprintf("%+v", tc.c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, s := lostImport(t, stranger)
				defer n.close()
				seq, id := s.Seq, s.Created.ID
				s, err := n.resumed(s.Created.ID, tc.c)
				if tc.flag != "" {
					events, _ := n.ledger.Events(context.Background(), id, 0)
					if !isDecision(err, tc.flag) || int64(len(events)) != seq {
						t.Errorf("%v; %d events, %d before", err, len(events), seq)
					}
					return
				}
				if err != nil || s.End.Code != tc.code {
					t.Fatal(err, messages(s))
				}
				tasks := 0
				for _, task := range n.sim.Tasks() {
					if task.Object == "Load Sales" && !task.Stranger {
						tasks++
					}
				}
				if tasks != tc.tasks {
					t.Errorf("%d tasks, want %d", tasks, tc.tasks)
				}
			})
		})
	}
}

// TestRerun: what ended and is not ok is done again only where the job, or a person, says
// so.
func TestRerun(t *testing.T) {
	for _, tc := range []struct {
		rerun string
		again bool
		code  int
		tasks int
	}{
		{"", false, 0, 2}, {"safe", false, 0, 2}, {"ask", false, ledger.CodeRows, 1}, {"ask", true, 0, 2},
	} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				load := loadSales(n, 0)
				load.Rerun = tc.rerun
				good, err := os.ReadFile(filepath.Join(n.dir, "sales.csv"))
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(n.dir, "sales.csv")
				if err := os.WriteFile(path, append(bytes.Clone(good), "nonsense,FR,Jan 26,1,1\n"...), 0o600); err != nil {
					t.Fatal(err)
				}
				s := n.run(t.Context(), load, sampleNight(n)[9])
				if s.End.Code != ledger.CodeRows {
					t.Fatal(messages(s))
				}
				// The source is repaired.
				if err := os.WriteFile(path, []byte(strings.Join(onlyGood(string(good)), "")), 0o600); err != nil {
					t.Fatal(err)
				}
				c := Continuation{}
				if tc.again {
					c.Again = []string{"load sales"}
				}
				s = n.resume(s.Created.ID, c)
				if s.End.Code != tc.code || s.Closed() != (tc.code == 0) || len(s.Steps[0].Intents) != tc.tasks {
					t.Errorf("%d starts\n%s", len(s.Steps[0].Intents), messages(s))
				}
				if s.End.Code != 0 && !strings.Contains(s.Steps[0].End.Next, "--again") {
					t.Errorf("it does not say what to do: %q", s.Steps[0].End.Next)
				}
				if _, err := n.resumed(s.Created.ID, Continuation{}); tc.code == 0 && !errors.Is(err, ErrClosed) {
					t.Errorf("a closed run: %v", err)
				}
			})
		})
	}
}

// onlyGood are the header and two rows that are loaded.
func onlyGood(sales string) []string {
	lines := strings.SplitAfter(sales, "\n")
	good := []string{lines[0]}
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "P10") && len(good) < 3 {
			good = append(good, line)
		}
	}
	return good
}

// TestHalts: what a person asks from elsewhere, a deadline, not_after, and a run that is
// taken over to be cancelled.
func TestHalts(t *testing.T) {
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format("15:04") }
	for _, tc := range []struct {
		name   string
		sw     simulator.Switches
		job    func(*configs.Job)
		wish   string
		want   string // verdicts of the first two steps
		code   int
		stop   ledger.Cause
		within time.Duration
	}{
		{name: "cancel", wish: ledger.WishCancel, want: "load sales cancelled/signal, forecast blocked", code: 130, stop: ledger.CauseSignal, within: 5 * time.Minute},
		{name: "slow cancel", sw: simulator.Switches{CancelTime: 6 * time.Second}, wish: ledger.WishCancel, want: "load sales cancelled/signal, forecast blocked", code: 130, stop: ledger.CauseSignal, within: 15 * time.Minute},
		{name: "a cancel that is lost", sw: simulator.Switches{CancelLost: true}, wish: ledger.WishCancel, want: "load sales ok, forecast blocked", code: 130, stop: ledger.CauseSignal, within: 30 * time.Minute},
		{name: "a cancel that takes too long", sw: simulator.Switches{CancelTime: 36 * time.Second}, wish: ledger.WishCancel, want: "load sales -, forecast blocked", code: 130, stop: ledger.CauseSignal, within: 20 * time.Minute},
		{name: "detach", wish: ledger.WishDetach, want: "load sales -, forecast blocked", code: 143, stop: ledger.CauseSignal, within: 3 * time.Minute},
		{name: "deadline", job: func(j *configs.Job) { j.Deadline = at(2 * time.Minute) }, want: "load sales timed_out/time, forecast blocked", code: 124, stop: ledger.CauseTime, within: 6 * time.Minute},
		{name: "not_after", job: func(j *configs.Job) { j.NotAfter = at(2 * time.Minute) }, want: "load sales ok, forecast blocked", code: 124, stop: ledger.CauseTime, within: time.Hour},
		{name: "too late", job: func(j *configs.Job) { j.NotAfter = at(-20 * time.Minute) }, want: "load sales blocked, forecast blocked", code: 124, stop: ledger.CauseTime, within: time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := slowTasks()
				tc.sw.PollEvery = o.Switches.PollEvery
				o.Switches = &tc.sw
				n := newLeanNight(t, o)
				defer n.close()
				steps := sampleNight(n)[:2]
				steps[0].Accept = configs.Accept{Failed: &configs.Limit{Rows: 1000}}
				req := n.request(ledger.ID{Job: "nightly", Run: "r"}, steps...)
				req.Date = time.Now().UTC()
				if tc.job != nil {
					tc.job(req.Plan.Job)
				}
				began := time.Now()
				if tc.wish != "" {
					time.AfterFunc(time.Minute, func() {
						if err := n.ledger.Ask(context.Background(), req.ID, ledger.Wish{What: tc.wish, By: "omar@there", At: time.Now()}); err != nil {
							t.Error(err)
						}
					})
				}
				s, err := n.runner.Run(t.Context(), req)
				if err != nil || verdicts(s) != tc.want || s.End.Code != tc.code || s.Stop == nil || s.Stop.Cause != tc.stop {
					t.Errorf("%v: %s, code %d, stop %+v\n%s", err, verdicts(s), s.End.Code, s.Stop, messages(s))
				}
				if took := time.Since(began); took > tc.within {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestTakenOverToBeCancelled: a run whose runner is gone.
func TestTakenOverToBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) })
		s := n.run(ctx, sampleNight(n)[:2]...)
		if s.End.Code != ledger.CodeTerminate {
			t.Fatal(messages(s))
		}
		s = n.resume(s.Created.ID, Continuation{Cancel: true})
		if got := verdicts(s); got != "load sales cancelled/signal, forecast blocked" || s.End.Code != ledger.CodeInterrupt {
			t.Errorf("%s\n%s", got, messages(s))
		}
		if len(n.sim.Tasks()) != 1 || n.sim.Tasks()[0].State != "CANCELLED" {
			t.Errorf("%+v", n.sim.Tasks())
		}
	})
}

// TestRepairedJob: another job file is taken for what is not done, and refused where it
// differs in what is done.
func TestRepairedJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		steps := sampleNight(n)[:3]
		steps[1].Files[0].Source.Path = filepath.Join(n.dir, "none.csv")
		s := n.run(t.Context(), steps...)
		if got := verdicts(s); got != "load sales ok, forecast failed/input, spokes[EMEA] blocked" {
			t.Fatal(got, messages(s))
		}
		id := s.Created.ID
		done := sampleNight(n)[:3]
		done[0].Prompts[0].Item = "Forecast"
		_, err := n.resumed(id, Continuation{Repair: n.request(id, done...).Plan})
		if r, ok := errors.AsType[*RepairError](err); !ok || len(r.Changes) != 1 || !strings.Contains(r.Changes[0], `step "load sales": prompts: `) {
			t.Fatalf("%v", err)
		}
		_, err = n.resumed(id, Continuation{Repair: n.request(id, sampleNight(n)[1:3]...).Plan})
		if r, ok := errors.AsType[*RepairError](err); !ok || !strings.Contains(strings.Join(r.Changes, "\n"), `"load sales": it is missing`) {
			t.Fatalf("%v", err)
		}
		elsewhere := n.request(id, sampleNight(n)[:3]...)
		elsewhere.Plan.Job.Workspace.Name = "People"
		_, err = n.resumed(id, Continuation{Repair: elsewhere.Plan})
		if r, ok := errors.AsType[*RepairError](err); !ok || !strings.Contains(strings.Join(r.Changes, "\n"), "another model or object") {
			t.Fatalf("%v", err)
		}
		// Names that are pinned to their ids mean the same.
		pinned := sampleNight(n)[:3]
		pinned[0].Object.ID, pinned[0].Model = s.Steps[0].Object.ID, configs.Ref{ID: s.Steps[0].Model.ID, Name: "Sales Hub"}
		pinned[1].Files[0].Source.Path = filepath.Join(n.dir, "none.csv")
		if s, err := n.resumed(id, Continuation{Repair: n.request(id, pinned...).Plan}); err != nil || verdicts(s) != "load sales ok, forecast failed/input, spokes[EMEA] blocked" {
			t.Fatal(err, verdicts(s))
		}
		repaired := append(sampleNight(n)[:2:2], sampleNight(n)[9], sampleNight(n)[2])
		s = n.resume(id, Continuation{Repair: n.request(id, repaired...).Plan})
		if got := verdicts(s); got != "load sales ok, forecast ok, banner off ok, spokes[EMEA] ok" || s.End.Code != 0 {
			t.Errorf("%s\n%s", got, messages(s))
		}
		if len(s.Repairs) != 2 || len(s.Repairs[1].Changes) != 2 {
			t.Errorf("%+v", s.Repairs)
		}
		n.onceEach(s)
	})
}

// TestIdsOfTheRecord: a continued run uses them, and what bears another name by now, or is
// gone, is an error.
func TestIdsOfTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		steps := sampleNight(n)[:2]
		steps[1].Files[0].Source.Path = filepath.Join(n.dir, "none.csv")
		s := n.run(t.Context(), steps...)
		for _, change := range []func(*ledger.StepState){
			func(t *ledger.StepState) { t.Object.Name = "another" },
			func(t *ledger.StepState) { t.Object.ID = "118999999999" },
			func(t *ledger.StepState) { t.Model.Name = "another" },
		} {
			changed := s
			changed.Steps = append([]ledger.StepState(nil), s.Steps...)
			change(&changed.Steps[1])
			run := newRun(n.runner, Request{ID: s.Created.ID})
			run.state = changed
			var err error
			if run.req.Plan, err = RecordedPlan(changed); err != nil {
				t.Fatal(err)
			}
			run.was = run.req.Plan
			if _, err := run.rebind(t.Context()); err == nil || explain(err).Cause != ledger.CauseConfig {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestDoneModelIsArchived: a model in which every step is done keeps no other step from
// going on.
func TestDoneModelIsArchived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Spells: []simulator.Spell{{Moment: simulator.Moment{Method: "POST", Path: "/tasks$", Nth: 2},
			Model: "FP&A EMEA", What: "archived", For: 100 * time.Hour}}})
		defer n.close()
		emea := sampleNight(n)[2]
		emea.NeedsSet, emea.Needs, emea.Accept.MinLoaded = false, nil, new(int64)
		load := loadSales(n, 1000)
		load.Accept.MinLoaded = new(int64(1000))
		s := n.run(t.Context(), emea, load)
		if got := verdicts(s); got != "spokes[EMEA] ok, load sales partial/rows" {
			t.Fatal(got, messages(s))
		}
		load.Accept.MinLoaded = new(int64(1))
		id := s.Created.ID
		s = n.resume(id, Continuation{Repair: n.request(id, emea, load).Plan})
		if got := verdicts(s); got != "spokes[EMEA] ok, load sales ok" || s.End.Code != 0 {
			t.Error(got, messages(s))
		}
	})
}

// TestAgainInARunThatIsDone: a decision for a run that is done but for its end is refused,
// not left out.
func TestAgainInARunThatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		id := n.run(t.Context(), loadSales(n, 1000)).Created.ID
		n.forget(id, before("run_ended"))
		if _, err := n.resumed(id, Continuation{Again: []string{"load sales"}}); !isDecision(err, "--again") {
			t.Errorf("%v", err)
		}
		if s := n.resume(id, Continuation{}); s.End.Code != 0 || len(n.sim.Tasks()) != 1 {
			t.Error(messages(s))
		}
	})
}

// TestSecondRunner: of one job only one run at a time, as overlap says.
func TestSecondRunner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		first := make(chan ledger.State)
		go func() {
			s, err := n.runner.Run(t.Context(), n.request(ledger.ID{Job: "nightly", Run: "one"}, sampleNight(n)[:2]...))
			if err != nil {
				t.Error(err)
			}
			first <- s
		}()
		time.Sleep(time.Minute)
		req := n.request(ledger.ID{Job: "nightly", Run: "two"}, sampleNight(n)[9])
		s, err := n.runner.Run(t.Context(), req)
		if h, ok := errors.AsType[*ledger.HeldError](err); !ok || h.By.Run.Run != "one" || s.Seq != 0 {
			t.Errorf("%v, %+v", err, s)
		}
		if _, err := n.resumed(ledger.ID{Job: "nightly", Run: "one"}, Continuation{}); err == nil {
			t.Error("a run that is alive was continued")
		}
		req.Plan.Job.Overlap = configs.OverlapWait
		s, err = n.runner.Run(t.Context(), req)
		if err != nil || s.End.Code != 0 {
			t.Error(err, messages(s))
		}
		if one := <-first; one.End.Code != 0 || one.Ended.After(s.Started) {
			t.Errorf("one ended %s, two began %s", one.Ended, s.Started)
		}
	})
}

// TestOwnLeaseThatStays: a lease that seems to be our own is waited for only as long as one
// lives that nobody renews.
func TestOwnLeaseThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, sampleNight(n)[9])
		req.Runner = ledger.Runner{Host: "container", PID: 1}
		if _, err := n.ledger.Take(t.Context(), ledger.RunKey(req.ID), ledger.Holder{Runner: req.Runner, Run: req.ID}); err != nil {
			t.Fatal(err)
		}
		ctx, done := context.WithTimeout(t.Context(), time.Hour)
		defer done()
		s, err := n.runner.Run(ctx, req)
		if _, held := errors.AsType[*ledger.HeldError](err); !held || s.Seq != 0 {
			t.Errorf("%v", err)
		}
	})
}

// TestCancelledStartsNothing: a run that is taken over to be cancelled does not make up for
// a start that did not arrive, and leaves what failed as it is.
func TestCancelledStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{{Method: "POST", Path: `/tasks$`, Drop: "before"}}})
		defer n.close()
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) }) // in the middle of settling
		s := n.run(ctx, sampleNight(n)[:2]...)
		if first := s.Steps[0].Intents; len(first) != 1 || first[0].Outcome != ledger.IntentOpen {
			t.Fatal(messages(s))
		}
		s = n.resume(s.Created.ID, Continuation{Cancel: true})
		if len(n.sim.Tasks()) != 0 || s.Steps[0].Intents[0].Outcome != ledger.IntentAbsent || s.End.Code != ledger.CodeInterrupt {
			t.Errorf("%d tasks\n%s", len(n.sim.Tasks()), messages(s))
		}
		if s = n.resume(s.Created.ID, Continuation{}); s.End.Code != 0 {
			t.Error(messages(s))
		}
		n.onceEach(s)
	})
}

// TestLateButDone: not_after, or a signal, that comes when nothing is left to start changes
// nothing: the run is closed, and ended as its steps did.
func TestLateButDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, loadSales(n, 1000))
		req.Date = time.Now().UTC()
		req.Plan.Job.NotAfter = time.Now().Add(2 * time.Minute).UTC().Format("15:04")
		s, err := n.runner.Run(t.Context(), req)
		if err != nil || verdicts(s) != "load sales ok" || s.End.Code != 0 || !s.Closed() {
			t.Errorf("%v: %+v\n%s", err, s.End, messages(s))
		}
	})
}

// TestLateAndNotDone: not_after that comes while the last step runs does not hide how that
// ended.
func TestLateAndNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		load := loadSales(n, 1000)
		load.Accept.MinLoaded = new(int64(1000))
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, load)
		req.Date = time.Now().UTC()
		req.Plan.Job.NotAfter = time.Now().Add(2 * time.Minute).UTC().Format("15:04")
		s, err := n.runner.Run(t.Context(), req)
		if err != nil || verdicts(s) != "load sales partial/rows" || s.End.Verdict != ledger.Partial || s.End.Code != ledger.CodeRows {
			t.Errorf("%v: %+v\n%s", err, s.End, messages(s))
		}
	})
}

// TestSettledTooLate: what became of a start is found out after not_after too.
func TestSettledTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, sampleNight(n)[9])
		req.Date = time.Now().UTC()
		req.Plan.Job.NotAfter = time.Now().Add(30 * time.Minute).UTC().Format("15:04")
		if s, err := n.runner.Run(t.Context(), req); err != nil || s.End.Code != 0 {
			t.Fatal(err, messages(s))
		}
		n.forget(req.ID, before("task_started"))
		time.Sleep(40 * time.Minute)
		s := n.resume(req.ID, Continuation{})
		if verdicts(s) != "banner off ok" || s.End.Code != 0 || len(n.sim.Tasks()) != 1 {
			t.Errorf("%s: code %d, %d tasks\n%s", verdicts(s), s.End.Code, len(n.sim.Tasks()), messages(s))
		}
	})
}

// TestUnsureWhileAnaplanIsAway: a run that cannot be continued says that a step is unsure.
func TestUnsureWhileAnaplanIsAway(t *testing.T) {
	stranger := simulator.Stranger{User: "ana.ortiz@example.com", Model: "Sales Hub", Kind: "import", Object: "Load Sales",
		Moment: simulator.Moment{Method: "POST", Path: `/tasks$`}}
	synctest.Test(t, func(t *testing.T) {
		n, s := lostImport(t, stranger)
		defer n.close()
		if s.End.Code != ledger.CodeUnsure {
			t.Fatal(messages(s))
		}
		n.runner.Connect = func(context.Context, string) (*Tenant, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		s = n.resume(s.Created.ID, Continuation{})
		if s.End.Code != ledger.CodeUnsure || !strings.Contains(s.End.Next, "--adopt") || !strings.Contains(strings.Join(s.Warnings, "\n"), "dial: refused") {
			t.Errorf("%+v, warnings %q", s.End, s.Warnings)
		}
	})
}

// TestHaltsBeforeNamesAreFound: a run that waits for Anaplan before its first step hears
// people, and sees its deadline.
func TestHaltsBeforeNamesAreFound(t *testing.T) {
	for _, deadline := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{Spells: []simulator.Spell{{What: "page", For: 5 * time.Hour}}})
			defer n.close()
			req := n.request(ledger.ID{Job: "nightly", Run: "r"}, loadSales(n, 1000))
			req.Date = time.Now().UTC()
			code := ledger.CodeInterrupt
			if deadline {
				code = ledger.CodeTime
				req.Plan.Job.Deadline = time.Now().Add(3 * time.Minute).UTC().Format("15:04")
			} else {
				time.AfterFunc(2*time.Minute, func() {
					if err := n.ledger.Ask(context.Background(), req.ID, ledger.Wish{What: ledger.WishCancel, By: "omar@there", At: time.Now()}); err != nil {
						t.Error(err)
					}
				})
			}
			s, err := n.runner.Run(t.Context(), req)
			if err != nil || s.End.Code != code || s.Stop == nil || s.Ended.Sub(s.Started) > 5*time.Minute {
				t.Errorf("%v: %+v after %s", err, s.End, s.Ended.Sub(s.Started))
			}
		})
	}
}

// TestAgainWaitsForWhatRuns: a step that a person wants done again, though its task was lost
// sight of and runs still, waits for that: it reads the file that is filled anew.
func TestAgainWaitsForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := slowTasks()
		o.Speed = 0.001
		o.Spells = []simulator.Spell{{Model: "Sales Hub", What: "no_access", For: 20 * time.Minute,
			Moment: simulator.Moment{Method: "GET", Path: `/tasks/`, Nth: 2}}}
		n := newLeanNight(t, o)
		defer n.close()
		s := n.run(t.Context(), loadSales(n, 1000))
		if s.End.Code != ledger.CodeUnsure {
			t.Fatal(messages(s))
		}
		time.Sleep(10 * time.Minute)
		if task := n.sim.Tasks()[0]; task.State != "IN_PROGRESS" {
			t.Fatal(task.State)
		}
		s = n.resume(s.Created.ID, Continuation{Again: []string{"load sales"}})
		tasks := n.sim.Tasks()
		if s.End.Code != 0 || len(tasks) != 2 || tasks[1].Created.Before(tasks[0].Ended) {
			t.Errorf("%+v\n%s", tasks, messages(s))
		}
	})
}

// TestCancelKeepsWhatEnded: of a run that is taken over to be cancelled, what failed stays so.
func TestCancelKeepsWhatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		bad := configs.Step{Name: "bad", Verb: configs.Import, Object: configs.Ref{Name: "Load Stores"}, Source: n.file("none.csv"), OnFailure: configs.Continue}
		load := loadSales(n, 1000)
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) })
		s := n.run(ctx, bad, load)
		before := verdicts(s)
		s = n.resume(s.Created.ID, Continuation{Cancel: true})
		if got := verdicts(s); got != "bad failed/input, load sales cancelled/signal" {
			t.Errorf("%s, before: %s\n%s", got, before, messages(s))
		}
	})
}

// TestRepairedWhereSkipped: another job file may mean something else by a step that was
// skipped, or want it: whether it is skipped is decided anew.
func TestRepairedWhereSkipped(t *testing.T) {
	for _, tc := range []struct {
		off  bool
		when configs.When
		want string
	}{{false, configs.WhenFailed, "skipped"}, {true, configs.WhenFailed, "skipped"}, {true, configs.WhenOK, "ok"}} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				request := func(object, source string, off bool) Request {
					all := sampleNight(n)[:2]
					all[1].Files[0].Source.Path = source
					mend := sampleNight(n)[9]
					mend.Name, mend.When, mend.Object.Name = "mend", tc.when, object
					req := n.request(ledger.ID{Job: "nightly", Run: "r"}, all[0], mend, all[1])
					req.Plan.Job.Steps[1].Enabled = !off
					var err error
					if req.Plan, err = NewPlan(req.Plan.Job, Selection{}); err != nil {
						t.Fatal(err)
					}
					return req
				}
				good := sampleNight(n)[1].Files[0].Source.Path
				req := request("Close banner", filepath.Join(n.dir, "none.csv"), tc.off)
				s, err := n.runner.Run(t.Context(), req)
				if err != nil || verdicts(s) != "load sales ok, mend skipped, forecast failed/input" {
					t.Fatal(err, messages(s))
				}
				s = n.resume(req.ID, Continuation{Repair: request("Open banner", good, false).Plan})
				if got := verdicts(s); got != "load sales ok, mend "+tc.want+", forecast ok" || s.End.Code != 0 {
					t.Errorf("%s\n%s", got, messages(s))
				}
			})
		})
	}
}

// TestAcceptWhatRuns: nobody takes a step for ok whose task is known to run.
func TestAcceptWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) })
		s := n.run(ctx, loadSales(n, 1000))
		if _, err := n.resumed(s.Created.ID, Continuation{Accept: []string{"load sales"}}); !isDecision(err, "--accept") {
			t.Errorf("%v", err)
		}
	})
}

// TestCancelBesideAnotherRun: a run whose runner is gone can be cancelled while another run
// of its job is under way.
func TestCancelBesideAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) })
		gone := n.run(ctx, loadSales(n, 1000)).Created.ID
		next := make(chan ledger.State)
		go func() {
			s, err := n.runner.Run(t.Context(), n.request(ledger.ID{Job: "nightly", Run: "next"}, sampleNight(n)[9]))
			if err != nil {
				t.Error(err)
			}
			next <- s
		}()
		time.Sleep(time.Minute)
		if s := n.resume(gone, Continuation{Cancel: true}); verdicts(s) != "load sales cancelled/signal" {
			t.Error(messages(s))
		}
		if s := <-next; s.End.Code != 0 {
			t.Error(messages(s))
		}
	})
}

// TestWaitsNoLongerThanItMayStart: overlap = "wait" ends with not_after.
func TestWaitsNoLongerThanItMayStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		lease, err := n.ledger.Take(t.Context(), ledger.JobKey("nightly"), ledger.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, sampleNight(n)[9])
		req.Date = time.Now().UTC()
		req.Plan.Job.Overlap, req.Plan.Job.NotAfter = configs.OverlapWait, time.Now().Add(time.Hour).UTC().Format("15:04")
		defer time.AfterFunc(5*time.Hour, lease.Release).Stop()
		began := time.Now()
		_, err = n.runner.Run(t.Context(), req)
		if _, held := errors.AsType[*ledger.HeldError](err); !held || time.Since(began) > time.Hour+time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		lease.Release()
	})
}

// TestTimesOfDay: which moment a time of day means.
func TestTimesOfDay(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ now, clock, want string }{
		{"2026-11-25 22:00", "06:30", "2026-11-26 06:30"},
		{"2026-11-25 18:00", "06:30", "2026-11-26 06:30"},
		{"2026-11-26 06:29", "06:30", "2026-11-26 06:30"},
		{"2026-11-26 06:45", "06:30", "2026-11-26 06:30"},
		{"2026-11-26 12:29", "06:30", "2026-11-26 06:30"},
		{"2026-11-26 12:30", "06:30", "2026-11-27 06:30"},
		{"2026-11-26 01:00", "23:00", "2026-11-25 23:00"},
		{"2026-11-26 05:00", "23:00", "2026-11-26 23:00"},
		{"2026-03-28 22:00", "02:30", "2026-03-29 03:30"}, // there is no 02:30 that night
	} {
		now, err := time.ParseInLocation("2006-01-02 15:04", tc.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := meant(tc.clock, now)
		if err != nil || got.Format("2006-01-02 15:04") != tc.want {
			t.Errorf("%s at %s is %s, %v, want %s", tc.clock, tc.now, got, err, tc.want)
		}
	}
}

// TestContinuedTooLate: without a word of a person nothing is started, and what was left
// running is watched to its end, not cancelled.
func TestContinuedTooLate(t *testing.T) {
	for _, key := range []string{"not_after", "deadline"} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, slowTasks())
			defer n.close()
			req := n.request(ledger.ID{Job: "nightly", Run: "r"}, sampleNight(n)[:2]...)
			req.Date = time.Now().UTC()
			at := time.Now().Add(2 * time.Minute).UTC().Format("15:04")
			if key == "deadline" {
				req.Plan.Job.Deadline = at
			} else {
				req.Plan.Job.NotAfter = at
			}
			ctx, stop := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) })
			s, err := n.runner.Run(ctx, req)
			if err != nil || s.End.Code != ledger.CodeTerminate {
				t.Fatal(err, messages(s))
			}
			time.Sleep(2 * time.Minute)
			s = n.resume(req.ID, Continuation{})
			if got := verdicts(s); got != "load sales ok, forecast blocked" || s.End.Code != ledger.CodeTime || !strings.Contains(s.Stop.Text, key) {
				t.Errorf("%s: %s, %+v", key, got, s.End)
			}
			s = n.resume(req.ID, Continuation{Late: true})
			if s.End.Code != 0 || len(n.sim.Tasks()) != 2 {
				t.Errorf("%s: %s", key, messages(s))
			}
		})
	}
}
