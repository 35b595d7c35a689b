package retry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeatable(t *testing.T) {
	const m = "https://api.anaplan.com/2/0/workspaces/8a80/models/0A1B"
	for _, tt := range []struct {
		method, url string
		want        bool
	}{
		{"GET", m + "/files", true},
		{"HEAD", m + "/files", true},
		{"PUT", m + "/files/113000000012/chunks/0", true},
		{"PUT", m + "/files/113000000012", true},
		{"DELETE", m + "/files/113000000012", true},
		{"DELETE", m + "/imports/112000000031/tasks/5E63", true},
		{"POST", m + "/files/113000000012", true},
		{"POST", m + "/files/113000000012/complete", true},
		{"POST", m + "/open", true},
		{"POST", "https://api.anaplan.com/2/0/models/0A1B/open", true},
		{"POST", "https://api.anaplan.com/2/0/models/0A1B/files/113000000012", true},
		{"POST", "https://auth.anaplan.com/token/refresh", true},

		{"POST", m + "/imports/112000000031/tasks", false},
		{"POST", m + "/exports/116000000003/tasks", false},
		{"POST", m + "/processes/118000000002/tasks", false},
		{"POST", m + "/actions/117000000009/tasks", false},
		{"POST", m + "/imports/112000000031/tasks/", false},
		{"POST", m + "/processes/files/tasks", false}, // an id that looks like something else
		{"POST", "https://api.anaplan.com/2/0/workspaces/x/models/models/files/tasks", false},
		{"POST", "https://api.anaplan.com/2/0/models%2F0A1B%2Ffiles%2F1", false}, // one strange id
		{"POST", m + "/files", false},
		{"POST", m + "/close", false},
		{"POST", "https://api.anaplan.com/2/0/workspaces/8a80/bulkDeleteModels", false},
		{"POST", "https://auth.anaplan.com/token/authenticate", false},
		{"POST", "https://api.anaplan.com/", false},
		{"POST", "https://api.anaplan.com", false},
		{"PATCH", m + "/files/113000000012", false},
	} {
		req, err := http.NewRequest(tt.method, tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := Repeatable(req); got != tt.want {
			t.Errorf("%s %s: %v, want %v", tt.method, tt.url, got, tt.want)
		}
	}
}

// script answers attempts in turn, and keeps what it got.
type script struct {
	t       *testing.T
	answers []func() (*http.Response, error)
	at      []time.Time
	bodies  []string
	unread  int // answers whose body was not closed
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	if len(s.answers) == 0 {
		s.t.Fatal("a request too many")
	}
	s.at = append(s.at, time.Now())
	body := ""
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body.Close()
		body = string(data)
	}
	s.bodies = append(s.bodies, body)
	next := s.answers[0]
	s.answers = s.answers[1:]
	resp, err := next()
	if resp != nil {
		s.unread++
		resp.Body = &watched{resp.Body, s}
	}
	return resp, err
}

type watched struct {
	io.ReadCloser
	s *script
}

func (w *watched) Close() error {
	w.s.unread--
	return w.ReadCloser.Close()
}

func status(code int, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: code, Status: http.StatusText(code), Header: h, Body: io.NopCloser(strings.NewReader("page"))}, nil
	}
}

func broken(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

// Each wait is exactly what Waits was told, and inside the policy's bounds or what the server asked for.
func TestTransportWaits(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []func() (*http.Response, error)
		min     []time.Duration // of each wait
		max     []time.Duration
		status  int
	}{
		{"at once", []func() (*http.Response, error){status(200)}, nil, nil, 200},
		{"not found", []func() (*http.Response, error){status(404)}, nil, nil, 404},
		{"after a reset", []func() (*http.Response, error){broken(io.ErrUnexpectedEOF), status(204)},
			[]time.Duration{1500 * time.Millisecond}, []time.Duration{3 * time.Second}, 204},
		{"growing", []func() (*http.Response, error){status(500), status(502), status(503), status(504), status(200)},
			[]time.Duration{1500 * time.Millisecond, 2250 * time.Millisecond, 3375 * time.Millisecond, 5062 * time.Millisecond},
			[]time.Duration{3 * time.Second, 4500 * time.Millisecond, 6750 * time.Millisecond, 10125 * time.Millisecond}, 200},
		{"never better", []func() (*http.Response, error){status(500), status(500), status(500), status(500), status(503)},
			make([]time.Duration, 4), []time.Duration{time.Hour, time.Hour, time.Hour, time.Hour}, 503},
		{"429, seconds", []func() (*http.Response, error){status(429, "Retry-After", "7"), status(200)},
			[]time.Duration{7 * time.Second}, []time.Duration{7 * time.Second}, 200},
		{"429, absent", []func() (*http.Response, error){status(429), status(200)},
			[]time.Duration{10 * time.Second}, []time.Duration{10 * time.Second}, 200},
		{"429, nonsense", []func() (*http.Response, error){status(429, "Retry-After", "soon"), status(200)},
			[]time.Duration{10 * time.Second}, []time.Duration{10 * time.Second}, 200},
		{"429, negative", []func() (*http.Response, error){status(429, "Retry-After", "-1"), status(200)},
			[]time.Duration{1500 * time.Millisecond}, []time.Duration{3 * time.Second}, 200},
		// synctest's clock begins at midnight of 2000-01-01.
		{"429, a date by our clock", []func() (*http.Response, error){status(429, "Retry-After", "Sat, 01 Jan 2000 00:00:20 GMT"), status(200)},
			[]time.Duration{20 * time.Second}, []time.Duration{20 * time.Second}, 200},
		{"429, a date by the server's clock, 40 minutes ahead", []func() (*http.Response, error){
			status(429, "Retry-After", "Sat, 01 Jan 2000 00:40:20 GMT", "Date", "Sat, 01 Jan 2000 00:40:00 GMT"), status(200)},
			[]time.Duration{20 * time.Second}, []time.Duration{20 * time.Second}, 200},
		{"429, a date by the server's clock, 40 minutes behind", []func() (*http.Response, error){
			status(429, "Retry-After", "Fri, 31 Dec 1999 23:20:20 GMT", "Date", "Fri, 31 Dec 1999 23:20:00 GMT"), status(200)},
			[]time.Duration{20 * time.Second}, []time.Duration{20 * time.Second}, 200},
		{"503 with Retry-After", []func() (*http.Response, error){status(503, "Retry-After", "60"), status(200)},
			[]time.Duration{time.Minute}, []time.Duration{time.Minute}, 200},
		{"asks for too much", []func() (*http.Response, error){status(429, "Retry-After", "7200")}, nil, nil, 429},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := &script{t: t, answers: tt.answers}
				var told []time.Duration
				tr := &Transport{Base: base, Waits: func(req *http.Request, try int, wait time.Duration, why string) {
					if told = append(told, wait); try != len(told) || why == "" {
						t.Errorf("told of try %d because of %q", try, why)
					}
				}}
				req, _ := http.NewRequest("PUT", "https://x/files/1", strings.NewReader("bytes"))
				resp, err := tr.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != tt.status || len(told) != len(tt.min) || len(base.answers) != 0 || base.unread != 0 {
					t.Errorf("status %d, %d waits, %d answers left, %d not closed", resp.StatusCode, len(told), len(base.answers), base.unread)
				}
				for i, wait := range told {
					if got := base.at[i+1].Sub(base.at[i]); got != wait {
						t.Errorf("wait %d: told %v, was %v", i+1, wait, got)
					}
					if wait < tt.min[i] || wait > tt.max[i] {
						t.Errorf("wait %d: %v is not in %v to %v", i+1, wait, tt.min[i], tt.max[i])
					}
				}
				for i, body := range base.bodies {
					if body != "bytes" {
						t.Errorf("attempt %d carried %q", i+1, body)
					}
				}
			})
		})
	}
}

func TestTransportSendsOnceWhatMayNotBeRepeated(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"429": status(429, "Retry-After", "1"), "500": status(500), "503": status(503), "reset": broken(io.EOF),
	} {
		synctest.Test(t, func(t *testing.T) {
			base := &script{t: t, answers: []func() (*http.Response, error){answer}}
			req, _ := http.NewRequest("POST", "https://x/models/m/imports/1/tasks", strings.NewReader("{}"))
			began := time.Now()
			resp, _ := (&Transport{Base: base}).RoundTrip(req)
			if resp != nil {
				resp.Body.Close()
			}
			if time.Since(began) != 0 || len(base.at) != 1 {
				t.Errorf("%s: %d requests in %v", name, len(base.at), time.Since(began))
			}
		})
	}
	// A body that cannot be had again is sent once too.
	base := &script{t: t, answers: []func() (*http.Response, error){status(500)}}
	req, _ := http.NewRequest("PUT", "https://x/files/1", io.NopCloser(strings.NewReader("stream")))
	if resp, err := (&Transport{Base: base}).RoundTrip(req); err != nil || resp.StatusCode != 500 {
		t.Errorf("a stream: %v, %v", resp, err)
	}
}

func TestTheContextEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		base := &script{t: t, answers: []func() (*http.Response, error){status(503)}}
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://x/models", nil)
		began := time.Now()
		resp, err := (&Transport{Base: base}).RoundTrip(req)
		if resp != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second || base.unread != 0 {
			t.Errorf("%v, %v after %v, %d bodies not closed", resp, err, time.Since(began), base.unread)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		base := &script{t: t, answers: []func() (*http.Response, error){func() (*http.Response, error) {
			cancel()
			return nil, io.EOF
		}}}
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://x/models", nil)
		if _, err := (&Transport{Base: base}).RoundTrip(req); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	})
}

func TestABodyThatCannotBeHadAgainEndsRepeating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("the file is gone")
		base := &script{t: t, answers: []func() (*http.Response, error){status(503)}}
		req, _ := http.NewRequest("PUT", "https://x/files/1", strings.NewReader("bytes"))
		req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
		if _, err := (&Transport{Base: base}).RoundTrip(req); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
	})
}
