package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// tables are the small tables of one run.
type tables struct {
	Run   runRow
	Steps []stepRow
	Tasks []taskRow
}

type runRow struct {
	Job, Run                string
	Seq                     int64
	Started, Updated, Ended string
	Verdict, Cause          string
	Code, Steps, Done       int
	Closed                  bool
}

// rebuilt makes the tables of the events alone.
func rebuilt(t testing.TB, l *Ledger, id ledger.ID) tables {
	t.Helper()
	events, err := l.Events(t.Context(), id, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ledger.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	sum := s.Summary()
	out := tables{Run: runRow{id.Job, id.Run, s.Seq, stamped(sum.Started), stamped(sum.Updated), stamped(sum.Ended),
		string(sum.Verdict), string(sum.Cause), sum.Code, sum.Steps, sum.Done, sum.Closed}}
	for i := range s.Steps {
		out.Steps = append(out.Steps, stepRowOf(&s, i))
		for n := range s.Steps[i].Intents {
			out.Tasks = append(out.Tasks, taskRowOf(&s.Steps[i], n))
		}
	}
	sortTasks(out.Tasks)
	return out
}

// sortTasks puts the starts of a step in the order of their numbers, which random
// histories do not have.
func sortTasks(tasks []taskRow) {
	slices.SortFunc(tasks, func(a, b taskRow) int { return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Number, b.Number)) })
}

// kept reads the tables as they are.
func kept(t testing.TB, l *Ledger, id ledger.ID) tables {
	t.Helper()
	var out tables
	var row int64
	r := &out.Run
	err := l.pool.QueryRow(t.Context(), `SELECT id, job, run, seq, started, updated, ended, verdict, cause, code, steps, done, closed FROM run WHERE job = $1 AND run = $2`,
		id.Job, id.Run).Scan(&row, &r.Job, &r.Run, &r.Seq, &r.Started, &r.Updated, &r.Ended, &r.Verdict, &r.Cause, &r.Code, &r.Steps, &r.Done, &r.Closed)
	if err != nil {
		t.Fatal(err)
	}
	each(t, l, func(rows pgx.Rows) error {
		var s stepRow
		err := rows.Scan(&s.Position, &s.Name, &s.Verb, &s.Host, &s.Model, &s.Object, &s.State, &s.Tries, &s.Started, &s.Ended, &s.Verdict, &s.Cause)
		out.Steps = append(out.Steps, s)
		return err
	}, `SELECT position, name, verb, host, model, object, state, tries, started, ended, verdict, cause FROM step WHERE run = $1 ORDER BY position`, row)
	each(t, l, func(rows pgx.Rows) error {
		var k taskRow
		err := rows.Scan(&k.Step, &k.Number, &k.Host, &k.Model, &k.Object, &k.Epoch, &k.Outcome, &k.Task, &k.State, &k.Intended, &k.Began, &k.Ended, &k.Spent)
		out.Tasks = append(out.Tasks, k)
		return err
	}, `SELECT t.step, t.number, t.host, t.model, t.object, t.epoch, t.outcome, t.task, t.state, t.intended, t.began, t.ended, t.spent
		FROM task AS t JOIN step AS s ON s.run = t.run AND s.name = t.step WHERE t.run = $1 ORDER BY s.position, t.number`, row)
	sortTasks(out.Tasks)
	return out
}

func exec(t testing.TB, l *Ledger, query string, args ...any) {
	t.Helper()
	if _, err := l.pool.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func each(t testing.TB, l *Ledger, scan func(pgx.Rows) error, query string, args ...any) {
	t.Helper()
	rows, err := l.pool.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// checkTables compares the tables of every run with its events.
func checkTables(t testing.TB, l *Ledger) {
	t.Helper()
	runs, err := l.Runs(t.Context(), ledger.Query{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if diff := gocmp.Diff(rebuilt(t, l, r.ID), kept(t, l, r.ID)); diff != "" {
			t.Fatalf("tables of run %v (-from the events +kept):\n%s", r.ID, diff)
		}
	}
}

func TestTablesFollowTheEvents(t *testing.T) {
	l := mustOpen(t, fresh(t))
	id := ledger.ID{Job: "j", Run: "all at once"}
	story := ledgertest.Story(id)
	if _, err := l.Append(t.Context(), id, 0, 0, story...); err != nil {
		t.Fatal(err)
	}
	id.Run = "one by one"
	for i, e := range ledgertest.Story(id) {
		if _, err := l.Append(t.Context(), id, int64(i), 0, e); err != nil {
			t.Fatal(err)
		}
		checkTables(t, l)
	}
	got := kept(t, l, id)
	want := []taskRow{
		{Step: "load", Host: "api.example.com:443", Model: "M1", Object: "112000000001", Number: 1, Epoch: 3, Outcome: "refused", Intended: "2026-11-24T02:00:07.123456789Z", Spent: true},
		{Step: "load", Host: "api.example.com:443", Model: "M1", Object: "112000000001", Number: 2, Outcome: "started", Task: "T1", State: "COMPLETE", Intended: "2026-11-24T02:00:09.123456789Z",
			Began: "2026-11-24T02:00:13.123456789Z", Ended: "2026-11-24T02:00:15.123456789Z", Spent: true},
		{Step: "load", Host: "api.example.com:443", Model: "M1", Object: "112000000001", Number: 3, Epoch: 4, Outcome: "absent", Intended: "2026-11-24T02:00:27.123456789Z"},
		{Step: "load", Host: "api.example.com:443", Model: "M1", Object: "112000000001", Number: 4, Epoch: 5, Outcome: "started", Task: "T2", State: "COMPLETE", Intended: "2026-11-24T02:00:30.123456789Z",
			Began: "2026-11-24T02:00:32.123456789Z", Ended: "2026-11-24T02:00:32.123456789Z"},
	}
	if diff := gocmp.Diff(want, got.Tasks); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	wantSteps := []stepRow{
		{Position: 0, Name: "check", Verb: "import", Host: "api.example.com:443", Model: "M1", Object: "112000000002", State: "ended",
			Ended: "2026-11-24T02:00:34.123456789Z", Verdict: "skipped"},
		{Position: 1, Name: "load", Verb: "import", Host: "api.example.com:443", Model: "M1", Object: "112000000001", State: "ended", Tries: 3,
			Started: "2026-11-24T02:00:02.123456789Z", Ended: "2026-11-24T02:00:33.123456789Z", Verdict: "ok"},
		{Position: 2, Name: "post", Verb: "import", Host: "api.example.com:443", Model: "M1", Object: "112000000001", State: "ended",
			Ended: "2026-11-24T02:00:35.123456789Z", Verdict: "skipped"},
	}
	if diff := gocmp.Diff(wantSteps, got.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// TestTablesFollowRandomHistories appends what may follow, in batches, through two
// ledgers on the same file in turn, so that what one of them remembers is outdated.
func TestTablesFollowRandomHistories(t *testing.T) {
	address := fresh(t)
	ledgers := []*Ledger{mustOpen(t, address), mustOpen(t, address)}
	tries, tasks, ended, spent, continued := 0, 0, 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		tries++
		id := ledger.ID{Job: "j", Run: fmt.Sprint(tries)}
		seq, err := ledgers[0].Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0))
		if err != nil {
			r.Fatal(err)
		}
		for range rapid.IntRange(1, 30).Draw(r, "appends") {
			l := rapid.SampledFrom(ledgers).Draw(r, "ledger")
			var events []ledger.Event
			known, err := l.Events(t.Context(), id, 0)
			if err != nil {
				r.Fatal(err)
			}
			s, err := ledger.Fold(known)
			if err != nil {
				r.Fatal(err)
			}
			for range rapid.IntRange(1, 2).Draw(r, "events") {
				events = append(events, ledgertest.Draw(r, s, time.Duration(seq)*time.Second))
			}
			last, err := l.Append(t.Context(), id, seq, 0, events...)
			if err == nil {
				seq = last
			} else if _, ok := errors.AsType[*ledger.OrderError](err); !ok {
				r.Fatalf("append %v: %v", events, err)
			}
		}
		want, got := rebuilt(t, ledgers[0], id), kept(t, ledgers[0], id)
		if diff := gocmp.Diff(want, got); diff != "" {
			r.Fatalf("(-from the events +kept):\n%s", diff)
		}
		tasks += len(got.Tasks)
		for _, k := range got.Tasks {
			if k.Spent {
				spent++
			}
		}
		events, err := ledgers[0].Events(t.Context(), id, 0)
		if err != nil {
			r.Fatal(err)
		}
		for _, e := range events {
			switch e.Body.(type) {
			case ledger.RunEnded:
				ended++
			case ledger.RunContinued:
				continued++
			}
		}
	})
	// A short test draws few.
	if tasks == 0 || !testing.Short() && (ended == 0 || spent == 0 || continued == 0) {
		t.Errorf("the histories held %d tasks, %d ends, %d spent tasks, %d times of being continued: they show nothing", tasks, ended, spent, continued)
	}
	checkTables(t, ledgers[1])
}

// TestTheDatabaseRefusesIllegalMoves writes behind the ledger's back, as a wrong program
// would.
func TestTheDatabaseRefusesIllegalMoves(t *testing.T) {
	l := mustOpen(t, fresh(t))
	id := ledger.ID{Job: "j", Run: "under way"}
	story := ledgertest.Story(id)
	if _, err := l.Append(t.Context(), id, 0, 0, append(story[:13:13], ledgertest.In("post", 1, ledger.StepStarted{Try: 1}),
		ledgertest.In("post", 1, ledger.Intent{Number: 3}))...); err != nil {
		t.Fatal(err)
	}
	over := ledger.ID{Job: "j", Run: "over"} // 2, closed
	if _, err := l.Append(t.Context(), over, 0, 0, ledgertest.Story(over)...); err != nil {
		t.Fatal(err)
	}
	stopped := ledger.ID{Job: "j", Run: "stopped"} // 3, ended open
	if _, err := l.Append(t.Context(), stopped, 0, 0, ledgertest.Story(stopped)[:22]...); err != nil {
		t.Fatal(err)
	}
	again := ledger.ID{Job: "j", Run: "again"} // 4, under way; its step has ended
	if _, err := l.Append(t.Context(), again, 0, 0, append(ledgertest.Story(again)[:20:20], ledgertest.In("post", 1, ledger.StepStarted{Try: 1}),
		ledgertest.At(1, ledgertest.Repaired("load", "post", "check")), ledgertest.In("check", 1, ledger.StepEnded{Verdict: ledger.OK}))...); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Take(t.Context(), "k", ledger.Holder{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ query, says string }{
		{`INSERT INTO event VALUES (1, 17, '', '')`, "must follow the last one"},
		{`INSERT INTO event VALUES (1, 15, '', '')`, "must follow the last one"},
		{`INSERT INTO event VALUES (9, 1, '', '')`, "must follow the last one"},
		{`INSERT INTO event VALUES (2, 41, '', '')`, "the run has ended"},
		{`INSERT INTO event VALUES (2, 41, 'run_continued', '')`, "the run has ended"},
		{`INSERT INTO event VALUES (3, 23, 'warned', '')`, "the run has ended"},
		{`INSERT INTO event VALUES (3, 23, '', '')`, "the run has ended"},
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
		{`UPDATE lease SET epoch = 0 WHERE key = 'k'`, "does not go back"},
		{`UPDATE lease SET epoch = 3 WHERE key = 'k'`, "does not go back"},
		{`UPDATE lease SET key = 'l', epoch = 2 WHERE key = 'k'`, "does not go back"},
		{`DELETE FROM lease`, "the epoch of a lease is kept"},
		{`UPDATE lease SET epoch = 2, token = 'mine' WHERE key = 'k'`, "somebody has the lease"},
		{`UPDATE lease SET token = 'mine' WHERE key = 'k'`, "another taking has another epoch"},
		{`DELETE FROM task WHERE run = 1`, "a start goes only with its run"},
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
	} {
		if _, err := l.pool.Exec(t.Context(), c.query); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s\n\tgot %v, want %q", c.query, err, c.says)
		}
	}
	checkTables(t, l)

	// A whole run may go, and nothing of it stays.
	exec(t, l, `DELETE FROM run WHERE id = 2`)
	var left int
	if err := l.pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM event WHERE run = 2) + (SELECT count(*) FROM step WHERE run = 2)
		+ (SELECT count(*) FROM task WHERE run = 2)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows of a deleted run are left, %v", left, err)
	}
	if _, err := l.Append(t.Context(), over, 0, 0, ledgertest.Story(over)...); err != nil {
		t.Errorf("a run of the name of one that is gone: %v", err)
	}
	checkTables(t, l)
}

// TestARunThatIsGoneIsNotRemembered deletes a run that this process writes and makes it
// anew, as another process could.
func TestARunThatIsGoneIsNotRemembered(t *testing.T) {
	address := fresh(t)
	l, other := mustOpen(t, address), mustOpen(t, address)
	id := ledger.ID{Job: "j", Run: "r"}
	if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Story(id)[:7]...); err != nil {
		t.Fatal(err)
	}
	exec(t, other, `DELETE FROM run`)
	for _, w := range []*Ledger{other, l} {
		seq := int64(0)
		events := []ledger.Event{ledgertest.Created(id, ledgertest.T0), ledgertest.In("post", 1, ledger.StepStarted{Try: 1})}
		if w == l {
			seq, events = 2, []ledger.Event{ledgertest.In("load", 1, ledger.StepStarted{Try: 1})}
		}
		if _, err := w.Append(t.Context(), id, seq, 0, events...); err != nil {
			t.Fatal(err)
		}
	}
	checkTables(t, l)
}

func TestMemoryForStatesIsBounded(t *testing.T) {
	l := mustOpen(t, fresh(t))
	for n := range 3 * mostKnown {
		id := ledger.ID{Job: "j", Run: fmt.Sprint(n)}
		events := []ledger.Event{ledgertest.Created(id, ledgertest.T0)}
		if n == 0 {
			events = append(events, ledgertest.At(1, ledger.RunEnded{Verdict: ledger.OK}))
		}
		if _, err := l.Append(t.Context(), id, 0, 0, events...); err != nil {
			t.Fatal(err)
		}
		if n == 0 && len(l.known) != 0 {
			t.Error("a run that has ended is remembered")
		}
		if len(l.known) > mostKnown {
			t.Fatalf("%d states are remembered", len(l.known))
		}
	}
	if len(l.known) == 0 {
		t.Error("nothing is remembered")
	}
}
