package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// lastMoment is when the process ends after a signal, whatever it still does.
const lastMoment = 3900 * time.Millisecond

// sameSignal is how long after a signal the same one again is no second: timeout(1), and
// what else sends to a program and then to its group, means only one.
const sameSignal = 250 * time.Millisecond

// lastWords is how long after a signal a run's end may still be worked at: then there is
// just the time to tell it.
const lastWords = 3200 * time.Millisecond

// outlive is a context that ends d after ctx. Call cancel in any case.
func outlive(ctx context.Context, d time.Duration) (longer context.Context, cancel func()) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); end() }
}

// stoppable returns a context that a signal ends, with a *jobs.Stopped as its cause. A
// second signal ends the process at once (but see sameSignal), and so does the last moment. Call done when
// nothing is left to be stopped. A SIGHUP that our caller ignores, as nohup does, stays
// ignored.
func (p *Program) stoppable(parent context.Context) (ctx context.Context, done func()) {
	ctx, stop := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	over := make(chan struct{})
	go func() {
		var first os.Signal
		select {
		case first = <-signals:
		case <-over:
			return
		}
		stop(&jobs.Stopped{Signal: signalName(first)})
		timer := time.NewTimer(lastMoment)
		defer timer.Stop()
		began := time.Now()
		for {
			select {
			case second := <-signals:
				if second == first && time.Since(began) < sameSignal {
					continue
				}
				fmt.Fprintf(p.Err, "%s: %s again: ending at once; what was running may still run in Anaplan\n", name, signalName(second))
				os.Exit(signalCode(second))
			case <-timer.C:
				fmt.Fprintf(p.Err, "%s: not done within 4 s of %s: ending; what was running may still run in Anaplan\n", name, signalName(first))
				os.Exit(signalCode(first))
			case <-over:
				return
			}
		}
	}()
	fetch := p.secretsEndWith(ctx)
	return ctx, func() {
		fetch()
		signal.Stop(signals)
		close(over)
		stop(nil)
	}
}

func signalName(s os.Signal) string {
	switch s {
	case os.Interrupt:
		return "SIGINT"
	case syscall.SIGHUP:
		return "SIGHUP"
	}
	return "SIGTERM"
}

func signalCode(s os.Signal) int {
	if s == os.Interrupt {
		return ledger.CodeInterrupt
	}
	return ledger.CodeTerminate
}
