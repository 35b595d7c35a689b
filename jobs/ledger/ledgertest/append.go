package ledgertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

var id = ledger.ID{Job: "nightly", Run: "r1"}

// mustAppend appends and checks the number that comes back.
func mustAppend(t testing.TB, l ledger.Ledger, id ledger.ID, after int64, events ...ledger.Event) {
	t.Helper()
	seq, err := l.Append(t.Context(), id, after, 0, events...)
	if err != nil {
		t.Fatalf("append %d events after %d: %v", len(events), after, err)
	}
	if want := after + int64(len(events)); seq != want {
		t.Fatalf("append %d events after %d returned %d, want %d", len(events), after, seq, want)
	}
}

// holds checks that a run holds these events, numbered from 1.
func holds(t testing.TB, l ledger.Ledger, id ledger.ID, want []ledger.Event) {
	t.Helper()
	got, err := l.Events(t.Context(), id, 0)
	if err != nil {
		t.Fatalf("read run %q: %v", id.Run, err)
	}
	if reflect.DeepEqual(numbered(want), got) {
		return // cmp takes seconds over large events
	}
	if diff := cmp.Diff(numbered(want), got); diff != "" {
		t.Fatalf("run %q holds something else (-want +got):\n%s", id.Run, diff)
	}
}

func numbered(events []ledger.Event) []ledger.Event {
	out := make([]ledger.Event, len(events))
	for i, e := range events {
		e.Seq = int64(i + 1)
		out[i] = e
	}
	return out
}

func appendGivesNumbers(t *testing.T, s Suite) {
	l := s.Open(t)
	story := Story(id)
	mustAppend(t, l, id, 0, story[:2]...)
	wrong := story[2]
	wrong.Seq = 99 // what the caller says does not count
	mustAppend(t, l, id, 2, wrong)
	mustAppend(t, l, id, 3, story[3:]...)
	holds(t, l, id, story)
}

func keepsEveryKind(t *testing.T, s Suite) {
	l := s.Open(t)
	story := Story(id)
	kinds := map[string]bool{}
	for _, e := range story {
		kinds[e.Body.Kind()] = true
	}
	for _, k := range ledger.Kinds() {
		if !kinds[k] {
			t.Errorf("the story holds no %s", k)
		}
	}
	for i, e := range story {
		mustAppend(t, l, id, int64(i), e)
	}
	holds(t, l, id, story)
	want, err := ledger.Fold(numbered(story))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := l.Runs(t.Context(), ledger.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ledger.Summary{want.Summary()}, runs); diff != "" {
		t.Errorf("the list differs (-want +got):\n%s", diff)
	}
}

func eventsAfter(t *testing.T, s Suite) {
	l := s.Open(t)
	story := Story(id)
	mustAppend(t, l, id, 0, story...)
	all := numbered(story)
	for _, after := range []int64{-1, 0, 1, int64(len(all)) - 1, int64(len(all)), int64(len(all)) + 7} {
		got, err := l.Events(t.Context(), id, after)
		if err != nil {
			t.Fatalf("after %d: %v", after, err)
		}
		want := all[min(max(after, 0), int64(len(all))):]
		if len(got) != len(want) || len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("after %d: got %d events, want %d", after, len(got), len(want))
		}
	}
}

func noRun(t *testing.T, s Suite) {
	l := s.Open(t)
	mustAppend(t, l, id, 0, Created(id, T0))
	for _, other := range []ledger.ID{{Job: "nightly", Run: "r2"}, {Job: "other", Run: "r1"}, {Job: "Nightly", Run: "r1"}, {Job: "nightly", Run: "r1 "}} {
		for _, after := range []int64{0, 1} {
			if got, err := l.Events(t.Context(), other, after); !errors.Is(err, ledger.ErrNoRun) || got != nil {
				t.Errorf("%v after %d: got %v, %v; want ErrNoRun", other, after, got, err)
			}
		}
	}
}

func ofTwoWritersOneFails(t *testing.T, s Suite) {
	l := s.Open(t)
	story := Story(id)
	mustAppend(t, l, id, 0, story[:3]...)
	for _, after := range []int64{-1, 0, 1, 2, 4, 99} {
		if seq, err := l.Append(t.Context(), id, after, 0, story[3]); !errors.Is(err, ledger.ErrConflict) || seq != 0 {
			t.Errorf("after %d: got %d, %v; want ErrConflict", after, seq, err)
		}
	}
	if _, err := l.Append(t.Context(), id, 0, 0, Created(id, T0)); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("created again: got %v, want ErrConflict", err)
	}
	if _, err := l.Append(t.Context(), ledger.ID{Job: "nightly", Run: "r2"}, 3, 0, story[3]); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("a run that is not there: got %v, want ErrConflict", err)
	}
	holds(t, l, id, story[:3])
}

func manyWriters(t *testing.T, s Suite) {
	l := s.Open(t)
	mustAppend(t, l, id, 0, Created(id, T0))
	const writers, rounds = 8, 10
	var won, lost atomic.Int64
	for after := int64(1); after <= rounds; after++ {
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				_, err := l.Append(t.Context(), id, after, 0, At(time.Second, ledger.Warned{Text: fmt.Sprint(w)}))
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ledger.ErrConflict):
					lost.Add(1)
				default:
					t.Errorf("writer %d: %v", w, err)
				}
			})
		}
		all.Wait()
	}
	if won.Load() != rounds || lost.Load() != rounds*(writers-1) {
		t.Errorf("%d appends succeeded and %d conflicted, want %d and %d", won.Load(), lost.Load(), rounds, rounds*(writers-1))
	}
	events, err := l.Events(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != rounds+1 {
		t.Errorf("the run holds %d events, want %d", len(events), rounds+1)
	}
}

func manyRunsAtOnce(t *testing.T, s Suite) {
	l := s.Open(t)
	const runs = 6
	var all sync.WaitGroup
	for n := range runs {
		all.Go(func() {
			id := ledger.ID{Job: "j", Run: fmt.Sprint(n)}
			for i, e := range Story(id) {
				if _, err := l.Append(t.Context(), id, int64(i), 0, e); err != nil {
					t.Errorf("run %d, event %d: %v", n, i+1, err)
					return
				}
				if _, err := l.Runs(t.Context(), ledger.Query{}); err != nil {
					t.Errorf("list: %v", err)
				}
			}
		})
	}
	all.Wait()
	for n := range runs {
		id := ledger.ID{Job: "j", Run: fmt.Sprint(n)}
		holds(t, l, id, Story(id))
	}
}

func allOrNothing(t *testing.T, s Suite) {
	l := s.Open(t)
	story := Story(id)
	bad := In("load", time.Second, ledger.StepStarted{Try: 9})
	if _, err := l.Append(t.Context(), id, 0, 0, story[0], story[1], bad); err == nil {
		t.Fatal("a try 9 was taken as the first")
	}
	if _, err := l.Events(t.Context(), id, 0); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("after a failed first append: got %v, want ErrNoRun", err)
	}
	if runs, err := l.Runs(t.Context(), ledger.Query{}); err != nil || len(runs) != 0 {
		t.Errorf("after a failed first append: runs %v, %v", runs, err)
	}
	mustAppend(t, l, id, 0, story[:7]...)
	before, err := l.Runs(t.Context(), ledger.Query{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Append(t.Context(), id, 7, 0, story[7], story[8], bad)
	if o, ok := errors.AsType[*ledger.OrderError](err); !ok || o.Seq != 10 {
		t.Fatalf("got %v, want an OrderError for event 10", err)
	}
	holds(t, l, id, story[:7])
	after, err := l.Runs(t.Context(), ledger.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a failed append moved the list:\n%s", diff)
	}
	mustAppend(t, l, id, 7, story[7:]...) // what was taken back can be appended
	holds(t, l, id, story)
}

func refusesWhatIsWrong(t *testing.T, s Suite) {
	l := s.Open(t)
	for name, e := range map[string]ledger.Event{
		"not created first":  At(0, ledger.Warned{Text: "w"}),
		"another run's":      Created(ledger.ID{Job: "nightly", Run: "r2"}, T0),
		"without a body":     {At: T0},
		"without a time":     {Body: Created(id, T0).Body},
		"in the year 10000":  Created(id, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)),
		"of an unknown kind": At(0, unknownKind{}),
		"not to be encoded":  At(0, ledger.RunCreated{ID: id, Job: json.RawMessage("{")}),
	} {
		if seq, err := l.Append(t.Context(), id, 0, 0, e); err == nil || seq != 0 {
			t.Errorf("an event %s was taken: %d, %v", name, seq, err)
		}
	}
	if runs, err := l.Runs(t.Context(), ledger.Query{}); err != nil || len(runs) != 0 {
		t.Errorf("something was kept: %v, %v", runs, err)
	}
}

type unknownKind struct{}

func (unknownKind) Kind() string { return "task_paused" }

func refusesOlderEpochs(t *testing.T, s Suite) {
	l := s.Open(t)
	w := At(time.Second, ledger.Warned{Text: "w"})
	for _, step := range []struct {
		after, epoch int64
		want         error
	}{{1, 0, nil}, {2, 5, nil}, {3, 4, ledger.ErrConflict}, {3, 0, ledger.ErrConflict}, {3, 5, nil}, {4, 6, nil}, {5, 5, ledger.ErrConflict}} {
		if step.after == 1 {
			mustAppend(t, l, id, 0, Created(id, T0))
		}
		if _, err := l.Append(t.Context(), id, step.after, step.epoch, w); !errors.Is(err, step.want) {
			t.Errorf("after %d, epoch %d: got %v, want %v", step.after, step.epoch, err, step.want)
		}
	}
}

func nothingToAppend(t *testing.T, s Suite) {
	l := s.Open(t)
	if seq, err := l.Append(t.Context(), id, 0, 0); seq != 0 || err != nil {
		t.Errorf("got %d, %v", seq, err)
	}
	if runs, err := l.Runs(t.Context(), ledger.Query{}); err != nil || len(runs) != 0 {
		t.Errorf("it made a run: %v, %v", runs, err)
	}
	mustAppend(t, l, id, 0, Created(id, T0))
	if seq, err := l.Append(t.Context(), id, 1, 0); seq != 1 || err != nil {
		t.Errorf("got %d, %v; want 1", seq, err)
	}
	if _, err := l.Append(t.Context(), id, 0, 0); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}

func largeEvents(t *testing.T, s Suite) {
	l := s.Open(t)
	big := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	story := []ledger.Event{Created(id, T0), In("load", 1, ledger.StepStarted{Try: 1}), In("load", 2, ledger.Intent{Number: 1}),
		In("load", 3, ledger.TaskStarted{Number: 1, Task: "T"}),
		In("load", 4, ledger.TaskEnded{Task: "T", State: "COMPLETE", Result: json.RawMessage(`{"text":"` + big + `"}`)}),
		At(5, ledger.Warned{Text: strings.Repeat("ü\u2028<&>\x00\"\\", 1<<16)})}
	mustAppend(t, l, id, 0, story...)
	holds(t, l, id, story)
}

func whatWasGivenMayChange(t *testing.T, s Suite) {
	l := s.Open(t)
	e := Created(id, T0)
	mustAppend(t, l, id, 0, e)
	e.Body.(ledger.RunCreated).Params["version"] = "Forecast"
	holds(t, l, id, []ledger.Event{Created(id, T0)})
	got, err := l.Events(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	got[0].Body.(ledger.RunCreated).Steps[0].Name = "other"
	holds(t, l, id, []ledger.Event{Created(id, T0)})
}

func endedContext(t *testing.T, s Suite) {
	l := s.Open(t)
	mustAppend(t, l, id, 0, Created(id, T0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, appendErr := l.Append(ctx, id, 1, 0, At(1, ledger.Warned{}))
	_, eventsErr := l.Events(ctx, id, 0)
	_, runsErr := l.Runs(ctx, ledger.Query{})
	calls := otherCalls(ctx, l)
	calls["append"], calls["events"], calls["runs"] = appendErr, eventsErr, runsErr
	for call, err := range calls {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", call, err)
		}
	}
	holds(t, l, id, []ledger.Event{Created(id, T0)})

	// An end in the middle: what was appended is what was reported.
	last := int64(1)
	for range 40 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		seq, err := l.Append(ctx, id, last, 0, At(1, ledger.Warned{}), At(2, ledger.Warned{}))
		if err == nil {
			last = seq
		} else if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want context.Canceled", err)
		}
		cancel()
	}
	events, err := l.Events(t.Context(), id, 0)
	if err != nil || int64(len(events)) != last {
		t.Errorf("the run holds %d events, %v; %d were reported", len(events), err, last)
	}
	mustAppend(t, l, id, last, At(3, ledger.Warned{}))
}

// otherCalls are the errors of the calls that have to do with leases and with several runs.
func otherCalls(ctx context.Context, l ledger.Ledger) map[string]error {
	_, take := l.Take(ctx, "k", ledger.Holder{})
	_, holder := l.Holder(ctx, "k")
	_, unsettled := l.Unsettled(ctx, "h", "m")
	_, tasks := l.Tasks(ctx, "h", "m", "o", T0)
	_, asked := l.Asked(ctx, id)
	return map[string]error{"take": take, "holder": holder, "unsettled": unsettled, "tasks": tasks, "asked": asked,
		"ask": l.Ask(ctx, id, ledger.Wish{What: ledger.WishCancel, At: T0}), "remove": l.Remove(ctx, id)}
}

func closed(t *testing.T, s Suite) {
	l := s.Open(t)
	mustAppend(t, l, id, 0, Created(id, T0))
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, appendErr := l.Append(t.Context(), id, 1, 0, At(1, ledger.Warned{}))
	_, eventsErr := l.Events(t.Context(), id, 0)
	_, runsErr := l.Runs(t.Context(), ledger.Query{})
	calls := otherCalls(t.Context(), l)
	calls["append"], calls["events"], calls["runs"] = appendErr, eventsErr, runsErr
	for call, err := range calls {
		if !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", call, err)
		}
	}
	if l.Where() == "" {
		t.Error("a closed ledger has no name")
	}
}

func unknownKindStopsReading(t *testing.T, s Suite) {
	l := s.Open(t)
	mustAppend(t, l, id, 0, Created(id, T0), At(1, ledger.Warned{}))
	s.Plant(t, l, id, []byte(`{"v":1,"seq":3,"at":"2026-11-24T02:00:09Z","kind":"task_paused","body":{}}`))
	for _, after := range []int64{0, 2} {
		events, err := l.Events(t.Context(), id, after)
		if k, ok := errors.AsType[*ledger.UnknownKindError](err); !ok || k.Kind != "task_paused" || events != nil {
			t.Errorf("events after %d: got %v, %v; want an UnknownKindError and nothing", after, events, err)
		}
	}
	if _, err := l.Append(t.Context(), id, 2, 0, At(2, ledger.Warned{})); !errors.Is(err, ledger.ErrConflict) {
		t.Errorf("append over it: got %v, want ErrConflict", err)
	}
	_, err := l.Append(t.Context(), id, 3, 0, At(2, ledger.Warned{}))
	if reflect.TypeOf(err) != reflect.TypeFor[*ledger.UnknownKindError]() {
		t.Errorf("append after it: got %v, want an UnknownKindError", err)
	}
}
