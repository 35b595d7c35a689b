// Package retry decides which HTTP requests are sent again, when, and which never are.
//
// What is worth repeating is decided by [Classify], how long to wait by [Policy.Delay];
// [Transport] puts both to work around another RoundTripper. Requests that are not on
// its list, above all the start of a task, pass through it once.
package retry

import (
	"context"
	"errors"
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

// Classify says what an answer or an error means. Exactly one of the two is not nil.
func Classify(resp *http.Response, err error) Verdict {
	if err != nil {
		if errors.Is(err, context.Canceled) {
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
// (anaplan-api.md 5).
type Policy struct {
	Tries  int           // in all; default 5
	First  time.Duration // before the second try; default 3 s
	Factor float64       // of each wait to the one before; default 1.5
	Max    time.Duration // of one wait, unless the server asks for more; default 120 s
}

func (p Policy) withDefaults() Policy {
	if p.Tries == 0 {
		p.Tries = 5
	}
	if p.First == 0 {
		p.First = 3 * time.Second
	}
	if p.Factor == 0 {
		p.Factor = 1.5
	}
	if p.Max == 0 {
		p.Max = 120 * time.Second
	}
	return p
}

// longestAsked bounds what a server may ask for with Retry-After.
const longestAsked = 15 * time.Minute

// Delay is the wait after the n-th failed try, from 1. jitter is a number in [0,1): the
// wait is between a half and the whole of what the policy says, and never shorter than
// the server asked for. It is pure.
func (p Policy) Delay(n int, asked time.Duration, jitter float64) time.Duration {
	p = p.withDefaults()
	d := float64(p.First)
	for range n - 1 {
		if d *= p.Factor; d >= float64(p.Max) {
			d = float64(p.Max)
			break
		}
	}
	d = d/2 + d/2*jitter
	return max(time.Duration(d), min(asked, longestAsked))
}

// After reads a Retry-After header: seconds, or a date. ok is false if it is neither. A
// negative number or a date in the past means at once (anaplan-api.md 5).
func After(header string, now time.Time) (wait time.Duration, ok bool) {
	header = strings.TrimSpace(header)
	if s, err := strconv.ParseInt(header, 10, 64); err == nil {
		return time.Duration(max(0, min(s, int64(longestAsked/time.Second)))) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// limited is the wait after a 429 without Retry-After (anaplan-api.md 5).
const limited = 10 * time.Second
