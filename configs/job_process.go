package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// marked enters the place of a thing with a free name, as a TOML key and, as messages of
// the engine write it, always in quotes.
func (s scope) marked(e entry) scope {
	name := e.name
	e.name = strconv.Quote(name)
	s.mark(e)
	e.name = QuoteKey(name)
	s.mark(e)
	return s.in(e.name)
}

func setFiles(s scope, st *Step, e entry) {
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", `write files = { "rates.csv" = "data/rates.csv" }`)
		return
	}
	s = s.in("files")
	for _, e := range t.keys {
		f := StepFile{File: Ref{Name: e.name}}
		if objectID.MatchString(e.name) && strings.HasPrefix(e.name, "113") {
			f.File = Ref{ID: e.name}
		}
		in := s.marked(e)
		inner, ok := e.value.(*table)
		if !ok {
			e.name = QuoteKey(e.name)
			if src := s.source(e); src != nil {
				f.Source = *src
			}
		} else if split := splitName(e.name, inner, "source", "target", "guard", "path", "query", "url"); split != "" {
			s.wrong(e.at, QuoteKey(e.name), "a dot in the name of a file parts TOML's keys", fmt.Sprintf("write %q in quotes", split))
		} else if hasNone(inner, "source", "target") && isSource(inner) {
			e.name = QuoteKey(e.name)
			if src := s.source(e); src != nil {
				f.Source = *src
			}
		} else {
			decode(in, fileTable, inner, &f)
			in.fileKeys(e.at, inner, &f)
		}
		st.Files = append(st.Files, f)
	}
}

func hasNone(t *table, keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { _, ok := t.get(k); return ok })
}

// fileKeys looks for one of source and target, and what only one of them may have.
func (s scope) fileKeys(at Position, t *table, f *StepFile) {
	source, reads := t.get("source")
	target, writes := t.get("target")
	switch {
	case reads && writes:
		s.wrong(target.at, "target", "stands beside source: a file is read, or an export's output is written", "leave one of the two")
	case !reads && !writes:
		s.wrong(at, "", "has no source", `write source = "path", or source = "server" to load what the model holds; target = "path" for the output of an export`)
	case reads && f.Source.Server && !f.Guard.Zero():
		s.wrong(source.at, "guard", `guards nothing: with source = "server" no file is uploaded`, "take it out")
	case writes && objectID.MatchString(f.File.Name) && strings.HasPrefix(f.File.Name, prefixes[Export][0]):
		f.File = Ref{ID: f.File.Name}
	case writes && f.File.ID != "":
		s.wrong(at, "", f.File.ID+" is the id of a file to upload to, and has a target", "write the name of the export, or its id, which begins with 116")
	}
}

var fileTable = shape[StepFile]{title: `[step.files."NAME"]`, keys: []key[StepFile]{
	{name: "source", kind: kindPath, set: func(s scope, f *StepFile, e entry) {
		if src := s.source(e); src != nil {
			f.Source = *src
		}
	}},
	{name: "target", kind: kindPaths, set: func(s scope, f *StepFile, e entry) { f.Targets = s.targets(e) }},
	tableKey("guard", guardTable, func(f *StepFile) *Guard { return &f.Guard }),
}}

// splitName is the name that was meant by [step.files.rates.csv]: empty if the table has
// a key that it should have.
func splitName(name string, t *table, right ...string) string {
	if len(t.keys) != 1 || Nearest(t.keys[0].name, right) != "" {
		return ""
	}
	switch t.keys[0].value.(type) {
	case *table, string:
		return name + "." + t.keys[0].name
	}
	return ""
}

func setActions(s scope, st *Step, e entry) {
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", `write [step.actions."NAME"] with accept or prompts below`)
		return
	}
	s = s.in("actions")
	for _, e := range t.keys {
		a := StepAction{Action: Ref{Name: e.name}}
		if objectID.MatchString(e.name) {
			a.Action = Ref{ID: e.name}
		}
		in := s.marked(e)
		e.name = QuoteKey(e.name)
		if t, ok := s.table(e); ok {
			decode(in, actionTable, t, &a)
		}
		st.Actions = append(st.Actions, a)
	}
}

var actionTable = shape[StepAction]{title: `[step.actions."NAME"]`, keys: []key[StepAction]{
	{name: "accept", kind: kindTable, set: func(s scope, a *StepAction, e entry) {
		if t, ok := s.table(e); ok {
			a.Accept = &Accept{}
			decode(s.in("accept"), acceptTable, t, a.Accept)
		}
	}},
	{name: "prompts", kind: kindMap, set: func(s scope, a *StepAction, e entry) { a.Prompts = s.prompts(e) }},
}}
