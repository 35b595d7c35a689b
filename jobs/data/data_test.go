package data

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
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

// inspect looks at a file as an upload does.
func inspect(ctx context.Context, path string, format Format) (Facts, error) {
	var stores Stores
	found, err := stores.Find(ctx, Source{Name: path})
	if err != nil {
		return Facts{}, err
	}
	f, err := stores.Fetch(ctx, found, "", format)
	if err != nil {
		return Facts{}, err
	}
	return f.Inspect(ctx, Checks{})
}

// fetched is a local file, looked at.
func fetched(t *testing.T, path string, format Format) *File {
	t.Helper()
	var stores Stores
	found, err := stores.Find(t.Context(), Source{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	f, err := stores.Fetch(t.Context(), found, t.TempDir(), format)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
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
		{"tabs without delimiter", "a\t\"b\n1\t2\n", Format{Separator: "\t", HeaderRow: 1, FirstRow: 2}, 1, []string{"a", "\"b"}},
		{"no header", "1,2\n3,4\n", Format{Separator: ",", Delimiter: `"`, FirstRow: 1}, 2, nil},
		{"a title above the header", "Sales\na,b\n1,2\n", Format{Separator: ",", HeaderRow: 2, FirstRow: 3}, 1, []string{"a", "b"}},
		{"data further down", "a,b\nunits\n1,2\n", Format{Separator: ",", HeaderRow: 1, FirstRow: 3}, 1, []string{"a", "b"}},
		{"fresh files have -1", "1,2\n", Format{Separator: ",", HeaderRow: -1, FirstRow: -1}, 1, nil},
		{"UTF-16", wide("å,b\r\n1,2\r\n"), Format{Encoding: "UTF-16LE", Separator: ",", HeaderRow: 1}, 1, []string{"å", "b"}},
		{"Latin-1", "\xe5,b\n1,2\n", Format{Encoding: "ISO-8859-1", Separator: ",", HeaderRow: 1}, 1, []string{"å", "b"}},
		{"lone delimiters further on are text", "a,b\n5\" pipe,2\n6\" pipe\",\"\"\n3,4\n", csvFormat, 3, []string{"a", "b"}},
		{"a line end after a closed field", "a,\"b\"\n\"1\",\"2\"\r\n", csvFormat, 1, []string{"a", "b"}},
		{"only separators", "a,b\n,\n", csvFormat, 1, []string{"a", "b"}},
		{"a header behind the end", "a,b\n", Format{Separator: ",", HeaderRow: 5}, 0, nil},
		{"semicolons", "a;b,c\n1;2\n", Format{Separator: ";", Delimiter: `"`, HeaderRow: 1}, 1, []string{"a", "b,c"}},
		{"no separator: a line is a field", "a,b\n1,2\n", Format{HeaderRow: 1}, 1, []string{"a,b"}},
		{"UTF-16 without a mark", wide("å,b\r\n1,2\r\n")[2:], Format{Encoding: "UTF-16LE", Separator: ",", HeaderRow: 1}, 1, []string{"å", "b"}},
		{"UTF-16 with a line end inside a field", wide("a\r\n\"1\n1\"\r\n"), Format{Encoding: "UTF-16LE", Separator: ",", Delimiter: `"`, HeaderRow: 1}, 1, []string{"a"}},
		{"a record longer than a buffer", "a\n" + strings.Repeat("x", 3<<20) + "\n", csvFormat, 1, []string{"a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := inspect(t.Context(), write(t, tc.content), tc.format)
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

// TestInspectNoticesChange is a file that somebody still writes.
func TestInspectNoticesChange(t *testing.T) {
	path := write(t, "a,b\n"+strings.Repeat("1,2\n", 1<<16))
	grow := &growing{Context: t.Context(), path: path}
	f := fetched(t, path, csvFormat)
	if _, err := f.Inspect(grow, Checks{}); err == nil || !strings.Contains(err.Error(), "it is being written") {
		t.Errorf("a file that grew while it was read: %v", err)
	}
	grow.path = ""
	first, err := inspect(grow, path, csvFormat)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-2] = '3'
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	second, err := inspect(t.Context(), path, csvFormat)
	if err != nil || first.Digest == "" || first.Digest == second.Digest {
		t.Errorf("one byte more and the digest is %s, then %s (%v)", first.Digest, second.Digest, err)
	}
}

// growing is a context that writes to a file whenever somebody asks whether it is done,
// as every read does.
type growing struct {
	context.Context
	path string
}

func (g *growing) Err() error {
	if g.path != "" {
		f, err := os.OpenFile(g.path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteString("1,2\n"); err != nil {
			return err
		}
	}
	return g.Context.Err()
}

func TestInspectOpaque(t *testing.T) {
	got, err := inspect(t.Context(), write(t, "PK\x03\x04\x00workbook"), Format{Opaque: true})
	if err != nil || got.Bytes != 13 || got.Rows != 0 || !got.Opaque {
		t.Fatalf("%+v, %v", got, err)
	}
	one := int64(1)
	for _, g := range []Guard{{MinRows: &one}, {MaxRows: &one}, {Header: true}} {
		if e, ok := errors.AsType[*GuardError](g.Check(got, Against{Header: []string{"a"}, Now: time.Now()})); !ok || !strings.Contains(e.What, "cannot be counted") {
			t.Errorf("%+v let a workbook pass: %v", g, e)
		}
	}
	if err := (Guard{}).Check(got, Against{Now: time.Now()}); err != nil {
		t.Error(err)
	}
}

func TestInspectRefusesWrongLetters(t *testing.T) {
	_, err := inspect(t.Context(), write(t, "a,b\nOrl\xe9ans,1\n"), csvFormat)
	if err == nil || !strings.Contains(err.Error(), "row 2 is not UTF-8") || strings.Contains(err.Error(), "Orl") {
		t.Errorf("%v", err)
	}
	if _, err := inspect(t.Context(), write(t, "a,b\nOrl\xe9ans,1\n"), Format{Encoding: "ISO-8859-1", Separator: ",", HeaderRow: 1}); err != nil {
		t.Error(err)
	}
}

// TestInspectKeepsMemoryBounded reads one line that is far longer than what may be
// allocated.
func TestInspectKeepsMemoryBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "long.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("a,b\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(4); err != nil {
		t.Fatal(err)
	}
	piece := []byte(strings.Repeat("x", 1<<20))
	pieces := 64
	if testing.Short() {
		pieces = 16
	}
	for range pieces {
		if _, err := f.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := inspect(t.Context(), path, csvFormat)
	runtime.ReadMemStats(&after)
	if err != nil || got.Rows != 1 {
		t.Fatalf("%d rows, %v", got.Rows, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d MB were allocated", used>>20)
	}
}

func TestInspectRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, content, says string
		format              Format
	}{
		{"nothing", "", "0 bytes", csvFormat},
		{"half an archive", "PK\x03\x04rest", "ZIP archive and cut off", csvFormat},
		{"a cut gzip", "\x1f\x8b\x08", "gzip and cut off", csvFormat},
		{"only a byte order mark", "\ufeff", "0 bytes", csvFormat},
		{"NUL bytes", "a,b\n\x00\x00\x00", "NUL", csvFormat},
		{"NUL bytes at the end", "a,b\n" + strings.Repeat("1,2\n", 1000) + "3,\x00\x00\x00\x00", "row 1002 holds NUL bytes", csvFormat},
		{"NUL bytes in Latin-1", "a,b\n" + strings.Repeat("1,2\n", 1000) + "3,\x00\n4,5\n", "row 1002 holds NUL bytes", Format{Encoding: "ISO-8859-1", Separator: ",", HeaderRow: 1}},
		{"NUL characters in UTF-16", wide("a,b\n1,2\n\x00\x00\x00\x00"), "row 3 holds NUL bytes", Format{Encoding: "UTF-16LE", Separator: ",", HeaderRow: 1}},
		{"cut off inside a field", "a,b\n1,\"2\n3,4\n", "opens in row 2 is never closed", csvFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := inspect(t.Context(), write(t, tc.content), tc.format)
			e, ok := errors.AsType[*InputError](err)
			if !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" {
				t.Errorf("got %v, want an InputError that says %q and what to do", err, tc.says)
			}
			if got.Bytes != 0 {
				t.Error("facts came with the error")
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.csv"), t.TempDir(), os.DevNull} {
		if _, err := inspect(t.Context(), path, csvFormat); err == nil {
			t.Errorf("%s was inspected", path)
		} else if e, ok := errors.AsType[*InputError](err); !ok || e.Next == "" || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%s: %v does not say once where, and what to do", path, err)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inspect(stopped, write(t, "a\n"), csvFormat); !errors.Is(err, context.Canceled) {
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
		{"as old as it may be", Guard{MaxAge: &Age{Duration: hour}}, nil, ""},
		{"same header", Guard{Header: true}, []string{"a", "b", "c"}, ""},
		{"unknown header", Guard{Header: true}, nil, ""},
		{"missing and extra", Guard{Header: true}, []string{"a", "b", "d"}, `guard header: the import expects "d", which it does not have; it has "c", which the import does not know`},
		{"other order", Guard{Header: true}, []string{"a", "c", "b"}, `column 2 is "b", the import expects "c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.guard.Check(facts, Against{Header: tc.header, Now: now})
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
	if err := (Guard{MaxAge: &Age{Duration: hour}}).Check(facts, Against{Now: now.Add(time.Nanosecond)}); err == nil {
		t.Error("a nanosecond too old was accepted")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add("a,b\n1,2\n", ",", `"`)
	f.Add("\"a\"\"\",b", ",", `"`)
	f.Add("a||b", "||", "''")
	f.Add("\xff\xfea\x00", "\t", "")
	f.Add("a,\"b\n", ",", "\"")
	f.Fuzz(func(t *testing.T, content, separator, delimiter string) {
		for _, encoding := range []string{"UTF-8", "ISO-8859-1", "UTF-16LE", "UTF-16BE", "Shift-JIS"} {
			in := newPass(context.Background(), strings.NewReader(content), Format{Encoding: encoding, Separator: separator, Delimiter: delimiter, HeaderRow: 1},
				Checks{Fields: 2, Sums: []string{"a"}})
			facts, err := in.run()
			if err != nil && facts.Rows != 0 {
				t.Error("facts came with an error")
			}
			if err == nil && facts.Rows > int64(len(content)) {
				t.Error("more rows than bytes")
			}
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	path := filepath.Join(b.TempDir(), "in.csv")
	content := "Name,Code,Value\n" + strings.Repeat("\"Some product, blue\",P-123456,1234.56\n", 1<<18)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	var stores Stores
	found, err := stores.Find(b.Context(), Source{Name: path})
	if err != nil {
		b.Fatal(err)
	}
	f, err := stores.Fetch(b.Context(), found, b.TempDir(), csvFormat)
	if err != nil {
		b.Fatal(err)
	}
	for name, checks := range map[string]Checks{"plain": {}, "fields": {Fields: 3}, "sums": {Sums: []string{"Value"}}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if _, err := f.Inspect(b.Context(), checks); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
