package data

import (
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestControlFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.ctl")
	var stores Stores
	for _, tc := range []struct {
		text string
		want map[string]string
	}{
		{`{"rows": 12, "sum Amount": 12345678901234567890.10, "date": "2026-11-24", "ok": true, "more": {"rows": 1}, "n": null}`,
			map[string]string{"rows": "12", "sum Amount": "12345678901234567890.10", "date": "2026-11-24"}},
		{"\ufeff# made by x\r\n rows = 12 \r\n\r\nsum Amount, net: 5.50\nsum b=,=-1\n\"total\",\"7\"\ntime: 10:30\n",
			map[string]string{"rows": "12", "sum Amount, net": "5.50", "sum b": ",=-1", "total": "7", "time": "10:30"}},
	} {
		writeFile(t, path, tc.text)
		got, err := stores.Control(t.Context(), path)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got.Values); diff != "" || got.Name != path {
			t.Errorf("%s: %s", tc.text, diff)
		}
	}
	for text, says := range map[string]string{
		"":                             "it is empty",
		" \n":                          "it is empty",
		"rows = 1\nhalf":               "line 2 has no key and value",
		"= 1":                          "line 1 has no key and value",
		"rows = 1\nrows: 2":            `line 2: key "rows" stands twice`,
		`{"rows": 1`:                   "it is cut off",
		`{"rows": `:                    "it is cut off",
		`{"rows": 1, "rows": 2}`:       `key "rows" stands twice`,
		`{"rows": 1} {}`:               "something follows",
		`{"rows" 1}`:                   "no control file",
		"rows = 1\xff":                 "it is not UTF-8",
		strings.Repeat("x=1\n", 1<<19): "larger than 1 MB",
	} {
		writeFile(t, path, text)
		_, err := stores.Control(t.Context(), path)
		if e, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), says) || e.Next == "" {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if _, err := stores.Control(t.Context(), filepath.Join(dir, "no.ctl")); err == nil || !strings.Contains(err.Error(), "the control file is not there") {
		t.Errorf("%v", err)
	}
}

// Sums are exact, whatever the numbers are.
func TestSumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum total
		want := new(big.Rat)
		for range rapid.IntRange(0, 50).Draw(t, "numbers") {
			text := rapid.StringMatching(`[+-]?[0-9]{0,22}(\.[0-9]{0,22})?`).Draw(t, "number")
			if rapid.Bool().Draw(t, "large") {
				text = "-"[:rapid.IntRange(0, 1).Draw(t, "sign")] + "999999999999999999"
			}
			n, ok := new(big.Rat).SetString(text)
			if text == "" {
				n, ok = new(big.Rat), true
			}
			if sum.add([]byte(text)) != ok {
				t.Fatalf("%q is a number: %v", text, ok)
			}
			if ok {
				want.Add(want, n)
			}
		}
		if sum.sum().Cmp(want) != 0 {
			t.Fatalf("%s, want %s", sum.sum(), want)
		}
	})
	for _, sign := range []string{"", "-"} { // more than the small numbers hold
		var sum total
		for range 30 {
			sum.add([]byte(sign + "999999999999999.999"))
		}
		if want, _ := new(big.Rat).SetString(sign + "29999999999999999.97"); sum.sum().Cmp(want) != 0 {
			t.Errorf("%s, want %s", sum.sum(), want)
		}
	}
	for _, text := range []string{"1,5", "1e3", "0x1", " 1", "1 000", "--1", ".", "-", "1.2.3", "٣", strings.Repeat("1", maxNumber+1), "0." + strings.Repeat("1", maxScale+1)} {
		if n, ok := decimal(text); ok {
			t.Errorf("%q is %s", text, n)
		}
	}
}
