package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	defaultTries = 5
	firstDelay   = 3 * time.Second // half as much again for each further one (anaplan-api.md 23)
	maxDelay     = 2 * time.Minute
	// A server that asks for more patience than this gets none: whoever wants a token hears of it instead.
	maxRetryAfter = 5 * time.Minute
)

// pause says whether a call that failed for the n-th time may succeed a little later, and when to try.
func pause(n int, err error) (time.Duration, bool) {
	if !repeatable(err) {
		return 0, false
	}
	var after time.Duration
	if e, ok := errors.AsType[*LoginError](err); ok {
		after = e.RetryAfter
	}
	return backoff(n, after, rand.Float64()), after <= maxRetryAfter
}

// repeatable reports whether a failure is temporary: answers that say so, and errors of the network.
func repeatable(err error) bool {
	if e, ok := errors.AsType[*LoginError](err); ok {
		return e.Temporary()
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || errors.Is(err, context.Canceled) {
		return false
	}
	_, network := errors.AsType[*url.Error](err)
	return network
}

// backoff is the time between failure number n, from 1, and the next try: at least what the server asked for, and up to a fifth
// more by jitter, a number from 0 to 1, so that many runners do not come back together.
func backoff(n int, after time.Duration, jitter float64) time.Duration {
	d := firstDelay
	for i := 1; i < n && d < maxDelay; i++ {
		d = d * 3 / 2
	}
	d = max(min(d, maxDelay), after)
	return d + time.Duration(jitter*float64(d)/5)
}

// retryAfter reads a Retry-After header, seconds or a date, the latter against the server's own Date; 0 when it says nothing.
func retryAfter(header string, date time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	t, err := http.ParseTime(header)
	if err != nil || date.IsZero() {
		return 0
	}
	return max(0, t.Sub(date))
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
