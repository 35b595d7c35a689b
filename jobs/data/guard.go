package data

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// Guard is what must hold of a source or of a download. What is nil or empty is not
// guarded.
type Guard struct {
	MinRows     *int64 // data rows
	MaxRows     *int64
	MinSize     *int64 // bytes that are sent
	MaxAge      *Age
	Header      bool     // the header must be the one that Anaplan says
	Names       []string // the header must be this one
	Fields      int      // of every row
	Columns     []string // must be in the header, in any order
	Unchanged   string   // "skip", "refuse"; "run" or empty: not guarded
	CompareLast *float64 // percent by which the rows may differ from the last ones
	Control     *Control
}

// Age is a length of time, or a number of business days: so many may begin between the
// writing of a file and now.
type Age struct {
	Duration time.Duration
	Days     int // more than 0: business days, and Duration does not count
}

// Control says which keys of a control file hold what.
type Control struct {
	Rows string            // key of the number of data rows; empty: "rows", if there is one
	Sums map[string]string // column to the key of its sum; nil: every key "sum COLUMN"
}

// Against is what a guard compares with.
type Against struct {
	Header      []string             // the one that Anaplan says; nil: not known, then Guard.Header asks for nothing
	Now         time.Time            // in the job's time zone, which says when days begin
	BusinessDay func(time.Time) bool // whether that day is one; nil: Monday to Friday
	Last        *Last                // of the last run that was ok; nil: there is none, then nothing is compared
	Control     *Totals              // what the control file says; must be there if Guard.Control is
}

// Last are the facts of an earlier run.
type Last struct {
	Digest string
	Rows   *int64 // nil: not known
}

// ErrUnchanged says that the bytes are those of the last run that was ok, and that the
// job asks to skip them then: nothing is wrong.
var ErrUnchanged = errors.New("it is the same as at the last run that was ok")

// GuardError says that a source or a result is not what the job wants. Nothing was sent,
// or replaced.
type GuardError struct {
	Guard string // "min_rows" …
	What  string
	Next  string // what to do
}

func (e *GuardError) Error() string { return "guard " + e.Guard + ": " + e.What }

// Zero says whether nothing is guarded.
func (g Guard) Zero() bool { return reflect.ValueOf(g).IsZero() }

// Early holds files against the guard by what is known without reading them. Errors are
// *GuardError.
func (g Guard) Early(f Found, with Against) error {
	return g.age(f.modified(), with)
}

// Checks is what a pass over the bytes must look at for this guard. Errors are
// *GuardError: the control file lacks a key.
func (g Guard) Checks(with Against) (Checks, error) {
	c := Checks{Fields: g.Fields}
	if g.MinSize != nil {
		c.MinSize = *g.MinSize
	}
	if g.Control != nil {
		sums, err := g.Control.sums(with.Control)
		if err != nil {
			return Checks{}, err
		}
		for column := range sums {
			c.Sums = append(c.Sums, column)
		}
	}
	if g.Header && with.Header != nil || g.Names != nil || g.Columns != nil {
		c.Header = func(header []string) error { return g.header(header, with) }
	}
	return c, nil
}

// Check holds facts against the guard. Errors are *GuardError, or ErrUnchanged when all
// else holds.
func (g Guard) Check(f Facts, with Against) error {
	if name := g.ofRows(); f.Opaque && name != "" {
		return &GuardError{name, "it is not text, its rows cannot be counted", "take the guard out, or make it CSV in Anaplan"}
	}
	for _, check := range []func() error{
		func() error { return g.age(f.Modified, with) },
		func() error { return g.size(f.Bytes) },
		func() error { return g.rows(f.Rows) },
		func() error { return g.header(f.Header, with) },
		func() error { return g.fields(f) },
		func() error { return g.control(f, with.Control) },
		func() error { return g.compare(f, with.Last) },
		func() error { return g.unchanged(f, with.Last) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// ofRows names the first thing that is guarded about text.
func (g Guard) ofRows() string {
	switch {
	case g.MinRows != nil:
		return "min_rows"
	case g.MaxRows != nil:
		return "max_rows"
	case g.Header || g.Names != nil:
		return "header"
	case g.Fields > 0 || g.Columns != nil:
		return "columns"
	case g.Control != nil:
		return "control"
	case g.CompareLast != nil:
		return "compare_last"
	}
	return ""
}

func (g Guard) size(bytes int64) error {
	if g.MinSize != nil && bytes < *g.MinSize {
		return tooSmall(bytes, *g.MinSize)
	}
	return nil
}

func tooSmall(bytes, wanted int64) error {
	return &GuardError{"min_size", fmt.Sprintf("it has %d bytes, at least %d are wanted", bytes, wanted), "find out why it is short, or lower min_size"}
}

func (g Guard) rows(n int64) error {
	if g.MinRows != nil && n < *g.MinRows {
		return &GuardError{"min_rows", fmt.Sprintf("it has %s, at least %d are wanted", rows(n), *g.MinRows),
			"find out why it is short, or lower min_rows"}
	}
	if g.MaxRows != nil && n > *g.MaxRows {
		return &GuardError{"max_rows", fmt.Sprintf("it has %s, at most %d are wanted", rows(n), *g.MaxRows),
			"find out why it is long, or raise max_rows"}
	}
	return nil
}

func rows(n int64) string {
	if n == 1 {
		return "1 data row"
	}
	return fmt.Sprintf("%d data rows", n)
}

func (g Guard) fields(f Facts) error {
	if g.Fields == 0 || f.Odd == nil {
		return nil
	}
	return &GuardError{"columns", fmt.Sprintf("row %d has %d fields, %d are wanted", f.Odd.Row, f.Odd.Fields, g.Fields),
		"correct that row where the file is made, or the number in the guard"}
}

func (g Guard) compare(f Facts, last *Last) error {
	if g.CompareLast == nil || last == nil || last.Rows == nil {
		return nil
	}
	off := math.Abs(float64(f.Rows) - float64(*last.Rows))
	if 100*off <= *g.CompareLast*float64(*last.Rows) {
		return nil
	}
	return &GuardError{"compare_last", fmt.Sprintf("it has %s, the last one had %d: more than %g%% apart", rows(f.Rows), *last.Rows, *g.CompareLast),
		"find out why; if it is right, run once without the guard or with a larger percentage"}
}

func (g Guard) unchanged(f Facts, last *Last) error {
	if last == nil || last.Digest == "" || last.Digest != f.Digest {
		return nil
	}
	switch g.Unchanged {
	case "skip":
		return ErrUnchanged
	case "refuse":
		return &GuardError{"unchanged", ErrUnchanged.Error(), "find out why no new one was written"}
	}
	return nil
}
