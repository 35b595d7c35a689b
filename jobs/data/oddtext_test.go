package data

import (
	"errors"
	"strings"
	"testing"
)

// TestLinesThatEndWithCRAloneAreRefused: all rows would be one header, which counts none,
// and whose refusal would show what stands in them.
func TestLinesThatEndWithCRAloneAreRefused(t *testing.T) {
	bare := csvFormat
	bare.HeaderRow, bare.FirstRow = 0, 1
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
