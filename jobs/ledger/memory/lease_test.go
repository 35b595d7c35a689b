package memory

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func by(pid int) ledger.Holder { return ledger.Holder{Runner: ledger.Runner{PID: pid}} }

// take takes the key k, or says who has it.
func take(t *testing.T, l *Ledger, pid int) (h ledger.Lease, other int) {
	t.Helper()
	h, err := l.Take(t.Context(), "k", by(pid))
	if held, ok := errors.AsType[*ledger.HeldError](err); ok {
		return nil, held.By.Runner.PID
	}
	if err != nil {
		t.Fatal(err)
	}
	return h, 0
}

func TestFreeIsTheEndOfAProcess(t *testing.T) {
	l := &Ledger{}
	first, _ := take(t, l, 1)
	stays, err := l.Take(t.Context(), "other", by(2))
	if err != nil {
		t.Fatal(err)
	}
	l.Free(3)
	if _, other := take(t, l, 2); other != 1 {
		t.Errorf("it is held by %d, want 1", other)
	}
	l.Free(1)
	if err := first.Check(); !errors.Is(err, ledger.ErrLeaseLost) {
		t.Errorf("got %v, want ErrLeaseLost", err)
	}
	second, _ := take(t, l, 2)
	first.Release()
	if second == nil || second.Epoch() != 2 || second.Check() != nil || stays.Check() != nil {
		t.Errorf("after the process had ended: %v", second)
	}
}

// TestExpiring holds the times of leases that expire, to the nanosecond.
func TestExpiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Ledger{Expire: true}
		defer l.Close()
		h, _ := take(t, l, 1)
		time.Sleep(100*time.Hour + 14*time.Second) // it is renewed
		if err := h.Check(); err != nil {
			t.Fatal(err)
		}
		l.Cut(1, true) // the last renewal was sent 14 s ago: every 15 s
		time.Sleep(26*time.Second - 1)
		if err := h.Check(); err != nil {
			t.Errorf("39.9 s after the last renewal: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := h.Check(); !errors.Is(err, ledger.ErrLeaseLost) {
			t.Errorf("40 s after the last renewal: got %v, want ErrLeaseLost", err)
		}
		time.Sleep(20*time.Second - 1)
		if _, other := take(t, l, 2); other != 1 {
			t.Errorf("59.9 s after the last renewal it is held by %d, want 1", other)
		}
		time.Sleep(time.Nanosecond)
		second, other := take(t, l, 2)
		if second == nil || second.Epoch() != 2 {
			t.Fatalf("60 s after the last renewal it is held by %d", other)
		}
		l.Cut(1, false)
		h.Release()
		time.Sleep(time.Hour)
		if err := second.Check(); err != nil || h.Check() == nil {
			t.Errorf("the second: %v, the first: %v", err, h.Check())
		}
		second.Release()
		if third, _ := take(t, l, 3); third == nil || third.Epoch() != 3 {
			t.Errorf("given back, and taken: %v", third)
		}
	})
}

// TestTheEndOfAProcessWhoseLeasesExpire: nobody tells the ledger that it has ended.
func TestTheEndOfAProcessWhoseLeasesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Ledger{Expire: true}
		defer l.Close()
		h, _ := take(t, l, 1)
		time.Sleep(20 * time.Second) // renewed at 15 s
		l.Free(1)
		if err := h.Check(); !errors.Is(err, ledger.ErrLeaseLost) {
			t.Errorf("got %v, want ErrLeaseLost", err)
		}
		time.Sleep(55*time.Second - 1)
		if _, other := take(t, l, 2); other != 1 {
			t.Errorf("it is held by %d, want 1", other)
		}
		time.Sleep(time.Nanosecond)
		if h, other := take(t, l, 2); h == nil {
			t.Errorf("it is still held by %d", other)
		}
	})
}
