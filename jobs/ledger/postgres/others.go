package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Unsettled implements ledger.Ledger. The tables say which runs have such starts, and
// their events say which.
func (l *Ledger) Unsettled(ctx context.Context, host, model string) (found []ledger.Start, err error) {
	err = l.transact(ctx, ledger.ToRead, snapshot, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, seq FROM run WHERE id IN (SELECT run FROM task
			WHERE (outcome IN ('pending', 'open') OR outcome = 'started' AND ended = '') AND host = $1 AND model = $2)`, text(host), text(model))
		if err != nil {
			return err
		}
		type place struct{ Row, Seq int64 }
		places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		if err != nil {
			return err
		}
		for _, p := range places {
			s, err := l.state(ctx, tx, p.Row, p.Seq)
			if err != nil {
				return err
			}
			found = append(found, s.Unsettled(host, model)...)
			l.remember(p.Row, s)
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
func (l *Ledger) Tasks(ctx context.Context, host, model, object string, after time.Time) (found []string, err error) {
	err = l.transact(ctx, ledger.ToRead, snapshot, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT task FROM task
			WHERE task <> '' AND intended > $1 AND host = $2 AND model = $3 AND object = $4 ORDER BY task COLLATE "C"`,
			ledger.Stamp(after), text(host), text(model), text(object))
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found, nil
}

// Ask implements ledger.Ledger.
func (l *Ledger) Ask(ctx context.Context, id ledger.ID, w ledger.Wish) error {
	if err := w.Check(); err != nil {
		return err
	}
	return l.transact(ctx, ledger.ToWrite, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		row, err := rowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO wish (run, what, "by", at, seq) SELECT id, $2, $3, $4, seq FROM run WHERE id = $1
			ON CONFLICT (run) DO UPDATE SET what = excluded.what, "by" = excluded."by", at = excluded.at, seq = excluded.seq`,
			row, w.What, text(w.By), ledger.Stamp(w.At))
		return err
	})
}

// Asked implements ledger.Ledger.
func (l *Ledger) Asked(ctx context.Context, id ledger.ID) (w *ledger.Wish, err error) {
	err = l.transact(ctx, ledger.ToRead, snapshot, func(ctx context.Context, tx pgx.Tx) error {
		w = nil
		row, err := rowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		found, at := ledger.Wish{}, ""
		err = tx.QueryRow(ctx, `SELECT what, "by", at, seq FROM wish WHERE run = $1`, row).Scan(&found.What, &found.By, &at, &found.Seq)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if found.At, err = ledger.Unstamp(at); err != nil {
			return fmt.Errorf("time of the wish for run %q: %w", id.Run, err)
		}
		w = &found
		return nil
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Remove implements ledger.Ledger.
func (l *Ledger) Remove(ctx context.Context, id ledger.ID) error {
	key := ledger.RunKey(id)
	return l.transact(ctx, ledger.ToWrite, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		var row int64
		err := tx.QueryRow(ctx, `SELECT id FROM run WHERE job = $1 AND run = $2 FOR UPDATE`, sendable(id.Job), sendable(id.Run)).Scan(&row)
		if errors.Is(err, pgx.ErrNoRows) {
			return noRun(id)
		}
		if err != nil {
			return err
		}
		if _, err := epochOf(ctx, tx, key); err != nil { // nobody takes it from here on
			return err
		}
		by, err := holderOf(ctx, tx, key)
		if err != nil {
			return err
		}
		if by != nil {
			return &ledger.HeldError{Key: key, By: *by}
		}
		l.mu.Lock()
		delete(l.known, row)
		l.mu.Unlock()
		_, err = tx.Exec(ctx, `DELETE FROM run WHERE id = $1`, row)
		return err
	})
}
