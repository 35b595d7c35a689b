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
	full  rate.Limit // of the whole budget
	burst int        // likewise

	mu    sync.Mutex
	parts int       // into how many the budget is divided, at least 1
	slow  time.Time // until when the rate is halved
}

// NewLimiter allows so many requests a minute; 0 means 300.
func NewLimiter(perMinute int) *Limiter {
	if perMinute <= 0 {
		perMinute = defaultPerMinute
	}
	full := rate.Limit(float64(perMinute) / 60)
	most := min(burst, perMinute)
	return &Limiter{limit: rate.NewLimiter(full, most), full: full, burst: most, parts: 1}
}

// Divide says among how many limiters like this one, here and elsewhere, the budget is
// divided, this one included; at first there is no other. What waits already is not
// hurried or held up by it.
func (l *Limiter) Divide(parts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts = max(1, parts)
	l.adjust()
	l.limit.SetBurst(max(1, l.burst/l.parts))
}

// adjust sets the rate. mu is held.
func (l *Limiter) adjust() {
	now := l.full / rate.Limit(l.parts)
	if !l.slow.IsZero() {
		now /= 2
	}
	l.limit.SetLimit(now)
}

// Wait waits for the next free place, or for the end of ctx, whose error it returns.
func (l *Limiter) Wait(ctx context.Context) error {
	l.mu.Lock()
	if !l.slow.IsZero() && !time.Now().Before(l.slow) {
		l.slow = time.Time{}
		l.adjust()
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
	l.adjust()
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
