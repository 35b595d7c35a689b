package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// recentTasks is how far back the ids of an object's tasks are recorded before a start:
// the next runner finds by them which task is new.
const recentTasks = 48 * time.Hour

// start starts the step's task: the intent is recorded durably, then the POST is sent
// once. It is sent again only with another intent, when it is certain that nothing was
// started.
func (s *step) start(ctx context.Context) (anaplan.Task, *ending) {
	var task anaplan.Task
	var unsure *ending
	err := s.patient(ctx, func() error {
		if err := s.late(); err != nil {
			return err
		}
		before, err := tasksBefore(ctx, s.tenant.Client, s.object(), s.run.now())
		if err != nil {
			return fmt.Errorf("list its tasks: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.check(); err != nil {
			return err
		}
		task, unsure, err = s.post(ctx, before)
		return err
	})
	if unsure != nil {
		return anaplan.Task{}, unsure
	}
	if err != nil {
		return anaplan.Task{}, s.failed(ctx, "start", err)
	}
	return task, nil
}

// post records an intent and sends the start once. What became of it is settled if the
// answer was lost. The error says that nothing was started.
func (s *step) post(ctx context.Context, before ledger.TaskListed) (anaplan.Task, *ending, error) {
	number := s.run.intents.Add(1)
	intent := ledger.Intent{Number: int(number), Epoch: s.held.model.Epoch(), ServerTime: s.tenant.Client.ServerTime(), Before: before, Files: s.reads}
	at := s.run.now()
	err := s.record(intent)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = s.late()
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		s.note(ledger.StartRefused{Number: int(number), Text: fmt.Sprintf("it was not sent: %v", err)})
		return anaplan.Task{}, nil, err
	}
	s.progress(Progress{Phase: PhaseQueue, Done: -1, Text: "starting"})
	sending, cancel := graceful(ctx, stopGrace)
	defer cancel()
	task, err := s.tenant.Client.Start(sending, s.object(), anaplan.StartOptions{Locale: s.locale(), Mapping: s.bound.Prompts, Check: s.check})
	switch {
	case err == nil:
		started := ledger.TaskStarted{Number: int(number), Task: task.ID, Created: task.CreationTime}
		if lost := s.record(started); lost != nil {
			// It runs. The log is the last place that can keep its id.
			s.run.logger().Errorf("task %s of %s was started and could not be recorded: %v", task.ID, s.describe(), lost)
		}
		s.own = &origin{task.ID, cmp.Or(task.CreationTime, intent.ServerTime)}
		return task, nil, nil
	case errors.Is(err, anaplan.ErrNotStarted):
		s.note(ledger.StartRefused{Number: int(number), Text: err.Error()})
		return anaplan.Task{}, nil, err
	}
	s.note(ledger.StartUnknown{Number: int(number), Text: err.Error()})
	if s.run.outer.Err() != nil {
		return anaplan.Task{}, stopEnding(), nil // whoever continues finds out
	}
	found, end := s.settle(ctx, ledger.IntentState{Intent: intent, At: at, Lost: s.run.now()})
	if end != nil {
		return anaplan.Task{}, end, nil
	}
	if found != nil {
		s.own = &origin{found.ID, cmp.Or(found.CreationTime, intent.ServerTime)}
		return *found, nil, nil
	}
	return anaplan.Task{}, nil, errAbsent
}

// errAbsent says that a start whose answer was lost did not happen.
var errAbsent = errors.New("its start did not reach Anaplan")

// late says that nothing may be started any more.
func (s *step) late() error {
	if s.run.limits.past(s.run.limits.notAfter, s.run.now()) {
		s.run.late.Store(true)
		return errNotAfter
	}
	return nil
}

// errNotAfter says that it is too late to start anything.
var errNotAfter = errors.New("not_after has passed")

func (s *step) locale() string {
	if s.plan.Locale != "" {
		return s.plan.Locale
	}
	return "en_US"
}

// tasksBefore reads an object's whole task list.
func tasksBefore(ctx context.Context, c *anaplan.Client, o anaplan.Object, now time.Time) (ledger.TaskListed, error) {
	var listed ledger.TaskListed
	var latest []string // the ids of those created last
	for t, err := range c.Tasks(ctx, o) {
		if err != nil {
			return ledger.TaskListed{}, err
		}
		listed.Count++
		if t.CreationTime.After(listed.Latest) {
			listed.Latest, latest = t.CreationTime, nil
		}
		if t.CreationTime.Equal(listed.Latest) {
			latest = append(latest, t.ID)
		}
		// A task without a time may be recent.
		if t.CreationTime.IsZero() || now.Sub(t.CreationTime) < recentTasks {
			listed.Recent = append(listed.Recent, t.ID)
		}
	}
	for _, id := range latest {
		if !slices.Contains(listed.Recent, id) {
			listed.Recent = append(listed.Recent, id)
		}
	}
	return listed, nil
}
