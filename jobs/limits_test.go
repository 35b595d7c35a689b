package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func minutes(n int) *time.Duration { d := time.Duration(n) * time.Minute; return &d }

func process(name string) configs.Step {
	return configs.Step{Name: "p", Verb: configs.Process, Object: configs.Ref{Name: name}}
}

// occupy starts tasks of another user in the hub, 30 s each, so that ours queue behind
// them.
func (n *night) occupy(times int) {
	n.t.Helper()
	if times == 0 {
		return
	}
	client := n.loginAs("ana.ortiz@example.com", "staple")
	connect := func(context.Context, string) (*Tenant, error) { return &Tenant{Client: client, Host: host}, nil }
	bound, err := Bind(n.t.Context(), n.request(ledger.ID{}, configs.Step{Name: "x", Verb: configs.Action, Object: configs.Ref{Name: "Order products"}}).Plan, connect)
	if err != nil {
		n.t.Fatal(err)
	}
	for range times {
		s := step{bound: bound.Steps[0]}
		if _, err := client.Start(n.t.Context(), s.object(), anaplan.StartOptions{Locale: "en_US"}); err != nil {
			n.t.Fatal(err)
		}
	}
}

// occupyLater occupies the hub once names are resolved.
func (n *night) occupyLater(times int) {
	connect, calls := n.runner.Connect, 0
	n.runner.Connect = func(ctx context.Context, name string) (*Tenant, error) {
		if calls++; calls == 2 {
			n.occupy(times)
		}
		return connect(ctx, name)
	}
}

// TestTimeLimits is what a task that takes too long comes to, and when.
func TestTimeLimits(t *testing.T) {
	for _, tc := range []struct {
		name    string
		step    func(n *night) configs.Step
		busy    int // tasks of others before ours, 30 s each
		faults  []simulator.Fault
		want    string
		code    int
		after   time.Duration // when the step ended, at the earliest
		within  time.Duration // and after that
		state   string        // of the task, an hour later
		says    string
		warned  string
		cancels int
	}{
		{name: "in time", step: func(n *night) configs.Step {
			s := loadSales(n, 1000)
			s.Timeout = time.Hour
			s.WarnAfter = time.Minute
			return s
		},
			want: "ok", after: 200 * time.Second, within: 15 * time.Second, state: "COMPLETE", warned: "runs for longer than 1m0s"},
		{name: "an import is cancelled", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Timeout = time.Minute; return s },
			want: "timed_out/time", code: 124, after: 60 * time.Second, within: 3 * time.Minute, state: "CANCELLED", says: "cancelled because its limit of 1m0s had passed", cancels: 1},
		{name: "an import is left, if told so", step: func(n *night) configs.Step {
			s := loadSales(n, 1000)
			s.Timeout, s.OnTimeout = time.Minute, "detach"
			return s
		}, want: "timed_out/time", code: 124, after: 60 * time.Second, within: 5 * time.Second, state: "COMPLETE", says: "left running"},
		{name: "a process is left", step: func(*night) configs.Step { s := process("Publish Month"); s.Timeout = 40 * time.Second; return s },
			want: "timed_out/time", code: 124, after: 40 * time.Second, within: 5 * time.Second, state: "COMPLETE", says: "left running"},
		{name: "a process is cancelled, if told so", step: func(*night) configs.Step {
			s := process("Publish Month")
			s.Timeout, s.OnTimeout = 40*time.Second, "cancel"
			return s
		}, want: "timed_out/time", code: 124, after: 40 * time.Second, within: 3 * time.Minute, state: "CANCELLED", cancels: 1},
		{name: "the cancel comes too late", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Timeout = 195 * time.Second; return s },
			want: "ok", after: 200 * time.Second, within: 15 * time.Second, state: "COMPLETE", says: "the cancel came too late", cancels: 1},
		{name: "waiting in the queue is not running", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Timeout = 210 * time.Second; return s },
			busy: 10, want: "ok", after: 500 * time.Second, within: 20 * time.Second, state: "COMPLETE"},
		{name: "the queue is too long", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Wait.Busy = minutes(2); return s },
			busy: 10, want: "timed_out/busy", code: 75, after: 120 * time.Second, within: 10 * time.Second, state: "CANCELLED", cancels: 1},
		{name: "a process that never began is cancelled too", step: func(*night) configs.Step { s := process("Publish Month"); s.Wait.Busy = minutes(2); return s },
			busy: 10, want: "timed_out/busy", code: 75, after: 120 * time.Second, within: 10 * time.Second, state: "CANCELLED", cancels: 1},
		{name: "an outage of the polls", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Timeout = time.Hour; return s },
			faults: []simulator.Fault{{Method: "GET", Path: "/tasks/[0-9A-F]+$", Nth: 3, Count: 60, Status: 502, Body: "html"}},
			want:   "ok", after: 5 * time.Minute, within: 30 * time.Minute, state: "COMPLETE"},
		{name: "an outage until the limit", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Timeout = 10 * time.Minute; return s },
			faults: []simulator.Fault{{Path: "/tasks/[0-9A-F]+$", Nth: 3, Count: -1, Drop: "before"}},
			want:   "timed_out/time", code: 124, after: 10 * time.Minute, within: 3 * time.Minute, state: "COMPLETE", says: "the cancel failed", cancels: 1},
		{name: "polls that hang", step: func(n *night) configs.Step { s := loadSales(n, 1000); s.Timeout = 10 * time.Minute; return s },
			faults: []simulator.Fault{{Path: "/tasks/[0-9A-F]+$", Nth: 3, Count: -1, Delay: time.Hour}},
			want:   "timed_out/time", code: 124, after: 10 * time.Minute, within: 6 * time.Minute, state: "COMPLETE", says: "the cancel failed", cancels: 1},
		{name: "a task that is not known any more", step: func(n *night) configs.Step { return loadSales(n, 1000) },
			faults: []simulator.Fault{{Method: "GET", Path: "/tasks/[0-9A-F]+$", Nth: 3, Count: -1, Status: 404}},
			want:   "unsure/permission", code: 76, after: 15 * time.Minute, within: time.Minute, state: "COMPLETE", says: "refuses to tell"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := slowTasks()
				o.Faults, o.Switches.ParallelTasks = tc.faults, true
				n := newLeanNight(t, o)
				defer n.close()
				n.occupy(tc.busy)
				began := time.Now()
				s := n.run(t.Context(), tc.step(n))
				st := s.Steps[0]
				if got := verdicts(s); got != st.Plan.Name+" "+tc.want || s.End.Code != tc.code {
					t.Errorf("got %s, code %d; want %s, code %d\n%s", got, s.End.Code, tc.want, tc.code, messages(s))
				}
				if took := time.Since(began); took < tc.after || took > tc.after+tc.within {
					t.Errorf("it took %s, want %s and up to %s more", took, tc.after, tc.within)
				}
				if st.End.Verdict != ledger.OK && (st.End.Next == "" || !strings.Contains(st.End.Message, st.Intents[0].Task) && !strings.Contains(st.End.Message, "cancelled because")) {
					t.Errorf("%q does not name the task, %q does not say what to do", st.End.Message, st.End.Next)
				}
				if !strings.Contains(st.End.Message, tc.says) || len(st.Cancelled) != tc.cancels {
					t.Errorf("%q; %d cancels", st.End.Message, len(st.Cancelled))
				}
				if !strings.Contains(strings.Join(st.Warnings, " "), tc.warned) {
					t.Errorf("warnings %q", st.Warnings)
				}
				time.Sleep(time.Hour)
				tasks := n.sim.Tasks()
				if last := tasks[len(tasks)-1]; last.State != tc.state || len(tasks) != tc.busy+1 {
					t.Errorf("the task is %s, want %s; %d tasks", last.State, tc.state, len(tasks))
				}
			})
		})
	}
}

// TestNothingStartsBehindATaskThatMayRun: a task that was left running holds its model,
// for steps that are always reached too.
func TestNothingStartsBehindATaskThatMayRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		left := process("Publish Month")
		left.Timeout, left.OnFailure = 40*time.Second, configs.Continue
		s := n.run(t.Context(), left,
			configs.Step{Name: "tidy", Verb: configs.Action, Object: configs.Ref{Name: "Close banner"}, When: configs.WhenAlways},
			configs.Step{Name: "elsewhere", Verb: configs.Process, Model: configs.Ref{Name: "FP&A EMEA"}, Object: configs.Ref{Name: "Pull from Hub"}, When: configs.WhenAlways})
		if got := verdicts(s); got != "p timed_out/time, tidy blocked, elsewhere blocked" || !strings.Contains(s.Steps[1].End.Message, "may still run") {
			t.Errorf("%s\n%s", got, messages(s))
		}
	})
}

// TestPatience is what a run waits for, how long, and in which words.
func TestPatience(t *testing.T) {
	const maintenance = "Anaplan answers with a page instead of data"
	for _, tc := range []struct {
		name   string
		faults []simulator.Fault
		busy   int
		sw     simulator.Switches
		wait   configs.Wait
		want   string
		code   int
		waits  string // a reason that is recorded
		least  time.Duration
	}{
		{name: "starts are refused while the model is busy", busy: 1, sw: simulator.Switches{StartBusy409: true}, want: "load sales ok", waits: "the model is busy", least: 30 * time.Second},
		{name: "and for too long", busy: 1, sw: simulator.Switches{StartBusy409: true}, wait: configs.Wait{Busy: new(time.Duration)}, want: "load sales failed/busy", code: 75},
		{name: "file calls are refused while the model is busy", busy: 4, sw: simulator.Switches{Busy: "409"}, want: "load sales ok", waits: "the model is busy", least: 2 * time.Minute},
		{name: "file calls hang while the model is busy", busy: 100, sw: simulator.Switches{Busy: "hang"}, want: "load sales ok", waits: "the model is busy", least: 50 * time.Minute},
		{name: "the model goes offline before the start", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Count: 100, Status: 424}}, want: "load sales ok", waits: "the model is offline", least: 49 * time.Minute},
		{name: "the model is offline for too long", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Count: -1, Status: 424}}, want: "load sales failed/busy", code: 75, waits: "the model is offline", least: 6 * time.Hour},
		{name: "the model is locked", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Count: -1, Status: 423}}, want: "load sales failed/busy", code: 75},
		{name: "the model is locked, and the job waits", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Count: 3, Status: 423}}, wait: configs.Wait{Locked: minutes(5)}, want: "load sales ok", waits: "the model is locked", least: time.Minute},
		{name: "the model is archived", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Status: 422}}, want: "load sales failed/config", code: 78},
		{name: "we may not", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Status: 403}}, want: "load sales failed/permission", code: 77},
		{name: "maintenance while a file is uploaded", faults: []simulator.Fault{{Method: "PUT", Path: "/chunks/", Count: 200, Status: 503, Body: "html"}}, want: "load sales ok", waits: maintenance, least: 20 * time.Minute},
		{name: "maintenance for too long", faults: []simulator.Fault{{Method: "PUT", Path: "/chunks/", Count: -1, Status: 503, Body: "html"}}, wait: configs.Wait{Maintenance: minutes(20)}, want: "load sales failed/busy", code: 75, waits: maintenance, least: 20 * time.Minute},
		{name: "the budget is used up for a moment", faults: []simulator.Fault{{Method: "POST", Path: "/tasks$", Count: 2, Status: 429}}, want: "load sales ok"},
		{name: "the network is away for longer than the tries", faults: []simulator.Fault{{Method: "PUT", Path: "/chunks/", Count: -1, Drop: "before"}}, want: "load sales failed/network", code: 75, least: 90 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := slowTasks()
				tc.sw.PollEvery, tc.sw.ParallelTasks = 5*time.Second, true
				o.Switches, o.Faults = &tc.sw, tc.faults
				n := newLeanNight(t, o)
				defer n.close()
				step := loadSales(n, 1000)
				step.Wait = tc.wait
				n.occupyLater(tc.busy)
				began := time.Now()
				s := n.run(t.Context(), step)
				if got := verdicts(s); got != tc.want || s.End.Code != tc.code {
					t.Errorf("got %s, code %d; want %s, code %d\n%s", got, s.End.Code, tc.want, tc.code, messages(s))
				}
				var reasons []string
				for _, w := range s.Steps[0].Waits {
					reasons = append(reasons, w.Reason)
				}
				if !slices.ContainsFunc(reasons, func(r string) bool { return strings.HasPrefix(r, tc.waits) }) && tc.waits != "" {
					t.Errorf("reasons %q, want %q", reasons, tc.waits)
				}
				if took := time.Since(began); took < tc.least {
					t.Errorf("it took %s, want %s at least", took, tc.least)
				}
				n.onceEach(s)
			})
		})
	}
}

// TestPatienceWhileNamesAreResolved is a run that begins in maintenance.
func TestPatienceWhileNamesAreResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{{Path: "/2/0/", Count: 100, Status: 503, Body: "html"}}})
		defer n.close()
		began := time.Now()
		s := n.run(t.Context(), loadSales(n, 1000))
		if s.End.Code != 0 || time.Since(began) < 10*time.Minute || !strings.Contains(strings.Join(s.Warnings, " "), "waits: Anaplan answers with a page") {
			t.Errorf("code %d after %s, warnings %q\n%s", s.End.Code, time.Since(began), s.Warnings, messages(s))
		}
	})
}

// What is to be known of the logins stands in the record once, whenever it became known.
func TestWarningsOfLoginsAreRecordedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		asked := 0
		n.runner.Warnings = func() []string {
			if asked++; asked < 3 {
				return []string{"the newer certificate was refused"}
			}
			return []string{"the newer certificate was refused", "the older one ends in 25 days"}
		}
		s := n.run(t.Context(), loadSales(n, 1000))
		if d := cmp.Diff([]string{"the newer certificate was refused", "the older one ends in 25 days"}, s.Warnings); d != "" || s.End.Code != 0 {
			t.Errorf("code %d\n%s", s.End.Code, d)
		}
	})
}

// TestClosedModel loads a model first, which takes minutes.
func TestClosedModel(t *testing.T) {
	for _, load := range []time.Duration{2 * time.Minute, 20 * time.Minute} {
		t.Run(fmt.Sprint(load), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := sample.Company()
				c.Workspaces[1].Models[0].LoadTime = load
				n := newNightOf(t, c, simulator.Options{})
				defer n.close()
				s := n.run(t.Context(), configs.Step{Name: "people", Verb: configs.Import, Workspace: configs.Ref{Name: "People"}, Model: configs.Ref{Name: "Headcount"},
					Object: configs.Ref{Name: "Load Employees"}, Source: n.file("employees.csv"), Accept: configs.Accept{Failed: &configs.Limit{Rows: 100}, Warnings: &configs.Limit{Rows: 100}}})
				if s.End.Code != 0 {
					t.Error(messages(s))
				}
			})
		})
	}
}
