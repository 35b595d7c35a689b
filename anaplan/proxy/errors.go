package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Kind is what is wrong, as far as it matters for what to do.
type Kind int

const (
	Unreachable   Kind = iota // the proxy, or what is behind it: trying again later may help
	Login                     // the proxy wants a login, or another one
	Refused                   // the proxy does not let us go there
	Misconfigured             // there is no such proxy
)

// An Error is that of a connection through a proxy. The request that wanted it was not sent. It names the proxy, and never a password.
type Error struct {
	Kind   Kind
	Proxy  string // its address, without user and password
	Host   string // where the connection was to lead to
	Status int    // the proxy's answer; 0: none
	Text   string // what is wrong
	Err    error  // what caused it, or nil
	Advice string // what to do
}

// Error says which proxy, and what is wrong.
func (e *Error) Error() string {
	text := e.Text
	if e.Proxy != "" {
		text = "the proxy " + e.Proxy + " " + text
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NoEffect returns true: nothing of the request was written.
func (e *Error) NoEffect() bool { return true }

// LoginRefused says that it must not be tried again: a proxy that is asked again and again with a wrong password may lock the user.
func (e *Error) LoginRefused() bool { return e.Final() }

// Final says that a person has to do something before it can succeed.
func (e *Error) Final() bool { return e.Kind != Unreachable }

// Next says what to do.
func (e *Error) Next() string { return e.Advice }

func (t *tunnel) fail(kind Kind, text string, err error, next string) *Error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	} else if closed(err) {
		err = errors.New("it closed the connection")
	}
	return &Error{Kind: kind, Proxy: Name(t.via), Host: t.target, Text: text, Err: err, Advice: next}
}

// failed is the error of a handshake with whoever is behind the proxy.
func (c *through) failed(addr string, err error) error {
	host, _, _ := net.SplitHostPort(addr)
	e := &Error{Proxy: c.proxy, Host: addr, Text: "connected us to " + addr + ", but TLS fails there", Err: err,
		Advice: "see whether the proxy lets connections to " + host + " live, then try again"}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Text = "connected us to whoever is not trusted as " + host
		e.Advice = "if the proxy inspects TLS, name its authority: ca in the connection, --ca-file"
	}
	if closed(err) {
		e.Err = errors.New("the connection was closed")
	}
	return e
}

// ended is closed, or reset.
func ended(err error) bool {
	const windows = syscall.Errno(10054)
	return closed(err) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, windows)
}

// closed reports whether a connection ended where more was awaited.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe)
}
