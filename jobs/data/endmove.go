package data

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
)

// EndMove ends a move between two names of stores that are not this machine's, which was
// cut off after the copy: it removes the file from its old name, and says that it has ended. A file is the
// copy of another if it is not older and has the same bytes: one that was moved before the
// other was written is none.
func (s *Stores) EndMove(ctx context.Context, from, to string) (ended bool, err error) {
	if !Remote(from) || !Remote(to) || schemeOf(from) != schemeOf(to) {
		return false, nil
	}
	store, err := s.of(from)
	if err != nil {
		return false, err
	}
	was, same, err := copied(ctx, store, from, to)
	if err != nil || !same {
		return false, err
	}
	if err := removeCopied(ctx, store, was); err != nil {
		return false, err
	}
	return true, nil
}

// copied says whether a file has the bytes of another, and which one that is.
func copied(ctx context.Context, s Store, from, to string) (old Entry, same bool, err error) {
	a, old, err := s.Open(ctx, from)
	if err != nil {
		return old, false, err
	}
	defer a.Close()
	b, made, err := s.Open(ctx, to)
	if errors.Is(err, fs.ErrNotExist) {
		return old, false, nil
	}
	if err != nil {
		return old, false, err
	}
	defer b.Close()
	if old.Size < 0 || old.Size != made.Size || made.Modified.Before(old.Modified) {
		return old, false, nil
	}
	var pieces [2][]byte
	for i := range pieces {
		pieces[i] = make([]byte, 64<<10)
	}
	for left := old.Size; ; {
		n, errA := io.ReadFull(untilDone{ctx, a}, pieces[0])
		m, errB := io.ReadFull(b, pieces[1])
		if !bytes.Equal(pieces[0][:n], pieces[1][:m]) {
			return old, false, nil
		}
		for _, err := range []error{errA, errB} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return old, false, err
			}
		}
		if left -= int64(n); errA != nil || errB != nil {
			return old, left == 0, nil
		}
	}
}
