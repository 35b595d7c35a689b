package configs

import (
	"fmt"
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
		} else if split := splitName(e.name, inner, "source", "guard", "path", "query", "url"); split != "" {
			s.wrong(e.at, QuoteKey(e.name), "a dot in the name of a file parts TOML's keys", fmt.Sprintf("write %q in quotes", split))
		} else if source, ok := inner.get("source"); !ok && len(inner.keys) > 0 && isSource(inner) {
			e.name = QuoteKey(e.name)
			if src := s.source(e); src != nil {
				f.Source = *src
			}
		} else {
			decode(in, fileTable, inner, &f)
			if !ok {
				in.wrong(e.at, "", "has no source", `write source = "path", or source = "server" to load what the model holds`)
			} else if f.Source.Server && !f.Guard.Zero() {
				in.wrong(source.at, "guard", `guards nothing: with source = "server" no file is uploaded`, "take it out")
			}
		}
		st.Files = append(st.Files, f)
	}
}

var fileTable = shape[StepFile]{title: `[step.files."NAME"]`, keys: []key[StepFile]{
	{name: "source", kind: kindPath, set: func(s scope, f *StepFile, e entry) {
		if src := s.source(e); src != nil {
			f.Source = *src
		}
	}},
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
