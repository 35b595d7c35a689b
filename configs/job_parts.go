package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// idForm says what the ids of a thing look like (anaplan-api.md 1.2).
type idForm struct {
	what  string
	right *regexp.Regexp
	wrong *regexp.Regexp // the same in the wrong case; nil where there is none
	fix   func(string) string
}

var (
	workspaceID = idForm{"workspace", regexp.MustCompile(`^[0-9a-f]{32}$`), regexp.MustCompile(`^[0-9a-fA-F]{32}$`), strings.ToLower}
	modelID     = idForm{"model", regexp.MustCompile(`^[0-9A-F]{32}$`), regexp.MustCompile(`^[0-9a-fA-F]{32}$`), strings.ToUpper}
)

// refKey names a workspace or a model: by name, by id, or as { id, name }.
func refKey[T any](name string, form idForm, field func(*T) *Ref) key[T] {
	return key[T]{name: name, kind: kindRef, set: func(s scope, into *T, e entry) {
		ref, ok := s.ref(e)
		if !ok {
			return
		}
		ref, f := form.read(ref)
		if f != nil {
			s.wrong(e.at, e.name, f.what, f.instead)
			return
		}
		*field(into) = ref
	}}
}

// read tells an id from a name. One that still holds a ${…} stays as it is.
func (form idForm) read(ref Ref) (Ref, *fault) {
	if ref.ID == "" && form.wrong.MatchString(ref.Name) {
		ref = Ref{ID: ref.Name}
	}
	switch {
	case ref.ID == "" || hasValue(ref.ID) || form.right.MatchString(ref.ID):
		return ref, nil
	case form.wrong.MatchString(ref.ID):
		return ref, &fault{fmt.Sprintf("the letters in the id of a %s have another case", form.what), fmt.Sprintf("write %q", form.fix(ref.ID))}
	}
	return ref, &fault{fmt.Sprintf("%q is not the id of a %s: these have 32 digits and letters from A to F", ref.ID, form.what), "copy the id again, or write the name"}
}

// ref is a name, or a table { id, name }.
func (s scope) ref(e entry) (Ref, bool) {
	switch v := e.value.(type) {
	case int64:
		s.badType(e, "a text", fmt.Sprintf("write %q", strconv.FormatInt(v, 10)))
		return Ref{}, false
	case *table:
		var ref Ref
		before := len(s.problems)
		decode(s.in(e.name), refTable, v, &ref)
		if ref.Zero() && len(s.problems) == before {
			s.wrong(e.at, e.name, "names nothing", `write { id = "…", name = "…" }, or the name alone`)
		}
		return ref, len(s.problems) == before
	}
	v, ok := s.text(e)
	return Ref{Name: v}, ok
}

var refTable = shape[Ref]{title: "{ id, name }", keys: []key[Ref]{
	textKey("id", func(r *Ref) *string { return &r.ID }),
	textKey("name", func(r *Ref) *string { return &r.Name }),
}}

// prefixes of the ids of what a verb names (anaplan-api.md 1.2).
var prefixes = map[Verb][]string{Import: {"112"}, Export: {"116"}, Process: {"118"}, Action: {"117"}, Upload: {"113"}, Download: {"116", "113"}}

var objectID = regexp.MustCompile(`^\d{12}$`)

// verbKey names what a step runs or moves. 12 digits with the verb's prefix are an id.
func verbKey(verb Verb) key[Step] {
	return key[Step]{name: string(verb), kind: kindRef, set: func(s scope, st *Step, e entry) {
		ref, ok := s.ref(e)
		if st.Verb == "" {
			st.Verb = verb
		}
		if !ok {
			return
		}
		_, bare := e.value.(string)
		ref, f := readObject(verb, ref, bare)
		if f != nil {
			s.wrong(e.at, e.name, f.what, f.instead)
			return
		}
		st.Object = ref
	}}
}

// readObject tells an id from a name; bare is what was not written as { id, name }. One
// that still holds a ${…} stays as it is.
func readObject(verb Verb, ref Ref, bare bool) (Ref, *fault) {
	if bare && ref.ID == "" && objectID.MatchString(ref.Name) {
		ref = Ref{ID: ref.Name}
	}
	switch id := ref.ID; {
	case id == "" || hasValue(id):
		return ref, nil
	case !objectID.MatchString(id):
		return ref, &fault{fmt.Sprintf("%q is not an id: these have 12 digits", id), "copy the id again, or write the name"}
	case !slices.Contains(prefixes[verb], id[:3]):
		return ref, &fault{fmt.Sprintf("%s is not the id of %s: these begin with %s", id, ofVerb[verb], strings.Join(prefixes[verb], " or ")), otherVerb(id)}
	}
	return ref, nil
}

var ofVerb = map[Verb]string{Import: "an import", Export: "an export", Process: "a process", Action: "an action", Upload: "a file to upload to", Download: "a file to download"}

// otherVerb is the verb that an id is for.
func otherVerb(id string) string {
	for _, v := range []Verb{Import, Export, Process, Action, Upload} {
		if prefixes[v][0] == id[:3] {
			return fmt.Sprintf("write %s = %q", v, id)
		}
	}
	return "copy the id again, or write the name"
}

func setForEach(s scope, st *Step, e entry) {
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", `write for_each = { region = ["…", "…"] }`)
		return
	}
	s = s.in("for_each")
	for _, e := range t.keys {
		e.name = QuoteKey(e.name)
		s.mark(e)
		if !paramName.MatchString(e.name) {
			s.wrong(e.at, e.name, "is no name for ${each.…}", "write letters, digits, _ and -, beginning with a letter")
			continue
		}
		v, ok := s.texts(e, nil)
		switch {
		case !ok:
		case len(v) == 0:
			s.wrong(e.at, e.name, "has no values", "write at least one; or enabled = false to leave the step out")
		case repeated(v) != "":
			s.wrong(e.at, e.name, fmt.Sprintf("has %q twice", repeated(v)), "leave one of the two")
		}
		st.ForEach = append(st.ForEach, EachAxis{e.name, v})
	}
	if len(t.keys) == 0 {
		s.wrong(e.at, "", "names nothing to go through", `write for_each = { region = ["…", "…"] }, or take it out`)
	}
}

// repeated is the first value that stands in a list twice, empty if none does.
func repeated(list []string) string {
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			return v
		}
	}
	return ""
}

// prompts are Anaplan's mapping parameters.
func (s scope) prompts(e entry) []Prompt {
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", `write prompts = { Version = "Actual" }`)
		return nil
	}
	var all []Prompt
	s = s.in("prompts")
	for _, e := range t.keys {
		dimension := e.name
		e.name = QuoteKey(e.name)
		s.mark(e)
		if v, ok := s.text(e); ok {
			all = append(all, Prompt{dimension, v})
		}
	}
	return all
}

var localeForm = regexp.MustCompile(`^[a-z]{2,3}_[A-Z]{2}$`)

func checkLocale(v string) *fault {
	if localeForm.MatchString(v) {
		return nil
	}
	return &fault{fmt.Sprintf("%q is not a locale", v), `write a language and a country, as in "en_US"`}
}

func setLocale(s scope, st *Step, e entry) {
	v, ok := s.text(e)
	if !ok {
		return
	}
	if f := checkLocale(v); f != nil && !hasValue(v) {
		s.wrong(e.at, e.name, f.what, f.instead)
		return
	}
	st.Locale = v
}
