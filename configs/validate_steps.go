package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (v validator) steps() {
	v.models()
	first := map[string]int{} // line of a name
	index := map[string]int{} // step of a name
	for i, s := range v.job.Steps {
		if _, ok := index[s.Name]; !ok && s.Name != "" {
			index[s.Name] = i
		}
	}
	for i := range v.job.Steps {
		s := &v.job.Steps[i]
		in := v.of(s)
		in.names(first)
		in.verb()
		in.needs(index)
	}
}

// A stepValidator looks at one step.
type stepValidator struct {
	scope
	job  *Job
	step *Step
}

func (v validator) of(s *Step) stepValidator {
	owner := strings.TrimSuffix(s.prefix(), ": ")
	return stepValidator{scope{decoder: v.decoder, owner: owner, marks: s.Positions}, v.job, s}
}

func (v stepValidator) has(key string) bool {
	_, ok := v.step.Positions[key]
	return ok
}

// at reports a problem of a key of the step; of the step itself where the key is not.
func (v stepValidator) at(key, what, instead string) {
	at, ok := v.step.Positions[key]
	if !ok {
		at = v.step.Positions[""]
	}
	v.wrong(at, key, what, instead)
}

func (v stepValidator) names(first map[string]int) {
	name := v.step.Name
	switch line, taken := first[name]; {
	case !v.has("name"):
		v.at("name", "the step has no name", `write name = "…": reports and needs call it so`)
	case name == "": // was reported
	case taken:
		v.at("name", fmt.Sprintf("the name %q is taken by the step in line %d", name, line), "give each step a name of its own")
	case strings.ContainsAny(name, "[]"):
		v.at("name", "holds [ or ], which for_each puts into names", "write it without brackets")
	default:
		first[name] = v.step.Positions["name"].Line
	}
}

// verb looks for exactly one verb, and for keys that are not for it.
func (v stepValidator) verb() {
	s := v.step
	var verbs []string
	for _, verb := range Verbs {
		if v.has(string(verb)) {
			verbs = append(verbs, string(verb))
		}
	}
	switch {
	case len(verbs) > 1:
		v.at(verbs[1], "the step has several verbs: "+strings.Join(verbs, ", "), "write a [[step]] for each of them")
		return
	case len(verbs) == 0:
		v.at("", "the step does not say what to do", "write one of "+strings.Join(wordsOf(Verbs), ", "))
		return
	}
	if s.Verb == "" {
		return // was reported
	}
	misfit := map[string]bool{}
	for _, k := range verbKeys {
		table, _, _ := strings.Cut(k.key, ".")
		if !v.has(k.key) || slices.Contains(k.verbs, s.Verb) || misfit[table] {
			continue
		}
		misfit[k.key] = true
		instead := k.instead[s.Verb]
		if instead == "" {
			instead = "take it out"
		}
		forVerbs := kindsOf(k.verbs)
		if len(k.verbs) == len(inAnaplan) {
			forVerbs = "what is done in Anaplan"
		}
		v.at(k.key, fmt.Sprintf("is not for %s: it is for %s", kinds[s.Verb], forVerbs), instead)
	}
	v.files(misfit)
	if v.has("rerun_on") && !misfit["rerun_on"] && len(s.RerunOn) > 0 && !s.RerunSafe() {
		why := kinds[s.Verb] + " is not done again by itself: it may append, copy, or have half happened"
		if s.Rerun == "ask" {
			why = `with rerun = "ask" nothing is done again by itself`
		}
		v.at("rerun_on", why, `write rerun = "safe" beside it if doing it twice is the same as doing it once; else take it out`)
	}
}

// files looks at sources, targets and guards.
func (v stepValidator) files(misfit map[string]bool) {
	s := v.step
	switch s.Verb {
	case Upload:
		if !v.has("source") {
			v.at("upload", "has no source", `write source = "path"`)
		} else if s.Source != nil && s.Source.Server {
			v.at("source", "an upload needs a file of its own", `write source = "path"`)
		}
	case Download:
		if !v.has("target") {
			v.at("download", "has no target", `write target = "path"`)
		}
	}
	if s.Verb == Import && v.has("guard") && !misfit["guard"] {
		switch {
		case s.Source == nil:
			v.at("guard", "guards nothing: the step has no source", "write source, or put the guard on the upload step")
		case s.Source.Server:
			v.at("guard", `guards nothing: with source = "server" no file is uploaded`, "take it out")
		}
	}
	if s.Verb == Export && v.has("guard") && !v.has("target") {
		v.at("guard", "guards nothing: the step has no target", "write target, or put the guard on the download step")
	}
	v.targets("target", s.Targets)
	v.guard("guard", s.Guard)
	if s.Verb == Export || s.Verb == Download {
		v.outputGuard("guard", s.Guard)
	}
	if s.Verb == Upload {
		if s.Guard.Header != nil && *s.Guard.Header {
			v.at("guard.header", "nothing says which header the file of an upload has", `write it as header = ["…", "…"], or put header = true on the import that reads the file`)
		}
		if s.Guard.Unchanged == "skip" {
			v.at("guard.unchanged", "the imports that read the file would be without it", `write "refuse"; or let an import upload its source, and skip that`)
		}
	}
	for _, f := range s.Files {
		key := "files." + QuoteKey(f.File.label())
		v.guard(key+".guard", f.Guard)
		if f.Targets != nil {
			v.targets(key+".target", f.Targets)
			v.outputGuard(key+".guard", f.Guard)
		}
	}
	if s.Ahead != nil && !misfit["ahead"] && !s.uploads() {
		v.at("ahead", "the step uploads nothing", "take it out")
	}
}

// uploads says whether the step uploads a file.
func (s *Step) uploads() bool {
	return s.Source != nil && !s.Source.Server || slices.ContainsFunc(s.Files, func(f StepFile) bool { return f.Targets == nil && !f.Source.Server })
}

func (v stepValidator) targets(key string, targets []Target) {
	if after, f := targetsFault(targets); f != nil {
		v.at(key+after, f.what, f.instead)
	}
}

// outputGuard looks for what says nothing of a file that Anaplan wrote.
func (v stepValidator) outputGuard(key string, g Guard) {
	if v.has(key+".max_age") && strings.HasPrefix(key, "files.") {
		v.at(key+".max_age", "is for sources: an export's output is as old as the export", "take it out")
	}
	if g.Control != nil && strings.HasPrefix(key, "files.") {
		v.at(key+".control", "is for sources: Anaplan writes no control file", "take it out")
	}
	if g.Unchanged == "skip" {
		v.at(key+".unchanged", "there is nothing to skip: the export has run", `write "refuse" if it must have changed, else take it out`)
	}
}

func (v stepValidator) guard(key string, g Guard) {
	if g.MinRows != nil && g.MaxRows != nil && *g.MinRows > *g.MaxRows {
		v.at(key+".min_rows", fmt.Sprintf("is %d, and max_rows is %d: no file has both", *g.MinRows, *g.MaxRows), "swap them")
	}
}

// needs looks for steps that are not there.
func (v stepValidator) needs(index map[string]int) {
	for _, need := range v.step.Needs {
		base, _, unfolded := strings.Cut(need, "[")
		i, found := index[need]
		if !found && unfolded {
			if i, found = index[base]; found && !slices.Contains(unfoldings(v.job.Steps[i]), need) {
				v.at("needs", fmt.Sprintf("there is no step %q", need), oneOf(need, unfoldings(v.job.Steps[i]), fmt.Sprintf("write %q: it has no for_each", base)))
				continue
			}
		}
		switch {
		case !found:
			v.at("needs", fmt.Sprintf("there is no step %q", need), oneOf(need, slices.Sorted(maps.Keys(index)), "take it out"))
		case i == v.step.Index:
			v.at("needs", "the step waits for itself", fmt.Sprintf("take %q out", need))
		}
	}
}

// unfoldings are the names that for_each gives a step; nil without it, or with more than
// can be meant.
func unfoldings(s Step) []string {
	if len(s.ForEach) == 0 {
		return nil
	}
	names := []string{""}
	for _, axis := range s.ForEach {
		var next []string
		for _, n := range names {
			for _, value := range axis.Values {
				next = append(next, n+","+value)
			}
		}
		if len(next) > maxUnfold {
			return nil
		}
		names = next
	}
	for i, n := range names {
		names[i] = s.Name + "[" + strings.TrimPrefix(n, ",") + "]"
	}
	return names
}

// models looks for the model of each step, and its workspace.
func (v validator) models() {
	for _, what := range []string{"workspace", "model"} {
		if v.has("anaplan."+what) || v.has(what) { // at the top it was reported
			continue
		}
		var without []stepValidator
		commands := 0
		for i := range v.job.Steps {
			in := v.of(&v.job.Steps[i])
			if in.step.Verb == Command {
				commands++
			} else if !in.has(what) {
				without = append(without, in)
			}
		}
		if n := len(without); n > 1 && n+commands == len(v.job.Steps) {
			v.wrong(Position{Line: 1}, "anaplan."+what, "no step says in which "+what+" it is", fmt.Sprintf(`write %s = "NAME" in [anaplan]`, what))
			continue
		}
		for _, in := range without {
			in.at(what, "the step is in no "+what, fmt.Sprintf(`write %s = "NAME" in [anaplan], for all steps; or in this step`, what))
		}
	}
}

var kinds = map[Verb]string{Import: "an import", Export: "an export", Process: "a process", Action: "an action", Upload: "an upload", Download: "a download", Command: "a command"}

// kindsOf is "an import or an upload".
func kindsOf(verbs []Verb) string {
	all := make([]string, len(verbs))
	for i, v := range verbs {
		all[i] = kinds[v]
	}
	if len(all) == 1 {
		return all[0]
	}
	return strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}
