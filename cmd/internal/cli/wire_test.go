package cli

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// TestRequestsPerMinuteHolds: of a budget of two, the third request has to wait half a
// minute.
func TestRequestsPerMinuteHolds(t *testing.T) {
	sim := simulator.New(sample.Company(), simulator.Options{})
	defer sim.Close()
	server := httptest.NewServer(sim)
	defer server.Close()
	p := &Program{Err: io.Discard, Now: time.Now, log: newLog(io.Discard), Getenv: func(name string) (string, bool) { return sample.Password, name == "WORD" }}
	one, err := p.dial(configs.Connection{Method: "basic", User: sample.Email, Password: "env:WORD", APIURL: server.URL, AuthURL: server.URL,
		RequestsPerMinute: 2}, nil, func(auth.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := one.Client.Me(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := one.Client.Me(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the third request: %v", err)
	}
	if err := one.Source.Logout(t.Context()); err != nil {
		t.Error(err)
	}
}
