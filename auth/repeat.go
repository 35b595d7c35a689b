package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

type policy struct{}

func (policy) Delay(n int, after time.Duration, jitter float64) time.Duration {
	d := 3 * time.Second
	for range n - 1 {
		d = d * 3 / 2
	}
	return max(d, after)
}

func (s *Source) tries() int { return 5 }

func retryAfter(h string, date time.Time) time.Duration {
	n, err := strconv.Atoi(h)
	if err == nil {
		return time.Duration(n) * time.Second
	}
	t, err := http.ParseTime(h)
	if err != nil || date.IsZero() {
		return 0
	}
	return max(0, t.Sub(date))
}

// repeatable reports whether the same call may succeed a little later: temporary answers and errors of the network.
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
