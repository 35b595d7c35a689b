package dump

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const sample = `"_Status_","Name","Parent","Code","Start Date","_Line_","_Error_1_","_Error_2_"
"W","Ada Byron","Analysts","","13/45/26","151","Invalid date: 13/45/26"
"E","","Parent","Code","Start Date","11522","Invalid name: Code","Invalid parent"
"E","Ada, ""the first""","Nowhere","C9","","11523","Item Nowhere not located in TEAMS list","Invalid parent","Invalid parent"
`

func TestStatsBearNoValues(t *testing.T) {
	got, err := Stats(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.DumpStats{Rejected: 2, Warned: 1, Reasons: []ledger.Reason{
		{Text: "Invalid parent", Count: 2}, {Text: "Invalid date", Count: 1}, {Text: "Invalid name", Count: 1},
		{Text: "Item … not located in TEAMS list", Count: 1}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReasonBearsNoValues(t *testing.T) {
	for _, tc := range []struct {
		text  string
		cells []string
		want  string
	}{
		{"Invalid parent", nil, "Invalid parent"},
		{"Invalid date: 13/45/26", nil, "Invalid date"},
		{"Invalid date 13/45/26", nil, "Invalid date …"},
		{"Item P1 not located in TEAMS list", nil, "Item … not located in TEAMS list"},
		{"Item Ada Byron not located in TEAMS list", nil, "Item … not located in TEAMS list"},
		{"Item not located in TEAMS list", []string{"x"}, "Item not located in TEAMS list"},
		{"No access for Ada Byron here", []string{"Ada", "Ada Byron"}, "No access for … here"},
		{"FR is no country; Frankly", []string{"FR"}, "… is no country; Frankly"},
		{"in is in there", []string{"in"}, "in is in there"},
		{`Value "Secret Name" and 'another' are wrong`, nil, "Value … and … are wrong"},
		{"it's wrong", nil, "it's wrong"},
		{"Invalid email ada@example.com", nil, "Invalid email …"},
		{"Salary 12 000 EUR is no number", []string{"12 000 EUR"}, "Salary … is no number"},
		{"   ", nil, "no reason given"},
		{"bad \xff bytes", nil, "bad … bytes"},
	} {
		if got := reason(tc.text, tc.cells); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.text, got, tc.want)
		}
	}
}

// TestStatsBoundTheirMemory is a dump with a delimiter that is never closed.
func TestStatsBoundTheirMemory(t *testing.T) {
	r := io.MultiReader(strings.NewReader("\"_Status_\",\"A\"\n\"E\",\"open"), io.LimitReader(endless{}, 1<<30))
	got, err := Stats(r)
	if !errors.Is(err, errRecord) || got.Rejected != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// TestStatsOfSeveralRows counts a row once a reason, and reads line ends inside cells.
func TestStatsOfSeveralRows(t *testing.T) {
	got, err := Stats(strings.NewReader("\ufeff\"_Status_\",\"Note\",\"_Line_\",\"_Error_1_\"\r\n\"E\",\"two\nlines\",\"2\",\"Invalid name\"\r\n\"W\",\"\",\"3\",\"Invalid name\",\"Invalid code\"\r\n\"\",\"\",\"4\"\r\n"))
	want := ledger.DumpStats{Rejected: 2, Warned: 1, Reasons: []ledger.Reason{{Text: "Invalid name", Count: 2}, {Text: "Invalid code", Count: 1}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestReadStopsWhereItMay(t *testing.T) {
	got, err := Read(strings.NewReader(sample), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := Table{Columns: []string{"Name", "Parent", "Code", "Start Date"}, More: true, Rows: []Row{
		{Status: "W", Cells: []string{"Ada Byron", "Analysts", "", "13/45/26"}, Line: "151", Errors: []string{"Invalid date: 13/45/26"}},
		{Status: "E", Cells: []string{"", "Parent", "Code", "Start Date"}, Line: "11522", Errors: []string{"Invalid name: Code", "Invalid parent"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStatsFoldRareReasons(t *testing.T) {
	var b strings.Builder
	b.WriteString("\"_Status_\",\"_Line_\",\"_Error_1_\"\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "\"E\",\"%d\",\"reason number %s\"\n", i, strings.Repeat("x", 1+i%500))
	}
	got, err := Stats(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	var all int64
	for _, r := range got.Reasons {
		all += r.Count
	}
	if len(got.Reasons) != mostReasons || all != 1000 || got.Rejected != 1000 {
		t.Errorf("%d reasons, %d in all, %d rows", len(got.Reasons), all, got.Rejected)
	}
}

func FuzzDump(f *testing.F) {
	f.Add(sample)
	f.Add("")
	f.Add("\ufeff\"_Status_\"\n\"E\"\n")
	f.Add("a,b\n\"unclosed")
	f.Fuzz(func(t *testing.T, s string) {
		stats, err := Stats(strings.NewReader(s))
		if err != nil && stats.Rejected != 0 {
			t.Error("counts came with an error")
		}
		for _, r := range stats.Reasons {
			if len(r.Text) > 130 || strings.ContainsFunc(r.Text, unicode.IsDigit) {
				t.Errorf("reason %q", r.Text)
			}
		}
		if table, err := Read(strings.NewReader(s), 5); err == nil && len(table.Rows) > 5 {
			t.Error("too many rows")
		}
	})
}
