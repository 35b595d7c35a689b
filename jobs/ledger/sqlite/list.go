package sqlite

import (
	"context"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Runs implements ledger.Ledger. It reads the table of runs, and events
// only for Query.Moved.
func (l *Ledger) Runs(ctx context.Context, q ledger.Query) ([]ledger.Summary, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if err := l.same(); err != nil {
		return nil, err
	}
	where, args := conditions(q)
	rows, err := l.db.QueryContext(ctx, `SELECT job, run, started, updated, ended, verdict, cause, code, steps, done, closed
		FROM run`+where+` ORDER BY started DESC, id DESC LIMIT ?`, append(args, q.Most())...)
	if err != nil {
		return nil, l.failed(ledger.ToRead, err)
	}
	defer rows.Close()
	var found []ledger.Summary
	for rows.Next() {
		var r ledger.RunRow
		if err := rows.Scan(&r.Job, &r.Run, &r.Started, &r.Updated, &r.Ended, &r.Verdict, &r.Cause, &r.Code, &r.Steps, &r.Done, &r.Closed); err != nil {
			return nil, l.failed(ledger.ToRead, err)
		}
		s, err := r.Summary()
		if err != nil {
			return nil, l.failed(ledger.ToRead, err)
		}
		found = append(found, s)
	}
	if err := rows.Err(); err != nil {
		return nil, l.failed(ledger.ToRead, err)
	}
	return found, nil
}

func conditions(q ledger.Query) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	switch {
	case q.Job != "" && q.Moved != "":
		add("+job = ?", q.Job) // not by its index: from the latest run back, no farther than the limit
	case q.Job != "":
		add("job = ?", q.Job)
	}
	if q.Run != "" {
		add("run = ?", q.Run)
	}
	if !q.Since.IsZero() {
		add("started >= ?", ledger.Stamp(q.Since))
	}
	if q.Open {
		add("closed = ?", 0)
	}
	if !q.Updated.IsZero() {
		add("updated >= ?", ledger.Stamp(q.Updated))
	}
	if q.Moved != "" {
		uploaded, written := q.Marks()
		add("EXISTS (SELECT 1 FROM event WHERE event.run = run.id AND (instr(data, ?) > 0 OR instr(data, ?) > 0))", uploaded, written)
	}
	if where == nil {
		return "", nil
	}
	return " WHERE " + strings.Join(where, " AND "), args
}
