package anaplan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
)

// The order of the wrappers, from the outside in: repeat, rate limit, authorization,
// time limit of an attempt, log, network.
func TestTheOrderOfTheWrappers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var log []string
		note := func(format string, args ...any) {
			log = append(log, fmt.Sprintf("%v ", time.Since(began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
		}
		limiter := NewLimiter(1) // the first at once, then one a minute
		token := 0
		answers := []int{401, 503, 200}
		hc := NewHTTPClient(HTTPOptions{
			Base: roundTripper(func(req *http.Request) (*http.Response, error) {
				if _, limited := req.Context().Deadline(); limited {
					t.Error("an attempt's limit is a deadline: it would end the body too")
				}
				note("network %s", req.Header.Get("Authorization"))
				if token == 3 {
					<-req.Context().Done() // until the attempt's limit
					token++
					return nil, req.Context().Err()
				}
				status := answers[0]
				answers = answers[1:]
				return answer(status, "{}"), nil
			}),
			// It takes 4 minutes to log in, and an attempt has only 10 s.
			Authorize: func(rt http.RoundTripper) http.RoundTripper {
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					for {
						time.Sleep(4 * time.Minute)
						token++
						r := req.Clone(req.Context())
						r.Header.Set("Authorization", fmt.Sprint("token ", token))
						resp, err := rt.RoundTrip(r)
						if err != nil || resp.StatusCode != 401 {
							return resp, err
						}
						note("again after 401")
					}
				})
			},
			Limiter: limiter,
			Attempt: 10 * time.Second,
			Trace: func(e Exchange) {
				e.Err = nil
				note("log %s %s%s %d %v", e.Method, e.Host, e.Path, e.Status, e.Duration)
			},
			Waits: func(_ *http.Request, try int, _ time.Duration, why string) { note("wait %d because of %s", try, why) },
		})
		resp, err := hc.Get("https://api.anaplan.com/2/0/users/me?secret=1")
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		resp.Body.Close()
		// Times of the repeats vary by their jitter.
		for i, line := range log {
			_, log[i], _ = strings.Cut(line, " ")
		}
		want := []string{
			"network token 1", "log GET api.anaplan.com/2/0/users/me 401 0s", "again after 401",
			"network token 2", "log GET api.anaplan.com/2/0/users/me 503 0s",
			"wait 1 because of Service Unavailable",
			"network token 3", "log GET api.anaplan.com/2/0/users/me 0 10s",
			"wait 2 because of context deadline exceeded: no answer in time: 10s",
			"network token 5", "log GET api.anaplan.com/2/0/users/me 200 0s",
		}
		if diff := cmp.Diff(want, log); diff != "" {
			t.Error(diff)
		}
	})
}

// Each repeat takes a place of the limit; a 429 halves it.
func TestRepeatsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		hc := NewHTTPClient(HTTPOptions{Limiter: NewLimiter(1), Base: roundTripper(func(*http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			if len(at) == 1 {
				return answer(429, ""), nil
			}
			return answer(200, ""), nil
		})})
		resp, err := hc.Get("https://x")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		// One a minute, halved: the next is free after two minutes, although 429 alone asks for 10 s.
		if got := at[1].Sub(at[0]).Round(time.Second); len(at) != 2 || got != 2*time.Minute {
			t.Errorf("%d requests, the second after %v", len(at), got)
		}
	})
}

// slowly gives one byte a pause.
type slowly struct {
	left  int
	pause time.Duration
	ctx   context.Context // ends the wait, as the closing of a connection would
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(s.pause):
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

// swallow is a network that reads requests to their end, as long as the context lasts.
func swallow(answer func(*http.Request) *http.Response) roundTripper {
	return func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return nil, err
			}
			req.Body.Close()
		}
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		return answer(req), nil
	}
}

func TestAnUploadThatGoesOnHasNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := &timed{swallow(func(*http.Request) *http.Response { return answer(204, "") }), 5 * time.Minute, 2 * time.Minute}
		began := time.Now()
		req, _ := http.NewRequestWithContext(t.Context(), "PUT", "https://x", &slowly{10, 4 * time.Minute, t.Context()})
		resp, err := rt.RoundTrip(req)
		if err != nil || time.Since(began) != 40*time.Minute {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		resp.Body.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		rt := &timed{roundTripper(func(req *http.Request) (*http.Response, error) {
			_, _ = req.Body.Read(make([]byte, 1))
			<-req.Context().Done() // and nothing more
			return nil, req.Context().Err()
		}), 5 * time.Minute, 2 * time.Minute}
		began := time.Now()
		req, _ := http.NewRequestWithContext(t.Context(), "PUT", "https://x", &slowly{10, 4 * time.Minute, t.Context()})
		_, err := rt.RoundTrip(req)
		if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 9*time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A body that net/http asks for again counts like the first.
func TestARewoundBodyKeepsTheUploadAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := &timed{roundTripper(func(req *http.Request) (*http.Response, error) {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req.Body.Close()
			req.Body = body
			return swallow(func(*http.Request) *http.Response { return answer(204, "") })(req)
		}), 5 * time.Minute, 2 * time.Minute}
		req, _ := http.NewRequestWithContext(t.Context(), "PUT", "https://x", strings.NewReader("x"))
		req.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(&slowly{10, 4 * time.Minute, t.Context()}), nil
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		gone := errors.New("gone")
		req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
		if _, err := rt.RoundTrip(req); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
}

// An early answer ends the limit, though the request is still being read.
func TestTheLimitEndsWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var body io.ReadCloser
		var ctx context.Context
		rt := &timed{roundTripper(func(req *http.Request) (*http.Response, error) {
			body, ctx = req.Body, req.Context()
			return answer(200, "fine"), nil
		}), 5 * time.Minute, 2 * time.Minute}
		req, _ := http.NewRequestWithContext(t.Context(), "PUT", "https://x", bytes.NewReader([]byte("xyz")))
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(body); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if data, err := io.ReadAll(resp.Body); err != nil || string(data) != "fine" {
			t.Errorf("%q, %v", data, err)
		}
		if ctx.Err() != nil {
			t.Errorf("the attempt ended before its body was closed: %v", context.Cause(ctx))
		}
		if resp.Body.Close(); ctx.Err() == nil {
			t.Error("the attempt goes on for ever")
		}
	})
}

func TestABodyThatStalls(t *testing.T) {
	for _, tt := range []struct {
		pause time.Duration
		want  time.Duration
		err   error
	}{
		{119 * time.Second, 10 * 119 * time.Second, nil}, // slow, for longer than any limit
		{121 * time.Second, 120 * time.Second, ErrStalled},
	} {
		synctest.Test(t, func(t *testing.T) {
			rt := &timed{swallow(func(req *http.Request) *http.Response {
				resp := answer(200, "")
				resp.Body = io.NopCloser(&slowly{10, tt.pause, req.Context()})
				return resp
			}), 5 * time.Minute, 2 * time.Minute}
			req, _ := http.NewRequestWithContext(t.Context(), "GET", "https://x", nil)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			began := time.Now()
			_, err = io.ReadAll(resp.Body)
			if !errors.Is(err, tt.err) || time.Since(began) != tt.want {
				t.Errorf("a byte every %v: after %v: %v", tt.pause, time.Since(began), err)
			}
			if tt.err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it is no time-out: %v", err)
			}
		})
	}
}

// The caller's own cancel is not taken for a time-out.
func TestACancelWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		rt := &timed{swallow(func(req *http.Request) *http.Response {
			resp := answer(200, "")
			resp.Body = io.NopCloser(&slowly{10, 90 * time.Second, req.Context()})
			return resp
		}), 5 * time.Minute, 2 * time.Minute}
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://x", nil)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) || errors.Is(err, ErrStalled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestBaseTransport(t *testing.T) {
	for _, address := range []string{"proxy.example.com:8080", "http://", ":", "proxy"} {
		_, err := BaseTransport(BaseOptions{Proxy: address})
		if e, ok := errors.AsType[*proxy.Error](err); !ok || e.Kind != proxy.Misconfigured || e.Next() == "" {
			t.Errorf("proxy %q: %v", address, err)
		}
	}
	rt, err := BaseTransport(BaseOptions{Proxy: "http://proxy.example.com:8080"})
	if err != nil {
		t.Fatal(err)
	}
	if rt.Protocols.HTTP2() || !rt.Protocols.HTTP1() {
		t.Errorf("protocols are %v", rt.Protocols)
	}
	if rt.TLSClientConfig.MinVersion != 0x0303 {
		t.Errorf("TLS from %#x", rt.TLSClientConfig.MinVersion)
	}
}

// Anaplan's regions (anaplan-api.md 1.1).
func TestRegions(t *testing.T) {
	for _, tt := range []struct{ codes, api, auth string }{
		{"us1 us2 us5 us7 eu1 eu2 eu4 ap1", "https://api.anaplan.com/2/0", "https://auth.anaplan.com"},
		{"us9", "https://us9.api.anaplan.com/2/0", "https://us9.auth.anaplan.com"},
		{"eu3", "https://eu3.api.anaplan.com/2/0", "https://eu3.auth.anaplan.com"},
		{"eu5", "https://eu5.api.anaplan.com/2/0", "https://eu5.auth.anaplan.com"},
		{"gb1", "https://gb1.api.anaplan.com/2/0", "https://gb1.auth.anaplan.com"},
		{"sg1", "https://sg1.api.anaplan.com/2/0", "https://sg1.auth.anaplan.com"},
		{"ae1", "https://ae1.api.anaplan.com/2/0", "https://ae1.auth.anaplan.com"},
		{"in1", "https://in1.api.anaplan.com/2/0", "https://in1.auth.anaplan.com"},
		{"id1", "https://id1.api.anaplan.com/2/0", "https://id1.auth.anaplan.com"},
		{"me1", "https://me1.api.anaplan.com/2/0", "https://me1.auth.anaplan.com"},
		{"ca1 CA1", "https://ca1a.api.anaplan.com/2/0", "https://ca1a.auth.anaplan.com"},
		{"au1", "https://au1a.api2.anaplan.com/2/0", "https://au1a.app2.anaplan.com"},
	} {
		for _, code := range strings.Fields(tt.codes) {
			if h, ok := Region(code); !ok || h != (Hosts{API: tt.api, Auth: tt.auth}) {
				t.Errorf("%s: %+v, %v", code, h, ok)
			}
		}
	}
	for _, code := range []string{"", "us3", "us1 ", "eu"} {
		if h, ok := Region(code); ok || h != (Hosts{}) {
			t.Errorf("%q is a region: %+v", code, h)
		}
	}
	all := Regions()
	for _, code := range all {
		if _, ok := Region(code); !ok {
			t.Errorf("%s is listed, and is no region", code)
		}
	}
	if len(all) != 19 || !slices.IsSorted(all) {
		t.Errorf("regions are %v", all)
	}
}
