package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Runs implements ledger.Ledger. It reads the table of runs, and events
// only for Query.Moved.
func (l *Ledger) Runs(ctx context.Context, q ledger.Query) (found []ledger.Summary, err error) {
	where, args := conditions(q)
	err = l.transact(ctx, ledger.ToRead, snapshot, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT job, run, started, updated, ended, verdict, cause, code, steps, done, closed
			FROM run%s ORDER BY started DESC, id DESC LIMIT %d`, where, q.Most()), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r ledger.RunRow
			if err := rows.Scan(&r.Job, &r.Run, &r.Started, &r.Updated, &r.Ended, &r.Verdict, &r.Cause, &r.Code, &r.Steps, &r.Done, &r.Closed); err != nil {
				return err
			}
			s, err := r.Summary()
			if err != nil {
				return err
			}
			found = append(found, s)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func conditions(q ledger.Query) (string, []any) {
	var where []string
	var args []any
	value := func(arg any) string {
		args = append(args, arg)
		return fmt.Sprintf("$%d", len(args))
	}
	add := func(condition string, arg any) { where = append(where, condition+" "+value(arg)) }
	if q.Job != "" {
		add("job =", sendable(q.Job))
	}
	if q.Run != "" {
		add("run =", sendable(q.Run))
	}
	if !q.Since.IsZero() {
		add("started >=", ledger.Stamp(q.Since))
	}
	if q.Open {
		add("closed =", false)
	}
	if !q.Updated.IsZero() {
		add("updated >=", ledger.Stamp(q.Updated))
	}
	if q.Moved != "" {
		uploaded, written := q.Marks()
		where = append(where, fmt.Sprintf("EXISTS (SELECT FROM event WHERE event.run = run.id AND (kind = %s AND strpos(data, %s) > 0 OR kind = %s AND strpos(data, %s) > 0))",
			value(ledger.SourceUploaded{}.Kind()), value(uploaded), value(ledger.TargetWritten{}.Kind()), value(written)))
	}
	if where == nil {
		return "", nil
	}
	return " WHERE " + strings.Join(where, " AND "), args
}
