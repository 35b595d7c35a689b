package anaplan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// whole reads an answer that is JSON before it hands it on, so that a connection that
// breaks off in its middle is an error of the attempt. Content of files is not read
// here: it is large, and whoever asked for it repeats it by the chunk.
type whole struct{ base http.RoundTripper }

func (t *whole) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil || resp.StatusCode < 200 || resp.StatusCode > 299 || req.Header.Get("Accept") != jsonType {
		return resp, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBrokenOff, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// ErrNoAnswer says that an attempt had no answer within its time limit.
var ErrNoAnswer = errors.New("no answer in time")

// timed bounds an attempt: until the headers of the answer as a whole, and after that
// each wait for bytes of the body. A transfer as a whole has no limit.
type timed struct {
	base           http.RoundTripper
	attempt, stall time.Duration
}

func (t *timed) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	limit := &limit{length: t.attempt}
	limit.timer = time.AfterFunc(t.attempt, func() {
		cancel(fmt.Errorf("%w: %w: %s", context.DeadlineExceeded, ErrNoAnswer, t.attempt))
	})
	attempt := req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		attempt.Body = &alive{req.Body, limit}
	}
	if get := req.GetBody; get != nil {
		attempt.GetBody = func() (io.ReadCloser, error) {
			body, err := get()
			if err != nil {
				return nil, err
			}
			return &alive{body, limit}, nil
		}
	}
	resp, err := t.base.RoundTrip(attempt)
	limit.end()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && req.Context().Err() == nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &stalling{body: resp.Body, limit: t.stall, cancel: cancel, ctx: ctx}
	return resp, nil
}

// limit is the time limit of an attempt. Once it has ended it cannot begin anew, though
// the request may still be read.
type limit struct {
	length time.Duration

	mu    sync.Mutex // makes begin one act
	timer *time.Timer
}

func (l *limit) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer.Stop() {
		l.timer.Reset(l.length)
	}
}

func (l *limit) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
}

// alive is a request's body: an upload that goes on is alive, so each read of it begins
// the limit anew.
type alive struct {
	io.ReadCloser
	limit *limit
}

func (b *alive) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.limit.begin()
	}
	return n, err
}

// ErrStalled says that an answer's body stopped coming.
var ErrStalled = errors.New("no bytes came in time")

// stalling is an answer's body each read of which has a limit.
type stalling struct {
	body   io.ReadCloser
	limit  time.Duration
	cancel context.CancelCauseFunc
	ctx    context.Context // of the attempt, only to learn its cause
}

func (s *stalling) Read(p []byte) (int, error) {
	timer := time.AfterFunc(s.limit, func() {
		s.cancel(fmt.Errorf("%w: %w: %s", context.DeadlineExceeded, ErrStalled, s.limit))
	})
	n, err := s.body.Read(p)
	timer.Stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(s.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (s *stalling) Close() error {
	err := s.body.Close()
	s.cancel(nil)
	return err
}
