package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// The schema: tables that are the same since version 1, tables of version 2, triggers.
var (
	//go:embed schema/runs.sql
	runsSchema string
	//go:embed schema/steps.sql
	stepsSchema string
	//go:embed schema/moves.sql
	movesSchema string
)

const (
	schemaVersion = 2          // user_version
	firstVersion  = 1          // the earliest that can be migrated
	applicationID = 0x414e5052 // "ANPR"
)

var setVersion = fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)

// prepare checks that the file is a ledger of ours, or empty, and makes it one. A file
// of another program is not touched.
func (l *Ledger) prepare(ctx context.Context, h how) error {
	version, err := l.inspect(ctx, l.db)
	if err != nil {
		return err
	}
	if version == 0 && !h.create {
		return l.missing()
	}
	if version != schemaVersion {
		if err := l.lay(ctx, h.migrating); err != nil {
			return err
		}
	}
	return l.logAhead(ctx)
}

// querier is what *sql.DB and *sql.Tx share.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// inspect gives the version of the file's schema, 0 for an empty file; an error says that
// it is somebody else's.
func (l *Ledger) inspect(ctx context.Context, q querier) (version int64, err error) {
	var app, tables int64
	err = q.QueryRowContext(ctx, `SELECT v.user_version, a.application_id, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_user_version AS v, pragma_application_id AS a`).Scan(&version, &app, &tables)
	switch {
	case err != nil:
		return 0, l.explain(ledger.ToOpen, err)
	case version == 0 && app == 0 && tables == 0:
		return 0, nil
	case app != applicationID:
		return 0, l.problem("it is the SQLite database of another program", "name another file with --ledger")
	case version > schemaVersion:
		return 0, l.problem(fmt.Sprintf("a newer version of this program wrote it (schema %d, this one knows %d)", version, schemaVersion),
			"use the newer version on this machine")
	case version < firstVersion:
		return 0, l.problem(fmt.Sprintf("its schema %d is none of this program's", version), "name another file with --ledger")
	}
	return version, nil
}

// lay makes the tables, or brings those of an earlier version up to this one, in one
// transaction, unless another process has just done so. In the middle of bringing them up
// it calls migrating, if that is not nil.
func (l *Ledger) lay(ctx context.Context, migrating func() error) error {
	made := false
	err := l.transact(ctx, ledger.ToOpen, func(ctx context.Context, tx *sql.Tx) error {
		version, err := l.inspect(ctx, tx)
		if err != nil || version == schemaVersion {
			return err
		}
		if version == 0 {
			made = true
			_, err = tx.ExecContext(ctx, runsSchema+stepsSchema+movesSchema+fmt.Sprintf("PRAGMA application_id = %d; ", applicationID)+setVersion)
			return err
		}
		return fromFirst(ctx, tx, migrating)
	})
	l.created = err == nil && made
	return err
}

// logAhead turns the write-ahead log on. SQLite does not wait for others here, so this
// does.
func (l *Ledger) logAhead(ctx context.Context) error {
	const pause = 20 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		var mode string
		err := l.db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case err == nil && mode == "wal":
			return nil
		case err == nil:
			return l.problem("SQLite cannot keep a write-ahead log there (its journal mode is "+mode+")",
				"name a file on a local disk of this machine with --ledger")
		case !busy(err) || waited >= l.patience:
			return l.explain(ledger.ToOpen, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
