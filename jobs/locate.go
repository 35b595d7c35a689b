package jobs

import (
	"context"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Locate finds a model by the names or ids that a person gave, for what is no job. It
// only reads. What cannot be found is configs.Problems that list what there is.
func Locate(ctx context.Context, connect Connect, workspace, model configs.Ref) (ledger.ModelRef, error) {
	b := located(ctx, connect)
	b.plan.Job.Workspace, b.plan.Job.Model = workspace, model
	user, err := b.catalog.user(ctx, "")
	if err != nil {
		return ledger.ModelRef{}, err
	}
	b.out.Users[""] = user
	var found BoundStep
	if _, err := b.model(PlanStep{}, &found); err != nil {
		return ledger.ModelRef{}, err
	}
	if len(b.problems) > 0 {
		return ledger.ModelRef{}, b.problems
	}
	return found.Model, nil
}

// LocateObject finds an object of a model, or one of its server files for the verbs
// upload and download, likewise.
func LocateObject(ctx context.Context, connect Connect, m ledger.ModelRef, verb configs.Verb, object configs.Ref) (ledger.ObjectRef, error) {
	b := located(ctx, connect)
	list := func() ([]item, error) { return b.catalog.objects(ctx, "", m, anaplan.Kind(verb)) }
	if !verb.StartsTask() {
		list = func() ([]item, error) { return b.catalog.files(ctx, "", m) }
	}
	items, err := list()
	if err != nil {
		return ledger.ObjectRef{}, err
	}
	found, ok := b.find(PlanStep{}, string(verb), object, items, "in model \""+m.Name+"\"")
	if !ok {
		return ledger.ObjectRef{}, b.problems
	}
	return ledger.ObjectRef{ID: found.id, Name: found.name}, nil
}

func located(ctx context.Context, connect Connect) *binder {
	plan := &Plan{Job: &configs.Job{}}
	return &binder{ctx: ctx, catalog: newCatalog(connect), plan: plan, out: &Bound{Plan: plan, Users: map[string]anaplan.User{}}}
}
