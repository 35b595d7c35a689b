package configs

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ParamValues returns the values of the job's parameters: those given, else the defaults.
// A parameter that has neither is absent, and so is one whose default holds a ${…}, which
// [Job.Expand] works out. Unknown names, required ones that are missing, and values
// outside choices and pattern are [*ParamError]s, joined when there are several, and the
// map is nil. A given value is text: a ${…} in it means nothing.
func (j *Job) ParamValues(given map[string]string) (map[string]string, error) {
	var wrong []error
	values := map[string]string{}
	for _, p := range j.Params {
		v, ok := given[p.Name]
		switch {
		case ok:
			if f := checkParam(p, v); f != nil {
				wrong = append(wrong, &ParamError{p.Name, f.what, f.instead})
				continue
			}
			values[p.Name] = v
		case p.HasValue && !strings.Contains(p.Default, "${"):
			values[p.Name] = p.Default
		case p.Required && !p.HasValue:
			wrong = append(wrong, &ParamError{p.Name, "is required" + aside(p.Help), "add --param " + p.Name + "=…" + aside(allowed(p))})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(j.Params, func(p Param) bool { return p.Name == name }) {
			wrong = append(wrong, &ParamError{name, "the job has no such parameter", oneOf(name, paramNames(j.Params), "it has none")})
		}
	}
	if len(wrong) == 1 {
		return nil, wrong[0]
	}
	if len(wrong) > 1 {
		return nil, errors.Join(wrong...)
	}
	return values, nil
}

// checkParam holds a value against choices and pattern.
func checkParam(p Param, v string) *fault {
	if len(p.Choices) > 0 && !slices.Contains(p.Choices, v) {
		f := fault{fmt.Sprintf("%q is not allowed%s", v, aside(p.Help)), "one of " + strings.Join(p.Choices, ", ")}
		if n := Nearest(v, p.Choices); n != "" {
			f.instead = "did you mean " + n + "?"
		}
		return &f
	}
	if p.Pattern == "" {
		return nil
	}
	re, err := anchored(p.Pattern)
	if err != nil {
		return &fault{fmt.Sprintf("its pattern %s cannot be used: %v", p.Pattern, err), "correct params." + p.Name + ".pattern in the job file"}
	}
	if !re.MatchString(v) {
		return &fault{fmt.Sprintf("%q does not match %s%s", v, p.Pattern, aside(p.Help)), "give a value that matches as a whole"}
	}
	return nil
}

// anchored compiles a pattern that must match a value as a whole.
func anchored(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err // of the pattern as the file has it
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// checkDefault returns what is wrong with the default of a parameter as written. It may
// use run.… and env.…, but no other parameter.
func checkDefault(p Param) []fault {
	if !p.HasValue {
		return nil
	}
	if !strings.Contains(p.Default, "${") {
		if f := checkParam(p, p.Default); f != nil {
			return []fault{*f}
		}
		return nil
	}
	parts, faults := parseValue(p.Default)
	for _, x := range parts {
		if x.kind == paramValue || x.kind == eachValue {
			faults = append(faults, fault{"${" + x.text + "} cannot stand in the default of a parameter", "use run.date, run.id or env.NAME"})
		}
	}
	return faults
}

func paramNames(params []Param) []string {
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	return names
}

// allowed says which values a parameter takes, "" when any.
func allowed(p Param) string {
	switch {
	case len(p.Choices) > 0:
		return "one of " + strings.Join(p.Choices, ", ")
	case p.Pattern != "":
		return "matching " + p.Pattern
	}
	return ""
}

func aside(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
