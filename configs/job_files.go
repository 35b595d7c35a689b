package configs

import (
	"fmt"
	"strings"
	"time"
)

var sourceTable = shape[Source]{title: "source", keys: []key[Source]{
	{name: "path", kind: kindText, set: func(s scope, src *Source, e entry) { src.Path, _ = s.path(e, sourceText) }},
	enumKey("pick", []Pick{PickNewest, PickAll}, func(src *Source) *Pick { return &src.Pick }),
	textKey("member", func(src *Source) *string { return &src.Member }),
	{name: "encoding", kind: kindText, set: func(s scope, src *Source, e entry) {
		v, ok := s.text(e)
		if !ok {
			return
		}
		name, f := readEncoding(v)
		switch {
		case hasValue(v):
			src.Encoding = v
		case f != nil:
			s.wrong(e.at, e.name, f.what, f.instead)
		default:
			src.Encoding = name
		}
	}},
	{name: "wait_for", kind: kindWaitFor, set: func(s scope, src *Source, e entry) { src.WaitFor = s.waitFor(e) }},
	tableKey("after", afterTable, func(src *Source) *After { return &src.After }),
	laterKey[Source]("query", kindAny, "write the rows to a file before, and name it as source"),
	laterKey[Source]("connection", kindAny, "write the rows to a file before, and name it as source"),
}}

var waitForTable = shape[WaitFor]{title: "wait_for", keys: []key[WaitFor]{
	{name: "path", kind: kindText, set: func(s scope, w *WaitFor, e entry) { w.Path, _ = s.path(e, readText) }},
	durationKey("limit", 1, func(w *WaitFor, d time.Duration) { w.Limit = d }),
}}

var afterTable = shape[After]{title: "after", keys: []key[After]{
	{name: "ok", kind: kindText, set: func(s scope, a *After, e entry) { a.OK, _ = s.folder(e) }},
	{name: "else", kind: kindText, set: func(s scope, a *After, e entry) { a.Else, _ = s.folder(e) }},
}}

var targetTable = shape[Target]{title: "[[step.target]]", keys: []key[Target]{
	{name: "path", kind: kindText, set: func(s scope, t *Target, e entry) { t.Path, _ = s.path(e, targetText) }},
	countKey("keep", 1, 100, func(t *Target, n int64) { t.Keep = int(n) }),
	{name: "done_marker", kind: kindText, set: func(s scope, t *Target, e entry) { t.Done, _ = s.path(e, doneText) }},
	laterKey[Target]("table", kindAny, "write to a file, and load it after the job"),
}}

// isSource says whether a table under files is a source itself.
func isSource(t *table) bool {
	for _, k := range sourceTable.keys {
		if _, ok := t.get(k.name); ok {
			return true
		}
	}
	_, url := t.get("url")
	return url
}

// source is a path or a URL, "server", or a table; a wrong one is there all the same.
func (s scope) source(e entry) *Source {
	if e.value == "server" {
		return &Source{Server: true}
	}
	if t, ok := e.value.(*table); ok {
		src := &Source{}
		before := len(s.problems)
		in := s.in(e.name)
		decode(in, sourceTable, t, src)
		if src.Path == "" && len(s.problems) == before {
			s.wrong(e.at, e.name, "has no path", `write path = "…"`)
		}
		if pick, ok := t.get("pick"); ok && src.Path != "" && src.Pick != PickOne {
			if f := pickFault(src.Path); f != nil && !hasValue(src.Path) {
				in.wrong(pick.at, "pick", f.what, f.instead)
			}
		}
		if after, ok := t.get("after"); ok && src.Path != "" {
			if f := afterFault(src.Path); f != nil {
				in.wrong(after.at, "after", f.what, f.instead)
			}
		}
		return src
	}
	if _, ok := e.value.([]entry); ok {
		s.badType(e, "one path", `a server file has one source: write a pattern with pick = "all", or join the files before`)
		return &Source{}
	}
	v, _ := s.path(e, sourceText)
	return &Source{Path: v}
}

func pickFault(path string) *fault {
	if isPattern(path) {
		return nil
	}
	return &fault{"chooses among the files of a pattern, and path is one file", `write a pattern as in "in/sales_*.csv", or take pick out`}
}

// afterFault is what is wrong with moving a source away.
func afterFault(source string) *fault {
	if p, ok := addressOf(source); ok && !p.bucket() {
		return &fault{p.scheme + ":// has no folders to move a file to", "take it out"}
	}
	return nil
}

// waitFor is how long to wait for the source, or { path, limit } for a marker file.
func (s scope) waitFor(e entry) WaitFor {
	const form = `write how long, as in "30m", or { path = "in/ready", limit = "2h" }`
	switch v := e.value.(type) {
	case *table:
		var w WaitFor
		before := len(s.problems)
		decode(s.in(e.name), waitForTable, v, &w)
		if w.Limit == 0 && len(s.problems) == before {
			s.wrong(e.at, e.name, "has no limit", `write limit = "2h"`)
		}
		return w
	case string:
		if _, err := parseDuration(v); err != nil && repairDuration(v) == "" && (v == "" || !strings.Contains("0123456789", v[:1])) {
			s.wrong(e.at, e.name, fmt.Sprintf("%q is not a duration", v), form)
			return WaitFor{}
		}
	case int64, float64:
	default:
		s.badType(e, "a duration or a table", form)
		return WaitFor{}
	}
	d, _ := s.duration(e, 1)
	return WaitFor{Limit: d}
}

// folder is the folder of "move:FOLDER/".
func (s scope) folder(e entry) (string, bool) {
	v, ok := s.text(e)
	if !ok {
		return "", false
	}
	folder, move := strings.CutPrefix(v, "move:")
	if !move {
		instead := `write it as in "move:done/"`
		if strings.Contains(v, "/") {
			instead = fmt.Sprintf(`write "move:%s/"`, strings.TrimRight(v, "/"))
		}
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not what can be done with a file", v), instead)
		return "", false
	}
	if strings.TrimSpace(folder) == "" {
		s.wrong(e.at, e.name, `"move:" names no folder`, `write it as in "move:done/"`)
		return "", false
	}
	if f := placeFault(folderText, folder); f != nil {
		s.wrong(e.at, e.name, f.what, f.instead)
		return "", false
	}
	return folder, true
}

// targets are a path or a URL, a table, or a list of these.
func (s scope) targets(e entry) []Target {
	list, ok := e.value.([]entry)
	if !ok {
		list = []entry{e}
	} else if len(list) == 0 {
		s.wrong(e.at, e.name, "is an empty list", "name a file")
	}
	all := []Target{}
	for _, x := range list {
		x.name = e.name
		var target Target
		if t, ok := x.value.(*table); ok {
			before := len(s.problems)
			in := s.in(e.name)
			decode(in, targetTable, t, &target)
			if target.Path == "" && len(s.problems) == before {
				s.wrong(x.at, e.name, "has no path", `write path = "…"`)
			}
			if keep, ok := t.get("keep"); ok {
				if _, remote := addressOf(target.Path); remote {
					in.wrong(keep.at, "keep", "previous ones are kept of files on this machine only", "take it out, and let the store keep versions")
				}
			}
		} else {
			target.Path, _ = s.path(x, targetText)
		}
		all = append(all, target)
	}
	return all
}

// path is a path or a URL of a kind. What is not available yet is said to be so.
func (s scope) path(e entry, kind textKind) (string, bool) {
	v, ok := s.text(e)
	if !ok {
		return "", false
	}
	if f := placeFault(kind, v); f != nil {
		s.wrong(e.at, e.name, f.what, f.instead)
		return "", false
	}
	return v, true
}

// targetsFault is what is wrong with the targets of a step or of an export in a process
// together; nil when nothing is.
func targetsFault(targets []Target) (key string, f *fault) {
	paths := make([]string, len(targets))
	for i, t := range targets {
		paths[i] = t.Path
	}
	if twice := repeated(paths); twice != "" {
		return "", &fault{fmt.Sprintf("has %q twice", shown(twice)), "leave one of the two"}
	}
	for _, t := range targets {
		for _, path := range paths {
			if t.Done != "" && t.Done == path {
				return ".done_marker", &fault{"is a target itself", "give the marker a name of its own, as out/forecast.done"}
			}
		}
	}
	return "", nil
}
