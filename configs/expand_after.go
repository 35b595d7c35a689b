package configs

import (
	"fmt"
	"slices"
)

// reader is a step that takes a source of its own.
type reader struct {
	step *Step
	key  string // of the source
	src  *Source
}

func (r reader) line() int { return r.step.Positions.Near(r.key + ".after").Line }

// settleAfter looks for steps that contradict each other in what becomes of a source. Its
// files are moved once, when every step that reads it has ended: one `after` speaks for
// all of them, and two that differ cannot both be followed.
func (e *expander) settleAfter(steps []Step) {
	readers := map[string][]reader{} // by source
	var all []reader
	for i := range steps {
		s := &steps[i]
		if !s.Enabled {
			continue
		}
		own := []reader{{s, "source", s.Source}}
		for k := range s.Files {
			if f := &s.Files[k]; f.Targets == nil {
				own = append(own, reader{s, "files." + QuoteKey(f.File.label()) + ".source", &f.Source})
			}
		}
		for _, r := range own {
			if r.src != nil && !r.src.Server && r.src.Path != "" {
				all = append(all, r)
				readers[r.src.Path] = append(readers[r.src.Path], r)
			}
		}
	}
	for _, r := range all {
		if first, ok := movedBy(readers[r.src.Path]); ok && r.src.After != (After{}) && r.src.After != first.src.After {
			e.problem(r.step.Positions, r.step.prefix(), r.key+".after", fault{
				fmt.Sprintf("step %q moves the files of this source elsewhere, in line %d, and they are moved once, when every step that reads them has ended", first.step.Name, first.line()),
				"write the same in both, or leave one of the two"})
		}
		if first, ok := movedBy(readers[r.src.WaitFor.Path]); ok && first.src.After.OK != "" && r.isBehind(readers[r.src.WaitFor.Path]) {
			e.problem(r.step.Positions, r.step.prefix(), r.key+".wait_for", fault{
				fmt.Sprintf("waits for a file that is gone: step %q, which comes before, moves it in line %d", first.step.Name, first.line()),
				"name another marker, or take one of the two out"})
		}
	}
}

// movedBy is the first reader of a source that says what becomes of it.
func movedBy(readers []reader) (first reader, ok bool) {
	i := slices.IndexFunc(readers, func(r reader) bool { return r.src.After != (After{}) })
	if i < 0 {
		return reader{}, false
	}
	return readers[i], true
}

// isBehind says whether the step begins only when all others have ended, and none of them
// is itself. It looks at steps in file order alone, not at needs.
func (r reader) isBehind(others []reader) bool {
	return !r.step.NeedsSet && r.step.When != WhenFailed &&
		!slices.ContainsFunc(others, func(o reader) bool { return o.step.Index >= r.step.Index })
}
