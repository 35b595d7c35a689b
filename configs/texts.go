package configs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// textKind says what a string is for.
type textKind int

const (
	plainText    textKind = iota
	keyText               // the path of a login's file: guarded like one, made absolute by [Connection.finish]
	calendarText          // a path, which Expand makes absolute, as it does all below
	sourceText            // a path, a pattern, or a URL
	readText              // a path or a URL, of one file
	targetText            // a path, or a URL that can be written
	doneText              // the same, of a marker
	folderText            // the same, of a folder
	besideText            // a folder, relative to that of an object: made absolute by settleFolder
)

// jobTexts calls f for each string of j, outside its steps, in which ${…} is replaced.
// The key is that of the problem and of the position. Not among them are names,
// references to secrets, what has a fixed set of values, the timezone (run.date needs it)
// and [defaults] (its values were taken by the steps).
func jobTexts(j *Job, f func(key string, kind textKind, text *string)) {
	f("connection", plainText, &j.Connection)
	f("calendar", calendarText, &j.Calendar)
	refTexts("anaplan.workspace", &j.Workspace, f)
	refTexts("anaplan.model", &j.Model, f)
	if c := j.Inline; c != nil {
		f("anaplan.region", plainText, &c.Region)
		f("anaplan.urls.api", plainText, &c.APIURL)
		f("anaplan.urls.auth", plainText, &c.AuthURL)
		for i := range c.Certificates {
			if ref, err := secret.ParseRef(c.Certificates[i]); err != nil || ref.Scheme == secret.File {
				f("auth.certificate", keyText, &c.Certificates[i])
			}
		}
		for i := range c.PrivateKeys {
			if _, err := secret.ParseRef(c.PrivateKeys[i]); err != nil {
				f("auth.private_key", keyText, &c.PrivateKeys[i])
			}
		}
		f("auth.alias", plainText, &c.Alias)
		f("auth.user", plainText, &c.User)
		vaultTexts("auth.vault.", &c.Vault, f)
		f("auth.owner", plainText, &c.Owner)
		f("auth.note", plainText, &c.Note)
		f("anaplan.proxy", plainText, &c.Proxy)
		f("anaplan.proxy_user", plainText, &c.ProxyUser)
		f("anaplan.ca", keyText, &c.CA)
		f("anaplan.ledger", keyText, &c.Ledger)
	}
	if j.OnEnd != nil {
		for i := range j.OnEnd.Command {
			f("on_end.command", plainText, &j.OnEnd.Command[i])
		}
	}
}

// stepTexts does for a step what jobTexts does for the job.
func stepTexts(s *Step, f func(key string, kind textKind, text *string)) {
	refTexts(string(s.Verb), &s.Object, f)
	f("connection", plainText, &s.Connection)
	refTexts("workspace", &s.Workspace, f)
	refTexts("model", &s.Model, f)
	if s.Source != nil {
		sourceTexts("source", s.Source, f)
	}
	targetTexts("target", s.Targets, f)
	promptTexts("prompts", s.Prompts, f)
	guardTexts("guard", &s.Guard, f)
	for i := range s.Argv {
		f("command", plainText, &s.Argv[i])
	}
	for i := range s.Files {
		x := &s.Files[i]
		key := "files." + QuoteKey(x.File.label())
		sourceTexts(key+".source", &x.Source, f)
		targetTexts(key+".target", x.Targets, f)
		guardTexts(key+".guard", &x.Guard, f)
	}
	for i := range s.Actions {
		promptTexts("actions."+QuoteKey(s.Actions[i].Action.label())+".prompts", s.Actions[i].Prompts, f)
	}
	f("locale", plainText, &s.Locale)
}

func vaultTexts(prefix string, v *Vault, f func(string, textKind, *string)) {
	f(prefix+"address", plainText, &v.Address)
	f(prefix+"namespace", plainText, &v.Namespace)
	f(prefix+"mount", plainText, &v.Mount)
	f(prefix+"token_file", keyText, &v.TokenFile)
	f(prefix+"role_id", plainText, &v.RoleID)
	f(prefix+"role", plainText, &v.Role)
	f(prefix+"jwt_file", keyText, &v.JWTFile)
	f(prefix+"auth_mount", plainText, &v.AuthMount)
	f(prefix+"ca", keyText, &v.CA)
}

func refTexts(key string, r *Ref, f func(string, textKind, *string)) {
	f(key, plainText, &r.ID)
	f(key, plainText, &r.Name)
}

func sourceTexts(key string, s *Source, f func(string, textKind, *string)) {
	if s.Server {
		return
	}
	f(key, sourceText, &s.Path)
	f(key+".member", plainText, &s.Member)
	f(key+".encoding", plainText, &s.Encoding)
	f(key+".wait_for", readText, &s.WaitFor.Path)
	folder := folderText
	if a, ok := addressOf(s.Path); ok && a.bucket() {
		folder = besideText
	}
	f(key+".after.ok", folder, &s.After.OK)
	f(key+".after.else", folder, &s.After.Else)
}

func targetTexts(key string, targets []Target, f func(string, textKind, *string)) {
	for i := range targets {
		f(key, targetText, &targets[i].Path)
		f(key+".done_marker", doneText, &targets[i].Done)
	}
}

func guardTexts(key string, g *Guard, f func(string, textKind, *string)) {
	for i := range g.Names {
		f(key+".header", plainText, &g.Names[i])
	}
	for i := range g.Columns {
		f(key+".columns", plainText, &g.Columns[i])
	}
	if c := g.Control; c != nil {
		f(key+".control", readText, &c.Path)
		f(key+".control.rows", plainText, &c.Rows)
		for _, column := range slices.Sorted(maps.Keys(c.Sums)) {
			sum := c.Sums[column]
			f(key+".control.sums."+QuoteKey(column), plainText, &sum)
			c.Sums[column] = sum
		}
	}
	if c := g.Command; c != nil {
		for i := range c.Argv {
			f(key+".command", plainText, &c.Argv[i])
		}
	}
}

func promptTexts(key string, prompts []Prompt, f func(string, textKind, *string)) {
	for i := range prompts {
		f(key+"."+QuoteKey(prompts[i].Dimension), plainText, &prompts[i].Item)
	}
}

func (r Ref) label() string {
	if r.Name != "" {
		return r.Name
	}
	return r.ID
}

// names calls f for each string of a step that is a name and therefore taken as it is.
func names(s *Step, f func(key, text string)) {
	f("name", s.Name)
	for _, n := range s.Needs {
		f("needs", n)
	}
	for _, a := range s.ForEach {
		for _, v := range a.Values {
			f("for_each."+QuoteKey(a.Name), v)
		}
	}
	sumNames("guard", s.Guard, f)
	for _, x := range s.Files {
		f("files."+QuoteKey(x.File.label()), x.File.label())
		sumNames("files."+QuoteKey(x.File.label())+".guard", x.Guard, f)
	}
	for _, x := range s.Actions {
		f("actions."+QuoteKey(x.Action.label()), x.Action.label())
		for _, p := range x.Prompts {
			f("actions."+QuoteKey(x.Action.label())+".prompts."+QuoteKey(p.Dimension), p.Dimension)
		}
	}
	for _, p := range s.Prompts {
		f("prompts."+QuoteKey(p.Dimension), p.Dimension)
	}
}

func sumNames(key string, g Guard, f func(key, text string)) {
	if g.Control != nil {
		for _, column := range slices.Sorted(maps.Keys(g.Control.Sums)) {
			f(key+".control.sums."+QuoteKey(column), column)
		}
	}
}

// copyTexts makes s share no string with the step it was copied from that stepTexts
// gives out.
func copyTexts(s *Step) {
	if s.Source != nil {
		c := *s.Source
		s.Source = &c
	}
	s.Targets = slices.Clone(s.Targets)
	s.Prompts = slices.Clone(s.Prompts)
	s.Argv = slices.Clone(s.Argv)
	copyGuard(&s.Guard)
	s.Files = slices.Clone(s.Files)
	for i := range s.Files {
		s.Files[i].Targets = slices.Clone(s.Files[i].Targets)
		copyGuard(&s.Files[i].Guard)
	}
	s.Actions = slices.Clone(s.Actions)
	for i := range s.Actions {
		s.Actions[i].Prompts = slices.Clone(s.Actions[i].Prompts)
	}
}

func copyGuard(g *Guard) {
	g.Names, g.Columns = slices.Clone(g.Names), slices.Clone(g.Columns)
	if g.Control != nil {
		c := *g.Control
		c.Sums = maps.Clone(c.Sums)
		g.Control = &c
	}
	if g.Command != nil {
		c := *g.Command
		c.Argv = slices.Clone(c.Argv)
		g.Command = &c
	}
}

// checkValues returns what is wrong with the ${…} of the whole job as far as it shows
// without values: how they are written, names that are not known, and a ${ where none is
// replaced. It changes nothing.
func (j *Job) checkValues() Problems {
	var problems Problems
	add := func(at Positions, prefix, key string, faults ...fault) {
		for _, f := range faults {
			problems = append(problems, problemAt(j.File, at, prefix, key, f))
		}
	}
	k := known{params: paramNames(j.Params)}
	check := func(at Positions, prefix string, k known) func(string, textKind, *string) {
		return func(key string, _ textKind, text *string) { add(at, prefix, key, checkValue(*text, k)...) }
	}
	asIs := func(at Positions, prefix string) func(key, text string) {
		return func(key, text string) {
			if strings.Contains(text, "${") {
				add(at, prefix, key, fault{"${…} is not replaced in a name", "write the name as it is"})
			}
		}
	}
	asIs(j.Positions, "")("name", j.Name)
	add(j.Positions, "", "calendar", j.calendarFaults()...)
	for _, p := range j.Params {
		key := "params." + QuoteKey(p.Name) + ".default"
		add(j.Positions, "", key, checkDefault(p)...)
	}
	jobTexts(j, check(j.Positions, "", k))
	if j.Inline != nil {
		for _, text := range j.Inline.PrivateKeys {
			if _, err := secret.ParseRef(text); err == nil && hasValue(text) {
				add(j.Positions, "", "auth.private_key", fault{"a reference to a secret holds no ${…}", "write it as it is, or the path of the file"})
			}
		}
	}
	for i := range j.Steps {
		s := &j.Steps[i]
		names(s, asIs(s.Positions, s.prefix()))
		stepTexts(s, check(s.Positions, s.prefix(), known{params: k.params, each: axisNames(s.ForEach)}))
	}
	return problems
}

// prefix begins the keys of a step's problems.
func (s *Step) prefix() string {
	if s.Base == "" {
		return fmt.Sprintf("step %d: ", s.Index+1)
	}
	return "step " + strconv.Quote(s.Base) + ": "
}

func problemAt(file string, at Positions, prefix, key string, f fault) Problem {
	p := at.Near(key)
	return Problem{File: file, Line: p.Line, Column: p.Column, Key: prefix + key, What: f.what, Instead: f.instead}
}

func axisNames(axes []EachAxis) []string {
	var names []string
	for _, a := range axes {
		names = append(names, a.Name)
	}
	return names
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// QuoteKey writes one part of a dotted key as TOML and [Positions] do.
func QuoteKey(s string) string {
	if bareKey.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

var lastKey = regexp.MustCompile(`(^|\.)("(?:[^"\\]|\\.)*"|[^."]+)$`)

// Near is the place of a key, else of the nearest table around it that has one; of the
// name or the heading, for a step whose value comes from [defaults].
func (p Positions) Near(key string) Position {
	for k := key; k != ""; {
		if at, ok := p[k]; ok {
			return at
		}
		m := lastKey.FindStringIndex(k)
		if m == nil {
			break
		}
		k = k[:m[0]]
	}
	if at, ok := p["name"]; ok {
		return at
	}
	return p[""]
}
