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
// copy is durable. Of a link the link is moved, and leads to the same file afterwards.
func (l Local) Move(ctx context.Context, from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if leads, relative := relativeLink(from); relative {
		return moveLink(leads, from, to)
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

// relativeLink gives what a link says that leads from where it lies to something.
func relativeLink(name string) (leads string, relative bool) {
	leads, err := os.Readlink(name)
	if err != nil || leads == "" || filepath.IsAbs(leads) || os.IsPathSeparator(leads[0]) {
		return "", false
	}
	_, err = os.Stat(name)
	return leads, err == nil
}

// moveLink makes a link that leads where a relative one does, and removes that. It is there
// already if a move was cut off in between.
func moveLink(leads, from, to string) error {
	leads, err := linkAt(filepath.Dir(to), filepath.Dir(from), leads)
	if err != nil {
		return err
	}
	err = os.Symlink(leads, to)
	if there, _ := os.Readlink(to); err != nil && (there != leads || sameFile(from, to)) {
		if errors.Is(err, fs.ErrExist) {
			err = fs.ErrExist
		}
		return &fs.PathError{Op: "move", Path: to, Err: err}
	}
	syncFolder(to)
	return os.Remove(from)
}

// sameFile says whether two names are of one file, or of one link.
func sameFile(a, b string) bool {
	one, err := os.Lstat(a)
	if err != nil {
		return false
	}
	two, err := os.Lstat(b)
	return err == nil && os.SameFile(one, two)
}

// linkAt is what a link in one folder says to lead where a relative one in another does.
func linkAt(folder, other, leads string) (string, error) {
	folder, err := realFolder(folder)
	if err != nil {
		return "", err
	}
	dir, name := filepath.Split(leads)
	if other, err = realFolder(other + string(filepath.Separator) + dir); err != nil {
		return "", err
	}
	target := filepath.Join(other, name)
	if leads, err = filepath.Rel(folder, target); err != nil {
		return target, nil // on another drive
	}
	return leads, nil
}

// realFolder is the path of a folder without links, as two folders need it to be compared.
func realFolder(path string) (string, error) {
	if !filepath.IsAbs(path) {
		here, err := os.Getwd()
		if err != nil {
			return "", err
		}
		path = here + string(filepath.Separator) + path // ".." behind a link is not what it was before it
	}
	return filepath.EvalSymlinks(path)
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
