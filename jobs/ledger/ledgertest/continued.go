package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// theListFollows appends the story event by event, through two handles in turn, and expects
// the list to say what the events so far do.
func theListFollows(t *testing.T, s Suite) {
	l := s.Open(t)
	ledgers := []ledger.Ledger{l, s.second(t, l)}
	story := Story(id)
	for i, e := range story {
		mustAppend(t, ledgers[i%2], id, int64(i), e)
		state, err := ledger.Fold(numbered(story[:i+1]))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range ledgers {
			runs, err := l.Runs(t.Context(), ledger.Query{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]ledger.Summary{state.Summary()}, runs); diff != "" {
				t.Fatalf("after event %d, %s (-want +got):\n%s", i+1, e.Body.Kind(), diff)
			}
			open, err := l.Runs(t.Context(), ledger.Query{Open: true})
			if err != nil || len(open) == 1 == state.Closed() {
				t.Fatalf("after event %d, %s: %d open runs, %v", i+1, e.Body.Kind(), len(open), err)
			}
		}
	}
}

// plansSkippedStepsAgain: a repaired job may want a step that was skipped, and mean another
// object by it.
func plansSkippedStepsAgain(t *testing.T, s Suite) {
	l := s.Open(t)
	repaired, resolved := Repaired(Steps...), Resolved(Steps...)
	repaired.Steps[0].Label, resolved.Steps[0].Object.ID = "Load Others", "112 others"
	mustAppend(t, l, id, 0, Created(id, T0), At(1, Resolved(Steps...)), In("load", 2, ledger.StepEnded{Verdict: ledger.Skipped}),
		At(3, ledger.RunEnded{Verdict: ledger.Failed, Cause: ledger.CauseInput, Code: ledger.CodeInput}), At(4, ledger.RunContinued{}), At(5, repaired))
	runs, err := l.Runs(t.Context(), ledger.Query{})
	if err != nil || len(runs) != 1 || runs[0].Done != 0 {
		t.Errorf("%+v, %v", runs, err)
	}
	mustAppend(t, l, id, 6, At(6, resolved), In("load", 7, ledger.StepStarted{Try: 1}), In("load", 8, ledger.Intent{Number: 1}),
		In("load", 9, ledger.TaskStarted{Number: 1, Task: "T"}))
	starts, err := l.Unsettled(t.Context(), Model.Host, Model.ID)
	if err != nil || len(starts) != 1 || starts[0].Object.ID != "112 others" {
		t.Errorf("%+v, %v", starts, err)
	}
}

// refusesIllegalMoves: what the fold refuses, the ledger refuses, whole.
func refusesIllegalMoves(t *testing.T, s Suite) {
	l := s.Open(t)
	story := Story(id)
	begun := []ledger.Event{story[0], At(1, Resolved(Steps...)), In("load", 2, ledger.StepStarted{Try: 1}), In("load", 3, ledger.Intent{Number: 1})}
	ran := append(begun[:4:4], In("load", 4, ledger.TaskStarted{Number: 1, Task: "T"}), In("load", 5, ledger.TaskEnded{Task: "T"}))
	w := At(time.Minute, ledger.Warned{Text: "goes with what is refused"})
	for name, c := range map[string]struct{ before, after []ledger.Event }{
		"continued when closed":          {story, []ledger.Event{At(time.Hour, ledger.RunContinued{})}},
		"anything else after the end":    {story[:22], []ledger.Event{At(time.Hour, ledger.Warned{})}},
		"repaired after the end":         {story[:22], []ledger.Event{At(time.Hour, Repaired("load"))}},
		"reopened after the end":         {story[:22], []ledger.Event{In("load", time.Hour, ledger.StepReopened{})}},
		"a step that began is forgotten": {begun, []ledger.Event{w, At(time.Hour, Repaired("post"))}},
		"another object for it":          {begun, []ledger.Event{w, At(time.Hour, ledger.RunResolved{Steps: []ledger.StepObject{{Step: "load"}, {Step: "post"}}})}},
		"a second start":                 {begun, []ledger.Event{w, In("load", time.Hour, ledger.Intent{Number: 2})}},
		"a second start when continued":  {begun, []ledger.Event{At(time.Hour, ledger.RunContinued{}), In("load", time.Hour, ledger.Intent{Number: 2})}},
		"a second start after its task":  {ran, []ledger.Event{w, In("load", time.Hour, ledger.Intent{Number: 2})}},
		"a second start when reopened": {ran, []ledger.Event{In("load", time.Hour, ledger.StepEnded{Verdict: ledger.Failed}), In("load", time.Hour, ledger.StepReopened{}),
			In("load", time.Hour, ledger.Intent{Number: 2})}},
		"settled as refused": {begun, []ledger.Event{w, In("load", time.Hour, ledger.StartSettled{Number: 1, Outcome: ledger.IntentRefused})}},
		"settled twice": {begun, []ledger.Event{In("load", time.Hour, ledger.StartSettled{Number: 1, Outcome: ledger.IntentAbsent}),
			In("load", time.Hour, ledger.StartSettled{Number: 1, Outcome: ledger.IntentOverruled})}},
		"begun anew while it is not known": {begun, []ledger.Event{In("load", time.Hour, ledger.StepEnded{Verdict: ledger.Unsure}),
			In("load", time.Hour, ledger.StepReopened{Rerun: true, By: "u@h"})}},
	} {
		run := ledger.ID{Job: "nightly", Run: name}
		before := append([]ledger.Event{}, c.before...)
		before[0] = Created(run, T0)
		mustAppend(t, l, run, 0, before...)
		_, err := l.Append(t.Context(), run, int64(len(before)), 0, c.after...)
		if _, ok := errors.AsType[*ledger.OrderError](err); !ok {
			t.Errorf("%s: got %v, want an OrderError", name, err)
		}
		holds(t, l, run, before)
	}
}

// goesOnAfterEachOutcome: what forbids a second start is gone when the start is settled.
func goesOnAfterEachOutcome(t *testing.T, s Suite) {
	l := s.Open(t)
	lost := ledger.StartUnknown{Number: 1}
	for name, between := range map[string][]ledger.Event{
		"refused":           {In("load", 5, ledger.StartRefused{Number: 1})},
		"absent, pending":   {In("load", 5, ledger.StartSettled{Number: 1, Outcome: ledger.IntentAbsent})},
		"absent, open":      {In("load", 5, lost), In("load", 6, ledger.StartSettled{Number: 1, Outcome: ledger.IntentAbsent})},
		"overruled":         {In("load", 5, lost), In("load", 6, ledger.StartSettled{Number: 1, Outcome: ledger.IntentOverruled, By: "u@h"})},
		"rerun":             {In("load", 5, ledger.TaskStarted{Number: 1, Task: "T"}), In("load", 6, ledger.TaskEnded{Task: "T"}), In("load", 7, ledger.StepReopened{Rerun: true})},
		"rerun of an ended": {In("load", 5, ledger.TaskStarted{Number: 1, Task: "T"}), In("load", 6, ledger.TaskEnded{Task: "T"}), In("load", 7, ledger.StepEnded{Verdict: ledger.Failed}), In("load", 7, ledger.StepReopened{Rerun: true})},
		"rerun of an adopted": {In("load", 5, lost), In("load", 6, ledger.StartSettled{Number: 1, Outcome: ledger.IntentStarted, Task: "T"}), In("load", 7, ledger.TaskEnded{Task: "T"}),
			In("load", 8, ledger.StepReopened{Rerun: true})},
		"rerun by a person while it runs": {In("load", 5, ledger.TaskStarted{Number: 1, Task: "T"}), In("load", 6, ledger.StepEnded{Verdict: ledger.TimedOut}),
			In("load", 7, ledger.StepReopened{Rerun: true, By: "u@h"})},
		"rerun after the run's end": {In("load", 5, ledger.TaskStarted{Number: 1, Task: "T"}), In("load", 6, ledger.TaskEnded{Task: "T"}), In("load", 7, ledger.StepEnded{Verdict: ledger.Failed}),
			In("post", 7, ledger.StepEnded{Verdict: ledger.Blocked}), At(8, ledger.RunEnded{Verdict: ledger.Failed}), At(9, ledger.RunContinued{}), In("load", 10, ledger.StepReopened{Rerun: true})},
	} {
		run := ledger.ID{Job: "nightly", Run: name}
		events := append([]ledger.Event{Created(run, T0), At(1, Resolved(Steps...)), In("load", 2, ledger.StepStarted{Try: 1}), In("load", 3, ledger.Intent{Number: 1})}, between...)
		events = append(events, In("load", time.Hour, ledger.Intent{Number: 2}))
		for i, e := range events {
			mustAppend(t, l, run, int64(i), e)
		}
		holds(t, l, run, events)
	}
}

// unsettledStarts are those that another run must look at before it starts anything.
func unsettledStarts(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	resolved := Resolved(Steps...)
	resolved.Steps[1].Model.ID = "M2"
	add := func(run string, at time.Duration, step string, more ...ledger.Body) {
		id := ledger.ID{Job: "j", Run: run}
		events := []ledger.Event{Created(id, T0), At(1, resolved), In(step, at, ledger.StepStarted{Try: 1}),
			In(step, at, ledger.Intent{Number: 1, Epoch: 2, ServerTime: T0, Before: ledger.TaskListed{Count: 7, Recent: []string{"A"}}})}
		for _, b := range more {
			if b.Kind() == "run_ended" {
				step = ""
			}
			events = append(events, In(step, at+time.Second, b))
		}
		mustAppend(t, l, id, 0, events...)
	}
	started := ledger.TaskStarted{Number: 1, Task: "T", Created: T0}
	ended := ledger.TaskEnded{Task: "T", State: "COMPLETE"}
	add("pending", 9*time.Minute, "load")
	add("open", 8*time.Minute, "load", ledger.StartUnknown{Number: 1, Text: "reset"})
	add("unsure", 7*time.Minute, "load", ledger.StartUnknown{Number: 1}, ledger.StepEnded{Verdict: ledger.Unsure}, ledger.RunEnded{Verdict: ledger.Unsure})
	add("running", 6*time.Minute, "load", started, ledger.TaskSeen{Task: "T", State: "IN_PROGRESS"})
	add("left running", 5*time.Minute, "load", started, ledger.StepEnded{Verdict: ledger.TimedOut}, ledger.RunEnded{Verdict: ledger.TimedOut})
	add("adopted", 4*time.Minute, "load", ledger.StartSettled{Number: 1, Outcome: ledger.IntentStarted, Task: "T"})
	add("refused", time.Minute, "load", ledger.StartRefused{Number: 1})
	add("absent", time.Minute, "load", ledger.StartSettled{Number: 1, Outcome: ledger.IntentAbsent})
	add("overruled", time.Minute, "load", ledger.StartSettled{Number: 1, Outcome: ledger.IntentOverruled})
	add("ended", time.Minute, "load", started, ended)
	add("another model", time.Minute, "post")
	names := func(host, model string) (names []string) {
		t.Helper()
		for _, l := range []ledger.Ledger{l, other} {
			starts, err := l.Unsettled(t.Context(), host, model)
			if err != nil {
				t.Fatal(err)
			}
			names = nil
			for _, s := range starts {
				names = append(names, s.Run.Run)
			}
		}
		return names
	}
	for _, c := range []struct {
		host, model string
		want        []string
	}{
		{Model.Host, Model.ID, []string{"adopted", "left running", "running", "unsure", "open", "pending"}},
		{Model.Host, "M2", []string{"another model"}},
		{Model.Host, "M3", nil}, {"other", Model.ID, nil}, {"", "", nil},
	} {
		if diff := cmp.Diff(c.want, names(c.host, c.model)); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", c.host, c.model, diff)
		}
	}
	starts, err := l.Unsettled(t.Context(), Model.Host, Model.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Start{Run: ledger.ID{Job: "j", Run: "running"}, Step: "load", Verb: "import", Object: ledger.ObjectRef{ID: "112 load", Name: "load"},
		Intent: ledger.IntentState{Intent: ledger.Intent{Number: 1, Epoch: 2, ServerTime: T0}, Model: Model,
			Object: ledger.ObjectRef{ID: "112 load", Name: "load"}, At: T0.Add(6 * time.Minute), Outcome: ledger.IntentStarted,
			Task: "T", Created: T0, Began: T0.Add(6*time.Minute + time.Second), State: "IN_PROGRESS"}}
	if diff := cmp.Diff(want, starts[2]); diff != "" {
		t.Errorf("a start (-want +got):\n%s", diff)
	}
	// What is found out is no longer there, whoever found it out.
	if _, err := other.Append(t.Context(), ledger.ID{Job: "j", Run: "open"}, 5, 0, In("load", time.Hour, ledger.StartSettled{Number: 1, Outcome: ledger.IntentAbsent})); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, ledger.ID{Job: "j", Run: "running"}, 6, In("load", time.Hour, ended))
	if diff := cmp.Diff([]string{"adopted", "left running", "unsure", "pending"}, names(Model.Host, Model.ID)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// unsettledOfANewerProgram: nothing is decided by a run that cannot be read.
func unsettledOfANewerProgram(t *testing.T, s Suite) {
	l := s.Open(t)
	mustAppend(t, l, id, 0, Created(id, T0), At(1, Resolved(Steps...)), In("load", 2, ledger.StepStarted{Try: 1}), In("load", 3, ledger.Intent{Number: 1}))
	s.Plant(t, l, id, []byte(`{"v":1,"seq":5,"at":"2026-11-24T02:00:09Z","kind":"task_paused","body":{}}`))
	starts, err := l.Unsettled(t.Context(), Model.Host, Model.ID)
	if _, ok := errors.AsType[*ledger.UnknownKindError](err); !ok || starts != nil {
		t.Errorf("got %v, %v; want an UnknownKindError and nothing", starts, err)
	}
}

func tasksOfAnObject(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	for n, run := range []string{"c", "a", "b"} {
		id := ledger.ID{Job: "j", Run: run}
		at := time.Duration(n) * time.Hour
		mustAppend(t, l, id, 0, Created(id, T0), At(1, Resolved(Steps...)),
			In("load", at, ledger.StepStarted{Try: 1}), In("load", at, ledger.Intent{Number: 1}), In("load", at, ledger.TaskStarted{Number: 1, Task: "1" + run}),
			In("load", at, ledger.TaskEnded{Task: "1" + run}), In("load", at, ledger.StepReopened{Rerun: true}), In("load", at+time.Minute, ledger.Intent{Number: 2}),
			In("load", at+time.Hour, ledger.StartSettled{Number: 2, Outcome: ledger.IntentStarted, Task: "2" + run}),
			In("post", at, ledger.StepStarted{Try: 1}), In("post", at, ledger.Intent{Number: 3}), In("post", at, ledger.TaskStarted{Number: 3, Task: "3" + run}))
	}
	mustAppend(t, l, id, 0, Created(id, T0), At(1, Resolved(Steps...)), In("load", 1, ledger.StepStarted{Try: 1}), In("load", 1, ledger.Intent{Number: 1}))
	for _, c := range []struct {
		host, model, object string
		after               time.Time
		want                []string
	}{
		{Model.Host, Model.ID, "112 load", T0.Add(-1), []string{"1a", "1b", "1c", "2a", "2b", "2c"}},
		{Model.Host, Model.ID, "112 load", time.Time{}, []string{"1a", "1b", "1c", "2a", "2b", "2c"}},
		{Model.Host, Model.ID, "112 load", T0, []string{"1a", "1b", "2a", "2b", "2c"}},
		{Model.Host, Model.ID, "112 load", T0.Add(time.Hour).In(time.FixedZone("", -3600)), []string{"1b", "2a", "2b"}},
		{Model.Host, Model.ID, "112 load", T0.Add(3 * time.Hour), nil},
		{Model.Host, Model.ID, "112 post", T0, []string{"3a", "3b"}},
		{Model.Host, Model.ID, "112", T0, nil}, {Model.Host, "M2", "112 load", T0, nil}, {"other", Model.ID, "112 load", T0, nil},
	} {
		for _, l := range []ledger.Ledger{l, other} {
			got, err := l.Tasks(t.Context(), c.host, c.model, c.object, c.after)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, %s, %s after %s (-want +got):\n%s", c.host, c.model, c.object, c.after, diff)
			}
		}
	}
}

// tasksOfAnotherObject: a task is that of the object that was started, whatever a repaired
// job makes of the step.
func tasksOfAnotherObject(t *testing.T, s Suite) {
	l := s.Open(t)
	first, second := Resolved("load", "post"), Resolved("load", "post")
	second.Steps[0].Object.ID, second.Steps[0].Model.ID = "112 other", "M2"
	repaired := Repaired("load", "post")
	repaired.Steps[0].Label = "Other"
	mustAppend(t, l, id, 0, Created(id, T0), At(1, first), In("load", 2, ledger.StepStarted{Try: 1}), In("load", 3, ledger.Intent{Number: 1}),
		In("load", 4, ledger.TaskStarted{Number: 1, Task: "T1"}), In("load", 5, ledger.StepEnded{Verdict: ledger.TimedOut, Cause: ledger.CauseTime}),
		At(6, ledger.RunEnded{Verdict: ledger.TimedOut}), At(7, ledger.RunContinued{}), In("load", 8, ledger.StepReopened{Rerun: true, By: "u@h"}),
		At(9, repaired), At(10, second), In("load", 11, ledger.StepStarted{Try: 2}), In("load", 12, ledger.Intent{Number: 2}),
		In("load", 13, ledger.TaskStarted{Number: 2, Task: "T2"}))
	for _, c := range []struct{ model, object, task string }{{"M1", "112 load", "T1"}, {"M2", "112 other", "T2"}} {
		tasks, err := l.Tasks(t.Context(), Model.Host, c.model, c.object, T0)
		if err != nil || !cmp.Equal(tasks, []string{c.task}) {
			t.Errorf("tasks of %s: %v, %v, want %s", c.object, tasks, err, c.task)
		}
		starts, err := l.Unsettled(t.Context(), Model.Host, c.model)
		if err != nil || len(starts) != 1 || starts[0].Intent.Task != c.task || starts[0].Object.ID != c.object {
			t.Errorf("unsettled on %s: %v, %v, want %s", c.model, starts, err, c.task)
		}
	}
	for _, object := range []string{"112 load", "112 other"} {
		for _, model := range []string{"M1", "M2"} {
			if tasks, err := l.Tasks(t.Context(), Model.Host, model, object, T0); err != nil || len(tasks) > 0 == (object == "112 load" == (model == "M2")) {
				t.Errorf("tasks of %s on %s: %v, %v", object, model, tasks, err)
			}
		}
	}
}

func wishes(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	asked := func(id ledger.ID, want *ledger.Wish) {
		t.Helper()
		for _, l := range []ledger.Ledger{l, other} {
			got, err := l.Asked(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		}
	}
	neighbour := ledger.ID{Job: id.Job, Run: "r2"}
	mustAppend(t, l, id, 0, Created(id, T0), At(1, ledger.Warned{}))
	mustAppend(t, l, neighbour, 0, Created(neighbour, T0))
	asked(id, nil)
	w := ledger.Wish{What: ledger.WishCancel, By: "ü@h", At: T0.Add(time.Hour), Seq: 99}
	if err := other.Ask(t.Context(), id, w); err != nil {
		t.Fatal(err)
	}
	w.Seq = 2 // what the caller says does not count
	asked(id, &w)
	asked(neighbour, nil)
	mustAppend(t, l, id, 2, At(2, ledger.Warned{}))
	asked(id, &w)
	later := ledger.Wish{What: ledger.WishDetach, At: T0.In(time.FixedZone("", 3600))} // an earlier clock
	if err := l.Ask(t.Context(), id, later); err != nil {
		t.Fatal(err)
	}
	asked(id, &ledger.Wish{What: ledger.WishDetach, At: T0, Seq: 3})
	for name, w := range map[string]ledger.Wish{"of nothing": {At: T0}, "of an unknown kind": {What: "explode", At: T0}, "without a time": {What: ledger.WishCancel}} {
		if err := l.Ask(t.Context(), id, w); err == nil {
			t.Errorf("a wish %s was left", name)
		}
	}
	asked(id, &ledger.Wish{What: ledger.WishDetach, At: T0, Seq: 3})
	none := ledger.ID{Job: "j", Run: "none"}
	if err := l.Ask(t.Context(), none, w); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("ask a run that is not there: got %v, want ErrNoRun", err)
	}
	if got, err := l.Asked(t.Context(), none); !errors.Is(err, ledger.ErrNoRun) || got != nil {
		t.Errorf("asked of a run that is not there: got %v, %v, want ErrNoRun", got, err)
	}
}

func removedRuns(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	stays := ledger.ID{Job: id.Job, Run: "stays"}
	for _, id := range []ledger.ID{id, stays} {
		mustAppend(t, l, id, 0, Story(id)[:13]...) // a task runs
	}
	if err := l.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, At: T0}); err != nil {
		t.Fatal(err)
	}
	h := mustTake(t, l, ledger.RunKey(id), 1, 1)
	for _, l := range []ledger.Ledger{l, other} {
		err := l.Remove(t.Context(), id)
		if held, ok := errors.AsType[*ledger.HeldError](err); !ok || !cmp.Equal(held, &ledger.HeldError{Key: ledger.RunKey(id), By: holder(1)}) {
			t.Fatalf("removed while somebody has it: %v", err)
		}
	}
	holds(t, other, id, Story(id)[:13])
	h.Release()
	if err := other.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, l := range []ledger.Ledger{l, other} {
		if err := l.Remove(t.Context(), id); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("removed twice: got %v, want ErrNoRun", err)
		}
		if _, err := l.Events(t.Context(), id, 0); !errors.Is(err, ledger.ErrNoRun) {
			t.Errorf("events of what was removed: got %v, want ErrNoRun", err)
		}
		if runs, err := l.Runs(t.Context(), ledger.Query{}); err != nil || len(runs) != 1 || runs[0].ID != stays {
			t.Errorf("listed: %v, %v", runs, err)
		}
		if starts, err := l.Unsettled(t.Context(), Model.Host, Model.ID); err != nil || len(starts) != 1 || starts[0].Run != stays {
			t.Errorf("unsettled: %v, %v", starts, err)
		}
	}
	if _, err := l.Append(t.Context(), id, 13, 0, At(1, ledger.Warned{})); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("append to what was removed: got %v, want ErrConflict", err)
	}
	// A new run of its name is a new one; the epochs of its lease go on.
	mustTake(t, other, ledger.RunKey(id), 2, 2).Release()
	mustAppend(t, l, id, 0, Created(id, T0))
	holds(t, other, id, []ledger.Event{Created(id, T0)})
	if w, err := l.Asked(t.Context(), id); err != nil || w != nil {
		t.Errorf("it has the wish of the one before it: %v, %v", w, err)
	}
}
