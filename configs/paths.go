package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// unsafeInPath says whether a value from outside could lead a path elsewhere.
func unsafeInPath(value string) bool {
	return strings.ContainsAny(value, "/\\\x00") || strings.Contains(value, "..")
}

// unsafe notes such a value: against the caller who gave it, else against the file.
func (e *expander) unsafe(at Positions, prefix, key string, p part, value string) {
	what, instead := "holds / or \\ or .., and goes into a path", "give a plain name"
	if !unsafeInPath(value) {
		what = "holds ? or # or % or @, and goes into a URL"
	}
	if p.kind == runID {
		e.problem(at, prefix, key, fault{fmt.Sprintf("the run id %q %s", value, what), "use ${run.date} here, or another run id"})
		return
	}
	i := slices.IndexFunc(e.job.Params, func(x Param) bool { return x.Name == p.name })
	if _, given := e.values.Params[p.name]; given && !(e.job.Params[i].HasValue && e.job.Params[i].Default == value) {
		e.param(p.name, fmt.Sprintf("%q %s (%s%s)", value, what, prefix, key), instead)
		return
	}
	e.problem(at, prefix, key, fault{fmt.Sprintf("the default %q of params.%s %s", value, p.name, what), "give it a plain name, and write folders where the path is"})
}

var drive = regexp.MustCompile(`^[A-Za-z]:`)

// climbs says whether values without separators made a step upwards or a drive that the
// path as written, mask, does not have: two values of one dot each do.
func climbs(path, mask string) bool {
	if drive.MatchString(path) && !drive.MatchString(mask) {
		return true
	}
	split := func(s string) []string { return strings.Split(strings.ReplaceAll(s, `\`, "/"), "/") }
	a, b := split(path), split(mask)
	for i := range min(len(a), len(b)) {
		if (a[i] == ".." || a[i] == ".") && a[i] != b[i] {
			return true
		}
	}
	return false
}

// unsafeInURL says whether a value from outside could lead a URL elsewhere: to its query,
// to another host, or by %2F and %2E.
func unsafeInURL(value string) bool { return strings.ContainsAny(value, "?#%@") }

// absolute makes a path relative to dir absolute; a URL is. "-" stays where it was written
// so. A leading ~ is no home folder here: no shell reads this file.
func absolute(dir, written, path string, kind textKind) (string, *fault) {
	switch {
	case written == "-":
		return path, nil
	case strings.TrimSpace(path) == "":
		return path, &fault{"the path is empty", "name a file"}
	case path == "~", strings.HasPrefix(path, "~/"), strings.HasPrefix(path, `~\`):
		return path, &fault{path + ": ~ is not replaced by the home folder", "write ${env.HOME}" + path[1:] + ", or ./" + path + " for a folder of that name"}
	}
	if f := placeFault(kind, path); f != nil {
		return path, &fault{shown(path) + ": " + f.what, f.instead}
	}
	if _, ok := addressOf(path); ok || kind == besideText {
		return path, nil
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(dir, path), nil
}
