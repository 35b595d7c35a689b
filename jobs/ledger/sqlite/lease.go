package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/gofrs/flock"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// lease is a kernel's lock on a file. It ends with its process, however that ends, and not
// while the process is stopped.
type lease struct {
	of    *Ledger
	key   ledger.Key
	epoch int64
	lock  *flock.Flock
	file  os.FileInfo // what was locked
	lost  atomic.Bool
}

// Take implements ledger.Ledger. Who takes a lease or looks who has it may alone write to
// the ledger meanwhile: so the holder in the table is who has the lock, and nobody who only
// looks is taken for one.
func (l *Ledger) Take(ctx context.Context, key ledger.Key, by ledger.Holder) (ledger.Lease, error) {
	holder, err := json.Marshal(by)
	if err != nil {
		return nil, fmt.Errorf("take %s: %w", key, err)
	}
	h := &lease{of: l, key: key}
	err = l.transact(ctx, ledger.ToTake, func(ctx context.Context, tx *sql.Tx) error {
		if err := l.lockFolder(); err != nil {
			return err
		}
		if err := l.makeLock(key); err != nil {
			return err
		}
		var err error
		if h.lock, h.file, err = seize(l.lockFile(key)); err != nil {
			return err
		}
		if h.lock == nil {
			return l.heldBy(ctx, tx, key)
		}
		return tx.QueryRowContext(ctx, `INSERT INTO lease (key, epoch, holder) VALUES (?, 1, ?)
			ON CONFLICT (key) DO UPDATE SET epoch = epoch + 1, holder = excluded.holder RETURNING epoch`, string(key), string(holder)).Scan(&h.epoch)
	})
	if err != nil {
		h.free()
		return nil, err
	}
	l.held.Lock()
	defer l.held.Unlock()
	if l.closed.Load() {
		h.free()
		return nil, ledger.ErrClosed
	}
	l.leases[h] = true
	return h, nil
}

// Holder implements ledger.Ledger.
func (l *Ledger) Holder(ctx context.Context, key ledger.Key) (*ledger.Holder, error) {
	var by *ledger.Holder
	err := l.transact(ctx, ledger.ToSee, func(ctx context.Context, tx *sql.Tx) error {
		err := l.unheld(ctx, tx, key, func() error { return nil })
		if held, ok := errors.AsType[*ledger.HeldError](err); ok {
			by = &held.By
			return nil
		}
		return err
	})
	return by, err
}

// unheld calls do while nobody can take a lease; if somebody has it, the error is a
// *ledger.HeldError.
func (l *Ledger) unheld(ctx context.Context, tx *sql.Tx, key ledger.Key, do func() error) error {
	path := l.lockFile(key)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return do() // nobody has ever taken it
	}
	lock, _, err := seize(path)
	if err != nil {
		return err
	}
	if lock == nil {
		return l.heldBy(ctx, tx, key)
	}
	return errors.Join(do(), lock.Close())
}

// lockFolder makes the folder of the lock files.
func (l *Ledger) lockFolder() error {
	if _, err := os.Stat(l.locks); errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(makeFolder(l.locks), share(l.locks, l.file)); err != nil {
			return err
		}
	} else if err := makeFolder(l.locks); err != nil { // which says what is in its place
		return err
	}
	kind, err := l.network(l.locks)
	if err != nil {
		return fmt.Errorf("find out the file system of %s: %w", l.locks, err)
	}
	if kind != "" { // it is a mount or a link
		return &ledger.StoreError{Doing: ledger.ToTake, Where: l.path, Why: l.locks + " lies on a network file system (" + kind + "), where locks are not safe",
			Next: "make it a folder on the disk of the ledger"}
	}
	return nil
}

// lockFile is the file of a key. Keys hold names of any kind and length.
func (l *Ledger) lockFile(key ledger.Key) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(l.locks, hex.EncodeToString(sum[:16])+".lock")
}

// makeLock makes the file of a key, if it is not there.
func (l *Ledger) makeLock(key ledger.Key) error {
	f, err := os.OpenFile(l.lockFile(key), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), share(l.lockFile(key), l.file))
}

// seize locks a file, and makes it if it is not there; nil if somebody else has it locked.
// It does not wait.
func seize(path string) (*flock.Flock, os.FileInfo, error) {
	for range 10 {
		lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
		ok, err := lock.TryLock()
		if err != nil || !ok {
			return nil, nil, errors.Join(err, lock.Close())
		}
		file, err := lock.Stat()
		if err != nil {
			return nil, nil, errors.Join(err, lock.Close())
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(now, file) {
			return lock, file, nil
		}
		if err := lock.Close(); err != nil { // it was deleted meanwhile
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("%s is deleted again and again", path)
}

// heldBy is the error that says who has a lease.
func (l *Ledger) heldBy(ctx context.Context, tx *sql.Tx, key ledger.Key) error {
	var holder string
	err := tx.QueryRowContext(ctx, `SELECT holder FROM lease WHERE key = ?`, string(key)).Scan(&holder)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	held := &ledger.HeldError{Key: key}
	if err == nil {
		if err := json.Unmarshal([]byte(holder), &held.By); err != nil {
			return &ledger.StoreError{Doing: ledger.ToSee, Where: l.path, Why: fmt.Sprintf("somebody has %s, and who cannot be read (%v)", key, err),
				Next: "wait until nothing runs", Err: err}
		}
	}
	return held
}

// epochOf is the last epoch of a key, 0 if it was never taken.
func epochOf(ctx context.Context, tx *sql.Tx, key ledger.Key) (epoch int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT epoch FROM lease WHERE key = ?`, string(key)).Scan(&epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return epoch, err
}

// Key implements ledger.Lease.
func (h *lease) Key() ledger.Key { return h.key }

// Epoch implements ledger.Lease.
func (h *lease) Epoch() int64 { return h.epoch }

// Check implements ledger.Lease.
func (h *lease) Check() error {
	if h.lost.Load() || h.of.closed.Load() {
		return ledger.ErrLeaseLost
	}
	if now, err := os.Stat(h.lock.Path()); err != nil || !os.SameFile(now, h.file) {
		h.lost.Store(true)
		return ledger.ErrLeaseLost
	}
	return nil
}

// Release implements ledger.Lease.
func (h *lease) Release() {
	h.of.held.Lock()
	defer h.of.held.Unlock()
	delete(h.of.leases, h)
	h.free()
}

// releaseAll gives every lease back.
func (l *Ledger) releaseAll() {
	l.held.Lock()
	defer l.held.Unlock()
	for h := range l.leases {
		h.free()
	}
	clear(l.leases)
}

// free unlocks the file, if it is locked.
func (h *lease) free() {
	h.lost.Store(true)
	if h.lock != nil {
		_ = h.lock.Close() // a file that cannot be closed is free all the same
	}
}
