package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// Upload says what to upload where. Zero fields take their defaults.
type Upload struct {
	Model     anaplan.ModelRef
	File      string      // id of the server file, 113…
	Source    io.Reader   // read once, from where it stands
	Size      int64       // of Source in bytes; negative: unknown
	ChunkSize int64       // default 10 MiB, at most 50 MiB; more if needed to stay below 1,000 chunks
	Parallel  int         // chunks on their way at a time; default 4
	Plain     bool        // do not compress
	Progress  func(int64) // optional: bytes of the source that Anaplan has; from several goroutines, one at a time
}

// Uploaded is a finished upload.
type Uploaded struct {
	Bytes  int64
	Chunks int
	Digest string // XXH3 128 of the plain bytes, hex: to notice change, not for security
}

// Send uploads a source. The server file holds exactly these bytes when it returns
// without an error; else its content is undefined, and it must be uploaded again before
// an import reads it.
//
// With a known size the chunk count is announced. With an unknown one the source is
// uploaded as chunks of unknown number and completed, unless it fits one chunk. A source
// that is shorter or longer than its size is ErrChanged. Errors while nothing was sent
// yet are ErrEmpty and ErrTooLarge, and those of SetChunkCount.
func Send(ctx context.Context, c *anaplan.Client, u Upload) (Uploaded, error) {
	s := &sender{c: c, u: u, chunk: u.ChunkSize}
	if s.chunk <= 0 {
		s.chunk = DefaultChunk
	}
	s.chunk = min(s.chunk, MaxChunk)
	if u.Parallel <= 0 {
		s.u.Parallel = 4
	}
	if u.Size == 0 {
		return Uploaded{}, ErrEmpty
	}
	if u.Size > 0 {
		return s.known(ctx)
	}
	return s.unknown(ctx)
}

type sender struct {
	c     *anaplan.Client
	u     Upload
	chunk int64

	mu   sync.Mutex // guards Progress
	sent atomic.Int64
}

func (s *sender) known(ctx context.Context) (Uploaded, error) {
	pieces, err := layout(s.u.Size, s.chunk)
	if err != nil {
		return Uploaded{}, err
	}
	s.chunk = pieces[0].size
	if err := s.c.SetChunkCount(ctx, s.u.Model, s.u.File, len(pieces)); err != nil {
		return Uploaded{}, err
	}
	up, err := s.send(ctx, s.u.Source, len(pieces))
	if err != nil {
		return up, err
	}
	if up.Bytes != s.u.Size {
		return up, fmt.Errorf("%w: it had %d bytes, now %d", ErrChanged, s.u.Size, up.Bytes)
	}
	// One byte more would be a source that grew.
	if n, _ := io.ReadFull(s.u.Source, make([]byte, 1)); n > 0 {
		return up, fmt.Errorf("%w: it had %d bytes, and has more now", ErrChanged, s.u.Size)
	}
	return up, nil
}

func (s *sender) unknown(ctx context.Context) (Uploaded, error) {
	first := make([]byte, s.chunk+1)
	n, err := io.ReadFull(s.u.Source, first)
	switch {
	case errors.Is(err, io.EOF):
		return Uploaded{}, ErrEmpty
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.u.Size, s.u.Source = int64(n), bytes.NewReader(first[:n])
		return s.known(ctx)
	case err != nil:
		return Uploaded{}, fmt.Errorf("read the source: %w", err)
	}
	if err := s.c.SetChunkCount(ctx, s.u.Model, s.u.File, anaplan.UnknownLength); err != nil {
		return Uploaded{}, err
	}
	up, err := s.send(ctx, io.MultiReader(bytes.NewReader(first), s.u.Source), MaxChunks)
	if err != nil {
		return up, err
	}
	if n, _ := io.ReadFull(s.u.Source, make([]byte, 1)); n > 0 {
		return up, fmt.Errorf("%w: of unknown length, and more than %d chunks of %d bytes", ErrTooLarge, MaxChunks, s.chunk)
	}
	return up, s.c.Complete(ctx, s.u.Model, s.u.File)
}

// send reads chunks one after another and uploads several at a time. A buffer is taken
// before its chunk is read, so no more than Parallel+1 are in memory.
func (s *sender) send(ctx context.Context, source io.Reader, most int) (Uploaded, error) {
	var up Uploaded
	digest := xxh3.New()
	free := make(chan []byte, s.u.Parallel+1)
	for range cap(free) {
		free <- nil // made when first used
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(s.u.Parallel)
	var readErr error
	for up.Chunks < most && gctx.Err() == nil {
		buf := <-free
		if buf == nil {
			buf = make([]byte, s.chunk)
		}
		n, err := io.ReadFull(source, buf[:s.chunk])
		if n == 0 && errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			readErr = fmt.Errorf("read the source: %w", err)
			break
		}
		_, _ = digest.Write(buf[:n]) // never fails
		up.Bytes += int64(n)
		number := up.Chunks
		up.Chunks++
		group.Go(func() error {
			defer func() { free <- buf }()
			return s.put(gctx, number, buf[:n])
		})
		if err != nil {
			break // the last one was short
		}
	}
	err := group.Wait()
	if err == nil {
		err = readErr
	}
	if err == nil {
		err = ctx.Err()
	}
	sum := digest.Sum128().Bytes()
	up.Digest = fmt.Sprintf("%x", sum[:])
	return up, err
}

// put uploads one chunk, as its own complete gzip member (anaplan-api.md 9.4). The
// client's wrappers repeat it by itself.
func (s *sender) put(ctx context.Context, n int, plain []byte) error {
	data := plain
	if !s.u.Plain {
		var err error
		if data, err = compressed(plain); err != nil {
			return err
		}
	}
	body := anaplan.Body{Size: int64(len(data)), Gzip: !s.u.Plain,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
	if err := s.c.PutChunk(ctx, s.u.Model, s.u.File, n, body); err != nil {
		return fmt.Errorf("chunk %d: %w", n, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent := s.sent.Add(int64(len(plain))); s.u.Progress != nil {
		s.u.Progress(sent)
	}
	return nil
}

func compressed(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(plain)/3 + 1024)
	w, err := gzip.NewWriterLevel(&b, 2)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
