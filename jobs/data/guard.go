package data

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// GuardError says that a source or a result is not what the job wants. Nothing was sent,
// or replaced.
type GuardError struct {
	Guard string // "min_rows" …
	What  string
	Next  string // what to do
}

func (e *GuardError) Error() string { return "guard " + e.Guard + ": " + e.What }

// Check holds a file's facts against the guard. header is the one that Anaplan's import
// expects, nil when it is not known: then Header asks for nothing. Errors are
// *GuardError.
func (g Guard) Check(f Facts, header []string, now time.Time) error {
	if f.Opaque && (g.MinRows != nil || g.MaxRows != nil || g.Header) {
		return &GuardError{g.first(), "it is not text, its rows cannot be counted", "take the guard out, or make it CSV in Anaplan"}
	}
	if g.MinRows != nil && f.Rows < *g.MinRows {
		return &GuardError{"min_rows", fmt.Sprintf("it has %s, at least %d are wanted", rows(f.Rows), *g.MinRows),
			"find out why it is short, or lower min_rows"}
	}
	if g.MaxRows != nil && f.Rows > *g.MaxRows {
		return &GuardError{"max_rows", fmt.Sprintf("it has %s, at most %d are wanted", rows(f.Rows), *g.MaxRows),
			"find out why it is long, or raise max_rows"}
	}
	if g.MaxAge != nil {
		if age := now.Sub(f.Modified); age > *g.MaxAge {
			return &GuardError{"max_age", fmt.Sprintf("it was written %s, %s ago; it may be %s old", f.Modified.Format(time.RFC3339),
				age.Round(time.Second), *g.MaxAge), "find out why no new one was written, or raise max_age"}
		}
	}
	if g.Header && header != nil {
		if why := difference(f.Header, header); why != "" {
			return &GuardError{"header", why, "write the columns that the import expects, or map the import anew in Anaplan"}
		}
	}
	return nil
}

// first names the first thing that is guarded about rows.
func (g Guard) first() string {
	switch {
	case g.MinRows != nil:
		return "min_rows"
	case g.MaxRows != nil:
		return "max_rows"
	}
	return "header"
}

// Zero says whether nothing is guarded.
func (g Guard) Zero() bool { return g == Guard{} }

func rows(n int64) string {
	if n == 1 {
		return "1 data row"
	}
	return fmt.Sprintf("%d data rows", n)
}

// difference says how a header is not the one that is expected.
func difference(got, want []string) string {
	if slices.Equal(got, want) {
		return ""
	}
	var missing, extra []string
	for _, w := range want {
		if !slices.Contains(got, w) {
			missing = append(missing, w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			extra = append(extra, g)
		}
	}
	if len(missing)+len(extra) == 0 {
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				return fmt.Sprintf("the columns stand in another order: column %d is %q, the import expects %q", i+1, at(got, i), want[i])
			}
		}
		return fmt.Sprintf("it has %d columns, the import expects %d", len(got), len(want))
	}
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, "the import expects "+quoted(missing)+", which it does not have")
	}
	if len(extra) > 0 {
		parts = append(parts, "it has "+quoted(extra)+", which the import does not know")
	}
	return strings.Join(parts, "; ")
}

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return ""
}

func quoted(names []string) string {
	q := make([]string, 0, len(names))
	for _, n := range names {
		q = append(q, fmt.Sprintf("%q", n))
	}
	const most = 8
	if len(q) > most {
		q = append(q[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(q, ", ")
}
