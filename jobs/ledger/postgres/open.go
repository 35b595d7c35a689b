package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// ErrMissing says that the database holds no ledger.
var ErrMissing = errors.New("there is no ledger")

const (
	// defaultSchema holds the tables if the address names no search_path.
	defaultSchema = "anaplan_runner"
	// mostConnections is how many connections a runner has at most, unless the address
	// says pool_max_conns.
	mostConnections = 4
	// patience is how long a connection, and then a call, takes at most.
	patience = 10 * time.Second
	// oldest is the first server version that has all that is used.
	oldest = 12
)

// Open opens the ledger at an address like postgres://user@host:5432/database, and makes
// it, or brings it up to this version, if needed. What the address leaves out comes from
// where PostgreSQL's own programs take it: PGHOST, PGPASSWORD, ~/.pgpass and so on. Errors
// are an *[Error]; so are those of the ledger's methods that have to do with the database.
// None shows the address's password or parameters.
func Open(ctx context.Context, address string) (*Ledger, error) {
	return open(ctx, address, how{create: true})
}

// OpenExisting opens a ledger that is there, also one that can only be read, and makes or
// changes nothing: without one, the error is ErrMissing.
func OpenExisting(ctx context.Context, address string) (*Ledger, error) {
	return open(ctx, address, how{})
}

// Where names the ledger at an address, as [Ledger.Where] does, without asking it.
func Where(address string) (string, error) {
	cfg, schema, err := parse(address)
	if err != nil {
		return "", err
	}
	return where(cfg, schema), nil
}

// how says how a ledger is opened.
type how struct {
	create   bool
	versions []string     // nil: those of this program
	times    ledger.Times // zero: the usual ones
}

func open(ctx context.Context, address string, h how) (*Ledger, error) {
	cfg, schema, err := parse(address)
	if err != nil {
		return nil, err
	}
	if h.versions == nil {
		h.versions = versions
	}
	l := &Ledger{where: where(cfg, schema), schema: schema, times: h.times.Filled(), patience: patience,
		known: map[int64]*ledger.State{}, leases: map[ledger.Lease]bool{}, shares: map[*share]bool{}}
	cfg.AfterConnect = l.greet
	if l.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, l.explain(ledger.ToOpen, err)
	}
	if err := l.prepare(ctx, h); err != nil {
		l.pool.Close()
		return nil, err
	}
	return l, nil
}

// parse understands an address.
func parse(address string) (cfg *pgxpool.Config, schema string, err error) {
	// What the libraries say of a bad address may hold a part of the password.
	bad := &ledger.StoreError{Doing: ledger.ToOpen, Why: "its address cannot be understood",
		Next: "write postgres://USER@HOST:5432/DATABASE, with %XX for special characters in a password"}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, "", bad
	}
	q := u.Query()
	if !q.Has("connect_timeout") {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&connect_timeout="+strconv.Itoa(int(patience/time.Second)), "&")
	}
	if cfg, err = pgxpool.ParseConfig(u.String()); err != nil {
		return nil, "", bad
	}
	params := cfg.ConnConfig.RuntimeParams
	schema = strings.Trim(params["search_path"], ` "`)
	delete(params, "search_path")
	switch {
	case schema == "":
		schema = defaultSchema
	case strings.ContainsAny(schema, ",\"\x00"):
		return nil, "", &ledger.StoreError{Doing: ledger.ToOpen, Where: where(cfg, defaultSchema), Why: "search_path in its address is not one schema", Next: "name one"}
	}
	if params["application_name"] == "" {
		params["application_name"] = "anaplan-runner"
	}
	if q.Get("pool_max_conns") == "" {
		cfg.MaxConns = mostConnections
	}
	cfg.ConnConfig.StatementCacheCapacity = 64
	return cfg, schema, nil
}

// where names the ledger for people: the address without its password and parameters, but
// for those without which it would be another ledger.
func where(cfg *pgxpool.Config, schema string) string {
	c := cfg.ConnConfig
	var hosts []string
	q := url.Values{}
	add := func(host string, port uint16) {
		if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") { // a socket
			q.Set("host", host)
			if port != 5432 {
				q.Set("port", fmt.Sprint(port))
			}
			return
		}
		if port != 5432 {
			host = net.JoinHostPort(host, fmt.Sprint(port))
		} else if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	add(c.Host, c.Port)
	for _, f := range c.Fallbacks {
		add(f.Host, f.Port)
	}
	if schema != defaultSchema {
		q.Set("search_path", schema)
	}
	return (&url.URL{Scheme: "postgres", User: url.User(c.User), Host: strings.Join(hosts, ","), Path: "/" + c.Database,
		RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}).String() // a plus is a plus to PostgreSQL
}

// greet sets a new connection up. synchronous_commit may be stronger than on.
func (l *Ledger) greet(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding string
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
		set_config('search_path', quote_ident($1), false),
		set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN 'on'
			ELSE current_setting('synchronous_commit') END, false),
		set_config('lock_timeout', $2, false), set_config('statement_timeout', $2, false),
		set_config('idle_in_transaction_session_timeout', $2, false)`,
		l.schema, strconv.FormatInt(l.patience.Milliseconds(), 10)).Scan(&version, &encoding, nil, nil, nil, nil, nil)
	switch {
	case err != nil:
		return err
	case version < oldest:
		return l.problem(fmt.Sprintf("the server is PostgreSQL %d", version), fmt.Sprintf("use a server of version %d or later", oldest))
	case encoding != "UTF8":
		return l.problem("the database's encoding is "+encoding, "make a database with ENCODING 'UTF8'")
	}
	return nil
}

func (l *Ledger) problem(why, next string) error {
	return &ledger.StoreError{Doing: ledger.ToOpen, Where: l.where, Why: why, Next: next}
}
