package transfer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Place writes a file so that it is complete and in place when it returns without an
// error; else path is untouched and nothing is left behind. The bytes go to a temporary
// file beside it, are made durable, and take the name at the end. perm is that of a new
// file, before the umask; a file that is replaced hands its own on. A link is followed.
// What is there and is no regular file is not replaced. write must not close the file.
//
// Errors of the file system are *fs.PathError with the path that was asked for, those of
// write as they are.
func Place(path string, perm os.FileMode, write func(*os.File) error) error {
	return PlaceAll([]string{path}, perm, write)
}

// PlaceAll is Place for several paths, all of which get the same bytes. They take their
// places after all of them are complete: an error before that leaves every one as it
// was. If a later one then cannot take its place, the error says which ones have.
func PlaceAll(paths []string, perm os.FileMode, write func(*os.File) error) (err error) {
	var temps []*temporary
	defer func() {
		for _, t := range temps {
			err = errors.Join(err, t.discard())
		}
	}()
	for _, path := range paths {
		t, err := newTemporary(path, perm)
		if err != nil {
			return err
		}
		temps = append(temps, t)
	}
	for i, t := range temps {
		if i == 0 {
			err = write(t.File)
		} else {
			err = t.copy(temps[0])
		}
		if err != nil {
			return t.named(err)
		}
	}
	for _, t := range temps {
		if err := t.finish(); err != nil {
			return t.named(err)
		}
	}
	for i, t := range temps {
		if err := t.place(); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w; but %q is in place already", err, paths[:i])
			}
			return err
		}
	}
	return nil
}

// temporary is a file that is to take a path's place.
type temporary struct {
	*os.File
	path   string
	mode   os.FileMode // to give it; 0: as it was made
	closed bool
	placed bool
}

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

func (t *temporary) copy(from *temporary) error {
	info, err := from.Stat()
	if err != nil {
		return err
	}
	_, err = io.Copy(t.File, io.NewSectionReader(from.File, 0, info.Size()))
	return err
}

// finish makes the bytes durable.
func (t *temporary) finish() error {
	if t.mode != 0 {
		_ = t.Chmod(t.mode) // some file systems refuse; then the mode is narrower by the umask
	}
	err := t.Sync()
	t.closed = true
	return errors.Join(err, t.Close())
}

func (t *temporary) place() error {
	if err := os.Rename(t.Name(), t.path); err != nil {
		if e, ok := errors.AsType[*os.LinkError](err); ok {
			err = &fs.PathError{Op: "replace", Path: t.path, Err: e.Err}
		}
		return err
	}
	t.placed = true
	// The file is there; that its name is durable too is not everywhere to be had.
	if dir, err := os.Open(filepath.Dir(t.path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}

// discard removes what did not take its place.
func (t *temporary) discard() error {
	if t.placed {
		return nil
	}
	var err error
	if !t.closed {
		err = t.Close()
	}
	return errors.Join(err, os.Remove(t.Name()))
}
