package anaplan

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Anaplan allows a tenant, all its users together, 600 requests a minute
// (anaplan-api.md 5). Half of it leaves room for others.
const (
	defaultPerMinute = 300
	burst            = 60
	// slowFor is how long a 429 halves the rate.
	slowFor = 2 * time.Minute
)

// Limiter keeps requests inside a budget a minute. After a 429 the rate is halved for
// two minutes. It is safe for use by several goroutines, and may be shared by clients.
type Limiter struct {
	limit *rate.Limiter
	full  rate.Limit

	mu   sync.Mutex
	slow time.Time // until when the rate is halved
}

// NewLimiter allows so many requests a minute; 0 means 300.
func NewLimiter(perMinute int) *Limiter {
	if perMinute <= 0 {
		perMinute = defaultPerMinute
	}
	full := rate.Limit(float64(perMinute) / 60)
	return &Limiter{limit: rate.NewLimiter(full, min(burst, perMinute)), full: full}
}

// Wait waits for the next free place, or for the end of ctx, whose error it returns.
func (l *Limiter) Wait(ctx context.Context) error {
	l.mu.Lock()
	if !l.slow.IsZero() && !time.Now().Before(l.slow) {
		l.slow = time.Time{}
		l.limit.SetLimit(l.full)
	}
	l.mu.Unlock()
	place := l.limit.Reserve()
	timer := time.NewTimer(place.Delay())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		place.Cancel()
		return ctx.Err()
	}
}

// Refused tells that Anaplan answered 429.
func (l *Limiter) Refused() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow = time.Now().Add(slowFor)
	l.limit.SetLimit(l.full / 2)
}

// rated takes each request through a limiter.
type rated struct {
	base http.RoundTripper
	l    *Limiter
}

func (t *rated) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.l.Wait(req.Context()); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.base.RoundTrip(req)
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		t.l.Refused()
	}
	return resp, err
}
