package postgres

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

//go:embed schema/version_1.sql
var version1 string

// versions bring a schema from each version to the next, the first from nothing to 1. One
// that was published never changes.
var versions = []string{version1}

// program marks the schemas of this program.
const program = "anaplan-runner"

// prepare checks that the schema is a ledger of ours, or empty, and makes it one.
func (l *Ledger) prepare(ctx context.Context, h how) error {
	version, err := l.inspect(ctx, l.pool, len(h.versions))
	switch {
	case err != nil:
		return err
	case version == 0 && !h.create:
		return &ledger.StoreError{Doing: ledger.ToOpen, Where: l.where, Why: "there is none", Next: "the first run makes it; name another with --ledger", Err: ErrMissing}
	case version < len(h.versions) && !h.create:
		return l.problem(fmt.Sprintf("an earlier version of this program wrote it (schema %d, this one knows %d)", version, len(h.versions)),
			"the next run brings it up to this version")
	case version < len(h.versions):
		return l.migrate(ctx, h.versions)
	case !h.create:
		return nil
	}
	return l.Writable(ctx)
}

// Writable says why a run cannot be recorded, before it fails in its middle: on a standby.
func (l *Ledger) Writable(ctx context.Context) error {
	var readOnly bool
	if err := l.pool.QueryRow(ctx, `SELECT current_setting('transaction_read_only')::bool`).Scan(&readOnly); err != nil {
		return l.failed(ctx, ledger.ToOpen, err)
	}
	if readOnly {
		return l.readOnly(ledger.ToOpen, nil)
	}
	return nil
}

// querier is what a pool and a transaction share.
type querier interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// inspect gives the version of the schema, 0 for one that is empty or not there; an error
// says that it is somebody else's, or of a version after the newest.
func (l *Ledger) inspect(ctx context.Context, q querier, newest int) (version int, err error) {
	var tables int
	var versioned, ours bool
	err = q.QueryRow(ctx, `SELECT count(*), coalesce(bool_or(c.relname = 'ledger_version' AND c.relkind = 'r'), false),
			coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE')), false)
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1`, l.schema).Scan(&tables, &versioned, &ours)
	if err != nil {
		return 0, l.failed(ctx, ledger.ToOpen, err)
	}
	const another = "name another schema with search_path in the address, or another database"
	switch {
	case tables == 0:
		return 0, nil
	case !ours:
		return 0, l.problem("this user may not use schema "+l.schema, "let its owner grant that: ledgers are for one user, or for the members of the role that owns them")
	case !versioned:
		return 0, l.problem("schema "+l.schema+" holds what is not this program's", another)
	}
	var by string
	if err := q.QueryRow(ctx, `SELECT program, version FROM ledger_version`).Scan(&by, &version); err != nil {
		return 0, l.failed(ctx, ledger.ToOpen, err)
	}
	switch {
	case by != program:
		return 0, l.problem("schema "+l.schema+" is another program's", another)
	case version > newest:
		return 0, l.problem(fmt.Sprintf("a newer version of this program wrote it (schema %d, this one knows %d)", version, newest),
			"use the newer version on this machine")
	case version < 1:
		return 0, l.problem(fmt.Sprintf("its schema %d is none of this program's", version), another)
	}
	return version, nil
}

// migrate makes the schema, or brings it up, in one transaction, one runner at a time.
func (l *Ledger) migrate(ctx context.Context, versions []string) error {
	made := false
	err := l.transact(ctx, ledger.ToOpen, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, program+" "+l.schema); err != nil {
			return err
		}
		version, err := l.inspect(ctx, tx, len(versions))
		if err != nil || version == len(versions) {
			return err // another runner has just done so
		}
		if version == 0 {
			made = true
			var there bool
			if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, l.schema).Scan(&there); err != nil {
				return err
			}
			if !there { // IF NOT EXISTS would ask for the right to make one
				if _, err := tx.Exec(ctx, `CREATE SCHEMA `+pgx.Identifier{l.schema}.Sanitize()); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, `CREATE TABLE ledger_version (program text NOT NULL, version integer NOT NULL)`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO ledger_version VALUES ($1, 0)`, program); err != nil {
				return err
			}
		}
		for _, step := range versions[version:] {
			if _, err := tx.Conn().PgConn().Exec(ctx, step).ReadAll(); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE ledger_version SET version = $1`, len(versions))
		return err
	})
	l.created = err == nil && made
	return err
}
