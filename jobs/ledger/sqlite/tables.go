package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// mover stores the events of one append and moves the small tables with them.
type mover struct {
	tx    *sql.Tx
	run   int64 // its row; 0 until it is made
	state *ledger.State
}

// keep stores an event that the state has taken in.
func (m *mover) keep(ctx context.Context, e ledger.Stored) error {
	if _, isNew := e.Body.(ledger.RunCreated); isNew {
		if err := m.addRun(ctx, m.state.RunRow()); err != nil {
			return err
		}
	}
	if err := m.exec(ctx, `INSERT INTO event (run, seq, data) VALUES (?, ?, ?)`, m.run, e.Seq, string(e.Data)); err != nil {
		return err
	}
	return m.change(ctx, m.state.Change(e.Event))
}

func (m *mover) change(ctx context.Context, c ledger.Change) error {
	if c.Only != nil {
		list, err := json.Marshal(c.Only)
		if err != nil {
			return err
		}
		if err := m.exec(ctx, `DELETE FROM step WHERE run = ? AND name NOT IN (SELECT value FROM json_each(?))`, m.run, string(list)); err != nil {
			return err
		}
	}
	for _, r := range c.Add {
		if err := m.addStep(ctx, r); err != nil {
			return err
		}
	}
	for _, r := range c.Steps {
		if err := m.moveStep(ctx, r); err != nil {
			return err
		}
	}
	if c.Spent != "" {
		if err := m.exec(ctx, `UPDATE task SET spent = 1 WHERE run = ? AND step = ?`, m.run, c.Spent); err != nil {
			return err
		}
	}
	switch {
	case c.Start != nil:
		return m.addTask(ctx, *c.Start)
	case c.Task != nil:
		return m.moveTask(ctx, *c.Task)
	}
	return nil
}

func (m *mover) exec(ctx context.Context, query string, args ...any) error {
	_, err := m.tx.ExecContext(ctx, query, args...)
	return err
}

func (m *mover) addRun(ctx context.Context, r ledger.RunRow) error {
	done, err := m.tx.ExecContext(ctx, `INSERT INTO run (job, run, started, updated, ended, verdict, cause, code, steps, done, closed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Job, r.Run, r.Started, r.Updated, r.Ended, r.Verdict, r.Cause, r.Code, r.Steps, r.Done, r.Closed)
	if err != nil {
		return err
	}
	m.run, err = done.LastInsertId()
	return err
}

func (m *mover) moveRun(ctx context.Context, r ledger.RunRow, epoch int64) error {
	return m.exec(ctx, `UPDATE run SET epoch = ?, updated = ?, ended = ?, verdict = ?, cause = ?, code = ?, steps = ?, done = ?, closed = ? WHERE id = ?`,
		epoch, r.Updated, r.Ended, r.Verdict, r.Cause, r.Code, r.Steps, r.Done, r.Closed, m.run)
}

// Rows are inserted once and then updated, never upserted: the triggers take what is
// inserted for new.

func (m *mover) addStep(ctx context.Context, r ledger.StepRow) error {
	return m.exec(ctx, `INSERT INTO step (run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 WHERE NOT EXISTS (SELECT 1 FROM step WHERE run = ?1 AND name = ?2)`,
		m.run, r.Name, r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause)
}

func (m *mover) moveStep(ctx context.Context, r ledger.StepRow) error {
	return m.exec(ctx, `UPDATE step SET position = ?, verb = ?, host = ?, model = ?, object = ?, state = ?, tries = ?, started = ?, ended = ?,
		verdict = ?, cause = ? WHERE run = ? AND name = ?`,
		r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause, m.run, r.Name)
}

func (m *mover) addTask(ctx context.Context, r ledger.TaskRow) error {
	return m.exec(ctx, `INSERT INTO task (run, step, number, host, model, object, epoch, outcome, task, state, intended, began, ended, spent)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.run, r.Step, r.Number, r.Host, r.Model, r.Object, r.Epoch, r.Outcome, r.Task, r.State, r.Intended, r.Began, r.Ended, r.Spent)
}

func (m *mover) moveTask(ctx context.Context, r ledger.TaskRow) error {
	return m.exec(ctx, `UPDATE task SET outcome = ?, task = ?, state = ?, began = ?, ended = ? WHERE run = ? AND number = ?`,
		r.Outcome, r.Task, r.State, r.Began, r.Ended, m.run, r.Number)
}
