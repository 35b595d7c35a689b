package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
)

// Download says what to download where to. Zero fields take their defaults.
type Download struct {
	Model    anaplan.ModelRef
	File     string       // id of the server file; an export's output has the export's id
	Writer   io.Writer    // gets the bytes in order; after an error it has a part of them
	Parallel int          // chunks on their way at a time; default 4
	Retry    retry.Policy // of each chunk whose bytes broke off
	Memory   *Budget      // default: one of DefaultMemory for this download alone
	Line     *Line        // optional: the bandwidth it shares
	Patient  Patient      // optional: what runs each request
	Progress func(Moved)  // optional: what was written so far, when it is more and now and then; from several goroutines, one at a time
}

// Downloaded is a finished download.
type Downloaded struct {
	Bytes  int64
	Chunks int
	Digest string        // XXH3 128, hex
	Wire   int64         // bytes that came for them: repeats included, without headers
	Took   time.Duration // all of it
}

// Receive downloads a server file; the package documentation says what it promises.
// A file without content is anaplan.ErrNoContent.
//
// Errors: those of Chunks and GetChunk; a *ChunksError for a list of chunks with a gap;
// ErrChanged for a chunk that got shorter; what the writer returned.
func Receive(ctx context.Context, c *anaplan.Client, d Download) (Downloaded, error) {
	began := time.Now()
	if d.Parallel <= 0 {
		d.Parallel = DefaultParallel
	}
	if d.Memory == nil {
		d.Memory = NewBudget(0)
	}
	var chunks []anaplan.Chunk
	err := d.Patient.run(ctx, func() (err error) {
		chunks, err = c.Chunks(ctx, d.Model, d.File)
		return err
	})
	if err == nil {
		err = inIDOrder(chunks)
	}
	if err != nil {
		return Downloaded{}, fmt.Errorf("server file %s: %w", d.File, err)
	}
	if len(chunks) == 0 {
		return Downloaded{}, fmt.Errorf("server file %s: %w", d.File, anaplan.ErrNoContent)
	}
	digest := xxh3.New()
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(d.Parallel)
	to := newSequence(gctx, io.MultiWriter(d.Writer, digest), memory{d.Memory, d.window()})
	defer to.stop(nil)
	to.line, to.tell = d.Line, newTeller(d.Progress, -1, &to.wire)
	defer to.tell.end()
	for _, chunk := range chunks {
		if gctx.Err() != nil {
			break
		}
		p := to.part()
		group.Go(func() error {
			err := d.fetch(gctx, c, chunk.ID, p)
			if err != nil {
				err = fmt.Errorf("chunk %s: %w", chunk.ID, err)
			}
			return p.end(err)
		})
	}
	if err := group.Wait(); err != nil {
		return Downloaded{}, err
	}
	if ctx.Err() != nil {
		return Downloaded{}, context.Cause(ctx)
	}
	return Downloaded{Bytes: to.bytes, Chunks: len(chunks), Digest: sum(digest), Wire: to.wire.Load(), Took: time.Since(began)}, nil
}

// window is the part of the memory that this download takes at most: enough for a chunk
// on each connection but the one that is written.
func (d Download) window() *Budget {
	need := max(1, int64(d.Parallel-1)*slabsFor(DefaultChunk))
	return NewBudget(slabSize * min(d.Memory.slabs, need))
}

// inIDOrder sorts chunks by their ids, which are numbers from 0 (anaplan-api.md 9.7). A
// gap would be a hole in the file.
func inIDOrder(chunks []anaplan.Chunk) error {
	number := func(c anaplan.Chunk) int {
		n, err := strconv.Atoi(c.ID)
		if err != nil {
			return -1
		}
		return n
	}
	slices.SortStableFunc(chunks, func(a, b anaplan.Chunk) int { return number(a) - number(b) })
	for i, c := range chunks {
		if number(c) != i {
			return &ChunksError{Want: strconv.Itoa(i), Got: c.ID}
		}
	}
	return nil
}

// ChunksError says that the list of a file's chunks is not 0, 1, 2 and so on. It is an
// anaplan.ErrUnavailable.
type ChunksError struct{ Want, Got string }

func (e *ChunksError) Error() string {
	return fmt.Sprintf("Anaplan's list of its chunks has %q where %s should be", e.Got, e.Want)
}

func (e *ChunksError) Unwrap() error { return anaplan.ErrUnavailable }

// fetch reads one chunk into its part. One that breaks off is asked for again, and what
// the part has of it already is skipped.
func (d Download) fetch(ctx context.Context, c *anaplan.Client, chunk string, p *part) error {
	if err := p.open(); err != nil {
		return err
	}
	for try := 1; ; try++ {
		var body io.ReadCloser
		err := d.Patient.run(ctx, func() (err error) {
			body, err = c.GetChunk(ctx, d.Model, d.File, chunk)
			return err
		})
		if err != nil {
			return err // the client's wrappers have repeated it
		}
		err = p.fill(body)
		body.Close()
		if err == nil || p.failed() || errors.Is(err, ErrChanged) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait, again := d.Retry.Next(try, retry.Unknown, 0)
		if !again {
			return fmt.Errorf("%w: %w", anaplan.ErrBrokenOff, err)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// pause waits, or returns the context's cause.
func pause(ctx context.Context, wait time.Duration) error {
	if retry.Sleep(ctx, wait) != nil {
		return context.Cause(ctx)
	}
	return nil
}
