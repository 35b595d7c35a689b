package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Ledger is a ledger in a PostgreSQL database. Several goroutines may use it, and several
// processes on several machines the same database.
type Ledger struct {
	where    string
	schema   string
	patience time.Duration
	times    ledger.Times
	pool     *pgxpool.Pool
	created  bool
	closed   atomic.Bool

	mu sync.Mutex // guards what follows
	// known holds the states of runs that this process writes, by row, so that an append
	// does not read the whole run. Who uses one takes it out.
	known  map[int64]*ledger.State
	leases map[ledger.Lease]bool // that were not given back
	shares map[*share]bool       // that were not ended
}

var _ ledger.Ledger = (*Ledger)(nil)

// mostKnown bounds the memory for states.
const mostKnown = 64

// Where implements ledger.Ledger: the address without its password and parameters, but for
// the schema if it is not the usual one.
func (l *Ledger) Where() string { return l.where }

// Created says whether Open has made this ledger: it knows of no earlier run.
func (l *Ledger) Created() bool { return l.created }

// Close implements ledger.Ledger. It gives every lease back.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed.Swap(true) {
		l.mu.Unlock()
		return nil
	}
	var all sync.WaitGroup
	for h := range l.leases {
		all.Go(h.Release)
	}
	for s := range l.shares {
		all.Go(s.End)
	}
	l.mu.Unlock()
	all.Wait()
	l.pool.Close()
	return nil
}

// Append implements ledger.Ledger.
func (l *Ledger) Append(ctx context.Context, id ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	last := after
	var row int64
	var done *ledger.State
	err := l.transact(ctx, ledger.ToWrite, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		done = nil
		var seq, highest int64
		err := tx.QueryRow(ctx, `SELECT id, seq, epoch FROM run WHERE job = $1 AND run = $2 FOR UPDATE`, sendable(id.Job), sendable(id.Run)).Scan(&row, &seq, &highest)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
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
		m := mover{tx: tx, run: row, state: s, batch: &pgx.Batch{}}
		lastEpoch := func(key ledger.Key) (int64, error) { return epochOf(ctx, tx, key) }
		if err := s.Extend(id, events, lastEpoch, func(e ledger.Stored) error { return m.keep(ctx, e) }); err != nil {
			return err
		}
		m.moveRun(s.RunRow(), epoch)
		if err := m.send(ctx); err != nil {
			return err
		}
		last, row, done = s.Seq, m.run, s
		return nil
	})
	if err != nil {
		return 0, err
	}
	if done != nil {
		l.remember(row, done)
	}
	return last, nil
}

// sendable is a name as the database can be asked for: no name of a run is empty, and the
// others cannot be in it.
func sendable(name string) string {
	if (ledger.ID{Run: "x", Job: name}).Check() != nil {
		return ""
	}
	return name
}

// state is what is known of a run after its event seq. The caller owns it.
func (l *Ledger) state(ctx context.Context, tx pgx.Tx, row, seq int64) (*ledger.State, error) {
	l.mu.Lock()
	s := l.known[row]
	delete(l.known, row)
	l.mu.Unlock()
	if s == nil || s.Seq > seq {
		s = &ledger.State{}
	}
	if s.Seq == seq {
		return s, nil
	}
	rows, err := tx.Query(ctx, `SELECT data FROM event WHERE run = $1 AND seq > $2 AND seq <= $3 ORDER BY seq`, row, s.Seq, seq)
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

// remember keeps a state, which nobody may use any more.
func (l *Ledger) remember(row int64, s *ledger.State) {
	if s.End != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= mostKnown {
		clear(l.known)
	}
	l.known[row] = s
}

// transact runs do in a transaction, with a new connection if the first is gone. Until it
// is committed the end of ctx takes all of it back; from then on it is short, and if its
// outcome is not known the error says so.
func (l *Ledger) transact(ctx context.Context, doing string, o pgx.TxOptions, do func(context.Context, pgx.Tx) error) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	limited, end := l.limited(ctx)
	defer end()
	var tx pgx.Tx
	err := l.again(limited, func() (err error) {
		tx, err = l.pool.BeginTx(limited, o)
		return err
	})
	if err != nil {
		return l.failed(ctx, doing, err)
	}
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.patience)
	defer cancel()
	if err = do(limited, tx); err == nil {
		err = limited.Err()
	}
	if err != nil {
		_ = tx.Rollback(inner) // a connection that is gone has done so
		return l.failed(ctx, doing, err)
	}
	if err = tx.Commit(inner); err != nil {
		if errors.Is(err, pgx.ErrTxCommitRollback) {
			return l.failed(ctx, doing, err)
		}
		return l.unknown(doing, err)
	}
	return nil
}

// limited bounds a call: a server that is gone without a word would be waited for much
// longer. Connecting and waiting for a lock have limits of their own within it.
func (l *Ledger) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 3*l.patience)
}

// again calls do, which changes nothing when it fails, a second time if the connection is
// gone: the pool keeps connections that a server which was started anew has dropped.
func (l *Ledger) again(ctx context.Context, do func() error) error {
	err := do()
	if err != nil && ctx.Err() == nil && lost(err) {
		l.pool.Reset()
		err = do()
	}
	return err
}

// usable says why no call can be made.
func (l *Ledger) usable(ctx context.Context) error {
	if l.closed.Load() {
		return ledger.ErrClosed
	}
	return ctx.Err()
}

// snapshot is a transaction that reads one state of the database.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// Events implements ledger.Ledger.
func (l *Ledger) Events(ctx context.Context, id ledger.ID, after int64) (events []ledger.Event, err error) {
	err = l.transact(ctx, ledger.ToRead, snapshot, func(ctx context.Context, tx pgx.Tx) error {
		row, err := rowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT data FROM event WHERE run = $1 AND seq > $2 ORDER BY seq`, row, after)
		if err != nil {
			return err
		}
		events, err = decode(rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// decode reads the stored events of a query, and closes it.
func decode(rows pgx.Rows) (events []ledger.Event, err error) {
	defer rows.Close()
	for rows.Next() {
		e, err := ledger.Decode(rows.RawValues()[0])
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

// rowOf is the row of a run.
func rowOf(ctx context.Context, tx pgx.Tx, id ledger.ID) (row int64, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM run WHERE job = $1 AND run = $2`, sendable(id.Job), sendable(id.Run)).Scan(&row)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, noRun(id)
	}
	return row, err
}

func noRun(id ledger.ID) error {
	return fmt.Errorf("run %q of job %q: %w", id.Run, id.Job, ledger.ErrNoRun)
}
