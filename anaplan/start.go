package anaplan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// MappingParameter answers one prompt of an import (anaplan-api.md 11.1).
type MappingParameter struct {
	EntityType string `json:"entityType"`         // the dimension's name
	EntityName string `json:"entityName"`         // the item's name
	ImportID   string `json:"importId,omitempty"` // aims it at one import of a process
}

// StartOptions are the body of a start. One source wants localeName to come first.
type StartOptions struct {
	Locale  string             `json:"localeName"` // en_US
	Mapping []MappingParameter `json:"mappingParameters,omitempty"`

	// Check, if not nil, is called when the connection stands, the token is there and the
	// rate allows it: immediately before the body goes out. Its error keeps the task from
	// being started: Anaplan acts on no request whose body is not whole.
	Check func() error `json:"-"`
}

// checkedBody is a body that is not sent when a check fails.
type checkedBody struct {
	io.ReadCloser
	check func() error
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if b.check != nil {
		if err := b.check(); err != nil {
			return 0, &checkError{err}
		}
		b.check = nil
	}
	return b.ReadCloser.Read(p)
}

// checkError says that a request was given up before its body.
type checkError struct{ err error }

func (e *checkError) Error() string { return "it was not sent: " + e.err.Error() }
func (e *checkError) Unwrap() error { return e.err }

// NoEffect says that the request had none.
func (e *checkError) NoEffect() bool { return true }

// What is known of a start that failed, compared with errors.Is.
var (
	ErrNotStarted   = errors.New("it was not started")
	ErrStartUnknown = errors.New("it may have been started")
)

// StartError is the error of Start. It is either ErrNotStarted or ErrStartUnknown, never
// both, and besides that what caused it.
type StartError struct {
	Unknown bool // the task may have been started
	Err     error
}

func (e *StartError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("%v: %v", ErrStartUnknown, e.Err)
	}
	return fmt.Sprintf("%v: %v", ErrNotStarted, e.Err)
}

func (e *StartError) Unwrap() error { return e.Err }

// Is says which of the two it is.
func (e *StartError) Is(target error) bool {
	return e.Unknown && target == ErrStartUnknown || !e.Unknown && target == ErrNotStarted
}

// Start starts a task. The request is sent once: each success starts another task, and
// nothing tells Anaplan that two requests are one (anaplan-api.md 19). No wrapper may
// repeat it but after a 401, which starts nothing. Every error is a *StartError:
//
//	2xx with a task id                                           started
//	no connection; no byte of the request was written            ErrNotStarted
//	opts.Check failed                                            ErrNotStarted
//	401; 429; another 4xx but 408 with Anaplan's JSON            ErrNotStarted
//	everything else: 408, 3xx, 5xx, 2xx without an id, HTML,
//	a time-out, a reset, ctx cancelled on the way                ErrStartUnknown
func (c *Client) Start(ctx context.Context, o Object, opts StartOptions) (Task, error) {
	body, size, err := jsonBody(opts)
	if err != nil {
		return Task{}, &StartError{Err: err}
	}
	if open := body; opts.Check != nil {
		body = func() (io.ReadCloser, error) {
			b, err := open()
			return &checkedBody{b, opts.Check}, err
		}
	}
	// Set as soon as the first header is on its way: before any byte leaves our buffers.
	var written atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Another connection is asked for when nothing was written on the first, or after a
		// 401: either way what went before started nothing.
		GetConn:          func(string) { written.Store(false) },
		WroteHeaderField: func(string, []string) { written.Store(true) },
		WroteHeaders:     func() { written.Store(true) },
	})
	r := request{method: http.MethodPost, path: o.path("tasks"), kind: jsonType, body: body, size: size}
	resp, err := c.send(traced, r)
	if err != nil {
		return Task{}, &StartError{Unknown: unknownStart(err, written.Load()), Err: err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Task{}, &StartError{Unknown: true, Err: brokenOff(ctx, r, err)}
	}
	t, err := decodeTask(data)
	if err != nil {
		return Task{}, &StartError{Unknown: true, Err: &FormatError{Method: r.method, Path: r.path, Body: snippet(data), Err: err}}
	}
	return t, nil
}

// unknownStart says whether a start that failed so may have started the task.
func unknownStart(err error, written bool) bool {
	// Whoever adds the authorization knows best that nothing of the request had effect.
	var harmless interface{ NoEffect() bool }
	if errors.As(err, &harmless) && harmless.NoEffect() {
		return false
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return written
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusTooManyRequests:
		return false
	case e.Status == http.StatusRequestTimeout:
		return true
	}
	return e.Status < 400 || e.Status > 499 || !e.JSON
}
