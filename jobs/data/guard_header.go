package data

import (
	"fmt"
	"slices"
	"strings"
)

// header holds a header against the one that Anaplan says, or the job.
func (g Guard) header(got []string, with Against) error {
	if g.Header && with.Header != nil {
		if why := difference(got, with.Header, "the import"); why != "" {
			return &GuardError{"header", why, "write the columns that the import expects, or map the import anew in Anaplan"}
		}
	}
	if g.Names != nil {
		if why := difference(got, g.Names, "the job"); why != "" {
			return &GuardError{"header", why, "find out what changed where the file is made, or correct the guard"}
		}
	}
	var missing []string
	for _, c := range g.Columns {
		if !slices.Contains(got, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		return &GuardError{"columns", "it does not have " + quoted(missing), "find out what changed where the file is made, or correct the guard"}
	}
	return nil
}

// difference says how a header is not the one that somebody expects.
func difference(got, want []string, who string) string {
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
				return fmt.Sprintf("the columns stand in another order: column %d is %s, %s expects %s", i+1, quoted([]string{at(got, i)}), who, quoted(want[i:i+1]))
			}
		}
		return fmt.Sprintf("it has %d columns, %s expects %d", len(got), who, len(want))
	}
	var parts []string
	if len(missing) > 0 {
		parts = append(parts, who+" expects "+quoted(missing)+", which it does not have")
	}
	if len(extra) > 0 {
		parts = append(parts, "it has "+quoted(extra)+", which "+who+" does not know")
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
	const most, long = 8, 100
	for _, n := range names[:min(len(names), most+1)] {
		if len(n) > long {
			n = strings.ToValidUTF8(n[:long], "") + "…"
		}
		q = append(q, fmt.Sprintf("%q", n))
	}
	if len(q) > most {
		q = append(q[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(q, ", ")
}
