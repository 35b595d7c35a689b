package retry

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Repeatable says whether a request may be sent again though it may have happened: GET,
// PUT and DELETE, and of the POSTs those on a closed list (anaplan-api.md 19): the chunk
// count, complete, the refresh of a token, and the opening of a model. The start of a
// task is not among them, and nothing that is not listed is.
func Repeatable(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		return repeatablePost(req.URL.Path)
	}
	return false
}

func repeatablePost(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	n := len(parts)
	switch {
	case n >= 2 && parts[n-2] == "files": // files/{f}: chunk count
		return true
	case n >= 3 && parts[n-3] == "files" && parts[n-1] == "complete":
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
type Transport struct {
	Base   http.RoundTripper
	Policy Policy
	Waits  func(req *http.Request, try int, wait time.Duration, why string) // optional
}

// RoundTrip implements http.RoundTripper. The context ends waiting at once, and its
// error wins over the attempt's.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !Repeatable(req) || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return t.Base.RoundTrip(req)
	}
	policy := t.Policy.withDefaults()
	attempt := req
	for try := 1; ; try++ {
		resp, err := t.Base.RoundTrip(attempt)
		if try >= policy.Tries || Classify(resp, err) == Stop {
			return resp, err
		}
		if req.Context().Err() != nil {
			return resp, err
		}
		var asked time.Duration
		why := ""
		if resp != nil {
			why = resp.Status
			asked = askedFor(resp)
			// What is left of the body is read so that the connection can be used again.
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			resp.Body.Close()
		} else {
			why = err.Error()
		}
		wait := policy.Delay(try, asked, rand.Float64())
		if t.Waits != nil {
			t.Waits(req, try, wait, why)
		}
		if err := pause(req, wait); err != nil {
			return nil, err
		}
		if attempt, err = again(req); err != nil {
			return nil, err
		}
	}
}

func askedFor(resp *http.Response) time.Duration {
	if wait, ok := After(resp.Header.Get("Retry-After"), time.Now()); ok {
		return wait
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return limited
	}
	return 0
}

func pause(req *http.Request, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-req.Context().Done():
		return req.Context().Err()
	}
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
