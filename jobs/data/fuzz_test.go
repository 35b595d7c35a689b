package data

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzSource reads any bytes as a source, for every encoding that a server file may want:
// what is sent is what was inspected, and errors are the user's.
func FuzzSource(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "\ufeffä;b\r\n\"1\n\";2", "Orl\xe9ans,b\n", "\xff\xfea\x00\n\x00", "\x00a\x00\n", "\x93\xfa\x96{\n", ""} {
		for _, said := range []string{"", "windows-1252", "UTF-16", "Shift_JIS", "GB18030"} {
			f.Add(text, said)
		}
	}
	text := "a,b\n1,2\n"
	f.Add(gzipped(f, text, text), "")
	f.Add(zstandard(f, text), "")
	f.Add(archive(f, zip.Deflate, file{"a.csv", text}), "")
	f.Add(archive(f, zip.Store, file{"a", ""}, file{"b", text}), "")
	f.Add(locked(f), "")
	f.Add("PK\x05\x06"+strings.Repeat("\x00", 18), "")
	f.Add("\x28\xb5\x2f\xfd\x00\xf8\x21\x00\x00a,b\n", "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content, said string) {
		path := filepath.Join(dir, "in")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, wants := range []string{"UTF-8", "ISO-8859-1", "UTF-16LE"} {
			for _, second := range []bool{false, true} {
				oneSource(t, path, said, Format{Encoding: wants, Separator: ",", Delimiter: `"`, HeaderRow: 1, FirstRow: 2}, second)
			}
		}
	})
}

// oneSource sends a file, or twice the same one joined.
func oneSource(t *testing.T, path, said string, format Format, twice bool) {
	input := func(err error) {
		if e, ok := errors.AsType[*InputError](err); !ok || e.Next == "" || !strings.HasPrefix(e.Path, path) {
			t.Fatalf("%v (%T) is nothing that a user understands", err, err)
		}
	}
	var stores Stores
	found, err := stores.Find(t.Context(), Source{Name: path, Encoding: said})
	if err != nil {
		t.Fatal(err)
	}
	if twice {
		found.Entries = append(found.Entries, found.Entries[0])
	}
	src, err := stores.Fetch(t.Context(), found, "", format)
	if err != nil {
		input(err)
		return
	}
	facts, err := src.Inspect(t.Context(), Checks{Fields: 2, Sums: []string{"a"}})
	if err != nil {
		if _, ok := errors.AsType[*GuardError](err); !ok {
			input(err)
		}
		return
	}
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in := newPass(t.Context(), r, format, Checks{})
	again, err := in.run()
	if err != nil || again.Digest != facts.Digest || again.Rows != facts.Rows || facts.Rows > facts.Bytes {
		t.Fatalf("%+v was inspected, %+v is sent, %v", facts, again, err)
	}
}

// FuzzEncoding: what is converted and converted back is the same text.
func FuzzEncoding(f *testing.F) {
	f.Add("a,b\n1,2\n")
	f.Add("Straße €\x81\ufffd𝔞")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		for _, name := range []string{"UTF-8", "UTF-16LE", "UTF-16BE", "UTF-16", "ISO-8859-1", "windows-1252", "US-ASCII", "GB18030", "Shift_JIS"} {
			c := charsetOf(name)
			written, err := io.ReadAll(encoded(strings.NewReader(text), c))
			if err != nil {
				if _, ok := errors.AsType[*badText](err); !ok || c.utf16() {
					t.Fatalf("%s: %v", name, err)
				}
				continue
			}
			got, err := io.ReadAll(decoding(strings.NewReader(string(written)), c, &badText{}))
			if name == "GB18030" || name == "Shift_JIS" {
				continue // their tables know letters, of private use among them, that come back as others
			}
			if (err != nil || string(got) != text) && !strings.Contains(text, "\ufffd") && !strings.HasPrefix(text, "\ufeff") {
				t.Fatalf("%s: %q became %q, %v", name, text, got, err)
			}
		}
	})
}

func FuzzControl(f *testing.F) {
	f.Add(`{"rows": 12, "sum Amount": 1.50}`)
	f.Add("rows = 12\nsum Amount: 1.50\n\"x\",\"1\"\n# note\n")
	f.Add("{\"a\":{\"b\":[1,2")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseControl([]byte(text))
		if (err == nil) == (values == nil) {
			t.Fatalf("%v, %v", values, err)
		}
		g := Guard{Control: &Control{}}
		with := Against{Now: time.Now(), Control: &Totals{"x", values}}
		checks, err := g.Checks(with)
		if err != nil {
			if _, ok := errors.AsType[*GuardError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		facts := Facts{Sums: map[string]*big.Rat{}}
		for _, column := range checks.Sums {
			facts.Sums[column] = new(big.Rat)
		}
		if err := g.Check(facts, with); err != nil {
			if _, ok := errors.AsType[*GuardError](err); !ok {
				t.Fatal(err)
			}
		}
	})
}

// FuzzNames: names are shown without secrets, and patterns never panic.
func FuzzNames(f *testing.F) {
	f.Add("https://u:p@h.example/a?sig=1#f")
	f.Add("s3://b/*.csv")
	f.Add("s3://b/?.csv?sig=1?b=2")
	f.Add("[a/\\")
	f.Fuzz(func(t *testing.T, name string) {
		shown := Display(name)
		hidden := parameter.MatchString
		if !slices.Contains(buckets, schemeOf(name)) {
			hidden = func(s string) bool { return strings.Contains(s, "?") }
		}
		if Remote(name) != Remote(shown) || Remote(name) && hidden(shown) {
			t.Fatalf("%q is shown as %q", name, shown)
		}
		if !strings.ContainsAny(name, "/.\\\x00") {
			if _, err := (Local{}).List(context.Background(), name); err != nil && !errors.Is(err, errPattern) && len(name) < 200 {
				t.Fatal(err)
			}
		}
	})
}

// FuzzRecords: fields that are told apart are those of the whole row.
func FuzzRecords(f *testing.F) {
	f.Add("a,b\n1,\"2\n3\"\n", ",", `"`)
	f.Add("a||b\n1||2||3\n", "||", "")
	f.Fuzz(func(t *testing.T, text, separator, delimiter string) {
		if len(delimiter) > 1 || strings.ContainsAny(separator+delimiter, "\r\n") || separator != "" && separator == delimiter {
			return
		}
		text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
		format := Format{Separator: separator, Delimiter: delimiter, HeaderRow: 1}
		in := newPass(context.Background(), strings.NewReader(text), format, Checks{Fields: 1 << 30})
		in.download = true
		facts, err := in.run()
		if err == nil && facts.Header != nil && facts.Odd != nil && facts.Odd.Row == 1 && facts.Odd.Fields != len(facts.Header) {
			t.Fatalf("%d fields, %q", facts.Odd.Fields, facts.Header)
		}
	})
}
