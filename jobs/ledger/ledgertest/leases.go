package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// holder is who takes leases in tests, by process id.
func holder(pid int) ledger.Holder {
	return ledger.Holder{Runner: ledger.Runner{Host: "h", PID: pid, User: "u"}, Run: id, Step: "load", Since: T0.Add(time.Duration(pid) * time.Second)}
}

// mustTake takes a lease that nobody has, and checks its epoch.
func mustTake(t testing.TB, l ledger.Ledger, key ledger.Key, pid int, epoch int64) ledger.Lease {
	t.Helper()
	h, err := l.Take(t.Context(), key, holder(pid))
	if err != nil {
		t.Fatalf("take %s: %v", key, err)
	}
	if h.Key() != key || h.Epoch() != epoch {
		t.Fatalf("took %s in epoch %d, want %s in epoch %d", h.Key(), h.Epoch(), key, epoch)
	}
	if err := h.Check(); err != nil {
		t.Fatalf("%s was lost at once: %v", key, err)
	}
	return h
}

// heldBy checks who has a lease; 0: nobody.
func heldBy(t testing.TB, l ledger.Ledger, key ledger.Key, pid int) {
	t.Helper()
	got, err := l.Holder(t.Context(), key)
	if err != nil {
		t.Fatalf("holder of %s: %v", key, err)
	}
	var want *ledger.Holder
	if pid != 0 {
		h := holder(pid)
		want = &h
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("holder of %s (-want +got):\n%s", key, diff)
	}
}

// refused checks that a lease cannot be taken because of another process.
func refused(t testing.TB, l ledger.Ledger, key ledger.Key, pid int) {
	t.Helper()
	h, err := l.Take(t.Context(), key, holder(99))
	held, ok := errors.AsType[*ledger.HeldError](err)
	if !ok || h != nil {
		t.Fatalf("take %s: got %v, %v; want a HeldError", key, h, err)
	}
	if diff := cmp.Diff(&ledger.HeldError{Key: key, By: holder(pid)}, held); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func lost(t testing.TB, h ledger.Lease) {
	t.Helper()
	for range 2 {
		if err := h.Check(); !errors.Is(err, ledger.ErrLeaseLost) {
			t.Fatalf("%s, epoch %d: got %v, want ErrLeaseLost", h.Key(), h.Epoch(), err)
		}
	}
}

func oneHolderAtATime(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	key, free := ledger.ModelKey(Model), ledger.RunKey(id)
	heldBy(t, l, key, 0)
	first := mustTake(t, l, key, 1, 1)
	for _, l := range []ledger.Ledger{l, other} {
		heldBy(t, l, key, 1)
		refused(t, l, key, 1)
		heldBy(t, l, free, 0)
	}
	another := mustTake(t, other, free, 2, 1) // another key
	if err := first.Check(); err != nil {
		t.Errorf("lost while others tried: %v", err)
	}
	first.Release()
	lost(t, first)
	heldBy(t, other, key, 0)
	second := mustTake(t, other, key, 3, 2)
	first.Release() // what is another's stays
	first.Release()
	if err := second.Check(); err != nil {
		t.Errorf("the one before it gave it back: %v", err)
	}
	refused(t, l, key, 3)
	lost(t, first)
	second.Release()
	third := mustTake(t, l, key, 4, 3)
	if err := another.Check(); err != nil {
		t.Error(err)
	}
	another.Release()
	third.Release()
	heldBy(t, l, key, 0)
	mustTake(t, other, key, 5, 4).Release()
}

func oddKeys(t *testing.T, s Suite) {
	l := s.Open(t)
	m := func(id string) ledger.ModelRef { return ledger.ModelRef{Host: "h:443", ID: id} }
	keys := []ledger.Key{ledger.JobKey(""), ledger.JobKey("a/b"), ledger.RunKey(ledger.ID{Job: "a", Run: "b"}), ledger.RunKey(ledger.ID{Job: "a/b"}),
		ledger.RunKey(ledger.ID{Job: "../../x", Run: strings.Repeat("🚀", 250)}), ledger.RunKey(ledger.ID{Job: "A", Run: "b"}), ledger.ModelKey(m("a")),
		ledger.ModelKey(m("A")), ledger.FileKey(m("a"), "f", "u"), ledger.FileKey(m("a"), "f", "v"), ledger.FileKey(m("a"), "f/u", ""), ledger.JobKey("'\"\n;--%")}
	for i, key := range keys {
		mustTake(t, l, key, i+1, 1)
	}
	for i, key := range keys {
		heldBy(t, l, key, i+1)
		refused(t, l, key, i+1)
	}
}

// manyTakers lets goroutines race for one lease through two handles.
func manyTakers(t *testing.T, s Suite) {
	l := s.Open(t)
	ledgers := []ledger.Ledger{l, s.second(t, l)}
	const takers, rounds = 8, 12
	var holders, taken, held atomic.Int64
	var epochs sync.Map
	var all, refused sync.WaitGroup
	refused.Add(takers)
	first := mustTake(t, l, "model/h/m", 9, 1)
	for n := range takers {
		all.Go(func() {
			_, err := ledgers[n%2].Take(t.Context(), "model/h/m", holder(n+1))
			if _, ok := errors.AsType[*ledger.HeldError](err); !ok {
				t.Errorf("taker %d, while another has it: %v", n, err)
			}
			refused.Done()
			refused.Wait() // from here on at once
			first.Release()
			for range rounds {
				h, err := ledgers[n%2].Take(t.Context(), "model/h/m", holder(n+1))
				if _, ok := errors.AsType[*ledger.HeldError](err); ok {
					held.Add(1)
					continue
				}
				if err != nil {
					t.Errorf("taker %d: %v", n, err)
					return
				}
				if now := holders.Add(1); now != 1 {
					t.Errorf("%d have it at a time", now)
				}
				if err := h.Check(); err != nil {
					t.Error(err)
				}
				if _, twice := epochs.LoadOrStore(h.Epoch(), true); twice {
					t.Errorf("epoch %d was given twice", h.Epoch())
				}
				taken.Add(1)
				runtime.Gosched()
				if by, err := ledgers[n%2].Holder(t.Context(), "model/h/m"); err != nil || by == nil || by.Runner.PID != n+1 {
					t.Errorf("taker %d has it, and it seems to be %v, %v", n, by, err)
				}
				holders.Add(-1)
				h.Release()
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Error("nobody has taken it")
	}
	t.Logf("taken %d times, refused %d times", taken.Load(), held.Load())
	mustTake(t, l, "model/h/m", 1, taken.Load()+2)
}

// takingEndsWithTheContext: a Take that failed has taken nothing.
func takingEndsWithTheContext(t *testing.T, s Suite) {
	l := s.Open(t)
	for range 40 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		h, err := l.Take(ctx, "k", holder(1))
		if err == nil {
			h.Release()
		} else if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want context.Canceled", err)
		}
		cancel()
		heldBy(t, l, "k", 0)
	}
	if h, err := l.Take(t.Context(), "k", holder(1)); err != nil {
		t.Error(err)
	} else {
		h.Release()
	}
}

// closingGivesLeasesBack: what a handle has ends with it, and is another's at once.
func closingGivesLeasesBack(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	h := mustTake(t, l, "k", 1, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lost(t, h)
	h.Release()
	if s.Second == nil {
		return // it was closed for all
	}
	heldBy(t, other, "k", 0)
	mustTake(t, other, "k", 2, 2)
	h.Release()
	heldBy(t, other, "k", 2)
}

// intentsNeedTheLastLease: what was decided under a lease that somebody else has had since
// is not recorded, so that nothing is started by it.
func intentsNeedTheLastLease(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	key := ledger.ModelKey(Model)
	begin := func(run string) ledger.ID {
		id := ledger.ID{Job: "j", Run: run}
		mustAppend(t, l, id, 0, Created(id, T0), At(1, Resolved(Steps...)), In("load", 2, ledger.StepStarted{Try: 1}))
		return id
	}
	conflict := func(id ledger.ID, epoch int64) {
		t.Helper()
		for _, l := range []ledger.Ledger{l, other} {
			if seq, err := l.Append(t.Context(), id, 3, 0, At(3, ledger.Warned{}), In("load", 3, ledger.Intent{Number: 1, Epoch: epoch})); !errors.Is(err, ledger.ErrConflict) || seq != 0 {
				t.Errorf("an intent in epoch %d: got %d, %v; want ErrConflict", epoch, seq, err)
			}
		}
		if events, err := l.Events(t.Context(), id, 0); err != nil || len(events) != 3 {
			t.Errorf("the run holds %d events, %v", len(events), err)
		}
	}
	intent := func(id ledger.ID, epoch int64) {
		t.Helper()
		mustAppend(t, l, id, 3, In("load", 3, ledger.Intent{Number: 1, Epoch: epoch}))
	}
	intent(begin("before anybody took it, without"), 0)
	intent(begin("before anybody took it, with"), 7)
	mustTake(t, l, ledger.ModelKey(ledger.ModelRef{Host: Model.Host, ID: "other"}), 1, 1)
	mustTake(t, l, ledger.ModelKey(ledger.ModelRef{Host: "other", ID: Model.ID}), 1, 1)
	intent(begin("another model was taken"), 0)

	first := mustTake(t, l, key, 1, 1)
	run := begin("under a lease")
	conflict(run, 0)
	conflict(run, 2)
	intent(run, 1)
	first.Release()
	intent(begin("nobody has had it since"), 1)
	run = begin("another process had it since")
	mustTake(t, other, key, 2, 2).Release()
	conflict(run, 1)
	conflict(run, 0)
	intent(run, 2)
	// Only the start is forbidden: what became of one may be recorded.
	mustTake(t, other, key, 3, 3)
	mustAppend(t, l, run, 4, In("load", 4, ledger.TaskStarted{Number: 1, Task: "T"}), In("load", 5, ledger.TaskEnded{Task: "T"}))
	// What cannot follow at all is said first.
	_, err := l.Append(t.Context(), run, 6, 0, In("load", 6, ledger.Intent{Number: 2, Epoch: 1}))
	if _, ok := errors.AsType[*ledger.OrderError](err); !ok {
		t.Errorf("got %v, want an OrderError", err)
	}
}

// epochsOfARun: who has lost the run writes nothing once the next one has written.
func epochsOfARun(t *testing.T, s Suite) {
	l := s.Open(t)
	other := s.second(t, l)
	old := mustTake(t, l, ledger.RunKey(id), 1, 1)
	if _, err := l.Append(t.Context(), id, 0, old.Epoch(), Created(id, T0)); err != nil {
		t.Fatal(err)
	}
	old.Release()
	h := mustTake(t, other, ledger.RunKey(id), 2, 2)
	if _, err := other.Append(t.Context(), id, 1, h.Epoch(), At(1, ledger.RunContinued{})); err != nil {
		t.Fatal(err)
	}
	for after := range int64(4) {
		if _, err := l.Append(t.Context(), id, after, old.Epoch(), At(2, ledger.Warned{Text: fmt.Sprint(after)})); !errors.Is(err, ledger.ErrConflict) {
			t.Errorf("after %d in the old epoch: got %v, want ErrConflict", after, err)
		}
	}
	holds(t, l, id, []ledger.Event{Created(id, T0), At(1, ledger.RunContinued{})})
}
