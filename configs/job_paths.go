package configs

import (
	"fmt"
	"regexp"
	"strings"
)

var sourceTable = shape[Source]{title: "source", keys: []key[Source]{
	{name: "path", kind: kindText, set: func(s scope, src *Source, e entry) {
		if v, ok := s.path(e, "source"); ok {
			src.Path = v
		}
	}},
	laterKey[Source]("query", kindAny, "write the rows to a file before, and name it as source"),
	laterKey[Source]("connection", kindAny, "write the rows to a file before, and name it as source"),
	laterKey[Source]("url", kindAny, "fetch the file before, and name it as source"),
}}

var targetTable = shape[Target]{title: "[[step.target]]", keys: []key[Target]{
	{name: "path", kind: kindText, set: func(s scope, t *Target, e entry) {
		if v, ok := s.path(e, "target"); ok {
			t.Path = v
		}
	}},
	laterKey[Target]("url", kindAny, "write to a file, and send it after the job"),
	laterKey[Target]("table", kindAny, "write to a file, and load it after the job"),
}}

// isSource says whether a table under files is a source itself.
func isSource(t *table) bool {
	for _, e := range t.keys {
		if e.name == "path" || e.name == "query" || e.name == "url" {
			return true
		}
	}
	return false
}

// source is a path, "server", or a table { path }; nil when it is wrong.
func (s scope) source(e entry) *Source {
	if e.value == "server" {
		return &Source{Server: true}
	}
	if t, ok := e.value.(*table); ok {
		src := &Source{}
		before := len(s.problems)
		decode(s.in(e.name), sourceTable, t, src)
		if src.Path == "" && len(s.problems) == before {
			s.wrong(e.at, e.name, "has no path", `write source = "path"`)
		}
		return src
	}
	if _, ok := e.value.([]entry); ok {
		s.badType(e, "one path", "a server file has one source: join the files before")
		return &Source{}
	}
	v, _ := s.path(e, "source")
	return &Source{Path: v} // a wrong source is there all the same
}

// targets are a path, a table { path }, or a list of these.
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
			decode(s.in(e.name), targetTable, t, &target)
			if target.Path == "" && len(s.problems) == before {
				s.wrong(x.at, e.name, "has no path", `write path = "…"`)
			}
		} else {
			target.Path, _ = s.path(x, "target")
		}
		all = append(all, target)
	}
	return all
}

var compressed = regexp.MustCompile(`(?i)\.(gz|zip|zst|bz2|xz|7z)$`)

// path is the path of a file on this machine. Everything else that may once be named
// here is refused as not available yet.
func (s scope) path(e entry, role string) (string, bool) {
	v, ok := s.text(e)
	if !ok {
		return "", false
	}
	before, after := "fetch the file before the job", "send the file after the job"
	do := before
	if role == "target" {
		do = after
	}
	foreign := scheme.FindStringSubmatch(v)
	switch {
	case foreign != nil:
		s.wrong(e.at, e.name, fmt.Sprintf("%s:// is not available yet", foreign[1]), do+", and write its path here")
	case strings.HasPrefix(v, "query:"), strings.HasPrefix(v, "cmd:"):
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not available yet", v[:strings.IndexByte(v, ':')+1]), do+", and write its path here")
	case v == "-":
		s.wrong(e.at, e.name, "- (the standard streams) is not available in a job file", "write the path of a file; exec, upload and download take -")
	case strings.ContainsAny(v, "*?"):
		s.wrong(e.at, e.name, "patterns with * and ? are not available yet", "write the name of one file, if need be with ${run.date}")
	case compressed.MatchString(v) && role == "source":
		s.wrong(e.at, e.name, "compressed sources are not available yet", "unpack the file before; it is compressed on its way to Anaplan")
	case compressed.MatchString(v):
		s.wrong(e.at, e.name, "compressed targets are not available yet", "write a plain file, and compress it after the job")
	case v == "~" || strings.HasPrefix(v, "~/") || strings.HasPrefix(v, `~\`):
		s.wrong(e.at, e.name, "~ is not replaced by the home folder", "write ${env.HOME}"+v[1:])
	case strings.HasSuffix(v, "/"), strings.HasSuffix(v, `\`):
		s.wrong(e.at, e.name, "names a folder", "write the path of a file")
	default:
		return v, true
	}
	return "", false
}
