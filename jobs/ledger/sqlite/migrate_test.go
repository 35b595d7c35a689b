package sqlite

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// first unpacks a ledger that a program of schema 1 wrote: runs that were just created,
// under way with starts of every outcome, stopped, failed, unsure, closed, and with odd names.
func first(t testing.TB) (path string) {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", "ledger_v1.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// raw opens a file without our program.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", source(path, patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// dump is what a query gives, a line a row.
func dump(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(&text, "%v|", *v.(*any))
		}
		text.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

const (
	schemaQuery = `SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name`
	truthQuery  = `SELECT run.*, event.* FROM run JOIN event ON event.run = run.id ORDER BY run.id, event.seq`
)

// all is everything that a file of version 1 holds.
func all(t testing.TB, db *sql.DB) string {
	return dump(t, db, `PRAGMA user_version`) + dump(t, db, schemaQuery) + dump(t, db, truthQuery) +
		dump(t, db, `SELECT * FROM step ORDER BY run, position`) + dump(t, db, `SELECT * FROM task ORDER BY run, number`)
}

func TestAFileOfTheFirstVersionIsBroughtUp(t *testing.T) {
	path := first(t)
	before := dump(t, raw(t, path), truthQuery)
	l := mustOpen(t, path)
	if l.Created() {
		t.Error("it was there, and was created")
	}
	if diff := cmp.Diff(before, dump(t, l.db, truthQuery)); diff != "" {
		t.Errorf("runs and events have changed:\n%s", diff)
	}
	if n := strings.Count(dump(t, l.db, `SELECT 1 FROM task`), "\n"); n != 14 {
		t.Errorf("%d tasks came over, want 14", n)
	}
	checkTables(t, l)
	fresh := mustOpen(t, filepath.Join(t.TempDir(), "fresh.db"))
	for _, query := range []string{schemaQuery, `PRAGMA user_version`, `PRAGMA application_id`} {
		if diff := cmp.Diff(dump(t, fresh.db, query), dump(t, l.db, query)); diff != "" {
			t.Errorf("%s (-made now +brought up):\n%s", query, diff)
		}
	}
	starts, err := l.Unsettled(t.Context(), ledgertest.Model.Host, ledgertest.Model.ID)
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, s := range starts {
		open = append(open, s.Run.Run)
	}
	slices.Sort(open)
	if diff := cmp.Diff([]string{"detached", "open", "pending", "refused", "running", "unsure"}, open); diff != "" {
		t.Errorf("unsettled (-want +got):\n%s", diff)
	}
	continueAll(t, l)
	checkTables(t, l)
}

// continueAll continues every run that is not closed, up to its end.
func continueAll(t *testing.T, l *Ledger) {
	t.Helper()
	runs, err := l.Runs(t.Context(), ledger.Query{Open: true})
	if err != nil || len(runs) != 12 {
		t.Fatalf("%d runs are open, %v", len(runs), err)
	}
	for _, r := range runs {
		events, err := l.Events(t.Context(), r.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		more := []ledger.Event{ledgertest.At(time.Hour, ledger.RunContinued{})}
		s, err := ledger.Fold(events)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range s.Steps {
			name := step.Plan.Name
			if step.End != nil && step.End.Verdict != ledger.Blocked {
				more = append(more, ledgertest.In(name, time.Hour, ledger.StepReopened{}))
			}
			for _, i := range step.Intents {
				if i.Outcome == ledger.IntentPending || i.Outcome == ledger.IntentOpen {
					more = append(more, ledgertest.In(name, time.Hour, ledger.StartSettled{Number: i.Number, Outcome: ledger.IntentStarted, Task: "found"}))
				}
			}
			more = append(more, ledgertest.In(name, 2*time.Hour, ledger.StepEnded{Verdict: ledger.OK}))
		}
		more = append(more, ledgertest.At(2*time.Hour, ledger.RunEnded{Verdict: ledger.OK}))
		if _, err := l.Append(t.Context(), r.ID, s.Seq, 9, more...); err != nil {
			t.Errorf("continue %q: %v", r.ID.Run, err)
		}
	}
	if runs, err := l.Runs(t.Context(), ledger.Query{Open: true}); err != nil || len(runs) != 0 {
		t.Errorf("%d runs are still open, %v", len(runs), err)
	}
}

// TestStoppedWhileItIsBroughtUp fails in the middle, and looks at what a power cut there
// would have left.
func TestStoppedWhileItIsBroughtUp(t *testing.T) {
	path := first(t)
	before := all(t, raw(t, path))
	dark := filepath.Join(t.TempDir(), "ledger.db")
	broken := errors.New("broken")
	reached := false
	_, err := open(t.Context(), path, how{patience: patience, network: network, migrating: func() error {
		reached = true
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(path + suffix)
			if err != nil {
				return err
			}
			if err := os.WriteFile(dark+suffix, data, 0o600); err != nil {
				return err
			}
		}
		return broken
	}})
	if !reached || !errors.Is(err, broken) {
		t.Fatalf("got %v, want that it broke", err)
	}
	for _, at := range []string{path, dark} {
		if diff := cmp.Diff(before, all(t, raw(t, at))); diff != "" {
			t.Errorf("it is no longer what it was:\n%s", diff)
		}
		l := mustOpen(t, at)
		checkTables(t, l)
		continueAll(t, l)
	}
}

func TestBroughtUpByOneOfMany(t *testing.T) {
	path := first(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			l, err := OpenExisting(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			if l.Created() {
				t.Error("it was there, and was created")
			}
			if runs, err := l.Runs(t.Context(), ledger.Query{}); err != nil || len(runs) != 14 {
				t.Errorf("%d runs, %v", len(runs), err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	checkTables(t, mustOpen(t, path))
}

// TestAProgramOfTheFirstVersionStartsNothing: one that has the file open while it is
// brought up fails to record a start, and can still record how its task ended.
func TestAProgramOfTheFirstVersionStartsNothing(t *testing.T) {
	path := first(t)
	old := raw(t, path)
	run := strings.Trim(dump(t, old, `SELECT id FROM run WHERE run = 'running'`), "|\n")
	odd := strings.Trim(dump(t, old, `SELECT run FROM step WHERE name = '1'`), "|\n")
	mustOpen(t, path)
	for _, c := range []struct{ query, says string }{
		{`INSERT INTO task (run, step, number, epoch, outcome, task, state, intended, began, ended)
			VALUES (` + run + `, 0, 9, 0, 'pending', '', '', 'x', '', '')`, "needs a step"},
		{`INSERT INTO task (run, step, number, epoch, outcome, task, state, intended, began, ended)
			VALUES (` + odd + `, 1, 9, 0, 'pending', '', '', 'x', '', '')`, "NOT NULL"}, // a step is named as a position
		{`UPDATE task SET outcome = 'started', task = 'T1', state = 'COMPLETE', began = 'x', ended = 'y' WHERE run = ` + run + ` AND number = 1`, ""},
		{`UPDATE step SET state = 'ended', ended = 'x', verdict = 'ok' WHERE run = ` + run + ` AND position = 0`, ""},
	} {
		_, err := old.Exec(c.query)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s\n\tgot %v, want %q", c.query, err, c.says)
		}
	}
}

// TestTheTestdataIsOfTheFirstVersion would notice if somebody wrote it anew.
func TestTheTestdataIsOfTheFirstVersion(t *testing.T) {
	db := raw(t, first(t))
	if got := dump(t, db, `PRAGMA user_version`); got != "1|\n" {
		t.Errorf("it is of version %s", got)
	}
	if got := dump(t, db, `SELECT outcome, count(*) FROM task GROUP BY outcome ORDER BY outcome`); got != "open|2|\npending|3|\nrefused|2|\nstarted|7|\n" {
		t.Errorf("its tasks are %s", got)
	}
	if !bytes.Contains([]byte(dump(t, db, schemaQuery)), []byte("PRIMARY KEY (run, position)")) {
		t.Error("its steps are not by position")
	}
}
