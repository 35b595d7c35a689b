package ledgertest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Database goes around a ledger to the database that keeps it.
type Database struct {
	// Exec runs a statement.
	Exec func(query string) error
	// Query calls row for each row of a query; scan reads it.
	Query func(query string, row func(scan func(into ...any) error) error) error
	// Sound asks the database whether it is whole; nil if it cannot be asked.
	Sound func() error
}

func (d Database) mustExec(t testing.TB, query string) {
	t.Helper()
	if err := d.Exec(query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func (d Database) mustQuery(t testing.TB, query string, row func(scan func(into ...any) error) error) {
	t.Helper()
	if err := d.Query(query, row); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// tables reads the tables of every run.
func (d Database) tables(t testing.TB) map[ledger.ID]ledger.Tables {
	t.Helper()
	runs := map[int64]*ledger.Tables{}
	var id int64
	d.mustQuery(t, `SELECT id, job, run, seq, started, updated, ended, verdict, cause, code, steps, done, closed FROM run`, func(scan func(...any) error) error {
		var r ledger.RunRow
		err := scan(&id, &r.Job, &r.Run, &r.Seq, &r.Started, &r.Updated, &r.Ended, &r.Verdict, &r.Cause, &r.Code, &r.Steps, &r.Done, &r.Closed)
		runs[id] = &ledger.Tables{Run: r}
		return err
	})
	d.mustQuery(t, `SELECT run, position, name, verb, host, model, object, state, tries, started, ended, verdict, cause FROM step`, func(scan func(...any) error) error {
		var r ledger.StepRow
		if err := scan(&id, &r.Position, &r.Name, &r.Verb, &r.Host, &r.Model, &r.Object, &r.State, &r.Tries, &r.Started, &r.Ended, &r.Verdict, &r.Cause); err != nil {
			return err
		}
		runs[id].Steps = append(runs[id].Steps, r)
		return nil
	})
	d.mustQuery(t, `SELECT run, step, number, host, model, object, epoch, outcome, task, state, intended, began, ended, spent FROM task`, func(scan func(...any) error) error {
		var r ledger.TaskRow
		if err := scan(&id, &r.Step, &r.Number, &r.Host, &r.Model, &r.Object, &r.Epoch, &r.Outcome, &r.Task, &r.State, &r.Intended, &r.Began, &r.Ended, &r.Spent); err != nil {
			return err
		}
		runs[id].Tasks = append(runs[id].Tasks, r)
		return nil
	})
	found := map[ledger.ID]ledger.Tables{}
	for _, of := range runs {
		found[ledger.ID{Job: of.Run.Job, Run: of.Run.Run}] = *of
	}
	return found
}

// CheckTables compares the tables of every run in a ledger with those that follow from its
// events, and asks the database whether it is sound.
func CheckTables(t testing.TB, l ledger.Ledger, d Database) {
	t.Helper()
	runs, err := l.Runs(t.Context(), ledger.Query{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	want := map[ledger.ID]ledger.Tables{}
	for _, r := range runs {
		events, err := l.Events(t.Context(), r.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ledger.Fold(events)
		if err != nil {
			t.Fatal(err)
		}
		want[r.ID] = s.Tables()
	}
	if diff := cmp.Diff(want, d.tables(t), asKept); diff != "" {
		t.Fatalf("tables (-from the events +kept):\n%s", diff)
	}
	if d.Sound == nil {
		return
	}
	if err := d.Sound(); err != nil {
		t.Fatalf("the database is not sound: %v", err)
	}
}

// asKept compares tables as databases keep them: in no order, and some have no NUL.
var asKept = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.SortSlices(func(a, b ledger.StepRow) bool { return a.Position < b.Position }),
	cmpopts.SortSlices(func(a, b ledger.TaskRow) bool { return a.Number < b.Number }),
	cmp.FilterValues(func(a, b string) bool { return strings.ContainsRune(a+b, 0) },
		cmp.Comparer(func(a, b string) bool {
			return a == b || strings.ReplaceAll(a, "\x00", "\ufffd") == strings.ReplaceAll(b, "\x00", "\ufffd")
		})),
}
