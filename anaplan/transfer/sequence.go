package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// mostAhead is how much of a chunk is kept while earlier ones are not written. A chunk
// that is larger waits for its turn.
const mostAhead = MaxChunk

// sequence writes parts that come in any order in theirs. The part whose turn it is
// writes through; the others keep their bytes.
type sequence struct {
	w        io.Writer
	progress func(int64)
	ahead    int   // most bytes that a part keeps
	bytes    int64 // written; belongs to the part whose turn it is

	mu   sync.Mutex
	turn *sync.Cond
	next int
	err  error // of any part: nothing is written after it
}

func newSequence(w io.Writer, progress func(int64)) *sequence {
	s := &sequence{w: w, progress: progress, ahead: mostAhead}
	s.turn = sync.NewCond(&s.mu)
	return s
}

// part is the i-th part. It belongs to one goroutine.
func (s *sequence) part(i int) *part { return &part{s: s, i: i} }

type part struct {
	s     *sequence
	i     int
	ahead bytes.Buffer
	got   int64 // written or kept
}

// fill takes the bytes of a body that begins at the part's beginning: those that it has
// already are skipped. A body that is shorter than that is ErrChanged.
func (p *part) fill(body io.Reader) error {
	if n, err := io.CopyN(io.Discard, body, p.got); err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: it had %d bytes, now %d", ErrChanged, p.got, n)
		}
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if err := p.write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (p *part) write(data []byte) error {
	mine, err := p.await(func() bool { return p.ahead.Len()+len(data) <= p.s.ahead })
	if err != nil {
		return err
	}
	p.got += int64(len(data))
	if !mine {
		p.ahead.Write(data)
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	return p.out(data)
}

// await waits for the part's turn, or until enough says that it need not.
func (p *part) await(enough func() bool) (mine bool, err error) {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.next != p.i && s.err == nil && !enough() {
		s.turn.Wait()
	}
	return s.next == p.i, s.err
}

func (p *part) flush() error {
	data := p.ahead.Bytes()
	p.ahead = bytes.Buffer{}
	return p.out(data)
}

// out writes, when it is the part's turn.
func (p *part) out(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	n, err := p.s.w.Write(data)
	p.s.bytes += int64(n)
	if err != nil {
		p.s.fail(err)
		return err
	}
	if p.s.progress != nil {
		p.s.progress(p.s.bytes)
	}
	return nil
}

// end lets the next part write, or nobody any more. It returns the first error of any
// part.
func (p *part) end(err error) error {
	if err != nil {
		p.s.fail(err)
		return p.s.failure()
	}
	if _, err := p.await(func() bool { return false }); err != nil {
		return err
	}
	if err := p.flush(); err != nil {
		return err
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.next++
	p.s.turn.Broadcast()
	return nil
}

func (p *part) failed() bool { return p.s.failure() != nil }

func (s *sequence) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fail keeps the first error.
func (s *sequence) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.turn.Broadcast()
}
