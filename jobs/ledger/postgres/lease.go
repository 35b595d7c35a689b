package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// releasePatience is how long giving a lease back is waited for: a runner that is to end
// does not wait for a server that hangs. The row ends by itself.
const releasePatience = 2 * time.Second

// keyIs finds a key by its index, which has hashes.
const keyIs = `key = $1 AND hashtextextended(key, 0) = hashtextextended($1, 0)`

// Take implements ledger.Ledger.
func (l *Ledger) Take(ctx context.Context, key ledger.Key, by ledger.Holder) (ledger.Lease, error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	holder, err := json.Marshal(by)
	if err != nil {
		return nil, fmt.Errorf("take %s: %w", key, err)
	}
	token := rand.Text()
	var epoch int64
	var sent ledger.Instant
	asking, end := l.outliving(ctx)
	defer end()
	// A second time takes over what a first one may have taken: they have one token.
	err = l.again(asking, func() (err error) {
		sent = l.times.Instant()
		epoch, err = l.seize(asking, key, string(holder), token)
		return err
	})
	if err != nil {
		return nil, l.failed(ctx, ledger.ToTake, err)
	}
	if ctx.Err() != nil {
		_ = l.giveBack(context.WithoutCancel(ctx), key, epoch) // the row ends by itself
		return nil, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil, ledger.ErrClosed // the row ends by itself
	}
	var h ledger.Lease
	h = ledger.Timed(key, epoch, sent, l.times,
		func(ctx context.Context) error { return l.renew(ctx, key, epoch) },
		func(ctx context.Context) error {
			l.mu.Lock()
			delete(l.leases, h)
			l.mu.Unlock()
			return l.giveBack(ctx, key, epoch)
		})
	l.leases[h] = true
	return h, nil
}

// outliving is limited, for a question whose answer has to be known: it goes on for
// releasePatience after ctx has ended. The server may do what it was asked although nobody
// waits for the answer, and a lease would be held that nobody gives back.
func (l *Ledger) outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	limited, cancel := l.limited(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(releasePatience, cancel) })
	return limited, func() {
		stop()
		cancel()
	}
}

// giveBack ends the row of a lease, if it still has this epoch.
func (l *Ledger) giveBack(ctx context.Context, key ledger.Key, epoch int64) error {
	ctx, cancel := context.WithTimeout(ctx, releasePatience)
	defer cancel()
	_, err := l.pool.Exec(ctx, `UPDATE lease SET until = '-infinity' WHERE `+keyIs+` AND epoch = $2`, string(key), epoch)
	return err
}

// seize takes the row of a lease. Somebody may give it back between the two questions.
func (l *Ledger) seize(ctx context.Context, key ledger.Key, holder, token string) (epoch int64, err error) {
	for range 10 {
		err := l.pool.QueryRow(ctx, `INSERT INTO lease (key, epoch, holder, token, until) VALUES ($1, 1, $2, $3, clock_timestamp() + $4::interval)
			ON CONFLICT (hashtextextended(key, 0), hashtextextended(key, 1)) DO UPDATE SET epoch = lease.epoch + 1, holder = excluded.holder, token = excluded.token, until = excluded.until
			WHERE lease.key = excluded.key AND (lease.until <= clock_timestamp() OR lease.token = excluded.token)
			RETURNING epoch`, string(key), holder, token, l.times.Life).Scan(&epoch)
		if !errors.Is(err, pgx.ErrNoRows) {
			return epoch, err
		}
		by, err := holderOf(ctx, l.pool, key)
		if err != nil {
			return 0, err
		}
		if by != nil {
			return 0, &ledger.HeldError{Key: key, By: *by}
		}
	}
	return 0, fmt.Errorf("%s is taken and given back again and again", key)
}

// renew lets a lease live on. One that was given back stays so, whatever comes late.
func (l *Ledger) renew(ctx context.Context, key ledger.Key, epoch int64) error {
	return l.again(ctx, func() error {
		done, err := l.pool.Exec(ctx, `UPDATE lease SET until = clock_timestamp() + $3::interval WHERE `+keyIs+` AND epoch = $2 AND until > '-infinity'`,
			string(key), epoch, l.times.Life)
		if err == nil && done.RowsAffected() == 0 {
			return ledger.ErrLeaseLost
		}
		return err
	})
}

// Holder implements ledger.Ledger.
func (l *Ledger) Holder(ctx context.Context, key ledger.Key) (by *ledger.Holder, err error) {
	if err := l.usable(ctx); err != nil {
		return nil, err
	}
	limited, end := l.limited(ctx)
	defer end()
	err = l.again(limited, func() error {
		by, err = holderOf(limited, l.pool, key)
		return err
	})
	if err != nil {
		return nil, l.failed(ctx, ledger.ToSee, err)
	}
	return by, nil
}

// holderOf says who has a lease; nil if nobody has.
func holderOf(ctx context.Context, q querier, key ledger.Key) (*ledger.Holder, error) {
	var holder []byte
	err := q.QueryRow(ctx, `SELECT holder FROM lease WHERE `+keyIs+` AND until > clock_timestamp()`, string(key)).Scan(&holder)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	by := &ledger.Holder{}
	if err := json.Unmarshal(holder, by); err != nil {
		return nil, fmt.Errorf("holder of %s: %w", key, err)
	}
	return by, nil
}

// epochOf is the last epoch of a key, 0 if it was never taken. Nobody takes it until the
// transaction has ended: who then does sees what the transaction wrote.
func epochOf(ctx context.Context, tx pgx.Tx, key ledger.Key) (epoch int64, err error) {
	err = tx.QueryRow(ctx, `SELECT epoch FROM lease WHERE `+keyIs+` FOR SHARE`, string(key)).Scan(&epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return epoch, err
}
