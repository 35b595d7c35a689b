package transfer

import (
	"fmt"
	"strings"
	"time"
)

// Moved is how far a transfer is.
type Moved struct {
	Bytes int64         // of the file: of an upload's chunk under way in proportion to what of it was sent
	Wire  int64         // that went over the line for them: compressed, repeats included, without headers
	Total int64         // of the file; negative: unknown
	Rate  float64       // bytes of the file a second, in the last 10 seconds; 0: nothing moves
	Left  time.Duration // until the end at this rate; negative: unknown, or nothing moves
}

// Together is how far several transfers are that are under way at the same time. Its Total is
// known if theirs are.
func Together(all ...Moved) Moved {
	sum := Moved{}
	for _, m := range all {
		sum.Bytes += m.Bytes
		sum.Wire += m.Wire
		sum.Rate += m.Rate
		if m.Total < 0 || sum.Total < 0 {
			sum.Total = -1
		} else {
			sum.Total += m.Total
		}
	}
	sum.Left = left(sum.Bytes, sum.Total, sum.Rate)
	return sum
}

// Words says it for people: how much, how fast, and, where that is known, how long it takes
// to the end, as in "12.3 MB of 80.0 MB", "9.8 MB/s", "7s left".
func (m Moved) Words() []string {
	much := Size(m.Bytes)
	if m.Total >= 0 {
		much += " of " + Size(m.Total)
	}
	words := []string{much, Size(int64(m.Rate)) + "/s"}
	if m.Left >= 0 && m.Bytes < m.Total {
		words = append(words, lasting(m.Left)+" left")
	}
	return words
}

// String joins the words with commas.
func (m Moved) String() string { return strings.Join(m.Words(), ", ") }

// Size writes a number of bytes for people, in powers of 1,000.
func Size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// lasting is a time that is left, as 7s, 3m 05s or 2h 05m: more than that nobody can tell.
func lasting(d time.Duration) string {
	switch s := int64((d + time.Second - 1) / time.Second); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case s < 100*3600:
		return fmt.Sprintf("%dh %02dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%d days", s/86400)
	}
}

// Seldom is for lines in a log: the function that it returns passes on how far one transfer is, not before
// so long after this call, and then no oftener. Of a transfer that stands still it says so
// once. It is called by one goroutine at a time.
func Seldom(every time.Duration, tell func(Moved)) func(Moved) {
	last, told := time.Now(), Moved{Rate: 1}
	return func(m Moved) {
		if time.Since(last) < every || m.Rate == 0 && told.Rate == 0 && m.Bytes == told.Bytes {
			return
		}
		last, told = time.Now(), m
		tell(m)
	}
}
