package anaplan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Client calls the API of one tenant as one user. It is safe for use by several
// goroutines.
type Client struct {
	http *http.Client
	base string
	date atomic.Int64 // Date of the last answer, Unix seconds
}

// New makes a client for an API address such as https://api.anaplan.com/2/0. The
// http.Client adds the authorization; see NewHTTPClient. Redirects are never followed,
// whatever the http.Client would do: the authorization would follow them, and a start
// would be sent again.
func New(hc *http.Client, api string) *Client {
	own := *hc
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: &own, base: strings.TrimRight(api, "/")}
}

// ServerTime is the Date of the last answer, zero before the first.
func (c *Client) ServerTime() time.Time {
	if s := c.date.Load(); s != 0 {
		return time.Unix(s, 0).UTC()
	}
	return time.Time{}
}

// ModelRef says where a model stands. Ids are case-sensitive (anaplan-api.md 1.2).
type ModelRef struct {
	Workspace string
	Model     string
}

// path is the workspace form, which every bulk call is documented in
// (anaplan-api.md 1.3).
func (m ModelRef) path(parts ...string) string {
	return join(append([]string{"workspaces", m.Workspace, "models", m.Model}, parts...)...)
}

// join makes a path of segments, each escaped: an id never becomes two segments.
func join(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

const (
	jsonType  = "application/json"
	bytesType = "application/octet-stream"
	gzipType  = "application/x-gzip" // not Content-Encoding (anaplan-api.md 9.4)
)

// request is one call before it is sent.
type request struct {
	method string
	path   string
	query  url.Values
	kind   string // Content-Type
	accept string
	body   func() (io.ReadCloser, error) // may be called for each attempt
	size   int64
}

// send sends a request and returns an answer with a status of 2xx. The caller closes
// its body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := c.base + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if r.body != nil {
		if req.Body, err = r.body(); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
		req.GetBody, req.ContentLength = r.body, r.size
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	req.Header.Set("Accept", jsonType)
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s %s: %w", r.method, r.path, context.Cause(ctx))
		}
		return nil, err
	}
	if d, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.date.Store(d.Unix())
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, readError(resp, r)
	}
	return resp, nil
}

// call sends a request and decodes the JSON of its answer into v; v may be nil. An
// empty answer leaves v as it is.
func (c *Client) call(ctx context.Context, r request, v any) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if v == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxError))
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return brokenOff(ctx, r, err)
	case len(data) > maxAnswer:
		return fmt.Errorf("%s %s: the answer is larger than %d MB", r.method, r.path, maxAnswer>>20)
	case len(bytes.TrimSpace(data)) == 0:
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &FormatError{Method: r.method, Path: r.path, Body: snippet(data), Err: err}
	}
	return nil
}

// brokenOff is the error of an answer that was not read to its end.
func brokenOff(ctx context.Context, r request, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s %s: %w: %w", r.method, r.path, ErrBrokenOff, err)
}

const (
	maxAnswer = 64 << 20 // of JSON; 5,000 rows a page are a few MB
	maxError  = 64 << 10
)

// FormatError says that an answer of 2xx was not the JSON it should be: often the HTML
// page of something between us and Anaplan.
type FormatError struct {
	Method string
	Path   string
	Body   string // its beginning
	Err    error
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s %s: the answer is not the JSON that was expected: %v; it begins with %q", e.Method, e.Path, e.Err, e.Body)
}

func (e *FormatError) Unwrap() error { return e.Err }

func snippet(data []byte) string {
	const most = 200
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(data[:min(len(data), 8<<10)]), "?")), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// jsonBody is a request body that can be sent again.
func jsonBody(v any) (func() (io.ReadCloser, error), int64, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, 0, fmt.Errorf("encode request: %w", err)
	}
	b := BytesBody(data)
	return b.Open, b.Size, nil
}

// errNoSuchKey marks an answer without the object that it is about.
var errNoSuchKey = errors.New("the object is missing")

func (c *Client) get(ctx context.Context, path string, query url.Values, v any) error {
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, v)
}
