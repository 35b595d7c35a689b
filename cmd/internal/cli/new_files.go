package cli

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// newFile is a file that does not exist yet, and is for its owner alone.
type newFile struct {
	path string
	data []byte
}

// existsError says that a file is there already.
type existsError struct{ path string }

func (e *existsError) Error() string { return e.path + " exists already" }

// leftError says that a file could not be taken back.
type leftError struct {
	path string
	err  error
}

func (e *leftError) Error() string {
	return fmt.Sprintf("%s was written and could not be taken back: %v", e.path, e.err)
}

func (e *leftError) Unwrap() error { return e.err }

// free says whether the file can be new.
func (f newFile) free() error {
	switch info, err := os.Lstat(f.path); {
	case err == nil && info != nil:
		return &existsError{f.path}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	info, err := os.Stat(filepath.Dir(f.path))
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "write", Path: f.path, Err: errors.New("it is not in a folder")}
	}
	return err
}

// placeNew writes all files, durably, or none: what is in place when one fails is taken
// back, or the error is joined with a *leftError. A file that exists is never replaced: that is an
// *existsError. The files take their names in their order.
func placeNew(files []newFile) (err error) {
	temporary := make([]string, 0, len(files))
	defer func() {
		for _, t := range temporary {
			os.Remove(t)
		}
	}()
	for _, f := range files {
		name, err := besides(f)
		if name != "" {
			temporary = append(temporary, name)
		}
		if err != nil {
			return err
		}
	}
	for i, f := range files {
		if err := takeName(temporary[i], f.path); err != nil {
			for _, placed := range files[:i] {
				if e := os.Remove(placed.path); e != nil {
					err = errors.Join(err, &leftError{placed.path, e})
				}
			}
			return err
		}
	}
	for _, f := range files {
		if dir, err := os.Open(filepath.Dir(f.path)); err == nil { // not everywhere to be had
			_ = dir.Sync()
			_ = dir.Close()
		}
	}
	return nil
}

// besides writes the bytes of a file to a temporary one beside it, whose name it returns
// if there is one.
func besides(f newFile) (name string, err error) {
	name = filepath.Join(filepath.Dir(f.path), ".anaplan-runner-"+rand.Text()[:12]+".tmp")
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = out.Write(f.data)
		if err == nil {
			err = out.Sync()
		}
		err = errors.Join(err, out.Close())
	} else {
		name = ""
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = &fs.PathError{Op: "write", Path: f.path, Err: e.Err} // nobody looks for the name of a file that is gone
	}
	return name, err
}

// takeName gives a temporary file its name, if nobody has it.
func takeName(temporary, path string) error {
	err := os.Link(temporary, path)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return &existsError{path}
	}
	// Some file systems have no links: an empty file of ours keeps the name until the whole one replaces it.
	reserved, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &existsError{path}
	}
	if err != nil {
		return err
	}
	if err = errors.Join(reserved.Close(), os.Rename(temporary, path)); err != nil {
		os.Remove(path)
	}
	return err
}

func parseRequest(text []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not PEM")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}
