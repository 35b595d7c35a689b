package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// waitEvery is the time between two tries of something that a model's state refused.
const waitEvery = 30 * time.Second

// impatience is the error of a wait whose patience ended.
type impatience struct {
	reason string
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

// patient repeats what the state of the model refused, for as long as the job allows
// for that reason. Its function must not have done anything when it fails.
func (s *step) patient(ctx context.Context, f func() error) error {
	since := map[string]time.Time{}
	for {
		err := f()
		reason, limit := s.reason(err)
		if reason == "" {
			return err
		}
		first, waiting := since[reason]
		if !waiting {
			first = time.Now()
			since[reason] = first
		}
		left := limit - time.Since(first)
		if left <= 0 {
			return &impatience{reason, limit, err}
		}
		if !waiting {
			text := s.holder(ctx, err)
			if err := s.record(ledger.Waiting{Reason: reason, Text: text}); err != nil {
				return err
			}
			s.progress(Progress{Phase: PhaseWait, Text: text, Done: -1})
		}
		if !sleep(ctx, min(waitEvery, left)) {
			return context.Cause(ctx)
		}
	}
}

// reason says why the model refused, and how long the step waits for that to pass
// (anaplan-api.md 6.2, 8.3). An empty reason is not waited for.
func (s *step) reason(err error) (string, time.Duration) {
	switch {
	case errors.Is(err, anaplan.ErrBusy):
		return "the model is busy", patience(s.plan.Wait.Busy, 2*time.Hour)
	case errors.Is(err, anaplan.ErrOffline):
		return "the model is offline for maintenance", patience(s.plan.Wait.Maintenance, 6*time.Hour)
	case errors.Is(err, anaplan.ErrLocked):
		return "the model is locked", patience(s.plan.Wait.Locked, 0)
	case errors.Is(err, anaplan.ErrMoved):
		return "the model has moved", patience(s.plan.Wait.Closed, 30*time.Minute)
	}
	return "", 0
}

func patience(set *time.Duration, standard time.Duration) time.Duration {
	if set != nil {
		return *set
	}
	return standard
}

// holder says who holds the model, as far as its status tells within a moment.
func (s *step) holder(ctx context.Context, why error) string {
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, err := s.client.Status(short, s.model())
	if err != nil {
		return why.Error()
	}
	text := why.Error() + "; model status: " + status.CurrentStep
	if status.Tooltip != "" {
		text += " (" + status.Tooltip + ")"
	}
	return text
}
