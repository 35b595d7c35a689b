package postgres

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// share is a place among the runners that divide a budget.
type share struct {
	of    *Ledger
	token string
	stop  context.CancelFunc
	ended chan struct{}
	once  sync.Once
}

// Share joins the runners that divide a budget of requests, and tells how many they are:
// once before it returns, and again whenever that has changed, seen every 15 s. A runner
// that is gone counts for up to 60 s. While the database is away the last number stands.
// tell is called by one goroutine at a time, and not after end has returned; end may be
// called again. Closing the ledger ends it too.
func (l *Ledger) Share(ctx context.Context, budget string, tell func(runners int)) (end func(), err error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	s := &share{of: l, token: rand.Text(), ended: make(chan struct{})}
	var runners int
	limited, cancel := l.limited(ctx)
	defer cancel()
	err = l.again(limited, func() (err error) {
		runners, err = s.renew(limited, budget)
		return err
	})
	if err != nil {
		return nil, l.failed(ctx, ledger.ToWrite, err)
	}
	tell(runners)
	// The place is kept after ctx has ended, as leases are.
	inner, stop := context.WithCancel(context.Background())
	s.stop = stop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		stop()
		return nil, ledger.ErrClosed // the row ends by itself
	}
	l.shares[s] = true
	go func() {
		defer close(s.ended)
		for {
			timer := time.NewTimer(l.times.Renew)
			select {
			case <-inner.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			// The server may still do what was given up, when the place has been given back.
			attempt, cancel := l.outliving(inner)
			now, err := s.renew(attempt, budget)
			cancel()
			if err == nil && now != runners {
				runners = now
				tell(now)
			}
		}
	}()
	return s.End, nil
}

// renew keeps the place, and counts those who have one.
func (s *share) renew(ctx context.Context, budget string) (runners int, err error) {
	err = s.of.pool.QueryRow(ctx, `WITH gone AS (DELETE FROM sharer WHERE until < clock_timestamp() - interval '1 hour' AND token <> $1),
		mine AS (INSERT INTO sharer (token, budget, until) VALUES ($1, $2, clock_timestamp() + $3::interval)
			ON CONFLICT (token) DO UPDATE SET until = excluded.until)
		SELECT 1 + count(*) FROM sharer WHERE budget = $2 AND token <> $1 AND until > clock_timestamp()`,
		s.token, text(budget), s.of.times.Life).Scan(&runners)
	return runners, err
}

// End gives the place back.
func (s *share) End() {
	s.once.Do(func() {
		s.stop()
		<-s.ended
		ctx, cancel := context.WithTimeout(context.Background(), releasePatience)
		defer cancel()
		_, _ = s.of.pool.Exec(ctx, `DELETE FROM sharer WHERE token = $1`, s.token) // the row ends by itself
		s.of.mu.Lock()
		defer s.of.mu.Unlock()
		delete(s.of.shares, s)
	})
}
