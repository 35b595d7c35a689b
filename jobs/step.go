package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// step is one step under way, in its own goroutine. It owns nothing that others see:
// what it finds out it sends to the run to be recorded.
type step struct {
	run    *run
	plan   PlanStep
	bound  BoundStep
	client *anaplan.Client
	last   *ending // of the try before
}

// ending is how a step or a try ended.
type ending struct {
	ledger.StepEnded
	Again bool // it did not happen, and trying again may help
	Runs  bool // its task may still run: nothing else may start on its model

	// stopped: the run was stopped before the step's end was known. It is not recorded as
	// ended, so that it can be continued.
	stopped bool
}

// stopEnding is the ending of a step that was stopped.
func stopEnding() *ending { return &ending{stopped: true} }

func newStep(r *run, i int) *step {
	return &step{run: r, plan: r.bound.Plan.Steps[i], bound: r.bound.Steps[i]}
}

// do runs the step with its tries.
func (s *step) do(ctx context.Context) *ending {
	try := 0
	return s.again(ctx, func(ctx context.Context) *ending {
		if try > 0 {
			failed := ledger.TryFailed{Try: try, Cause: s.last.Cause, Text: s.last.Message}
			if err := s.record(failed); err != nil {
				return explain(err)
			}
		}
		try++
		if err := s.record(ledger.StepStarted{Try: try}); err != nil {
			return explain(err)
		}
		s.last = s.try(ctx)
		return s.last
	})
}

// again repeats what did not happen, as often and with the waits that the job says.
// What a task did has happened: it is not repeated from here.
func (s *step) again(ctx context.Context, f func(context.Context) *ending) *ending {
	tries, wait := retry(s.plan.Retry)
	for try := 1; ; try++ {
		end := f(ctx)
		if end.stopped || !end.Again || try >= tries {
			return end
		}
		if !sleep(ctx, wait) {
			return stopEnding()
		}
		wait = longer(wait)
	}
}

// try makes one attempt at the step.
func (s *step) try(ctx context.Context) *ending {
	tenant, err := s.run.Connect(ctx, s.plan.Connection)
	if err != nil {
		return s.failed(ctx, "connect", err)
	}
	s.client = tenant.Client
	sources, end := s.inspect(ctx)
	if end != nil {
		return end
	}
	for _, src := range sources {
		if end := s.upload(ctx, src); end != nil {
			return end
		}
	}
	switch {
	case s.plan.Verb == configs.Upload:
		return s.done("uploaded")
	case s.plan.Verb == configs.Download:
		return s.fetch(ctx)
	}
	task, end := s.start(ctx)
	if end != nil {
		return end
	}
	return s.attend(ctx, task)
}

// attend watches a started task to its end and collects what it left.
func (s *step) attend(ctx context.Context, task anaplan.Task) *ending {
	last, late, end := s.follow(ctx, task)
	if end != nil {
		return end
	}
	// The task has ended: what it left is fetched even if the run was stopped meanwhile,
	// for as long as the process has. Then its end is left to whoever continues.
	ctx, cancel := graceful(ctx, stopGrace)
	defer cancel()
	found := s.collect(ctx, last)
	if ctx.Err() != nil {
		return stopEnding()
	}
	s.note(found.events...)
	verdict := late.apply(judge(s.judged(last, found)))
	if verdict.Verdict == ledger.OK && s.plan.Verb == configs.Export {
		if end := s.again(ctx, s.fetch); end.stopped || end.Verdict != ledger.OK {
			end.Again = false // the export ran
			return end
		}
	}
	return &ending{StepEnded: verdict}
}

// note records what happened. That it could not be recorded changes nothing here: it is
// kept, and the run starts nothing more.
func (s *step) note(bodies ...ledger.Body) { _ = s.record(bodies...) }

// record asks the owner of the run's state to record events of this step, and waits
// until they are durable.
func (s *step) record(bodies ...ledger.Body) error {
	if len(bodies) == 0 {
		return nil
	}
	reply := make(chan error, 1)
	s.run.records <- recordRequest{s.plan.Name, bodies, reply}
	return <-reply
}

// failed explains an error of this step. One that only says that the run was stopped is
// no end of the step.
func (s *step) failed(ctx context.Context, doing string, err error) *ending {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return stopEnding()
	}
	e := explain(err)
	e.Message = fmt.Sprintf("%s: %s: %s", s.describe(), doing, e.Message)
	return e
}

// describe names what the step does, with Anaplan's object and the model.
func (s *step) describe() string {
	return fmt.Sprintf("%s %q (%s) in model %q", s.plan.Verb, s.bound.Object.Name, s.bound.Object.ID, s.bound.Model.Name)
}

// look is the command by which a person sees the object's tasks, or one of them: whole, so
// that it can be pasted.
func (s *step) look(task string) string {
	words := []string{"anaplan-runner tasks", string(s.plan.Verb), s.bound.Object.ID}
	if task != "" {
		words = append(words, task)
	}
	if name := cmp.Or(s.plan.Connection, s.run.bound.Plan.Job.Connection); name != "" {
		words = append(words, fmt.Sprintf("--connection %q", name))
	}
	return strings.Join(append(words, "--workspace", s.bound.Model.Workspace, "--model", s.bound.Model.ID), " ")
}

func (s *step) done(text string) *ending {
	return &ending{StepEnded: ledger.StepEnded{Verdict: ledger.OK, Message: s.describe() + ": " + text}}
}

func (s *step) model() anaplan.ModelRef {
	return anaplan.ModelRef{Workspace: s.bound.Model.Workspace, Model: s.bound.Model.ID}
}

func (s *step) object() anaplan.Object {
	return anaplan.Object{Model: s.model(), Kind: s.bound.Kind, ID: s.bound.Object.ID}
}

func (s *step) progress(p Progress) {
	p.Step = s.plan.Name
	s.run.progress(p)
}

// stopGrace is how long a step goes on with what it must finish after the run was
// stopped. The process ends within 4 s (design.md 5, signals).
const stopGrace = 2 * time.Second

// graceful is a context that outlives ctx by d.
func graceful(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if sleep(longer, d) {
			cancel(context.Cause(ctx))
		}
	})
	return longer, func() { stop(); cancel(context.Canceled) }
}

// sleep waits and says whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
