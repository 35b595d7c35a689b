package cli

import (
	"context"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
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
	id := ledger.ID{Job: "j", Run: "r"}
	take := func(l ledger.Ledger, pid int) ledger.Lease {
		lease, err := l.Take(t.Context(), ledger.RunKey(id), ledger.Holder{Runner: ledger.Runner{PID: pid}, Run: id, Since: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return lease
	}
	for name, tc := range map[string]struct {
		another bool
		asked   int
		who     int
	}{"to another": {true, 2, 2}, "to nobody": {false, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			l := &changing{Ledger: &memory.Ledger{}}
			if _, err := l.Append(t.Context(), id, 0, 0, ledger.Event{At: time.Now(), Body: ledger.RunCreated{ID: id}}); err != nil {
				t.Fatal(err)
			}
			first := take(l, 1)
			l.change = func() {
				first.Release()
				if tc.another {
					take(l, 2)
				}
			}
			by, err := askRunner(t.Context(), l, id, func() ledger.Wish { return ledger.Wish{What: ledger.WishCancel, At: time.Now()} })
			if err != nil || by.Runner.PID != tc.who || l.asked != tc.asked {
				t.Errorf("asked %v, %d times: %v", by, l.asked, err)
			}
		})
	}
	l := &changing{Ledger: &memory.Ledger{}}
	if by, err := askRunner(t.Context(), l, id, nil); by != nil || err != nil {
		t.Errorf("nobody has it: %v, %v", by, err)
	}
}
