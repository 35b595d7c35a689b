package jobs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// wishing is a ledger in which a person wishes something of a run around the moment at which
// its lease is taken.
type wishing struct {
	ledger.Ledger
	key           ledger.Key
	before, after func() // of it
	lost          func() // after it, if its answer is lost: nobody renews the lease, and it ends
}

func (l *wishing) Take(ctx context.Context, key ledger.Key, by ledger.Holder) (ledger.Lease, error) {
	if key != l.key {
		return l.Ledger.Take(ctx, key, by)
	}
	if l.before != nil {
		l.before()
		return nil, &ledger.HeldError{Key: key}
	}
	lease, err := l.Ledger.Take(ctx, key, by)
	if err == nil && l.after != nil {
		l.after()
	}
	if err == nil && l.lost != nil {
		l.lost()
		l.lost = nil
		time.AfterFunc(time.Minute, lease.Release)
		return nil, errors.New("connection reset")
	}
	return lease, err
}

// TestWishesWhileARunIsTakenOver: a wish that is left as soon as a runner has the run's lease
// reaches that runner; one of before was for another.
func TestWishesWhileARunIsTakenOver(t *testing.T) {
	for name, tc := range map[string]struct {
		wish func(l *wishing, ask func())
		want string
	}{
		"left before":                   {func(_ *wishing, ask func()) { ask() }, "load sales ok"},
		"left for who has it":           {func(l *wishing, ask func()) { l.before = func() { ask(); l.before = nil } }, "load sales ok"},
		"left as soon as taken":         {func(l *wishing, ask func()) { l.after = ask }, "load sales cancelled/signal"},
		"left when its answer was lost": {func(l *wishing, ask func()) { l.lost = ask }, "load sales cancelled/signal"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, slowTasks())
				defer n.close()
				ctx, stop := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { stop(&Stopped{Signal: "SIGTERM"}) })
				id := n.run(ctx, loadSales(n, 1000)).Created.ID
				l := &wishing{Ledger: n.ledger, key: ledger.RunKey(id)}
				n.runner.Ledger = l
				tc.wish(l, func() {
					if err := n.ledger.Ask(context.Background(), id, ledger.Wish{What: ledger.WishCancel, By: "omar@there", At: time.Now()}); err != nil {
						t.Error(err)
					}
				})
				if s := n.resume(id, Continuation{Overlap: "wait"}); verdicts(s) != tc.want {
					t.Errorf("%s, want %s\n%s", verdicts(s), tc.want, messages(s))
				}
			})
		})
	}
}
