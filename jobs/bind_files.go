package jobs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// importStep binds an import: its file must get its bytes in this run, since an upload
// dies after 48 hours and Anaplan then loads the default file without a word
// (anaplan-api.md 9.1).
func (b *binder) importStep(i int, s PlanStep, bound *BoundStep) error {
	found, ok, err := b.object(s, bound, anaplan.KindImport)
	if err != nil || !ok {
		return err
	}
	for _, p := range s.Prompts {
		bound.Prompts = append(bound.Prompts, anaplan.MappingParameter{EntityType: p.Dimension, EntityName: p.Item})
	}
	part := ImportPart{Object: bound.Object, File: found.imp.File(), Accept: s.Accept}
	bound.Imports = []ImportPart{part}
	if part.File == "" {
		if s.Source != nil {
			b.wrong(s, "source", "take source out", "import %q does not read a file that can be uploaded", found.name)
		}
		b.shares(bound, found.imp)
		return nil
	}
	in, err := b.input(s, bound, part)
	if err != nil {
		return err
	}
	in.Guard = guardOf(s.Guard)
	if s.Source != nil {
		in.from(*s.Source)
		b.headerKnown(s, "guard.header", in)
	} else if in.By = b.filledBy(i, part.File); in.By < 0 {
		why, instead := b.unfilled(i, part.File)
		if instead == "" {
			instead = `write source = "path"; or source = "server" to load what the model holds`
		}
		b.wrong(s, "import", instead, "import %q reads server file %q, which gets no bytes in this run%s", found.name, in.File.Name, why)
	} else {
		b.headerKnown(s, "guard.header", in)
		b.guardUpload(in)
	}
	bound.Reads = []FileInput{in}
	return nil
}

// from takes in where the bytes come from.
func (in *FileInput) from(src configs.Source) {
	if src.Server {
		in.Server = true
		return
	}
	in.Source = data.Source{Name: src.Path, Pick: string(src.Pick), Member: src.Member, Encoding: src.Encoding}
	in.WaitFor = data.WaitFor{Name: src.WaitFor.Path, Limit: src.WaitFor.Limit}
	in.After = src.After
}

// shares records the model that an import reads instead of a file.
func (b *binder) shares(bound *BoundStep, i anaplan.Import) {
	if i.File() == "" && i.DataSource.SourceModelID == "" {
		bound.Blind = true
	}
	if id := i.DataSource.SourceModelID; id != "" && !slices.Contains(bound.Shares, id) {
		bound.Shares = append(bound.Shares, id)
	}
}

// input describes the file that an import reads.
func (b *binder) input(s PlanStep, bound *BoundStep, part ImportPart) (FileInput, error) {
	in := FileInput{File: ledger.ObjectRef{ID: part.File}, By: -1}
	files, err := b.catalog.files(b.ctx, s.Connection, bound.Model)
	if err != nil {
		return in, err
	}
	for _, f := range files {
		if f.id == part.File {
			in.File.Name = f.name
			in.Format = formatOf(f.file)
		}
	}
	d, err := b.catalog.importDetail(b.ctx, s.Connection, bound.Model, part.Object.ID)
	if err != nil {
		return in, err
	}
	if src := d.Source; src.ColumnCount > 0 || len(src.HeaderNames) > 0 || src.Separator != "" {
		in.Format = data.Format{Encoding: src.Encoding, Separator: src.Separator, Delimiter: src.Delimiter,
			HeaderRow: src.HeaderRow, FirstRow: src.FirstDataRow}
		if len(src.HeaderNames) > 0 {
			in.Header = src.HeaderNames
		}
	}
	return in, nil
}

// headerKnown warns of a header guard that has nothing to compare with.
func (b *binder) headerKnown(s PlanStep, key string, in FileInput) {
	if in.Guard.Header && in.Header == nil {
		b.warn(s, "%s: Anaplan does not say which header it expects of server file %q: nothing is compared", key, in.File.Name)
	}
}

// guardUpload holds the guard of an import against what an earlier step uploads for it.
func (b *binder) guardUpload(in FileInput) {
	for i := range b.out.Steps[in.By].Reads {
		up := &b.out.Steps[in.By].Reads[i]
		if up.File.ID != in.File.ID {
			continue
		}
		if in.Guard.Header {
			up.Guard.Header, up.Header, up.Format = true, in.Header, in.Format
		}
		up.Guard.also(in.Guard)
	}
}

// also takes from another guard what this one does not say.
func (g *Guard) also(other Guard) {
	if g.MinRows == nil {
		g.MinRows = other.MinRows
	}
	if g.MaxRows == nil {
		g.MaxRows = other.MaxRows
	}
	if g.MinSize == nil {
		g.MinSize = other.MinSize
	}
	if g.MaxAge == nil {
		g.MaxAge = other.MaxAge
	}
	if g.Names == nil {
		g.Names = other.Names
	}
	if g.Fields == 0 {
		g.Fields = other.Fields
	}
	if g.Columns == nil {
		g.Columns = other.Columns
	}
	if g.Unchanged == "" && other.Unchanged != "skip" { // what is uploaded is not skipped
		g.Unchanged = other.Unchanged
	}
	if g.CompareLast == nil {
		g.CompareLast = other.CompareLast
	}
	if g.Control == nil {
		g.Control, g.Totals = other.Control, other.Totals
	}
	if g.Command == nil {
		g.Command = other.Command
	}
}

func formatOf(f anaplan.File) data.Format {
	return data.Format{Encoding: f.Encoding, Separator: f.Separator, Delimiter: f.Delimiter, HeaderRow: f.HeaderRow, FirstRow: f.FirstDataRow}
}

// filledBy is the last upload step, with the same login, that fills a server file before
// step i, which waits for it; -1 if there is none.
func (b *binder) filledBy(i int, file string) int {
	for j := i - 1; j >= 0; j-- {
		s, bound := b.plan.Steps[j], b.out.Steps[j]
		if s.Skip || s.Verb != configs.Upload || bound.Object.ID != file || bound.Model != b.out.Steps[i].Model {
			continue
		}
		// Uploads are private (anaplan-api.md 8.3).
		if b.user(j) == b.user(i) && waitsFor(b.plan, i, j) {
			return j
		}
	}
	return -1
}

// unfilled says of an upload step that fills a server file why it does not for step i, and
// what to do about that; nothing if there is none.
func (b *binder) unfilled(i int, file string) (why, instead string) {
	for j, s := range b.plan.Steps {
		if s.Verb != configs.Upload || b.out.Steps[j].Object.ID != file || b.out.Steps[j].Model != b.out.Steps[i].Model || s.Skip {
			continue
		}
		if b.user(j) != b.user(i) {
			return fmt.Sprintf(": step %q uploads it with another login, and uploads are private", s.Name), "upload and import with one connection"
		}
		return fmt.Sprintf(": step %q uploads it, and this step does not wait for that", s.Name), fmt.Sprintf("write needs = [%q]", s.Name)
	}
	return "", ""
}

// user is the id of the login of a step.
func (b *binder) user(i int) string { return b.out.user(i) }

func (b *Bound) user(i int) string { return b.Users[b.Steps[i].Connection].ID }

// processStep binds a process with the files and prompts of the actions inside.
func (b *binder) processStep(i int, s PlanStep, bound *BoundStep) error {
	_, ok, err := b.object(s, bound, anaplan.KindProcess)
	if err != nil || !ok {
		return err
	}
	detail, err := b.catalog.processDetail(b.ctx, s.Connection, bound.Model, bound.Object.ID)
	if err != nil {
		return err
	}
	for _, p := range s.Prompts {
		bound.Prompts = append(bound.Prompts, anaplan.MappingParameter{EntityType: p.Dimension, EntityName: p.Item})
	}
	settings := b.settings(s, bound, detail)
	sources := b.sources(s, bound, detail)
	outputs := b.outputs(s, bound, detail)
	filled := map[string]bool{}
	for _, a := range detail.Actions {
		bound.Actions = append(bound.Actions, ledger.ObjectRef{ID: a.ID, Name: a.Name})
		switch kind, _ := anaplan.KindOf(a.ID); kind {
		case anaplan.KindExport:
			if slices.ContainsFunc(bound.Exports, func(o FileOutput) bool { return o.Export.ID == a.ID }) {
				continue
			}
			out := FileOutput{Export: ledger.ObjectRef{ID: a.ID, Name: a.Name}}
			if f, ok := outputs[a.ID]; ok {
				out.Targets, out.Guard = targetsOf(f.Targets), guardOf(f.Guard)
				if err := b.exportFormat(s, bound, &out); err != nil {
					return err
				}
				b.outputGuarded(s, "files."+configs.QuoteKey(label(f.File))+".guard", out)
			}
			bound.Exports = append(bound.Exports, out)
		case anaplan.KindImport:
			part := ImportPart{Object: ledger.ObjectRef{ID: a.ID, Name: a.Name}, File: a.File(), Accept: s.Accept}
			if own, ok := settings[a.ID]; ok {
				if own.Accept != nil {
					part.Accept = *own.Accept
				}
				for _, p := range own.Prompts {
					bound.Prompts = append(bound.Prompts, anaplan.MappingParameter{EntityType: p.Dimension, EntityName: p.Item, ImportID: a.ID})
				}
			}
			bound.Imports = append(bound.Imports, part)
			b.shares(bound, a.Import)
			if part.File == "" || filled[part.File] {
				continue
			}
			filled[part.File] = true
			if err := b.processFile(i, s, bound, part, sources); err != nil {
				return err
			}
		default:
			bound.Blind = bound.Blind || !isDelete(a.ActionType)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(sources)) {
		if f := sources[id]; !filled[id] {
			b.wrong(s, "files."+configs.QuoteKey(label(f.File)), "take it out, or write the name of a file that an import in the process reads: "+b.fileNames(bound),
				"no import in process %q reads server file %q", bound.Object.Name, label(f.File))
		}
	}
	return nil
}

// processFile binds a file that an import in a process reads.
func (b *binder) processFile(i int, s PlanStep, bound *BoundStep, part ImportPart, sources map[string]configs.StepFile) error {
	in, err := b.input(s, bound, part)
	if err != nil {
		return err
	}
	if f, ok := sources[part.File]; ok {
		in.from(f.Source)
		in.Guard = guardOf(f.Guard)
		b.headerKnown(s, "files."+configs.QuoteKey(label(f.File))+".guard.header", in)
	} else if in.By = b.filledBy(i, part.File); in.By < 0 && len(sources) == countSources(s.Files) { // else one is misspelt
		why, instead := b.unfilled(i, part.File)
		if instead == "" {
			instead = fmt.Sprintf(`write files = { %q = "path" }; or "server" in place of the path to load what the model holds`, in.File.Name)
		}
		b.wrong(s, "process", instead, "import %q in process %q reads server file %q, which gets no bytes in this run%s",
			part.Object.Name, bound.Object.Name, in.File.Name, why)
	}
	bound.Reads = append(bound.Reads, in)
	return nil
}

// settings finds what the step says of single actions.
func (b *binder) settings(s PlanStep, bound *BoundStep, d anaplan.ProcessDetail) map[string]configs.StepAction {
	var items []item
	for _, a := range d.Actions {
		items = append(items, item{id: a.ID, name: a.Name})
	}
	all := map[string]configs.StepAction{}
	for _, a := range s.Actions {
		key := "actions." + configs.QuoteKey(label(a.Action))
		if found, ok := b.find(s, key, a.Action, unique(items), fmt.Sprintf("in process %q", bound.Object.Name)); ok {
			all[found.id] = a
			if kind, _ := anaplan.KindOf(found.id); kind != anaplan.KindImport {
				b.wrong(s, key, "take it out", "%q is not an import", found.name)
			}
		}
	}
	return all
}

// sources finds the server files that the step gives sources to.
func (b *binder) sources(s PlanStep, bound *BoundStep, d anaplan.ProcessDetail) map[string]configs.StepFile {
	files, err := b.catalog.files(b.ctx, s.Connection, bound.Model)
	if err != nil {
		return nil // reported where it is needed
	}
	files = slices.DeleteFunc(slices.Clone(files), func(n item) bool { return !isSource(n.id) })
	all := map[string]configs.StepFile{}
	for _, f := range s.Files {
		if f.Targets != nil {
			continue
		}
		key := "files." + configs.QuoteKey(label(f.File))
		found, ok := b.find(s, key, f.File, files, fmt.Sprintf("among the server files of model %q", bound.Model.Name))
		if !ok {
			continue
		}
		if _, twice := all[found.id]; twice {
			b.wrong(s, key, "leave one", "server file %q gets two sources", found.name)
		}
		all[found.id] = f
	}
	return all
}

// outputs finds the exports in a process whose outputs the step gives targets to.
func (b *binder) outputs(s PlanStep, bound *BoundStep, d anaplan.ProcessDetail) map[string]configs.StepFile {
	var items []item
	for _, a := range d.Actions {
		if kind, _ := anaplan.KindOf(a.ID); kind == anaplan.KindExport {
			items = append(items, item{id: a.ID, name: a.Name})
		}
	}
	all := map[string]configs.StepFile{}
	for _, f := range s.Files {
		if f.Targets == nil {
			continue
		}
		key := "files." + configs.QuoteKey(label(f.File))
		found, ok := b.find(s, key, f.File, unique(items), fmt.Sprintf("among the exports in process %q", bound.Object.Name))
		if !ok {
			continue
		}
		if _, twice := all[found.id]; twice {
			b.wrong(s, key, "leave one", "the output of export %q gets targets twice", found.name)
		}
		all[found.id] = f
	}
	return all
}

// countSources is how many of a step's files are sources.
func countSources(files []configs.StepFile) int {
	n := 0
	for _, f := range files {
		if f.Targets == nil {
			n++
		}
	}
	return n
}

func (b *binder) fileNames(bound *BoundStep) string {
	var names []string
	for _, r := range bound.Reads {
		names = append(names, fmt.Sprintf("%q", r.File.Name))
	}
	if len(names) == 0 {
		return "there is none"
	}
	return strings.Join(names, ", ")
}
