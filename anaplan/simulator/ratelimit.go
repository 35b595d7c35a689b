package simulator

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// A bucket is the tenant's budget of requests: 600, refilled by 10 a second (anaplan-api.md 5).
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(capacity float64, now time.Time) { b.tokens, b.at = capacity, now }

// take says whether a request may pass; else how long until one may.
func (b *bucket) take(capacity, perSecond float64, now time.Time) (time.Duration, bool) {
	if now.After(b.at) {
		b.tokens = min(capacity, b.tokens+now.Sub(b.at).Seconds()*perSecond)
	}
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0, true
	}
	return time.Duration((1 - b.tokens) / perSecond * float64(time.Second)), false
}

func (s *Simulator) capacity() float64 {
	if s.switches.RateCapacity > 0 {
		return float64(s.switches.RateCapacity)
	}
	return 600
}

// limited answers 429 when the budget is used up.
func (s *Simulator) limited(c *call) (answer, bool) {
	if s.switches.NoRateLimit {
		return answer{}, false
	}
	perSecond := s.switches.RatePerSecond
	if perSecond <= 0 {
		perSecond = 10
	}
	pause, ok := s.bucket.take(s.capacity(), perSecond, s.t)
	if ok {
		return answer{}, false
	}
	a := s.refuse(c, http.StatusTooManyRequests, "Too Many Requests")
	seconds := math.Ceil(pause.Seconds())
	switch s.switches.RetryAfter {
	case "":
		a.header["Retry-After"] = strconv.Itoa(int(seconds))
	case "date":
		at := s.t.Add(time.Duration(seconds) * time.Second).Truncate(time.Second).Add(time.Second)
		a.header["Retry-After"] = at.UTC().Format(http.TimeFormat)
	}
	return a, true
}
