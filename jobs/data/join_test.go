package data

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

func TestFilesAreJoined(t *testing.T) {
	latin1 := Format{Encoding: "ISO-8859-1", Separator: ",", Delimiter: `"`, HeaderRow: 1, FirstRow: 2}
	titled := Format{Separator: ",", Delimiter: `"`, HeaderRow: 2, FirstRow: 4}
	for _, tc := range []struct {
		name   string
		format Format
		files  []string
		want   string
		rows   int64
	}{
		{"one header", csvFormat, []string{"a,b\n1,2\n", "a,b\n3,4\n", "a,b\n5,6\n"}, "a,b\n1,2\n3,4\n5,6\n", 3},
		{"line ends that are missing", csvFormat, []string{"a,b\n1,2", "a,b\n3,4", "a,b\n5,6"}, "a,b\n1,2\n3,4\n5,6", 3},
		{"in the way of the first", csvFormat, []string{"a,b\r\n1,2", "a,b\n3,4\n"}, "a,b\r\n1,2\r\n3,4\n", 2},
		{"only headers", csvFormat, []string{"a,b", "a,b\n", "a,b\n1,2\n", "a,b"}, "a,b\n1,2\n", 1},
		{"headers written in other ways", csvFormat, []string{"a,b\n1,2\n", "\"a\",\"b\"\r\n3,4\n"}, "a,b\n1,2\n3,4\n", 2},
		{"a line end in a header", csvFormat, []string{"\"a\nx\",b\n1,2\n", "\"a\nx\",b\n\"3\n\",4\n"}, "\"a\nx\",b\n1,2\n\"3\n\",4\n", 2},
		{"titles above", titled, []string{"Jan\na,b\nkg,m\n1,2\n", "Feb\na,b\nkg,m\n3,4\n"}, "Jan\na,b\nkg,m\n1,2\n3,4\n", 2},
		{"no header", Format{Separator: ",", FirstRow: 1}, []string{"1,2\n", "3,4\n"}, "1,2\n3,4\n", 2},
		{"packed and written differently", csvFormat, []string{"\ufeffa,b\nå,2\n", gzipped(t, "a,b\nä,2\n"), in16(t, "a,b\nö,3\n", unicode.LittleEndian, "\xff\xfe"), zstandard(t, "a,b\nü,4")}, "a,b\nå,2\nä,2\nö,3\nü,4", 4},
		{"to Latin-1", latin1, []string{"a,b\n\xe5,2\n", "a,b\nä,2\n"}, "a,b\n\xe5,2\n\xe4,2\n", 2},
		{"long rows", csvFormat, []string{"a,b\n" + strings.Repeat("x", 1<<18) + ",2", "a,b\n" + strings.Repeat("y", 1<<18) + ",2"},
			"a,b\n" + strings.Repeat("x", 1<<18) + ",2\n" + strings.Repeat("y", 1<<18) + ",2", 2},
	} {
		dir := t.TempDir()
		for i, text := range tc.files {
			writeFile(t, filepath.Join(dir, numbered("in", i)), text)
		}
		var stores Stores
		got, facts, err := sent(t, &stores, Source{Name: dir + "/in.*", Pick: "all"}, tc.format, Checks{})
		if err != nil || got != tc.want || facts.Rows != tc.rows {
			t.Errorf("%s: %.80q, %d rows, %v", tc.name, got, facts.Rows, err)
		}
	}
}

func TestFilesThatCannotBeJoined(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files []string
		says  string
	}{
		{"another column", []string{"a,b\n1,2\n", "a,b\n", "a,c\n3,4\n"}, `in.2: its header is not that of DIR/in.0, with which it is to be joined: that expects "b", which it does not have; it has "c", which that does not know`},
		{"another order", []string{"a,b\n1,2\n", "b,a\n3,4\n"}, "in.1: its header is not that of DIR/in.0, with which it is to be joined: the columns stand in another order"},
		{"an empty one", []string{"a,b\n1,2\n", ""}, "in.1: it is empty (0 bytes)"},
		{"a field that is open at an end", []string{"a,b\n1,\"2\n", "a,b\n3,\"4\n"}, "in.0: the text delimiter \" that opens in row 2 is never closed"},
		{"other letters", []string{"a,b\n1,2\n", "a,b\n\xe5,2\n"}, "in.1: row 3 is not UTF-8"},
		{"a damaged one", []string{"a,b\n1,2\n", gzipped(t, "a,b\n"+strings.Repeat("1,2\n", 10))[:30]}, "in.1: it is gzip and cut off"},
		{"a header without an end", []string{"a,b\n1,2\n", strings.Repeat("x", maxAbove+1)}, "in.1: row 1, above the data, is longer than 1 MB"},
	} {
		dir := t.TempDir()
		for i, text := range tc.files {
			writeFile(t, filepath.Join(dir, numbered("in", i)), text)
		}
		var stores Stores
		_, _, err := sent(t, &stores, Source{Name: dir + "/in.*", Pick: "all"}, csvFormat, Checks{})
		if e, ok := errors.AsType[*InputError](err); !ok || e.Next == "" || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	// Workbooks are not joined.
	dir := tree(t, "a.xlsx", "b.xlsx")
	var stores Stores
	if _, _, err := sent(t, &stores, Source{Name: dir + "/*", Pick: "all"}, Format{Opaque: true}, Checks{}); err == nil || !strings.Contains(err.Error(), "cannot be joined") {
		t.Errorf("%v", err)
	}
}

// A text that is cut at any row into files, each with the header, is itself again.
func TestJoiningIsTheOppositeOfCutting(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		field := rapid.SampledFrom([]string{"", "1", "x y", `"a,b"`, "\"a\nb\"", `"say ""no"""`, "ö", `5" pipe`, strings.Repeat("long", 400)})
		header := "a,b\n"
		whole, files := header, []string{header}
		for range rapid.IntRange(0, 12).Draw(rt, "rows") {
			row := "r," + field.Draw(rt, "b") + "\n"
			if rapid.Bool().Draw(rt, "cut") {
				if last := &files[len(files)-1]; rapid.Bool().Draw(rt, "no line end") {
					*last = strings.TrimSuffix(*last, "\n")
				}
				files = append(files, header)
			}
			whole, files[len(files)-1] = whole+row, files[len(files)-1]+row
		}
		sub := tree(t)
		for i, text := range files {
			writeFile(t, filepath.Join(sub, "in"+string(rune('a'+i))), text)
		}
		var stores Stores
		got, facts, err := sent(t, &stores, Source{Name: sub + "/in*", Pick: "all"}, csvFormat, Checks{})
		if err != nil || got != whole || facts.Rows != int64(strings.Count(whole, "\nr")) {
			rt.Fatalf("%q, %v", got, err)
		}
	})
}
