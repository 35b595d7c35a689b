package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// lookEvery is the time between two looks at the clock and at what people wish of the run.
const lookEvery = 5 * time.Second

// halt is the cause with which a run ends the context of its steps itself: its deadline has
// passed, or a person asked for it from elsewhere. Unlike after a signal there is time: a
// cancel is followed to its end.
type halt struct {
	asked  ledger.StopAsked
	cancel bool // tasks are cancelled, else left running
}

func (h *halt) Error() string { return h.asked.Text }

// halted is the halt that has ended a step's context; nil if none has, or if a signal has
// ended the run since.
func (r *run) halted(ctx context.Context) *halt {
	if r.outer.Err() != nil {
		return nil
	}
	if r.only {
		return r.cancelling()
	}
	h, _ := errors.AsType[*halt](context.Cause(ctx))
	return h
}

// lasting is the context for what a step does after its task has ended: that of the run as
// a whole, if only the run's own halt has ended the step's.
func (r *run) lasting(ctx context.Context) context.Context {
	if r.halted(ctx) != nil {
		return r.outer
	}
	return ctx
}

// wished says why the run must halt now, nil if it need not.
func (r *run) wished(ctx context.Context) *halt {
	if r.limits.past(r.limits.deadline, r.now()) {
		return &halt{asked: ledger.StopAsked{Cause: ledger.CauseTime,
			Text: "the deadline has passed: " + r.limits.deadline.Format("2006-01-02 15:04 MST")}, cancel: true}
	}
	if r.closed {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	w, err := r.Ledger.Asked(short, r.req.ID)
	if err != nil || w == nil || *w == r.earlier {
		return nil // looked at again in a moment
	}
	if w.What == ledger.WishDetach {
		return &halt{asked: ledger.StopAsked{Cause: ledger.CauseSignal, Signal: "SIGTERM", Text: "detached by " + w.By}}
	}
	return cancelledBy(w.By)
}

// cancelling is the halt of a run that is continued only to be cancelled.
func (r *run) cancelling() *halt {
	if r.why != nil {
		return r.why
	}
	return cancelledBy(r.by)
}

func cancelledBy(who string) *halt {
	return &halt{asked: ledger.StopAsked{Cause: ledger.CauseSignal, Signal: "SIGINT", Text: "cancelled by " + who}, cancel: true}
}

// limits are the times of day of a job as moments, zero without.
type limits struct {
	notAfter time.Time // nothing is started after it
	key      string    // of the job file, that says so
	deadline time.Time // what runs is cancelled then
}

func (l limits) past(limit, now time.Time) bool { return !limit.IsZero() && !now.Before(limit) }

// limitsOf are the limits of a job that a runner begins now, or goes on with.
func limitsOf(job *configs.Job, now time.Time, zone *time.Location) (limits, error) {
	l := limits{key: "not_after"}
	for _, one := range []struct {
		key, text string
		at        *time.Time
	}{{"not_after", job.NotAfter, &l.notAfter}, {"deadline", job.Deadline, &l.deadline}} {
		if one.text == "" {
			continue
		}
		at, err := meant(one.text, now.In(zone))
		if err != nil {
			return limits{}, fmt.Errorf("%s: %w", one.key, err)
		}
		*one.at = at
	}
	return l, nil
}

// missed is for how long after a time of day it counts as just missed.
const missed = 6 * time.Hour

// meant is the moment that a time of day means now: the next one, or the last one if that
// was less than six hours ago. A night that is begun at 18:00 ends at 06:30 tomorrow, one
// that is begun at 06:45 has missed it.
func meant(clock string, now time.Time) (time.Time, error) {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time of day", clock)
	}
	for day := -1; ; day++ {
		at := time.Date(now.Year(), now.Month(), now.Day()+day, t.Hour(), t.Minute(), 0, 0, now.Location())
		if now.Sub(at) < missed {
			return at, nil
		}
	}
}
