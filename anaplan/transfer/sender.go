package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// sender is one upload. Each of its chunks goes through these stages, in a goroutine of
// its own, so that no stage waits for another chunk's:
//
//	memory is reserved   one chunk after another
//	read                 an io.ReaderAt in parallel; a reader one after another
//	digest               one after another
//	compress             on all cores, no farther ahead of the connections than they need
//	send                 Parallel at a time
type sender struct {
	Upload
	c     *anaplan.Client
	level int // auto, 0 for plain, or 1 to 9
	cores int
	size  func(n int) int64 // of the n-th chunk, when the length is unknown
	ahead []byte            // what was read of Source before its turn
	mem   memory
	wire  atomic.Int64
	tell  *teller

	ready   chan struct{} // a place for each chunk that is compressed or on its way
	zippers chan *zipper  // one for each core
	lines   chan struct{} // a place for each connection

	// Of the chunk whose turn it is to be digested.
	digest *xxh3.Hasher
	up     Uploaded

	mu     sync.Mutex
	queued int       // chunks that wait for a connection
	seen   measures  // for auto
	since  time.Time // since when moved is counted
	moved  int64
}

func newSender(c *anaplan.Client, u Upload) (*sender, error) {
	s := &sender{Upload: u, c: c, cores: runtime.GOMAXPROCS(0), digest: xxh3.New()}
	var err error
	if s.level, err = gzipLevel(u.Gzip); err != nil {
		return nil, fmt.Errorf("upload: %w", err)
	}
	if u.At != nil && u.Size < 0 {
		return nil, errors.New("upload: an io.ReaderAt needs a size")
	}
	if s.Parallel <= 0 {
		s.Parallel = DefaultParallel
	}
	if s.Memory == nil {
		s.Memory = NewBudget(0)
	}
	s.mem.Budget = s.Memory
	s.size = func(n int) int64 { return min(growing(n, s.ChunkSize), s.largest()) }
	s.lines = make(chan struct{}, s.Parallel)
	s.ready = make(chan struct{}, s.Parallel+s.cores)
	s.zippers = make(chan *zipper, s.cores)
	for range s.cores {
		s.zippers <- &zipper{}
	}
	return s, nil
}

// largest is the size of the largest chunk that the memory has room for.
func (s *sender) largest() int64 {
	if s.level != 0 {
		return (s.Memory.slabs - 1) * slabSize
	}
	return s.Memory.slabs * slabSize
}

// open sets the part of the memory that this upload takes at most: enough for each
// connection and core to have a chunk, and for one that is read. More would only be
// farther away from the processor.
func (s *sender) open(chunk int64) {
	each := slabsFor(min(chunk, s.largest()))
	need := (int64(s.Parallel) + 1) * each
	if s.level != 0 {
		need = int64(s.Parallel)*slabsFor(chunk/3) + (int64(s.cores)+1)*(each+1)
	}
	s.mem.window = NewBudget(slabSize * min(s.Memory.slabs, need))
}

// read reads all of p, less only at the end of the source: io.ErrUnexpectedEOF, and
// io.EOF for nothing. The offset counts for an io.ReaderAt; a reader goes on from where
// it stands.
func (s *sender) read(p []byte, offset int64) (int, error) {
	if s.At == nil {
		n := copy(p, s.ahead)
		s.ahead = s.ahead[n:]
		m, err := io.ReadFull(s.Source, p[n:])
		if n > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n + m, err
	}
	n, err := s.At.ReadAt(p, offset)
	switch {
	case n == len(p):
		err = nil
	case err == io.EOF && n > 0:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// send uploads the chunks that next tells, to the end of the source. The first may have
// been read already.
func (s *sender) send(ctx context.Context, first *chunk, next func(n int) (piece, bool)) error {
	group, gctx := errgroup.WithContext(ctx)
	turn := make(chan struct{})
	close(turn)
	for n := 0; gctx.Err() == nil; n++ {
		p, ok := next(n)
		if !ok {
			break
		}
		c, filled := first, n == 0 && first != nil
		var readErr error
		if !filled {
			var err error
			if c, err = newChunk(gctx, s.mem, n, p.offset, p.size, s.level != 0); err != nil {
				break // stopped
			}
			if s.At == nil {
				filled, readErr = true, c.fill(s.read)
			}
		}
		first = nil
		if s.Size < 0 && c.size == 0 && errors.Is(readErr, io.EOF) {
			c.free()
			break
		}
		mine, done := turn, make(chan struct{})
		group.Go(func() error {
			defer c.free()
			err := readErr
			if !filled {
				err = c.fill(s.read)
			}
			if err := await(gctx, mine); err != nil {
				return err
			}
			if err := s.arrived(c, p, err); err != nil {
				return err
			}
			close(done)
			return s.move(gctx, c)
		})
		turn = done
		if readErr != nil || filled && c.size < p.size {
			break
		}
	}
	first.free()
	err := group.Wait()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// arrived digests a chunk that was read, when all before it were. err is that of reading.
func (s *sender) arrived(c *chunk, p piece, err error) error {
	switch short := s.Size >= 0 && c.size < p.size; {
	case short && (err == nil || errors.Is(err, io.EOF)):
		return fmt.Errorf("%w: it had %d bytes, now %d", ErrChanged, s.Size, p.offset+c.size)
	case err != nil:
		return fmt.Errorf("read the source: %w", err)
	}
	c.hash(s.digest)
	s.up.Bytes += c.size
	s.up.Chunks++
	if s.up.Bytes == s.Size {
		return s.ended()
	}
	return nil
}

// move compresses a chunk and sends it.
func (s *sender) move(ctx context.Context, c *chunk) error {
	if s.level != 0 {
		if err := enter(ctx, s.ready); err != nil {
			return err
		}
		defer func() { <-s.ready }()
		if err := s.pack(ctx, c); err != nil {
			return fmt.Errorf("chunk %d: compress: %w", c.n, err)
		}
	}
	s.count(func() { s.queued++ })
	err := enter(ctx, s.lines)
	s.count(func() { s.queued-- })
	if err != nil {
		return err
	}
	defer func() { <-s.lines }()
	began := time.Now()
	s.count(func() {
		if s.since.IsZero() {
			s.since = began
		}
	})
	body := c.body(ctx, s.Line, &s.wire, s.tell)
	if err := s.request(ctx, func() error { return s.c.PutChunk(ctx, s.Model, s.File, c.n, body) }); err != nil {
		return fmt.Errorf("chunk %d: %w", c.n, err)
	}
	s.count(func() { s.arrivedThere(c.sent, time.Since(began)) })
	s.tell.moved(c.goes(c.sent))
	return nil
}

// pack compresses a chunk, if it is worth it.
func (s *sender) pack(ctx context.Context, c *chunk) error {
	z, err := take(ctx, s.zippers)
	if err != nil {
		return err
	}
	defer func() { s.zippers <- z }()
	level := s.level
	if level == auto {
		s.count(func() {
			s.seen.waiting, s.seen.cores = s.queued > 0, s.cores
			level = s.seen.level()
		})
		if level == 0 || !z.worth(c) {
			return nil
		}
	}
	began := time.Now()
	if err := c.compress(z, level); err != nil {
		return err
	}
	took := time.Since(began)
	s.count(func() {
		for _, l := range ladder {
			if l.level == level {
				s.seen.compress = average(s.seen.compress, rateOf(c.size, took)/l.speed)
			}
		}
		s.seen.ratio = average(s.seen.ratio, float64(c.size)/float64(c.sent))
	})
	return nil
}

// arrivedThere measures the line, by what went over it of late. mu is held.
func (s *sender) arrivedThere(bytes int64, took time.Duration) {
	s.seen.each = average(s.seen.each, rateOf(bytes, took))
	s.moved += bytes
	all := time.Since(s.since)
	s.seen.line = rateOf(s.moved, all)
	if all > 20*time.Second {
		s.since, s.moved = s.since.Add(all/2), s.moved/2
	}
}

func (s *sender) count(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// request makes one request.
func (s *sender) request(ctx context.Context, f func() error) error {
	return s.Patient.run(ctx, func() error {
		if s.Before != nil {
			if err := s.Before(); err != nil {
				return err
			}
		}
		return f()
	})
}

// await waits until done is closed.
func await(ctx context.Context, done <-chan struct{}) error {
	_, err := take(ctx, done)
	return err
}

// take takes something, or the cause of the end of ctx.
func take[T any](ctx context.Context, from <-chan T) (t T, err error) {
	select {
	case t = <-from:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return t, err
}

// enter takes a place.
func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
