package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// Upload says what to upload where. Zero fields take their defaults.
type Upload struct {
	Model     anaplan.ModelRef
	File      string       // id of the server file, 113…
	Source    io.Reader    // read once, from where it stands to its end
	At        io.ReaderAt  // instead of Source: Size bytes from its beginning, read in parallel; the same Upload may be sent again
	Size      int64        // of the source in bytes; negative: unknown
	ChunkSize int64        // before compression, at most 50 MB; default: by Size. More if needed to stay below 1,000 chunks, less if Memory is small
	Parallel  int          // chunks on their way at a time; default 4
	Gzip      string       // GzipAuto (default), GzipOff, or a level "1" to "9"
	Memory    *Budget      // default: one of DefaultMemory for this upload alone
	Line      *Line        // optional: the bandwidth it shares
	Digest    string       // optional: the digest that the source must have, as in Uploaded
	Before    func() error // optional: called before each request; an error ends the upload. From several goroutines
	Patient   Patient      // optional: what runs each request
	Progress  func(Moved)  // optional: how far it is, when more was sent and now and then; from several goroutines, one at a time
}

// Patient runs a request of a transfer, and may wait and run it again when its error tells
// of something that passes. f did nothing when it failed, or can be repeated. It is called
// from several goroutines.
type Patient func(ctx context.Context, f func() error) error

func (p Patient) run(ctx context.Context, f func() error) error {
	if p == nil {
		return f()
	}
	return p(ctx, f)
}

// Uploaded is a finished upload.
type Uploaded struct {
	Bytes  int64
	Chunks int
	Digest string        // XXH3 128 of the plain bytes, hex: to notice change, not for security
	Wire   int64         // bytes that were sent for them: compressed, repeats included, without headers
	Took   time.Duration // all of it
}

// Send uploads a source; the package documentation says what it promises.
//
// With a known size the chunk count is announced. With an unknown one the source is
// uploaded as chunks of unknown number and completed, unless it fits one chunk.
//
// Errors: ErrEmpty, ErrTooLarge, those of SetChunkCount, and a source that cannot be
// read at its beginning, before anything was sent; ErrChanged for a source that is
// shorter or longer than its size or has another digest; what reading it or Before
// returned; those of PutChunk and Complete. A cancel of ctx ends it as soon as reads of
// the source that are under way return.
func Send(ctx context.Context, c *anaplan.Client, u Upload) (up Uploaded, err error) {
	began := time.Now()
	s, err := newSender(c, u)
	if err != nil {
		return Uploaded{}, err
	}
	if u.Size == 0 {
		return Uploaded{}, ErrEmpty
	}
	s.tell = newTeller(u.Progress, u.Size, &s.wire)
	defer s.tell.end()
	switch {
	case u.Size > 0:
		err = s.known(ctx, nil)
	default:
		err = s.unknown(ctx)
	}
	s.up.Wire, s.up.Took = s.wire.Load(), time.Since(began)
	return s.up, err
}

// known uploads Size bytes. first is the first chunk, if it was read already.
func (s *sender) known(ctx context.Context, first *chunk) error {
	pieces, err := s.layout()
	if err == nil {
		err = s.request(ctx, func() error { return s.c.SetChunkCount(ctx, s.Model, s.File, len(pieces)) })
	}
	if err != nil {
		first.free()
		return err
	}
	return s.send(ctx, first, func(n int) (piece, bool) {
		if n == len(pieces) {
			return piece{}, false
		}
		return pieces[n], true
	})
}

// layout cuts the source into chunks that the memory has room for.
func (s *sender) layout() ([]piece, error) {
	asked := s.ChunkSize
	if asked <= 0 {
		asked = chunkFor(s.Size, s.Parallel, s.mem.Size())
	}
	pieces, err := layout(s.Size, min(asked, s.largest()))
	if err != nil {
		return nil, err
	}
	if p := pieces[0]; p.size > s.largest() {
		return nil, fmt.Errorf("%w: %d bytes need chunks of %d bytes, and the memory of %d bytes has room for %d; allow more memory",
			ErrTooLarge, s.Size, p.size, s.mem.Size(), s.largest())
	}
	s.open(pieces[0].size)
	return pieces, nil
}

// ended checks a source of known size before its last chunk is sent.
func (s *sender) ended() error {
	switch n, err := s.read(make([]byte, 1), s.Size); {
	case n > 0:
		return fmt.Errorf("%w: it had %d bytes, and has more now", ErrChanged, s.Size)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read the source: %w", err)
	}
	return s.asExpected()
}

func (s *sender) asExpected() error {
	s.up.Digest = sum(s.digest)
	if s.Digest != "" && s.Digest != s.up.Digest {
		return fmt.Errorf("%w: its digest was %s, now %s", ErrChanged, s.Digest, s.up.Digest)
	}
	return nil
}

// unknown uploads to the end of the source. One that fits the first chunk has a known
// size after all.
func (s *sender) unknown(ctx context.Context) error {
	s.open(MaxChunk)
	first, err := newChunk(ctx, s.mem, 0, 0, s.size(0), s.level != 0)
	if err != nil {
		return err
	}
	more := 0
	if err = first.fill(s.read); err == nil && first.size == s.size(0) {
		var next [1]byte
		if more, err = s.read(next[:], first.size); more > 0 {
			s.ahead = next[:]
		}
	}
	switch {
	case errors.Is(err, io.EOF) && first.size == 0:
		err = ErrEmpty
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("read the source: %w", err)
	case more == 0:
		s.Size, s.ChunkSize = first.size, first.size
		s.tell.total(s.Size)
		return s.known(ctx, first)
	default:
		err = s.request(ctx, func() error { return s.c.SetChunkCount(ctx, s.Model, s.File, anaplan.UnknownLength) })
	}
	if err != nil {
		first.free()
		return err
	}
	at := int64(0)
	err = s.send(ctx, first, func(n int) (piece, bool) {
		if n == MaxChunks {
			return piece{}, false
		}
		p := piece{n: n, offset: at, size: s.size(n)}
		at += p.size
		return p, true
	})
	if err == nil && s.up.Chunks == MaxChunks {
		if n, _ := s.read(make([]byte, 1), at); n > 0 {
			err = fmt.Errorf("%w: of unknown length, and more than %d bytes in %d chunks; give its size, or larger chunks", ErrTooLarge, s.up.Bytes, MaxChunks)
		}
	}
	if err == nil {
		err = s.asExpected()
	}
	if err != nil {
		return err
	}
	return s.request(ctx, func() error { return s.c.Complete(ctx, s.Model, s.File) })
}

func sum(h *xxh3.Hasher) string {
	b := h.Sum128().Bytes()
	return fmt.Sprintf("%x", b[:])
}
