package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
)

var errDisk = errors.New("the disk is full")

// badLedger fails appends from a number on, so many times, before or after they are made.
type badLedger struct {
	memory.Ledger
	from, times int // times negative: for ever
	after       bool
	blind       bool // cannot be read either while it fails
	appends     int
	failed      int
	starts      []int // the appends that hold an intent, or that it led to a task
}

func (l *badLedger) bad() bool {
	return l.from > 0 && l.appends >= l.from && (l.times < 0 || l.failed < l.times)
}

func (l *badLedger) Append(ctx context.Context, run ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	l.appends++
	if slices.ContainsFunc(events, func(e ledger.Event) bool { return e.Body.Kind() == "intent" || e.Body.Kind() == "task_started" }) {
		l.starts = append(l.starts, l.appends)
	}
	bad := l.bad()
	if bad {
		l.failed++
	}
	if bad && !l.after {
		return 0, errDisk
	}
	seq, err := l.Ledger.Append(ctx, run, after, epoch, events...)
	if err == nil && bad {
		return 0, errDisk
	}
	return seq, err
}

func (l *badLedger) Events(ctx context.Context, run ledger.ID, after int64) ([]ledger.Event, error) {
	if l.blind && l.bad() {
		return nil, errDisk
	}
	return l.Ledger.Events(ctx, run, after)
}

// TestLedgerFailsAtAnyAppend lets each append of a night in turn fail: once, for a while,
// for ever; without effect and with.
func TestLedgerFailsAtAnyAppend(t *testing.T) {
	count := &badLedger{}
	whole := ledgerNight(t, count)
	if whole.err != nil || whole.state.End.Code != 0 {
		t.Fatal(whole.err, messages(whole.state))
	}
	for n := 1; n <= count.appends; n++ {
		for i, l := range []*badLedger{
			{from: n, times: 1}, {from: n, times: 1, after: true}, {from: n, times: 7}, {from: n, times: 7, after: true},
			{from: n, times: -1}, {from: n, times: -1, after: true}, {from: n, times: -1, after: true, blind: true},
		} {
			one, starts := 15, count.starts[:4]
			if testing.Short() {
				one, starts = 60, starts[:1]
			}
			if !*every && (n+i)%one != 0 && !slices.Contains(starts, n) {
				continue
			}
			t.Run(fmt.Sprintf("append %d/times %d/after %v/blind %v", n, l.times, l.after, l.blind), func(t *testing.T) {
				got := ledgerNight(t, l)
				got.check(t, l)
			})
		}
	}
}

type ledgerResult struct {
	state    ledger.State
	err      error
	recorded ledger.State // folded from the ledger
	tasks    []simulator.TaskRecord
}

func ledgerNight(t *testing.T, l *badLedger) (r ledgerResult) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Ledger = l
		id := ledger.ID{Job: "nightly", Run: "one"}
		r.state, r.err = n.runner.Run(t.Context(), n.request(id, sampleNight(n)...))
		time.Sleep(time.Hour) // what runs ends
		r.tasks = n.sim.Tasks()
		events, err := l.Ledger.Events(context.Background(), id, 0)
		if err == nil {
			r.recorded, err = ledger.Fold(events)
		}
		if err != nil && !errors.Is(err, ledger.ErrNoRun) {
			t.Fatal(err)
		}
	})
	return r
}

func (r ledgerResult) check(t *testing.T, l *badLedger) {
	t.Helper()
	intents := 0
	for _, st := range r.recorded.Steps {
		for _, in := range st.Intents {
			if in.Outcome != ledger.IntentRefused {
				intents++
			}
		}
	}
	if len(r.tasks) > intents {
		t.Errorf("%d tasks were started, %d intents are recorded", len(r.tasks), intents)
	}
	if l.from == 1 && l.times != 1 && !(l.after && !l.blind) {
		if r.err == nil || len(r.tasks) > 0 || r.state.Created.ID.Run != "" {
			t.Errorf("the run could not be created: %v, %d tasks", r.err, len(r.tasks))
		}
		return
	}
	complete := r.state.Seq == r.recorded.Seq
	if complete {
		if diff := cmp.Diff(r.recorded, r.state); diff != "" {
			t.Errorf("the state is not what is recorded:\n%s", diff)
		}
	}
	switch {
	case l.times == 1, l.after && !l.blind: // it is made up for, or was made
		if r.err != nil || !complete || r.state.End.Code != 0 {
			t.Errorf("one failed append: %v, code %d\n%s", r.err, r.state.End.Code, messages(r.state))
		}
		return
	case l.times < 0:
		// The last append may be the run's end.
		if !errors.Is(r.err, errDisk) || complete && !l.blind {
			t.Errorf("the ledger failed for ever: %v", r.err)
		}
	case r.err != nil || !complete:
		t.Errorf("the ledger came back, and not all is recorded: %v", r.err)
	}
	if r.state.End.Code != 0 || r.state.Stop != nil { // else it fell on the end of the run
		want := ledger.CodeInternal
		if r.state.Closed() { // nothing was left to start
			want = 0
		}
		if stop := r.state.Stop; stop == nil || stop.Cause != ledger.CauseInternal || !strings.Contains(stop.Text, errDisk.Error()) || r.state.End.Code != want {
			t.Errorf("stop %+v, end %+v", stop, r.state.End)
		}
	}
	// What was started is watched to its end.
	for _, st := range r.state.Steps {
		for _, in := range st.Intents {
			if in.Outcome == ledger.IntentStarted && in.Ended.IsZero() {
				t.Errorf("step %q: task %s was left", st.Plan.Name, in.Task)
			}
		}
	}
	started := slices.IndexFunc(r.state.Steps, func(st ledger.StepState) bool { return st.End == nil })
	if started >= 0 {
		t.Errorf("step %q has no end", r.state.Steps[started].Plan.Name)
	}
}

// tardyLedger makes an append only when the next one comes, as a database does whose commit
// stalls: the first ends without an answer, nobody sees it, and the second waits for its lock.
type tardyLedger struct {
	memory.Ledger
	at, appends int
	late        func()
}

func (l *tardyLedger) Append(ctx context.Context, run ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	l.appends++
	if l.appends == l.at {
		l.late = func() { _, _ = l.Ledger.Append(context.Background(), run, after, epoch, events...) }
		return 0, errors.New("the connection was lost while the change was being committed")
	}
	if l.late != nil {
		l.late()
		l.late = nil
	}
	return l.Ledger.Append(ctx, run, after, epoch, events...)
}

// TestAppendThatComesLate: an append that is made after it seemed lost is no other runner's.
func TestAppendThatComesLate(t *testing.T) {
	for at := 1; at <= 12; at++ {
		if testing.Short() && at%4 != 1 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			l := &tardyLedger{at: at}
			n.runner.Ledger = l
			id := ledger.ID{Job: "nightly", Run: "r"}
			s, err := n.runner.Run(t.Context(), n.request(id, sampleNight(n)[:3]...))
			if err != nil || s.End.Code != 0 {
				t.Fatalf("append %d: %v\n%s", at, err, messages(s))
			}
			events, err := l.Events(t.Context(), id, 0)
			if err != nil || int64(len(events)) != s.Seq {
				t.Errorf("append %d: %d events of %d, %v", at, len(events), s.Seq, err)
			}
		})
	}
}

// TestRunOfAnotherIsLeftAlone is a run id that is taken, and a run that somebody else
// writes to.
func TestRunOfAnotherIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		id := ledger.ID{Job: "nightly", Run: "taken"}
		req := n.request(id, loadSales(n, 1000))
		first, err := n.runner.Run(t.Context(), req)
		if err != nil || first.End.Code != 0 {
			t.Fatal(err, messages(first))
		}
		again, err := n.runner.Run(t.Context(), req)
		if !errors.Is(err, ledger.ErrConflict) || again.Seq != 0 || len(n.sim.Tasks()) != 1 {
			t.Errorf("the second run: %v, %d tasks", err, len(n.sim.Tasks()))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		id := ledger.ID{Job: "nightly", Run: "shared"}
		time.AfterFunc(time.Minute, func() {
			events, err := n.ledger.Events(context.Background(), id, 0)
			if err == nil {
				_, err = n.ledger.Append(context.Background(), id, int64(len(events)), 2, ledger.Event{At: time.Now(), Body: ledger.Warned{Text: "another"}})
			}
			if err != nil {
				t.Error(err)
			}
		})
		s, err := n.runner.Run(t.Context(), n.request(id, loadSales(n, 1000), sampleNight(n)[1]))
		if !errors.Is(err, ledger.ErrConflict) || s.Stop == nil || s.Stop.Cause != ledger.CauseInternal || len(n.sim.Tasks()) != 1 {
			t.Errorf("%v, stop %+v, %d tasks", err, s.Stop, len(n.sim.Tasks()))
		}
		if s.Steps[0].End == nil || s.Steps[0].End.Verdict != ledger.OK {
			t.Errorf("the task was not watched to its end: %s", verdicts(s))
		}
		events, err := n.ledger.Events(context.Background(), id, 0)
		if last := events[len(events)-1]; err != nil || last.Body.Kind() != "warned" {
			t.Errorf("we wrote after another had: %+v", last)
		}
	})
}
