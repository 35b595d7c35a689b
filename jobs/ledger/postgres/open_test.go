package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// quiet takes away what the tests' environment may say about servers.
func quiet(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGSERVICE", "PGSSLMODE", "PGTARGETSESSIONATTRS"} {
		t.Setenv(name, "")
	}
}

func TestWhere(t *testing.T) {
	quiet(t)
	for _, c := range []struct{ address, where, schema string }{
		{"postgres://anna@db.example.com/runs", "postgres://anna@db.example.com/runs", defaultSchema},
		{"postgresql://anna:s3cret@db.example.com:5433/runs?sslmode=require&application_name=x", "postgres://anna@db.example.com:5433/runs", defaultSchema},
		{"postgres://anna@db.example.com/runs?search_path=finance", "postgres://anna@db.example.com/runs?search_path=finance", "finance"},
		{"postgres://anna@db.example.com/runs?search_path=%22My%20Runs%22", "postgres://anna@db.example.com/runs?search_path=My%20Runs", "My Runs"},
		{"postgres://anna@a.example.com,b.example.com:5433/runs", "postgres://anna@a.example.com,b.example.com:5433/runs", defaultSchema},
		{"postgres://anna@[2001:db8::1]/runs", "postgres://anna@[2001:db8::1]/runs", defaultSchema},
		{"postgres://anna@/runs?host=/run/postgresql&password=s3cret", "postgres://anna@/runs?host=%2Frun%2Fpostgresql", defaultSchema},
	} {
		cfg, schema, err := parse(c.address)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		if got := where(cfg, schema); got != c.where || schema != c.schema {
			t.Errorf("%s: got %s, schema %s", c.address, got, schema)
		}
		again, schema, err := parse(where(cfg, schema))
		if err != nil || where(again, schema) != c.where {
			t.Errorf("%s cannot be given again: %v", c.where, err)
		}
	}
}

func TestWrongAddresses(t *testing.T) {
	quiet(t)
	for _, address := range []string{"", "ledger.db", "host=h password=s3cret", "mysql://u:s3cret@h/d", "postgres://u:s3c/ret@h/d", "postgres://u:s3c%zzret@h/d",
		"postgres://u:s3cret@h:port/d", "postgres://u:s3cret@h/d?sslmode=odd", "postgres://u:s3cret@h/d?pool_max_conns=many", "postgres://u:s3cret@h/d?search_path=a,b",
		"postgres://u@h/d?password=s3cret&sslrootcert=/nowhere/s3cret"} {
		_, err := Open(t.Context(), address)
		if e, ok := errors.AsType[*ledger.StoreError](err); !ok || e.Next == "" {
			t.Errorf("%s: got %v", address, err)
			continue
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "s3c") || strings.Contains(e.Error(), "ret@") {
				t.Errorf("%s: the password is shown: %v", address, e)
			}
		}
	}
}

// TestErrors: each says what and where, never the password or the query, and what to do.
func TestErrors(t *testing.T) {
	l := &Ledger{where: "postgres://u@h/d", schema: "s", patience: 10 * time.Second}
	refused := func(code, message string) error {
		return &pgconn.PgError{Severity: "ERROR", Code: code, Message: message, InternalQuery: "SELECT s3cret", Where: "PL/pgSQL s3cret", Detail: "s3cret"}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{refused("28P01", `password authentication failed for user "u"`), `write to the ledger postgres://u@h/d: password authentication failed for user "u" (SQLSTATE 28P01); set PGPASSWORD, or write a line for it in ~/.pgpass`},
		{refused("53100", "could not extend file"), "write to the ledger postgres://u@h/d: the server's disk is full: could not extend file (SQLSTATE 53100); free space there"},
		{refused("53300", "sorry, too many clients already"), "write to the ledger postgres://u@h/d: sorry, too many clients already (SQLSTATE 53300); let the server have more connections (max_connections), or end some"},
		{refused("25006", "cannot execute INSERT in a read-only transaction"), "write to the ledger postgres://u@h/d: " + readOnlyWhy + "; " + readOnlyNext},
		{refused("42501", "permission denied for table run"), "write to the ledger postgres://u@h/d: this user may not do that: permission denied for table run (SQLSTATE 42501); make the user the owner of schema s: CREATE SCHEMA … AUTHORIZATION …"},
		{refused("57P03", "the database system is starting up"), "write to the ledger postgres://u@h/d: the database system is starting up (SQLSTATE 57P03); wait until the server runs again, and try again"},
		{refused("55P03", "canceling statement due to lock timeout"), "write to the ledger postgres://u@h/d: something else has kept it locked, or the server busy, for 10s; find out what in pg_stat_activity, and try again"},
		{refused("P0001", "a run does not go back"), "write to the ledger postgres://u@h/d: it refuses what this program wants to record: a run does not go back; " + mistake},
		{refused("58030", "could not fsync file"), "write to the ledger postgres://u@h/d: could not fsync file (SQLSTATE 58030); look into the server's log"},
		{&net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}, "write to the ledger postgres://u@h/d: the connection was lost: read tcp: connection reset by peer; see that the server runs, and try again"},
	} {
		if got := l.explain(ledger.ToWrite, c.err).Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if got := l.unknown(ledger.ToWrite, context.DeadlineExceeded); !strings.Contains(got.Error(), "not known whether it was made") {
		t.Errorf("got %v", got)
	}
}

func TestNobodyListens(t *testing.T) {
	quiet(t)
	_, err := Open(t.Context(), "postgres://u:s3cret@127.0.0.1:1/d?sslmode=disable")
	e, ok := errors.AsType[*ledger.StoreError](err)
	if !ok || e.What() != "open the ledger postgres://u@127.0.0.1:1/d: the server cannot be reached: dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Errorf("got %v", err)
	}
}

// change is an address with other parts.
func change(t *testing.T, address string, to func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	to(u)
	return u.String()
}

func TestServerRefuses(t *testing.T) {
	address := fresh(t)
	standby := with(t, address, "default_transaction_read_only", "on")
	mustOpen(t, address)
	for _, c := range []struct{ name, address, says, next string }{
		{"wrong password", change(t, address, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "s3cret") }), "SQLSTATE 28P01", "PGPASSWORD"},
		{"no such database", change(t, address, func(u *url.URL) { u.Path = "/nowhere" }), `"nowhere" does not exist`, "createdb"},
		{"unknown parameter", with(t, address, "odd_parameter", "s3cret"), "odd_parameter", ""},
		{"only reads", standby, readOnlyWhy, "primary"},
	} {
		_, err := Open(t.Context(), c.address)
		e, ok := errors.AsType[*ledger.StoreError](err)
		if !ok || !strings.Contains(e.Why, c.says) || !strings.Contains(e.Next, c.next) || !strings.Contains(e.Where, "@127.0.0.1") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	// What only reads can be looked into.
	l, err := OpenExisting(t.Context(), standby)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Runs(t.Context(), ledger.Query{}); err != nil {
		t.Error(err)
	}
	id := ledger.ID{Job: "j", Run: "r"}
	if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0)); err == nil || !strings.Contains(err.Error(), readOnlyWhy) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutRights(t *testing.T) {
	address := fresh(t)
	mustOpen(t, address)
	user := "poor_" + strings.ToLower(url.PathEscape(t.Name()))
	sqlExec(t, address, `DROP ROLE IF EXISTS `+user)
	sqlExec(t, address, `CREATE ROLE `+user+` LOGIN PASSWORD 'poor'`)
	t.Cleanup(func() { sqlExec(t, address, `DROP ROLE `+user) })
	poor := func(address string) string {
		return change(t, address, func(u *url.URL) { u.User = url.UserPassword(user, "poor") })
	}
	for _, address := range []string{poor(address), poor(fresh(t))} { // of another's ledger, and to make one
		_, err := Open(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), "this user may not") {
			t.Errorf("got %v", err)
		}
	}
}

func TestOpenMakesItOnce(t *testing.T) {
	address := fresh(t)
	if _, err := OpenExisting(t.Context(), address); !errors.Is(err, ErrMissing) {
		t.Fatalf("got %v, want ErrMissing", err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	created := 0
	for range 6 {
		all.Go(func() {
			l, err := Open(t.Context(), address)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			mu.Lock()
			defer mu.Unlock()
			if l.Created() {
				created++
			}
		})
	}
	all.Wait()
	if created != 1 {
		t.Errorf("%d have made it", created)
	}
	l, err := OpenExisting(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestOthersSchemas(t *testing.T) {
	address := fresh(t)
	schema := schemaOf(t, address)
	sqlExec(t, address, `CREATE SCHEMA `+schema)
	l := mustOpen(t, address) // one that is empty is taken
	if !l.Created() {
		t.Error("it was not created")
	}
	for _, c := range []struct{ change, says string }{
		{`UPDATE ledger_version SET version = 99`, "a newer version of this program wrote it (schema 99, this one knows 1)"},
		{`UPDATE ledger_version SET version = 0`, "its schema 0 is none of this program's"},
		{`UPDATE ledger_version SET version = 1, program = 'other'`, "is another program's"},
		{`DROP TABLE ledger_version`, "holds what is not this program's"},
	} {
		exec(t, l, c.change)
		for _, open := range []func(context.Context, string) (*Ledger, error){Open, OpenExisting} {
			if _, err := open(t.Context(), address); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: got %v", c.change, err)
			}
		}
	}
}

// schemaOf is the quoted schema of an address.
func schemaOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("search_path")
}

// TestBroughtUp plays a program that knows a version more, and one whose step to it fails.
func TestBroughtUp(t *testing.T) {
	address := fresh(t)
	id := ledger.ID{Job: "j", Run: "r"}
	l := mustOpen(t, address)
	if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Story(id)...); err != nil {
		t.Fatal(err)
	}
	broken := how{create: true, versions: []string{version1, `ALTER TABLE run ADD COLUMN more text; UPDATE ledger_version SET version = 7; SELECT 1/0`}}
	if _, err := open(t.Context(), address, broken); err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Fatalf("got %v", err)
	}
	columns := `SELECT count(*) FROM information_schema.columns WHERE table_name = 'run' AND column_name = 'more' AND table_schema = current_schema()`
	var n int
	if err := l.pool.QueryRow(t.Context(), columns).Scan(&n); err != nil || n != 0 {
		t.Fatalf("a part of it was done: %d, %v", n, err)
	}
	checkTables(t, mustOpen(t, address)) // it is what it was

	newer := how{create: true, versions: []string{version1, `ALTER TABLE run ADD COLUMN more text NOT NULL DEFAULT ''`}}
	if _, err := open(t.Context(), address, how{versions: newer.versions}); err == nil || !strings.Contains(err.Error(), "an earlier version") {
		t.Errorf("looking into it has brought it up, or failed otherwise: %v", err)
	}
	after := mustOpenHow(t, address, newer)
	if err := after.pool.QueryRow(t.Context(), columns).Scan(&n); err != nil || n != 1 || after.Created() {
		t.Errorf("%d columns, %v; created: %t", n, err, after.Created())
	}
	checkTables(t, after)
	if _, err := Open(t.Context(), address); err == nil || !strings.Contains(err.Error(), "a newer version") {
		t.Errorf("got %v", err)
	}
	// From nothing to the newest.
	fresh := mustOpenHow(t, fresh(t), newer)
	if err := fresh.pool.QueryRow(t.Context(), columns).Scan(&n); err != nil || n != 1 || !fresh.Created() {
		t.Errorf("%d columns, %v; created: %t", n, err, fresh.Created())
	}
}

func TestConnectionsAreBoundedAndDurable(t *testing.T) {
	l := mustOpen(t, with(t, fresh(t), "synchronous_commit", "off"))
	if n := l.pool.Config().MaxConns; n != mostConnections {
		t.Errorf("%d connections", n)
	}
	for name, want := range map[string]string{"synchronous_commit": "on", "lock_timeout": "10s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "10s",
		"application_name": "anaplan-runner"} {
		var got string
		if err := l.pool.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, %v", name, got, err)
		}
	}
}

// TestFullDisk: what was appended before stays, and nothing of what failed is there.
func TestFullDisk(t *testing.T) {
	address, small := fresh(t), os.Getenv("ANAPLAN_RUNNER_TEST_POSTGRES_SMALL")
	if small == "" {
		t.Skip("NOT TESTED: there is no small disk in ANAPLAN_RUNNER_TEST_POSTGRES_SMALL; `.ci/integration postgres` has one")
	}
	l := mustOpen(t, address)
	exec(t, l, `CREATE TABLESPACE small LOCATION '`+small+`'`)
	t.Cleanup(func() { sqlExec(t, address, `DROP TABLESPACE small`) })
	t.Cleanup(func() { sqlExec(t, address, `DROP SCHEMA `+schemaOf(t, address)+` CASCADE`) })
	exec(t, l, `ALTER TABLE event SET TABLESPACE small`)
	id := ledger.ID{Job: "j", Run: "r"}
	seq, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0))
	for n := 0; err == nil && n < 100; n++ {
		var last int64
		if last, err = l.Append(t.Context(), id, seq, 0, ledgertest.At(1, ledger.Warned{Text: noise()})); err == nil {
			seq = last
		}
	}
	if e, ok := errors.AsType[*ledger.StoreError](err); !ok || !strings.HasPrefix(e.Why, "the server's disk is full: ") || !strings.Contains(e.Next, "free space") {
		t.Errorf("got %v", err)
	}
	events, err := l.Events(t.Context(), id, 0)
	if err != nil || int64(len(events)) != seq || seq < 2 {
		t.Errorf("%d events, %d were appended, %v", len(events), seq, err)
	}
	checkTables(t, l)
}

// noise is text that cannot be compressed much.
func noise() string {
	data := make([]byte, 400_000)
	_, _ = rand.Read(data) // never fails
	return base64.StdEncoding.EncodeToString(data)
}
