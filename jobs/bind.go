package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Bind resolves every name of a plan and accounts for the file of every import, before
// anything starts. It only reads. Everything that is wrong is returned at once, as
// configs.Problems; an error of the network, of the login or of the API is returned as
// it is. Steps that are skipped are not bound.
func Bind(ctx context.Context, plan *Plan, connect Connect) (*Bound, error) {
	b := &binder{ctx: ctx, catalog: newCatalog(connect), plan: plan,
		out: &Bound{Plan: plan, Steps: make([]BoundStep, len(plan.Steps)), Users: map[string]anaplan.User{}}}
	for i, s := range plan.Steps {
		if s.Skip {
			continue
		}
		if err := b.step(i); err != nil {
			return nil, fmt.Errorf("step %q: %w", s.Name, err)
		}
	}
	b.order()
	if len(b.problems) == 0 {
		b.sequence()
	}
	if len(b.problems) > 0 {
		slices.SortStableFunc(b.problems, func(p, q configs.Problem) int { return cmp.Compare(p.Line, q.Line) })
		if b.passing {
			return nil, passingError{b.problems}
		}
		return nil, b.problems
	}
	return b.out, nil
}

// passingError are problems of which one may pass without a change of the job: a model is
// archived, or cannot be seen by this user.
type passingError struct{ configs.Problems }

func (e passingError) Unwrap() error { return e.Problems }

// binder resolves the steps in file order. Its methods return errors of the API; what is
// wrong with the job they add to the problems.
type binder struct {
	ctx      context.Context
	catalog  *catalog
	plan     *Plan
	out      *Bound
	problems configs.Problems
	passing  bool // one of them may pass: see passingError
}

// wrong adds a problem of a step, at the key in its file.
func (b *binder) wrong(s PlanStep, key, instead, format string, args ...any) {
	b.problems = append(b.problems, problem(b.plan.Job, s.Step, key, fmt.Sprintf(format, args...), instead))
}

// shared moves the problem after the first n to the key of the whole job that it is about,
// and leaves one of those that several steps have.
func (b *binder) shared(n int, key string) {
	if len(b.problems) == n {
		return
	}
	p := b.problems[n] // find reports one
	at := b.plan.Job.Positions.Near(key)
	p.Key, p.Line, p.Column = key, at.Line, at.Column
	b.problems = b.problems[:n]
	if !slices.Contains(b.problems, p) {
		b.problems = append(b.problems, p)
	}
}

func (b *binder) warn(s PlanStep, format string, args ...any) {
	b.out.Warnings = append(b.out.Warnings, fmt.Sprintf("step %q: ", s.Name)+fmt.Sprintf(format, args...))
}

// step resolves one step: where, what, and what it reads and writes.
func (b *binder) step(i int) error {
	s := b.plan.Steps[i]
	bound := &b.out.Steps[i]
	if s.Verb == configs.Command {
		return nil // it knows nothing of Anaplan
	}
	bound.Connection = s.Connection
	user, err := b.catalog.user(b.ctx, s.Connection)
	if err != nil {
		return err
	}
	b.out.Users[s.Connection] = user
	ok, err := b.model(s, bound)
	if err != nil || !ok {
		return err
	}
	switch s.Verb {
	case configs.Import:
		return b.importStep(i, s, bound)
	case configs.Export:
		return b.exportStep(s, bound)
	case configs.Process:
		return b.processStep(i, s, bound)
	case configs.Action:
		return b.actionStep(s, bound)
	case configs.Upload:
		return b.uploadStep(s, bound)
	case configs.Download:
		return b.downloadStep(i, s, bound)
	}
	b.wrong(s, string(s.Verb), "", "this verb cannot be run")
	return nil
}

// model finds the step's model.
func (b *binder) model(s PlanStep, bound *BoundStep) (ok bool, err error) {
	space, model := s.Workspace, s.Model
	ownSpace, ownModel := !space.Zero(), !model.Zero()
	if !ownSpace {
		space = b.plan.Job.Workspace
	}
	if !ownModel {
		model = b.plan.Job.Model
	}
	known := len(b.problems)
	spaces, err := b.catalog.workspaces(b.ctx, s.Connection)
	if err != nil {
		return false, err
	}
	user := b.out.Users[s.Connection].Email
	w, ok := b.find(s, "workspace", space, spaces, fmt.Sprintf("among the workspaces of %s", user))
	if !ok {
		if !ownSpace && s.Name != "" {
			b.shared(known, "anaplan.workspace")
		}
		return false, nil
	}
	models, err := b.catalog.models(b.ctx, s.Connection, w.id)
	if err != nil {
		return false, err
	}
	m, ok := b.find(s, "model", model, models, fmt.Sprintf("in workspace %q", w.name))
	if !ok {
		if !ownModel && s.Name != "" {
			b.shared(known, "anaplan.model")
		}
		return false, nil
	}
	host, err := b.catalog.host(b.ctx, s.Connection)
	if err != nil {
		return false, err
	}
	bound.Model = ledger.ModelRef{ID: m.id, Name: m.name, Workspace: w.id, Host: host}
	switch m.kind {
	case "ARCHIVED":
		b.passing = true
		b.wrong(s, "model", "ask an administrator to unarchive it", "model %q is archived", m.name)
		if !ownModel && s.Name != "" {
			b.shared(known, "anaplan.model")
		}
		return false, nil
	case "LOCKED":
		b.warn(s, "model %q is locked at the moment", m.name)
	case "MAINTENANCE", "PRODUCTION_MAINTENANCE":
		b.warn(s, "model %q is offline at the moment", m.name)
	}
	return true, nil
}

// object finds what the step runs, in the list of its kind.
func (b *binder) object(s PlanStep, bound *BoundStep, kind anaplan.Kind) (item, bool, error) {
	items, err := b.catalog.objects(b.ctx, s.Connection, bound.Model, kind)
	if err != nil {
		return item{}, false, b.access(s, bound, err)
	}
	ref := s.Object
	id := ref.ID
	if id == "" {
		id = ref.Name
	}
	if k, ok := anaplan.KindOf(id); ok && k != kind {
		b.wrong(s, string(s.Verb), fmt.Sprintf("write %s = %q", k, id), "%s is the id of %s", id, oneOf(string(k)))
		return item{}, false, nil
	}
	before := len(b.problems)
	found, ok := b.find(s, string(s.Verb), ref, items, fmt.Sprintf("in model %q", bound.Model.Name))
	if ok {
		bound.Kind = kind
		bound.Object = ledger.ObjectRef{ID: found.id, Name: found.name}
		return found, true, nil
	}
	// It may be there as something else.
	for _, other := range []anaplan.Kind{anaplan.KindImport, anaplan.KindExport, anaplan.KindProcess, anaplan.KindAction} {
		if other == kind {
			continue
		}
		items, err := b.catalog.objects(b.ctx, s.Connection, bound.Model, other)
		if err != nil {
			return item{}, false, b.access(s, bound, err)
		}
		if slices.ContainsFunc(items, func(n item) bool { return n.name == ref.Name }) {
			b.problems[before].Instead = fmt.Sprintf("it is %s: write %s = %q", oneOf(string(other)), other, ref.Name)
		}
	}
	return item{}, false, nil
}

// access turns a 404 of something inside a model into what it most often means.
func (b *binder) access(s PlanStep, bound *BoundStep, err error) error {
	if !isNotFound(err) {
		return err
	}
	b.passing = true
	b.wrong(s, "model", fmt.Sprintf("give %s a role in the model", b.out.Users[s.Connection].Email),
		"Anaplan answers 404 for everything in model %q: the user has no access to it", bound.Model.Name)
	return nil
}

func (b *binder) actionStep(s PlanStep, bound *BoundStep) error {
	found, ok, err := b.object(s, bound, anaplan.KindAction)
	if err != nil || !ok {
		return err
	}
	deletes := isDelete(found.kind)
	bound.Blind = !deletes
	switch {
	case deletes && !s.Delete:
		b.wrong(s, "action", "write delete = true, if that is what you want", "action %q deletes", found.name)
	case !deletes && found.kind != "" && s.Delete:
		b.wrong(s, "delete", "take delete = true out", "action %q is not a delete action, it is %s", found.name, found.kind)
	case found.kind == "" && !s.Delete:
		b.warn(s, "Anaplan does not say what kind of action %q is", found.name)
	}
	return nil
}

// isDelete says whether an action of this type deletes: what, is said in the model
// (anaplan-api.md 10.3, 10.4).
func isDelete(actionType string) bool {
	return actionType == "DELETE_BY_SELECTION" || actionType == "BULK_DELETE_ENTITIES"
}

func (b *binder) exportStep(s PlanStep, bound *BoundStep) error {
	found, ok, err := b.object(s, bound, anaplan.KindExport)
	if err != nil || !ok {
		return err
	}
	out := FileOutput{Export: ledger.ObjectRef{ID: found.id, Name: found.name}, Guard: guardOf(s.Guard)}
	out.Targets = targetsOf(s.Targets)
	if err = b.exportFormat(s, bound, &out); err != nil {
		return err
	}
	b.outputGuarded(s, "guard", out)
	bound.Exports = []FileOutput{out}
	return nil
}

// exportFormat finds how an export writes its rows: its header stands in the first line.
func (b *binder) exportFormat(s PlanStep, bound *BoundStep, out *FileOutput) error {
	d, err := b.catalog.exportDetail(b.ctx, s.Connection, bound.Model, out.Export.ID)
	if err != nil {
		return err
	}
	// What is no text is taken as it is; a format that is not named is (10.2).
	text := d.Format == "" || strings.HasPrefix(d.Format, "text/")
	out.Format = data.Format{Encoding: d.Encoding, Separator: d.Separator, Delimiter: d.Delimiter, HeaderRow: 1, FirstRow: 2, Opaque: !text}
	if len(d.HeaderNames) > 0 {
		out.Header = d.HeaderNames
	}
	return nil
}

// outputGuarded reports a guard that asks for what a download cannot tell.
func (b *binder) outputGuarded(s PlanStep, key string, out FileOutput) {
	g := out.Guard
	if out.Format.Opaque && (g.MinRows != nil || g.MaxRows != nil || g.Header || g.Names != nil || g.Fields > 0 || g.Columns != nil || g.CompareLast != nil || g.Control != nil) {
		b.wrong(s, key, "take it out, or make the export write CSV", "the output of %q is no text, its rows cannot be counted", out.Export.Name)
	}
	if g.Header && out.Header == nil {
		b.warn(s, "%s.header: Anaplan does not say which header %q writes: nothing is compared", key, out.Export.Name)
	}
}

func targetsOf(targets []configs.Target) []data.Target {
	var all []data.Target
	for _, t := range targets {
		all = append(all, data.Target{Name: t.Path, Keep: t.Keep, Done: t.Done})
	}
	return all
}

func guardOf(g configs.Guard) Guard {
	guard := Guard{Guard: data.Guard{MinRows: g.MinRows, MaxRows: g.MaxRows, MinSize: g.MinSize, Header: g.Header != nil && *g.Header,
		Names: g.Names, Fields: g.Fields, Columns: g.Columns, Unchanged: g.Unchanged, CompareLast: g.CompareLast}, Command: g.Command}
	if g.MaxAge != nil {
		guard.MaxAge = &data.Age{Duration: g.MaxAge.Duration, Days: g.MaxAge.Days}
	}
	if g.Control != nil {
		guard.Control = &data.Control{Rows: g.Control.Rows, Sums: g.Control.Sums}
		guard.Totals = g.Control.Path
	}
	return guard
}

// order warns of imports from another model that nothing orders against the steps that
// change that model.
func (b *binder) order() {
	for i, bound := range b.out.Steps {
		for j, other := range b.out.Steps {
			if i == j || !slices.Contains(bound.Shares, other.Model.ID) || other.Kind == "" || other.Kind == anaplan.KindExport {
				continue
			}
			if !waitsFor(b.plan, i, j) && !waitsFor(b.plan, j, i) {
				b.warn(b.plan.Steps[i], "it reads model %q, which step %q changes, and nothing says which comes first: name it in needs",
					other.Model.Name, b.plan.Steps[j].Name)
			}
		}
	}
}
