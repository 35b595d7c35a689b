package configs

import (
	"fmt"
	"path/filepath"
)

// settleFiles looks at the sources and targets of a step when their ${…} have been
// replaced: what was, and what became of it.
func (e *expander) settleFiles(was, now *Step) {
	wrong := func(key string, f *fault) {
		if f != nil {
			e.problem(now.Positions, now.prefix(), key, *f)
		}
	}
	if now.Source != nil {
		settleSource("source", was.Source, now.Source, wrong)
	}
	e.settleTargets("target", now.Targets, wrong)
	for i := range now.Files {
		key := "files." + QuoteKey(now.Files[i].File.label())
		settleSource(key+".source", &was.Files[i].Source, &now.Files[i].Source, wrong)
		e.settleTargets(key+".target", now.Files[i].Targets, wrong)
	}
}

func settleSource(key string, was, now *Source, wrong func(string, *fault)) {
	if now.Server || now.Path == "" {
		return
	}
	if hasValue(was.Path) && now.Pick != PickOne {
		wrong(key+".pick", pickFault(now.Path))
	}
	if hasValue(was.Encoding) && now.Encoding != was.Encoding {
		name, f := readEncoding(now.Encoding)
		wrong(key+".encoding", f)
		now.Encoding = name
	}
	for _, a := range []struct {
		key    string
		folder *string
	}{{".after.ok", &now.After.OK}, {".after.else", &now.After.Else}} {
		if *a.folder != "" {
			wrong(key+a.key, settleFolder(now.Path, a.folder))
		}
	}
}

// settleFolder makes the folder to move a source to one of the same store.
func settleFolder(source string, folder *string) *fault {
	if f := afterFault(source); f != nil {
		return f
	}
	from, remote := addressOf(source)
	if remote {
		*folder = besides(from, *folder)
	}
	to, away := addressOf(*folder)
	switch {
	case remote != away || remote && (from.scheme != to.scheme || from.host != to.host):
		return &fault{fmt.Sprintf("%s is another place than that of the source, %s", shown(*folder), shown(source)), "name a folder of the same place; a file is not copied from one to another"}
	case Moved(*folder, source) == filepath.Clean(source) && !remote, Moved(*folder, source) == source:
		return &fault{"is the folder in which the source lies", "name another one"}
	}
	return nil
}

func (e *expander) settleTargets(key string, targets []Target, wrong func(string, *fault)) {
	for _, t := range targets {
		if _, remote := addressOf(t.Path); remote && t.Keep > 0 {
			wrong(key+".keep", &fault{"previous ones are kept of files on this machine only", "take it out, and let the store keep versions"})
		}
	}
	if after, f := targetsFault(targets); f != nil {
		wrong(key+after, f)
	}
}
