package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a file, said to the person who wrote it.
type Problem struct {
	File    string
	Line    int // from 1; 0 when the problem has no place
	Column  int // from 1; 0 when unknown
	Key     string
	What    string // what is wrong
	Instead string // what to write instead
}

// String is `file:line: key: what is wrong; what to write instead`, without the parts that are empty.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.What)
	if p.Instead != "" {
		b.WriteString("; " + p.Instead)
	}
	return b.String()
}

// Problems is an error that holds everything that is wrong with a file, in the order of
// its lines.
type Problems []Problem

// Error puts each problem on a line of its own.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders problems as a person reads the file, each once.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Key, b.Key))
	})
	return slices.Compact(p)
}

// err is nil when there is no problem, so that a nil slice never hides in an error.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p.sorted()
}

// ParamError says that the caller gave a parameter wrongly: wrong usage (64), not a
// mistake in the job file.
type ParamError struct {
	Name    string
	What    string
	Instead string
}

func (e *ParamError) Error() string {
	s := "--param " + e.Name + ": " + e.What
	if e.Instead != "" {
		s += "; " + e.Instead
	}
	return s
}
