package data

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinesThatEndWithCRAloneAreRefused: all rows would be one header, which counts none,
// and whose refusal would show what stands in them.
func TestLinesThatEndWithCRAloneAreRefused(t *testing.T) {
	bare := csvFormat
	bare.HeaderRow, bare.FirstRow = 0, 1
	titled, deep := csvFormat, csvFormat
	titled.HeaderRow, titled.FirstRow = 2, 3
	deep.HeaderRow, deep.FirstRow = 4, 6
	guard := Guard{Names: []string{"Name", "Pay"}}
	checks, err := guard.Checks(Against{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, text string
		format     Format
		refused    bool
	}{
		{"CR", "Name,Pay\rAnna,Hemlig\rBob,6000\r", csvFormat, true},
		{"CR behind a delimiter", "\"Name\",\"P \"\"ay\"\"\"\rAnna,Hemlig\r", csvFormat, true},
		{"CR without a header", "Anna,Hemlig\rBob,6000\r", bare, true},
		{"CR below a title", "Pay 2026\rName,Pay\rAnna,Hemlig\rBob,6000\r", titled, true},
		{"CR below a title that is right", "Pay 2026\nName,Pay\rAnna,Hemlig\r", titled, true},
		{"CR below a title, and one line end", "Pay 2026\rName,Pay\rAnna,Hemlig\n", titled, true},
		{"CR below a title, and empty lines", "Pay 2026\rName,Pay\rAnna,Hemlig\r\n\r\n\n", titled, true},
		{"CR above a deep header", "Pay 2026\nfor all\rName,Pay\rkr,kr\rAnna,Hemlig\r", deep, true},
		{"CR in a long text", "Pay 2026\rName,Pay\r" + strings.Repeat("Anna,Hemlig\r", 200_000), titled, true},
		{"CR in a title", "Pay\r2026\nName,Pay\nAnna,Hemlig\n", titled, false},
		{"CR in a title of no rows", "\"Pay\r2026\"\n", titled, false},
		{"CR in one row of many", "Anna,x\rHemlig\nBob,6000\n", bare, false},
		{"CR in a name", "Name,\"a \"\"\rb\"\nAnna,Hemlig\n", csvFormat, false},
		{"CR twice", "Name,Pay\r\r\nAnna,Hemlig\r\r\n", csvFormat, false},
		{"CR in a row", "Name,Pay\nAnna,x\rHemlig\n", csvFormat, false},
	} {
		_, err := inspect(t.Context(), write(t, tc.text), tc.format)
		e, ok := errors.AsType[*InputError](err)
		if (err != nil) != tc.refused || tc.refused && (!ok || !strings.Contains(err.Error(), "its lines end with CR") || e.Next == "") {
			t.Errorf("%s: %v", tc.name, err)
		}
		if !tc.refused {
			continue
		}
		if _, err := fetched(t, write(t, tc.text), tc.format).Inspect(t.Context(), checks); err == nil || strings.Contains(err.Error(), "Hemlig") {
			t.Errorf("%s, guarded: %v", tc.name, err)
		}
	}
}

// TestJoinedLinesThatEndWithCRAloneAreRefused: each file by itself, also where the line end
// that is put between them would make two rows.
func TestJoinedLinesThatEndWithCRAloneAreRefused(t *testing.T) {
	bare, titled := csvFormat, csvFormat
	bare.HeaderRow, bare.FirstRow = 0, 1
	titled.HeaderRow, titled.FirstRow = 2, 3
	for _, tc := range []struct {
		name   string
		format Format
		files  []string
	}{
		{"a header", csvFormat, []string{"Name,Pay\nAnna,1\n", "Name,Pay\rAnna,Hemlig\r"}},
		{"a header, and one line end", csvFormat, []string{"Name,Pay\nAnna,1\n", "Name,Pay\rAnna,Hemlig\r\n"}},
		{"a title", titled, []string{"Pay\nName,Pay\nAnna,1\n", "Pay\rName,Pay\rAnna,Hemlig\r"}},
		{"no header", bare, []string{"Anna,1\rBob,2\r", "Anna,Hemlig\rBob,6000\r"}},
	} {
		dir := t.TempDir()
		for i, text := range tc.files {
			writeFile(t, filepath.Join(dir, numbered("in", i)), text)
		}
		_, _, err := sent(t, &Stores{}, Source{Name: dir + "/in.*", Pick: "all"}, tc.format, Checks{})
		if _, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), "its lines end with CR") || strings.Contains(err.Error(), "Hemlig") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestALoneNULIsNoUTF16: read as such, the text would become other letters, without an error.
func TestALoneNULIsNoUTF16(t *testing.T) {
	got, _, err := sent(t, &Stores{}, Source{Name: write(t, "a,b\n1,\x00\n")}, csvFormat, Checks{})
	if err == nil || !strings.Contains(err.Error(), "NUL") {
		t.Errorf("%q, %v", got, err)
	}
}

// TestOneColumnOfKeysPassesUnderItsHeader: what looks like another separator belongs to the
// one column, where its name is the one that is wanted.
func TestOneColumnOfKeysPassesUnderItsHeader(t *testing.T) {
	path := write(t, "Region|Month\nEMEA|Jan\nEMEA|Feb\n")
	for name, passes := range map[string]bool{"Region|Month": true, "Region": false} {
		checks, err := Guard{Header: true}.Checks(Against{Header: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = fetched(t, path, csvFormat).Inspect(t.Context(), checks)
		if _, odd := errors.AsType[*InputError](err); passes != (err == nil) || !passes && !odd {
			t.Errorf("%s: %v", name, err)
		}
	}
}
