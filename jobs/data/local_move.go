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
	if err := moveByCopy(ctx, l, from, l, to); err != nil {
		return err
	}
	_ = os.Chtimes(to, info.ModTime(), info.ModTime()) // as a rename keeps it
	return nil
}

// moveByCopy copies a file, and removes it when the copy is durable. One that was replaced
// meanwhile stays, and the copy goes.
func moveByCopy(ctx context.Context, source Store, from string, target Store, to string) error {
	was, err := copyBetween(ctx, source, from, target, to)
	if err != nil {
		return err
	}
	err = removeCopied(ctx, source, was)
	if errors.Is(err, errReplaced) {
		return errors.Join(err, target.Remove(context.WithoutCancel(ctx), to))
	}
	return err
}

var errReplaced = errors.New("it was replaced while it was copied")

// removeCopied removes a file that was copied, if it is still that one: a copy may take
// minutes. That it is gone is no error.
func removeCopied(ctx context.Context, s Store, was Entry) error {
	r, now, err := s.Open(ctx, was.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = r.Close()
	}
	switch {
	case err != nil:
		return err
	case !now.Same(was):
		return &fs.PathError{Op: "move", Path: Display(was.Name), Err: errReplaced}
	}
	return s.Remove(ctx, was.Name)
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

// copyBetween copies a file, and says which; it is durable under its new name when it
// returns without an error, and else not there.
func copyBetween(ctx context.Context, source Store, from string, target Store, to string) (was Entry, err error) {
	r, was, err := source.Open(ctx, from)
	if err != nil {
		return was, err
	}
	defer r.Close()
	w, err := target.Create(ctx, to)
	if err != nil {
		return was, err
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	if _, err := io.Copy(w, untilDone{ctx, r}); err != nil {
		return was, err
	}
	if err := w.Ready(ctx); err != nil {
		return was, err
	}
	return was, w.Commit(ctx)
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
