package data

import (
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func ptr[T any](v T) *T { return &v }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) // a Tuesday

func TestGuards(t *testing.T) {
	facts := Facts{Bytes: 1000, Rows: 5, Header: []string{"a", "b", "c"}, Modified: noon.Add(-time.Hour), Digest: "d1",
		Sums: map[string]*big.Rat{"b": big.NewRat(12345, 100)}}
	with := func(change func(*Against)) Against {
		a := Against{Now: noon, Last: &Last{Digest: "d0", Rows: ptr[int64](4)}}
		if change != nil {
			change(&a)
		}
		return a
	}
	control := func(values map[string]string) Against {
		return with(func(a *Against) { a.Control = &Totals{"in/x.ctl", values} })
	}
	odd := func(f Facts) Facts { f.Odd = &Odd{4, 2}; return f }(facts)
	for _, tc := range []struct {
		name  string
		guard Guard
		facts Facts
		with  Against
		says  string
	}{
		{"large enough", Guard{MinSize: ptr[int64](1000)}, facts, with(nil), ""},
		{"too small", Guard{MinSize: ptr[int64](1001)}, facts, with(nil), "guard min_size: it has 1000 bytes, at least 1001 are wanted"},
		{"the header that was stated", Guard{Names: []string{"a", "b", "c"}}, facts, with(nil), ""},
		{"another one", Guard{Names: []string{"a", "b"}}, facts, with(nil), `guard header: it has "c", which the job does not know`},
		{"no header", Guard{Names: []string{"a"}}, Facts{Modified: noon}, with(nil), `guard header: the job expects "a"`},
		{"all columns", Guard{Columns: []string{"c", "a"}}, facts, with(nil), ""},
		{"a column is missing", Guard{Columns: []string{"c", "d", "e"}}, facts, with(nil), `guard columns: it does not have "d", "e"`},
		{"so many fields", Guard{Fields: 3}, facts, with(nil), ""},
		{"another number", Guard{Fields: 3}, odd, with(nil), "guard columns: row 4 has 2 fields, 3 are wanted"},
		{"not far from the last", Guard{CompareLast: ptr(25.0)}, facts, with(nil), ""},
		{"too far", Guard{CompareLast: ptr(24.9)}, facts, with(nil), "guard compare_last: it has 5 data rows, the last one had 4: more than 24.9% apart"},
		{"far less", Guard{CompareLast: ptr(20.0)}, facts, with(func(a *Against) { a.Last.Rows = ptr[int64](100) }), "the last one had 100"},
		{"none before", Guard{CompareLast: ptr(0.0), Unchanged: "refuse"}, facts, with(func(a *Against) { a.Last = nil }), ""},
		{"rows not known", Guard{CompareLast: ptr(0.0)}, facts, with(func(a *Against) { a.Last.Rows = nil }), ""},
		{"other bytes", Guard{Unchanged: "refuse"}, facts, with(nil), ""},
		{"the same bytes", Guard{Unchanged: "refuse"}, facts, with(func(a *Against) { a.Last.Digest = "d1" }), "guard unchanged: it is the same as at the last run"},
		{"which may be", Guard{Unchanged: "run"}, facts, with(func(a *Against) { a.Last.Digest = "d1" }), ""},
		{"rows and sums", Guard{Control: &Control{}}, facts, control(map[string]string{"rows": "5", "sum b": "123.45", "made by": "x"}), ""},
		{"sums alone", Guard{Control: &Control{}}, facts, control(map[string]string{"sum b": "123.450"}), ""},
		{"other keys", Guard{Control: &Control{Rows: "count", Sums: map[string]string{"b": "total"}}}, facts, control(map[string]string{"count": "5", "total": "+123.45"}), ""},
		{"other rows", Guard{Control: &Control{}}, facts, control(map[string]string{"rows": "6"}), "guard control: it has 5 data rows, control file in/x.ctl says 6"},
		{"another sum", Guard{Control: &Control{}}, facts, control(map[string]string{"sum b": "123.46"}), `the sum of column "b" is 123.45, control file in/x.ctl says 123.46`},
		{"no such column", Guard{Control: &Control{}}, facts, control(map[string]string{"sum z": "1"}), `column "z", which is not in the header`},
		{"no such key", Guard{Control: &Control{Rows: "count"}}, facts, control(map[string]string{"rows": "5"}), `has no "count"`},
		{"nothing in it", Guard{Control: &Control{}}, facts, control(map[string]string{"x": "5"}), `has no "rows"`},
		{"no number", Guard{Control: &Control{}}, facts, control(map[string]string{"rows": "1,000"}), `"rows" is no plain number`},
		{"a workbook", Guard{Columns: []string{"a"}}, Facts{Opaque: true, Modified: noon}, with(nil), "guard columns: it is not text"},
		{"a workbook's size", Guard{MinSize: ptr[int64](2)}, Facts{Opaque: true, Bytes: 2, Modified: noon}, with(nil), ""},
	} {
		err := tc.guard.Check(tc.facts, tc.with)
		if tc.says == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if e, ok := errors.AsType[*GuardError](err); !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	same := with(func(a *Against) { a.Last.Digest = "d1" })
	if err := (Guard{Unchanged: "skip"}).Check(facts, same); !errors.Is(err, ErrUnchanged) {
		t.Errorf("%v", err)
	}
	if err := (Guard{Unchanged: "skip", MinRows: ptr[int64](9)}).Check(facts, same); err == nil || errors.Is(err, ErrUnchanged) {
		t.Errorf("what is refused is skipped: %v", err)
	}
	if !(Guard{}).Zero() || (Guard{Fields: 1}).Zero() {
		t.Error("Zero is wrong")
	}
}

func TestMaxAge(t *testing.T) {
	zone := time.FixedZone("east", 2*3600)
	day := func(d, hour, minute int) time.Time { return time.Date(2026, 11, d, hour, minute, 0, 0, zone) }
	holiday := func(d time.Time) bool {
		return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday && d.Day() != 23
	}
	for _, tc := range []struct {
		name          string
		age           Age
		modified, now time.Time
		is            func(time.Time) bool
		ok            bool
	}{
		{"just", Age{Duration: time.Hour}, day(20, 1, 0), day(20, 2, 0), nil, true},
		{"a little older", Age{Duration: time.Hour}, day(20, 1, 0), day(20, 2, 0).Add(1), nil, false},
		{"the same day", Age{Days: 1}, day(20, 1, 0), day(20, 23, 0), nil, true},
		{"Friday, on Sunday", Age{Days: 1}, day(20, 23, 0), day(22, 23, 59), nil, true},
		{"Friday, on Monday", Age{Days: 1}, day(20, 1, 0), day(23, 23, 59), nil, true},
		{"Friday, on Tuesday", Age{Days: 1}, day(20, 23, 59), day(24, 0, 0), nil, false},
		{"Friday, on Tuesday, two days", Age{Days: 2}, day(20, 23, 59), day(24, 0, 0), nil, true},
		{"Friday, on Tuesday after a holiday", Age{Days: 1}, day(20, 23, 59), day(24, 23, 0), holiday, true},
		{"in the zone of the job", Age{Days: 1}, day(23, 23, 30).UTC(), day(25, 0, 30), nil, false},
		{"Thursday", Age{Days: 1}, day(19, 23, 59), day(23, 0, 0), nil, false},
		{"years", Age{Days: 3}, day(19, 23, 59).AddDate(-30, 0, 0), day(23, 0, 0), nil, false},
		{"from the future", Age{Days: 1}, day(29, 23, 59), day(23, 0, 0), nil, true},
		{"not known", Age{Days: 1}, time.Time{}, day(23, 0, 0), nil, false},
	} {
		g := Guard{MaxAge: &tc.age}
		with := Against{Now: tc.now, BusinessDay: tc.is}
		for _, err := range []error{g.Check(Facts{Modified: tc.modified}, with), g.Early(Found{Entries: []Entry{{Modified: tc.modified}, {}}}, with)} {
			if e, ok := errors.AsType[*GuardError](err); ok == tc.ok || ok && (e.Guard != "max_age" || e.Next == "") {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
	}
}

// What a guard needs of a pass is looked at on the way, cheap things first.
func TestGuardsOnTheWay(t *testing.T) {
	text := "sku,amount,Straße\n" + strings.Repeat("x,0.10,y\n", 1000) + "\n\"x,\",-1.5,\"z\n\"\n y,\" 2 \",\n"
	path := filepath.Join(t.TempDir(), "in.csv")
	writeFile(t, path, text)
	f := fetched(t, path, csvFormat)
	inspect := func(g Guard, with Against) (Facts, error) {
		t.Helper()
		with.Now = time.Now()
		checks, err := g.Checks(with)
		if err != nil {
			return Facts{}, err
		}
		facts, err := f.Inspect(t.Context(), checks)
		if err != nil {
			return Facts{}, err
		}
		return facts, g.Check(facts, with)
	}
	refused := func(what string, err error, says string) {
		t.Helper()
		if e, ok := errors.AsType[*GuardError](err); !ok || !strings.Contains(err.Error(), says) || e.Next == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	totals := func(values map[string]string) Against { return Against{Control: &Totals{"x.ctl", values}} }
	facts, err := inspect(Guard{Fields: 3, Control: &Control{}, Names: []string{"sku", "amount", "Straße"}, MinSize: ptr(int64(len(text)))},
		totals(map[string]string{"rows": "1002", "sum amount": "100.5"}))
	if err != nil || facts.Odd != nil || facts.Sums["amount"].Cmp(big.NewRat(1005, 10)) != 0 {
		t.Errorf("%+v, %v", facts, err)
	}
	_, err = inspect(Guard{MinSize: ptr(int64(len(text) + 1))}, Against{})
	refused("size", err, "min_size")
	_, err = inspect(Guard{Header: true}, Against{Header: []string{"sku"}})
	refused("header", err, "which the import does not know")
	_, err = inspect(Guard{Fields: 4}, Against{})
	refused("fields", err, "row 1 has 3 fields, 4 are wanted")
	_, err = inspect(Guard{Control: &Control{}}, totals(map[string]string{"sum sku": "1"}))
	refused("sum of words", err, `row 2: column "sku" holds no plain number`)
	_, err = inspect(Guard{Control: &Control{}}, totals(map[string]string{"sum none": "1"}))
	refused("sum of nothing", err, "not in the header")
	_, err = inspect(Guard{Control: &Control{Sums: map[string]string{"amount": "x"}}}, totals(nil))
	refused("no key", err, `has no "x"`)
	// The header is refused before the rest is read.
	bad := write(t, "a,b\n"+strings.Repeat("1,2\n", 10)+"\x00\xff\n")
	checks, err := Guard{Columns: []string{"c"}}.Checks(Against{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = fetched(t, bad, csvFormat).Inspect(t.Context(), checks)
	refused("header first", err, `it does not have "c"`)
}

func TestRowsWithOtherFields(t *testing.T) {
	for _, tc := range []struct {
		text   string
		format Format
		odd    *Odd
	}{
		{"a,b\n1,2\n", csvFormat, nil},
		{"a,b\n1,2\n3\n4,5,6\n", csvFormat, &Odd{3, 1}},
		{"a,b\n\n1,\"2,3\n4\"\n5,6,\n", csvFormat, &Odd{4, 3}},
		{"Title\na,b\n1,2\n", Format{Separator: ",", Delimiter: `"`, HeaderRow: 2}, nil},
		{"1,2\n3\n", Format{Separator: ",", FirstRow: 1}, &Odd{2, 1}},
		{"a||b\n1||2||3\n", Format{Separator: "||", HeaderRow: 1}, &Odd{2, 3}},
		{"a\tb\n\"1\t2\n", Format{Separator: "\t", HeaderRow: 1}, nil},
		{"a,b\n1,2", csvFormat, nil},
		{"a,b\n1", csvFormat, &Odd{2, 1}},
	} {
		facts, err := fetched(t, write(t, tc.text), tc.format).Inspect(t.Context(), Checks{Fields: 2})
		if err != nil || (facts.Odd == nil) != (tc.odd == nil) || tc.odd != nil && *facts.Odd != *tc.odd {
			t.Errorf("%q: %+v, %v", tc.text, facts.Odd, err)
		}
	}
}
