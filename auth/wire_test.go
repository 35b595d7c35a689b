package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/google/go-cmp/cmp"
)

// answering is an auth host with one answer.
type answering struct {
	status int
	header http.Header
	body   string
	asked  *http.Request
	got    []byte
}

func (a *answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = r
	if r.Body != nil {
		a.got, _ = io.ReadAll(r.Body)
	}
	h := a.header
	if h == nil {
		h = http.Header{"Content-Type": {"application/json"}}
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

const base = "https://auth.example.com/"

func TestLoginRequests(t *testing.T) {
	now := func() time.Time { return time.Unix(1750736826, 0) }
	ok := `{"status":"SUCCESS","tokenInfo":{"expiresAt":1785000000000,"tokenValue":"abc"}}`
	t.Run("certificate", func(t *testing.T) {
		a := &answering{status: 201, body: ok}
		if _, err := (Certificate{Identity: testIdentity()}).Login(t.Context(), &http.Client{Transport: a}, base, now); err != nil {
			t.Fatal(err)
		}
		if got := a.asked.Method + " " + a.asked.URL.String(); got != "POST https://auth.example.com/token/authenticate" {
			t.Errorf("asked %s", got)
		}
		if !strings.HasPrefix(a.asked.Header.Get("Authorization"), "CACertificate LS0t") || a.asked.Header.Get("Content-Type") != "application/json" {
			t.Error("headers are not those of a certificate login")
		}
		if !strings.HasPrefix(string(a.got), `{"encodedDataFormat":"v2","encodedData":"AAAAAGhaH7`) {
			t.Errorf("body begins %.60s", a.got)
		}
		if a.asked.GetBody != nil {
			t.Error("net/http may send the message again")
		}
	})
	t.Run("basic", func(t *testing.T) {
		a := &answering{status: 200, body: ok}
		if _, err := (Basic{"batch@example.com", secret.FromString("a:b ü")}).Login(t.Context(), &http.Client{Transport: a}, base, now); err != nil {
			t.Fatal(err)
		}
		user, pass, _ := a.asked.BasicAuth()
		if user != "batch@example.com" || pass != "a:b ü" || len(a.got) > 0 || a.asked.Header.Get("Content-Type") != "" {
			t.Errorf("sent %q %q %q", user, pass, a.got)
		}
	})
}

func TestAnswersToALogin(t *testing.T) {
	date := http.Header{"Date": {"Tue, 24 Jun 2025 03:47:06 GMT"}, "Content-Type": {"application/json"}}
	good := Grant{Value: secret.FromString("t+/=.x"), ExpiresAt: time.UnixMilli(1750738926123), Date: time.Date(2025, 6, 24, 3, 47, 6, 0, time.UTC)}
	undated := good
	undated.Date = time.Time{}
	full := `{"meta":{"validationUrl":"x"},"status":"SUCCESS","statusMessage":"Login successful","tokenInfo":{"expiresAt":1750738926123,"tokenId":"i","tokenValue":"t+/=.x","refreshTokenId":"r"}}`
	html := http.Header{"Content-Type": {"text/html"}}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   Grant
		is     error // ErrRefused, ErrUnavailable or nil
		code   string
		text   string
		says   string // in the error's words
		next   string // in the next step
	}{
		{"201", 201, date, full, good, nil, "", "", "", ""},
		{"200", 200, date, full, good, nil, "", "", "", ""},
		{"no Date", 200, nil, full, undated, nil, "", "", "", ""},
		{"announced and unknown fields", 201, date, strings.Replace(full, `"tokenId"`, `"refreshToken":{"a":[1]},"tokenId"`, 1), good, nil, "", "", "", ""},
		{"status as an object", 201, date, strings.Replace(full, `"SUCCESS"`, `{"code":200}`, 1), good, nil, "", "", "", ""},
		{"expiresAt in quotes", 201, date, strings.Replace(full, `1750738926123`, `"1750738926123"`, 1), good, nil, "", "", "", ""},
		{"refused", 401, nil, `{"status":"FAILURE_BAD_CREDENTIAL","statusMessage":"No  such\tuser."}`, Grant{}, ErrRefused, "FAILURE_BAD_CREDENTIAL", "No  such\tuser.", "answer 401 FAILURE_BAD_CREDENTIAL: No  such\tuser.", "registered in Anaplan"},
		{"bad header", 401, nil, `{"status":"FAILURE_BAD_HEADER","statusMessage":"Invalid header. Verify the header."}`, Grant{}, ErrRefused, "FAILURE_BAD_HEADER", "Invalid header. Verify the header.", "Invalid header", "other form of the header"},
		{"refused without a body", 401, nil, ``, Grant{}, ErrRefused, "", "", "not an answer of Anaplan's", "check the region, the urls and the proxy"},
		{"a proxy's page", 403, html, `<html><title>Blocked</title>`, Grant{}, ErrRefused, "", "", `28 bytes, "text/html"`, "check the region, the urls and the proxy"},
		{"a proxy's page as success", 200, html, `<html>Welcome`, Grant{}, ErrUnavailable, "", "", "not an answer of Anaplan's", "try again later"},
		{"no token", 201, nil, `{"status":"SUCCESS"}`, Grant{}, ErrUnavailable, "SUCCESS", "", "without a token", "try again later"},
		{"token without end", 201, nil, `{"status":"SUCCESS","tokenInfo":{"tokenValue":"CanaryT"}}`, Grant{}, ErrUnavailable, "SUCCESS", "", "without the time", "try again later"},
		{"nothing", 204, nil, ``, Grant{}, ErrUnavailable, "", "", "without a token", "try again later"},
		{"too many", 429, http.Header{"Retry-After": {"7"}}, ``, Grant{}, ErrUnavailable, "", "", "answer 429", "try again later"},
		{"down", 502, html, `<html>Bad gateway`, Grant{}, ErrUnavailable, "", "", "answer 502", "try again later"},
		{"redirect", 302, http.Header{"Location": {"https://login.example.org/x?token=CanaryT"}}, ``, Grant{}, ErrRefused, "", "", "a redirect to login.example.org", "region"},
		{"redirect to nowhere", 307, nil, ``, Grant{}, ErrRefused, "", "", "a redirect to nowhere", "region"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &answering{status: tt.status, header: tt.header, body: tt.body}
			g, err := Certificate{Identity: testIdentity()}.Login(t.Context(), &http.Client{Transport: a}, base, time.Now)
			if diff := cmp.Diff(tt.want, g); diff != "" || g.Value.RevealString() != tt.want.Value.RevealString() {
				t.Error(diff)
			}
			if tt.is == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*LoginError](err)
			if !ok || !errors.Is(err, tt.is) || errors.Is(err, ErrRefused) == errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
			if e.Status != tt.status || e.Code != tt.code || e.Text != tt.text || !strings.Contains(err.Error(), tt.says) || !strings.Contains(e.Next, tt.next) {
				t.Errorf("got %+v\n%v", e, err)
			}
			if !strings.HasPrefix(err.Error(), "logging in to auth.example.com with the certificate of batch@example.com: ") {
				t.Errorf("does not say what was being done: %v", err)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, e), "CanaryT") {
				t.Errorf("shows a token: %v", err)
			}
			if tt.status == 429 && e.RetryAfter != 7*time.Second {
				t.Errorf("RetryAfter is %v", e.RetryAfter)
			}
		})
	}
}

// echo answers with everything it was sent.
type echo struct{ answering }

func (e *echo) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	e.status = 401
	e.body = fmt.Sprintf(`{"status":%q,"statusMessage":%q}`, "X "+r.Header.Get("Authorization"), "got "+body+" with "+r.Header.Get("Authorization"))
	return e.answering.RoundTrip(&http.Request{URL: r.URL})
}

func TestNoErrorOrEventShowsASecret(t *testing.T) {
	const password = "Canary-7f3a"
	logins := map[string]Login{
		"basic":       Basic{"batch@example.com", secret.FromString(password)},
		"certificate": Certificate{Identity: testIdentity()},
	}
	for name, login := range logins {
		synctest.Test(t, func(t *testing.T) {
			var shown []string
			e := &echo{}
			s := NewSource(SourceOptions{Login: login, Client: &http.Client{Transport: e}, Base: base,
				Event: func(e Event) { shown = append(shown, fmt.Sprintf("%v %+v %#v", e, e, e)) },
				Warn:  func(w string) { shown = append(shown, w) }})
			_, err := s.Token(t.Context())
			if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			le, _ := errors.AsType[*LoginError](err)
			shown = append(shown, fmt.Sprintf("%v %+v %#v %+v", err, err, err, *le), login.Describe(), fmt.Sprintf("%+v", login))
			for _, s := range shown {
				for _, bad := range []string{password, "Y2Fu", "QmF0Y2", "LS0tLS1CRUdJTi", `encodedSignedData\":\"A`} {
					if strings.Contains(s, bad) {
						t.Errorf("%s: shows %q: %.300s", name, bad, s)
					}
				}
				if i := strings.Index(s, `encodedSignedData":"`); i >= 0 && !strings.HasPrefix(s[i+len(`encodedSignedData":"`):], "[redacted]") {
					t.Errorf("%s: shows a signature: %.300s", name, s[i:])
				}
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		s, rec := h.source(nil)
		tok := token(t, s)
		s.o.Client = &http.Client{Transport: &echo{}}
		_, err := s.Validate(t.Context())
		logout := s.Logout(t.Context())
		for _, x := range []any{err, logout, tok, s, *rec} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
				if text := fmt.Sprintf(verb, x); strings.Contains(text, "token-1") {
					t.Errorf("%s shows a token: %.300s", verb, text)
				}
			}
		}
	})
}

func TestNetworkErrorsAreNotLoginErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		tries := 0
		s := NewSource(SourceOptions{Login: Basic{"u", secret.FromString("p")}, Base: base, Client: &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			tries++
			return nil, gone
		})}})
		_, err := s.Token(context.Background())
		if _, ok := errors.AsType[*LoginError](err); ok || !errors.Is(err, gone) || errors.Is(err, ErrRefused) || tries != s.o.Retry.Tries {
			t.Errorf("got %v after %d tries", err, tries)
		}
		// Nothing is remembered of it.
		if _, err := s.Token(context.Background()); !errors.Is(err, gone) || tries != 2*s.o.Retry.Tries {
			t.Errorf("got %v after %d tries", err, tries)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAHangingAuthHostEndsWithItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, 35*time.Minute)
		h.slow["/token/authenticate"] = time.Hour
		s, _ := h.source(nil)
		began := time.Now()
		if _, err := s.Token(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(began); d > 10*time.Minute {
			t.Errorf("took %v", d)
		}
	})
}
