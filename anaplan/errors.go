package anaplan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

// What Anaplan refuses, compared with errors.Is (anaplan-api.md 6.2).
var (
	ErrBadRequest   = errors.New("bad request")                   // 400, 405, 406, 415
	ErrUnauthorized = errors.New("not logged in")                 // 401
	ErrForbidden    = errors.New("not allowed")                   // 403
	ErrNotFound     = errors.New("not found, or no access")       // 404
	ErrBusy         = errors.New("model or object is busy")       // 409
	ErrMoved        = errors.New("model has moved")               // 410
	ErrArchived     = errors.New("model is archived")             // 422
	ErrLocked       = errors.New("model is locked")               // 423
	ErrOffline      = errors.New("model is offline")              // 424
	ErrDeployed     = errors.New("model is in deployed mode")     // 425
	ErrRateLimited  = errors.New("too many requests")             // 429
	ErrUnavailable  = errors.New("no proper answer from Anaplan") // 3xx, 408, 5xx
	ErrBrokenOff    = errors.New("the answer broke off")
	ErrNoDump       = errors.New("no failure dump")
	ErrNoContent    = errors.New("the server file has no content")
)

// Error is an answer that is not 2xx.
type Error struct {
	Method  string
	Path    string // below the API's address
	Status  int
	Message string // Anaplan's own text, verbatim; the beginning of the page if it is not JSON; may be empty
	JSON    bool   // the body was Anaplan's error envelope, or the login host's
	Host    string // where a redirect leads, which was not followed
}

func (e *Error) Error() string {
	text := strings.TrimRight(fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status)), " ")
	if e.Host != "" {
		text += fmt.Sprintf(": a redirect to %s, not followed", e.Host)
	}
	if e.Message != "" && e.Message != http.StatusText(e.Status) {
		text += ": " + quote(e.Message)
	}
	return text
}

// quote leaves a text as it is, unless it would break the line that it stands in.
func quote(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return `"` + s + `"`
}

// Is says which refusal it is.
func (e *Error) Is(target error) bool { return statusError(e.Status) == target }

func statusError(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrBusy
	case http.StatusGone:
		return ErrMoved
	case http.StatusUnprocessableEntity:
		return ErrArchived
	case http.StatusLocked:
		return ErrLocked
	case http.StatusFailedDependency:
		return ErrOffline
	case http.StatusTooEarly:
		return ErrDeployed
	case http.StatusTooManyRequests:
		return ErrRateLimited
	}
	if status >= 400 && status < 500 && status != http.StatusRequestTimeout {
		return ErrBadRequest
	}
	return ErrUnavailable
}

// readError makes an Error of an answer. The body may be Anaplan's envelope, the login
// host's two fields, a gateway's HTML page, or nothing (anaplan-api.md 6.1, 6.4).
func readError(resp *http.Response, r request) error {
	e := &Error{Method: r.method, Path: r.path, Status: resp.StatusCode}
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxError)) // what was read is enough
	e.Message, e.JSON = errorText(data)
	if at, err := resp.Location(); err == nil && resp.StatusCode < 400 {
		e.Host = at.Host
	}
	return e
}

// errorText finds the text of an error body, and says whether it was JSON of Anaplan's:
// an object with a code, or the two texts of the login host. The JSON of something in
// between is not, though it may have a status too.
func errorText(data []byte) (string, bool) {
	var envelope struct {
		Status struct {
			Code    *int   `json:"code"`
			Message string `json:"message"`
		} `json:"status"`
	}
	if json.Unmarshal(data, &envelope) == nil && envelope.Status.Code != nil {
		return envelope.Status.Message, true
	}
	var login struct {
		Status  string `json:"status"`
		Message string `json:"statusMessage"`
	}
	if json.Unmarshal(data, &login) == nil && login.Status != "" && login.Message != "" {
		return login.Message, true
	}
	return snippet(stripTags(data)), false
}

// stripTags leaves the words of an HTML page.
func stripTags(data []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		return data
	}
	var b []byte
	in := false
	for _, c := range data {
		switch {
		case c == '<':
			in = true
			b = append(b, ' ')
		case c == '>':
			in = false
		case !in:
			b = append(b, c)
		}
	}
	return b
}
