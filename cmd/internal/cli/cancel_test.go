package cli

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
)

// changing is a ledger in which the run changes hands just before a wish is left.
type changing struct {
	ledger.Ledger
	change func()
	asked  int
}

func (l *changing) Ask(ctx context.Context, id ledger.ID, w ledger.Wish) error {
	if l.asked++; l.asked == 1 {
		l.change()
	}
	return l.Ledger.Ask(ctx, id, w)
}

// TestAskRunnerWhileTheRunChangesHands: whoever has the run in the end was asked after it had
// it.
func TestAskRunnerWhileTheRunChangesHands(t *testing.T) {
	for name, tc := range map[string]struct {
		another bool
		asked   int
		who     int
	}{"to another": {true, 2, 2}, "to nobody": {false, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			l := &changing{Ledger: &memory.Ledger{}}
			id := created(t, l).Created.ID
			first := taken(t, l, id, 1)
			l.change = func() {
				first.Release()
				if tc.another {
					taken(t, l, id, 2)
				}
			}
			by, err := askRunner(t.Context(), l, id, nil, cancelNow)
			if err != nil || by.Runner.PID != tc.who || l.asked != tc.asked {
				t.Errorf("asked %v, %d times: %v", by, l.asked, err)
			}
		})
	}
	l := &changing{Ledger: &memory.Ledger{}}
	if by, err := askRunner(t.Context(), l, ledger.ID{Job: "j", Run: "r"}, nil, nil); by != nil || err != nil {
		t.Errorf("nobody has it: %v, %v", by, err)
	}
}

// created is a run in a ledger.
func created(t *testing.T, l ledger.Ledger) ledger.State {
	t.Helper()
	id := ledger.ID{Job: "j", Run: "r"}
	e := ledgertest.Created(id, time.Now())
	e.Seq = 1
	if _, err := l.Append(t.Context(), id, 0, 0, e); err != nil {
		t.Fatal(err)
	}
	state, err := ledger.Fold([]ledger.Event{e})
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// taken is the lease of a run that a process takes now.
func taken(t *testing.T, l ledger.Ledger, id ledger.ID, pid int) ledger.Lease {
	t.Helper()
	lease, err := l.Take(t.Context(), ledger.RunKey(id), ledger.Holder{Runner: ledger.Runner{PID: pid}, Run: id, Since: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func cancelNow() ledger.Wish { return ledger.Wish{What: ledger.WishCancel, At: time.Now()} }

// TestWhoTakesTheRunOverIsAsked: one who does so while its end is awaited, between two looks, is
// asked, once.
func TestWhoTakesTheRunOverIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &changing{Ledger: &memory.Ledger{}, change: func() {}}
		state := created(t, l)
		id := state.Created.ID
		first := taken(t, l, id, 1)
		asked, err := askRunner(t.Context(), l, id, nil, cancelNow)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := (&Program{}).followToEnd(t.Context(), &book{Ledger: l}, state, asked, cancelNow)
			done <- err
		}()
		time.Sleep(followEvery * 5 / 2)
		first.Release()
		second, since := taken(t, l, id, 2), time.Now()
		time.Sleep(followEvery * 5 / 2)
		if w, err := l.Asked(t.Context(), id); err != nil || w.At.Before(since) || l.asked != 2 {
			t.Errorf("asked %d times, at %v, taken over at %v: %v", l.asked, w.At, since, err)
		}
		second.Release()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestWhoContinuesAnEndedRunIsNotAsked: what was wished has come about, and is told as it was then.
func TestWhoContinuesAnEndedRunIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &changing{Ledger: &memory.Ledger{}, change: func() {}}
		state := created(t, l)
		id := state.Created.ID
		first := taken(t, l, id, 1)
		asked, err := askRunner(t.Context(), l, id, nil, cancelNow)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(followEvery*5/2, func() { // all of it between two looks
			first.Release()
			time.AfterFunc(followEvery*5/2, taken(t, l, id, 2).Release)
			for i, b := range []ledger.Body{ledger.RunEnded{Verdict: ledger.Cancelled, Cause: ledger.CauseSignal}, ledger.RunContinued{}} {
				if _, err := l.Append(t.Context(), id, int64(i+1), 0, ledger.Event{Seq: int64(i + 2), At: time.Now(), Body: b}); err != nil {
					t.Error(err)
				}
			}
		})
		p := &Program{log: logrus.New()}
		p.log.SetOutput(io.Discard)
		state, err = p.followToEnd(t.Context(), &book{Ledger: l}, state, asked, cancelNow)
		if err != nil || state.End == nil || state.End.Verdict != ledger.Cancelled || l.asked != 1 {
			t.Errorf("asked %d times, end %+v: %v", l.asked, state.End, err)
		}
	})
}
