package configs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var guardTable = shape[Guard]{title: "guard", keys: []key[Guard]{
	countKey("min_rows", 0, 1<<53, func(g *Guard, n int64) { g.MinRows = &n }),
	countKey("max_rows", 0, 1<<53, func(g *Guard, n int64) { g.MaxRows = &n }),
	sizeKey("min_size", 0, 1<<53, func(g *Guard, n int64) { g.MinSize = &n }),
	{name: "max_age", kind: kindAge, set: func(s scope, g *Guard, e entry) { g.MaxAge = s.age(e) }},
	{name: "header", kind: kindHeader, set: func(s scope, g *Guard, e entry) {
		if _, ok := e.value.([]entry); ok {
			g.Names = s.columnNames(e)
			return
		}
		if _, ok := e.value.(bool); !ok {
			s.badType(e, "true, false or a list of texts", `write true for the one that Anaplan knows, or header = ["…", "…"]`)
			return
		}
		g.Header = ptr(e.value.(bool))
	}},
	{name: "columns", kind: kindColumns, least: 1, most: 10000, set: func(s scope, g *Guard, e entry) {
		switch e.value.(type) {
		case []entry:
			g.Columns = s.columnNames(e)
			if twice := repeated(g.Columns); twice != "" {
				s.wrong(e.at, e.name, fmt.Sprintf("has %q twice", twice), "leave one of the two")
			}
		case int64:
			n, _ := s.count(e, 1, 10000)
			g.Fields = int(n)
		default:
			s.badType(e, "a number or a list of texts", `write how many, as in columns = 12, or their names: columns = ["SKU"]`)
		}
	}},
	enumKey("unchanged", []string{"skip", "run", "refuse"}, func(g *Guard) *string { return &g.Unchanged }),
	{name: "compare_last", kind: kindPercent, set: func(s scope, g *Guard, e entry) { g.CompareLast = s.deviation(e) }},
	{name: "control", kind: kindPath, set: func(s scope, g *Guard, e entry) { g.Control = s.controlFile(e) }},
	{name: "command", kind: kindProgram, set: func(s scope, g *Guard, e entry) { g.Command = s.guardCommand(e) }},
}}

// age is a duration, or a number of business days.
func (s scope) age(e entry) *Age {
	if v, ok := e.value.(string); ok {
		if digits, ok := strings.CutSuffix(v, "bd"); ok {
			if n, err := strconv.Atoi(digits); err == nil && n > 0 && n <= 1000 && digits[0] != '+' {
				return &Age{Days: n}
			}
			s.wrong(e.at, e.name, fmt.Sprintf("%q is not a number of business days", v), `write a whole number of them alone, as in "1bd"; the most is 1000`)
			return nil
		}
	}
	if d, ok := s.duration(e, 1); ok {
		return &Age{Duration: d}
	}
	return nil
}

func (s scope) columnNames(e entry) []string {
	names, ok := s.texts(e, nil)
	if ok && len(names) == 0 {
		s.wrong(e.at, e.name, "is an empty list", "name the columns, or take it out")
	}
	return names
}

// deviation is a percentage that may be more than everything.
func (s scope) deviation(e entry) *float64 {
	const form = `write it as in "20%"`
	switch v := e.value.(type) {
	case int64, float64:
		s.badType(e, "a percentage", fmt.Sprintf(`write "%v%%"`, v))
	case string:
		digits, isShare := strings.CutSuffix(v, "%")
		n, err := strconv.ParseFloat(digits, 64)
		number := err == nil && n >= 0 && n <= 1e6 && !strings.ContainsAny(digits, "eExXpP_+nN")
		if number && isShare {
			return &n
		}
		instead := form
		if number {
			instead = fmt.Sprintf(`write "%s%%"`, digits)
		}
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not a percentage", v), instead)
	default:
		s.badType(e, "a percentage", form)
	}
	return nil
}

var controlTable = shape[Control]{title: "control", keys: []key[Control]{
	{name: "path", kind: kindText, set: func(s scope, c *Control, e entry) { c.Path, _ = s.path(e, readText) }},
	textKey("rows", func(c *Control) *string { return &c.Rows }),
	{name: "sums", kind: kindMap, set: func(s scope, c *Control, e entry) { c.Sums = s.sums(e) }},
}}

// controlFile is the path of a control file, or a table.
func (s scope) controlFile(e entry) *Control {
	c := &Control{}
	if _, ok := e.value.(string); ok {
		c.Path, _ = s.path(e, readText)
		return c
	}
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a path or a table", `write control = "in/sales.ctl"`)
		return c
	}
	before := len(s.problems)
	decode(s.in(e.name), controlTable, t, c)
	if c.Path == "" && len(s.problems) == before {
		s.wrong(e.at, e.name, "has no path", `write control = "path"`)
	}
	return c
}

// sums say by which key of a control file the sum of a column stands.
func (s scope) sums(e entry) map[string]string {
	const form = `write sums = { Amount = "total" }: the column, and the key of its sum in the control file`
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", form)
		return nil
	}
	if len(t.keys) == 0 {
		s.wrong(e.at, e.name, "is empty", form+"; without it every sum of the file is compared")
	}
	sums := map[string]string{}
	s = s.in(e.name)
	for _, e := range t.keys {
		column := e.name
		e.name = QuoteKey(e.name)
		s.mark(e)
		if v, ok := s.text(e); ok {
			sums[column] = v
		}
	}
	return sums
}

var guardCommandTable = shape[GuardCommand]{title: "guard.command", keys: []key[GuardCommand]{
	{name: "run", kind: kindArgv, set: func(s scope, c *GuardCommand, e entry) { c.Argv, _ = s.argv(e) }},
	durationKey("timeout", 1, func(c *GuardCommand, d time.Duration) { c.Timeout = d }),
}}

// guardCommand is a program with its arguments, or a table.
func (s scope) guardCommand(e entry) *GuardCommand {
	c := &GuardCommand{Timeout: 10 * time.Minute}
	t, ok := e.value.(*table)
	if !ok {
		c.Argv, _ = s.argv(e)
		return c
	}
	before := len(s.problems)
	decode(s.in(e.name), guardCommandTable, t, c)
	if c.Argv == nil && len(s.problems) == before {
		s.wrong(e.at, e.name, "runs nothing", `write run = ["PROGRAM", "ARGUMENT"]`)
	}
	return c
}

// argv is a program with its arguments.
func (s scope) argv(e entry) ([]string, bool) {
	argv, ok := s.texts(e, nil)
	if ok && len(argv) == 0 {
		s.wrong(e.at, e.name, "is an empty list", fmt.Sprintf(`write %s = ["PROGRAM", "ARGUMENT"]`, lastName(e.name)))
		return nil, false
	}
	return argv, ok
}
