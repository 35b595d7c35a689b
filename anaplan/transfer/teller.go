package transfer

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	tellMost  = 200 * time.Millisecond // between two looks at what moves
	tellLeast = time.Second            // until it is seen that it moves no more
	tellStill = paceWindow             // while nothing moves
)

// teller tells how far one transfer is: while it moves about five times a second, and now
// and then when it does not. nil tells nobody.
type teller struct {
	progress func(Moved)
	wire     *atomic.Int64
	stop     chan struct{}
	ended    sync.WaitGroup

	mu    sync.Mutex // also while progress is called
	now   Moved
	told  time.Time // zero: nothing was, and the first bytes are at once
	knows int64     // bytes that were told
	pace  Pace
}

// newTeller begins to tell. end it.
func newTeller(progress func(Moved), total int64, wire *atomic.Int64) *teller {
	if progress == nil {
		return nil
	}
	t := &teller{progress: progress, wire: wire, stop: make(chan struct{}), now: Moved{Total: max(-1, total)}}
	t.pace.Add(time.Now(), 0)
	t.ended.Go(t.tick)
	return t
}

// tick tells when nobody else does.
func (t *teller) tick() {
	timer := time.NewTimer(tellLeast)
	defer timer.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-timer.C:
		}
		t.mu.Lock()
		next := tellLeast
		if time.Since(t.told) >= tellLeast {
			t.tell(time.Now())
		}
		if t.now.Rate == 0 {
			next = tellStill
		}
		t.mu.Unlock()
		timer.Reset(next)
	}
}

// moved takes in that so many bytes more have been moved.
func (t *teller) moved(bytes int64) {
	if t == nil || bytes <= 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.now.Bytes += bytes
	t.pace.Add(now, t.now.Bytes)
	if now.Sub(t.told) >= tellMost {
		t.tell(now)
	}
}

// total takes in how many bytes it will be, where that was not known at the beginning.
func (t *teller) total(bytes int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Total = bytes
}

// tell tells. mu is held.
func (t *teller) tell(now time.Time) {
	t.told, t.knows = now, t.now.Bytes
	t.now.Wire, t.now.Rate = t.wire.Load(), t.pace.Rate(now)
	t.now.Left = left(t.now.Bytes, t.now.Total, t.now.Rate)
	t.progress(t.now)
}

// end tells what was not told yet. Nothing is told any more when it returns.
func (t *teller) end() {
	if t == nil {
		return
	}
	close(t.stop)
	t.ended.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now.Bytes > t.knows || t.knows > 0 && t.wire.Load() > t.now.Wire {
		t.tell(time.Now())
	}
}
