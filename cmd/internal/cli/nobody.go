package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// nobody says that connections to an address of this machine were refused: no simulator
// runs there, and none will by waiting.
type nobody struct {
	addr string
	next string
	err  error
}

func (e *nobody) Error() string { return fmt.Sprintf("nobody listens at %s: %v", e.addr, e.err) }

func (e *nobody) Unwrap() error { return e.err }

// LoginRefused says to whoever repeats requests that this is not repeated.
func (e *nobody) LoginRefused() bool { return true }

// Explain says it to a run.
func (e *nobody) Explain() (ledger.Cause, string) { return ledger.CauseNetwork, e.next }

// Knocks at an address of this machine before nobody is said to listen there.
const (
	knocks     = 4
	knockEvery = time.Second
)

// knock gives up soon what connects to this machine, where it is refused from the first
// connection on: a simulator that is being started has a few seconds. Once somebody has
// listened, a refusal is an outage as any other.
func (p *Program) knock(base *http.Transport, conn configs.Connection) {
	var met atomic.Bool
	knocking := func(dial dialing) dialing {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			for n := 1; ; n++ {
				c, err := dial(ctx, network, addr)
				if err == nil {
					met.Store(true)
				}
				if met.Load() || !loopback(addr) || !refused(err) {
					return c, err
				}
				if n == knocks {
					return nil, &nobody{addr, listener(conn, addr), err}
				}
				if n == 1 {
					p.log.Warnf("nobody listens at %s; tries again for %s", addr, (knocks-1)*knockEvery)
				}
				if err := retry.Sleep(ctx, time.Duration(float64(knockEvery)/p.simulatorSpeed(addr))); err != nil {
					return nil, err
				}
			}
		}
	}
	base.DialContext, base.DialTLSContext = knocking(base.DialContext), knocking(base.DialTLSContext)
}

type dialing = func(ctx context.Context, network, addr string) (net.Conn, error)

// refused says whether a machine has answered that nothing listens there.
func refused(err error) bool {
	const windows = syscall.Errno(10061)
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, windows)
}

// listener is how somebody comes to listen at an address of this machine.
func listener(conn configs.Connection, addr string) string {
	if text, err := os.ReadFile(conn.File); err == nil && bytes.HasPrefix(text, []byte(simulatorMark)) {
		return fmt.Sprintf("start the simulator in another window, then run this again: %s simulate --dir %s", name, word(conn.Dir))
	}
	return fmt.Sprintf("start what is to listen there, such as a simulator: %s simulate --listen %s; or correct the address of the connection", name, addr)
}
