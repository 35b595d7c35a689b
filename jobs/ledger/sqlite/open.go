package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// ErrMissing says that there is no ledger to open.
var ErrMissing = errors.New("there is no ledger")

// smallest is the size of an SQLite database that is not empty: one page.
const smallest = 512

// patience is how long a call waits for another process to free the file.
const patience = 10 * time.Second

// Open opens the ledger in a file, and makes it, with its folders, if it is not there:
// see [Ledger.Created]. Errors are an *[Error]; so are those of the ledger's methods
// that have to do with the file.
func Open(ctx context.Context, path string) (*Ledger, error) {
	return open(ctx, path, how{create: true, patience: patience, network: network})
}

// OpenExisting opens a ledger that is there and makes nothing: without one, the error is
// ErrMissing.
func OpenExisting(ctx context.Context, path string) (*Ledger, error) {
	return open(ctx, path, how{patience: patience, network: network})
}

// how says how a ledger is opened.
type how struct {
	create   bool
	patience time.Duration
	network  func(path string) (string, error) // names the network file system of a path

	migrating func() error // called in the middle of bringing an old file up; may be nil
}

func open(ctx context.Context, path string, h how) (*Ledger, error) {
	if path == "" {
		return nil, &ledger.StoreError{Doing: ledger.ToOpen, Why: "it has no name", Next: "name a file with --ledger"}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, explain(ledger.ToOpen, path, h.patience, err)
	}
	l := &Ledger{path: abs, patience: h.patience, network: h.network, known: map[int64]*ledger.State{}, leases: map[*lease]bool{}}
	if err := l.place(h); err != nil {
		return nil, err
	}
	if l.db, err = sql.Open("sqlite", source(abs, h.patience)); err != nil {
		return nil, l.explain(ledger.ToOpen, err)
	}
	// One connection: no waiting for ourselves in SQLite, where a time-out would decide.
	l.db.SetMaxOpenConns(1)
	if err := l.prepare(ctx, h); err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	if l.file, err = os.Stat(abs); err != nil {
		return nil, errors.Join(l.explain(ledger.ToOpen, err), l.db.Close())
	}
	// Under whatever name the file is opened, its locks are the same.
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return nil, errors.Join(l.explain(ledger.ToOpen, err), l.db.Close())
	}
	l.locks = real + ".locks"
	return l, nil
}

// source is the name under which the driver opens the file. It never makes one: a file
// that was deleted must not come back empty.
func source(path string, patience time.Duration) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… on Windows
	}
	q := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(patience.Milliseconds(), 10) + ")",
		"foreign_keys(1)", "synchronous(FULL)", "trusted_schema(0)",
		"fullfsync(1)", "checkpoint_fullfsync(1)", // macOS: fsync alone leaves it in the disk's cache
	}}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// place sees to it that the file is there and may be a ledger.
func (l *Ledger) place(h how) error {
	info, err := os.Stat(l.path)
	switch {
	case err == nil && info.IsDir():
		return l.problem("it is a folder", "name a file in it, such as "+filepath.Join(l.path, fileName))
	case err == nil && !info.Mode().IsRegular():
		return l.problem("it is not a file", "name another with --ledger")
	case err == nil && info.Size() > 0 && info.Size() < smallest:
		return l.problem(notDatabase, otherFile) // SQLite would take it for an empty one
	case errors.Is(err, fs.ErrNotExist) && !h.create:
		return l.missing()
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return l.explain(ledger.ToOpen, err)
	}
	fresh := err != nil
	if kind, err := h.network(existing(l.path)); err != nil {
		return l.explain(ledger.ToOpen, fmt.Errorf("find out its file system: %w", err))
	} else if kind != "" {
		return l.problem("it lies on a network file system ("+kind+"), where an SQLite file is not safe",
			"name one on a local disk of this machine with --ledger")
	}
	if !fresh {
		// SQLite would open it for reading, and fail in the middle of a run.
		if err := mayWrite(l.path); err != nil {
			return l.explain(ledger.ToOpen, err)
		}
		return nil
	}
	if err := makeFolder(filepath.Dir(l.path)); err != nil {
		return l.explain(ledger.ToOpen, err)
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	if err != nil {
		return l.explain(ledger.ToOpen, err)
	}
	if err := errors.Join(f.Close(), syncFolder(filepath.Dir(l.path))); err != nil {
		return l.explain(ledger.ToOpen, err)
	}
	return nil
}

// existing is the nearest part of a path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func (l *Ledger) problem(why, next string) error {
	return &ledger.StoreError{Doing: ledger.ToOpen, Where: l.path, Why: why, Next: next}
}

func (l *Ledger) missing() error {
	return &ledger.StoreError{Doing: ledger.ToOpen, Where: l.path, Why: "there is none",
		Next: "the first run makes it; name another with --ledger", Err: ErrMissing}
}
