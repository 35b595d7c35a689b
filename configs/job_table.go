package configs

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"
)

// jobTable is the file itself.
var jobTable = shape[Job]{title: "", keys: []key[Job]{
	textKey("name", func(j *Job) *string { return &j.Name }),
	textKey("connection", func(j *Job) *string { return &j.Connection }),
	textKey("timezone", func(j *Job) *string { return &j.Timezone }),
	enumKey("overlap", []Overlap{OverlapRefuse, OverlapWait, OverlapSkip}, func(j *Job) *Overlap { return &j.Overlap }),
	clockKey("not_after", func(j *Job) *string { return &j.NotAfter }),
	clockKey("deadline", func(j *Job) *string { return &j.Deadline }),
	countKey("max_parallel", 1, 64, func(j *Job, n int64) { j.MaxParallel = int(n) }),
	durationKey("keep", time.Hour, func(j *Job, d time.Duration) { j.Keep = d }),
	{name: "calendar", kind: kindText, set: func(s scope, j *Job, e entry) { j.Calendar, _ = s.path(e, calendarText) }},
	laterKey[Job]("sql", kindAny, "write the rows to a file before, and name it as source"),
	tableKey("anaplan", anaplanTable, self[Job]),
	tableKey("auth", authTable, self[Job]),
	{name: "params", kind: kindMap, set: func(s scope, j *Job, e entry) { setParams(s, j, e) }},
	tableKey("defaults", defaultsTable, func(j *Job) *Step { return &j.Defaults }),
	{name: "step", kind: kindTables, set: func(s scope, j *Job, e entry) { setSteps(s, j, e) }},
	{name: "on_end", kind: kindTable, set: func(s scope, j *Job, e entry) {
		if t, ok := s.table(e); ok {
			j.OnEnd = &OnEnd{}
			decode(s.in("on_end"), onEndTable, t, j.OnEnd)
		}
	}},
}}

var anaplanTable = shape[Job]{title: "[anaplan]", keys: append([]key[Job]{
	refKey("workspace", workspaceID, func(j *Job) *Ref { return &j.Workspace }),
	refKey("model", modelID, func(j *Job) *Ref { return &j.Model }),
}, lift(addressKeys, inline)...)}

var authTable = shape[Job]{title: "[auth]", keys: lift(loginKeys, inline)}

// inline is the connection that the job file holds itself.
func inline(j *Job) *Connection {
	if j.Inline == nil {
		j.Inline = &Connection{File: j.File, Dir: j.Dir, Positions: j.Positions}
	}
	return j.Inline
}

func self[T any](t *T) *T { return t }

// later makes a key one that is decoded, and refused because its function comes later.
func later[T any](k key[T], instead string) key[T] {
	k.later = instead
	return k
}

var onEndTable = shape[OnEnd]{title: "[on_end]", keys: []key[OnEnd]{
	textsKey("command", nil, func(o *OnEnd) *[]string { return &o.Command }),
	textsKey("when", []string{"ok", "partial", "failed", "cancelled", "timed_out", "unsure", "skipped", "blocked"}, func(o *OnEnd) *[]string { return &o.When }),
	durationKey("timeout", 1, func(o *OnEnd, d time.Duration) { o.Timeout = d }),
}}

var paramTable = shape[Param]{title: "[params.NAME]", keys: []key[Param]{
	{name: "default", kind: kindText, set: func(s scope, p *Param, e entry) { setDefault(s, p, e) }},
	flagKey("required", func(p *Param) *bool { return &p.Required }),
	{name: "pattern", kind: kindText, set: func(s scope, p *Param, e entry) {
		v, ok := s.text(e)
		if !ok {
			return
		}
		if _, err := regexp.Compile(v); err != nil {
			s.wrong(e.at, e.name, fmt.Sprintf("is not a regular expression: %s", regexpFault(err)), `write one in '…', as in '^[A-Z][a-z]{2} \d\d$' (https://github.com/google/re2/wiki/Syntax)`)
			return
		}
		p.Pattern = v
	}},
	textsKey("choices", nil, func(p *Param) *[]string { return &p.Choices }),
	textKey("help", func(p *Param) *string { return &p.Help }),
}}

// setDefault takes an empty text too: it is a value.
func setDefault(s scope, p *Param, e entry) {
	if e.value == "" {
		p.HasValue = true
		return
	}
	if v, ok := s.text(e); ok {
		p.Default, p.HasValue = v, true
	}
}

var paramName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func setParams(s scope, j *Job, e entry) {
	t, ok := s.table(e)
	if !ok {
		return
	}
	s = s.in("params")
	for _, e := range t.keys {
		s.mark(e)
		if !paramName.MatchString(e.name) {
			s.wrong(e.at, QuoteKey(e.name), "is no name of a parameter", "write letters, digits, _ and -, beginning with a letter")
			continue
		}
		p := Param{Name: e.name}
		if t, ok := e.value.(*table); ok {
			decode(s.in(e.name), paramTable, t, &p)
		} else {
			setDefault(s, &p, e)
		}
		j.Params = append(j.Params, p)
	}
}

// regexpFault is what is wrong with a regular expression.
func regexpFault(err error) string {
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return fmt.Sprintf("%s: %s", e.Code, e.Expr)
	}
	return err.Error()
}
