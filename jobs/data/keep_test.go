package data

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestADeliveryMadeAgainKeepsWhatWasBefore: where the first one failed in part, the second
// does not keep what the first one put in place, nor again what it kept.
func TestADeliveryMadeAgainKeepsWhatWasBefore(t *testing.T) {
	a := filepath.Join(t.TempDir(), "a.csv")
	const b, c = "mem://b/b[1.csv", "mem://b/c.csv"
	stores, mem := withMemory(map[string]string{b: "yesterday", numbered(b, 1): "before", c: "yesterday", numbered(c, 1): "before"})
	writeFile(t, a, "yesterday")
	kept := map[string]string{}
	for i, says := range []string{"failing commit", ""} {
		if mem.fail = nil; says != "" {
			mem.fail = func(op, name string) error {
				if op == "commit" && name == c {
					return errors.New(says)
				}
				return nil
			}
		}
		targets := []Target{{Name: a, Keep: 1}, {Name: b, Keep: 2}, {Name: c, Keep: 2}}
		for i := range targets {
			targets[i].Kept = kept[targets[i].Name]
		}
		d, err := stores.Deliver(t.Context(), targets, csvFormat, Checks{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(d, fmt.Sprintf("n\n%d\n", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Commit(t.Context()); (err == nil) != (says == "") {
			t.Fatal(err)
		}
		kept = d.Kept()
		if i == 0 { // an object's copy has another version than the object
			mem.files[numbered(c, 1)] = "yesterday, copied"
		}
	}
	want := map[string]string{b: "n\n1\n", numbered(b, 1): "yesterday", numbered(b, 2): "before",
		c: "n\n1\n", numbered(c, 1): "yesterday, copied", numbered(c, 2): "before"}
	if diff := cmp.Diff(want, mem.files); diff != "" {
		t.Error(diff)
	}
	if readFile(t, a) != "n\n1\n" || readFile(t, numbered(a, 1)) != "yesterday" {
		t.Errorf("%q and %q", readFile(t, a), readFile(t, numbered(a, 1)))
	}
	// What another has put in place meanwhile is kept.
	mem.files[b] = "of another"
	if _, _, err := deliver(t.Context(), stores, []Target{{Name: b, Keep: 2, Kept: kept[b]}}, "n\n2\n", csvFormat, Checks{}); err != nil || mem.files[numbered(b, 1)] != "of another" {
		t.Errorf("%q, %v", mem.files, err)
	}
}

// TestWhatIsInPlaceIsToldWhenTheOldestStays: it was replaced, and the error does not say
// that nothing was.
func TestWhatIsInPlaceIsToldWhenTheOldestStays(t *testing.T) {
	const a = "mem://b/a.csv"
	stores, mem := withMemory(map[string]string{a: "yesterday", numbered(a, 1): "before"})
	failing("remove")(mem)
	_, placed, err := deliver(t.Context(), stores, []Target{{Name: a, Keep: 1}}, "n\n1\n", csvFormat, Checks{})
	if err == nil || mem.files[a] != "n\n1\n" || len(placed) != 1 {
		t.Errorf("placed %v, %v", placed, err)
	}
}
