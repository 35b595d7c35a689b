package data

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// play is a file on another machine whose readings end as a script says.
type play struct {
	text   string
	script []piece
	opened []int64
}

type piece struct {
	n    int   // bytes until
	err  error // this; nil: the end of the file
	hang bool  // nothing comes any more
	open error // it cannot be opened
	mute bool  // to open it brings no answer
	size int64 // another size than that of the text
}

func (p *play) open(ctx context.Context, at int64) (io.ReadCloser, int64, error) {
	p.opened = append(p.opened, at)
	next := piece{n: len(p.text)}
	if len(p.script) > 0 {
		next, p.script = p.script[0], p.script[1:]
	}
	if next.mute {
		<-ctx.Done()
		return nil, 0, context.Canceled // as libraries say it whose context has ended
	}
	if next.open != nil {
		return nil, 0, next.open
	}
	size := int64(len(p.text))
	if next.size != 0 {
		size = next.size
	}
	rest := p.text[at:]
	end := next.err
	if end == nil {
		end = io.EOF
	}
	return io.NopCloser(&playing{ctx: ctx, rest: rest[:min(next.n, len(rest))], end: end, hang: next.hang}), size, nil
}

type playing struct {
	ctx  context.Context
	rest string
	end  error
	hang bool
}

func (p *playing) Read(b []byte) (int, error) {
	if p.rest == "" {
		if p.hang {
			<-p.ctx.Done()
			return 0, p.ctx.Err()
		}
		return 0, p.end
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func plain(kind error, why string, err error) error {
	return &StoreError{Doing: "read", Name: "x", Kind: kind, Why: why, Err: err}
}

func TestReadingGoesOn(t *testing.T) {
	reset := errors.New("connection reset")
	away := &StoreError{Kind: ErrAway}
	denied := &StoreError{Kind: ErrDenied}
	for _, c := range []struct {
		name   string
		script []piece
		err    error // nil: the whole text
		took   time.Duration
		opened int
	}{
		{"at once", nil, nil, 0, 1},
		{"broken off", []piece{{n: 3, err: reset}, {n: 0, err: reset}, {n: 4, err: reset}}, nil, 4 * time.Second, 4},
		{"an end before the end", []piece{{n: 3}}, nil, time.Second, 2},
		{"broken off at the very end", []piece{{n: 10, err: reset}}, nil, 0, 1},
		{"it stands still", []piece{{n: 3, hang: true}}, nil, 2*time.Minute + time.Second, 2},
		{"away for a moment", []piece{{n: 3, err: reset}, {open: away}, {open: away}}, nil, 7 * time.Second, 4},
		{"no answer for a moment", []piece{{n: 3, err: reset}, {mute: true}}, nil, time.Second + 2*time.Minute + 2*time.Second, 3},
		{"away for good", []piece{{n: 3, err: reset}, {open: away}, {open: away}, {open: away}, {open: away}}, ErrAway, 15 * time.Second, 5},
		{"never a byte", []piece{{n: 0, err: reset}, {n: 0, err: reset}, {n: 0, err: reset}, {n: 0, err: reset}, {n: 0, err: reset}}, ErrAway, 15 * time.Second, 5},
		{"denied in the middle", []piece{{n: 3, err: reset}, {open: denied}}, ErrDenied, time.Second, 2},
		{"another size", []piece{{n: 3, err: reset}, {n: 7, size: 11}}, ErrChanged, time.Second, 2},
		{"more than its size", []piece{{n: 10, size: 9}}, ErrChanged, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &play{text: "0123456789", script: c.script}
				began := time.Now()
				r, err := OpenContinued(t.Context(), p.open, plain)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				got, err := io.ReadAll(r)
				if c.err == nil && (err != nil || string(got) != p.text) || c.err != nil && !errors.Is(err, c.err) {
					t.Errorf("got %q, %v", got, err)
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %s, not %s", took, c.took)
				}
				if len(p.opened) != c.opened {
					t.Errorf("opened at %v", p.opened)
				}
				if _, again := r.Read(make([]byte, 1)); c.err != nil && again != err {
					t.Errorf("after the error: %v", again)
				}
			})
		})
	}
}

func TestReadingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("stopped")
		ctx, stop := context.WithCancelCause(t.Context())
		p := &play{text: "0123456789", script: []piece{{n: 3, hang: true}}}
		r, err := OpenContinued(ctx, p.open, plain)
		if err != nil {
			t.Fatal(err)
		}
		go func() { stop(cause) }()
		if _, err := io.ReadAll(r); err != cause {
			t.Errorf("got %v", err)
		}
		r.Close()
		if _, err := OpenContinued(t.Context(), (&play{script: []piece{{mute: true}}}).open, plain); !errors.Is(err, ErrAway) {
			t.Errorf("without an answer: %v", err)
		}
		if _, err := OpenContinued(t.Context(), (&play{script: []piece{{open: &StoreError{Kind: ErrAway, Doing: "read", Name: "x"}}}}).open, plain); !errors.Is(err, ErrAway) || !strings.HasPrefix(err.Error(), "read x: ") {
			t.Errorf("got %v", err)
		}
	})
}
