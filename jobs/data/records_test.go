package data

import (
	"bufio"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// counted is what a scanner must find, worked out one byte at a time with everything in
// memory.
func counted(content string, f Format) (rows int64, open bool) {
	blank, start, inside, row := true, true, false, 1
	end := func() {
		if !blank && row >= f.firstRow() {
			rows++
		}
		blank, start, row = true, true, row+1
	}
	for i := 0; i < len(content); {
		rest := content[i:]
		step := 1
		switch {
		case content[i] == '\n' && !inside:
			end()
			i++
			continue
		case inside && has(rest, f.Delimiter+f.Delimiter):
			step = 2
		case inside && has(rest, f.Delimiter):
			inside = false
		case f.Delimiter != "" && !inside && start && has(rest, f.Delimiter):
			inside, start = true, false
		case f.Separator != "" && !inside && has(rest, f.Separator):
			start = true
			step = len(f.Separator)
		default:
			start = false
		}
		if strings.Trim(content[i:i+step], "\r\n") != "" {
			blank = false
		}
		i += step
	}
	if inside {
		return rows, true
	}
	end()
	return rows, false
}

// TestScannerCountsInPieces compares the scanner, fed through the smallest buffer there
// is, with the count by hand.
func TestScannerCountsInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "bb", ",", `"`, `""`, "\n", "\r\n", ";", "x,y", `","`, "\"\n\"", strings.Repeat("long", 9)}), 0, 60).Draw(t, "content")
		content := strings.Join(parts, "")
		f := Format{Separator: rapid.SampledFrom([]string{",", ";", ""}).Draw(t, "separator"),
			Delimiter: rapid.SampledFrom([]string{`"`, ""}).Draw(t, "delimiter"),
			HeaderRow: rapid.IntRange(-1, 3).Draw(t, "header"), FirstRow: rapid.IntRange(-1, 4).Draw(t, "first")}
		s := scanner{format: f}
		if err := s.scan(bufio.NewReaderSize(strings.NewReader(content), 16)); err != nil {
			t.Fatal(err)
		}
		rows, open := counted(content, f)
		if s.open() != open || !open && s.rows != rows {
			t.Fatalf("%q: %d rows, open %v; want %d, %v", content, s.rows, s.open(), rows, open)
		}
	})
}

func TestScannerNotesWhatIsNotUTF8(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		row           int
	}{
		{"plain", "a,b\n1,2\n", 0},
		{"letters cut by the buffer", strings.Repeat("xåäö€", 40) + "\n" + strings.Repeat("𝔞", 33), 0},
		{"Latin-1 in the second row", "a,b\nOrl\xe9ans,1\n", 2},
		{"cut in the middle of a letter", "a,b\nx,1\n\xe2\x82", 3},
		{"a lone continuation byte", "\x80", 1},
		{"in a long row", "a\n" + strings.Repeat("y", 50) + "\xff\n", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := scanner{utf8: true}
			if err := s.scan(bufio.NewReaderSize(strings.NewReader(tc.content), 16)); err != nil {
				t.Fatal(err)
			}
			if s.invalid != tc.row {
				t.Errorf("row %d, want %d", s.invalid, tc.row)
			}
		})
	}
}

func TestFields(t *testing.T) {
	for _, tc := range []struct {
		record, separator, delimiter string
		want                         []string
	}{
		{"", ",", `"`, []string{""}},
		{"a,b", ",", `"`, []string{"a", "b"}},
		{"a,b", "", `"`, []string{"a,b"}},
		{`"a,b",c`, ",", `"`, []string{"a,b", "c"}},
		{`"a ""b""",`, ",", `"`, []string{`a "b"`, ""}},
		{`5" pipe,6"`, ",", `"`, []string{`5" pipe`, `6"`}},
		{`"a"x,b`, ",", `"`, []string{"ax", "b"}},
		{"a||'b||c'", "||", "'", []string{"a", "b||c"}},
		{`"a`, ",", "", []string{`"a`}},
	} {
		if diff := cmp.Diff(tc.want, fields(tc.record, tc.separator, tc.delimiter)); diff != "" {
			t.Errorf("%s: %s", tc.record, diff)
		}
	}
}
