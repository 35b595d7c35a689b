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

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/google/go-cmp/cmp"
)

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
		if _, ok := pause(retry.Policy{}, 1, tt.err); ok != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	date := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "0": 0, "-5": 0, "soon": 0, "99999999999999": 100 * 365 * 24 * time.Hour,
		date.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		date.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if diff := cmp.Diff(want, retryAfter(header, date)); diff != "" {
			t.Errorf("%q: %s", header, diff)
		}
	}
	if d := retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), time.Time{}); d.Round(time.Minute) != time.Hour {
		t.Errorf("without the server's clock: %v", d)
	}
}
