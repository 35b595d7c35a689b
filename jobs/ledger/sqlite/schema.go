package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"time"
)

//go:embed schema.sql
var schema string

const (
	schemaVersion = 1          // user_version
	applicationID = 0x414e5052 // "ANPR"
)

// prepare checks that the file is a ledger of ours, or empty, and makes it one. A file
// of another program is not touched.
func (l *Ledger) prepare(ctx context.Context, create bool) error {
	fresh, err := l.inspect(ctx, l.db)
	if err != nil {
		return err
	}
	if fresh && !create {
		return l.missing()
	}
	if fresh {
		if err := l.lay(ctx); err != nil {
			return err
		}
	}
	return l.logAhead(ctx)
}

// querier is what *sql.DB and *sql.Tx share.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// inspect says whether the file is empty; an error says that it is somebody else's.
func (l *Ledger) inspect(ctx context.Context, q querier) (fresh bool, err error) {
	var version, app, tables int64
	err = q.QueryRowContext(ctx, `SELECT v.user_version, a.application_id, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_user_version AS v, pragma_application_id AS a`).Scan(&version, &app, &tables)
	switch {
	case err != nil:
		return false, l.explain(toOpen, err)
	case version == 0 && app == 0 && tables == 0:
		return true, nil
	case app != applicationID:
		return false, l.problem("it is the SQLite database of another program", "name another file with --ledger")
	case version > schemaVersion:
		return false, l.problem(fmt.Sprintf("a newer version of this program wrote it (schema %d, this one knows %d)", version, schemaVersion),
			"use the newer version on this machine")
	case version < schemaVersion:
		return false, l.problem(fmt.Sprintf("its schema %d is none of this program's", version), "name another file with --ledger")
	}
	return false, nil
}

// lay makes the tables, unless another process has just done so.
func (l *Ledger) lay(ctx context.Context) error {
	made := false
	err := l.transact(ctx, toOpen, func(ctx context.Context, tx *sql.Tx) error {
		fresh, err := l.inspect(ctx, tx)
		if err != nil || !fresh {
			return err
		}
		made = true
		_, err = tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion))
		return err
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
			return l.explain(toOpen, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
