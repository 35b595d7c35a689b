package anaplan

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

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
	Proxy   string // URL; empty: the environment's
	RootCAs *x509.CertPool
}

// BaseTransport is the network: TLS 1.2 or newer (anaplan-api.md 1.1), 15 s to connect. It
// speaks HTTP/1.1, so that a connection that is lost takes one answer with it and not
// those of every call under way, and so that nothing below us sends a start again: that
// happens in HTTP/1.1 only when no byte of the first was written.
func BaseTransport(o BaseOptions) (*http.Transport, error) {
	proxy := http.ProxyFromEnvironment
	if o.Proxy != "" {
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("proxy: it is not an address such as http://proxy.example.com:8080")
		}
		proxy = http.ProxyURL(u)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Protocols:             &protocols,
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   15 * time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
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
