package data

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Move moves a file, to another file system too: then it is copied, and removed when the
// copy is durable.
func (l Local) Move(ctx context.Context, from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		// A link is refused where the name is taken, which a rename would take over.
		err := os.Link(from, to)
		switch {
		case err == nil:
			syncFolder(to)
			return os.Remove(from)
		case errors.Is(err, fs.ErrExist):
			return &fs.PathError{Op: "move", Path: to, Err: fs.ErrExist}
		}
	}
	switch _, err := os.Lstat(to); {
	case err == nil:
		return &fs.PathError{Op: "move", Path: to, Err: fs.ErrExist}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if os.Rename(from, to) == nil {
		syncFolder(to)
		return nil
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "move", Path: from, Err: errors.New("it is not a regular file")}
	}
	if err := copyBetween(ctx, l, from, l, to); err != nil {
		return err
	}
	_ = os.Chtimes(to, info.ModTime(), info.ModTime()) // as a rename keeps it
	return os.Remove(from)
}

// absent says that nothing has a name; else its error is fs.ErrExist.
func absent(ctx context.Context, s Store, name string) error {
	r, _, err := s.Open(ctx, name)
	switch {
	case err == nil:
		return errors.Join(&fs.PathError{Op: "move", Path: Display(name), Err: fs.ErrExist}, r.Close())
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// copyBetween copies a file; it is durable under its new name when it returns without an
// error, and else not there.
func copyBetween(ctx context.Context, source Store, from string, target Store, to string) (err error) {
	r, _, err := source.Open(ctx, from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := target.Create(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if _, err := io.Copy(w, untilDone{ctx, r}); err != nil {
		return err
	}
	if err := w.Ready(ctx); err != nil {
		return err
	}
	return w.Commit(ctx)
}

// untilDone reads until its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(p)
}
