package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
)

const (
	defaultTries = 5
	// A server that asks for more patience than this gets none: whoever wants a token hears of it instead.
	maxRetryAfter = 5 * time.Minute
)

// pause says whether a call that failed for the n-th time may succeed a little later, and when to try.
func pause(p retry.Policy, n int, err error) (time.Duration, bool) {
	if !repeatable(err) {
		return 0, false
	}
	var after time.Duration
	if e, ok := errors.AsType[*LoginError](err); ok {
		after = e.RetryAfter
	}
	return p.Delay(n, after), after <= maxRetryAfter
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
	return network && !refusedOnTheWay(err)
}

// refusedOnTheWay reports whether something between us and the auth host, a proxy, wants a person to do something first. Asked
// again and again with a wrong password it might lock the user.
func refusedOnTheWay(err error) bool {
	var e interface{ LoginRefused() bool }
	return errors.As(err, &e) && e.LoginRefused()
}

// retryAfter reads a Retry-After header, a date in it against the server's own clock; 0 when it says nothing.
func retryAfter(header string, date time.Time) time.Duration {
	if date.IsZero() {
		date = time.Now()
	}
	wait, _ := retry.After(header, date)
	return wait
}
