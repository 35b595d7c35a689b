package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// DefaultMemory is the size of a Budget when nobody says more or less.
const DefaultMemory = 128 << 20

// slabSize is the unit in which memory is given out. One is enough for any transfer to go
// on, with what it was given to begin with.
const slabSize = 256 << 10

// leastSlabs are those of the smallest Budget: a chunk of one and the room to compress it.
const leastSlabs = 2

// Budget is memory for the bytes of all transfers that are given it: what was read and is
// not sent yet, and what came and is not written yet. It is reserved before a byte is
// read, in the order in which it is asked for, so that all of them together never hold
// more. A transfer that has to wait for memory holds none that another waits for: they
// always go on, with fewer chunks at a time. It is safe for use by several goroutines.
//
// What each connection and each compressor needs besides is not counted: about 100 KiB
// and 1 MiB.
type Budget struct {
	slabs int64 // in all
	left  *semaphore.Weighted

	mu   sync.Mutex
	free [][]byte // to be used again
	made int64    // slabs that were made, free ones included
	used int64    // slabs that are given out
	most int64    // of used, ever
}

// NewBudget is a budget of so many bytes, at least 512 KiB; 0 means DefaultMemory.
func NewBudget(bytes int64) *Budget {
	if bytes == 0 {
		bytes = DefaultMemory
	}
	slabs := max(leastSlabs, bytes/slabSize)
	return &Budget{slabs: slabs, left: semaphore.NewWeighted(slabs)}
}

// Size is what the budget allows in all, in bytes.
func (b *Budget) Size() int64 { return b.slabs * slabSize }

// Peak is the most that was in use at a time, in bytes.
func (b *Budget) Peak() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.most * slabSize
}

// errTooMuch says that what is asked for is more than there is, ever.
var errTooMuch = errors.New("more memory than the budget has")

// reserve waits for n slabs, or for the end of ctx, whose cause it returns.
func (b *Budget) reserve(ctx context.Context, n int64) error {
	if n > b.slabs {
		return fmt.Errorf("%w: %d bytes of %d", errTooMuch, n*slabSize, b.Size())
	}
	if err := b.left.Acquire(ctx, n); err != nil {
		return context.Cause(ctx)
	}
	b.took(n)
	return nil
}

// try reserves n slabs if they are there.
func (b *Budget) try(n int64) bool {
	if !b.left.TryAcquire(n) {
		return false
	}
	b.took(n)
	return true
}

func (b *Budget) took(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.most = max(b.most, b.used)
}

// release gives n slabs back. Nothing is kept for later when none is in use.
func (b *Budget) release(n int64) {
	b.mu.Lock()
	b.used -= n
	if b.used == 0 {
		b.free, b.made = nil, 0
	}
	b.mu.Unlock()
	b.left.Release(n)
}

// blockSlabs are made at a time, as far as they are reserved.
const blockSlabs = 16

// slab is memory of at least n bytes, at most a slab, of what was reserved.
func (b *Budget) slab(n int64) []byte {
	if n < slabSize/4 {
		return make([]byte, n) // of a small file: it counts as a whole one
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) == 0 {
		b.grow(max(1, min(blockSlabs, b.used-b.made)))
	}
	last := len(b.free) - 1
	s := b.free[last]
	b.free = b.free[:last]
	return s
}

// grow makes n slabs, in one piece. mu is held.
func (b *Budget) grow(n int64) {
	block := make([]byte, n*slabSize)
	inLargePages(block)
	for at := (n - 1) * slabSize; at >= 0; at -= slabSize { // the first is given out first
		b.free = append(b.free, block[at:at+slabSize:at+slabSize])
	}
	b.made += n
}

// recycle takes slabs that nobody looks at any more. They must be given back by release
// as well.
func (b *Budget) recycle(slabs ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range slabs {
		if cap(s) == slabSize {
			b.free = append(b.free, s[:slabSize])
		}
	}
}

// slabsFor is how many slabs n bytes take.
func slabsFor(n int64) int64 { return (n + slabSize - 1) / slabSize }
