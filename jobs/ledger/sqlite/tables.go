package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// stamp is how times stand in the small tables: text that sorts.
const stamp = "2006-01-02T15:04:05.000000000Z"

func stamped(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(stamp)
}

// The rows of the small tables, as they follow from a state. They hold nothing that
// cannot be folded from the events.
type (
	stepRow struct {
		Position            int
		Name, Verb          string
		Host, Model, Object string
		State               string
		Tries               int
		Started, Ended      string
		Verdict, Cause      string
	}
	taskRow struct {
		Step                   string
		Number                 int
		Host, Model, Object    string
		Epoch                  int64
		Outcome, Task, State   string
		Intended, Began, Ended string
		Spent                  bool
	}
)

func stepRowOf(s *ledger.State, i int) stepRow {
	t := &s.Steps[i]
	r := stepRow{Position: i, Name: t.Plan.Name, Verb: t.Plan.Verb, Host: t.Model.Host, Model: t.Model.ID, Object: t.Object.ID,
		State: "planned", Tries: len(t.Tries), Started: stamped(t.Started), Ended: stamped(t.Ended)}
	if r.Tries > 0 {
		r.State = "started"
	}
	if t.End != nil {
		r.State, r.Verdict, r.Cause = "ended", string(t.End.Verdict), string(t.End.Cause)
	}
	return r
}

// taskRowOf is the row of a step's n-th start.
func taskRowOf(t *ledger.StepState, n int) taskRow {
	i := t.Intents[n]
	return taskRow{Step: t.Plan.Name, Number: i.Number, Host: i.Model.Host, Model: i.Model.ID, Object: i.Object.ID, Epoch: i.Epoch, Outcome: string(i.Outcome), Task: i.Task, State: i.State,
		Intended: stamped(i.At), Began: stamped(i.Began), Ended: stamped(i.Ended), Spent: n < t.Spent}
}

// mover stores the events of one append and moves the small tables with them.
type mover struct {
	tx    *sql.Tx
	run   int64 // its row; 0 until it is made
	state *ledger.State
}

// keep stores an event that the state has taken in.
func (m *mover) keep(ctx context.Context, e ledger.Stored) error {
	created, isNew := e.Body.(ledger.RunCreated)
	if isNew {
		at := stamped(e.At)
		done, err := m.tx.ExecContext(ctx, `INSERT INTO run (job, run, started, updated, ended, verdict, cause, code, steps, done, closed)
			VALUES (?, ?, ?, ?, '', '', '', 0, ?, 0, ?)`, created.ID.Job, created.ID.Run, at, at, len(created.Steps), m.state.Closed())
		if err != nil {
			return err
		}
		if m.run, err = done.LastInsertId(); err != nil {
			return err
		}
	}
	if err := m.exec(ctx, `INSERT INTO event (run, seq, data) VALUES (?, ?, ?)`, m.run, e.Seq, string(e.Data)); err != nil {
		return err
	}
	switch b := e.Body.(type) {
	case ledger.RunCreated:
		return m.everyStep(ctx, m.addStep)
	case ledger.RunResolved, ledger.RunContinued:
		return m.everyStep(ctx, m.moveStep)
	case ledger.JobRepaired:
		return m.repair(ctx)
	case ledger.StepStarted, ledger.StepEnded:
		return m.moveStep(ctx, stepRowOf(m.state, m.step(e)))
	case ledger.StepReopened:
		return m.reopen(ctx, m.step(e), b)
	case ledger.Intent:
		return m.addTask(ctx, m.task(e))
	case ledger.TaskStarted, ledger.StartRefused, ledger.StartUnknown, ledger.StartSettled, ledger.TaskSeen, ledger.TaskEnded:
		return m.moveTask(ctx, m.task(e))
	}
	return nil
}

func (m *mover) everyStep(ctx context.Context, move func(context.Context, stepRow) error) error {
	for i := range m.state.Steps {
		if err := move(ctx, stepRowOf(m.state, i)); err != nil {
			return err
		}
	}
	return nil
}

// repair makes the rows of steps anew; those of steps that have begun stay.
func (m *mover) repair(ctx context.Context) error {
	names := make([]string, len(m.state.Steps))
	for i, t := range m.state.Steps {
		names[i] = t.Plan.Name
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	if err := m.exec(ctx, `DELETE FROM step WHERE run = ? AND name NOT IN (SELECT value FROM json_each(?))`, m.run, string(list)); err != nil {
		return err
	}
	return m.everyStep(ctx, func(ctx context.Context, r stepRow) error {
		var there bool
		if err := m.tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM step WHERE run = ? AND name = ?)`, m.run, r.Name).Scan(&there); err != nil {
			return err
		}
		if !there {
			return m.addStep(ctx, r)
		}
		return m.moveStep(ctx, r)
	})
}

func (m *mover) reopen(ctx context.Context, step int, b ledger.StepReopened) error {
	r := stepRowOf(m.state, step)
	if err := m.moveStep(ctx, r); err != nil || !b.Rerun {
		return err
	}
	return m.exec(ctx, `UPDATE task SET spent = 1 WHERE run = ? AND step = ?`, m.run, r.Name)
}

// task is the row of the latest start of an event's step.
func (m *mover) task(e ledger.Stored) taskRow {
	t := &m.state.Steps[m.step(e)]
	return taskRowOf(t, len(t.Intents)-1)
}

// step is the position of an event's step.
func (m *mover) step(e ledger.Stored) int {
	return slices.IndexFunc(m.state.Steps, func(t ledger.StepState) bool { return t.Plan.Name == e.Step })
}

func (m *mover) exec(ctx context.Context, query string, args ...any) error {
	_, err := m.tx.ExecContext(ctx, query, args...)
	return err
}

func (m *mover) moveRun(ctx context.Context, epoch int64) error {
	s := m.state.Summary()
	return m.exec(ctx, `UPDATE run SET epoch = ?, updated = ?, ended = ?, verdict = ?, cause = ?, code = ?, steps = ?, done = ?, closed = ? WHERE id = ?`,
		epoch, stamped(s.Updated), stamped(s.Ended), string(s.Verdict), string(s.Cause), s.Code, s.Steps, s.Done, s.Closed, m.run)
}

// Rows are inserted once and then updated, never upserted: the triggers take what is
// inserted for new.

func (m *mover) addStep(ctx context.Context, r stepRow) error {
	return m.exec(ctx, `INSERT INTO step (run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.run, r.Name, r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause)
}

func (m *mover) moveStep(ctx context.Context, r stepRow) error {
	return m.exec(ctx, `UPDATE step SET position = ?, verb = ?, host = ?, model = ?, object = ?, state = ?, tries = ?, started = ?, ended = ?,
		verdict = ?, cause = ? WHERE run = ? AND name = ?`,
		r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause, m.run, r.Name)
}

func (m *mover) addTask(ctx context.Context, r taskRow) error {
	return m.exec(ctx, `INSERT INTO task (run, step, number, host, model, object, epoch, outcome, task, state, intended, began, ended, spent)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		m.run, r.Step, r.Number, r.Host, r.Model, r.Object, r.Epoch, r.Outcome, r.Task, r.State, r.Intended, r.Began, r.Ended, r.Spent)
}

func (m *mover) moveTask(ctx context.Context, r taskRow) error {
	return m.exec(ctx, `UPDATE task SET outcome = ?, task = ?, state = ?, began = ?, ended = ? WHERE run = ? AND number = ?`,
		r.Outcome, r.Task, r.State, r.Began, r.Ended, m.run, r.Number)
}
