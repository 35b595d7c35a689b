package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// failure makes an error about the file.
func (f *file) failure(kind error, why string, err error) error {
	e := &data.StoreError{Doing: "read", Name: data.Display(f.entry.Name), Why: why, Kind: kind, Err: err}
	switch kind {
	case data.ErrAway:
		e.Next = "try again later, and see whether this machine reaches the server"
	case data.ErrDenied:
		e.Next = "write user:password@ before the host, from ${env.…}, or have the user allowed to read it"
	case data.ErrChanged:
		e.Next = "let it be written in one step, and before the run begins"
	case fs.ErrNotExist:
		e.Next = "find out why it was not written, or correct the URL"
	default:
		e.Next = "open the URL with another program, and correct it"
	}
	return e
}

// answered is a status other than that there is a file.
func (f *file) answered(answer *http.Response) error {
	why := fmt.Sprintf("the server answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch n := answer.StatusCode; {
	case n == http.StatusNotFound || n == http.StatusGone:
		if f.begun {
			return f.failure(data.ErrChanged, "it was removed while it was read", nil)
		}
		return f.failure(fs.ErrNotExist, why, nil)
	case n == http.StatusUnauthorized || n == http.StatusForbidden || n == http.StatusProxyAuthRequired:
		return f.failure(data.ErrDenied, why, nil)
	case n == http.StatusPreconditionFailed || n == http.StatusRequestedRangeNotSatisfiable:
		return f.failure(data.ErrChanged, why+": it was replaced while it was read", nil)
	case n == http.StatusRequestTimeout || n == http.StatusTooEarly || n == http.StatusTooManyRequests || n >= 500 && n != http.StatusNotImplemented:
		return f.failure(data.ErrAway, why, nil)
	}
	return f.failure(nil, why, nil)
}

// unreached is a request without an answer. The texts of its causes may hold the URL.
func (f *file) unreached(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return f.failure(nil, "the server's certificate is not trusted: "+e.Err.Error(), err)
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return f.failure(nil, "the server's certificate is not trusted: "+e.Error(), err)
	}
	var proxy interface { // that did not let us through
		error
		Final() bool
		Next() string
	}
	if errors.As(err, &proxy) {
		kind := data.ErrAway
		if proxy.Final() {
			kind = data.ErrDenied
		}
		return &data.StoreError{Doing: "read", Name: data.Display(f.entry.Name), Why: proxy.Error(), Kind: kind, Err: err, Next: proxy.Next()}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return f.failure(data.ErrAway, "no address is known for "+e.Name, err)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return f.failure(data.ErrAway, e.Error(), err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return f.failure(data.ErrAway, "no answer in time", err)
	}
	return f.failure(data.ErrAway, "the connection broke off", err)
}
