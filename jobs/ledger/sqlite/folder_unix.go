//go:build unix

package sqlite

import (
	"os"

	"golang.org/x/sys/unix"
)

// makeFolder makes a folder, with those above it, for its owner only. One that is there
// keeps its rights.
func makeFolder(dir string) error { return os.MkdirAll(dir, 0o700) }

// share gives a file or a folder that was just made the rights of the ledger's file, as
// SQLite does with the files that it makes beside it: who may use the ledger may use these.
func share(path string, file os.FileInfo) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	rights := file.Mode().Perm() & 0o666
	if info.IsDir() {
		rights |= rights >> 2 & 0o111 // who may read it may look into it
	}
	if rights == info.Mode().Perm() {
		return nil
	}
	return os.Chmod(path, rights|info.Mode()&os.ModeSetgid)
}

// syncFolder makes a new file's name durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Writable says whether dir is a folder in which this user may make files.
func Writable(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}

// mayWrite says why this user may not write a file that is there. It does not open it:
// closing it would free SQLite's locks on it in this process.
func mayWrite(path string) error {
	if err := unix.Access(path, unix.R_OK|unix.W_OK); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
