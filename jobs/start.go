package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// recentTasks is how far back the ids of an object's tasks are recorded before a start:
// the next runner finds by them which task is new.
const recentTasks = 48 * time.Hour

// start starts the step's task: the intent is recorded durably, then the POST is sent
// once. An answer that was lost ends the step as unsure; nothing here sends it again.
func (s *step) start(ctx context.Context) (anaplan.Task, *ending) {
	var task anaplan.Task
	var unsure *ending
	err := s.patient(ctx, func() error {
		before, err := tasksBefore(ctx, s.client, s.object(), s.run.now())
		if err != nil {
			return fmt.Errorf("list its tasks: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
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

// post records an intent and sends the start once. The error says that nothing was
// started.
func (s *step) post(ctx context.Context, before ledger.TaskListed) (anaplan.Task, *ending, error) {
	number := s.run.intents.Add(1)
	intent := ledger.Intent{Number: int(number), ServerTime: s.client.ServerTime(), Before: before}
	err := s.record(intent)
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		s.note(ledger.StartRefused{Number: int(number), Text: fmt.Sprintf("it was not sent: %v", err)})
		return anaplan.Task{}, nil, err
	}
	s.progress(Progress{Phase: PhaseQueue, Done: -1, Text: "starting"})
	sending, cancel := graceful(ctx, stopGrace)
	defer cancel()
	task, err := s.client.Start(sending, s.object(), anaplan.StartOptions{Locale: s.locale(), Mapping: s.bound.Prompts})
	switch {
	case err == nil:
		started := ledger.TaskStarted{Number: int(number), Task: task.ID, Created: task.CreationTime}
		if lost := s.record(started); lost != nil {
			// It runs. The log is the last place that can keep its id.
			s.run.logger().Errorf("task %s of %s was started and could not be recorded: %v", task.ID, s.describe(), lost)
		}
		return task, nil, nil
	case errors.Is(err, anaplan.ErrNotStarted):
		s.note(ledger.StartRefused{Number: int(number), Text: err.Error()})
		return anaplan.Task{}, nil, err
	}
	end := &ending{StepEnded: ledger.StepEnded{
		Verdict: ledger.Unsure, Cause: ledger.CauseStartUnknown,
		Message: fmt.Sprintf("%s: start: the answer was lost, Anaplan may run it: %v", s.describe(), err),
		Next:    fmt.Sprintf("look at its tasks (%s) before you start it again; nothing was repeated", s.look("")),
	}}
	s.note(ledger.StartUnknown{Number: int(number), Text: err.Error()})
	return anaplan.Task{}, end, nil
}

func (s *step) locale() string {
	if s.plan.Locale != "" {
		return s.plan.Locale
	}
	return "en_US"
}

// tasksBefore reads an object's whole task list.
func tasksBefore(ctx context.Context, c *anaplan.Client, o anaplan.Object, now time.Time) (ledger.TaskListed, error) {
	var listed ledger.TaskListed
	for t, err := range c.Tasks(ctx, o) {
		if err != nil {
			return ledger.TaskListed{}, err
		}
		listed.Count++
		if t.CreationTime.After(listed.Latest) {
			listed.Latest = t.CreationTime
		}
		// A task without a time may be recent.
		if t.CreationTime.IsZero() || now.Sub(t.CreationTime) < recentTasks {
			listed.Recent = append(listed.Recent, t.ID)
		}
	}
	return listed, nil
}
