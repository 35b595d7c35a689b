package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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

// text is what the small tables can hold of a text: PostgreSQL has no NUL. The events keep
// it as JSON does.
func text(s string) string { return strings.ReplaceAll(s, "\x00", "\ufffd") }

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
	r := stepRow{Position: i, Name: text(t.Plan.Name), Verb: text(t.Plan.Verb), Host: text(t.Model.Host), Model: text(t.Model.ID),
		Object: text(t.Object.ID), State: "planned", Tries: len(t.Tries), Started: stamped(t.Started), Ended: stamped(t.Ended)}
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
	return taskRow{Step: text(t.Plan.Name), Number: i.Number, Host: text(i.Model.Host), Model: text(i.Model.ID), Object: text(i.Object.ID),
		Epoch: i.Epoch, Outcome: string(i.Outcome), Task: text(i.Task), State: text(i.State),
		Intended: stamped(i.At), Began: stamped(i.Began), Ended: stamped(i.Ended), Spent: n < t.Spent}
}

// mover stores the events of one append and moves the small tables with them. What it
// writes waits in batch, and goes to the server in one piece.
type mover struct {
	tx    pgx.Tx
	run   int64 // its row; 0 until it is made
	state *ledger.State
	batch *pgx.Batch
}

// keep stores an event that the state has taken in.
func (m *mover) keep(ctx context.Context, e ledger.Stored) error {
	if created, ok := e.Body.(ledger.RunCreated); ok {
		at := stamped(e.At)
		err := m.tx.QueryRow(ctx, `INSERT INTO run (job, run, started, updated, ended, verdict, cause, code, steps, done, closed)
			VALUES ($1, $2, $3, $3, '', '', '', 0, $4, 0, $5) ON CONFLICT DO NOTHING RETURNING id`,
			created.ID.Job, created.ID.Run, at, len(created.Steps), m.state.Closed()).Scan(&m.run)
		if errors.Is(err, pgx.ErrNoRows) {
			return ledger.ErrConflict // another runner was a moment earlier
		}
		if err != nil {
			return err
		}
	}
	m.batch.Queue(`INSERT INTO event (run, seq, kind, data) VALUES ($1, $2, $3, $4)`, m.run, e.Seq, e.Body.Kind(), string(e.Data))
	switch b := e.Body.(type) {
	case ledger.RunCreated:
		m.everyStep(m.addStep)
	case ledger.RunResolved, ledger.RunContinued:
		m.everyStep(m.moveStep)
	case ledger.JobRepaired:
		m.repair()
	case ledger.StepStarted, ledger.StepEnded:
		m.moveStep(stepRowOf(m.state, m.step(e)))
	case ledger.StepReopened:
		m.reopen(m.step(e), b)
	case ledger.Intent:
		m.addTask(m.task(e))
	case ledger.TaskStarted, ledger.StartRefused, ledger.StartUnknown, ledger.StartSettled, ledger.TaskSeen, ledger.TaskEnded:
		m.moveTask(m.task(e))
	}
	return nil
}

// send writes what has been collected.
func (m *mover) send(ctx context.Context) error {
	sent := m.tx.SendBatch(ctx, m.batch)
	for range m.batch.Len() {
		if _, err := sent.Exec(); err != nil {
			return errors.Join(err, sent.Close())
		}
	}
	return sent.Close()
}

func (m *mover) everyStep(move func(stepRow)) {
	for i := range m.state.Steps {
		move(stepRowOf(m.state, i))
	}
}

// repair makes the rows of steps anew; those of steps that have begun stay.
func (m *mover) repair() {
	names := make([]string, len(m.state.Steps))
	for i, t := range m.state.Steps {
		names[i] = text(t.Plan.Name)
	}
	m.batch.Queue(`DELETE FROM step WHERE run = $1 AND name <> ALL ($2)`, m.run, names)
	m.everyStep(func(r stepRow) {
		m.batch.Queue(`INSERT INTO step (run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause)
			SELECT $1, $2, $3, $4, '', '', '', 'planned', 0, '', '', '', '' WHERE NOT EXISTS (SELECT 1 FROM step WHERE run = $1 AND name = $2)`,
			m.run, r.Name, r.Position, r.Verb)
		m.moveStep(r)
	})
}

func (m *mover) reopen(step int, b ledger.StepReopened) {
	r := stepRowOf(m.state, step)
	m.moveStep(r)
	if b.Rerun {
		m.batch.Queue(`UPDATE task SET spent = true WHERE run = $1 AND step = $2`, m.run, r.Name)
	}
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

func (m *mover) moveRun(epoch int64) {
	s := m.state.Summary()
	m.batch.Queue(`UPDATE run SET epoch = $2, updated = $3, ended = $4, verdict = $5, cause = $6, code = $7, steps = $8, done = $9, closed = $10 WHERE id = $1`,
		m.run, epoch, stamped(s.Updated), stamped(s.Ended), string(s.Verdict), string(s.Cause), s.Code, s.Steps, s.Done, s.Closed)
}

func (m *mover) addStep(r stepRow) {
	m.batch.Queue(`INSERT INTO step (run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		m.run, r.Name, r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause)
}

func (m *mover) moveStep(r stepRow) {
	m.batch.Queue(`UPDATE step SET position = $3, verb = $4, host = $5, model = $6, object = $7, state = $8, tries = $9, started = $10, ended = $11,
		verdict = $12, cause = $13 WHERE run = $1 AND name = $2`,
		m.run, r.Name, r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause)
}

func (m *mover) addTask(r taskRow) {
	m.batch.Queue(`INSERT INTO task (run, step, number, host, model, object, epoch, outcome, task, state, intended, began, ended, spent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		m.run, r.Step, r.Number, r.Host, r.Model, r.Object, r.Epoch, r.Outcome, r.Task, r.State, r.Intended, r.Began, r.Ended, r.Spent)
}

func (m *mover) moveTask(r taskRow) {
	m.batch.Queue(`UPDATE task SET outcome = $3, task = $4, state = $5, began = $6, ended = $7 WHERE run = $1 AND number = $2`,
		m.run, r.Number, r.Outcome, r.Task, r.State, r.Began, r.Ended)
}
