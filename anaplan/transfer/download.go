package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// Download says what to download where to. Zero fields take their defaults.
type Download struct {
	Model    anaplan.ModelRef
	File     string                  // id of the server file; an export's output has the export's id
	Path     string                  // put in place by a rename when complete; an old file stays until then
	Writer   io.Writer               // instead of Path: gets the bytes in order
	Parallel int                     // chunks on their way at a time; default 4
	Tries    int                     // of each chunk whose bytes broke off; default 4
	Check    func(temp string) error // optional, with Path: an error keeps the file from being put in place
	Progress func(int64)             // optional: bytes so far; one call at a time
}

// Downloaded is a finished download.
type Downloaded struct {
	Bytes  int64
	Chunks int
	Digest string // XXH3 128, hex
}

// Receive downloads a server file. With a path the file is complete and in place when it
// returns without an error; else the path is untouched and nothing is left behind. A
// file without content is anaplan.ErrNoContent.
//
// Chunks are about 10 MB (anaplan-api.md 9.8); at most Parallel of them are in memory.
func Receive(ctx context.Context, c *anaplan.Client, d Download) (Downloaded, error) {
	if d.Parallel <= 0 {
		d.Parallel = 4
	}
	if d.Tries <= 0 {
		d.Tries = 4
	}
	if d.Writer != nil {
		return d.write(ctx, c, d.Writer)
	}
	return d.file(ctx, c)
}

func (d Download) file(ctx context.Context, c *anaplan.Client) (down Downloaded, err error) {
	err = Place(d.Path, 0o666, func(tmp *os.File) error {
		if down, err = d.write(ctx, c, tmp); err != nil || d.Check == nil {
			return err
		}
		return d.Check(tmp.Name())
	})
	return down, err
}

// write fetches chunks in parallel and writes them in order.
func (d Download) write(ctx context.Context, c *anaplan.Client, w io.Writer) (Downloaded, error) {
	chunks, err := c.Chunks(ctx, d.Model, d.File)
	if err != nil {
		return Downloaded{}, err
	}
	if len(chunks) == 0 {
		return Downloaded{}, fmt.Errorf("server file %s: %w", d.File, anaplan.ErrNoContent)
	}
	digest := xxh3.New()
	to := &inOrder{w: io.MultiWriter(w, digest), progress: d.Progress}
	to.turn = sync.NewCond(&to.mu)
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(d.Parallel)
	for i, chunk := range chunks {
		if gctx.Err() != nil {
			break
		}
		group.Go(func() error {
			data, err := d.fetch(gctx, c, chunk.ID)
			if err != nil {
				err = fmt.Errorf("chunk %s: %w", chunk.ID, err)
			}
			return to.put(i, data, err)
		})
	}
	if err := group.Wait(); err != nil {
		return Downloaded{}, err
	}
	if err := ctx.Err(); err != nil {
		return Downloaded{}, err
	}
	sum := digest.Sum128().Bytes()
	return Downloaded{Bytes: to.bytes, Chunks: len(chunks), Digest: fmt.Sprintf("%x", sum[:])}, nil
}

// fetch reads one chunk whole. One that breaks off is asked for again from its start.
func (d Download) fetch(ctx context.Context, c *anaplan.Client, chunk string) ([]byte, error) {
	var err error
	for range d.Tries {
		var body io.ReadCloser
		if body, err = c.GetChunk(ctx, d.Model, d.File, chunk); err != nil {
			return nil, err // the client's wrappers have repeated it
		}
		var b bytes.Buffer
		_, err = io.Copy(&b, body)
		body.Close()
		if err == nil {
			return b.Bytes(), nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, err
}

// inOrder lets chunks that come in any order through in theirs.
type inOrder struct {
	mu       sync.Mutex
	turn     *sync.Cond
	next     int
	failed   error
	w        io.Writer
	bytes    int64
	progress func(int64)
}

// put waits for chunk i's turn and writes it. After an error nothing is written.
func (o *inOrder) put(i int, data []byte, err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.failed = errors.Join(o.failed, err)
		o.turn.Broadcast()
		return err
	}
	for o.next != i && o.failed == nil {
		o.turn.Wait()
	}
	if o.failed != nil {
		return o.failed
	}
	n, err := o.w.Write(data)
	o.bytes += int64(n)
	if err != nil {
		o.failed = err
	}
	o.next++
	o.turn.Broadcast()
	if o.progress != nil && err == nil {
		o.progress(o.bytes)
	}
	return err
}
