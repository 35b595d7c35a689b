// Package proxy makes connections through the proxies that companies have: HTTP and HTTPS ones with CONNECT, and SOCKS5 ones,
// with a login by basic, by NTLM or by SOCKS's user and password.
//
// Everything goes through a tunnel, also towards http:// addresses, so that a proxy sees no request of ours. Which proxy it is
// says [Options], else the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case of letters, as curl
// has them; user:password@ in them is a login. What the environment says never concerns this machine itself.
//
// A password that a proxy refuses is not sent to it again, however many connections begin together, as far as they are made by
// Dialers that share their [Logins], and as far as the proxy refuses it within seconds.
//
// A tunnel is made before a byte of a request is written: every [Error] says that the request had no effect.
package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"sync"
	"time"
)

// Options say which proxy, and who we are to it. The zero Options take both from the environment.
type Options struct {
	Address  string                                                            // as [Parse] takes it; empty: the environment's
	User     string                                                            // DOMAIN\user, user or user@domain; empty: the user part of the environment's address
	Password func() (string, error)                                            // of User; called when a proxy first needs it, again after an error, and once more when a proxy refused it, since it may have been changed; nil: none
	Auth     string                                                            // Basic or NTLM; empty: what the proxy asks for, and if it offers both, NTLM
	Getenv   func(string) string                                               // nil: os.Getenv
	TLS      *tls.Config                                                       // towards https:// proxies; nil: the system's authorities
	Timeout  time.Duration                                                     // of a tunnel, from dialing the proxy to its consent; default 30 s
	Network  func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the machine's, 15 s to connect
	Logins   *Logins                                                           // what is known of logins, also by other Dialers; nil: of this one's alone
}

// What Auth may be.
const (
	Basic = "basic"
	NTLM  = "ntlm"
)

// A Dialer makes connections as its Options say. It is safe for use by several goroutines.
type Dialer struct {
	o      Options
	choose func(*url.URL) (*url.URL, error)
	direct func(ctx context.Context, network, addr string) (net.Conn, error)

	mu       sync.Mutex
	password *string           // what Password returned
	learned  map[string]string // by proxy: how it wants us to log in
	again    bool              // the password was fetched once more since a login that worked
}

// New checks the options. Its errors are *Error, of the kind Misconfigured.
func New(o Options) (*Dialer, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Logins == nil {
		o.Logins = &Logins{}
	}
	d := &Dialer{o: o, learned: map[string]string{}, direct: o.Network}
	if d.direct == nil {
		d.direct = (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	switch {
	case o.Auth != "" && o.Auth != Basic && o.Auth != NTLM:
		return nil, &Error{Kind: Misconfigured, Text: "the login at the proxy is neither basic nor ntlm", Advice: `write "basic" or "ntlm", or leave it out`}
	case o.User == "" && o.Password != nil:
		return nil, &Error{Kind: Misconfigured, Text: "a password for the proxy is given, and no user", Advice: "give the user, too: proxy_user, --proxy-user"}
	}
	if o.Address == "" {
		d.choose = environment(o.Getenv)
		return d, nil
	}
	fixed, err := Parse(o.Address)
	if err != nil {
		return nil, err
	}
	d.choose = func(*url.URL) (*url.URL, error) { return fixed, nil }
	return d, nil
}

const connectTimeout = 15 * time.Second

// Dial connects to addr, a host and a port, for a request with that URL scheme: "https" or "http".
func (d *Dialer) Dial(ctx context.Context, scheme, addr string) (net.Conn, error) {
	via, err := d.choose(&url.URL{Scheme: scheme, Host: addr})
	if err != nil {
		return nil, err
	}
	if via == nil {
		return d.direct(ctx, "tcp", addr)
	}
	ctx, cancel := context.WithTimeout(ctx, d.o.Timeout)
	defer cancel()
	t := tunnel{dialer: d, via: via, target: addr}
	if via.Scheme == "socks5" || via.Scheme == "socks5h" {
		return t.socks(ctx)
	}
	return t.connect(ctx)
}

// DialTLS is Dial and the handshake of TLS with the host of addr. c is not changed.
func (d *Dialer) DialTLS(ctx context.Context, addr string, c *tls.Config) (net.Conn, error) {
	raw, err := d.Dial(ctx, "https", addr)
	if err != nil {
		return nil, err
	}
	c = c.Clone()
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(addr)
	}
	conn := tls.Client(raw, c)
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		if t, ok := raw.(*through); ok {
			return nil, t.failed(addr, err)
		}
		return nil, err
	}
	return conn, nil
}

// through is a connection through a proxy.
type through struct {
	net.Conn
	proxy string
	// rest is what the proxy sent behind its answer.
	rest []byte
}

func (c *through) Read(p []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// tunnel is one while it is made.
type tunnel struct {
	dialer *Dialer
	via    *url.URL
	target string
}

// dial connects to the proxy itself.
func (t *tunnel) dial(ctx context.Context) (net.Conn, error) {
	conn, err := t.dialer.direct(ctx, "tcp", t.via.Host)
	if err != nil {
		return nil, t.fail(Unreachable, "cannot be reached", err, "see that the proxy runs, that its address is right, and that this machine reaches it")
	}
	if t.via.Scheme == "https" {
		c := &tls.Config{}
		if t.dialer.o.TLS != nil {
			c = t.dialer.o.TLS.Clone()
		}
		c.ServerName, c.MinVersion, c.NextProtos = t.via.Hostname(), tls.VersionTLS12, []string{"http/1.1"}
		secure := tls.Client(conn, c)
		inner, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		if err := secure.HandshakeContext(inner); err != nil {
			conn.Close()
			return nil, t.fail(Unreachable, "does not speak TLS with us", err, "write http:// if the proxy's own address is not encrypted, or name its authority: ca in the connection, --ca-file")
		}
		conn = secure
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return conn, nil
}

// guard ends what a connection waits for when ctx ends. The function that it returns must be called.
func guard(ctx context.Context, conn net.Conn) (release func()) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}
