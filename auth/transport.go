package auth

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A Transport puts the token on requests. On a 401 it gives that token up, waits for a new login and repeats the request once; a
// second 401 is returned as it is. It is safe for use from several goroutines. A request with a body is repeated only if
// it has GetBody; without, the first 401 is returned.
//
// Errors: a *TokenError, with ErrForeignHost or one of [Source.Token], when the request has had no effect; else those of Base.
type Transport struct {
	Source *Source
	Base   http.RoundTripper // nil: http.DefaultTransport
	// Hosts that the token may be sent to: "api.anaplan.com", "127.0.0.1:8080", or with the scheme, which then has to be the
	// same: "https://api.anaplan.com". No others, and none when empty; a redirect to another host thereby fails.
	Hosts []string
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.knows(req.URL) {
		closeBody(req)
		return nil, &TokenError{fmt.Errorf("%w: %s is not an address of this connection", ErrForeignHost, req.URL.Host)}
	}
	token, err := t.Source.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, &TokenError{err}
	}
	resp, err := t.send(req, req.Body, token)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	t.Source.Invalidate(token.Generation)
	body := req.Body
	if body != nil && body != http.NoBody {
		if req.GetBody == nil {
			return resp, nil
		}
		if body, err = req.GetBody(); err != nil {
			return resp, nil
		}
	}
	token, err = t.Source.Token(req.Context())
	// The rest of the first answer is read so that its connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
	if err != nil {
		if body != nil {
			body.Close()
		}
		return nil, &TokenError{fmt.Errorf("after a 401 of %s: %w", req.URL.Host, err)}
	}
	return t.send(req, body, token)
}

// send sends a copy: a RoundTripper must not change its request.
func (t *Transport) send(req *http.Request, body io.ReadCloser, token Token) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	r := req.Clone(req.Context())
	r.Body = body
	r.Header.Set("Authorization", authorization(token))
	return base.RoundTrip(r)
}

// knows reports whether u is on one of the hosts.
func (t *Transport) knows(u *url.URL) bool {
	for _, h := range t.Hosts {
		scheme, host, ok := strings.Cut(h, "://")
		if !ok {
			scheme, host = u.Scheme, h
		}
		host, _, _ = strings.Cut(host, "/")
		if strings.EqualFold(scheme, u.Scheme) && address(u.Scheme, host) == address(u.Scheme, u.Host) {
			return true
		}
	}
	return false
}

// address is a host in lower case, without the port that its scheme has anyway.
func address(scheme, host string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}
