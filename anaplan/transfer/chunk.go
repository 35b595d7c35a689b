package transfer

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// memory is where slabs come from: a budget, and the part of it that one transfer uses.
type memory struct {
	*Budget
	window *Budget // only counts
}

// reserve waits for n slabs of both.
func (m memory) reserve(ctx context.Context, n int64) error {
	if err := m.window.reserve(ctx, n); err != nil {
		return err
	}
	if err := m.Budget.reserve(ctx, n); err != nil {
		m.window.release(n)
		return err
	}
	return nil
}

func (m memory) release(n int64) {
	m.Budget.release(n)
	m.window.release(n)
}

// chunk is one chunk of an upload on its way, in memory of its own. But for its bodies it
// belongs to one goroutine at a time.
type chunk struct {
	n      int
	offset int64 // in the source
	size   int64 // of the plain bytes
	mem    memory

	slabs [][]byte // what is sent stands in them, one after another, after lead
	lead  int      // slabs at the beginning that are empty: room to compress into
	sent  int64    // bytes that are sent: size, or fewer of a gzip stream
	zip   bool     // it is one

	away atomic.Int64 // of the plain bytes, how many a body was read for

	users atomic.Int32 // who looks at the slabs: the upload, and bodies that are not closed
}

// newChunk reserves memory for a chunk, and for compressing it where it lies.
func newChunk(ctx context.Context, mem memory, n int, offset, size int64, zip bool) (*chunk, error) {
	c := &chunk{n: n, offset: offset, size: size, sent: size, mem: mem}
	if zip {
		c.lead = 1
	}
	if err := mem.reserve(ctx, int64(c.lead)+slabsFor(size)); err != nil {
		return nil, err
	}
	c.users.Store(1)
	for range c.lead {
		c.slabs = append(c.slabs, mem.slab(min(slabSize, size+leadOf)))
	}
	for left := size; left > 0; left -= slabSize {
		c.slabs = append(c.slabs, mem.slab(min(slabSize, left)))
	}
	return c, nil
}

// leadOf is what compressing a small chunk may need besides its own size.
const leadOf = 1 << 10

// plain calls f for the pieces of the chunk's plain bytes, in order, until an error.
func (c *chunk) plain(f func(p []byte, offset int64) error) error {
	at := int64(0)
	for _, s := range c.slabs[c.lead:] {
		n := min(int64(len(s)), c.size-at)
		if err := f(s[:n], at); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// fill reads the chunk from a source. It may come out shorter, which gives memory back,
// and io.EOF if it is empty.
func (c *chunk) fill(read func(p []byte, offset int64) (int, error)) error {
	got := int64(0)
	err := c.plain(func(p []byte, offset int64) error {
		n, err := read(p, c.offset+offset)
		got += int64(n)
		return err
	})
	c.size, c.sent = got, got
	c.keep(int64(c.lead) + slabsFor(got))
	if err == io.ErrUnexpectedEOF || err == io.EOF && got > 0 {
		return nil
	}
	return err
}

func (c *chunk) hash(h *xxh3.Hasher) {
	_ = c.plain(func(p []byte, _ int64) error {
		_, err := h.Write(p)
		return err
	})
}

// compress replaces the plain bytes by one complete gzip stream, since chunks are
// decompressed each by itself (anaplan-api.md 9.4). What is compressed is written where
// the plain bytes were, behind where they are read: it never takes more than they and the
// lead. Memory that is not needed any more is given back.
func (c *chunk) compress(z *zipper, level int) error {
	to := &behind{slabs: c.slabs}
	read := int64(c.lead) * slabSize
	z.start(to, level)
	err := c.plain(func(p []byte, _ int64) error {
		for len(p) > 0 {
			n := min(len(p), 64<<10)
			to.limit = read
			if err := z.write(p[:n]); err != nil {
				return err
			}
			read += int64(n)
			p = p[n:]
		}
		return nil
	})
	if err == nil {
		to.limit = int64(len(c.slabs)) * slabSize
		err = z.end()
	}
	if err != nil {
		return err
	}
	c.keep(slabsFor(to.at))
	c.lead, c.sent, c.zip = 0, to.at, true
	return nil
}

// keep gives back the memory behind the first n slabs.
func (c *chunk) keep(n int64) {
	unused := c.slabs[n:]
	c.slabs = c.slabs[:n]
	c.mem.recycle(unused...)
	c.mem.release(int64(len(unused)))
}

// behind writes into slabs, no farther than limit.
type behind struct {
	slabs     [][]byte
	at, limit int64
}

func (b *behind) Write(p []byte) (int, error) {
	if b.at+int64(len(p)) > b.limit {
		return 0, io.ErrShortBuffer // deflate stores what it cannot compress: this does not happen
	}
	n := 0
	for n < len(p) {
		k := copy(b.slabs[b.at/slabSize][b.at%slabSize:], p[n:])
		if k == 0 {
			return n, io.ErrShortBuffer
		}
		n += k
		b.at += int64(k)
	}
	return n, nil
}

// free gives the memory back, as soon as no body looks at it any more: a transport may
// close a request's body after it has answered. nil has none.
func (c *chunk) free() {
	if c == nil || c.users.Add(-1) > 0 {
		return
	}
	c.mem.recycle(c.slabs...)
	c.mem.release(int64(len(c.slabs)))
}

// goes takes in that the first so many bytes of what is sent are on their way, and returns
// for how many plain bytes that is the first time: a chunk that is repeated moves nothing
// until it is farther than before.
func (c *chunk) goes(sent int64) int64 {
	plain := c.size
	if sent < c.sent {
		plain = int64(float64(c.size) * float64(sent) / float64(c.sent))
	}
	for {
		was := c.away.Load()
		if plain <= was {
			return 0
		}
		if c.away.CompareAndSwap(was, plain) {
			return plain - was
		}
	}
}

// body is what is sent. tell may be nil.
func (c *chunk) body(ctx context.Context, line *Line, wire *atomic.Int64, tell *teller) anaplan.Body {
	return anaplan.Body{Size: c.sent, Gzip: c.zip, Open: func() (io.ReadCloser, error) {
		c.users.Add(1)
		return &body{ctx: ctx, of: c, line: line, wire: wire, tell: tell}, nil
	}}
}

// body is a chunk as the body of one request.
type body struct {
	ctx  context.Context // of the upload
	of   *chunk
	line *Line
	wire *atomic.Int64
	tell *teller
	at   int64

	mu     sync.Mutex // a transport may close a body while it reads it
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	n, fresh, err := b.copy(p)
	if err != nil {
		return n, err
	}
	b.wire.Add(int64(n))
	b.tell.moved(fresh)
	return n, b.line.wait(b.ctx, n)
}

// copy fills p as far as the line gives bytes at a time, and says how many plain bytes that
// is on the way for the first time.
func (b *body) copy(p []byte) (n int, fresh int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.of
	switch {
	case b.closed:
		return 0, 0, http.ErrBodyReadAfterClose
	case b.at == c.sent:
		return 0, 0, io.EOF
	}
	at := b.at + int64(c.lead)*slabSize
	from := c.slabs[at/slabSize][at%slabSize:]
	from = from[:min(int64(len(from)), c.sent-b.at)]
	n = copy(p[:b.line.piece(len(p))], from)
	b.at += int64(n)
	return n, c.goes(b.at), nil
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.of.free()
	}
	return nil
}
