package retry

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// Repeatable says whether a request may be sent again though it may have happened: GET,
// PUT and DELETE, and of the POSTs those on a closed list (anaplan-api.md 19): the chunk
// count, complete, the refresh of a token; and the opening of a model, which an open one
// does not notice. The start of a task is not among them, and nothing that is not listed
// is.
func Repeatable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		return repeatablePost(req.URL.EscapedPath()) // an id with a slash stays one part
	}
	return false
}

func repeatablePost(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	n := len(parts)
	switch {
	case parts[n-1] == "tasks":
		return false
	case n >= 4 && parts[n-4] == "models" && parts[n-2] == "files": // chunk count
		return true
	case n >= 5 && parts[n-5] == "models" && parts[n-3] == "files" && parts[n-1] == "complete":
		return true
	case n >= 2 && parts[n-2] == "token" && parts[n-1] == "refresh":
		return true
	case n >= 3 && parts[n-3] == "models" && parts[n-1] == "open":
		return true
	}
	return false
}

// Transport repeats what may be repeated. It is the outermost wrapper: each attempt
// passes the rate limit and gets its authorization anew. It is safe for use by several
// goroutines. The last answer or error is returned as it is.
//
// A request with a body is repeated only if it has GetBody.
type Transport struct {
	Base   http.RoundTripper
	Policy Policy
	Waits  func(req *http.Request, try int, wait time.Duration, why string) // optional, before each wait
}

// RoundTrip implements http.RoundTripper. The context ends waiting at once, and then its
// error is returned.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !Repeatable(req) || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return t.Base.RoundTrip(req)
	}
	attempt := req
	for try := 1; ; try++ {
		resp, err := t.Base.RoundTrip(attempt)
		wait, more := t.Policy.Next(try, Classify(resp, err), askedFor(resp))
		if !more || req.Context().Err() != nil {
			return resp, err
		}
		why := ""
		if resp != nil {
			why = resp.Status
			// What is left of the body is read so that the connection can be used again.
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			resp.Body.Close()
		} else {
			why = err.Error()
		}
		if t.Waits != nil {
			t.Waits(req, try, wait, why)
		}
		if err := Sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		if attempt, err = again(req); err != nil {
			return nil, err
		}
	}
}

// askedFor is how long the answer asks us to wait. A date in it is compared with the
// clock of the server that wrote it, since ours may be off.
func askedFor(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	now, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	if wait, ok := After(resp.Header.Get("Retry-After"), now); ok {
		return wait
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return limited
	}
	return 0
}

// again is the request with a fresh body.
func again(req *http.Request) (*http.Request, error) {
	next := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return next, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	next.Body = body
	return next, nil
}
