package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// database goes around the ledger to its file.
func database(l *Ledger) ledgertest.Database {
	query := func(query string, row func(scan func(...any) error) error) error {
		rows, err := l.db.Query(query)
		if err != nil {
			return err
		}
		return eachRow(rows, func() error { return row(rows.Scan) })
	}
	return ledgertest.Database{
		Exec: func(query string) error {
			_, err := l.db.Exec(query)
			return err
		},
		Query: query,
		Sound: func() error {
			var found string
			return errors.Join(
				query(`PRAGMA integrity_check`, func(scan func(...any) error) error {
					if err := scan(&found); err != nil || found != "ok" {
						return fmt.Errorf("%s, %v", found, err)
					}
					return nil
				}),
				query(`PRAGMA foreign_key_check`, func(func(...any) error) error { return errors.New("a row without its parent") }))
		},
	}
}

func checkTables(t testing.TB, l *Ledger) {
	t.Helper()
	ledgertest.CheckTables(t, l, database(l))
}

var illegal = []ledgertest.Illegal{
	{`INSERT INTO event VALUES (1, 17, '{}')`, "must follow the last one"},
	{`INSERT INTO event VALUES (1, 15, '{}')`, "must follow the last one"},
	{`INSERT INTO event VALUES (9, 1, '{}')`, "must follow the last one"},
	{`INSERT INTO event VALUES (2, 42, '{}')`, "the run has ended"},
	{`INSERT INTO event VALUES (2, 42, '{"kind":"run_continued"}')`, "the run has ended"},
	{`INSERT INTO event VALUES (3, 23, '{"kind":"warned"}')`, "the run has ended"},
	{`INSERT INTO event VALUES (3, 23, '{}')`, "the run has ended"},
	{`INSERT INTO event VALUES (3, 23, 'x')`, "malformed JSON"},
	{`UPDATE lease SET epoch = 1 WHERE key = 'k'`, "does not go back"},
}

func TestMemoryForStatesIsBounded(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "ledger.db"))
	for n := range 3 * mostKnown {
		id := ledger.ID{Job: "j", Run: fmt.Sprint(n)}
		events := []ledger.Event{ledgertest.Created(id, ledgertest.T0)}
		if n == 0 {
			events = append(events, ledgertest.At(1, ledger.RunEnded{Verdict: ledger.OK}))
		}
		if _, err := l.Append(t.Context(), id, 0, 0, events...); err != nil {
			t.Fatal(err)
		}
		if n == 0 && len(l.known) != 0 {
			t.Error("a run that has ended is remembered")
		}
		if len(l.known) > mostKnown {
			t.Fatalf("%d states are remembered", len(l.known))
		}
	}
	if len(l.known) == 0 {
		t.Error("nothing is remembered")
	}
}
