package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const (
	notDatabase = "it is not an SQLite database"
	otherFile   = "name another file with --ledger, or move this one away"
)

func (l *Ledger) explain(doing string, err error) error {
	return explain(doing, l.path, l.patience, err)
}

// explain makes of an error of SQLite or of the operating system one that says what to
// do. One that is explained already, and the end of a context, stay as they are.
func explain(doing, path string, patience time.Duration, err error) error {
	if _, ok := errors.AsType[*ledger.StoreError](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &ledger.StoreError{Doing: doing, Where: path, Err: err}
	dir := filepath.Dir(path)
	switch primary(err) {
	case code.SQLITE_NOTADB:
		e.Why, e.Next = notDatabase, otherFile
	case code.SQLITE_CORRUPT:
		e.Why = fmt.Sprintf("it is damaged (%v)", err)
		e.Next = "copy it and its -wal file to a safe place and put a backup back; a new ledger would not know what has run"
	case code.SQLITE_FULL:
		e.Why, e.Next = "the disk is full", "free space in "+dir
	case code.SQLITE_READONLY, code.SQLITE_PERM, code.SQLITE_CANTOPEN:
		e.Why, e.Next = "this user may not write the file", "give the user write access to it and to "+dir+", or name another with --ledger"
		if !Writable(dir) {
			e.Why = "this user may not write in its folder"
		}
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		e.Why = fmt.Sprintf("something else has kept it locked for %s", patience)
		e.Next = "find out what has it open (a backup, an SQLite shell), end that, and try again"
	case code.SQLITE_IOERR:
		if extended(err) == code.SQLITE_IOERR_SHMSIZE { // the file beside it that processes share cannot grow
			e.Why, e.Next = "the disk is full", "free space in "+dir
			break
		}
		e.Why, e.Next = fmt.Sprintf("the disk failed (%v)", err), "look for messages about this disk in the system's log"
	case code.SQLITE_CONSTRAINT:
		e.Why, e.Next = fmt.Sprintf("it refuses what this program wants to record (%v)", err), "this is a mistake in the program; please report it"
	default:
		system(e, dir, err)
	}
	return e
}

// system explains an error of the operating system.
func system(e *ledger.StoreError, dir string, err error) {
	e.Why = err.Error()
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		e.Why = fmt.Sprintf("%s %s: %v", p.Op, p.Path, p.Err)
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		e.Next = "the file system is mounted read-only; name another file with --ledger"
	case errors.Is(err, fs.ErrPermission):
		e.Next = "give this user access to " + dir + " and what is in it, or name another file with --ledger"
	case errors.Is(err, syscall.ENOTDIR):
		e.Next = "a part of the path is a file; name another with --ledger"
	case errors.Is(err, syscall.ENOSPC):
		e.Why, e.Next = "the disk is full", "free space in "+dir
	}
}

// primary is SQLite's code without its details, 0 for other errors.
func primary(err error) int {
	return extended(err) & 0xff
}

// extended is SQLite's code with its details, 0 for other errors.
func extended(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()
	}
	return 0
}

func busy(err error) bool {
	c := primary(err)
	return c == code.SQLITE_BUSY || c == code.SQLITE_LOCKED
}
