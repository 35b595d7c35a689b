package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// nobody says that a connection to an address of this machine was refused.
type nobody struct {
	addr  string
	next  string
	final bool // no simulator runs there, and none will by waiting
	err   error
}

func (e *nobody) Error() string { return fmt.Sprintf("nobody listens at %s: %v", e.addr, e.err) }

func (e *nobody) Unwrap() error { return e.err }

// LoginRefused says to whoever repeats requests whether this is not repeated.
func (e *nobody) LoginRefused() bool { return e.final }

// Explain says it to a run.
func (e *nobody) Explain() (ledger.Cause, string) { return ledger.CauseNetwork, e.next }

// Knocks at a simulator's address before nobody is said to listen there.
const (
	knocks     = 6
	knockEvery = time.Second
)

// knock tells at once that what connects to this machine is refused, as long as nobody has
// ever listened there; later, a refusal is an outage as any other. A simulator that is
// being started has a few seconds, by the clock and not by its speed, and is then given up.
// Whatever else is to listen, such as a tunnel that leads to Anaplan, is waited for as
// Anaplan is.
func (p *Program) knock(base *http.Transport, conn configs.Connection) {
	var met, told atomic.Bool
	simulator := strings.HasPrefix(conn.FirstLine, simulatorMark)
	knocking := func(dial dialing) dialing {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			next := fmt.Sprintf("start what is to listen there, such as a simulator: %s simulate --listen %s; or correct the address of the connection", name, addr)
			if simulator {
				next = fmt.Sprintf("start the simulator in another window, then run this again: %s simulate --dir %s", name, word(conn.Dir))
			}
			for n := 1; ; n++ {
				c, err := dial(ctx, network, addr)
				if err == nil {
					met.Store(true)
				}
				if met.Load() || !loopback(addr) || !refused(err) {
					return c, err
				}
				if !told.Swap(true) {
					p.log.Warnf("nobody listens at %s; %s", addr, next)
				}
				if !simulator || n == knocks {
					return nil, &nobody{addr, next, simulator, err}
				}
				if err := retry.Sleep(ctx, knockEvery); err != nil {
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
