package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// TestKnock: a simulator that is not there is given up, but not who comes within seconds,
// however fast it is; nor who was there, nor another machine, nor what may be a tunnel.
func TestKnock(t *testing.T) {
	refusal := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	here, there := "127.0.0.1:8080", "10.0.0.1:8080"
	mark := simulatorMark + " that listens"
	for _, tc := range []struct {
		name   string
		head   string
		addr   string
		after  time.Duration // of which somebody listens; negative: never
		end    time.Duration // until each of two connections is made or not
		met    bool          // before
		nobody bool
		final  bool
		told   int
	}{
		{"nobody", mark, here, -1, 10 * time.Second, false, true, true, 1},
		{"nobody, by name", mark, "localhost:8080", -1, 10 * time.Second, false, true, true, 1},
		{"nobody, IPv6", mark, "[::1]:8080", -1, 10 * time.Second, false, true, true, 1},
		{"somebody", mark, here, 0, 0, false, false, false, 0},
		{"somebody who comes late", mark, here, 4500 * time.Millisecond, 5 * time.Second, false, false, false, 1},
		{"somebody who went away", mark, here, -1, 0, true, false, false, 0},
		{"a tunnel", "# ours", here, -1, 0, false, true, false, 1},
		{"a tunnel that went away", "", here, -1, 0, true, false, false, 0},
		{"another machine", mark, there, -1, 0, false, false, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &Program{Out: io.Discard, Err: io.Discard, Getenv: func(name string) (string, bool) {
					return "60", name == "ANAPLAN_SIMULATOR_SPEED"
				}}
				var log strings.Builder
				p.log = newLog(&log)
				begin, met := time.Now(), tc.met
				dial := func(context.Context, string, string) (net.Conn, error) {
					if met || tc.after >= 0 && time.Since(begin) >= tc.after {
						return nil, nil
					}
					return nil, refusal
				}
				base := &http.Transport{DialContext: dial, DialTLSContext: dial}
				p.knock(base, configs.Connection{FirstLine: tc.head})
				if met {
					if _, err := base.DialContext(t.Context(), "tcp", tc.addr); err != nil {
						t.Fatal(err)
					}
					met = false
				}
				for _, dial := range []dialing{base.DialContext, base.DialTLSContext} {
					_, err := dial(t.Context(), "tcp", tc.addr)
					e, ok := errors.AsType[*nobody](err)
					if ok != tc.nobody || ok && (e.addr != tc.addr || e.LoginRefused() != tc.final || !errors.Is(err, refusal)) {
						t.Errorf("%v", err)
					}
				}
				if d := time.Since(begin); d != tc.end {
					t.Errorf("after %s, want %s", d, tc.end)
				}
				if n := strings.Count(log.String(), "nobody listens at "+tc.addr); n != tc.told {
					t.Errorf("told %d times, want %d: %s", n, tc.told, log.String())
				}
			})
		})
	}
}
