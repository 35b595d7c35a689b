package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// serverFile finds the file of an upload or download step.
func (b *binder) serverFile(s PlanStep, bound *BoundStep) (item, bool, error) {
	files, err := b.catalog.files(b.ctx, s.Connection, bound.Model)
	if err != nil {
		return item{}, false, b.access(s, bound, err)
	}
	if s.Verb == configs.Upload && !slices.ContainsFunc(files, func(n item) bool { return n.id == s.Object.ID || n.name == s.Object.Name }) {
		files = slices.DeleteFunc(slices.Clone(files), func(n item) bool { return !isSource(n.id) }) // what to write instead
	}
	found, ok := b.find(s, string(s.Verb), s.Object, files, fmt.Sprintf("among the server files of model %q", bound.Model.Name))
	if ok {
		bound.Object = ledger.ObjectRef{ID: found.id, Name: found.name}
	}
	return found, ok, nil
}

// isSource says whether a server file can be uploaded to (anaplan-api.md 1.2).
func isSource(id string) bool { return strings.HasPrefix(id, "113") }

func (b *binder) uploadStep(s PlanStep, bound *BoundStep) error {
	found, ok, err := b.serverFile(s, bound)
	if err != nil || !ok {
		return err
	}
	if !isSource(found.id) { // anything else would become a new file (anaplan-api.md 9.3)
		b.wrong(s, "upload", "name a file that an import reads", "%q (%s) is the output of an export", found.name, found.id)
		return nil
	}
	if s.Source == nil || s.Source.Server {
		b.wrong(s, "source", `write source = "path"`, "an upload needs a source of its own")
		return nil
	}
	in := FileInput{File: bound.Object, Format: formatOf(found.file), Guard: guardOf(s.Guard), By: -1}
	in.from(*s.Source)
	bound.Reads = []FileInput{in}
	return nil
}

func (b *binder) downloadStep(i int, s PlanStep, bound *BoundStep) error {
	found, ok, err := b.serverFile(s, bound)
	if err != nil || !ok {
		return err
	}
	out := FileOutput{Export: bound.Object, Guard: guardOf(s.Guard), Format: formatOf(found.file)}
	out.Targets = targetsOf(s.Targets)
	if strings.HasPrefix(found.id, "116") {
		if err = b.exportFormat(s, bound, &out); err != nil {
			return err
		}
	}
	b.outputGuarded(s, "guard", out)
	if !s.Stale && !b.written(i, found.id) {
		b.wrong(s, "download", "put a step that runs the export before it, or write stale = true to take what is there",
			"server file %q: no step before this one writes it in this run", found.name)
	}
	bound.Exports = []FileOutput{out}
	return nil
}

// written says whether a step that step i waits for runs the export of a file.
func (b *binder) written(i int, file string) bool {
	for j := range i {
		// What an export writes is private, as uploads are (anaplan-api.md 11.9).
		if b.plan.Steps[j].Skip || b.out.Steps[j].Model != b.out.Steps[i].Model || !b.out.Steps[j].runs() ||
			b.user(j) != b.user(i) || !waitsFor(b.plan, i, j) {
			continue
		}
		if slices.ContainsFunc(b.out.Steps[j].Exports, func(o FileOutput) bool { return o.Export.ID == file }) {
			return true
		}
	}
	return false
}

// runs says whether the step starts a task.
func (s BoundStep) runs() bool { return s.Kind != "" }
