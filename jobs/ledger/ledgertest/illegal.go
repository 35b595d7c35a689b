package ledgertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Illegal is a statement that a database must refuse, and what it says, in letters of either
// case. What it may refer to is laid by tablesRefuseIllegalMoves: run 1 is under way, 2 is
// closed, 3 has ended but is not closed, 4 is under way and its steps have ended; the lease k is held.
type Illegal [2]string

var illegal = []Illegal{
	{`UPDATE event SET data = '{}' WHERE seq = 1`, "does not change"},
	{`DELETE FROM event WHERE seq = 15`, "goes only with its run"},
	{`UPDATE run SET run = 'other' WHERE id = 1`, "does not change its name"},
	{`UPDATE run SET started = '' WHERE id = 1`, "does not change its name or its start"},
	{`UPDATE run SET seq = 3 WHERE id = 1`, "does not go back"},
	{`UPDATE run SET seq = 99 WHERE id = 1`, "does not go back"},
	{`UPDATE run SET epoch = -1 WHERE id = 1`, "does not go back"},
	{`UPDATE run SET done = 3 WHERE id = 1`, "check constraint"},
	{`UPDATE run SET verdict = 'great', ended = 'x' WHERE id = 1`, "check constraint"},
	{`UPDATE run SET cause = 'weather' WHERE id = 1`, "check constraint"},
	{`UPDATE run SET verdict = 'ok' WHERE id = 1`, "check constraint"},
	{`UPDATE run SET code = 0 WHERE id = 2`, "the run has ended"},
	{`UPDATE run SET ended = '', verdict = '', cause = '', code = 0, seq = seq + 1 WHERE id = 2`, "the run has ended"}, // it is closed
	{`UPDATE run SET ended = '', verdict = '', cause = '', code = 0 WHERE id = 3`, "the run has ended"},                // without an event
	{`UPDATE run SET code = 0 WHERE id = 3`, "the run has ended"},
	{`DELETE FROM step WHERE run = 1 AND name = 'load'`, "goes only with its run"},
	{`DELETE FROM step WHERE run = 4 AND name = 'load'`, "goes only with its run"},
	{`UPDATE step SET verb = 'export' WHERE run = 1 AND name = 'load'`, "does not change its verb"},
	{`UPDATE step SET position = 9 WHERE run = 3 AND name = 'post'`, "the run has ended"},
	{`UPDATE step SET verdict = 'ok' WHERE run = 4 AND name = 'load'`, "the step has ended"},
	{`UPDATE step SET cause = '' WHERE run = 4 AND name = 'load'`, "the step has ended"},
	{`UPDATE step SET ended = 'x' WHERE run = 4 AND name = 'load'`, "the step has ended"},
	{`UPDATE step SET started = 'x' WHERE run = 4 AND name = 'load'`, "does not go back"},
	{`UPDATE step SET state = 'planned', ended = '', verdict = '', cause = '', tries = 0, started = '' WHERE run = 4 AND name = 'load'`, "does not go back"},
	{`UPDATE task SET spent = true WHERE run = 1 AND number = 3`, "is not spent"}, // pending
	{`UPDATE task SET spent = false WHERE run = 2 AND number = 2`, "does not go back"},
	{`UPDATE task SET outcome = 'started', task = 'T' WHERE run = 2 AND number = 3`, "does not go back"}, // absent
	{`UPDATE task SET outcome = 'overruled' WHERE run = 2 AND number = 1`, "does not go back"},           // refused
	{`UPDATE task SET outcome = 'absent', task = '', state = '', began = '', ended = '' WHERE run = 1 AND number = 2`, "does not go back"},
	{`INSERT INTO task VALUES (4, 'load', 9, '', '', '', 0, 'pending', '', '', 'x', '', '', false)`, "second start is forbidden"}, // its task has run
	{`INSERT INTO task VALUES (4, 'post', 9, '', '', '', 0, 'pending', '', '', 'x', '', '', true)`, "begins as pending"},
	{`UPDATE lease SET epoch = 3 WHERE key = 'k'`, "does not go back"},
	{`UPDATE lease SET key = 'l', epoch = 2 WHERE key = 'k'`, "does not go back"},
	{`DELETE FROM lease`, "the epoch of a lease is kept"},
	{`INSERT INTO wish VALUES (1, 'explode', '', 'x', 1)`, "check constraint"},
	{`INSERT INTO wish VALUES (9, 'cancel', '', 'x', 1)`, "foreign key"},
	{`UPDATE step SET name = 'x' WHERE run = 1`, "does not change its name"},
	{`UPDATE step SET object = 'x' WHERE run = 1 AND name = 'load'`, "does not change its object any more"},
	{`UPDATE step SET model = 'x' WHERE run = 4 AND name = 'check'`, "does not change its object any more"},
	{`UPDATE step SET state = 'planned', tries = 0, started = '' WHERE run = 1 AND name = 'load'`, "does not go back"},
	{`UPDATE step SET tries = 5 WHERE run = 1 AND name = 'load'`, "does not go back"},
	{`UPDATE step SET state = 'odd' WHERE run = 1 AND name = 'load'`, "check constraint"},
	{`UPDATE step SET state = 'ended' WHERE run = 1 AND name = 'load'`, "check constraint"},
	{`UPDATE step SET verdict = 'ok' WHERE run = 2 AND name = 'load'`, "the run has ended"},
	{`INSERT INTO step SELECT run, 'third', 7, verb, host, model, object, state, tries, started, ended, verdict, cause FROM step WHERE run = 1 AND name = 'load'`, "begins as planned"},
	{`INSERT INTO task VALUES (1, 'load', 9, '', '', '', 0, 'pending', '', '', 'x', '', '', false)`, "second start is forbidden"}, // a task runs
	{`INSERT INTO task VALUES (1, 'post', 9, '', '', '', 0, 'pending', '', '', 'x', '', '', false)`, "second start is forbidden"}, // one is pending
	{`INSERT INTO task VALUES (2, 'check', 9, '', '', '', 0, 'pending', '', '', 'x', '', '', false)`, "needs a step that is under way"},
	{`INSERT INTO task VALUES (1, 'none', 9, '', '', '', 0, 'pending', '', '', 'x', '', '', false)`, "needs a step that is under way"},
	{`INSERT INTO task VALUES (1, 'load', 9, '', '', '', 0, 'started', 'T', '', 'x', '', '', false)`, "begins as pending"},
	{`UPDATE task SET outcome = 'pending', task = '', state = '', began = '' WHERE run = 1 AND number = 2`, "does not go back"},
	{`UPDATE task SET outcome = 'open', task = '', state = '', began = '' WHERE run = 1 AND number = 2`, "does not go back"},
	{`UPDATE task SET task = 'U' WHERE run = 1 AND number = 2`, "does not go back"},
	{`UPDATE task SET outcome = 'started', task = 'U' WHERE run = 1 AND number = 1`, "does not go back"}, // refused
	{`UPDATE task SET outcome = 'started' WHERE run = 1 AND number = 3`, "check constraint"},
	{`UPDATE task SET number = 8 WHERE run = 1 AND number = 2`, "does not change its name"},
	{`UPDATE task SET state = 'FAILED' WHERE run = 2 AND number = 2`, "the task has ended"},
	{`INSERT INTO run (job, run, started, updated, ended, verdict, cause, code, steps, done, closed) VALUES ('j', 'over', '', '', '', '', '', 0, 0, 0, false)`, "unique constraint"},
	{`INSERT INTO run (job, run, started, updated, ended, verdict, cause, code, steps, done, closed) VALUES ('j', '', '', '', '', '', '', 0, 0, 0, false)`, "check constraint"},
}

// tablesRefuseIllegalMoves writes behind the ledger's back, as a wrong program would.
func tablesRefuseIllegalMoves(t *testing.T, s Suite) {
	l := s.Open(t)
	d := s.Database(t, l)
	over := ledger.ID{Job: "j", Run: "over"}
	for _, run := range []struct {
		name   string
		events func(story []ledger.Event) []ledger.Event
	}{
		{"under way", func(story []ledger.Event) []ledger.Event {
			return append(story[:13:13], In("post", 1, ledger.StepStarted{Try: 1}), In("post", 1, ledger.Intent{Number: 3}))
		}},
		{over.Run, func(story []ledger.Event) []ledger.Event { return story }},
		{"stopped", func(story []ledger.Event) []ledger.Event { return story[:22] }},
		{"again", func(story []ledger.Event) []ledger.Event {
			return append(story[:20:20], In("post", 1, ledger.StepStarted{Try: 1}), At(1, Repaired("load", "post", "check")),
				In("check", 1, ledger.StepEnded{Verdict: ledger.OK}))
		}},
	} {
		id := ledger.ID{Job: "j", Run: run.name}
		mustAppend(t, l, id, 0, run.events(Story(id))...)
	}
	mustTake(t, l, "k", 1, 1)
	for _, c := range slices.Concat(illegal, s.Illegal) {
		if err := d.Exec(c[0]); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c[1])) {
			t.Errorf("%s\n\tgot %v, want %q", c[0], err, c[1])
		}
	}
	CheckTables(t, l, d)

	// A whole run may go, and nothing of it stays.
	d.mustExec(t, `DELETE FROM run WHERE id = 2`)
	var left int
	d.mustQuery(t, `SELECT (SELECT count(*) FROM event WHERE run = 2) + (SELECT count(*) FROM step WHERE run = 2)
		+ (SELECT count(*) FROM task WHERE run = 2)`, func(scan func(...any) error) error { return scan(&left) })
	if left != 0 {
		t.Errorf("%d rows of a deleted run are left", left)
	}
	mustAppend(t, l, over, 0, Story(over)...) // one of the name of one that is gone
	CheckTables(t, l, d)
}
