package transfer

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plainPace is what Pace promises, said plainly: it forgets nothing.
type plainPace []paceSample

func (p plainPace) moved(at time.Time) float64 {
	before := p[0]
	for _, s := range p {
		if !at.After(p[0].at) {
			break
		}
		if s.at.After(at) {
			return float64(before.bytes) + float64(s.bytes-before.bytes)*at.Sub(before.at).Seconds()/s.at.Sub(before.at).Seconds()
		}
		before = s
	}
	return float64(before.bytes)
}

func TestPaceIsThatOfTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at, bytes := time.Unix(1_800_000_000, 0), int64(0)
		p, plain := Pace{}, plainPace{{at, 0}}
		p.Add(at, 0)
		grain := 0.0 // at most what is forgotten: the bytes between two samples that are kept
		often := time.Duration(rapid.SampledFrom([]int{1, 10, 300}).Draw(t, "often"))
		for range rapid.SampledFrom([]int{0, 1, 2, 10, 150}).Draw(t, "samples") {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "later")) / often)
			more := rapid.Int64Range(0, 1<<24).Draw(t, "more")
			bytes += more
			p.Add(at, bytes)
			plain = append(plain, paceSample{at, bytes})
		}
		for i := range plain {
			for k := i; k > 0 && plain[i].at.Sub(plain[k].at) <= 2*paceGrain; k-- {
				grain = max(grain, float64(plain[i].bytes-plain[k-1].bytes))
			}
		}
		now := at.Add(time.Duration(rapid.Int64Range(0, int64(15*time.Second)).Draw(t, "now")))
		over := min(paceWindow, max(paceLeast, now.Sub(plain[0].at)))
		want := (float64(bytes) - plain.moved(now.Add(-over))) / over.Seconds()
		got := p.Rate(now)
		if math.IsNaN(got) || got < 0 || math.Abs(got-want)*over.Seconds() > grain+1 {
			t.Fatalf("rate %f, want %f", got, want)
		}
		if still := now.Sub(at) > paceWindow; still && got != 0 {
			t.Fatalf("%f bytes a second though nothing moves", got)
		}
	})
}

// A line that changes shows within the window, whatever was before.
func TestPaceFollowsTheLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, at, bytes := Pace{}, time.Unix(1_800_000_000, 0), int64(0)
		p.Add(at, 0)
		for range rapid.IntRange(1, 3).Draw(t, "lines") {
			rate, every := rapid.Int64Range(0, 1<<30).Draw(t, "rate"), rapid.Int64Range(10, 2000).Draw(t, "ms")
			for range 12_000 / every {
				at, bytes = at.Add(time.Duration(every)*time.Millisecond), bytes+rate*every/1000
				p.Add(at, bytes)
			}
			// A sample that lies across the beginning of the window may be of the line before.
			if got, slack := p.Rate(at), 1+float64(rate)*float64(every+200)/1000/paceWindow.Seconds(); math.Abs(got-float64(rate)) > slack+float64(1000/every) {
				t.Fatalf("rate %f, the line gives %d", got, rate)
			}
		}
	})
}

func TestPaceForgets(t *testing.T) {
	for _, every := range []time.Duration{0, time.Millisecond, 201 * time.Millisecond, 3 * time.Second} {
		p, at := Pace{}, time.Unix(1_800_000_000, 0)
		for n := range int64(1000) {
			at = at.Add(every)
			p.Add(at, n)
		}
		if most := int(paceWindow/paceGrain)*2 + 3; len(p.samples) > most {
			t.Errorf("keeps %d samples of one in %v", len(p.samples), every)
		}
	}
}

// Clocks that go back and transfers that begin again do no harm.
func TestPaceOfAnySamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, at := Pace{}, time.Unix(1_800_000_000, 0)
		for range rapid.IntRange(0, 30).Draw(t, "samples") {
			moment := func() time.Time {
				return at.Add(time.Duration(rapid.Int64Range(-int64(time.Minute), int64(time.Minute)).Draw(t, "at")))
			}
			p.Add(moment(), rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes"))
			if r := p.Rate(moment()); math.IsNaN(r) || math.IsInf(r, 0) || r < 0 {
				t.Fatalf("rate %f", r)
			}
		}
	})
}

func TestLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes")
		total := rapid.Int64Range(-1, math.MaxInt64).Draw(t, "total")
		rate := rapid.Float64Range(0, 1e12).Draw(t, "rate")
		got := left(bytes, total, rate)
		switch {
		case total < 0:
			if got >= 0 {
				t.Fatalf("%v left of an unknown total", got)
			}
		case bytes >= total:
			if got != 0 {
				t.Fatalf("%v left at the end", got)
			}
		case rate < 1:
			if got >= 0 {
				t.Fatalf("%v left though nothing moves", got)
			}
		case got >= 0:
			rest := float64(total - bytes)
			if math.Abs(got.Seconds()*rate-rest) > rest*1e-9+rate*1e-6 {
				t.Fatalf("%v left at %f for %f bytes", got, rate, rest)
			}
		case float64(total-bytes)/rate < 1e9:
			t.Fatal("it is known")
		}
	})
}

func TestTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Moved
		var bytes, total int64
		known, rate := true, 0.0
		for range rapid.IntRange(0, 5).Draw(t, "transfers") {
			m := Moved{Bytes: rapid.Int64Range(0, 1<<40).Draw(t, "bytes"), Rate: float64(rapid.Int64Range(0, 1<<30).Draw(t, "rate"))}
			m.Total = m.Bytes + rapid.Int64Range(0, 1<<40).Draw(t, "rest")
			if rapid.IntRange(0, 5).Draw(t, "unknown") == 0 {
				m.Total, known = -1, false
			}
			bytes, total, rate = bytes+m.Bytes, total+m.Total, rate+m.Rate
			all = append(all, m)
		}
		got := Together(all...)
		if got.Bytes != bytes || got.Rate != rate || known && got.Total != total || !known && got.Total != -1 {
			t.Fatalf("%+v of %+v", got, all)
		}
		if want := left(bytes, got.Total, rate); got.Left != want {
			t.Fatalf("%v left, want %v", got.Left, want)
		}
	})
}

func TestWordsOfMoved(t *testing.T) {
	for want, m := range map[string]Moved{
		"12.3 MB of 80.0 MB, 9.8 MB/s, 7s left": {Bytes: 12_300_000, Total: 80_000_000, Rate: 9_790_000, Left: 6914 * time.Millisecond},
		"12.3 MB, 9000 B/s":                     {Bytes: 12_300_000, Total: -1, Rate: 9000, Left: -1},
		"12.3 MB of 80.0 MB, 0 B/s":             {Bytes: 12_300_000, Total: 80_000_000, Left: -1},
		"80.0 MB of 80.0 MB, 500 kB/s":          {Bytes: 80_000_000, Total: 80_000_000, Rate: 500_000},
		"1 B of 20.5 GB, 2 B/s, 4h 00m left":    {Bytes: 1, Total: 20_500_000_000, Rate: 2, Left: 4 * time.Hour},
		"1 B of 10 B, 2 B/s, 1m 01s left":       {Bytes: 1, Total: 10, Rate: 2, Left: time.Minute + 1},
		"1 B of 10 B, 2 B/s, 6 days left":       {Bytes: 1, Total: 10, Rate: 2, Left: 150 * time.Hour},
	} {
		if got := m.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
