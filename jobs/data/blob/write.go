package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

const (
	partSize      = 8 << 20
	partsMost     = 10000 // of an object, in S3
	partsTogether = 4     // on their way, of all writers
	firstBuffer   = 64 << 10
	dropLimit     = 30 * time.Second
)

// Create begins an object. See [data.Store]. Nothing is sent before the first part is full,
// or Ready is called.
func (s *Store) Create(ctx context.Context, name string) (data.Writer, error) {
	p, err := s.exact(name)
	if err != nil {
		return nil, err
	}
	return s.create(ctx, p, false)
}

func (s *Store) create(ctx context.Context, p place, exclusive bool) (*writer, error) {
	bucket, service, err := s.open(ctx, p)
	if err != nil {
		return nil, s.explain(ctx, p, "write", err)
	}
	mark := rand.Text()
	w := &writer{store: s, place: p, mark: mark, staging: service.stage(bucket, upload{p, exclusive, mark, kindOf(p.key)})}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w, nil
}

// kindOf is the content type of a key.
func kindOf(key string) string {
	switch strings.ToLower(path.Ext(key)) {
	case ".csv":
		return "text/csv"
	case ".txt":
		return "text/plain"
	case ".gz":
		return "application/gzip"
	}
	return "application/octet-stream"
}

// writer sends full parts while it takes the next one. Its methods are called one after
// another.
type writer struct {
	store   *Store
	place   place
	mark    string
	staging staging
	ctx     context.Context // of the writing; its cause is the first error of a part
	cancel  context.CancelCauseFunc

	buf   []byte
	spare [][]byte // buffers that are free again; guarded by mu
	mu    sync.Mutex
	sent  int            // parts
	under sync.WaitGroup // parts on their way
	way   chan struct{}  // as many as may be on their way; nil before the first

	state int
}

const (
	writing = iota
	ready
	committed
	aborted
)

var errEnded = errors.New("the writing has ended")

func (w *writer) Write(p []byte) (n int, err error) {
	if w.state != writing {
		return 0, errEnded
	}
	for len(p) > 0 {
		if w.ctx.Err() != nil {
			return n, context.Cause(w.ctx)
		}
		if len(w.buf) == partSize {
			if err := w.send(); err != nil {
				return n, err
			}
		}
		took := w.take(p)
		n, p = n+took, p[took:]
	}
	return n, nil
}

// take appends what goes into the part. Its buffer grows with small objects.
func (w *writer) take(p []byte) int {
	n := min(len(p), partSize-len(w.buf))
	if need := len(w.buf) + n; need > cap(w.buf) {
		grown := make([]byte, len(w.buf), min(partSize, max(firstBuffer, 4*cap(w.buf), need)))
		copy(grown, w.buf)
		w.buf = grown
	}
	w.buf = append(w.buf, p[:n]...)
	return n
}

// send sends the part: beside the writing where there is memory for another, else before
// it goes on.
func (w *writer) send() error {
	w.sent++
	if w.sent > partsMost {
		err := w.store.failure(w.place, "write", nil, fmt.Sprintf("it is larger than %d GB", int64(partSize)*partsMost/1e9), nil)
		w.cancel(err)
		return err
	}
	if w.way == nil {
		w.way = make(chan struct{}, w.staging.parts())
	}
	select {
	case w.way <- struct{}{}:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	number, body := w.sent, w.buf
	if w.store.parts.TryAcquire(1) {
		w.buf = w.another()
		w.under.Go(func() {
			w.part(number, body)
			w.mu.Lock()
			w.spare = append(w.spare, body[:0])
			w.mu.Unlock()
			w.store.parts.Release(1)
			<-w.way
		})
		return nil
	}
	w.part(number, body)
	w.buf = body[:0]
	<-w.way
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

func (w *writer) part(number int, body []byte) {
	ctx, cancel := context.WithTimeout(w.ctx, partLimit)
	defer cancel()
	if err := w.staging.part(ctx, number, body); err != nil {
		w.cancel(w.store.explain(w.ctx, w.place, "write", err))
	}
}

// another is a free buffer.
func (w *writer) another() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return b
	}
	return nil
}

// Ready sends the rest, and waits until all is there.
func (w *writer) Ready(ctx context.Context) error {
	if w.state != writing {
		return errEnded
	}
	w.state = ready
	stop := context.AfterFunc(ctx, func() { w.cancel(context.Cause(ctx)) })
	defer stop()
	if len(w.buf) > 0 && w.ctx.Err() == nil {
		_ = w.send() // it is the cause of the context
	}
	w.under.Wait()
	w.buf, w.spare = nil, nil
	return context.Cause(w.ctx)
}

// Commit makes the object appear.
func (w *writer) Commit(ctx context.Context) error {
	if w.state != ready {
		return errEnded
	}
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	limited, cancel := context.WithTimeout(ctx, partLimit)
	defer cancel()
	err := w.staging.finish(limited)
	if err != nil && !w.there(ctx) {
		return w.store.explain(ctx, w.place, "write", err)
	}
	w.state = committed
	w.cancel(errEnded)
	return nil
}

// there says whether the object is this writer's, after an error that does not tell.
func (w *writer) there(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropLimit)
	defer cancel()
	a, _, err := w.store.attributes(ctx, w.place)
	return err == nil && a.Metadata[markName] == w.mark
}

// Abort takes back what was sent.
func (w *writer) Abort() error {
	if w.state == committed || w.state == aborted {
		return nil
	}
	w.state = aborted
	w.cancel(errEnded)
	w.under.Wait()
	w.buf, w.spare = nil, nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), dropLimit)
	defer cancel()
	return w.store.explain(ctx, w.place, "take back", w.staging.drop(ctx))
}
