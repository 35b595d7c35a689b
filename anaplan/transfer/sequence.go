package transfer

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// sequence writes parts that come in any order in theirs. The part whose turn it is
// writes through and needs no memory; the others keep their bytes in what they were
// given, and wait for more of it, or for their turn. So it always goes on.
type sequence struct {
	ctx  context.Context // ends with the first error
	stop context.CancelCauseFunc
	w    io.Writer
	mem  memory
	line *Line
	tell *teller
	wire atomic.Int64

	// Of the part whose turn it is.
	bytes   int64
	scratch []byte

	mu   sync.Mutex
	last *part // that was made
	size int64 // of the largest part so far
}

// newSequence begins a sequence. stop it at the end.
func newSequence(ctx context.Context, w io.Writer, mem memory) *sequence {
	ctx, stop := context.WithCancelCause(ctx)
	return &sequence{ctx: ctx, stop: stop, w: w, mem: mem}
}

// part is one part. It belongs to one goroutine.
type part struct {
	s     *sequence
	turn  context.Context // ends when it is the part's turn, or with the sequence
	begin context.CancelFunc
	ended bool  // guarded by mu of the sequence
	next  *part // likewise

	got      int64    // written or kept
	reserved int64    // slabs
	slabs    [][]byte // kept
	kept     int64    // bytes in slabs
}

// part makes the next part.
func (s *sequence) part() *part {
	p := &part{s: s}
	p.turn, p.begin = context.WithCancel(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || s.last.ended {
		p.begin()
	} else {
		s.last.next = p
	}
	s.last = p
	return p
}

// mine says whether it is the part's turn. Else it is an error when there was one.
func (p *part) mine() (bool, error) {
	if p.s.ctx.Err() != nil {
		return false, context.Cause(p.s.ctx)
	}
	return p.turn.Err() != nil, nil
}

// open reserves as much as the part is expected to need, or waits until it is its turn.
func (p *part) open() error {
	p.s.mu.Lock()
	size := p.s.size
	p.s.mu.Unlock()
	if size == 0 {
		size = DefaultChunk // export chunks are about 10 MB (anaplan-api.md 9.8)
	}
	return p.reserve(min(slabsFor(size), p.s.mem.window.slabs))
}

// reserve waits for n slabs more, or until it is the part's turn.
func (p *part) reserve(n int64) error {
	mine, err := p.mine()
	if err != nil || mine {
		return err
	}
	if p.s.mem.reserve(p.turn, n) == nil {
		p.reserved += n
		return nil
	}
	_, err = p.mine()
	return err
}

// fill takes the bytes of a body that begins at the part's beginning: those that it has
// already are skipped. A body that is shorter than that is ErrChanged.
func (p *part) fill(body io.Reader) error {
	from := &metered{r: body, s: p.s}
	if err := p.skip(from); err != nil {
		return err
	}
	for {
		room, err := p.room()
		if err != nil {
			return err
		}
		n, err := from.Read(room)
		if werr := p.take(room[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// room is where the next bytes go: kept, or to be written.
func (p *part) room() ([]byte, error) {
	for {
		mine, err := p.mine()
		if err != nil {
			return nil, err
		}
		if mine {
			if err := p.flush(); err != nil {
				return nil, err
			}
			if p.s.scratch == nil {
				p.s.scratch = make([]byte, slabSize)
			}
			return p.s.scratch, nil
		}
		if full := int64(len(p.slabs)) * slabSize; p.kept < full {
			return p.slabs[len(p.slabs)-1][slabSize-(full-p.kept):], nil
		}
		if int64(len(p.slabs)) < p.reserved {
			p.slabs = append(p.slabs, p.s.mem.slab(slabSize))
		} else if err := p.reserve(1); err != nil {
			return nil, err
		}
	}
}

// take takes the bytes that were put into room.
func (p *part) take(data []byte) error {
	p.got += int64(len(data))
	if len(p.slabs) > 0 {
		p.kept += int64(len(data))
		return nil
	}
	return p.out(data)
}

// flush writes what was kept, when it is the part's turn, and gives its memory back.
func (p *part) flush() error {
	defer p.free()
	for _, slab := range p.slabs {
		n := min(p.kept, slabSize)
		if err := p.out(slab[:n]); err != nil {
			return err
		}
		p.kept -= n
	}
	return nil
}

// free gives back memory.
func (p *part) free() {
	p.s.mem.recycle(p.slabs...)
	p.s.mem.release(p.reserved)
	p.slabs, p.reserved, p.kept = nil, 0, 0
}

// out writes, when it is the part's turn.
func (p *part) out(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	n, err := p.s.w.Write(data)
	p.s.bytes += int64(n)
	if err != nil {
		p.s.stop(err)
		return err
	}
	p.s.tell.moved(int64(n))
	return nil
}

// end lets the next part write, or nobody any more. It returns the first error of any
// part.
func (p *part) end(err error) error {
	defer p.free()
	if err != nil {
		p.s.stop(err)
		return context.Cause(p.s.ctx)
	}
	<-p.turn.Done()
	if _, err := p.mine(); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.size = max(p.s.size, p.got)
	p.ended = true
	if p.next != nil {
		p.next.begin()
	}
	return nil
}

func (p *part) failed() bool { return p.s.ctx.Err() != nil }

// metered counts bytes as they come, and keeps them inside the line.
type metered struct {
	r io.Reader
	s *sequence
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p[:m.s.line.piece(len(p))])
	m.s.wire.Add(int64(n))
	if n > 0 {
		if err := m.s.line.wait(m.s.ctx, n); err != nil {
			return n, err
		}
	}
	return n, err
}

// skip passes over what the part has.
func (p *part) skip(from io.Reader) error {
	if p.got == 0 {
		return nil
	}
	n, err := io.CopyN(io.Discard, from, p.got)
	if err == io.EOF {
		return fmt.Errorf("%w: it had %d bytes, now %d", ErrChanged, p.got, n)
	}
	return err
}
