package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/google/go-cmp/cmp"
)

// client returns one that logs in at h and sends its requests there.
func (h *host) client() (*http.Client, *Source) {
	s, _ := h.source(nil)
	return &http.Client{Transport: &Transport{Source: s, Base: h, Hosts: []string{"api.example.com"}}}, s
}

// failing answers 401 to the API calls with these numbers.
func failing(numbers ...int) func(string, int, http.ResponseWriter) bool {
	return func(path string, n int, w http.ResponseWriter) bool {
		for _, x := range numbers {
			if path == "/2/0" && n == x {
				w.WriteHeader(401)
				return true
			}
		}
		return false
	}
}

func TestTransportAnswersA401WithOneLogin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  func(string, int, http.ResponseWriter) bool
		body   io.Reader
		status int
		text   string
		want   []string
	}{
		{"no 401", nil, nil, 200, "", []string{loginOK, "/2/0 200"}},
		{"one", failing(1), nil, 200, "", []string{loginOK, "/2/0 401", loginOK, "/2/0 200"}},
		{"one, the body is sent again", failing(1), strings.NewReader("abc"), 200, "abc", []string{loginOK, "/2/0 401", loginOK, "/2/0 200"}},
		{"one, the body cannot be had again", failing(1), io.MultiReader(strings.NewReader("abc")), 401, "", []string{loginOK, "/2/0 401"}},
		{"two", failing(1, 2), strings.NewReader("abc"), 401, "", []string{loginOK, "/2/0 401", loginOK, "/2/0 401"}},
		{"another refusal", func(p string, _ int, w http.ResponseWriter) bool {
			if p == "/2/0" {
				w.WriteHeader(403)
			}
			return p == "/2/0"
		}, nil, 403, "", []string{loginOK, "/2/0 403"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Minute)
				h.fault = tt.fault
				c, _ := h.client()
				req, err := http.NewRequest(http.MethodPost, "https://api.example.com/2/0", tt.body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				text, _ := io.ReadAll(resp.Body)
				if resp.StatusCode != tt.status || string(text) != tt.text {
					t.Errorf("got %d %q, want %d %q", resp.StatusCode, text, tt.status, tt.text)
				}
				if diff := cmp.Diff(tt.want, h.paths()); diff != "" {
					t.Error(diff)
				}
				if len(req.Header) > 0 {
					t.Errorf("the caller's request was changed: %d headers", len(req.Header))
				}
			})
		})
	}
}

func TestManyRequestsAnsweredWith401LeadToOneLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		c, s := h.client()
		token(t, s)
		h.expireAll()
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				resp, err := c.Get("https://api.example.com/2/0")
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("got %v, %v", resp, err)
				}
			})
		}
		wg.Wait()
		if got := len(h.times("/token/authenticate")); got != 2 {
			t.Errorf("%d logins, want 2", got)
		}
	})
}

func TestTheTokenGoesToNoOtherHost(t *testing.T) {
	for _, tt := range []struct {
		hosts []string
		url   string
		ok    bool
	}{
		{[]string{"api.example.com"}, "https://api.example.com/2/0", true},
		{[]string{"API.example.com"}, "https://api.EXAMPLE.com:443/2/0", true},
		{[]string{"https://api.example.com/2/0"}, "https://api.example.com/2/0", true},
		{[]string{"http://127.0.0.1:8080"}, "http://127.0.0.1:8080/2/0", true},
		{[]string{"https://api.example.com"}, "http://api.example.com/2/0", false},
		{[]string{"api.example.com"}, "https://api.example.com:8443/2/0", false},
		{[]string{"api.example.com"}, "https://api.example.com.evil.org/2/0", false},
		{[]string{"api.example.com"}, "https://evil.org/api.example.com", false},
		{[]string{"api.example.com"}, "https://api.example.com@evil.org/2/0", false},
		{nil, "https://api.example.com/2/0", false},
		{[]string{""}, "https://api.example.com/2/0", false},
	} {
		h := newHost(t, 35*time.Minute)
		s, _ := h.source(nil)
		body := &closing{Reader: strings.NewReader("x")}
		req, err := http.NewRequest(http.MethodPut, tt.url, body)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&Transport{Source: s, Base: h, Hosts: tt.hosts}).RoundTrip(req)
		if tt.ok != (err == nil) || !tt.ok && !errors.Is(err, ErrForeignHost) {
			t.Errorf("%q to %s: %v", tt.hosts, tt.url, err)
		}
		if !tt.ok && len(h.paths()) > 0 {
			t.Errorf("%q to %s: sent %v", tt.hosts, tt.url, h.paths())
		}
		if !body.closed {
			t.Errorf("%q to %s: the body was left open", tt.hosts, tt.url)
		}
		if _, ok := errors.AsType[*TokenError](err); ok == tt.ok {
			t.Errorf("%q to %s: %T", tt.hosts, tt.url, err)
		}
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestARedirectToAnotherHostIsNotFollowed(t *testing.T) {
	h := newHost(t, 35*time.Minute)
	h.fault = func(p string, _ int, w http.ResponseWriter) bool {
		if p == "/2/0" {
			w.Header().Set("Location", "https://evil.example.org/x")
			w.WriteHeader(307)
		}
		return p == "/2/0"
	}
	c, _ := h.client()
	if _, err := c.Get("https://api.example.com/2/0"); !errors.Is(err, ErrForeignHost) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{loginOK, "/2/0 307"}, h.paths()); diff != "" {
		t.Error(diff)
	}
}

// Ten minutes with tokens that live 35 seconds, requests at random moments.
func TestTenMinutesOfShortTokens(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(h *host)
		logins int // 0: any number
		refuse int // 401s that the API may have answered
	}{
		{"undisturbed", func(*host) {}, 1, 0},
		{"new values", func(h *host) { h.changing = true }, 1, 0},
		{"the clock is 40 minutes off", func(h *host) { h.offset = 40 * time.Minute }, 2, 0},
		{"slow answers", func(h *host) { h.slow["/token/refresh"] = 3 * time.Second }, 0, 0},
		{"every refresh fails", func(h *host) {
			h.fault = func(p string, _ int, w http.ResponseWriter) bool {
				if p == "/token/refresh" {
					w.WriteHeader(500)
				}
				return p == "/token/refresh"
			}
		}, 0, 0},
		{"every refresh is lost", func(h *host) {
			h.fault = func(p string, _ int, w http.ResponseWriter) bool {
				if p == "/token/refresh" {
					w.WriteHeader(599)
				}
				return p == "/token/refresh"
			}
		}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, 35*time.Second)
				tt.change(h)
				c, _ := h.client()
				random := rand.New(rand.NewPCG(1, 2))
				for began := time.Now(); time.Since(began) < 10*time.Minute; {
					time.Sleep(time.Duration(random.Int64N(int64(4 * time.Second))))
					resp, err := c.Post("https://api.example.com/2/0", "", bytes.NewReader([]byte("x")))
					if err != nil || resp.StatusCode != 200 {
						t.Fatalf("after %v: %v %v", time.Since(began), resp, err)
					}
				}
				got := map[string]int{}
				for _, p := range h.paths() {
					got[p]++
				}
				if got["/2/0 401"] != tt.refuse {
					t.Errorf("%d requests carried a dead token", got["/2/0 401"])
				}
				if n := len(h.times("/token/authenticate")); tt.logins > 0 && n != tt.logins {
					t.Errorf("%d logins, want %d", n, tt.logins)
				}
				if at := h.times("/token/authenticate"); tt.logins == 0 {
					for i := 1; i < len(at); i++ {
						if at[i]-at[i-1] < loginEvery {
							t.Errorf("logins at %v and %v", at[i-1], at[i])
						}
					}
				}
			})
		})
	}
}

func TestA401AtEveryRequestInTurn(t *testing.T) {
	const requests = 20
	for n := 1; n <= requests; n++ {
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, 35*time.Second)
			h.fault = failing(n)
			c, _ := h.client()
			for i := range requests {
				resp, err := c.Get("https://api.example.com/2/0")
				if err != nil || resp.StatusCode != 200 {
					t.Fatalf("401 at %d, request %d: %v, %v", n, i, resp, err)
				}
				time.Sleep(2 * time.Second)
			}
			if got := len(h.times("/token/authenticate")); got != 2 {
				t.Errorf("401 at %d: %d logins, want 2", n, got)
			}
		})
	}
}

func TestAFailedLoginAfterA401IsTheError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.fault = func(p string, n int, w http.ResponseWriter) bool {
			if p == "/2/0" || n > 1 {
				refuse(w, 401, "FAILURE_BAD_CREDENTIAL", "locked")
				return true
			}
			return false
		}
		c, _ := h.client()
		_, err := c.Get("https://api.example.com/2/0")
		if !errors.Is(err, ErrRefused) || !strings.Contains(fmt.Sprint(err), "locked") {
			t.Errorf("got %v", err)
		}
		if e, ok := errors.AsType[interface {
			error
			NoEffect() bool
		}](err); !ok || !e.NoEffect() || retry.Classify(nil, err) != retry.Stop {
			t.Errorf("%v does not say that the request had no effect, or would be repeated", err)
		}
	})
}

func TestAnImpatientRequestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.slow["/token/authenticate"] = time.Minute / 2
		c, s := h.client()
		defer s.Logout(context.Background())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/2/0", nil)
		if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// By an httptrace a caller decides whether its own request was sent; a login on its behalf must not look like it.
func TestALoginIsNotTracedAsTheRequest(t *testing.T) {
	h := newHost(t, 35*time.Minute)
	var traced []string
	s, _ := h.source(func(o *SourceOptions) {
		o.Client = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if httptrace.ContextClientTrace(r.Context()) != nil {
				traced = append(traced, r.URL.Path)
			}
			return h.RoundTrip(r)
		})}
	})
	if _, err := s.Token(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{})); err != nil || len(traced) > 0 {
		t.Errorf("traced %v, %v", traced, err)
	}
}
