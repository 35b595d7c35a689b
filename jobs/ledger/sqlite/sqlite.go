package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Ledger is a ledger in an SQLite file. Several goroutines may use it, and several
// processes the same file.
type Ledger struct {
	path     string
	patience time.Duration
	db       *sql.DB
	file     os.FileInfo // what was opened
	created  bool
	closed   atomic.Bool
	// known holds the states of runs that this process writes, by row, so that an append
	// does not read the whole run. Who holds the one connection may use it.
	known map[int64]*ledger.State

	locks   string                            // the folder of the leases' files
	network func(path string) (string, error) // see how
	held    sync.Mutex                        // guards leases
	leases  map[*lease]bool                   // that were not given back
}

var _ ledger.Ledger = (*Ledger)(nil)

// mostKnown bounds the memory for states.
const mostKnown = 64

// Where implements ledger.Ledger: the absolute path.
func (l *Ledger) Where() string { return l.path }

// Created says whether Open has made this ledger: it knows of no earlier run.
func (l *Ledger) Created() bool { return l.created }

// Close implements ledger.Ledger.
func (l *Ledger) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.releaseAll()
	if err := l.db.Close(); err != nil {
		return l.explain("close", err)
	}
	return nil
}

// Append implements ledger.Ledger.
func (l *Ledger) Append(ctx context.Context, id ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	last := after
	err := l.transact(ctx, ledger.ToWrite, func(ctx context.Context, tx *sql.Tx) error {
		var row, seq, highest int64
		err := tx.QueryRowContext(ctx, `SELECT id, seq, epoch FROM run WHERE job = ? AND run = ?`, id.Job, id.Run).Scan(&row, &seq, &highest)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if seq != after || epoch < highest {
			return ledger.ErrConflict
		}
		if len(events) == 0 {
			return nil
		}
		s, err := l.state(ctx, tx, row, seq)
		if err != nil {
			return err
		}
		delete(l.known, row) // until it is certain that all of it was taken
		m := mover{tx, row, s}
		lastEpoch := func(key ledger.Key) (int64, error) { return epochOf(ctx, tx, key) }
		if err := s.Extend(id, events, lastEpoch, func(e ledger.Stored) error { return m.keep(ctx, e) }); err != nil {
			return err
		}
		if err := m.moveRun(ctx, s.RunRow(), epoch); err != nil {
			return err
		}
		last = s.Seq
		l.remember(m.run, s)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return last, nil
}

// state is what is known of a run after its event seq.
func (l *Ledger) state(ctx context.Context, tx *sql.Tx, row, seq int64) (*ledger.State, error) {
	s := l.known[row]
	if s == nil || s.Seq > seq {
		s = &ledger.State{}
	}
	if s.Seq == seq {
		return s, nil
	}
	delete(l.known, row)
	rows, err := tx.QueryContext(ctx, `SELECT data FROM event WHERE run = ? AND seq > ? ORDER BY seq`, row, s.Seq)
	if err != nil {
		return nil, err
	}
	events, err := decode(rows)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := s.Apply(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (l *Ledger) remember(row int64, s *ledger.State) {
	if s.End != nil {
		return
	}
	if len(l.known) >= mostKnown {
		clear(l.known)
	}
	l.known[row] = s
}

// transact runs do in a transaction that may write. The end of ctx ends only the waiting
// for it: once begun, it is short and its outcome is certain.
func (l *Ledger) transact(ctx context.Context, doing string, do func(context.Context, *sql.Tx) error) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return l.failed(doing, err)
	}
	defer conn.Close()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, cancel)
	tx, err := conn.BeginTx(inner, nil)
	if !stop() { // it ended meanwhile
		if err == nil {
			_ = tx.Rollback() // nothing was written
		}
		return ctx.Err()
	}
	if err != nil {
		return l.failed(doing, err)
	}
	if err = l.same(); err == nil {
		err = do(inner, tx)
	}
	if err != nil {
		_ = tx.Rollback() // SQLite has done so itself after some errors
		return l.failed(doing, err)
	}
	if err = tx.Commit(); err != nil {
		clear(l.known)
		return l.failed(doing, err)
	}
	return nil
}

// usable says why no call can be made.
func (l *Ledger) usable(ctx context.Context) error {
	if l.closed.Load() {
		return ledger.ErrClosed
	}
	return ctx.Err()
}

// same says whether the file is still the one that was opened.
func (l *Ledger) same() error {
	if l.file == nil {
		return nil // while it is being opened
	}
	now, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return l.explain("use", err)
	case err == nil && os.SameFile(now, l.file) && now.Size() < l.file.Size(): // SQLite makes it no shorter
		return &ledger.StoreError{Doing: ledger.ToUse, Where: l.path, Why: "it was cut short while it was open, and is damaged",
			Next: "put a backup back, and look at Anaplan which tasks ran before you run the job again"}
	case err != nil || !os.SameFile(now, l.file):
		return &ledger.StoreError{Doing: ledger.ToUse, Where: l.path, Why: "it was deleted or replaced while it was open, and what is written now would be lost",
			Next: "put it back, and look at Anaplan which tasks ran before you run the job again", Err: err}
	}
	return nil
}

// failed explains an error of a call. Errors of the ledger's own contract stay as they are.
func (l *Ledger) failed(doing string, err error) error {
	_, unknown := errors.AsType[*ledger.UnknownKindError](err)
	_, order := errors.AsType[*ledger.OrderError](err)
	_, held := errors.AsType[*ledger.HeldError](err)
	switch {
	case unknown || order || held || errors.Is(err, ledger.ErrConflict) || errors.Is(err, ledger.ErrNoRun):
		return err
	case l.closed.Load():
		return ledger.ErrClosed
	}
	return l.explain(doing, err)
}

// Events implements ledger.Ledger.
func (l *Ledger) Events(ctx context.Context, id ledger.ID, after int64) ([]ledger.Event, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	if err := l.same(); err != nil {
		return nil, err
	}
	// The run first: it is made together with its first event.
	var row int64
	err := l.db.QueryRowContext(ctx, `SELECT id FROM run WHERE job = ? AND run = ?`, id.Job, id.Run).Scan(&row)
	if errors.Is(err, sql.ErrNoRows) {
		err = noRun(id)
	}
	if err != nil {
		return nil, l.readError(err)
	}
	rows, err := l.db.QueryContext(ctx, `SELECT data FROM event WHERE run = ? AND seq > ? ORDER BY seq`, row, after)
	if err != nil {
		return nil, l.failed(ledger.ToRead, err)
	}
	events, err := decode(rows)
	return events, l.readError(err)
}

func (l *Ledger) readError(err error) error {
	if err == nil {
		return nil
	}
	return l.failed(ledger.ToRead, err)
}

// decode reads the stored events of a query, and closes it.
func decode(rows *sql.Rows) (events []ledger.Event, err error) {
	defer rows.Close()
	for rows.Next() {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		e, err := ledger.Decode(data)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return events, nil
}
