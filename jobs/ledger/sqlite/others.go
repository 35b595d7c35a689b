package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Unsettled implements ledger.Ledger. The tables say which runs have such starts, and
// their events say which.
func (l *Ledger) Unsettled(ctx context.Context, host, model string) ([]ledger.Start, error) {
	var found []ledger.Start
	err := l.transact(ctx, ledger.ToRead, func(ctx context.Context, tx *sql.Tx) error {
		runs, err := tx.QueryContext(ctx, `SELECT id, seq FROM run WHERE id IN (SELECT run FROM task
			WHERE (outcome IN ('pending', 'open') OR outcome = 'started' AND ended = '') AND host = ? AND model = ?)`, host, model)
		if err != nil {
			return err
		}
		last := map[int64]int64{}
		if err := eachRow(runs, func() error {
			var row, seq int64
			err := runs.Scan(&row, &seq)
			last[row] = seq
			return err
		}); err != nil {
			return err
		}
		for row, seq := range last {
			s, err := l.state(ctx, tx, row, seq)
			if err != nil {
				return err
			}
			l.remember(row, s)
			found = append(found, s.Unsettled(host, model)...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ledger.SortStarts(found)
	return found, nil
}

// Tasks implements ledger.Ledger.
func (l *Ledger) Tasks(ctx context.Context, host, model, object string, after time.Time) ([]string, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if err := l.same(); err != nil {
		return nil, err
	}
	rows, err := l.db.QueryContext(ctx, `SELECT task FROM task
		WHERE task <> '' AND intended > ? AND host = ? AND model = ? AND object = ? ORDER BY task`, ledger.Stamp(after), host, model, object)
	if err != nil {
		return nil, l.failed(ledger.ToRead, err)
	}
	var found []string
	err = eachRow(rows, func() error {
		var task string
		err := rows.Scan(&task)
		found = append(found, task)
		return err
	})
	if err != nil {
		return nil, l.failed(ledger.ToRead, err)
	}
	return found, nil
}

// eachRow calls scan for each row of a query, and closes it.
func eachRow(rows *sql.Rows, scan func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Ask implements ledger.Ledger.
func (l *Ledger) Ask(ctx context.Context, id ledger.ID, w ledger.Wish) error {
	if err := w.Check(); err != nil {
		return err
	}
	return l.transact(ctx, ledger.ToWrite, func(ctx context.Context, tx *sql.Tx) error {
		row, err := rowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO wish (run, what, by, at, seq) SELECT id, ?, ?, ?, seq FROM run WHERE id = ?`,
			w.What, w.By, ledger.Stamp(w.At), row)
		return err
	})
}

// Asked implements ledger.Ledger.
func (l *Ledger) Asked(ctx context.Context, id ledger.ID) (*ledger.Wish, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if err := l.same(); err != nil {
		return nil, err
	}
	var what, by, at sql.NullString
	var seq sql.NullInt64
	err := l.db.QueryRowContext(ctx, `SELECT w.what, w.by, w.at, w.seq FROM run AS r LEFT JOIN wish AS w ON w.run = r.id
		WHERE r.job = ? AND r.run = ?`, id.Job, id.Run).Scan(&what, &by, &at, &seq)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, noRun(id)
	case err != nil:
		return nil, l.failed(ledger.ToRead, err)
	case !what.Valid:
		return nil, nil
	}
	w := &ledger.Wish{What: what.String, By: by.String, Seq: seq.Int64}
	if w.At, err = ledger.Unstamp(at.String); err != nil {
		return nil, l.failed(ledger.ToRead, fmt.Errorf("time of the wish for run %q: %w", id.Run, err))
	}
	return w, nil
}

// Remove implements ledger.Ledger. The lock file of the run goes with it.
func (l *Ledger) Remove(ctx context.Context, id ledger.ID) error {
	key := ledger.RunKey(id)
	return l.transact(ctx, ledger.ToWrite, func(ctx context.Context, tx *sql.Tx) error {
		row, err := rowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		return l.unheld(ctx, tx, key, func() error {
			delete(l.known, row)
			if _, err := tx.ExecContext(ctx, `DELETE FROM run WHERE id = ?`, row); err != nil {
				return err
			}
			_ = os.Remove(l.lockFile(key)) // Windows keeps a file that is open
			return nil
		})
	})
}

// rowOf is the row of a run.
func rowOf(ctx context.Context, tx *sql.Tx, id ledger.ID) (row int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM run WHERE job = ? AND run = ?`, id.Job, id.Run).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, noRun(id)
	}
	return row, err
}

func noRun(id ledger.ID) error {
	return fmt.Errorf("run %q of job %q: %w", id.Run, id.Job, ledger.ErrNoRun)
}
