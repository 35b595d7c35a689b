package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// badText says that the row that is read is not the text it should be.
type badText struct {
	name string // of the file; empty: the only one
	what string // "is not UTF-8 …", behind the number of the row
	next string
}

func (e *badText) Error() string { return "the text " + e.what }

// decoding reads text of an encoding as UTF-8; of one that is not known, as it is. What is no text of it ends in a *badText
// where it stands.
func decoding(r io.Reader, c charset, bad *badText) io.Reader {
	switch {
	case c.utf8():
		return &explained{transform.NewReader(r, encoding.UTF8Validator), bad}
	case c.enc == nil:
		return r
	}
	return &explained{transform.NewReader(transform.NewReader(r, c.enc.NewDecoder()), noReplacement{}), bad}
}

// encoded writes UTF-8 in an encoding. A letter that it lacks ends in a *badText where it
// stands.
func encoded(r io.Reader, c charset) io.Reader {
	if c.enc == nil {
		return r
	}
	return &explained{transform.NewReader(r, c.enc.NewEncoder()), &badText{
		what: fmt.Sprintf("holds a letter that %s lacks, which Anaplan's import expects", c.name),
		next: "set the encoding of the import's file in Anaplan to UTF-8, or take the letter out"}}
}

// explained says bad for errors of a transformer; others pass.
type explained struct {
	r   io.Reader
	bad *badText
}

func (e *explained) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return n, err
	}
	if _, ok := errors.AsType[*InputError](err); ok {
		return n, err
	}
	if _, ok := errors.AsType[*badText](err); ok {
		return n, err
	}
	return n, e.bad
}

// watch reads text that was plain ASCII as far as it was looked at, and is taken for what
// the server file wants. The first letter beyond that tells whether it is UTF-8 after all.
type watch struct {
	r    io.Reader
	bad  *badText
	tail []byte // of a letter that the end of the last read cut
	done bool
	err  error // once it has ended, it stays so
}

func (w *watch) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.r.Read(p)
	if w.done || n == 0 {
		return n, err
	}
	b, from := p[:n], len(w.tail)
	if from > 0 {
		b, w.tail = append(w.tail, b...), nil
	}
	for i := range b {
		if b[i] < utf8.RuneSelf {
			continue
		}
		if !utf8.FullRune(b[i:]) && err == nil {
			w.tail = append([]byte(nil), b[i:]...)
			return n, nil
		}
		w.done = true
		if r, size := utf8.DecodeRune(b[i:]); r != utf8.RuneError && size > 1 {
			w.err = w.bad
			return max(0, i-from), w.err
		}
		break
	}
	return n, err
}
