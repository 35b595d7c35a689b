package transfer

import (
	"math"
	"slices"
	"time"
)

const (
	// paceWindow is the time over which a rate is taken: chunks end in jerks, and still it
	// follows the line.
	paceWindow = 10 * time.Second
	// paceGrain is how near each other samples are kept.
	paceGrain = paceWindow / 50
	// paceLeast is the shortest time that a rate is taken over: the first bytes only fill
	// buffers.
	paceLeast = time.Second
)

// Pace turns samples of how far a transfer is into its rate: that of the last 10 seconds, not
// an average since its beginning. It takes no clock, and a bounded memory. The zero value is
// ready. It is not safe for use by several goroutines.
type Pace struct {
	samples []paceSample // in order of time; what lies before the window only where it ends
}

type paceSample struct {
	at    time.Time
	bytes int64
}

// Add takes in how many bytes had been moved at a time. The first sample says when the
// transfer began, and with how many. Times and bytes do not fall: a time before the last one
// counts as that, and with fewer bytes it all begins again.
func (p *Pace) Add(at time.Time, bytes int64) {
	n := len(p.samples)
	if n > 0 && bytes < p.samples[n-1].bytes {
		p.samples, n = p.samples[:0], 0
	}
	if n > 0 && at.Before(p.samples[n-1].at) {
		at = p.samples[n-1].at
	}
	if n > 1 && at.Sub(p.samples[n-2].at) < paceGrain {
		p.samples[n-1] = paceSample{at, bytes}
		return
	}
	p.samples = append(p.samples, paceSample{at, bytes})
	// One sample at or before the window says what was moved when it began.
	begins := at.Add(-paceWindow)
	first := 0
	for first+1 < len(p.samples) && !p.samples[first+1].at.After(begins) {
		first++
	}
	p.samples = slices.Delete(p.samples, 0, first)
}

// Rate is how many bytes a second were moved in the 10 seconds before now, or since the
// transfer began. It is 0 when nothing was.
func (p *Pace) Rate(now time.Time) float64 {
	if len(p.samples) == 0 {
		return 0
	}
	last := p.samples[len(p.samples)-1]
	if now.Before(last.at) {
		now = last.at
	}
	over := min(paceWindow, max(paceLeast, now.Sub(p.samples[0].at)))
	return max(0, (float64(last.bytes)-p.moved(now.Add(-over)))/over.Seconds())
}

// moved is how many bytes had been moved at a time: between two samples it went evenly.
func (p *Pace) moved(at time.Time) float64 {
	before := p.samples[0]
	if !at.After(before.at) {
		return float64(before.bytes)
	}
	for _, s := range p.samples {
		if s.at.After(at) {
			share := float64(at.Sub(before.at)) / float64(s.at.Sub(before.at))
			return float64(before.bytes) + share*float64(s.bytes-before.bytes)
		}
		before = s
	}
	return float64(before.bytes)
}

// left is how long it takes to move the rest at a rate; negative: unknown, since the total
// is, or nothing moves.
func left(bytes, total int64, rate float64) time.Duration {
	switch {
	case total < 0:
		return -1
	case bytes >= total:
		return 0
	case rate < 1:
		return -1
	}
	if seconds := float64(total-bytes) / rate; seconds < math.MaxInt64/float64(time.Second)/2 {
		return time.Duration(seconds * float64(time.Second))
	}
	return -1
}
