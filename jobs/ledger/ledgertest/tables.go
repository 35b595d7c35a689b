package ledgertest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func tablesFollowTheEvents(t *testing.T, s Suite) {
	l := s.Open(t)
	d := s.Database(t, l)
	id := ledger.ID{Job: "j", Run: "all at once"}
	if _, err := l.Append(t.Context(), id, 0, 0, Story(id)...); err != nil {
		t.Fatal(err)
	}
	id.Run = "one by one"
	for i, e := range Story(id) {
		if _, err := l.Append(t.Context(), id, int64(i), 0, e); err != nil {
			t.Fatal(err)
		}
		CheckTables(t, l, d)
	}
	got := d.tables(t)[id]
	load := ledger.TaskRow{Step: "load", Host: "api.example.com:443", Model: "M1", Object: "112000000001"}
	task := func(number int, epoch int64, outcome, id, state, intended, began, ended string, spent bool) ledger.TaskRow {
		r := load
		r.Number, r.Epoch, r.Outcome, r.Task, r.State, r.Intended, r.Began, r.Ended, r.Spent = number, epoch, outcome, id, state, intended, began, ended, spent
		return r
	}
	want := []ledger.TaskRow{
		task(1, 3, "refused", "", "", "2026-11-24T02:00:07.123456789Z", "", "", true),
		task(2, 0, "started", "T1", "COMPLETE", "2026-11-24T02:00:09.123456789Z", "2026-11-24T02:00:13.123456789Z", "2026-11-24T02:00:15.123456789Z", true),
		task(3, 4, "absent", "", "", "2026-11-24T02:00:27.123456789Z", "", "", false),
		task(4, 5, "started", "T2", "COMPLETE", "2026-11-24T02:00:30.123456789Z", "2026-11-24T02:00:32.123456789Z", "2026-11-24T02:00:32.123456789Z", false),
	}
	if diff := cmp.Diff(want, got.Tasks, asKept); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	wantSteps := []ledger.StepRow{
		{Position: 0, Name: "check", Verb: "import", Host: "api.example.com:443", Model: "M1", Object: "112000000002", State: "ended",
			Ended: "2026-11-24T02:00:34.123456789Z", Verdict: "skipped"},
		{Position: 1, Name: "load", Verb: "import", Host: "api.example.com:443", Model: "M1", Object: "112000000001", State: "ended", Tries: 3,
			Started: "2026-11-24T02:00:02.123456789Z", Ended: "2026-11-24T02:00:33.123456789Z", Verdict: "ok"},
		{Position: 2, Name: "post", Verb: "import", Host: "api.example.com:443", Model: "M1", Object: "112000000001", State: "ended",
			Ended: "2026-11-24T02:00:35.123456789Z", Verdict: "skipped"},
	}
	if diff := cmp.Diff(wantSteps, got.Steps, asKept); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// tablesHoldOddTexts has texts that not every database can keep.
func tablesHoldOddTexts(t *testing.T, s Suite) {
	l := s.Open(t)
	d := s.Database(t, l)
	const odd = "a\x00'\"\\\n\u2028\U0001f4a5"
	created := Created(id, T0)
	body := created.Body.(ledger.RunCreated)
	body.Steps = []ledger.StepPlan{{Name: odd, Verb: odd}, {Name: "gone\x00", Verb: "import"}}
	created.Body = body
	repaired := Repaired(odd)
	repaired.Steps[0].Verb = odd
	of := ledger.ObjectRef{ID: odd}
	model := ledger.ModelRef{ID: odd, Host: odd}
	mustAppend(t, l, id, 0, created,
		At(1, ledger.RunResolved{Steps: []ledger.StepObject{{Step: odd, Object: of, Model: model}, {Step: "gone\x00", Object: of, Model: model}}}),
		At(2, repaired), In(odd, 3, ledger.StepStarted{Try: 1}), In(odd, 4, ledger.Intent{Number: 1}), In(odd, 5, ledger.TaskStarted{Number: 1, Task: odd}),
		In(odd, 6, ledger.TaskEnded{Task: odd, State: odd}),
		In(odd, 7, ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction}), In(odd, 8, ledger.StepReopened{Rerun: true, Why: odd}))
	CheckTables(t, l, d)
	if got := d.tables(t)[id]; len(got.Steps) != 1 || len(got.Tasks) != 1 || !got.Tasks[0].Spent {
		t.Errorf("got %+v", got)
	}
}

// tablesFollowRandomHistories appends what may follow, in batches, through two handles on
// the same ledger in turn, so that what one of them remembers is outdated. What Draw draws
// at all is asked of examples, by a test of the package ledger.
func tablesFollowRandomHistories(t *testing.T, s Suite) {
	l := s.Open(t)
	d := s.Database(t, l)
	ledgers := []ledger.Ledger{l, s.second(t, l)}
	tries := 0
	rapid.Check(t, func(r *rapid.T) {
		tries++
		id := ledger.ID{Job: "j", Run: fmt.Sprint(tries)}
		seq, err := l.Append(t.Context(), id, 0, 0, Created(id, T0))
		if err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 30).Draw(r, "appends") {
			by := rapid.SampledFrom(ledgers).Draw(r, "ledger")
			known, err := by.Events(t.Context(), id, 0)
			if err != nil {
				r.Fatal(err)
			}
			s, err := ledger.Fold(known)
			if err != nil {
				r.Fatal(err)
			}
			var events []ledger.Event
			for range rapid.IntRange(1, 2).Draw(r, "events") {
				events = append(events, Draw(r, s, time.Duration(seq)*time.Second))
			}
			last, err := by.Append(t.Context(), id, seq, 0, events...)
			if err == nil {
				seq = last
			} else if _, ok := errors.AsType[*ledger.OrderError](err); !ok {
				r.Fatalf("append %v: %v", events, err)
			}
		}
		known, err := l.Events(t.Context(), id, 0)
		if err != nil {
			r.Fatal(err)
		}
		s, err := ledger.Fold(known)
		if err != nil {
			r.Fatal(err)
		}
		// While it draws simpler ones, the run alone; at the end all of them.
		if diff := cmp.Diff(s.Tables(), d.tables(t)[id], asKept); diff != "" {
			r.Fatalf("(-from the events +kept):\n%s", diff)
		}
	})
	CheckTables(t, ledgers[1], d)
	tasks := 0
	for _, of := range d.tables(t) {
		tasks += len(of.Tasks)
	}
	if tasks == 0 {
		t.Error("the histories held no task: they show nothing")
	}
}

// aRunThatIsGoneIsNotRemembered deletes a run that the ledger writes and makes it anew, as
// another process could.
func aRunThatIsGoneIsNotRemembered(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	mustAppend(t, l, id, 0, Story(id)[:7]...)
	s.Database(t, other).mustExec(t, `DELETE FROM run`)
	mustAppend(t, other, id, 0, Created(id, T0), In("post", 1, ledger.StepStarted{Try: 1}))
	mustAppend(t, l, id, 2, In("load", 1, ledger.StepStarted{Try: 1}))
	CheckTables(t, l, s.Database(t, l))
}
