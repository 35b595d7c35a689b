package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// TestKnock: who is not there on this machine is given up soon, but not who comes within
// seconds, nor who was there, nor another machine.
func TestKnock(t *testing.T) {
	refusal := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	here, there := "127.0.0.1:8080", "10.0.0.1:8080"
	for _, tc := range []struct {
		name   string
		addr   string
		dials  []error // the last stays
		calls  int     // until each of two connections is made or not
		nobody bool
	}{
		{"nobody", here, []error{refusal}, 2 * knocks, true},
		{"nobody, by name", "localhost:8080", []error{refusal}, 2 * knocks, true},
		{"nobody, IPv6", "[::1]:8080", []error{refusal}, 2 * knocks, true},
		{"somebody", here, []error{nil}, 2, false},
		{"somebody who comes late", here, []error{refusal, refusal, nil}, 4, false},
		{"somebody who went away", here, []error{nil, refusal}, 2, false},
		{"another machine", there, []error{refusal}, 2, false},
		{"another error", here, []error{context.DeadlineExceeded}, 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &Program{Out: io.Discard, Err: io.Discard, Getenv: func(string) (string, bool) { return "", false }}
				p.log = newLog(io.Discard)
				calls := 0
				dial := func(context.Context, string, string) (net.Conn, error) {
					err := tc.dials[min(calls, len(tc.dials)-1)]
					calls++
					return nil, err
				}
				base := &http.Transport{DialContext: dial, DialTLSContext: dial}
				p.knock(base, configs.Connection{})
				for _, dial := range []dialing{base.DialContext, base.DialTLSContext} {
					_, err := dial(t.Context(), "tcp", tc.addr)
					if e, ok := errors.AsType[*nobody](err); ok != tc.nobody || ok && e.addr != tc.addr {
						t.Errorf("%v", err)
					}
				}
				if calls != tc.calls {
					t.Errorf("%d calls, want %d", calls, tc.calls)
				}
			})
		})
	}
}
