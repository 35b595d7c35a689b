package jobs

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// slowed are delays that let a stop meet requests on their way.
var slowed = []simulator.Fault{
	{Method: "POST", Path: `/tasks$`, Delay: 3 * time.Second, Count: -1},
	{Path: `/chunks`, Delay: 700 * time.Millisecond, Count: -1},
	{Method: "GET", Path: `/(imports|users)`, Delay: 300 * time.Millisecond, Count: -1},
}

// TestStopAtAnyMoment stops a night at many moments, by each signal, and continues it: it
// ends as if it had never been stopped.
func TestStopAtAnyMoment(t *testing.T) {
	var whole time.Duration
	var undisturbed []byte
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: slowed})
		defer n.close()
		began := time.Now()
		if s := n.run(t.Context(), sampleNight(n)...); s.End.Code != 0 {
			t.Fatal(messages(s))
		}
		whole, undisturbed = time.Since(began), n.sim.Snapshot()
	})
	moments := 36
	switch {
	case *every:
		moments = 400
	case testing.Short():
		moments = 6
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range moments {
		at := time.Duration((float64(i) + rng.Float64()) / float64(moments) * float64(whole))
		signal := []string{"SIGINT", "SIGTERM", "SIGHUP"}[i%3]
		t.Run(fmt.Sprintf("%s at %s", signal, at.Round(time.Millisecond)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { stopAt(t, signal, at, cancelling[i/3%len(cancelling)], undisturbed) })
		})
	}
}

// cancelling is what Anaplan makes of a cancel: it does it soon, or in ten minutes, it is
// too late, or it forgets it.
var cancelling = []simulator.Switches{{}, {CancelTime: 10 * time.Minute}, {TooLate: 1}, {CancelTime: time.Minute, CancelLost: true}}

func stopAt(t *testing.T, signal string, at time.Duration, sw simulator.Switches, undisturbed []byte) {
	n := newLeanNight(t, simulator.Options{Faults: slowed, Switches: &sw})
	n.mayNotFire = true
	defer n.close()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	var stopped time.Time
	timer := time.AfterFunc(at, func() {
		stopped = time.Now()
		stop(&Stopped{Signal: signal})
	})
	defer timer.Stop()
	s := n.run(ctx, sampleNight(n)...)
	if stopped.IsZero() {
		t.Fatal("the run ended before it was stopped")
	}
	if took := time.Since(stopped); took > 4*time.Second {
		t.Errorf("it took %s to end", took)
	}
	n.onceEach(s)
	unsure := slices.ContainsFunc(s.Steps, func(st ledger.StepState) bool { return st.End != nil && st.End.Verdict == ledger.Unsure })
	want := map[string]int{"SIGINT": ledger.CodeInterrupt, "SIGTERM": ledger.CodeTerminate, "SIGHUP": ledger.CodeTerminate}[signal]
	if unsure {
		want = ledger.CodeUnsure
	}
	if s.End == nil || s.End.Code != want || s.Stop == nil || s.Stop.Signal != signal || s.Closed() {
		t.Errorf("it ended with %+v, want code %d; stop %+v", s.End, want, s.Stop)
	}
	for _, r := range n.sim.Requests() {
		if r.At.After(stopped) && isStart(r) {
			t.Errorf("a task was started %s after the stop", r.At.Sub(stopped))
		}
	}
	for _, st := range s.Steps {
		n.knowsNoMore(st, signal)
	}
	s = n.resume(s.Created.ID, Continuation{})
	held := n.sim.Snapshot()
	if again := toBeDecided(s); len(again) > 0 { // a cancelled process or action
		if signal != "SIGINT" || s.End.Code != ledger.CodeAction {
			t.Errorf("a person must decide on %q: %+v", again, s.End)
		}
		s = n.resume(s.Created.ID, Continuation{Again: again})
		// What runs always has run before that, when the run had failed.
		held, undisturbed = sortedLines(n.sim.Snapshot()), sortedLines(undisturbed)
	}
	if s.End.Code != 0 || !s.Closed() || !bytes.Equal(held, undisturbed) {
		t.Errorf("continued, it ended with %+v; the same state: %v\n%s", s.End, bytes.Equal(held, undisturbed), messages(s))
	}
	n.onceEach(s)
}

func sortedLines(text []byte) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	slices.SortFunc(lines, bytes.Compare)
	return bytes.Join(lines, nil)
}

// toBeDecided are the steps whose task ran and which only a person may do again.
func toBeDecided(s ledger.State) []string {
	var names []string
	for i := range s.Steps {
		t := &s.Steps[i]
		if t.End != nil && !t.Plan.Satisfied(*t.End) && ranAndNotJudged(t) {
			names = append(names, t.Plan.Name)
		}
	}
	return names
}

// knowsNoMore checks what is recorded of a stopped step against the simulator's record.
func (n *night) knowsNoMore(st ledger.StepState, signal string) {
	n.t.Helper()
	deletes := map[string]int{}
	for _, r := range n.sim.Requests() {
		if r.Method == "DELETE" {
			deletes[r.Path[strings.LastIndex(r.Path, "/")+1:]]++
		}
	}
	for _, in := range st.Intents {
		if in.Outcome == ledger.IntentPending {
			n.t.Errorf("step %q: intent %d is pending", st.Plan.Name, in.Number)
		}
		if in.Outcome != ledger.IntentStarted {
			continue
		}
		tasks := n.sim.Tasks()
		task := tasks[slices.IndexFunc(tasks, func(r simulator.TaskRecord) bool { return r.ID == in.Task })]
		if !in.Ended.IsZero() {
			if task.Ended.IsZero() || in.Ended.Before(task.Ended) || in.State != task.State {
				n.t.Errorf("step %q: task recorded as %s, it is %s", st.Plan.Name, in.State, task.State)
			}
			continue
		}
		if st.End != nil {
			n.t.Errorf("step %q ended %s, and its task is not known to have", st.Plan.Name, st.End.Verdict)
		}
		if asked := deletes[in.Task] > 0; asked != (signal == "SIGINT") {
			n.t.Errorf("step %q: a cancel was asked for: %v, after %s", st.Plan.Name, asked, signal)
		}
		if len(st.Warnings) == 0 {
			n.t.Errorf("step %q: nothing is said of its task", st.Plan.Name)
		}
	}
	if st.End != nil && st.End.Verdict == ledger.OK && st.Plan.Verb != "upload" && st.Plan.Verb != "download" && (len(st.Intents) == 0 || st.Intents[len(st.Intents)-1].Ended.IsZero()) {
		n.t.Errorf("step %q is ok without a task that ended", st.Plan.Name)
	}
	if st.End != nil && st.End.Verdict == ledger.OK && (st.Plan.Verb == "upload" && len(st.Uploads) == 0 || (st.Plan.Verb == "download" || st.Plan.Verb == "export") && len(st.Targets) == 0) {
		n.t.Errorf("step %q is ok and moved no file", st.Plan.Name)
	}
	if st.End != nil && (st.End.Cause == ledger.CauseInternal || st.End.Verdict == ledger.Partial || st.End.Verdict == ledger.Failed) {
		n.t.Errorf("step %q ended %s (%s): %s", st.Plan.Name, st.End.Verdict, st.End.Cause, st.End.Message)
	}
}

// TestStopInNarrowPlaces stops while one thing is under way that takes long.
func TestStopInNarrowPlaces(t *testing.T) {
	export := func(n *night) configs.Step {
		return configs.Step{Name: "out", Verb: configs.Export, Object: configs.Ref{Name: "Store List"}, Targets: []configs.Target{{Path: filepath.Join(n.dir, "target.csv")}}}
	}
	sales := func(n *night) configs.Step { return loadSales(n, 1000) }
	inTurn := func(n *night) configs.Step { s := loadSales(n, 1000); s.Ahead = new(bool); return s }
	for _, tc := range []struct {
		name   string
		step   func(*night) configs.Step
		fault  simulator.Fault
		intent time.Duration // that recording an intent takes
		at     time.Duration
		tasks  int
		cancel string // what is recorded of the cancel
	}{
		{name: "while the intent is recorded", step: sales, fault: simulator.Fault{Path: "/users/me", Delay: time.Second}, intent: 2 * time.Second, at: 2 * time.Second},
		{name: "while the failure dump is fetched", step: sales, fault: simulator.Fault{Path: "/dump/chunks", Delay: time.Minute}, at: 20 * time.Second, tasks: 1},
		{name: "while the output is fetched", step: export, fault: simulator.Fault{Path: "/chunks/0", Delay: time.Minute}, at: 20 * time.Second, tasks: 1},
		{name: "while the cancel has no answer", step: sales, fault: simulator.Fault{Method: "DELETE", Delay: time.Minute}, at: 1500 * time.Millisecond, tasks: 1, cancel: "no answer"},
		{name: "while a file is uploaded", step: inTurn, fault: simulator.Fault{Method: "PUT", Delay: time.Minute}, at: 20 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, simulator.Options{Faults: []simulator.Fault{tc.fault}})
				defer n.close()
				slow := &slowLedger{Ledger: n.ledger, intent: tc.intent}
				n.runner.Ledger = slow
				ctx, stop := context.WithCancelCause(t.Context())
				var stopped time.Time
				time.AfterFunc(tc.at, func() { stopped = time.Now(); stop(&Stopped{Signal: "SIGINT"}) })
				s := n.run(ctx, tc.step(n))
				if took := time.Since(stopped); stopped.IsZero() || took > 4*time.Second {
					t.Errorf("stopped at %s, it took %s to end", stopped, took)
				}
				if len(n.sim.Tasks()) != tc.tasks {
					t.Errorf("%d tasks", len(n.sim.Tasks()))
				}
				if s.Steps[0].End != nil || s.End.Code != ledger.CodeInterrupt {
					t.Errorf("the step ended though nobody knows how: %s", messages(s))
				}
				if c := s.Steps[0].Cancelled; (len(c) > 0) != (tc.cancel != "") || len(c) > 0 && c[0].Error == "" {
					t.Errorf("cancels %+v", c)
				}
				for _, in := range s.Steps[0].Intents {
					if tc.tasks == 0 && in.Outcome != ledger.IntentRefused {
						t.Errorf("intent %+v", in)
					}
				}
				if _, err := os.Stat(filepath.Join(n.dir, "target.csv")); err == nil {
					t.Error("a target was written")
				}
			})
		})
	}
}

// slowLedger takes its time for intents.
type slowLedger struct {
	ledger.Ledger
	intent time.Duration
}

func (l *slowLedger) Append(ctx context.Context, run ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	if events[0].Body.Kind() == "intent" {
		time.Sleep(l.intent)
	}
	return l.Ledger.Append(ctx, run, after, epoch, events...)
}

// TestOnStopDecides is the step's own word on what a stop does with its task.
func TestOnStopDecides(t *testing.T) {
	for _, tc := range []struct {
		signal, onStop string
		cancels        bool
	}{{"SIGINT", "", true}, {"SIGTERM", "", false}, {"SIGINT", "detach", false}, {"SIGTERM", "cancel", true}} {
		t.Run(tc.signal+" "+tc.onStop, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, slowTasks())
				defer n.close()
				ctx, stop := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: tc.signal}) })
				step := loadSales(n, 1000)
				step.OnStop = tc.onStop
				s := n.run(ctx, step)
				asked := len(s.Steps[0].Cancelled) == 1
				if asked != tc.cancels || s.Steps[0].End != nil || len(s.Steps[0].Intents) != 1 {
					t.Errorf("a cancel was asked for: %v, want %v; %+v", asked, tc.cancels, s.Steps[0])
				}
				time.Sleep(time.Hour)
				state := n.sim.Tasks()[0].State
				if want := map[bool]string{true: "CANCELLED", false: "COMPLETE"}[tc.cancels]; state != want {
					t.Errorf("an hour later the task is %s, want %s", state, want)
				}
			})
		})
	}
}

// TestDetachCancelsNothing: on_stop is for signals. Who detaches a run wants its tasks to go on.
func TestDetachCancelsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		step := loadSales(n, 1000)
		step.OnStop = "cancel"
		req := n.request(ledger.ID{Job: "nightly", Run: "r"}, step)
		time.AfterFunc(time.Minute, func() {
			if err := n.ledger.Ask(context.Background(), req.ID, ledger.Wish{What: ledger.WishDetach, By: "omar@there", At: time.Now()}); err != nil {
				t.Error(err)
			}
		})
		s, err := n.runner.Run(t.Context(), req)
		if err != nil || s.End.Code != ledger.CodeTerminate || len(s.Steps[0].Cancelled) > 0 {
			t.Errorf("%v: %+v, asked for %+v", err, s.End, s.Steps[0].Cancelled)
		}
		if s = n.resume(req.ID, Continuation{}); verdicts(s) != "load sales ok" {
			t.Error(messages(s))
		}
	})
}

// TestStopWhileNamesAreResolved stops before anything of the job's own has begun.
func TestStopWhileNamesAreResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{{Path: "/workspaces$", Delay: time.Minute}}})
		defer n.close()
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { stop(&Stopped{Signal: "SIGTERM"}) })
		s := n.run(ctx, sampleNight(n)...)
		if s.End.Code != ledger.CodeTerminate || s.Stop == nil || len(n.sim.Tasks()) > 0 {
			t.Errorf("%+v, %d tasks", s.End, len(n.sim.Tasks()))
		}
	})
}
