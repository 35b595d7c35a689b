package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// The patience of a reading that broke off.
const (
	readTries = 5               // in a row, without a byte
	readWait  = time.Second     // before the second of them; doubled each time
	readStall = 2 * time.Minute // without a byte, then the connection is given up
)

// OpenContinued reads a file from another machine, and goes on by itself where the reading
// broke off or stood still for two minutes: up to five times in a row without a byte.
//
// open gives the bytes from a place on, and the size of the whole file, -1 if unknown. It
// is called once before OpenContinued returns, whose error is that of this call, and again
// whenever the reading broke off. It must then fail with [ErrChanged] if the file is not
// the one of the first call; of its errors only [ErrAway] leads to another try. Fewer or
// more bytes than the size never pass as the whole. Errors that it does not get from open
// are made by broken.
func OpenContinued(ctx context.Context, open func(ctx context.Context, at int64) (io.ReadCloser, int64, error), broken func(kind error, why string, err error) error) (io.ReadCloser, error) {
	r := &continued{ctx: ctx, open: open, broken: broken, size: -1}
	if err := r.reopen(); err != nil {
		return nil, err
	}
	return r, nil
}

type continued struct {
	ctx    context.Context // of the reading, which has no other
	open   func(context.Context, int64) (io.ReadCloser, int64, error)
	broken func(kind error, why string, err error) error

	body   io.ReadCloser // nil: it broke off
	cancel context.CancelFunc
	stall  *time.Timer
	at     int64
	size   int64
	tries  int // in a row without a byte
	err    error
}

// reopen reads from where the reading is.
func (r *continued) reopen() error {
	ctx, cancel := context.WithCancel(r.ctx)
	stall := time.AfterFunc(readStall, cancel)
	body, size, err := r.open(ctx, r.at)
	stall.Stop()
	if err != nil {
		if ctx.Err() != nil && r.ctx.Err() == nil {
			err = r.broken(ErrAway, "no answer in time", err) // the context that ended is ours
		}
		cancel()
		return err
	}
	r.body, r.cancel, r.stall = body, cancel, stall
	if size >= 0 {
		if r.size >= 0 && r.size != size {
			r.drop()
			return r.broken(ErrChanged, fmt.Sprintf("it had %d bytes, now %d", r.size, size), nil)
		}
		r.size = size
	}
	return nil
}

func (r *continued) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := r.read(p)
		r.at += int64(n)
		if n > 0 {
			r.tries = 0
		}
		switch {
		case r.ctx.Err() != nil:
			r.err = context.Cause(r.ctx)
		case r.size >= 0 && r.at > r.size:
			r.err = r.broken(ErrChanged, fmt.Sprintf("it has more than the %d bytes it had", r.size), nil)
		case err == nil:
		case err == io.EOF && (r.size < 0 || r.at == r.size):
			r.err = io.EOF
		default:
			if r.at == r.size {
				r.err = io.EOF // all is here; how the connection ended does not matter
				break
			}
			if err = r.next(err); err != nil {
				r.err = err
			}
		}
		if n > 0 || r.err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, r.err
		}
	}
}

// read reads from the body that is open.
func (r *continued) read(p []byte) (int, error) {
	if r.body == nil {
		if err := r.reopen(); err != nil {
			return 0, err
		}
	}
	r.stall.Reset(readStall)
	defer r.stall.Stop()
	return r.body.Read(p)
}

// next decides what follows an error: nil after the wait for another try.
func (r *continued) next(err error) error {
	opened := r.body != nil
	r.drop()
	if !opened && !errors.Is(err, ErrAway) {
		return err
	}
	r.tries++
	if r.tries >= readTries {
		if !opened {
			return err
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return r.broken(ErrAway, fmt.Sprintf("it broke off after %d bytes, %d times", r.at, r.tries), err)
	}
	select {
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case <-time.After(readWait << (r.tries - 1)):
		return nil
	}
}

func (r *continued) drop() {
	if r.body == nil {
		return
	}
	r.stall.Stop()
	_ = r.body.Close()
	r.cancel()
	r.body = nil
}

// Close ends the reading.
func (r *continued) Close() error {
	r.drop()
	if r.err == nil {
		r.err = errors.New("it is closed")
	}
	return nil
}
