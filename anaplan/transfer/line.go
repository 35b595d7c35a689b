package transfer

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// Line is a bandwidth that transfers share: bytes a second as they go over the wire,
// compressed, repeats included, in both directions together; headers and TLS are not
// counted. nil is a line without a limit. It is safe for use by several goroutines.
type Line struct {
	limit *rate.Limiter
	most  int // bytes that are taken at a time
}

// NewLine is a line of so many bytes a second; 0 or less: nil, without a limit.
func NewLine(bytesPerSecond int64) *Line {
	if bytesPerSecond <= 0 {
		return nil
	}
	// A twentieth of a second at a time, so that connections take turns often.
	most := int(max(1, min(64<<10, bytesPerSecond/20)))
	return &Line{limit: rate.NewLimiter(rate.Limit(bytesPerSecond), most), most: most}
}

// piece is how many of n bytes may be moved at a time.
func (l *Line) piece(n int) int {
	if l == nil {
		return n
	}
	return min(n, l.most)
}

// wait waits until n bytes, at most a piece, may be moved, or for the end of ctx, whose
// cause it returns.
func (l *Line) wait(ctx context.Context, n int) error {
	if l == nil {
		return nil
	}
	turn := l.limit.ReserveN(time.Now(), n)
	if d := turn.Delay(); d > 0 {
		if err := pause(ctx, d); err != nil {
			turn.Cancel()
			return err
		}
	}
	return nil
}
