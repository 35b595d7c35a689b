package dump

import (
	"fmt"
	"strings"
	"testing"

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
		fmt.Fprintf(&b, "\"E\",\"%d\",\"reason number %d\"\n", i, i%500)
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
		if table, err := Read(strings.NewReader(s), 5); err == nil && len(table.Rows) > 5 {
			t.Error("too many rows")
		}
	})
}
