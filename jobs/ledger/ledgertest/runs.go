package ledgertest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func oddNames(t *testing.T, s Suite) {
	l := s.Open(t)
	names := []string{"a", "A", " ", " a", "a ", "'", `"`, `'; DROP TABLE run; --`, "../../etc/passwd", `..\..\x`, "/", "a/b/c", "?", "*", "%", "a%",
		"_", "{{ run_id }}", "dag/task/scheduled__2026-11-24T02:00:00+00:00", "日本語", "é", "e\u0301", "\u202e", "🚀", "\t\n\r", "\x01", "\x7f",
		"NULL", "0", "-1", "1e3", strings.Repeat("x", 250), strings.Repeat("🚀", 250), strings.Repeat("x", 249) + "y"}
	ids := []ledger.ID{}
	for i, n := range names {
		ids = append(ids, ledger.ID{Job: "j", Run: n}, ledger.ID{Job: names[len(names)-1-i], Run: n})
	}
	for _, id := range ids {
		mustAppend(t, l, id, 0, Created(id, T0), At(1, ledger.Warned{Text: id.Run}))
	}
	for _, id := range ids {
		holds(t, l, id, []ledger.Event{Created(id, T0), At(1, ledger.Warned{Text: id.Run})})
		runs, err := l.Runs(t.Context(), ledger.Query{Job: id.Job, Run: id.Run})
		if err != nil || len(runs) != 1 || runs[0].ID != id {
			t.Errorf("query for %q: got %v, %v", id, runs, err)
		}
	}
}

func wrongNames(t *testing.T, s Suite) {
	l := s.Open(t)
	for _, id := range []ledger.ID{{Job: "j"}, {Job: "j", Run: strings.Repeat("x", 251)}, {Job: "j", Run: strings.Repeat("é", 251)},
		{Job: "j", Run: "a\xff"}, {Job: "a\xff", Run: "r"}, {Job: "j", Run: "a\x00b"}, {Job: "\x00", Run: "r"}} {
		if _, err := l.Append(t.Context(), id, 0, 0, Created(id, T0)); err == nil {
			t.Errorf("a run named %q was taken", id)
		}
	}
}

func everyVerdictAndCause(t *testing.T, s Suite) {
	l := s.Open(t)
	for _, v := range ledger.Verdicts {
		for _, c := range append([]ledger.Cause{""}, ledger.Causes...) {
			id := ledger.ID{Job: "j", Run: fmt.Sprint(v, "/", c)}
			mustAppend(t, l, id, 0, Created(id, T0), In("load", 1, ledger.StepEnded{Verdict: v, Cause: c}),
				At(2, ledger.RunEnded{Verdict: v, Cause: c, Code: ledger.Code(v, c)}))
			runs, err := l.Runs(t.Context(), ledger.Query{Run: id.Run})
			if err != nil || len(runs) != 1 || runs[0].Verdict != v || runs[0].Cause != c || runs[0].Code != ledger.Code(v, c) {
				t.Errorf("%s, %q: got %+v, %v", v, c, runs, err)
			}
		}
	}
}

func runsAreListed(t *testing.T, s Suite) {
	l := s.Open(t)
	if runs, err := l.Runs(t.Context(), ledger.Query{}); err != nil || len(runs) != 0 {
		t.Errorf("an empty ledger lists %v, %v", runs, err)
	}
	// Sixty runs, made in another order than they started, to the nanosecond.
	start := func(n int) time.Time { return T0.Add(time.Duration(n*7%60) * time.Nanosecond) }
	for n := range 60 {
		id := ledger.ID{Job: []string{"a", "b"}[n%2], Run: fmt.Sprint(n * 7 % 60)}
		events := []ledger.Event{Created(id, start(n))}
		if n%3 == 0 {
			for _, step := range Steps {
				events = append(events, In(step, time.Second, ledger.StepEnded{Verdict: ledger.OK}))
			}
			events = append(events, At(2*time.Second, ledger.RunEnded{Verdict: ledger.OK}))
		}
		mustAppend(t, l, id, 0, events...)
	}
	list := func(q ledger.Query) (names []string) {
		t.Helper()
		runs, err := l.Runs(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		for _, r := range runs {
			names = append(names, r.ID.Run)
		}
		return names
	}
	want := func(limit int, keep func(n int) bool) (names []string) {
		for started := 59; started >= 0 && len(names) < limit; started-- {
			n := started * 43 % 60 // 7 * 43 = 1 modulo 60
			if keep(n) {
				names = append(names, fmt.Sprint(started))
			}
		}
		return names
	}
	all := func(int) bool { return true }
	for _, c := range []struct {
		query ledger.Query
		want  []string
	}{
		{ledger.Query{}, want(50, all)},
		{ledger.Query{Limit: 1}, []string{"59"}},
		{ledger.Query{Limit: -1}, want(50, all)},
		{ledger.Query{Limit: 1000}, want(60, all)},
		{ledger.Query{Job: "a"}, want(50, func(n int) bool { return n%2 == 0 })},
		{ledger.Query{Job: "c"}, nil},
		{ledger.Query{Run: "7"}, []string{"7"}},
		{ledger.Query{Job: "a", Run: "7"}, nil},
		{ledger.Query{Open: true, Limit: 60}, want(60, func(n int) bool { return n%3 != 0 })},
		{ledger.Query{Since: T0.Add(55)}, []string{"59", "58", "57", "56", "55"}},
		{ledger.Query{Since: T0.Add(55).In(time.FixedZone("", 7200)), Limit: 2}, []string{"59", "58"}},
		{ledger.Query{Since: T0.Add(time.Hour)}, nil},
		{ledger.Query{Job: "b", Open: true, Since: T0.Add(30), Limit: 3}, want(3, func(n int) bool { return n%2 == 1 && n%3 != 0 && n*7%60 >= 30 })},
	} {
		if diff := cmp.Diff(c.want, list(c.query)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.query, diff)
		}
	}
}

func runsAtTheSameInstant(t *testing.T, s Suite) {
	l := s.Open(t)
	for _, r := range []string{"b", "c", "a"} {
		id := ledger.ID{Job: "j", Run: r}
		mustAppend(t, l, id, 0, Created(id, T0))
	}
	mustAppend(t, l, ledger.ID{Job: "j", Run: "b"}, 1, At(time.Hour, ledger.Warned{}))
	runs, err := l.Runs(t.Context(), ledger.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range runs {
		got = append(got, r.ID.Run)
	}
	if diff := cmp.Diff([]string{"a", "c", "b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// runsThatMoved asks for runs by what their steps have moved, and by when something was added.
func runsThatMoved(t *testing.T, s Suite) {
	l := s.Open(t)
	const odd = "a \"step\"\\ <é\u2028🚀>%_\n"
	uploaded, written := ledger.SourceUploaded{Path: "a.csv"}, ledger.TargetWritten{Path: "b.csv"}
	for i, events := range [][]ledger.Event{
		{In("load", 1, uploaded)},
		{In("post", 2, ledger.StepStarted{Try: 1}), In("post", 3, written)},
		{In("load", 4, ledger.StepStarted{Try: 1}), In("load", 5, uploaded), In("load", 6, ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseGuard})},
		{In("load", 7, ledger.Warned{Text: `"step":"load","kind":"source_uploaded"`}), In("post", 8, uploaded)},
		{In("load", 9, ledger.StepStarted{Try: 1}), In("load", 9, ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseGuard})},
		{In("load", 10, uploaded), In("load", 11, ledger.StepStarted{Try: 1}), In("load", 12, written)},
		{In(odd, 13, uploaded)},
	} {
		id := ledger.ID{Job: []string{"a", "b"}[i%2], Run: fmt.Sprint(i)}
		created := Created(id, T0.Add(time.Duration(i)*time.Microsecond))
		if events[0].Step == odd {
			b := created.Body.(ledger.RunCreated)
			b.Steps[0].Name = odd
			created.Body = b
		}
		for k := range events {
			events[k].At = created.At.Add(events[k].At.Sub(T0))
		}
		mustAppend(t, l, id, 0, append([]ledger.Event{created}, events...)...)
	}
	for _, c := range []struct {
		query ledger.Query
		want  []string
	}{
		{ledger.Query{Moved: "load"}, []string{"5", "2", "0"}},
		{ledger.Query{Moved: "post"}, []string{"3", "1"}},
		{ledger.Query{Moved: odd}, []string{"6"}},
		{ledger.Query{Moved: "loa"}, nil},
		{ledger.Query{Moved: "%"}, nil},
		{ledger.Query{Moved: "load", Limit: 2}, []string{"5", "2"}},
		{ledger.Query{Moved: "load", Job: "a"}, []string{"2", "0"}},
		{ledger.Query{Moved: "load", Job: "a", Updated: T0.Add(time.Microsecond)}, []string{"2"}},
		{ledger.Query{Moved: "load", Updated: T0.Add(2*time.Microsecond + 6)}, []string{"5", "2"}},
		{ledger.Query{Moved: "load", Updated: T0.Add(2*time.Microsecond + 7)}, []string{"5"}},
		{ledger.Query{Updated: T0.Add(5 * time.Microsecond), Limit: math.MaxInt32}, []string{"6", "5"}},
		{ledger.Query{Updated: T0.Add(time.Hour)}, nil},
	} {
		runs, err := l.Runs(t.Context(), c.query)
		if err != nil {
			t.Fatalf("%+v: %v", c.query, err)
		}
		var got []string
		for _, r := range runs {
			got = append(got, r.ID.Run)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.query, diff)
		}
	}
}

// likeAMapOfSlices compares random calls with what the simplest ledger would do.
func likeAMapOfSlices(t *testing.T, s Suite) {
	l := s.Open(t)
	tries := 0
	rapid.Check(t, func(r *rapid.T) {
		tries++
		job := fmt.Sprint("job ", tries) // a job of its own each time: opening a ledger takes longer
		ids := []ledger.ID{{Job: job, Run: "1"}, {Job: job, Run: "2"}, {Job: job, Run: "3"}}
		model := map[ledger.ID][]ledger.Event{}
		var order []ledger.ID
		for range rapid.IntRange(1, 25).Draw(r, "calls") {
			id := rapid.SampledFrom(ids).Draw(r, "id")
			after := int64(len(model[id])) + int64(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, -1, 1}).Draw(r, "off"))
			var events []ledger.Event
			if len(model[id]) == 0 {
				events = append(events, Created(id, T0.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "start")))))
			}
			known, err := ledger.Fold(model[id])
			if err != nil {
				r.Fatal(err)
			}
			for range rapid.IntRange(0, 3).Draw(r, "events") {
				events = append(events, Draw(r, known, time.Duration(len(model[id])+1)*time.Minute))
			}
			grown := numbered(append(slices.Clone(model[id]), events...))
			_, foldErr := ledger.Fold(grown)
			seq, err := l.Append(t.Context(), id, after, 0, events...)
			switch {
			case after != int64(len(model[id])):
				if !errors.Is(err, ledger.ErrConflict) {
					r.Fatalf("append after %d of %d: got %v, want ErrConflict", after, len(model[id]), err)
				}
			case foldErr != nil:
				if _, ok := errors.AsType[*ledger.OrderError](err); !ok {
					r.Fatalf("append what does not fold (%v): got %v, want an OrderError", foldErr, err)
				}
			case err != nil || seq != int64(len(grown)):
				r.Fatalf("append %v: got %d, %v; want %d", events, seq, err, len(grown))
			default:
				if len(model[id]) == 0 {
					order = append(order, id)
				}
				model[id] = grown
			}
		}
		same(r, t, l, job, model, order)
	})
}

// same compares a ledger with the model of one job's runs.
func same(r *rapid.T, t *testing.T, l ledger.Ledger, job string, model map[ledger.ID][]ledger.Event, order []ledger.ID) {
	var want []ledger.Summary
	for _, id := range slices.Backward(order) {
		got, err := l.Events(t.Context(), id, 0)
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(model[id], got); diff != "" {
			r.Fatalf("run %v (-want +got):\n%s", id, diff)
		}
		state, err := ledger.Fold(got)
		if err != nil {
			r.Fatal(err)
		}
		want = append(want, state.Summary())
	}
	slices.SortStableFunc(want, func(a, b ledger.Summary) int { return b.Started.Compare(a.Started) })
	got, err := l.Runs(t.Context(), ledger.Query{Job: job})
	if err != nil {
		r.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("list of runs (-want +got):\n%s", diff)
	}
}
