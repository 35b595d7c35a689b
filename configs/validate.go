package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // what a job file may say does not depend on the machine
)

// A validator looks at a decoded job as a whole. Keys whose values were wrong are left
// out of it: they were reported.
type validator struct {
	scope
	job *Job
}

// validate reports what is wrong with a decoded job beyond its single values.
func validate(s scope, j *Job) {
	v := validator{s, j}
	top := Position{Line: 1}
	if !v.has("name") {
		v.wrong(top, "name", "the job has no name", `write name = "nightly", above the first heading`)
	}
	v.timezone()
	v.connection(top)
	for _, p := range j.Params {
		v.param(p)
	}
	if at, ok := j.Positions["on_end"]; ok && !v.has("on_end.command") {
		v.wrong(at, "on_end", "has no command", `write command = ["PROGRAM", "ARGUMENT"]`)
	}
	if j.OnEnd != nil && v.has("on_end.command") && j.OnEnd.Command != nil && len(j.OnEnd.Command) == 0 {
		v.wrong(j.Positions["on_end.command"], "on_end.command", "is an empty list", `write command = ["PROGRAM", "ARGUMENT"]`)
	}
	if len(j.Steps) == 0 && (!v.has("step") || j.Steps != nil) {
		v.wrong(top, "", "the job has no steps", "write [[step]], and below it a name and a verb as import")
	}
	v.steps()
	uses := v.uses()
	v.paths(uses)
	v.problems = append(v.problems, j.checkValues()...)
	j.Warnings = v.unused(uses).sorted()
}

// has says whether the job says a key, rightly or not.
func (v validator) has(key string) bool {
	_, ok := v.job.Positions[key]
	return ok
}

func (v validator) timezone() {
	zone := v.job.Timezone
	if zone == "" {
		return
	}
	_, err := time.LoadLocation(zone)
	if err == nil && zone != "Local" {
		return
	}
	instead := `write a name of the IANA list as in "Europe/Paris" or "UTC"; without the key it is the machine's`
	parts := strings.Split(zone, "/")
	for i, p := range parts {
		parts[i] = capitals(p)
	}
	for _, guess := range []string{strings.Join(parts, "/"), strings.ToUpper(zone)} {
		if _, err := time.LoadLocation(guess); err == nil && guess != "Local" {
			instead = fmt.Sprintf("write %q", guess)
			break
		}
	}
	v.wrong(v.job.Positions["timezone"], "timezone", fmt.Sprintf("there is no time zone %q", zone), instead)
}

// capitals writes a part of a zone's name as the IANA list does: new york is New_York.
func capitals(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '_' })
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + strings.ToLower(w[1:])
	}
	return strings.Join(words, "_")
}

// connection looks for exactly one way to log in.
func (v validator) connection(top Position) {
	j := v.job
	var own string // a key that says how to log in here
	if v.has("auth") {
		own = "auth"
	}
	for _, k := range addressKeys {
		if own == "" && v.has("anaplan."+k.name) {
			own = "anaplan." + k.name
		}
	}
	elsewhere := func(s Step) bool { _, ok := s.Positions["connection"]; return ok || s.Verb == Command }
	switch {
	case v.has("connection") && own != "":
		v.wrong(j.Positions[own], own, fmt.Sprintf("the job names a connection in line %d, and says here how to log in", j.Positions["connection"].Line), "leave one of the two")
	case !v.has("connection") && own == "" && (len(j.Steps) == 0 || !all(j.Steps, elsewhere)):
		v.wrong(top, "connection", "the job does not say how to log in", `write connection = "NAME", of connections.toml; or region in [anaplan], and [auth]`)
	case !v.has("connection"):
		v.inline()
	}
}

// inline looks for what the login in the job file lacks. Of keys that are there all was
// said when they were decoded, or is said when their ${…} have been replaced.
func (v validator) inline() {
	j := v.job
	if v.has("anaplan.region") && v.has("anaplan.urls") {
		v.wrong(j.Positions["anaplan.urls"], "anaplan.urls", "stands beside region", "leave one of the two")
	}
	if j.Inline == nil || v.has("auth.method") && j.Inline.Method == "" {
		return
	}
	_, err := j.inline()
	lacks, _ := errors.AsType[Problems](err)
	for _, p := range lacks {
		if !v.has(p.Key) && !(p.Key == "anaplan.region" && v.has("anaplan.urls")) {
			v.problems = append(v.problems, p)
		}
	}
}

func (v validator) param(p Param) {
	key := "params." + p.Name
	at := v.job.Positions
	if p.Required && p.HasValue {
		v.wrong(at[key+".required"], key+".required", "a parameter with a default is never missing", "leave one of the two")
	}
	if p.Choices != nil && len(p.Choices) == 0 {
		v.wrong(at[key+".choices"], key+".choices", "is an empty list", "name the values, or take it out")
	}
	if twice := repeated(p.Choices); twice != "" {
		v.wrong(at[key+".choices"], key+".choices", fmt.Sprintf("has %q twice", twice), "leave one of the two")
	}
	if p.Pattern == "" {
		return
	}
	for _, c := range p.Choices {
		if f := checkParam(Param{Name: p.Name, Pattern: p.Pattern}, c); f != nil {
			v.wrong(at[key+".choices"], key+".choices", fmt.Sprintf("%q does not match the pattern of this parameter", c), "leave choices or pattern")
		}
	}
}

func all[T any](list []T, f func(T) bool) bool {
	return !slices.ContainsFunc(list, func(x T) bool { return !f(x) })
}
