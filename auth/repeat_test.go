package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		n      int
		after  time.Duration
		jitter float64
		want   time.Duration
	}{
		{1, 0, 0, 3 * time.Second},
		{2, 0, 0, 4500 * time.Millisecond},
		{3, 0, 0, 6750 * time.Millisecond},
		{1, 0, 1, 3600 * time.Millisecond},
		{100, 0, 0, maxDelay},
		{1, 10 * time.Second, 0, 10 * time.Second},
		{100, 10 * time.Second, 0, maxDelay},
		{1, time.Hour, 0.5, 66 * time.Minute},
	} {
		if diff := cmp.Diff(tt.want, backoff(tt.n, tt.after, tt.jitter)); diff != "" {
			t.Errorf("%+v: %s", tt, diff)
		}
	}
}

func TestPause(t *testing.T) {
	network := &url.Error{Op: "Post", URL: "x", Err: errors.New("reset")}
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"503", &LoginError{Status: 503}, true},
		{"429", &LoginError{Status: 429, RetryAfter: maxRetryAfter}, true},
		{"429, and too long", &LoginError{Status: 429, RetryAfter: maxRetryAfter + 1}, false},
		{"401", &LoginError{Status: 401}, false},
		{"network", fmt.Errorf("x: %w", network), true},
		{"time limit", &url.Error{Err: context.DeadlineExceeded}, true},
		{"cancelled", &url.Error{Err: context.Canceled}, false},
		{"the server's certificate", &url.Error{Err: &tls.CertificateVerificationError{Err: errors.New("unknown authority")}}, false},
		{"the signer", errors.New("token not plugged in"), false},
	} {
		if _, ok := pause(1, tt.err); ok != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	date := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "0": 0, "-5": 0, "soon": 0, "99999999999999": 0,
		date.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		date.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if diff := cmp.Diff(want, retryAfter(header, date)); diff != "" {
			t.Errorf("%q: %s", header, diff)
		}
	}
	if d := retryAfter(date.Format(http.TimeFormat), time.Time{}); d != 0 {
		t.Errorf("without the server's clock: %v", d)
	}
}
