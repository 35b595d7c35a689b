package configs

import (
	"fmt"
	"slices"
	"strings"
)

// A shape says what a kind of table may hold. It is the one source for decoding, for
// hints about unknown keys, and for what the JSON Schema is checked against.
type shape[T any] struct {
	title string // as messages name it: "[anaplan]", "[[step]]"; empty: of the file itself
	keys  []key[T]
}

// A key is one key of a shape.
type key[T any] struct {
	name   string
	kind   kind
	values []string // of an enumeration: those that may be written
	least  int64    // of a whole number
	most   int64
	// later says what to do instead while what the key asks for is not available yet. Such
	// a key is decoded and refused.
	later string
	set   func(s scope, into *T, e entry)
}

// kind is the type of a key's value.
type kind string

const (
	kindText     kind = "text"
	kindFiles    kind = "text or list of texts"
	kindTexts    kind = "list of texts"
	kindSecret   kind = "secret reference"
	kindFlag     kind = "true or false"
	kindCount    kind = "whole number"
	kindLimit    kind = "number or percentage"
	kindDuration kind = "duration"
	kindClock    kind = "time of day"
	kindEnum     kind = "one of"
	kindEnums    kind = "list of"
	kindRef      kind = "name or id"
	kindTable    kind = "table"
	kindTables   kind = "list of tables"
	kindMap      kind = "table with free names" // of texts or of tables
	kindPaths    kind = "path, table, or list of these"
	kindPath     kind = "path or table"
	kindSize     kind = "size"
	kindAge      kind = "duration or business days"
	kindPercent  kind = "percentage"
	kindHeader   kind = "true, false or list of texts"
	kindColumns  kind = "whole number or list of texts"
	kindWaitFor  kind = "duration or table"
	kindArgv     kind = "program and arguments"
	kindProgram  kind = "program and arguments, or table"
	kindGzip     kind = "auto, off or level"
	kindAny      kind = "anything"
)

// shapeInfo is a shape without its Go type.
type shapeInfo struct {
	title string
	keys  []keyInfo
}

type keyInfo struct {
	name   string
	kind   kind
	values []string
	least  int64
	most   int64
	later  bool
}

func (s shape[T]) info() shapeInfo {
	i := shapeInfo{title: s.title}
	for _, k := range s.keys {
		i.keys = append(i.keys, keyInfo{k.name, k.kind, k.values, k.least, k.most, k.later != ""})
	}
	return i
}

// place is where the keys of a shape stand, as the end of a sentence.
func (s shapeInfo) place() string {
	if s.title == "" {
		return "at the top of the file, above the first heading"
	}
	return "in " + s.title
}

// names lists the keys that may be written.
func (s shapeInfo) names() []string {
	var all []string
	for _, k := range s.keys {
		if !k.later {
			all = append(all, k.name)
		}
	}
	return all
}

// A decoder collects what is wrong with one file.
type decoder struct {
	file     string
	shapes   []shapeInfo // of this kind of file, for hints about keys that stand in the wrong table
	problems Problems
}

// A scope is the place a decoder is at: how messages and [Positions] call its keys.
type scope struct {
	*decoder
	owner  string    // `step "load sales"`; empty for the file itself
	prefix string    // "guard."
	marks  Positions // of the owner
}

// in is the scope of a table under a key.
func (s scope) in(name string) scope {
	s.prefix += name + "."
	return s
}

// wrong reports a problem of a key of this scope.
func (s scope) wrong(at Position, name, what, instead string) {
	s.problems = append(s.problems, Problem{File: s.file, Line: at.Line, Column: at.Column, Key: s.called(name), What: what, Instead: instead})
}

// called is how messages call a key: `step "load sales": guard.min_rows`.
func (s scope) called(name string) string {
	full := strings.TrimSuffix(s.prefix+name, ".")
	switch {
	case s.owner == "":
		return full
	case full == "":
		return s.owner
	}
	return s.owner + ": " + full
}

// mark records where a key stands.
func (s scope) mark(e entry) {
	if s.marks != nil {
		s.marks[s.prefix+e.name] = e.at
	}
}

// decode fills into with the keys of a table, and reports all that is wrong with them.
func decode[T any](s scope, sh shape[T], t *table, into *T) {
	for _, e := range t.keys {
		i := slices.IndexFunc(sh.keys, func(k key[T]) bool { return k.name == e.name })
		if i < 0 {
			s.unknown(sh.info(), e)
			s.mark(e)
			continue
		}
		k := sh.keys[i]
		s.mark(e)
		k.set(s, into, e)
		if k.later != "" {
			s.wrong(e.at, e.name, "not available yet", k.later)
		}
	}
}

// misnomers are keys as other places call them: our own flags, and other programs.
var misnomers = map[string]string{
	"api_url":           `write urls = { api = "https://…/2/0", auth = "https://…" }`,
	"auth_url":          `write urls = { api = "https://…/2/0", auth = "https://…" }`,
	"key":               "write private_key",
	"cert":              "write certificate",
	"keystore":          "write certificate, which takes key stores too",
	"keystore_password": "write passphrase, which is the store's password too",
	"keystore_pass":     "write passphrase, which is the store's password too",
	"store_password":    "write passphrase, which is the store's password too",
	"keystore_alias":    "write alias",
	"key_alias":         "write alias",
	"key_password":      "write key_passphrase",
	"username":          "write user",
	"workspace_id":      "write workspace, which takes names and ids",
	"model_id":          "write model, which takes names and ids",
	"workspace_guid":    "write workspace, which takes names and ids",
	"model_guid":        "write model, which takes names and ids",
	"url":               "write the URL where a path stands: source = \"https://…\", target = \"s3://…\"",
}

// unknown reports a key that its table cannot have: with the name that was most likely
// meant, else with the table that the key belongs to, else with all names.
func (s scope) unknown(sh shapeInfo, e entry) {
	what := "there is no such key " + strings.TrimSuffix(sh.place(), ", above the first heading")
	if instead := misnomers[e.name]; instead != "" {
		s.wrong(e.at, e.name, what, instead)
		return
	}
	if n := Nearest(e.name, sh.names()); n != "" {
		s.wrong(e.at, e.name, what, "did you mean "+n+"?")
		if _, ok := s.marks[s.prefix+n]; !ok {
			s.mark(entry{name: n, at: e.at}) // it is not missing
		}
		return
	}
	var homes []string
	for _, other := range s.shapes {
		if other.title != sh.title && slices.Contains(other.names(), e.name) {
			homes = append(homes, other.place())
		}
	}
	switch {
	case len(homes) > 0 && (len(sh.names()) > 3 || strings.HasPrefix(sh.title, "[")):
		s.wrong(e.at, e.name, what, "it belongs "+strings.Join(homes, " or "))
	case len(sh.names()) == 1:
		s.wrong(e.at, e.name, what, "there is only "+sh.names()[0])
	default:
		s.wrong(e.at, e.name, what, "there are "+strings.Join(sh.names(), ", "))
	}
}

// describe names the type of a value, never the value itself: it may be a secret.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return "a text"
	case int64, float64:
		return "a number"
	case bool:
		return fmt.Sprintf("%t without quotes", v)
	case *table:
		return "a table"
	case []entry:
		if len(v) > 0 {
			if _, ok := v[0].value.(*table); ok {
				return "a list of tables"
			}
		}
		return "a list"
	}
	return "a date or time without quotes"
}
