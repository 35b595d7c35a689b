package configs

import (
	"fmt"
	"slices"
	"strings"
)

// A use is a string in which a parameter stands.
type use struct {
	step string
	key  string
	path bool
}

// uses finds where each parameter stands.
func (v validator) uses() map[string][]use {
	uses := map[string][]use{}
	note := func(step string) func(string, textKind, *string) {
		return func(key string, kind textKind, text *string) {
			for _, name := range named(*text, paramValue) {
				uses[name] = append(uses[name], use{step, key, kind != plainText})
			}
		}
	}
	jobTexts(v.job, note(""))
	for i := range v.job.Steps {
		stepTexts(&v.job.Steps[i], note(v.job.Steps[i].Name))
	}
	return uses
}

// named lists the names of the ${…} of one kind in a text.
func named(text string, kind valueKind) []string {
	if !strings.Contains(text, "${") {
		return nil
	}
	var names []string
	parts, _ := parseValue(text)
	for _, p := range parts {
		if p.kind == kind {
			names = append(names, p.name)
		}
	}
	return names
}

// paths looks for defaults and choices that would lead a path elsewhere.
func (v validator) paths(uses map[string][]use) {
	for _, p := range v.job.Params {
		i := slices.IndexFunc(uses[p.Name], func(u use) bool { return u.path })
		if i < 0 {
			continue
		}
		u := uses[p.Name][i]
		for _, value := range append([]string{p.Default}, p.Choices...) {
			if unsafeInPath(value) && !hasValue(value) {
				name := "params." + p.Name
				where := u.key
				if u.step != "" {
					where += fmt.Sprintf(" of step %q", u.step)
				}
				v.wrong(v.job.Positions.Near(name+".default"), name, fmt.Sprintf("%q holds / or \\ or .., and goes into a path: %s", value, where),
					"give a plain name, and write folders where the path is")
			}
		}
	}
}

// unused warns of what is declared and stands nowhere.
func (v validator) unused(uses map[string][]use) Problems {
	j := v.job
	var warnings Problems
	warn := func(at Position, key, what, instead string) {
		warnings = append(warnings, Problem{j.File, at.Line, at.Column, key, what, instead})
	}
	for _, p := range j.Params {
		if len(uses[p.Name]) == 0 {
			warn(j.Positions["params."+p.Name], "params."+p.Name, "no step uses this parameter", "write ${params."+p.Name+"} where it belongs, or take it out")
		}
	}
	for i := range j.Steps {
		s := &j.Steps[i]
		if len(s.ForEach) == 0 {
			continue
		}
		var used []string
		stepTexts(s, func(_ string, _ textKind, text *string) { used = append(used, named(*text, eachValue)...) })
		for _, axis := range s.ForEach {
			if len(axis.Values) > 1 && !slices.Contains(used, axis.Name) {
				key := "for_each." + axis.Name
				warn(s.Positions.Near(key), s.prefix()+key, fmt.Sprintf("the step does the same %d times: it does not use ${each.%s}", len(axis.Values), axis.Name), "write it where the values differ")
			}
		}
	}
	return warnings
}
