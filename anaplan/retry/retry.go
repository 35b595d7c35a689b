// Package retry decides which HTTP requests are sent again, when, and which never are.
//
// What is worth repeating is decided by [Classify], how long to wait by [Policy.Delay];
// [Transport] puts both to work around another RoundTripper. Requests that are not on
// its list, above all the start of a task, pass through it once.
package retry

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Verdict says what an attempt's outcome means for the next.
type Verdict int

// The verdicts.
const (
	Stop    Verdict = iota // it is answered, or repeating cannot help
	Again                  // it did not happen, or repeating does no harm: try again
	Unknown                // it may have happened: only what is safe to repeat is tried again
)

// Classify says what an answer or an error means. Exactly one of the two is not nil. It
// is pure. Errors are those of the network, which may pass, but for three: the caller's
// own cancel, a server whose certificate is not trusted, and an error that says by a
// method LoginRefused that there is no token to be had.
func Classify(resp *http.Response, err error) Verdict {
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return Stop
		}
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return Stop
		}
		var final interface{ LoginRefused() bool }
		if errors.As(err, &final) && final.LoginRefused() {
			return Stop
		}
		return Unknown
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return Again
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Unknown
	}
	return Stop
}

// Policy says how often to try and how long to wait in between. Zero fields take the
// values that Anaplan's own client uses in the form of its defaults and limits
// (anaplan-api.md 5, 23.3).
type Policy struct {
	Tries   int           // in all; default 5
	First   time.Duration // before the second try; default 3 s
	Factor  float64       // of each wait to the one before; default 1.5
	Max     time.Duration // of one wait, unless the server asks for more; default 120 s
	Longest time.Duration // that a server may ask for; default 15 minutes. It is not waited for longer, nor asked again earlier

	// Jitter gives a number in [0,1) for each wait; it is called from several goroutines.
	// Default: a random one.
	Jitter func() float64
}

func (p Policy) withDefaults() Policy {
	if p.Tries <= 0 {
		p.Tries = 5
	}
	if p.First <= 0 {
		p.First = 3 * time.Second
	}
	if p.Factor <= 0 {
		p.Factor = 1.5
	}
	if p.Max <= 0 {
		p.Max = 120 * time.Second
	}
	if p.Longest <= 0 {
		p.Longest = 15 * time.Minute
	}
	if p.Jitter == nil {
		p.Jitter = rand.Float64
	}
	return p
}

// Delay is the wait after the n-th failed try, from 1: by the jitter between a half and
// the whole of what the policy says, and never shorter than the server asked for.
func (p Policy) Delay(n int, asked time.Duration) time.Duration {
	p = p.withDefaults()
	d := min(float64(p.First), float64(p.Max))
	for range n - 1 {
		if d *= p.Factor; d >= float64(p.Max) {
			d = float64(p.Max)
			break
		}
	}
	d = d/2 + d/2*p.Jitter()
	return max(time.Duration(d), asked)
}

// Next says whether there is to be another try after the n-th, which ended as the
// verdict says, and the wait before it. The request is one that may be repeated: so what
// may have happened is tried again like what did not.
func (p Policy) Next(n int, v Verdict, asked time.Duration) (wait time.Duration, again bool) {
	p = p.withDefaults()
	if v == Stop || n >= p.Tries || asked > p.Longest {
		return 0, false
	}
	return p.Delay(n, asked), true
}

// After reads a Retry-After header: seconds, or a date, which is compared with now, the
// server's clock. ok is false if it is neither. A negative number or a date in the past
// is no wait (anaplan-api.md 5).
func After(header string, now time.Time) (wait time.Duration, ok bool) {
	const most = 100 * 365 * 24 * time.Hour // more does not fit a Duration
	header = strings.TrimSpace(header)
	if s, err := strconv.ParseInt(header, 10, 64); err == nil {
		return time.Duration(max(0, min(s, int64(most/time.Second)))) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, min(at.Sub(now), most)), true
	}
	return 0, false
}

// limited is the wait after a 429 without Retry-After (anaplan-api.md 5).
const limited = 10 * time.Second

// Sleep waits, or returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
