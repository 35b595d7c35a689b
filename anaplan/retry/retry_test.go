package retry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type refusedLogin struct{ refused bool }

func (e refusedLogin) Error() string      { return "no token" }
func (e refusedLogin) LoginRefused() bool { return e.refused }

func TestClassify(t *testing.T) {
	wrap := func(err error) error { return &url.Error{Op: "Get", URL: "https://x", Err: err} }
	for _, tt := range []struct {
		status int
		err    error
		want   Verdict
	}{
		{status: 200, want: Stop}, {status: 202, want: Stop}, {status: 204, want: Stop}, {status: 302, want: Stop},
		{status: 400, want: Stop}, {status: 401, want: Stop}, {status: 403, want: Stop}, {status: 404, want: Stop},
		{status: 405, want: Stop}, {status: 409, want: Stop}, {status: 410, want: Stop}, {status: 422, want: Stop},
		{status: 423, want: Stop}, {status: 424, want: Stop}, {status: 425, want: Stop}, {status: 501, want: Stop},
		{status: 429, want: Again},
		{status: 408, want: Unknown}, {status: 500, want: Unknown}, {status: 502, want: Unknown},
		{status: 503, want: Unknown}, {status: 504, want: Unknown},
		{err: io.EOF, want: Unknown},
		{err: wrap(io.ErrUnexpectedEOF), want: Unknown},
		{err: fmt.Errorf("slow: %w", context.DeadlineExceeded), want: Unknown},
		{err: wrap(context.Canceled), want: Stop},
		{err: wrap(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), want: Stop},
		{err: wrap(refusedLogin{true}), want: Stop},
		{err: wrap(refusedLogin{false}), want: Unknown},
	} {
		var resp *http.Response
		if tt.err == nil {
			resp = &http.Response{StatusCode: tt.status}
		}
		if got := Classify(resp, tt.err); got != tt.want {
			t.Errorf("Classify(%d, %v) = %v, want %v", tt.status, tt.err, got, tt.want)
		}
	}
}

// The waits of the client checklist (anaplan-api.md 23.3): 3 s, by 1.5, at most 120 s.
func TestDelay(t *testing.T) {
	const almost = 0.999999999999
	for _, tt := range []struct {
		policy Policy
		n      int
		asked  time.Duration
		jitter float64
		want   time.Duration
	}{
		{Policy{}, 1, 0, 0, 1500 * time.Millisecond},
		{Policy{}, 1, 0, 0.5, 2250 * time.Millisecond},
		{Policy{}, 2, 0, 0, 2250 * time.Millisecond},
		{Policy{}, 3, 0, 0, 3375 * time.Millisecond},
		{Policy{}, 4, 0, 0, 5062500 * time.Microsecond},
		{Policy{}, 50, 0, 0, time.Minute},
		{Policy{}, 1 << 30, 0, 0, time.Minute},
		{Policy{}, 0, 0, 0, 1500 * time.Millisecond},
		{Policy{}, 1, 7 * time.Second, 0.5, 7 * time.Second},
		{Policy{}, 1, 2 * time.Hour, 0, 2 * time.Hour},
		{Policy{}, 1, -time.Second, 0, 1500 * time.Millisecond},
		{Policy{First: time.Second, Factor: 2, Max: 3 * time.Second}, 1, 0, 0, 500 * time.Millisecond},
		{Policy{First: time.Second, Factor: 2, Max: 3 * time.Second}, 2, 0, 0, time.Second},
		{Policy{First: time.Second, Factor: 2, Max: 3 * time.Second}, 3, 0, 0, 1500 * time.Millisecond},
		{Policy{First: time.Hour, Max: time.Second}, 1, 0, 0, 500 * time.Millisecond},
		{Policy{First: -1, Factor: -1, Max: -1, Tries: -1}, 1, 0, 0, 1500 * time.Millisecond},
	} {
		tt.policy.Jitter = func() float64 { return tt.jitter }
		if got := tt.policy.Delay(tt.n, tt.asked); got != tt.want {
			t.Errorf("%+v.Delay(%d, %v) with %v: %v, want %v", tt.policy, tt.n, tt.asked, tt.jitter, got, tt.want)
		}
	}
	if got := (Policy{Jitter: func() float64 { return almost }}).Delay(1, 0); got < 2999*time.Millisecond || got >= 3*time.Second {
		t.Errorf("with the most jitter: %v", got)
	}
}

func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy Policy
		n      int
		v      Verdict
		asked  time.Duration
		wait   time.Duration
		again  bool
	}{
		{"first failure", Policy{}, 1, Unknown, 0, 1500 * time.Millisecond, true},
		{"what did not happen", Policy{}, 1, Again, 0, 1500 * time.Millisecond, true},
		{"an answer", Policy{}, 1, Stop, 0, 0, false},
		{"the last but one", Policy{}, 4, Unknown, 0, 5062500 * time.Microsecond, true},
		{"the last", Policy{}, 5, Unknown, 0, 0, false},
		{"only one", Policy{Tries: 1}, 1, Again, 0, 0, false},
		{"as long as we bear", Policy{}, 1, Again, 15 * time.Minute, 15 * time.Minute, true},
		{"longer than that", Policy{}, 1, Again, 15*time.Minute + time.Second, 0, false},
		{"longer, by our own measure", Policy{Longest: time.Minute}, 1, Again, 2 * time.Minute, 0, false},
	} {
		tt.policy.Jitter = func() float64 { return 0 }
		if wait, again := tt.policy.Next(tt.n, tt.v, tt.asked); wait != tt.wait || again != tt.again {
			t.Errorf("%s: %v, %v; want %v, %v", tt.name, wait, again, tt.wait, tt.again)
		}
	}
}

func TestDelaysStayInTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Tries:   rapid.IntRange(0, 20).Draw(t, "tries"),
			First:   time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "first")),
			Factor:  rapid.Float64Range(0, 10).Draw(t, "factor"),
			Max:     time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "max")),
			Longest: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "longest")),
		}
		full := p.withDefaults()
		asked := time.Duration(rapid.Int64Range(-int64(time.Minute), int64(2*time.Hour)).Draw(t, "asked"))
		tries := 0
		for n := 1; ; n++ {
			tries++
			p.Jitter = nil // a random one
			if rapid.Bool().Draw(t, "given") {
				p.Jitter = func() float64 { return rapid.Float64Range(0, 0.999).Draw(t, "jitter") }
			}
			wait, again := p.Next(n, Unknown, asked)
			if !again {
				break
			}
			if wait < asked {
				t.Fatalf("waits %v, the server asked for %v", wait, asked)
			}
			if limit := max(full.Max, asked); wait > limit {
				t.Fatalf("waits %v, more than %v", wait, limit)
			}
			if least := min(full.First, full.Max) / 2; full.Factor >= 1 && wait < least-1 {
				t.Fatalf("waits %v, less than %v", wait, least)
			}
		}
		want := full.Tries
		if asked > full.Longest {
			want = 1
		}
		if tries != want {
			t.Fatalf("%d tries, want %d", tries, want)
		}
	})
}

var afterNow = time.Date(2026, 11, 2, 2, 0, 0, 0, time.UTC)

func TestAfter(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   time.Duration
		ok     bool
	}{
		{"7", 7 * time.Second, true},
		{" 7 ", 7 * time.Second, true},
		{"0", 0, true},
		{"-3", 0, true},
		{"3600", time.Hour, true},
		{"9223372036854775807", 100 * 365 * 24 * time.Hour, true},
		{"Mon, 02 Nov 2026 02:00:30 GMT", 30 * time.Second, true},
		{"Monday, 02-Nov-26 02:00:30 GMT", 30 * time.Second, true},
		{"Mon Nov  2 02:00:30 2026", 30 * time.Second, true},
		{"Mon, 02 Nov 2026 01:59:30 GMT", 0, true},
		{"Thu, 01 Jan 9999 00:00:00 GMT", 100 * 365 * 24 * time.Hour, true},
		{"", 0, false},
		{"soon", 0, false},
		{"1.5", 0, false},
		{"99999999999999999999", 0, false},
	} {
		if got, ok := After(tt.header, afterNow); got != tt.want || ok != tt.ok {
			t.Errorf("After(%q) = %v, %v; want %v, %v", tt.header, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzAfter(f *testing.F) {
	for _, s := range []string{"7", "-1", "", "Mon, 02 Nov 2026 02:00:30 GMT", "1e9", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		wait, ok := After(s, afterNow)
		if wait < 0 || !ok && wait != 0 {
			t.Errorf("After(%q) = %v, %v", s, wait, ok)
		}
		if n, err := strconv.Atoi(s); err == nil && !ok {
			t.Errorf("After(%q) is not read, though it is %d", s, n)
		}
	})
}

func TestVerdictsAreNotMixedUp(t *testing.T) {
	// Only what certainly did not happen is Again; callers with other rules rely on it.
	resp := &http.Response{StatusCode: 500}
	if Classify(resp, nil) == Again || Classify(nil, errors.New("reset")) == Again {
		t.Error("what may have happened is called not happened")
	}
}
