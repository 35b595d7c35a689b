package auth

import (
	"fmt"
	"time"
)

// An instant is a moment on both of our clocks. The wall clock may be set, the monotonic one stops while a laptop sleeps.
type instant struct{ wall, mono time.Time }

// A clock reads both.
type clock struct{ wall func() time.Time }

func (c clock) now() instant {
	// Round(0) takes the monotonic reading off, so that differences of wall times are those of the wall clock.
	return instant{wall: c.wall().Round(0), mono: time.Now()}
}

// since returns the time passed on the clock on which more has passed: where they disagree, a token is rather taken for dead.
func (c clock) since(i instant) time.Duration {
	now := c.now()
	return max(now.wall.Sub(i.wall), now.mono.Sub(i.mono))
}

// ClockOff returns how far our wall clock is ahead of the auth host's, negative: behind, by its latest answer; 0 when it cannot be
// told apart. Known is false before the first answer.
func (s *Source) ClockOff() (off time.Duration, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.off, !s.server.date.IsZero()
}

const tolerance = time.Minute

// A serverClock estimates the time on the auth host from the latest Date header seen.
type serverClock struct {
	clock
	date time.Time // zero: none seen
	seen instant   // when it arrived
	off  time.Duration
}

// now returns the server's time, or our wall clock's while nothing is known.
func (s serverClock) now() time.Time {
	if s.date.IsZero() {
		return s.wall()
	}
	return s.date.Add(s.since(s.seen))
}

// off returns how far our wall clock is ahead of a Date header that answered what was asked at the time asked, and arrived at
// received; negative: behind. Within the second that the header leaves out, and the time the answer took, it is 0.
func off(date time.Time, asked, received instant) time.Duration {
	if d := asked.wall.Sub(date.Add(time.Second)); d > 0 {
		return d
	}
	if d := received.wall.Sub(date); d < 0 {
		return d
	}
	return 0
}

func clockWarning(off time.Duration, date time.Time) string {
	side := "ahead of"
	if off < 0 {
		off, side = -off, "behind"
	}
	return fmt.Sprintf("this machine's clock is %s %s the login host's, which says %s: set it right; until then logins use the host's time",
		off.Round(time.Second), side, date.UTC().Format(time.RFC3339))
}
