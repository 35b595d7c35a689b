package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// failed explains an error of a call. Errors of the ledger's own contract stay as they
// are, and so does the end of the caller's context.
func (l *Ledger) failed(ctx context.Context, doing string, err error) error {
	_, unknown := errors.AsType[*ledger.UnknownKindError](err)
	_, order := errors.AsType[*ledger.OrderError](err)
	_, held := errors.AsType[*ledger.HeldError](err)
	switch {
	case unknown || order || held || errors.Is(err, ledger.ErrConflict) || errors.Is(err, ledger.ErrNoRun):
		return err
	case l.closed.Load():
		return ledger.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return l.explain(doing, err)
}

// explain makes of an error of the database or of the network one that says what to do.
func (l *Ledger) explain(doing string, err error) error {
	if e, ok := errors.AsType[*ledger.StoreError](err); ok {
		return e
	}
	e := &ledger.StoreError{Doing: doing, Where: l.where, Err: err}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		e.Err = p // the library's own hold the whole configuration
		l.refused(e, p)
		return e
	}
	e.Why = plain(err)
	connecting, _ := errors.AsType[*pgconn.ConnectError](err)
	network, _ := errors.AsType[net.Error](err)
	switch {
	case connecting != nil && strings.Contains(e.Why, "tls"), connecting != nil && strings.Contains(e.Why, "x509"):
		e.Why, e.Next = "no secure connection: "+e.Why, "correct sslmode and sslrootcert in the address, or the server's certificate"
	case connecting != nil:
		e.Away = true
		e.Why, e.Next = "the server cannot be reached: "+e.Why, "see that it runs, and that this machine may connect to it"
	case lost(err) || network != nil || errors.Is(err, context.DeadlineExceeded):
		e.Away = true
		e.Why, e.Next = "the connection was lost: "+e.Why, "see that the server runs, and try again"
	}
	if connecting != nil {
		e.Err = connecting.Unwrap()
	}
	return e
}

// refused explains what the server says. The codes are those of PostgreSQL's manual,
// appendix A.
func (l *Ledger) refused(e *ledger.StoreError, p *pgconn.PgError) {
	said := fmt.Sprintf("%s (SQLSTATE %s)", p.Message, p.Code)
	e.Why = said
	switch p.Code {
	case "28P01":
		e.Next = "set PGPASSWORD, or write a line for it in ~/.pgpass"
	case "28000":
		e.Next = "let the server's pg_hba.conf admit this user from this machine"
	case "3D000":
		e.Next = "make it with createdb, or name another in the address"
	case "42501":
		e.Why, e.Next = "this user may not do that: "+said, "make the user the owner of schema "+l.schema+": CREATE SCHEMA … AUTHORIZATION …"
	case "25006":
		e.Why, e.Next = readOnlyWhy, readOnlyNext
	case "53100":
		e.Why, e.Next = "the server's disk is full: "+said, "free space there"
	case "53200":
		e.Next = "give the server more memory"
	case "53300":
		e.Away, e.Next = true, "let the server have more connections (max_connections), or end some"
	case "55P03", "57014":
		e.Why, e.Next = fmt.Sprintf("something else has kept it locked, or the server busy, for %s", l.patience), "find out what in pg_stat_activity, and try again"
	case "57P01", "57P02", "57P03", "25P03", "57P05":
		e.Away, e.Next = true, "wait until the server runs again, and try again"
	case "P0001":
		e.Why, e.Next = "it refuses what this program wants to record: "+p.Message, mistake
	default:
		switch p.Code[:min(2, len(p.Code))] {
		case "08":
			e.Away, e.Why, e.Next = true, "the connection was lost: "+said, "see that the server runs, and try again"
		case "22", "23", "42":
			e.Why, e.Next = "it refuses what this program wants to record: "+said, "if nobody has changed its tables, this is a mistake in the program; please report it"
		case "40":
			e.Next = "try again"
		case "58", "XX":
			e.Next = "look into the server's log"
		}
	}
}

const (
	mistake      = "this is a mistake in the program; please report it"
	readOnlyWhy  = "the server only reads: it is a standby, or set so"
	readOnlyNext = "name the primary, or all hosts with target_session_attrs=read-write, in the address"
)

func (l *Ledger) readOnly(doing string, err error) error {
	return &ledger.StoreError{Doing: doing, Where: l.where, Why: readOnlyWhy, Next: readOnlyNext, Err: err}
}

// unknown says that nobody knows whether a transaction was made. It must not be taken for
// one that says that it was not.
func (l *Ledger) unknown(doing string, err error) error {
	e := &ledger.StoreError{Doing: doing, Where: l.where, Err: err,
		Why:  "the connection was lost while the change was being committed (" + plain(err) + "), so it is not known whether it was made",
		Next: "see that the server runs, and look into the ledger before going on"}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		e.Err = p
	}
	return e
}

// lost says whether the connection is gone, so that another may do better.
func lost(err error) bool {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Code == "57P01" || p.Code == "57P02" || p.Code == "57P05" || strings.HasPrefix(p.Code, "08")
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return false
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, pgx.ErrTxClosed)
}

// plain is an error on one line, as its innermost part says it.
func plain(err error) string {
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return p.Message
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o.Error()
	}
	if c, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = c.Unwrap()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
