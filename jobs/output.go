package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// origin is the task whose output a step downloads.
type origin struct {
	task  string
	since time.Time // it was created then, or later
}

// originOf is the origin of what step i downloads; nil where nothing can have come between:
// an export that this runner runs itself holds its model until the output is here.
func originOf(r *run, i int) *origin {
	plan := r.bound.Plan.Steps[i]
	writer := -1
	switch {
	case plan.Verb == configs.Export || plan.Verb == configs.Process:
		writer = i
	case plan.Verb == configs.Download && !plan.Stale:
		export := r.bound.Steps[i].Exports[0].Export.ID
		for j := range i {
			if b := r.bound.Steps[j]; b.runs() && b.Model == r.bound.Steps[i].Model &&
				slices.ContainsFunc(b.Exports, func(o FileOutput) bool { return o.Export.ID == export }) {
				writer = j
			}
		}
	}
	if writer < 0 {
		return nil
	}
	last := lastOf(&r.state.Steps[writer])
	if last == nil || last.Task == "" {
		return nil
	}
	from := &origin{last.Task, last.Created}
	if from.since.IsZero() {
		from.since = last.ServerTime
	}
	return from
}

// overwritten says that an output is another task's by now: the next run of the export by
// the same user writes in its place (anaplan-api.md 11.9).
type overwritten struct{ by string }

func (e *overwritten) Error() string {
	return fmt.Sprintf("its output may have been written anew since, by %s", e.by)
}

// still says whether an export's output is certainly still that of the step's task. Nobody of
// this ledger comes between while the model is held; once a lease may be lost, the task lists
// are asked.
func (s *step) still(ctx context.Context, export ledger.ObjectRef) error {
	if s.origin == nil && s.check() != nil {
		s.origin = s.own
	}
	return s.patient(ctx, func() error { return s.untouched(ctx, export) })
}

// untouched says whether an export's output is certainly still that of its origin: since
// then neither the export nor a process with it was run, by anybody. The lists do not tell
// who did.
func (s *step) untouched(ctx context.Context, export ledger.ObjectRef) error {
	if s.origin == nil {
		return nil
	}
	o := anaplan.Object{Model: s.model(), Kind: anaplan.KindExport, ID: export.ID}
	if err := s.notSince(ctx, o, fmt.Sprintf("export %q", export.Name)); err != nil {
		return err
	}
	for p, err := range s.tenant.Client.Processes(ctx, s.model()) {
		if err != nil {
			return err
		}
		detail, err := s.tenant.Client.ProcessDetail(ctx, s.model(), p.ID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(detail.Actions, func(a anaplan.ProcessAction) bool { return a.ID == export.ID }) {
			continue
		}
		if err := s.notSince(ctx, anaplan.Object{Model: s.model(), Kind: anaplan.KindProcess, ID: p.ID}, fmt.Sprintf("process %q", p.Name)); err != nil {
			return err
		}
	}
	return nil
}

// notSince says that an object was not run after the step's origin.
func (s *step) notSince(ctx context.Context, o anaplan.Object, name string) error {
	for t, err := range s.tenant.Client.Tasks(ctx, o) {
		if err != nil {
			return err
		}
		if t.ID != s.origin.task && t.State != anaplan.Cancelled && (t.CreationTime.IsZero() || !t.CreationTime.Before(s.origin.since)) {
			return &overwritten{fmt.Sprintf("task %s of %s", t.ID, name)}
		}
	}
	return nil
}

// replaced is the ending of a step whose output is not there any more.
func (s *step) replaced(o *overwritten) *ending {
	end := &ending{StepEnded: ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseInput,
		Message: fmt.Sprintf("%s: task %s: %v; nothing was replaced", s.describe(), s.origin.task, o),
		Next:    "run it again"}}
	if s.plan.Verb == configs.Export && rerunSafe(s.plan) {
		end.Rerun = o.Error()
	}
	return end
}
