// Package dump reads failure dumps: the rows that an import rejected or loaded in part,
// with Anaplan's reasons.
//
// A dump is CSV with all fields quoted: `_Status_` (E rejected, W loaded with a fault),
// the source's columns, `_Line_` (1-based in the source), `_Error_1_`, `_Error_2_` …
// (anaplan-api.md 12.3).
package dump

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Row is one row of a dump.
type Row struct {
	Status string   // "E" or "W"; others as they came
	Cells  []string // of the source, in the order of Table.Columns
	Line   string   // in the source, empty if the dump has none
	Errors []string // Anaplan's own words
}

// Table is the beginning of a dump.
type Table struct {
	Columns []string // of the source
	Rows    []Row
	More    bool // there are further rows
}

// Read reads the first rows of a dump, at most so many.
func Read(r io.Reader, most int) (Table, error) {
	d, err := open(r)
	if err != nil || d == nil {
		return Table{}, err
	}
	t := Table{Columns: d.columns()}
	for {
		row, err := d.next()
		switch {
		case errors.Is(err, io.EOF):
			return t, nil
		case err != nil:
			return t, err
		case len(t.Rows) == most:
			t.More = true
			return t, nil
		}
		t.Rows = append(t.Rows, row)
	}
}

// mostReasons is how many kinds of reasons are told apart; the rest is "other".
const mostReasons = 20

// Stats counts a dump's rows and their reasons. The reasons bear no values of rows, which
// are people's data: see reason.
func Stats(r io.Reader) (ledger.DumpStats, error) {
	d, err := open(r)
	if err != nil || d == nil {
		return ledger.DumpStats{}, err
	}
	var s ledger.DumpStats
	counts := map[string]int64{}
	for {
		row, err := d.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return ledger.DumpStats{}, err
		}
		if row.Status == "W" {
			s.Warned++
		} else {
			s.Rejected++
		}
		seen := map[string]bool{} // a reason counts once a row, however many columns bear it
		for _, text := range row.Errors {
			reason := reason(text, row.Cells)
			if seen[reason] {
				continue
			}
			seen[reason] = true
			if _, known := counts[reason]; !known && len(counts) >= 10*mostReasons {
				reason = "other"
			}
			counts[reason]++
		}
	}
	s.Reasons = frequent(counts)
	return s, nil
}

// frequent sorts reasons by how often they occur.
func frequent(counts map[string]int64) []ledger.Reason {
	var all []ledger.Reason
	for text, n := range counts {
		all = append(all, ledger.Reason{Text: text, Count: n})
	}
	slices.SortFunc(all, func(a, b ledger.Reason) int {
		if a.Count != b.Count {
			return int(min(1, max(-1, b.Count-a.Count)))
		}
		return strings.Compare(a.Text, b.Text)
	})
	if len(all) <= mostReasons {
		return all
	}
	other := ledger.Reason{Text: "other"}
	for _, r := range all[mostReasons-1:] {
		other.Count += r.Count
	}
	return append(all[:mostReasons-1], other)
}

type reader struct {
	csv    *csv.Reader
	in     *bounded
	header []string
}

// maxRecord bounds one row: a delimiter that is never closed would take the rest of the
// dump for one.
const maxRecord = 16 << 20

// errRecord says that a row is longer than any row can be.
var errRecord = fmt.Errorf("a row is longer than %d MB", maxRecord>>20)

// bounded is a reader that gives so many bytes for a row and no more.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRecord
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

// open reads the header; nil for an empty dump.
func open(r io.Reader) (*reader, error) {
	in := &bounded{r, maxRecord}
	text := bufio.NewReader(in)
	// Behind a mark the first field would not begin with its quotation mark.
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" {
		_, _ = text.Discard(3)
	}
	c := csv.NewReader(text)
	c.FieldsPerRecord = -1 // a row has as many error columns as errors
	c.LazyQuotes = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read failure dump: %w", err)
	}
	return &reader{c, in, header}, nil
}

func special(column string) bool {
	return column == "_Status_" || column == "_Line_" || isError(column)
}

func isError(column string) bool {
	return strings.HasPrefix(column, "_Error_") && strings.HasSuffix(column, "_")
}

func (d *reader) columns() []string {
	return slices.DeleteFunc(slices.Clone(d.header), special)
}

func (d *reader) next() (Row, error) {
	d.in.left = maxRecord
	record, err := d.csv.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return Row{}, io.EOF
		}
		return Row{}, fmt.Errorf("read failure dump: %w", err)
	}
	var row Row
	for i, v := range record {
		column := ""
		if i < len(d.header) {
			column = d.header[i]
		}
		switch {
		case column == "_Status_":
			row.Status = v
		case column == "_Line_":
			row.Line = v
		case isError(column) || i >= len(d.header): // further errors than the header names
			if v != "" {
				row.Errors = append(row.Errors, v)
			}
		default:
			row.Cells = append(row.Cells, v)
		}
	}
	return row, nil
}
