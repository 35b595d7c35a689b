package anaplan

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
)

// HTTPOptions are the wrappers around the network. Zero fields take their defaults.
type HTTPOptions struct {
	Base      http.RoundTripper                                              // the network; needed
	Authorize func(http.RoundTripper) http.RoundTripper                      // adds the token; nil: none
	Limiter   *Limiter                                                       // nil: no limit
	Policy    retry.Policy                                                   // of repeating
	Attempt   time.Duration                                                  // until the answer's headers; default 5 minutes: a busy model lets calls hang
	Stall     time.Duration                                                  // between two reads of a body; default 2 minutes
	Trace     func(Exchange)                                                 // optional, called for each attempt
	Waits     func(r *http.Request, try int, wait time.Duration, why string) // optional, before a repeat
}

// Exchange is one attempt as it may be logged: nothing of headers, query or bodies.
type Exchange struct {
	Method   string
	Host     string
	Path     string
	Status   int // 0: no answer
	Duration time.Duration
	Err      error
}

// NewHTTPClient composes the wrappers. From the outside in: repeat, rate limit,
// authorization, time limit of an attempt, log, network. So each repeat is counted and
// carries a live token, and the time limit counts neither the waiting nor a login. An
// answer in JSON is read whole inside repeat: one that breaks off is asked for again.
// Redirects are not followed.
func NewHTTPClient(o HTTPOptions) *http.Client {
	if o.Attempt == 0 {
		o.Attempt = 5 * time.Minute
	}
	if o.Stall == 0 {
		o.Stall = 2 * time.Minute
	}
	rt := o.Base
	if o.Trace != nil {
		rt = &traced{rt, o.Trace}
	}
	rt = &timed{rt, o.Attempt, o.Stall}
	if o.Authorize != nil {
		rt = o.Authorize(rt)
	}
	if o.Limiter != nil {
		rt = &rated{rt, o.Limiter}
	}
	rt = &retry.Transport{Base: &whole{rt}, Policy: o.Policy, Waits: o.Waits}
	return &http.Client{
		Transport:     rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// BaseOptions are the parts of a connection to the network.
type BaseOptions struct {
	Proxy         string // URL; empty: the environment's
	ProxyUser     string // DOMAIN\user for NTLM; empty: that of the environment's URL
	ProxyPassword func() (string, error)
	ProxyAuth     string                                                            // proxy.Basic or proxy.NTLM; empty: what the proxy asks for
	Getenv        func(string) string                                               // nil: os.Getenv
	Network       func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the machine's
	RootCAs       *x509.CertPool                                                    // of Anaplan, and of a https:// proxy; nil: the system's
	ProxyLogins   *proxy.Logins                                                     // shared with others that go through the same proxies; nil: with none
}

// BaseTransport is the network: TLS 1.2 or newer (anaplan-api.md 1.1), 15 s to connect,
// through a proxy where there is one: see package proxy. It speaks HTTP/1.1, so that a
// connection that is lost takes one answer with it and not those of every call under way,
// and so that nothing below us sends a start again: that happens in HTTP/1.1 only when no
// byte of the first was written. Its error is a *proxy.Error.
func BaseTransport(o BaseOptions) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs}
	dialer, err := proxy.New(proxy.Options{Address: o.Proxy, User: o.ProxyUser, Password: o.ProxyPassword, Auth: o.ProxyAuth, Getenv: o.Getenv, TLS: config, Network: o.Network, Logins: o.ProxyLogins})
	if err != nil {
		return nil, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols: &protocols,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dialer.Dial(ctx, "http", addr)
		},
		DialTLSContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dialer.DialTLS(ctx, addr, config)
		},
		TLSClientConfig:       config,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}, nil
}

// traced reports attempts.
type traced struct {
	base  http.RoundTripper
	trace func(Exchange)
}

func (t *traced) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := t.base.RoundTrip(req)
	e := Exchange{Method: req.Method, Host: req.URL.Host, Path: req.URL.Path, Duration: time.Since(began), Err: err}
	if resp != nil {
		e.Status = resp.StatusCode
	}
	t.trace(e)
	return resp, err
}
