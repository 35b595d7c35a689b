package anaplan

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
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
// carries a live token, and the time limit does not count the waiting.
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
	rt = &retry.Transport{Base: rt, Policy: o.Policy, Waits: o.Waits}
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

// BaseTransport is the network: TLS 1.2 or newer (anaplan-api.md 1.1), 15 s to connect.
func BaseTransport(o BaseOptions) (*http.Transport, error) {
	proxy := http.ProxyFromEnvironment
	if o.Proxy != "" {
		u, err := url.Parse(o.Proxy)
		if err != nil || u.Host == "" {
			return nil, errors.New("proxy: it is not an address such as http://proxy.example.com:8080")
		}
		proxy = http.ProxyURL(u)
	}
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   15 * time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}, nil
}

// errAttempt is the cause of an attempt that had no answer in time.
var errAttempt = errors.New("no answer in time")

// timed bounds an attempt: until the headers of the answer as a whole, and after that
// each wait for bytes of the body. A transfer as a whole has no limit.
type timed struct {
	base           http.RoundTripper
	attempt, stall time.Duration
}

func (t *timed) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(t.attempt, func() {
		cancel(fmt.Errorf("%w: %w within %s", context.DeadlineExceeded, errAttempt, t.attempt))
	})
	attempt := req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		// An upload that goes on is alive: each read of its body begins the limit anew.
		attempt.Body = &alive{req.Body, timer, t.attempt}
	}
	resp, err := t.base.RoundTrip(attempt)
	timer.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && req.Context().Err() == nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &stalling{body: resp.Body, limit: t.stall, cancel: cancel, ctx: ctx, outer: req.Context()}
	return resp, nil
}

// alive is a request body whose reads tell that the upload goes on.
type alive struct {
	io.ReadCloser
	timer *time.Timer
	limit time.Duration
}

func (b *alive) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 && b.timer.Stop() {
		b.timer.Reset(b.limit)
	}
	return n, err
}

// ErrStalled says that an answer's body stopped coming.
var ErrStalled = errors.New("no bytes came in time")

// stalling is an answer's body each read of which has a limit.
type stalling struct {
	body   io.ReadCloser
	limit  time.Duration
	cancel context.CancelCauseFunc
	ctx    context.Context // of the attempt, only to learn its cause
	outer  context.Context
}

func (s *stalling) Read(p []byte) (int, error) {
	timer := time.AfterFunc(s.limit, func() {
		s.cancel(fmt.Errorf("%w: %w: %s", context.DeadlineExceeded, ErrStalled, s.limit))
	})
	n, err := s.body.Read(p)
	timer.Stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(s.ctx); cause != nil && s.outer.Err() == nil {
			err = cause
		}
	}
	return n, err
}

func (s *stalling) Close() error {
	err := s.body.Close()
	s.cancel(nil)
	return err
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
