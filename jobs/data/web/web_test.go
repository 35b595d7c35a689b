package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

const text = "a,b\n1,2\n3,4\n"

// serve gives a server's address and a store that reads from it.
func serve(t *testing.T, handler http.HandlerFunc) (string, *Store) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, &Store{}
}

func read(s *Store, name string, t *testing.T) (string, data.Entry, error) {
	t.Helper()
	r, e, err := s.Open(t.Context(), name)
	if err != nil {
		return "", e, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), e, err
}

func TestReads(t *testing.T) {
	modified := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	home, s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none.csv":
			http.NotFound(w, r)
			return
		case "/unknown.csv":
			w.(http.Flusher).Flush() // no length
		case "/moved.csv":
			http.Redirect(w, r, "/sales.csv", http.StatusFound)
			return
		case "/dated.csv":
			w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
		case "/sales.csv":
			w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
			w.Header().Set("ETag", `"v1"`)
		}
		if r.Method != http.MethodGet || r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("asked by %s %v", r.Method, r.Header)
		}
		_, _ = io.WriteString(w, text)
	})
	for path, want := range map[string]data.Entry{
		"/sales.csv":            {Size: 12, Modified: modified, Version: `"v1"`},
		"/moved.csv?a=1&b=%20x": {Size: 12, Modified: modified, Version: `"v1"`},
		"/dated.csv":            {Size: 12, Modified: modified, Version: "2026-11-24T02:00:00Z"},
		"/bare.csv":             {Size: 12, Version: "12"},
		"/unknown.csv":          {Size: -1},
	} {
		want.Name = home + path
		got, e, err := read(s, want.Name, t)
		if err != nil || got != text || e != want {
			t.Errorf("%s: %q, %+v, %v", path, got, e, err)
		}
		if found, err := s.List(t.Context(), want.Name); err != nil || len(found) != 1 || found[0] != want {
			t.Errorf("%s: listed %+v, %v", path, found, err)
		}
	}
	if found, err := s.List(t.Context(), home+"/none.csv"); found != nil || err != nil {
		t.Errorf("got %v, %v", found, err)
	}
}

// TestAuthorization: the password goes to the host it was written for, and into no error.
func TestAuthorization(t *testing.T) {
	var elsewhere []string
	other, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization")+r.Header.Get("Referer"))
		_, _ = io.WriteString(w, text)
	})
	home, s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != "anna" || password != "s3cret/@":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/away":
			http.Redirect(w, r, other+"/x", http.StatusTemporaryRedirect)
		case r.URL.Path == "/insecure":
			http.Redirect(w, r, "http://files.example.com/x", http.StatusFound)
		case r.URL.Path == "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case r.URL.Path == "/here":
			http.Redirect(w, r, "/file", http.StatusFound)
		default:
			_, _ = io.WriteString(w, text)
		}
	})
	with := strings.Replace(home, "http://", "http://"+url.UserPassword("anna", "s3cret/@").String()+"@", 1)
	for _, path := range []string{"/file", "/here", "/away"} {
		if got, _, err := read(s, with+path, t); err != nil || got != text {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if len(elsewhere) != 1 || elsewhere[0] != "" {
		t.Errorf("another host got %q", elsewhere)
	}
	for path, says := range map[string]string{"/insecure": "readable on the way", "/round": "again and again"} {
		_, _, err := read(s, with+path+"?token=s3cret", t)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "anna") {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, _, err := read(s, strings.Replace(home, "http://", "http://bert:s3cret@", 1)+"/file?token=s3cret", t)
	if !errors.Is(err, data.ErrDenied) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "bert") {
		t.Errorf("got %v", err)
	}
}

func TestStatus(t *testing.T) {
	home, s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		w.WriteHeader(n)
	})
	for n, kind := range map[int]error{404: fs.ErrNotExist, 410: fs.ErrNotExist, 401: data.ErrDenied, 403: data.ErrDenied, 407: data.ErrDenied,
		408: data.ErrAway, 429: data.ErrAway, 500: data.ErrAway, 502: data.ErrAway, 503: data.ErrAway, 504: data.ErrAway, 400: nil, 204: nil, 501: nil} {
		_, _, err := read(s, fmt.Sprintf("%s/%d?token=s3cret", home, n), t)
		e, ok := errors.AsType[*data.StoreError](err)
		if !ok || e.Kind != kind || e.Next == "" || !strings.Contains(err.Error(), fmt.Sprint(n, " ")) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v", n, err)
		}
	}
	for _, name := range []string{"http://127.0.0.1:1/x", "https://127.0.0.1:1/x"} {
		if _, _, err := read(s, name, t); !errors.Is(err, data.ErrAway) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	defer secure.Close()
	if _, _, err := read(s, secure.URL+"/x", t); err == nil || errors.Is(err, data.ErrAway) || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("got %v", err)
	}
}

// TestGoesOn: what the server does with the second request decides.
func TestGoesOn(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  http.Header
		second func(http.ResponseWriter, *http.Request)
		err    error
	}{
		{"by range", http.Header{"Etag": {`"v1"`}}, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Range") != `"v1"` {
				t.Errorf("asked with %v", r.Header)
			}
			w.Header().Set("ETag", `"v1"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
		}, nil},
		{"by time", http.Header{"Last-Modified": {"Tue, 24 Nov 2026 02:00:00 GMT"}}, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC), strings.NewReader(text))
		}, nil},
		{"without ranges", http.Header{"Etag": {`"v1"`}}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			_, _ = io.WriteString(w, text)
		}, nil},
		{"without a version, before the first byte", nil, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text)
		}, nil},
		{"another size, before the first byte", nil, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, text+text)
		}, data.ErrChanged},
		{"replaced", http.Header{"Etag": {`"v1"`}}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v2"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("other"))
		}, data.ErrChanged},
		{"gone", http.Header{"Etag": {`"v1"`}}, http.NotFound, data.ErrChanged},
		{"another range", http.Header{"Etag": {`"v1"`}}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Range", "bytes 0-11/12")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, text)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each waits a second before it goes on
			asked := 0
			home, s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if asked++; asked > 1 {
					c.second(w, r)
					return
				}
				for k, v := range c.first {
					w.Header()[k] = v
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
				if c.first != nil {
					_, _ = io.WriteString(w, text[:5])
				}
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			got, _, err := read(s, home+"/x", t)
			switch {
			case c.name == "another range":
				if err == nil || !strings.Contains(err.Error(), "another range") {
					t.Errorf("got %q, %v", got, err)
				}
			case c.err == nil && (got != text || err != nil), c.err != nil && !errors.Is(err, c.err):
				t.Errorf("got %q, %v", got, err)
			}
			if asked != 2 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	s := &Store{}
	for name, says := range map[string]string{
		"http://files.example.com/x":             "readable on the way",
		"https://files.example.com/*.csv":        "pattern",
		"https://u:s3cret@files.example.com/%zz": "no URL",
		"https:///x":                             "no host",
	} {
		_, err := s.List(t.Context(), name)
		if e, ok := errors.AsType[*data.InputError](err); !ok || e.Next == "" || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.Create(t.Context(), "https://u:s3cret@h/x")
	for _, err := range []error{err, s.Move(t.Context(), "https://h/x", "https://h/y"), s.Remove(t.Context(), "https://h/x")} {
		if e, ok := errors.AsType[*data.InputError](err); !ok || e.Next == "" || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	}
	if got := (&Store{}).Schemes(); got["https"] == nil || got["http"] == nil {
		t.Errorf("it serves %v", got)
	}
}

// blocked is what a proxy that does not let us through is to package web.
type blocked struct{ final bool }

func (b blocked) Error() string { return "the proxy refuses it" }
func (b blocked) Final() bool   { return b.final }
func (b blocked) Next() string  { return "ask its administrators" }

func (b blocked) RoundTrip(*http.Request) (*http.Response, error) { return nil, b }

// TestProxy: what a proxy says is said, without the URL.
func TestProxy(t *testing.T) {
	for final, kind := range map[bool]error{true: data.ErrDenied, false: data.ErrAway} {
		_, _, err := read(&Store{Transport: blocked{final}}, "https://u:s3cret@files.example.com/x?sig=s3cret", t)
		e, ok := errors.AsType[*data.StoreError](err)
		if !ok || !errors.Is(err, kind) || e.Next != "ask its administrators" || !strings.Contains(err.Error(), "the proxy refuses it") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("final %v: %v", final, err)
		}
	}
}

// TestReadsWhatIsMadeAtEachRequest: to find it and to fetch it are two requests.
func TestReadsWhatIsMadeAtEachRequest(t *testing.T) {
	asked := 0
	made := func() time.Time { return time.Date(2026, 11, 24, 2, 0, asked, 0, time.UTC) }
	home, s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Last-Modified", made().Format(http.TimeFormat))
		_, _ = io.WriteString(w, text)
	})
	stores := &data.Stores{Schemes: s.Schemes()}
	found, err := stores.Find(t.Context(), data.Source{Name: home + "/report?x=1"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := stores.Fetch(t.Context(), found, t.TempDir(), data.Format{Separator: ",", HeaderRow: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if facts, err := f.Inspect(t.Context(), data.Checks{}); err != nil || facts.Rows != 2 || !facts.Modified.Equal(made()) {
		t.Errorf("%+v, %v", facts, err)
	}
}

// trickle is an answer whose bytes come one by one, a minute apart.
type trickle struct{ asked *int }

func (c trickle) RoundTrip(r *http.Request) (*http.Response, error) {
	*c.asked++
	body := io.Reader(io.MultiReader(strings.NewReader(text[:8]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if *c.asked > 1 {
		body = slowly{r.Context(), strings.NewReader(text)}
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"v1"`}}, ContentLength: int64(len(text)), Body: io.NopCloser(body)}, nil
}

type slowly struct {
	ctx context.Context
	io.Reader
}

func (s slowly) Read(p []byte) (int, error) {
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(time.Minute):
	}
	return s.Reader.Read(p[:1])
}

// TestPassesOverWhatItHas: however long that takes, as long as the bytes come.
func TestPassesOverWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		got, _, err := read(&Store{Transport: trickle{&asked}}, "https://files.example.com/x", t)
		if got != text || err != nil || asked != 2 {
			t.Errorf("got %q, %v after %d requests", got, err, asked)
		}
	})
}
