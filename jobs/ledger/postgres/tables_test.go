package postgres

import (
	"context"
	"fmt"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// database goes around the ledger.
func database(l *Ledger) ledgertest.Database {
	ctx := context.Background()
	return ledgertest.Database{
		Exec: func(query string) error {
			_, err := l.pool.Exec(ctx, query)
			return err
		},
		Query: func(query string, row func(scan func(...any) error) error) error {
			rows, err := l.pool.Query(ctx, query)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				if err := row(rows.Scan); err != nil {
					return err
				}
			}
			return rows.Err()
		},
	}
}

func exec(t testing.TB, l *Ledger, query string, args ...any) {
	t.Helper()
	if _, err := l.pool.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func checkTables(t testing.TB, l *Ledger) {
	t.Helper()
	ledgertest.CheckTables(t, l, database(l))
}

var illegal = []ledgertest.Illegal{
	{`INSERT INTO event VALUES (1, 17, '', '')`, "must follow the last one"},
	{`INSERT INTO event VALUES (1, 15, '', '')`, "must follow the last one"},
	{`INSERT INTO event VALUES (9, 1, '', '')`, "must follow the last one"},
	{`INSERT INTO event VALUES (2, 42, '', '')`, "the run has ended"},
	{`INSERT INTO event VALUES (2, 42, 'run_continued', '')`, "the run has ended"},
	{`INSERT INTO event VALUES (3, 23, 'warned', '')`, "the run has ended"},
	{`INSERT INTO event VALUES (3, 23, '', '')`, "the run has ended"},
	{`UPDATE lease SET epoch = 0 WHERE key = 'k'`, "does not go back"},
	{`UPDATE lease SET epoch = 2, token = 'mine' WHERE key = 'k'`, "somebody has the lease"},
	{`UPDATE lease SET token = 'mine' WHERE key = 'k'`, "another taking has another epoch"},
	{`DELETE FROM task WHERE run = 1`, "a start goes only with its run"},
}

func TestMemoryForStatesIsBounded(t *testing.T) {
	l := mustOpen(t, fresh(t))
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
