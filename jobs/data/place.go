package data

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Place writes a file so that it is complete and in place when it returns without an
// error; else path is untouched and nothing is left behind. The bytes go to a temporary
// file beside it, are made durable, and take the name at the end. perm is that of a new
// file, before the umask; a file that is replaced hands its own on. A link is followed.
// What is there and is no regular file is not replaced. Folders are not made. write must
// not close the file.
//
// Errors of the file system are *fs.PathError with the path that was asked for, those of
// write as they are.
func Place(path string, perm os.FileMode, write func(*os.File) error) (err error) {
	t, err := newTemporary(path, perm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Abort()) }()
	if err := write(t.File); err != nil {
		return t.named(err)
	}
	if err := t.Ready(context.Background()); err != nil {
		return err
	}
	return t.Commit(context.Background())
}

// temporary is a file that is to take a path's place.
type temporary struct {
	*os.File
	path   string
	mode   os.FileMode // to give it; 0: as it was made
	closed bool
	placed bool
	gone   bool
}

var _ Writer = (*temporary)(nil)

func newTemporary(path string, perm os.FileMode) (*temporary, error) {
	t := &temporary{path: path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		t.path = real
	}
	switch old, err := os.Lstat(t.path); {
	case err != nil: // there is none, or the next step says what is wrong
	case old.IsDir():
		return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("it is a folder")}
	case old.Mode()&fs.ModeSymlink != 0:
		return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("it is a link to what is not there")}
	case !old.Mode().IsRegular():
		return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("it is not a regular file")}
	default:
		perm = old.Mode().Perm()
		t.mode = perm
	}
	name := filepath.Join(filepath.Dir(t.path), ".anaplan-runner-"+rand.Text()[:12]+".tmp")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = &fs.PathError{Op: "write", Path: path, Err: e.Err}
		}
		return nil, err
	}
	t.File = f
	return t, nil
}

// named is an error about the temporary file as one about the path: nobody looks for the
// name of a file that is gone.
func (t *temporary) named(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Path == t.Name() {
		e.Path = t.path
	}
	return err
}

// Write appends to it.
func (t *temporary) Write(p []byte) (int, error) {
	n, err := t.File.Write(p)
	return n, t.named(err)
}

// Ready makes the bytes durable.
func (t *temporary) Ready(context.Context) error {
	if t.mode != 0 {
		_ = t.Chmod(t.mode) // some file systems refuse; then the mode is narrower by the umask
	}
	err := t.Sync()
	t.closed = true
	return t.named(errors.Join(err, t.Close()))
}

// Commit takes the path's place.
func (t *temporary) Commit(context.Context) error {
	if err := os.Rename(t.Name(), t.path); err != nil {
		if e, ok := errors.AsType[*os.LinkError](err); ok {
			err = &fs.PathError{Op: "replace", Path: t.path, Err: e.Err}
		}
		return err
	}
	t.placed = true
	syncFolder(t.path)
	return nil
}

// syncFolder makes the name of a file durable. That is not everywhere to be had, and the
// file is there without it.
func syncFolder(path string) {
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// Abort removes what did not take its place.
func (t *temporary) Abort() error {
	if t.placed || t.gone {
		return nil
	}
	t.gone = true
	var err error
	if !t.closed {
		err = t.Close()
	}
	return errors.Join(err, os.Remove(t.Name()))
}
