package transfer

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// Place writes a file so that it is complete and in place when it returns without an
// error; else path is untouched and nothing is left behind. The bytes go to a temporary
// file beside it, are made durable, and take the name at the end. perm is that of a new
// file, before the umask; a file that is replaced hands its own on. write must not close
// the file.
func Place(path string, perm os.FileMode, write func(*os.File) error) (err error) {
	if old, err := os.Stat(path); err == nil && old.Mode().IsRegular() {
		perm = old.Mode().Perm()
	}
	tmp, err := os.OpenFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:8]),
		os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if err == nil {
			return
		}
		if !closed {
			err = errors.Join(err, tmp.Close())
		}
		err = errors.Join(err, os.Remove(tmp.Name()))
	}()
	if err := write(tmp); err != nil {
		return err
	}
	err = tmp.Sync()
	closed = true
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
