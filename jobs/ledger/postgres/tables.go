package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// text is what the small tables can hold of a text: PostgreSQL has no NUL. The events keep
// it as JSON does.
func text(s string) string { return strings.ReplaceAll(s, "\x00", "\ufffd") }

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
	if _, isNew := e.Body.(ledger.RunCreated); isNew {
		if err := m.addRun(ctx, m.state.RunRow()); err != nil {
			return err
		}
	}
	m.batch.Queue(`INSERT INTO event (run, seq, kind, data) VALUES ($1, $2, $3, $4)`, m.run, e.Seq, e.Body.Kind(), string(e.Data))
	m.change(m.state.Change(e.Event))
	return nil
}

func (m *mover) change(c ledger.Change) {
	if c.Only != nil {
		names := make([]string, len(c.Only))
		for i, name := range c.Only {
			names[i] = text(name)
		}
		m.queue(`DELETE FROM step WHERE run = $1 AND name <> ALL ($2)`, m.run, names)
	}
	for _, r := range c.Add {
		m.addStep(r)
	}
	for _, r := range c.Steps {
		m.moveStep(r)
	}
	if c.Spent != "" {
		m.queue(`UPDATE task SET spent = true WHERE run = $1 AND step = $2`, m.run, c.Spent)
	}
	if c.Start != nil {
		m.addTask(*c.Start)
	}
	if c.Task != nil {
		m.moveTask(*c.Task)
	}
}

// queue adds to what is written to the small tables.
func (m *mover) queue(query string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = text(s)
		}
	}
	m.batch.Queue(query, args...)
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

func (m *mover) addRun(ctx context.Context, r ledger.RunRow) error {
	err := m.tx.QueryRow(ctx, `INSERT INTO run (job, run, started, updated, ended, verdict, cause, code, steps, done, closed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id`,
		r.Job, r.Run, r.Started, r.Updated, r.Ended, r.Verdict, r.Cause, r.Code, r.Steps, r.Done, r.Closed).Scan(&m.run)
	if errors.Is(err, pgx.ErrNoRows) {
		return ledger.ErrConflict // another runner was a moment earlier
	}
	return err
}

func (m *mover) moveRun(r ledger.RunRow, epoch int64) {
	m.queue(`UPDATE run SET epoch = $2, updated = $3, ended = $4, verdict = $5, cause = $6, code = $7, steps = $8, done = $9, closed = $10 WHERE id = $1`,
		m.run, epoch, r.Updated, r.Ended, r.Verdict, r.Cause, r.Code, r.Steps, r.Done, r.Closed)
}

func (m *mover) addStep(r ledger.StepRow) {
	m.queue(`INSERT INTO step (run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 WHERE NOT EXISTS (SELECT 1 FROM step WHERE run = $1 AND name = $2)`,
		m.run, r.Name, r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause)
}

func (m *mover) moveStep(r ledger.StepRow) {
	m.queue(`UPDATE step SET position = $3, verb = $4, host = $5, model = $6, object = $7, state = $8, tries = $9, started = $10, ended = $11,
		verdict = $12, cause = $13 WHERE run = $1 AND name = $2`,
		m.run, r.Name, r.Position, r.Verb, r.Host, r.Model, r.Object, r.State, r.Tries, r.Started, r.Ended, r.Verdict, r.Cause)
}

func (m *mover) addTask(r ledger.TaskRow) {
	m.queue(`INSERT INTO task (run, step, number, host, model, object, epoch, outcome, task, state, intended, began, ended, spent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		m.run, r.Step, r.Number, r.Host, r.Model, r.Object, r.Epoch, r.Outcome, r.Task, r.State, r.Intended, r.Began, r.Ended, r.Spent)
}

func (m *mover) moveTask(r ledger.TaskRow) {
	m.queue(`UPDATE task SET outcome = $3, task = $4, state = $5, began = $6, ended = $7 WHERE run = $1 AND number = $2`,
		m.run, r.Number, r.Outcome, r.Task, r.State, r.Began, r.Ended)
}
