package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// waitEvery is the time between two tries of something that the state of the model or of
// Anaplan refused.
const waitEvery = 30 * time.Second

// reason is why something has to wait, in words that a person reads behind "waits: ".
type reason string

// The reasons to wait (anaplan-api.md 6.2, 8.3).
const (
	reasonBusy        reason = "the model is busy"
	reasonOffline     reason = "the model is offline for maintenance"
	reasonMaintenance reason = "Anaplan answers with a page instead of data, as it does in maintenance"
	reasonLocked      reason = "the model is locked"
	reasonClosed      reason = "the model is being opened"
	reasonMoved       reason = "the model has moved"
	reasonLease       reason = "another runner has it"
	reasonLeft        reason = "something of an earlier run may still run in the model"
	reasonProgram     reason = "a program that an earlier runner began still runs"
	reasonSource      reason = "a source is not there yet"
	reasonSettle      reason = "the answer to a start was lost"
)

// patience is how long a job waits for a reason to pass.
func (r reason) patience(w configs.Wait) time.Duration {
	set, standard := w.Busy, 2*time.Hour
	switch r {
	case reasonOffline, reasonMaintenance:
		set, standard = w.Maintenance, 6*time.Hour
	case reasonLocked:
		set, standard = w.Locked, 0
	case reasonClosed, reasonMoved:
		set, standard = w.Closed, 30*time.Minute
	}
	if set != nil {
		return *set
	}
	return standard
}

// every is the time between two tries.
func (r reason) every() time.Duration {
	if r == reasonLease || r == reasonProgram {
		return leaseEvery
	}
	return waitEvery
}

// refusal is the reason that an answer alone tells; empty: it is nothing to wait for.
func refusal(err error) reason {
	switch {
	case errors.Is(err, anaplan.ErrBusy):
		return reasonBusy
	case errors.Is(err, anaplan.ErrOffline):
		return reasonOffline
	case errors.Is(err, anaplan.ErrLocked):
		return reasonLocked
	case errors.Is(err, anaplan.ErrMoved):
		return reasonMoved
	}
	if e, ok := errors.AsType[*anaplan.Error](err); ok && e.Status == http.StatusServiceUnavailable && !e.JSON {
		return reasonMaintenance
	}
	return ""
}

// hung says whether a call had no answer in time, ours or a gateway's, as calls of a model
// that is busy or being opened have not (anaplan-api.md 8.3).
func hung(err error) bool {
	e, ok := errors.AsType[*anaplan.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && e.Status == http.StatusGatewayTimeout
}

// impatience is the error of a wait whose patience ended.
type impatience struct {
	reason reason
	limit  time.Duration
	err    error
}

func (e *impatience) Error() string {
	if e.limit == 0 {
		return fmt.Sprintf("%s: %v", e.reason, e.err)
	}
	return fmt.Sprintf("%s for longer than %s: %v", e.reason, e.limit, e.err)
}

func (e *impatience) Unwrap() error { return e.err }

// waits repeats what was refused for a reason that passes, for as long as the job allows
// for each reason. f must not have done anything when it fails. why finds the reason of an
// error, empty if it is not to be waited for; tell is called once for each reason.
func (r *Runner) waits(ctx context.Context, w configs.Wait, f func() error, why func(error) reason, tell func(reason, error) error) error {
	since := map[reason]time.Time{}
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		reason := why(err)
		if reason == "" {
			return err
		}
		first, waiting := since[reason]
		if !waiting {
			first = time.Now()
			since[reason] = first
		}
		limit := reason.patience(w)
		left := limit - time.Since(first)
		if left <= 0 {
			return &impatience{reason, limit, err}
		}
		if !waiting {
			if err := tell(reason, err); err != nil {
				return err
			}
		}
		if !sleep(ctx, min(r.scaled(reason.every()), left)) {
			return context.Cause(ctx)
		}
	}
}

// patient waits for the step's model.
func (s *step) patient(ctx context.Context, f func() error) error {
	return s.run.waits(ctx, s.plan.Wait, f, func(err error) reason { return s.why(ctx, err) }, func(why reason, err error) error {
		text := s.holder(ctx, err)
		s.progress(Progress{Phase: PhaseWait, Text: text, Done: -1})
		return s.record(ledger.Waiting{Reason: string(why), Text: text})
	})
}

// patientTogether is patient for requests that are made at the same time: when one has to
// wait, the others wait with it, and it is recorded once.
func (s *step) patientTogether() transfer.Patient {
	var mu sync.Mutex
	var waited atomic.Int64 // how often
	return func(ctx context.Context, f func() error) error {
		before := waited.Load()
		first := f()
		if first == nil || ctx.Err() != nil || s.why(ctx, first) == "" {
			return first
		}
		mu.Lock()
		defer mu.Unlock()
		if before != waited.Load() {
			first = nil // another has waited meanwhile
		}
		defer waited.Add(1)
		return s.patient(ctx, func() error {
			if err := first; err != nil {
				first = nil
				return err
			}
			return f()
		})
	}
}

// insist is patient, and repeats what failed for want of an answer as often as the step's
// retryOf says. It is for what only reads: what a task left must not be lost for a moment's
// outage.
func (s *step) insist(ctx context.Context, f func() error) error {
	return insist(ctx, s.plan.Retry, func() error { return s.patient(ctx, f) })
}

func insist(ctx context.Context, r configs.Retry, f func() error) error {
	tries, wait := retryOf(r)
	for try := 1; ; try++ {
		err := f()
		if err == nil || ctx.Err() != nil || try >= tries || !explain(err).Again {
			return err
		}
		if !sleep(ctx, wait) {
			return context.Cause(ctx)
		}
		wait = longer(wait)
	}
}

// retryOf is how often what did not happen is tried in all, and the first wait.
func retryOf(r configs.Retry) (tries int, wait time.Duration) {
	tries, wait = r.Tries, r.Wait
	if tries == 0 {
		tries = 3
	}
	if wait == 0 {
		wait = 30 * time.Second
	}
	return tries, wait
}

// longer is the wait after one that did not help.
func longer(wait time.Duration) time.Duration { return min(2*wait, max(wait, 10*time.Minute)) }

// why is the reason that an error tells, or that the model's status tells of a call that
// hung.
func (s *step) why(ctx context.Context, err error) reason {
	if r := refusal(err); r != "" || !hung(err) {
		return r
	}
	status, err := s.status(ctx)
	switch step := status.CurrentStep; {
	case err != nil, step == "Open":
		return ""
	case step == "Closed", strings.HasPrefix(step, "Clos"), strings.HasPrefix(step, "Load"), strings.HasPrefix(step, "Open"):
		return reasonClosed
	}
	return reasonBusy
}

// holder says who holds the model, as far as its status tells within a moment.
func (s *step) holder(ctx context.Context, why error) string {
	status, err := s.status(ctx)
	if err != nil {
		return why.Error()
	}
	text := why.Error() + "; model status: " + status.CurrentStep
	if status.Tooltip != "" {
		text += " (" + status.Tooltip + ")"
	}
	return text
}

func (s *step) status(ctx context.Context) (anaplan.ModelStatus, error) {
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.tenant.Client.Status(short, s.model())
}

// resolve binds the plan. It waits while Anaplan or a model is away, and repeats what had
// no answer, as the job's defaults say: nothing was started. What people wish of the run,
// and its deadline, end that with a *halt.
func (r *run) resolve(ctx context.Context) (b *Bound, err error) {
	defaults := r.req.Plan.Job.Defaults
	bind := func() error {
		if h := r.wished(ctx); h != nil && !r.only {
			return h
		}
		b, err = Bind(ctx, r.req.Plan, r.Connect)
		return err
	}
	tell := func(why reason, err error) error {
		return r.record(ctx, "", ledger.Warned{Text: fmt.Sprintf("waits: %s: %v", why, err)})
	}
	err = insist(ctx, defaults.Retry, func() error { return r.waits(ctx, defaults.Wait, bind, refusal, tell) })
	return b, err
}
