package ledger_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// keeper keeps tables as a database does: it knows only what each event changes.
type keeper struct {
	t      testing.TB
	tables ledger.Tables
}

func (k *keeper) step(name string) int {
	return slices.IndexFunc(k.tables.Steps, func(r ledger.StepRow) bool { return r.Name == name })
}

func (k *keeper) take(s *ledger.State, e ledger.Event) {
	k.t.Helper()
	c := s.Change(e)
	if c.Only != nil {
		k.tables.Steps = slices.DeleteFunc(k.tables.Steps, func(r ledger.StepRow) bool { return !slices.Contains(c.Only, r.Name) })
	}
	for _, r := range c.Add {
		if r.State != "planned" {
			k.t.Errorf("after %s: a new row that is %s", e.Body.Kind(), r.State)
		}
		if k.step(r.Name) < 0 {
			k.tables.Steps = append(k.tables.Steps, r)
		}
	}
	for _, r := range c.Steps {
		i := k.step(r.Name)
		if i < 0 {
			k.t.Fatalf("after %s: step %q has no row", e.Body.Kind(), r.Name)
		}
		k.tables.Steps[i] = r
	}
	for i, r := range k.tables.Tasks {
		if r.Step == c.Spent {
			k.tables.Tasks[i].Spent = true
		}
	}
	if c.Start != nil {
		k.tables.Tasks = append(k.tables.Tasks, *c.Start)
	}
	if c.Task != nil {
		i := slices.IndexFunc(k.tables.Tasks, func(r ledger.TaskRow) bool { return r.Number == c.Task.Number })
		if i < 0 {
			k.t.Fatalf("after %s: start %d has no row", e.Body.Kind(), c.Task.Number)
		}
		k.tables.Tasks[i] = *c.Task
	}
	k.tables.Run = s.RunRow()
	if diff := cmp.Diff(s.Tables(), k.tables, cmpopts.EquateEmpty(),
		cmpopts.SortSlices(func(a, b ledger.StepRow) bool { return a.Position < b.Position }),
		cmpopts.SortSlices(func(a, b ledger.TaskRow) bool { return a.Number < b.Number })); diff != "" {
		k.t.Fatalf("after %s (-of the state +of the changes):\n%s", e.Body.Kind(), diff)
	}
}

func TestChangesMakeTheTables(t *testing.T) {
	id := ledger.ID{Job: "j", Run: "r"}
	var s ledger.State
	k := keeper{t: t}
	for i, e := range ledgertest.Story(id) {
		e.Seq = int64(i + 1)
		if err := s.Apply(e); err != nil {
			t.Fatal(err)
		}
		k.take(&s, e)
	}
	rapid.Check(t, func(r *rapid.T) {
		var s ledger.State
		k := keeper{t: t}
		next := ledgertest.Created(id, ledgertest.T0)
		for range rapid.IntRange(1, 40).Draw(r, "events") {
			next.Seq = s.Seq + 1
			if s.Apply(next) == nil {
				k.take(&s, next)
			}
			next = ledgertest.Draw(r, s, time.Duration(s.Seq)*time.Second)
		}
	})
}

func TestTheRowOfARunIsItsSummary(t *testing.T) {
	id := ledger.ID{Job: "j", Run: "r"}
	for n := 1; n <= len(ledgertest.Story(id)); n++ {
		events := ledgertest.Story(id)[:n]
		for i := range events {
			events[i].Seq = int64(i + 1)
		}
		s, err := ledger.Fold(events)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.RunRow().Summary()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.Summary(), got); diff != "" {
			t.Errorf("after %d events (-want +got):\n%s", n, diff)
		}
	}
	if got, err := (ledger.RunRow{Run: "r", Started: "yesterday"}).Summary(); err == nil {
		t.Errorf("got %+v", got)
	}
}

func TestStampsSortAsTheirTimes(t *testing.T) {
	east := time.FixedZone("", 3600)
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, east)
	want := []string{"", "2026-11-23T23:00:00.000000000Z", "2026-11-23T23:00:00.000000001Z", "2026-11-23T23:00:01.000000000Z"}
	var got []string
	for _, t0 := range []time.Time{{}, at, at.Add(1), at.Add(time.Second)} {
		text := ledger.Stamp(t0)
		got = append(got, text)
		if back, err := ledger.Unstamp(text); err != nil || !back.Equal(t0) {
			t.Errorf("%q: got %v, %v", text, back, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || !slices.IsSorted(got) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
