package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// toSecond copies the steps and tasks of version 1, whose tasks name the step's position.
const toSecond = `
INSERT INTO step (run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause)
  SELECT run, name, position, verb, host, model, object, state, tries, started, ended, verdict, cause FROM step_1 ORDER BY run, position;
INSERT INTO task (run, step, number, host, model, object, epoch, outcome, task, state, intended, began, ended, spent)
  SELECT t.run, s.name, t.number, s.host, s.model, s.object, t.epoch, t.outcome, t.task, t.state, t.intended, t.began, t.ended, 0
  FROM task_1 AS t JOIN step_1 AS s ON s.run = t.run AND s.position = t.step ORDER BY t.rowid;
`

// fromFirst brings the tables of version 1 up to this version. There is no way back: what
// this version records, version 1 cannot read.
func fromFirst(ctx context.Context, tx *sql.Tx, middle func() error) error {
	var triggers []string
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'trigger'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		triggers = append(triggers, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range triggers {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("DROP TRIGGER %s", name)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DROP INDEX task_step; DROP INDEX task_unsettled;
		ALTER TABLE step RENAME TO step_1; ALTER TABLE task RENAME TO task_1;`+stepsSchema+toSecond); err != nil {
		return err
	}
	if middle != nil {
		if err := middle(); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `DROP TABLE task_1; DROP TABLE step_1;`+movesSchema+setVersion)
	return err
}
