package postgres

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// server is the address of a real server whose user may make schemas. Tests that need one
// run where there is one: .ci/integration starts one, and fails if one of them is skipped.
func server(t testing.TB) string {
	t.Helper()
	address := os.Getenv("ANAPLAN_RUNNER_TEST_POSTGRES")
	if address == "" {
		t.Skip("NOT TESTED: there is no server in ANAPLAN_RUNNER_TEST_POSTGRES; `.ci/integration postgres` starts one")
	}
	return address
}

// fresh is an address with a schema of its own, which goes at the end of the test.
func fresh(t testing.TB) string {
	t.Helper()
	address := server(t)
	schema := "Test " + strings.ToLower(rand.Text()[:10])
	t.Cleanup(func() { sqlExec(t, address, `DROP SCHEMA IF EXISTS "`+schema+`" CASCADE`) })
	return with(t, address, "search_path", `"`+schema+`"`)
}

// with sets a parameter of an address.
func with(t testing.TB, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u.String()
}

// sqlExec changes the database behind the ledger's back.
func sqlExec(t testing.TB, address, query string, args ...any) {
	t.Helper()
	conn := connect(t, address)
	if _, err := conn.Exec(context.Background(), query, args...); err != nil {
		t.Error(err)
	}
}

// connect goes around the ledger.
func connect(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func mustOpen(t testing.TB, address string) *Ledger {
	return mustOpenHow(t, address, how{create: true})
}

func mustOpenHow(t testing.TB, address string, h how) *Ledger {
	t.Helper()
	l, err := open(t.Context(), address, h)
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

func TestSuite(t *testing.T) {
	server(t)
	ledgertest.Run(t, ledgertest.Suite{
		Open: func(t testing.TB) ledger.Ledger { return mustOpen(t, fresh(t)) },
		Plant: func(t testing.TB, l ledger.Ledger, id ledger.ID, stored []byte) {
			if _, err := l.(*Ledger).pool.Exec(t.Context(), `INSERT INTO event (run, seq, kind, data) SELECT id, seq + 1, '', $3 FROM run WHERE job = $1 AND run = $2`,
				id.Job, id.Run, string(stored)); err != nil {
				t.Fatal(err)
			}
		},
		Second: func(t testing.TB, l ledger.Ledger) ledger.Ledger {
			return mustOpen(t, l.(*Ledger).pool.Config().ConnString())
		},
		Database: func(_ testing.TB, l ledger.Ledger) ledgertest.Database { return database(l.(*Ledger)) },
		Illegal:  illegal,
	})
}
