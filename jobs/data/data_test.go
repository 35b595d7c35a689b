package data

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

var csvFormat = Format{Encoding: "UTF-8", Separator: ",", Delimiter: `"`, HeaderRow: 1, FirstRow: 2}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wide(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestInspectCountsRows(t *testing.T) {
	for _, tc := range []struct {
		name    string
		content string
		format  Format
		rows    int64
		header  []string
	}{
		{"plain", "a,b\n1,2\n3,4\n", csvFormat, 2, []string{"a", "b"}},
		{"no line end at the end", "a,b\n1,2\n3,4", csvFormat, 2, []string{"a", "b"}},
		{"CRLF", "a,b\r\n1,2\r\n3,4\r\n", csvFormat, 2, []string{"a", "b"}},
		{"blank lines do not count", "a,b\n\n1,2\n\n\n", csvFormat, 1, []string{"a", "b"}},
		{"only a header", "a,b\n", csvFormat, 0, []string{"a", "b"}},
		{"a line end inside a field", "a,b\n\"1\n1\",2\n3,4\n", csvFormat, 2, []string{"a", "b"}},
		{"doubled delimiters", "a,\"b \"\"x\"\", y\"\n1,\"\"\"\"\n", csvFormat, 1, []string{"a", `b "x", y`}},
		{"byte order mark", "\ufeffa,b\n1,2\n", csvFormat, 1, []string{"a", "b"}},
		{"tabs without delimiter", "a\t\"b\n1\t2\n", Format{Separator: "\t", HeaderRow: 1, FirstRow: 2}, 1, []string{"a", "\"b"}},
		{"no header", "1,2\n3,4\n", Format{Separator: ",", Delimiter: `"`, FirstRow: 1}, 2, nil},
		{"a title above the header", "Sales\na,b\n1,2\n", Format{Separator: ",", HeaderRow: 2, FirstRow: 3}, 1, []string{"a", "b"}},
		{"data further down", "a,b\nunits\n1,2\n", Format{Separator: ",", HeaderRow: 1, FirstRow: 3}, 1, []string{"a", "b"}},
		{"fresh files have -1", "1,2\n", Format{Separator: ",", HeaderRow: -1, FirstRow: -1}, 1, nil},
		{"UTF-16", wide("å,b\r\n1,2\r\n"), Format{Encoding: "UTF-16LE", Separator: ",", HeaderRow: 1}, 1, []string{"å", "b"}},
		{"Latin-1", "\xe5,b\n1,2\n", Format{Encoding: "ISO-8859-1", Separator: ",", HeaderRow: 1}, 1, []string{"å", "b"}},
		{"a record longer than a buffer", "a\n" + strings.Repeat("x", 3<<20) + "\n", csvFormat, 1, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Inspect(t.Context(), write(t, tc.content), tc.format)
			if err != nil {
				t.Fatal(err)
			}
			if got.Rows != tc.rows || got.Bytes != int64(len(tc.content)) {
				t.Errorf("%d rows, %d bytes; want %d, %d", got.Rows, got.Bytes, tc.rows, len(tc.content))
			}
			if diff := cmp.Diff(tc.header, got.Header); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInspectRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, content, says string
		format              Format
	}{
		{"nothing", "", "0 bytes", csvFormat},
		{"a workbook", "PK\x03\x04rest", "Excel", csvFormat},
		{"gzip", "\x1f\x8b\x08", "gzip", csvFormat},
		{"UTF-16 for UTF-8", wide("a,b\n"), "it is UTF-16, Anaplan's import expects UTF-8", csvFormat},
		{"NUL bytes", "a,b\n\x00\x00\x00", "NUL", csvFormat},
		{"cut off inside a field", "a,b\n1,\"2\n3,4\n", "opens in row 2 is never closed", csvFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Inspect(t.Context(), write(t, tc.content), tc.format)
			e, ok := errors.AsType[*InputError](err)
			if !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" {
				t.Errorf("got %v, want an InputError that says %q and what to do", err, tc.says)
			}
			if got.Bytes != 0 {
				t.Error("facts came with the error")
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.csv"), t.TempDir()} {
		if _, err := Inspect(t.Context(), path, csvFormat); err == nil {
			t.Errorf("%s was inspected", path)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(stopped, write(t, "a\n"), csvFormat); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}

func TestGuard(t *testing.T) {
	two, ten, hour := int64(2), int64(10), time.Hour
	now := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	facts := Facts{Rows: 5, Header: []string{"a", "b", "c"}, Modified: now.Add(-time.Hour)}
	for _, tc := range []struct {
		name   string
		guard  Guard
		header []string
		says   string
	}{
		{"none", Guard{}, []string{"x"}, ""},
		{"enough rows", Guard{MinRows: &two, MaxRows: &ten}, nil, ""},
		{"too few", Guard{MinRows: &ten}, nil, "guard min_rows: it has 5 data rows, at least 10 are wanted"},
		{"too many", Guard{MaxRows: &two}, nil, "guard max_rows: it has 5 data rows, at most 2 are wanted"},
		{"as old as it may be", Guard{MaxAge: &hour}, nil, ""},
		{"same header", Guard{Header: true}, []string{"a", "b", "c"}, ""},
		{"unknown header", Guard{Header: true}, nil, ""},
		{"missing and extra", Guard{Header: true}, []string{"a", "b", "d"}, `guard header: the import expects "d", which it does not have; it has "c", which the import does not know`},
		{"other order", Guard{Header: true}, []string{"a", "c", "b"}, `column 2 is "b", the import expects "c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.guard.Check(facts, tc.header, now)
			if tc.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e, ok := errors.AsType[*GuardError](err); !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
	if err := (Guard{MaxAge: &hour}).Check(facts, nil, now.Add(time.Nanosecond)); err == nil {
		t.Error("a nanosecond too old was accepted")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add("a,b\n1,2\n", ",", `"`)
	f.Add("\"a\"\"\",b", ",", `"`)
	f.Add("a||b", "||", "''")
	f.Fuzz(func(t *testing.T, content, separator, delimiter string) {
		facts, err := Inspect(context.Background(), write(t, content), Format{Separator: separator, Delimiter: delimiter, HeaderRow: 1})
		if err != nil && facts.Bytes != 0 {
			t.Error("facts came with an error")
		}
		if err == nil && facts.Rows > int64(len(content)) {
			t.Error("more rows than bytes")
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	path := filepath.Join(b.TempDir(), "in.csv")
	content := "Name,Code,Value\n" + strings.Repeat("\"Some product, blue\",P-123456,1234.56\n", 1<<18)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := Inspect(b.Context(), path, csvFormat); err != nil {
			b.Fatal(err)
		}
	}
}
