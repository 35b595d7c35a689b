package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

func TestSuite(t *testing.T) {
	ledgertest.Run(t, ledgertest.Suite{
		Open: func(t testing.TB) ledger.Ledger { return mustOpen(t, filepath.Join(t.TempDir(), "ledger.db")) },
		Plant: func(t testing.TB, l ledger.Ledger, id ledger.ID, stored []byte) {
			sqlExec(t, l.(*Ledger), `INSERT INTO event (run, seq, data) SELECT id, seq + 1, ? FROM run WHERE job = ? AND run = ?`, string(stored), id.Job, id.Run)
		},
		Second:   func(t testing.TB, l ledger.Ledger) ledger.Ledger { return mustOpen(t, l.Where()) },
		Database: func(_ testing.TB, l ledger.Ledger) ledgertest.Database { return database(l.(*Ledger)) },
		Illegal:  illegal,
	})
}

func mustOpen(t testing.TB, path string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// sqlExec changes the file behind the ledger's back.
func sqlExec(t testing.TB, l *Ledger, query string, args ...any) {
	t.Helper()
	if _, err := l.db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}
