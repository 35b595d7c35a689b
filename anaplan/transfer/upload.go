package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// Upload says what to upload where. Zero fields take their defaults.
type Upload struct {
	Model     anaplan.ModelRef
	File      string      // id of the server file, 113…
	Source    io.Reader   // read once, from where it stands to its end
	At        io.ReaderAt // instead of Source: Size bytes from its beginning; the same Upload may be sent again
	Size      int64       // of the source in bytes; negative: unknown
	ChunkSize int64       // default 10 MiB, at most 50 MB; more if needed to stay below 1,000 chunks
	Parallel  int         // chunks on their way at a time; default 4
	Plain     bool        // do not compress
	Digest    string      // optional: the digest that the source must have, as in Uploaded
	Progress  func(int64) // optional: bytes of the source that Anaplan has; from several goroutines, one at a time
}

// Uploaded is a finished upload.
type Uploaded struct {
	Bytes  int64
	Chunks int
	Digest string // XXH3 128 of the plain bytes, hex: to notice change, not for security
}

// Send uploads a source; the package documentation says what it promises.
//
// With a known size the chunk count is announced. With an unknown one the source is
// uploaded as chunks of unknown number and completed, unless it fits one chunk.
//
// Errors: ErrEmpty, ErrTooLarge, those of SetChunkCount, and a source that cannot be
// read at its beginning, before anything was sent; ErrChanged for a source that is
// shorter or longer than its size or has another digest; what reading it returned; those
// of PutChunk and Complete. A cancel of ctx ends it as soon as a read of the source that
// is under way returns.
func Send(ctx context.Context, c *anaplan.Client, u Upload) (Uploaded, error) {
	if u.Parallel <= 0 {
		u.Parallel = 4
	}
	source := u.Source
	if u.At != nil {
		if u.Size < 0 {
			return Uploaded{}, errors.New("upload: an io.ReaderAt needs a size")
		}
		source = io.NewSectionReader(u.At, 0, u.Size+1) // one more: a source that grew
	}
	s := &sender{c: c, Upload: u, source: source, digest: xxh3.New(),
		size: func(n int) int64 { return growing(n, u.ChunkSize) }}
	switch {
	case u.Size == 0:
		return Uploaded{}, ErrEmpty
	case u.Size > 0:
		return s.known(ctx)
	}
	return s.unknown(ctx)
}

// sender is one upload. Its fields belong to the goroutine that reads the source, but
// for those below mu.
type sender struct {
	Upload
	c      *anaplan.Client
	source io.Reader
	size   func(n int) int64 // of the n-th chunk, when the length is unknown
	digest *xxh3.Hasher
	up     Uploaded

	mu   sync.Mutex
	sent int64
}

// known uploads Size bytes.
func (s *sender) known(ctx context.Context) (Uploaded, error) {
	pieces, err := layout(s.Size, s.ChunkSize)
	if err != nil {
		return Uploaded{}, err
	}
	if err := s.c.SetChunkCount(ctx, s.Model, s.File, len(pieces)); err != nil {
		return Uploaded{}, err
	}
	return s.send(ctx, pieces[0].size, func(buf []byte) ([]byte, error) {
		if s.up.Chunks == len(pieces) {
			return nil, io.EOF
		}
		p := pieces[s.up.Chunks]
		data, err := s.read(buf, p.size)
		if errors.Is(err, io.EOF) || err == nil && int64(len(data)) < p.size {
			return nil, fmt.Errorf("%w: it had %d bytes, now %d", ErrChanged, s.Size, s.up.Bytes)
		}
		if err == nil && p.n == len(pieces)-1 {
			err = s.ended()
		}
		return data, err
	})
}

// ended checks a source of known size before its last chunk is sent.
func (s *sender) ended() error {
	switch n, err := io.ReadFull(s.source, make([]byte, 1)); {
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
func (s *sender) unknown(ctx context.Context) (Uploaded, error) {
	first := make([]byte, s.size(0)+1)
	n, err := io.ReadFull(s.source, first)
	s.source = io.MultiReader(bytes.NewReader(first[:n]), s.source)
	switch {
	case errors.Is(err, io.EOF):
		return Uploaded{}, ErrEmpty
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.Size = int64(n)
		return s.known(ctx)
	case err != nil:
		return Uploaded{}, fmt.Errorf("read the source: %w", err)
	}
	if err := s.c.SetChunkCount(ctx, s.Model, s.File, anaplan.UnknownLength); err != nil {
		return Uploaded{}, err
	}
	up, err := s.send(ctx, s.size(0), func(buf []byte) ([]byte, error) {
		if s.up.Chunks < MaxChunks {
			return s.read(buf, s.size(s.up.Chunks))
		}
		if n, _ := io.ReadFull(s.source, make([]byte, 1)); n > 0 {
			return nil, fmt.Errorf("%w: of unknown length, and more than %d bytes in %d chunks; give its size, or larger chunks", ErrTooLarge, s.up.Bytes, MaxChunks)
		}
		return nil, io.EOF
	})
	if err == nil {
		err = s.asExpected()
	}
	if err != nil {
		return up, err
	}
	return s.up, s.c.Complete(ctx, s.Model, s.File)
}

// read reads up to size bytes, fewer only at the end. At the end it is io.EOF.
func (s *sender) read(buf []byte, size int64) ([]byte, error) {
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	n, err := io.ReadFull(s.source, buf[:size])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("read the source: %w", err)
	}
	_, _ = s.digest.Write(buf[:n]) // never fails
	s.up.Bytes += int64(n)
	return buf[:n], nil
}

// send takes chunks from next, one after another, and uploads several at a time. A
// buffer is taken before its chunk is read, so no more than Parallel+1 are in memory.
func (s *sender) send(ctx context.Context, chunk int64, next func([]byte) ([]byte, error)) (Uploaded, error) {
	free := make(chan *buffer, s.Parallel+1)
	for range cap(free) {
		free <- &buffer{}
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(s.Parallel)
	var readErr error
	for gctx.Err() == nil {
		b := <-free
		if b.plain == nil {
			b.plain = make([]byte, chunk)
		}
		data, err := next(b.plain)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				readErr = err
			}
			break
		}
		b.plain = data
		number := s.up.Chunks
		s.up.Chunks++
		group.Go(func() error {
			err := s.put(gctx, number, b)
			free <- b.again()
			return err
		})
	}
	err := errors.Join(group.Wait(), readErr)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return s.up, err
}

// put uploads one chunk. The client's wrappers repeat it by itself.
func (s *sender) put(ctx context.Context, n int, b *buffer) error {
	body, err := b.body(!s.Plain)
	if err != nil {
		return fmt.Errorf("chunk %d: %w", n, err)
	}
	if err := s.c.PutChunk(ctx, s.Model, s.File, n, body); err != nil {
		return fmt.Errorf("chunk %d: %w", n, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += int64(len(b.plain))
	if s.Progress != nil {
		s.Progress(s.sent)
	}
	return nil
}

func sum(h *xxh3.Hasher) string {
	b := h.Sum128().Bytes()
	return fmt.Sprintf("%x", b[:])
}
