package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/data/web"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// stores are the places where sources and targets may lie, besides the local file system.
// Nothing is read, and nobody called, before one is needed.
func (p *Program) stores() *data.Stores {
	all := &data.Stores{Schemes: map[string]data.Store{}, Stdin: p.In}
	maps.Copy(all.Schemes, objectStores())
	servers := &web.Store{}
	if base, err := p.network(configs.Connection{}, nil); err == nil {
		if k, ok := base.(knowing); ok {
			k.data = true
			base = k
		}
		servers.Transport = base
	}
	maps.Copy(all.Schemes, servers.Schemes())
	return all
}

// tenants are the logins of one call of the program: one for each connection, made when
// it is first asked for, and logged out at the end.
type tenants struct {
	p    *Program
	find func(name string) (configs.Connection, error)

	mu     sync.Mutex
	open   map[string]*tenant
	shared sharer // nil: nobody else takes from the budgets of requests, as far as is known

	renewed atomic.Int64

	// What a person should know of the certificates is told by whoever asks for the
	// warnings; where nobody does, it is logged.
	asked    bool
	unending bool               // that a certificate ends soon is not told
	only     *keystore.Identity // to log in with, in place of the connection's certificates; nil: these
	warnings []string
	telling  sync.Mutex // guards warnings
}

// tenant is a login, with what belongs to it.
type tenant struct {
	jobs.Tenant
	Source   *auth.Source
	Limiter  *anaplan.Limiter
	Conn     configs.Connection
	Identity *keystore.Identity // the first to log in with; nil for basic login

	used atomic.Pointer[auth.CertificateInfo] // that logged in last; nil before
}

// tenantsOf takes connections by their names.
func (p *Program) tenantsOf(find func(name string) (configs.Connection, error)) *tenants {
	return &tenants{p: p, find: find, open: map[string]*tenant{}}
}

// tenantsAt has only one, whatever its name.
func (p *Program) tenantsAt(conn configs.Connection) *tenants {
	return p.tenantsOf(func(string) (configs.Connection, error) { return conn, nil })
}

// Connect implements [jobs.Connect].
func (t *tenants) Connect(_ context.Context, name string) (*jobs.Tenant, error) {
	one, err := t.tenant(name)
	if err != nil {
		return nil, asTokenError(err)
	}
	return &one.Tenant, nil
}

func (t *tenants) tenant(name string) (*tenant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.open[name]; one != nil {
		return one, nil
	}
	conn, err := t.find(name)
	if err != nil {
		return nil, err
	}
	var one *tenant
	one, err = t.p.dial(conn, t.only, func(e auth.Event) {
		if e.Kind == auth.LoggedIn && e.Certificate != nil {
			one.used.Store(e.Certificate)
		}
		t.tokenEvent(e)
	})
	if err == nil {
		t.open[name] = one
		t.share(one)
	}
	return one, err
}

// sharer is a ledger by which runners divide a budget of requests.
type sharer interface {
	Share(ctx context.Context, budget string, tell func(runners int)) (end func(), err error)
}

// shareBy divides the budgets of requests among the runners of a ledger that can do so,
// until it is closed.
func (t *tenants) shareBy(l ledger.Ledger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	by, ok := l.(sharer)
	if !ok || t.shared != nil {
		return
	}
	t.shared = by
	for _, one := range t.open {
		t.share(one)
	}
}

// share divides the budget of a login. No request waits for the ledger: without it, the
// last division stands.
func (t *tenants) share(one *tenant) {
	if t.shared == nil {
		return
	}
	_, err := t.shared.Share(context.Background(), one.Host+" "+one.user(), func(runners int) {
		one.Limiter.Divide(runners)
		t.p.log.Debugf("%s: %d runners divide the budget of requests", one.Host, runners)
	})
	if err != nil {
		t.p.log.Warnf("other runners do not know that this one takes from the budget of requests: %v", err)
	}
}

// user is who logs in, as far as that is known before.
func (t *tenant) user() string {
	if t.Identity == nil || t.Identity.Leaf == nil {
		return t.Conn.User
	}
	about := auth.About(t.Identity)
	return or(about.User, about.Subject) // the certificate may be followed by another of this user
}

// logoutPatience is how long a logout is waited for.
const logoutPatience = 2 * time.Second

// Close logs out. That it fails changes nothing: the tokens end by themselves.
func (t *tenants) Close() { t.closeWithin(logoutPatience) }

func (t *tenants) closeWithin(limit time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, one := range t.open {
		_ = one.Source.Logout(ctx)
	}
	t.open = map[string]*tenant{}
}

// dial puts a connection together. Nothing is sent yet. Only: see loginOf.
func (p *Program) dial(conn configs.Connection, only *keystore.Identity, event func(auth.Event)) (*tenant, error) {
	hosts, err := hostsOf(conn)
	if err != nil {
		return nil, err
	}
	roots, err := p.rootsOf(conn)
	if err != nil {
		return nil, err
	}
	base, err := p.network(conn, roots)
	if err != nil {
		return nil, err
	}
	login, err := p.loginOf(conn, only)
	if err != nil {
		return nil, err
	}
	api, err := url.Parse(hosts.API)
	if err != nil {
		return nil, connectionError(conn, "urls.api", err)
	}
	speed := p.simulatorSpeed(api.Host)
	limit := conn.RequestsPerMinute
	if limit <= 0 {
		limit = 300
	}
	policy := retry.Policy{First: time.Duration(float64(3*time.Second) / speed)}
	source := auth.NewSource(auth.SourceOptions{Login: login, Retry: policy, Every: time.Duration(float64(10*time.Second) / speed), Client: &http.Client{Transport: base}, Base: hosts.Auth, Now: p.Now,
		Warn: func(text string) { p.log.Warn(text) }, Event: event})
	limiter := anaplan.NewLimiter(int(speed * float64(limit)))
	client := anaplan.NewHTTPClient(anaplan.HTTPOptions{
		Base:    base,
		Limiter: limiter,
		Policy:  policy,
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return &auth.Transport{Source: source, Base: rt, Hosts: []string{api.Scheme + "://" + api.Host}}
		},
		Trace: func(e anaplan.Exchange) {
			if e.Err != nil {
				p.log.Debugf("%s %s: %v after %s", e.Method, e.Path, e.Err, e.Duration.Round(time.Millisecond))
				return
			}
			p.log.Debugf("%s %s: %d after %s", e.Method, e.Path, e.Status, e.Duration.Round(time.Millisecond))
		},
		Waits: func(r *http.Request, try int, wait time.Duration, why string) {
			p.log.Warnf("%s %s: %s; try %d follows in %s", r.Method, r.URL.Path, why, try+1, wait.Round(time.Second))
		},
	})
	one := &tenant{Tenant: jobs.Tenant{Client: anaplan.New(client, hosts.API), Host: api.Host, Exclusive: conn.ExclusiveUser,
		Line: transfer.NewLine(conn.Bandwidth), Retry: policy}, Source: source, Limiter: limiter, Conn: conn}
	if l, ok := login.(*rotating); ok {
		one.Identity = l.first
	}
	return one, nil
}

// renewals is how often a token was renewed.
func (t *tenants) renewals() int { return int(t.renewed.Load()) }

// tokenEvent tells of logins and renewals.
func (t *tenants) tokenEvent(e auth.Event) {
	p := t.p
	if e.Err == nil && e.Kind == auth.Refreshed {
		t.renewed.Add(1)
	}
	switch {
	case e.Err != nil:
		p.log.Warnf("%s: %v", e.Kind, e.Err)
	case e.Kind == auth.LoggedIn && e.Certificate != nil:
		p.log.Infof("logged in with %s; the token lives %s", e.Certificate, e.Life.Round(time.Second))
		t.warn(e)
	case e.Kind == auth.LoggedIn:
		p.log.Infof("logged in; the token lives %s", e.Life.Round(time.Second))
	case e.Kind == auth.Refreshed:
		p.log.Infof("token renewed; it lives another %s", e.Life.Round(time.Second))
	default:
		p.log.Debugf("%s", e.Kind)
	}
}

// warn keeps or logs what a person should know after a login, each text once.
func (t *tenants) warn(e auth.Event) {
	texts := slices.Clone(e.Warnings)
	if e.Ending != "" && !t.unending {
		texts = append(texts, e.Ending)
	}
	t.telling.Lock()
	defer t.telling.Unlock()
	for _, text := range texts {
		if slices.Contains(t.warnings, text) {
			continue
		}
		t.warnings = append(t.warnings, text)
		if !t.asked {
			t.p.log.Warn(text)
		}
	}
}

// certificateWarnings is what a person should know of the certificates that were used until now.
func (t *tenants) certificateWarnings() []string {
	t.telling.Lock()
	defer t.telling.Unlock()
	return slices.Clone(t.warnings)
}

// hostsOf is where a connection leads to.
func hostsOf(conn configs.Connection) (anaplan.Hosts, error) {
	region := conn.Region
	if region == "" {
		region = "us1"
	}
	hosts, ok := anaplan.Region(region)
	if !ok {
		return hosts, connectionError(conn, "region", fmt.Errorf("there is no region %q", region))
	}
	if conn.APIURL != "" {
		hosts.API = strings.TrimRight(conn.APIURL, "/")
		if !strings.HasSuffix(hosts.API, "/2/0") {
			hosts.API += "/2/0"
		}
	}
	if conn.AuthURL != "" {
		hosts.Auth = strings.TrimRight(conn.AuthURL, "/")
	}
	return hosts, nil
}

// maxAuthorities is what a file of authorities has at most, many times those of a system.
const maxAuthorities = 16 << 20

// rootsOf are the authorities that TLS trusts; nil for the system's alone.
func (p *Program) rootsOf(conn configs.Connection) (*x509.CertPool, error) {
	if conn.CA == "" {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	data, err := p.pipes.read(p.live(), inDir(conn.Dir, conn.CA), maxAuthorities)
	if err != nil {
		return nil, connectionError(conn, "ca", err)
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, connectionError(conn, "ca", fmt.Errorf("%s holds no certificate in PEM form", conn.CA))
	}
	return pool, nil
}

// pathOf is a path that may be written as a file: reference. Other references stay.
func pathOf(dir, path string) string {
	if ref, err := secret.ParseRef(path); err == nil && ref.Scheme != secret.File {
		return path
	}
	return inDir(dir, strings.TrimPrefix(path, "file:"))
}

func inDir(dir, path string) string {
	if path == "" || dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// simulatorSpeed is how much faster than Anaplan a simulator is. It shortens our own waits
// likewise, and only towards this machine: Anaplan itself wants no polls more often than
// every 5 s (anaplan-api.md 5).
func (p *Program) simulatorSpeed(host string) float64 {
	speed, err := strconv.ParseFloat(p.env("ANAPLAN_SIMULATOR_SPEED"), 64)
	if err != nil || speed < 1 || !loopback(host) {
		return 1
	}
	return speed
}

// hostOf is the host of an address, with its port.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}
