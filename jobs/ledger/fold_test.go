package ledger

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var t0 = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

// story makes events a second apart; a body with a step is given as "step", body.
func story(parts ...any) []Event {
	var events []Event
	step := ""
	for _, p := range parts {
		if s, ok := p.(string); ok {
			step = s
			continue
		}
		n := int64(len(events) + 1)
		events = append(events, Event{Seq: n, At: t0.Add(time.Duration(n) * time.Second), Step: step, Body: p.(Body)})
		step = ""
	}
	return events
}

func created(steps ...string) RunCreated {
	c := RunCreated{ID: ID{Job: "nightly", Run: "r1"}, Job: json.RawMessage(`{}`)}
	for _, s := range steps {
		c.Steps = append(c.Steps, StepPlan{Name: s, Verb: "import"})
	}
	return c
}

func repaired(steps ...string) JobRepaired {
	return JobRepaired{Job: json.RawMessage(`{"new":true}`), Steps: created(steps...).Steps}
}

func resolved(step, object string) RunResolved {
	return RunResolved{Steps: []StepObject{{Step: step, Object: ObjectRef{ID: object}}}}
}

// ran is a step whose task has ended, and what comes after.
func ran(more ...any) []any {
	return append([]any{"a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", TaskEnded{Task: "T", State: "COMPLETE"}}, more...)
}

func TestFoldRefusesWhatCannotFollow(t *testing.T) {
	begun := []any{created("a"), "a", StepStarted{Try: 1}}
	with := func(more ...any) []any { return append(append([]any{}, begun...), more...) }
	for _, tc := range []struct {
		name  string
		parts []any
		says  string // empty: it may
	}{
		{"begins with something else", []any{RunEnded{}}, "must create the run"},
		{"created twice", []any{created("a"), created("a")}, "exists already"},
		{"unknown step", []any{created("a"), "b", StepStarted{Try: 1}}, `no step "b"`},
		{"step event without step", []any{created("a"), StepStarted{Try: 1}}, "must belong to a step"},
		{"run event with step", with("a", RunEnded{}), "must not belong"},
		{"try out of order", []any{created("a"), "a", StepStarted{Try: 2}}, "try 2 after 0"},
		{"waits before start", []any{created("a"), "a", Waiting{}}, "has not started"},
		{"after its end", with("a", StepEnded{Verdict: OK}, "a", Warned{}), "the step has ended"},
		{"after the run's end", with(RunEnded{Verdict: OK}, Warned{}), "the run has ended"},
		{"task without intent", with("a", TaskStarted{Number: 1, Task: "T"}), "no intent"},
		{"second intent while one is pending", with("a", Intent{Number: 1}, "a", Intent{Number: 2}), "second start is forbidden"},
		{"second intent while one is open", with("a", Intent{Number: 1}, "a", StartUnknown{Number: 1}, "a", Intent{Number: 2}), "second start is forbidden"},
		{"second intent while its task runs", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", Intent{Number: 2}), "nothing says that it is to be done again"},
		{"a second intent after a task has ended", with(ran("a", Intent{Number: 2})...), "nothing says that it is to be done again"},
		{"a second intent in another try", with(ran("a", TryFailed{Try: 1}, "a", StepStarted{Try: 2}, "a", Intent{Number: 2})...), "nothing says"},
		{"an intent after a refusal", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", Intent{Number: 2}), ""},
		{"an open intent that turned out to be a task", with("a", Intent{Number: 1}, "a", StartUnknown{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}), ""},
		{"two answers to one intent", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}), "not waiting"},
		{"another task's end", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", TaskEnded{Task: "U"}), "not under way"},
		{"a task without id", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1}), "no task id"},
		{"a task seen that was not started", with("a", Intent{Number: 1}, "a", TaskSeen{State: "IN_PROGRESS"}), "not under way"},
		{"a task ended that was not started", with("a", Intent{Number: 1}, "a", TaskEnded{State: "COMPLETE"}), "not under way"},
		{"a cancel of nothing", with("a", Intent{Number: 1}, "a", CancelAsked{}), "not that of intent 1"},
		{"a cancel of another task", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", CancelAsked{Task: "U"}), "not that of intent 1"},
		{"intent 0", with("a", Intent{}), "numbered from 1"},
		{"the same intent twice", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", Intent{Number: 1}), "exists already"},
		{"the same intent in two steps", []any{created("a", "b"), "a", StepStarted{Try: 1}, "b", StepStarted{Try: 1}, "a", Intent{Number: 1}, "b", Intent{Number: 1}}, "exists already"},
		{"two steps of one name", []any{created("a", "b", "a")}, `two steps are named "a"`},
		{"a step ends without a verdict", with("a", StepEnded{}), `no verdict ""`},
		{"a step ends with an invented cause", with("a", StepEnded{Verdict: Failed, Cause: "weather"}), `no cause "weather"`},
		{"a run ends without a verdict", with(RunEnded{}), `no verdict ""`},
		{"a run ends with an impossible code", with(RunEnded{Verdict: OK, Code: 256}), "no exit code"},
		{"resolved again, to the same", with(RunResolved{Steps: []StepObject{{Step: "a"}}}, RunResolved{Steps: []StepObject{{Step: "a", Object: ObjectRef{Name: "new"}}}}), ""},
		{"resolved to another object when it began", with(resolved("a", "1")), ""},
		{"resolved to another object after a start", with("a", Intent{Number: 1}, resolved("a", "1")), "given another object"},
		{"resolved to another model after a start", with("a", Intent{Number: 1}, RunResolved{Steps: []StepObject{{Step: "a", Model: ModelRef{ID: "1"}}}}), "given another object"},
		{"resolved to another host after a start", with("a", Intent{Number: 1}, RunResolved{Steps: []StepObject{{Step: "a", Model: ModelRef{Host: "h"}}}}), "given another object"},
		{"resolved to another object after a lost start", with("a", Intent{Number: 1}, "a", StartUnknown{Number: 1}, "a", StepEnded{Verdict: Unsure}, resolved("a", "1")), "given another object"},
		{"resolved to another object while its task runs", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", StepEnded{Verdict: TimedOut}, resolved("a", "1")), "given another object"},
		{"resolved to another object before its task is judged", with(ran(resolved("a", "1"))...), "given another object"},
		{"resolved to another object after it failed", with(ran("a", StepEnded{Verdict: Failed}, resolved("a", "1"))...), ""},
		{"resolved to another object after a refusal", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, resolved("a", "1")), ""},
		{"resolved to another object after nothing came of it", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentAbsent}, resolved("a", "1")), ""},
		{"resolved to another object when it is done", with("a", StepEnded{Verdict: OK}, resolved("a", "1")), "given another object"},
		{"resolved to another object when it is begun anew", with(ran("a", StepReopened{Rerun: true}, resolved("a", "1"))...), ""},
		{"resolved to another object before it began", []any{created("a"), resolved("a", "1"), resolved("a", "2")}, ""},
		{"resolved in another order", []any{created("a", "b"), RunResolved{Steps: []StepObject{{Step: "b"}, {Step: "a"}}}}, "in the place of"},
		{"resolved in part", []any{created("a", "b"), RunResolved{Steps: []StepObject{{Step: "a"}}}}, "1 steps of 2"},

		{"continued while it seems to run", with(RunContinued{}), ""},
		{"continued after its end", with(RunEnded{Verdict: Failed}, RunContinued{}, "a", Warned{}), ""},
		{"continued twice", with(RunEnded{Verdict: Failed}, RunContinued{}, RunContinued{}), ""},
		{"continued when closed", with("a", StepEnded{Verdict: OK}, RunEnded{Verdict: OK}, RunContinued{}), "the run is closed"},
		{"continued when closed but for its end", with("a", StepEnded{Verdict: OK}, RunContinued{}), "the run is closed"},
		{"ended when closed but for its end", with("a", StepEnded{Verdict: OK}, RunEnded{Verdict: OK}), ""},
		{"continued in a step", with("a", RunContinued{}), "must not belong"},
		{"continued before it was created", []any{RunContinued{}}, "must create the run"},
		{"a step that failed goes on without being reopened", with("a", StepEnded{Verdict: Failed}, RunEnded{Verdict: Failed}, RunContinued{}, "a", StepStarted{Try: 2}), "the step has ended"},
		{"a blocked step goes on", []any{created("a"), "a", StepEnded{Verdict: Blocked}, RunEnded{Verdict: Failed}, RunContinued{}, "a", StepStarted{Try: 1}}, ""},
		{"a second intent after being continued", with("a", Intent{Number: 1}, RunContinued{}, "a", Intent{Number: 2}), "second start is forbidden"},
		{"a task's end after being continued", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, RunContinued{}, "a", TaskEnded{Task: "T"}), ""},

		{"settled as started", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentStarted, Task: "T"}, "a", TaskSeen{Task: "T"}), ""},
		{"settled as started without a task", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentStarted}), "no task id"},
		{"settled as absent with a task", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentAbsent, Task: "T"}), "has a task id"},
		{"settled as overruled with a task", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentOverruled, Task: "T"}), "has a task id"},
		{"settled as open", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentOpen}), `not settled as "open"`},
		{"settled as refused", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentRefused}), `not settled as "refused"`},
		{"settled as nothing", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1}), `not settled as ""`},
		{"settled without an intent", with("a", StartSettled{Number: 1, Outcome: IntentAbsent}), "no intent"},
		{"settled by another number", with("a", Intent{Number: 1}, "a", StartSettled{Number: 2, Outcome: IntentAbsent}), "not waiting"},
		{"settled after a refusal", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentAbsent}), "not waiting"},
		{"settled twice", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentAbsent}, "a", StartSettled{Number: 1, Outcome: IntentOverruled}), "not waiting"},
		{"settled after its task", with(ran("a", StartSettled{Number: 1, Outcome: IntentAbsent})...), "not waiting"},
		{"a task after it was settled as absent", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentAbsent}, "a", TaskStarted{Number: 1, Task: "T"}), "not waiting"},
		{"an intent after an absent one", with("a", Intent{Number: 1}, "a", StartUnknown{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentAbsent}, "a", Intent{Number: 2}), ""},
		{"an intent after an overruled one", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentOverruled, By: "u@h"}, "a", Intent{Number: 2}), ""},
		{"an intent after an adopted task", with("a", Intent{Number: 1}, "a", StartSettled{Number: 1, Outcome: IntentStarted, Task: "T"}, "a", TaskEnded{Task: "T"}, "a", Intent{Number: 2}), "nothing says"},
		{"settled in a step that has ended", with("a", Intent{Number: 1}, "a", StepEnded{Verdict: Unsure}, "a", StartSettled{Number: 1, Outcome: IntentAbsent}), "the step has ended"},

		{"reopened", with("a", StepEnded{Verdict: Failed}, "a", StepReopened{}, "a", StepStarted{Try: 2}), ""},
		{"reopened without an end", with("a", StepReopened{}), "has not ended"},
		{"reopened twice", with("a", StepEnded{Verdict: Failed}, "a", StepReopened{}, "a", StepReopened{}), "has not ended"},
		{"reopened after the run's end", with("a", StepEnded{Verdict: Failed}, RunEnded{Verdict: Failed}, "a", StepReopened{}), "the run has ended"},
		{"reopened and started again without rerun", with(ran("a", StepEnded{Verdict: Failed}, "a", StepReopened{}, "a", Intent{Number: 2})...), "nothing says"},
		{"reopened for another run of its task", with(ran("a", StepEnded{Verdict: Failed}, "a", StepReopened{Rerun: true}, "a", Intent{Number: 2})...), ""},
		{"one rerun is one start", with(ran("a", StepReopened{Rerun: true}, "a", Intent{Number: 2}, "a", TaskStarted{Number: 2, Task: "U"}, "a", TaskEnded{Task: "U"}, "a", Intent{Number: 3})...), "nothing says"},
		{"one rerun and a refused start", with(ran("a", StepReopened{Rerun: true}, "a", Intent{Number: 2}, "a", StartRefused{Number: 2}, "a", Intent{Number: 3})...), ""},
		{"rerun under way", with(ran("a", StepReopened{Rerun: true}, "a", Intent{Number: 2})...), ""},
		{"rerun under way, twice", with(ran("a", StepReopened{Rerun: true}, "a", StepReopened{Rerun: true})...), "no task of the step has ended"},
		{"rerun under way before anything ran", with("a", StepReopened{Rerun: true}), "no task of the step has ended"},
		{"rerun under way after a refusal", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", StepReopened{Rerun: true}), "no task of the step has ended"},
		{"rerun while it is not known", with("a", Intent{Number: 1}, "a", StepEnded{Verdict: Unsure}, "a", StepReopened{Rerun: true, By: "u@h"}), "not known"},
		{"rerun while its task runs", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", StepEnded{Verdict: TimedOut}, "a", StepReopened{Rerun: true}), "has not ended"},
		{"rerun while its task runs, by a person", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", StepEnded{Verdict: TimedOut}, "a", StepReopened{Rerun: true, By: "u@h"}, "a", Intent{Number: 2}), ""},
		{"a task goes on after being reopened", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", StepEnded{Verdict: TimedOut}, "a", StepReopened{}, "a", TaskEnded{Task: "T"}), ""},
		{"reopened without a step", with(StepReopened{}), "must belong to a step"},

		{"repaired: what has begun stays", with(repaired("b", "a", "c"), "b", StepStarted{Try: 1}), ""},
		{"repaired: what has begun is missing", with(repaired("b")), "begun is missing"},
		{"repaired: what has failed is missing", []any{created("a", "b"), "a", StepEnded{Verdict: Failed}, repaired("b")}, "begun is missing"},
		{"repaired: what was skipped is missing", []any{created("a", "b"), "a", StepEnded{Verdict: Skipped}, repaired("b")}, ""},
		{"repaired: what was blocked is missing", []any{created("a", "b"), "a", StepEnded{Verdict: Blocked}, repaired("b")}, ""},
		{"repaired: another verb for what has begun", with(JobRepaired{Steps: []StepPlan{{Name: "a", Verb: "export"}}}), "another verb"},
		{"repaired: another verb for what has not", []any{created("a"), JobRepaired{Steps: []StepPlan{{Name: "a", Verb: "export"}}}}, ""},
		{"repaired: two of one name", with(repaired("a", "b", "b")), `two steps are named "b"`},
		{"repaired: an old name is gone", []any{created("a", "b"), repaired("b"), "a", Warned{}}, `no step "a"`},
		{"repaired after the run's end", with(RunEnded{Verdict: Failed}, repaired("a")), "the run has ended"},
		{"repaired in a step", with("a", repaired("a")), "must not belong"},
		{"repaired and resolved as before", []any{created("a"), repaired("a", "b"), resolved("a", "1")}, "1 steps of 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Fold(story(tc.parts...))
			if tc.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if _, ok := errors.AsType[*OrderError](err); !ok || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v, want an OrderError that says %q", err, tc.says)
			}
			if s.Seq != 0 {
				t.Errorf("a state came with the error: %+v", s)
			}
		})
	}
	if _, err := Fold([]Event{{Seq: 2, Body: created("a")}}); err == nil {
		t.Error("a gap in the numbers was folded")
	}
}

func objects(steps ...string) (all []StepObject) {
	for _, s := range steps {
		all = append(all, StepObject{Step: s, Object: ObjectRef{ID: "112 " + s}, Model: ModelRef{ID: "M", Host: "h"}})
	}
	return all
}

func TestDecodeKnowsWhatItDoesNotKnow(t *testing.T) {
	_, err := Decode([]byte(`{"v":1,"seq":9,"at":"2026-11-24T02:00:00Z","kind":"task_paused","body":{}}`))
	if e, ok := errors.AsType[*UnknownKindError](err); !ok || e.Kind != "task_paused" || e.Seq != 9 {
		t.Errorf("got %v, want an UnknownKindError", err)
	}
	_, err = Decode([]byte(`{"v":2,"seq":9,"at":"2026-11-24T02:00:00Z","kind":"warned","body":{"text":"x"}}`))
	if _, ok := errors.AsType[*UnknownKindError](err); !ok {
		t.Errorf("got %v for a newer version, want an UnknownKindError", err)
	}
	e, err := Decode([]byte(`{"v":1,"seq":9,"at":"2026-11-24T02:00:00Z","kind":"warned","body":{"text":"x","colour":"red"}}`))
	if err != nil || e.Body.(Warned).Text != "x" {
		t.Errorf("a further field: got %+v, %v", e, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range story(created("a"), "a", Intent{Number: 1, Before: TaskListed{Count: 2, Recent: []string{"T"}}}, RunEnded{Code: 3}) {
		data, err := Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			if e.Body != nil {
				t.Errorf("an event came with the error %v", err)
			}
			return
		}
		again, err := Encode(e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		same, err := Decode(again)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
		null := cmp.Transformer("null", func(m json.RawMessage) string { // none is written as null
			if m == nil {
				return "null"
			}
			return string(m)
		})
		if diff := cmp.Diff(e, same, null, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("it changed on the way:\n%s", diff)
		}
	})
}

// TestFoldOfAContinuedRun is what a continued run goes by.
func TestFoldOfAContinuedRun(t *testing.T) {
	events := story(created("a", "b", "c"), RunResolved{Steps: objects("a", "b", "c"), User: User{ID: "U"}},
		"a", StepStarted{Try: 1}, "a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", TaskEnded{Task: "T", State: "COMPLETE"},
		"a", StepEnded{Verdict: Failed, Cause: CauseAction}, "b", StepEnded{Verdict: Blocked}, "c", StepEnded{Verdict: Skipped},
		StopAsked{Cause: CauseSignal}, RunEnded{Verdict: Failed, Code: 1},
		RunContinued{Runner: Runner{PID: 8}, Version: "2"}, repaired("b", "a", "d"))
	s, err := Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	if s.Runner.PID != 8 || s.End != nil || !s.Ended.IsZero() || s.Stop != nil {
		t.Errorf("it seems not to run: %+v", s)
	}
	if diff := cmp.Diff([]ContinuedState{{RunContinued{Runner: Runner{PID: 8}, Version: "2"}, at(12), 12}}, s.Continued); diff != "" {
		t.Errorf("continued (-want +got):\n%s", diff)
	}
	if string(s.Created.Job) != `{"new":true}` || len(s.Created.Steps) != 3 || len(s.Repairs) != 1 || !s.Repairs[0].At.Equal(at(13)) {
		t.Errorf("the job is not the repaired one: %+v", s.Created)
	}
	var names []string
	for _, step := range s.Steps {
		names = append(names, step.Plan.Name)
	}
	if diff := cmp.Diff([]string{"b", "a", "d"}, names); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if b := s.Steps[0]; b.End != nil || !b.Ended.IsZero() || b.Object.ID != "112 b" {
		t.Errorf("the blocked step is not planned again: %+v", b)
	}
	if a := s.Steps[1]; a.End == nil || len(a.Intents) != 1 || a.Object.ID != "112 a" {
		t.Errorf("what the failed step did was forgotten: %+v", a)
	}

	more := story("a", StepReopened{Rerun: true, Why: "asked for", By: "u@h"}, "a", StepStarted{Try: 2}, "a", Intent{Number: 2},
		"a", StartUnknown{Number: 2}, "a", StartSettled{Number: 2, Outcome: IntentAbsent, Text: "two lists"}, "a", Intent{Number: 3})
	for i, e := range more {
		e.Seq, e.At = int64(14+i), at(14+i)
		if err := s.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	a := s.Steps[1]
	if a.Spent != 1 || len(a.Life()) != 2 || a.Life()[0].Number != 2 || a.End != nil || len(a.Tries) != 2 || !a.Started.Equal(at(3)) {
		t.Errorf("the step begun anew: %+v", a)
	}
	if i := a.Intents[1]; i.Outcome != IntentAbsent || i.Settled == nil || !i.Settled.At.Equal(at(18)) || !i.Lost.Equal(at(17)) {
		t.Errorf("the start that was settled: %+v", i)
	}
	if diff := cmp.Diff([]ReopenedState{{StepReopened{Rerun: true, Why: "asked for", By: "u@h"}, at(14)}}, a.Reopened); diff != "" {
		t.Errorf("reopened (-want +got):\n%s", diff)
	}
	starts := s.Unsettled("h", "M")
	if len(starts) != 1 || starts[0].Intent.Number != 3 || starts[0].Step != "a" {
		t.Errorf("unsettled: %+v", starts)
	}
	if tasks := s.Tasks("h", "M", "112 a", at(3)); !cmp.Equal(tasks, []string{"T"}) {
		t.Errorf("tasks: %v", tasks)
	}
	if tasks := s.Tasks("h", "M", "112 a", at(4)); len(tasks) != 0 {
		t.Errorf("tasks intended later: %v", tasks)
	}
}

// TestARepairedStepLosesItsObject: another object must not be started under the id of the
// old one.
func TestARepairedStepLosesItsObject(t *testing.T) {
	for name, change := range map[string]func(*StepPlan){
		"verb": func(p *StepPlan) { p.Verb = "export" }, "label": func(p *StepPlan) { p.Label = "L2" }, "model": func(p *StepPlan) { p.Model = "M2" },
		"": func(p *StepPlan) { p.Needs = []string{"x"} },
	} {
		r := repaired("a")
		change(&r.Steps[0])
		s, err := Fold(story(created("a"), resolved("a", "1"), r))
		if err != nil {
			t.Fatal(err)
		}
		if gone := s.Steps[0].Object.ID == ""; gone != (name != "") {
			t.Errorf("another %s: the object is %q", name, s.Steps[0].Object.ID)
		}
	}
}

// TestFoldKeepsWhenFilesMoved is what a report draws its timeline from.
func TestFoldKeepsWhenFilesMoved(t *testing.T) {
	s, err := Fold(story(created("a"), "a", StepStarted{Try: 1}, "a", SourceUploaded{Path: "in.csv"},
		"a", DumpSaved{Path: "dump.csv"}, "a", TargetWritten{Path: "out.csv"}))
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	want := StepState{Plan: StepPlan{Name: "a", Verb: "import"}, Started: at(2), Tries: []Try{{Number: 1, Started: at(2)}},
		Uploads: []UploadState{{SourceUploaded: SourceUploaded{Path: "in.csv"}, At: at(3)}},
		Dumps:   []DumpState{{DumpSaved{Path: "dump.csv"}, at(4)}},
		Targets: []TargetState{{TargetWritten{Path: "out.csv"}, at(5)}}}
	if diff := cmp.Diff(want, s.Steps[0]); diff != "" {
		t.Error(diff)
	}
}

func TestExtendSaysWhatIsWrongWithNames(t *testing.T) {
	for id, says := range map[ID]string{
		{"j", ""}:                       "the run id is empty",
		{"j", strings.Repeat("é", 251)}: "the run id has 251 characters, 250 are allowed",
		{"j", "a\xff"}:                  `"a\xff" is not valid UTF-8`,
		{"\x00", "r"}:                   `"\x00" holds a NUL character`,
		{"j", strings.Repeat("é", 250)}: "",
		{"", "r"}:                       "",
	} {
		if err := id.Check(); says == "" && err != nil || says != "" && (err == nil || err.Error() != says) {
			t.Errorf("%q: got %v, want %q", id, err, says)
		}
	}
}

// TestUploadAheadOfNeed: an upload belongs to the model that its step had then, and may
// stand before the step's first try, not after its end.
func TestUploadAheadOfNeed(t *testing.T) {
	first, second := ModelRef{ID: "M1", Host: "h"}, ModelRef{ID: "M2", Host: "h"}
	resolved := func(m ModelRef) RunResolved {
		return RunResolved{Steps: []StepObject{{Step: "a", Object: ObjectRef{ID: "112"}, Model: m}}}
	}
	other := StepPlan{Name: "a", Verb: "import", Label: "other"}
	s, err := Fold(story(created("a"), "", resolved(first), "a", SourceUploaded{Path: "in.csv"}, "", RunEnded{Verdict: Failed},
		"", RunContinued{}, "", JobRepaired{Steps: []StepPlan{other}}, "", resolved(second), "a", StepStarted{Try: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if u := s.Steps[0].Uploads; len(u) != 1 || u[0].Model != first || s.Steps[0].Model != second {
		t.Errorf("uploads %+v of a step that is in %+v now", u, s.Steps[0].Model)
	}
	if _, err := Fold(story(created("a"), "a", StepEnded{Verdict: Blocked}, "a", SourceUploaded{Path: "in.csv"})); err == nil {
		t.Error("a step that has ended takes an upload")
	}
}
