package data

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxControl bounds a control file.
const maxControl = 1 << 20

// Totals is what a control file says: keys and values.
type Totals struct {
	Name   string // of the file, as it may be shown
	Values map[string]string
}

// Control reads a control file: a JSON object, or lines of "key = value", "key: value" or
// "key,value", of which those that begin with # do not count. Errors are *InputError, or a
// *StoreError of its store.
func (s *Stores) Control(ctx context.Context, name string) (*Totals, error) {
	store, err := s.of(name)
	if err != nil {
		return nil, err
	}
	shown := Display(name)
	r, _, err := store.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &InputError{Path: shown, What: "the control file is not there", Next: "find out why it was not written, or correct its name in the guard"}
	}
	if err != nil {
		return nil, inputOr(shown, unreadable, readable, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(untilDone{ctx, r}, maxControl+1))
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, inputOr(shown, unreadable, readable, err)
	}
	values, err := parseControl(text)
	if err != nil {
		return nil, &InputError{Path: shown, What: "it is no control file: " + err.Error(),
			Next: `write a JSON object, or lines of "key = value"`}
	}
	return &Totals{shown, values}, nil
}

// parseControl reads keys and values. Numbers stay as they are written.
func parseControl(text []byte) (map[string]string, error) {
	if len(text) > maxControl {
		return nil, fmt.Errorf("it is larger than %d MB", maxControl>>20)
	}
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0:
		return nil, errors.New("it is empty")
	case !utf8.Valid(text):
		return nil, errors.New("it is not UTF-8")
	case text[0] == '{':
		return controlObject(text)
	}
	return controlLines(text)
}

// controlObject takes texts and numbers of an object; what else it holds is no total.
func controlObject(text []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	values, seen := map[string]string{}, map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok || seen[key] {
			return nil, fmt.Errorf("key %q stands twice", key)
		}
		seen[key] = true
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, cutOff(err)
		}
		switch raw[0] {
		case '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, err
			}
			values[key] = strings.TrimSpace(s)
		case '{', '[', 't', 'f', 'n':
		default:
			values[key] = string(raw)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, cutOff(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return values, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is cut off")
	}
	return err
}

// controlLines cuts each line at its first "=", else ":", else ",".
func controlLines(text []byte) (map[string]string, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxControl+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, found := "", "", false
		for _, separator := range []string{"=", ":", ","} {
			if key, value, found = strings.Cut(line, separator); found {
				break
			}
		}
		key, value = unquoted(key), unquoted(value)
		switch _, twice := values[key]; {
		case !found || key == "":
			return nil, fmt.Errorf("line %d has no key and value", n)
		case twice:
			return nil, fmt.Errorf("line %d: key %q stands twice", n, key)
		}
		values[key] = value
	}
	return values, lines.Err()
}

func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.TrimSpace(s[1 : len(s)-1])
	}
	return s
}

// sumOf begins the keys of sums where the guard names none.
const sumOf = "sum "

// sums is the wanted sum of each column.
func (c *Control) sums(t *Totals) (map[string]*big.Rat, error) {
	if t == nil {
		return nil, errors.New("a guard with a control file, and none was read")
	}
	keys := c.Sums
	if keys == nil {
		keys = map[string]string{}
		for key := range t.Values {
			if column, ok := strings.CutPrefix(key, sumOf); ok {
				keys[strings.TrimSpace(column)] = key
			}
		}
	}
	sums := map[string]*big.Rat{}
	for _, column := range slices.Sorted(maps.Keys(keys)) {
		n, err := t.number(keys[column])
		if err != nil {
			return nil, err
		}
		sums[column] = n
	}
	return sums, nil
}

// number is the value of a key that must be there.
func (t *Totals) number(key string) (*big.Rat, error) {
	value, ok := t.Values[key]
	if !ok {
		return nil, &GuardError{"control", fmt.Sprintf("control file %s has no %q", t.Name, key), "find out why it was not written, or correct the key in the guard"}
	}
	n, ok := decimal(value)
	if !ok {
		return nil, &GuardError{"control", fmt.Sprintf("control file %s: %q is no plain number (digits, with a point before decimals)", t.Name, key),
			"write a plain number, or correct the key in the guard"}
	}
	return n, nil
}

// control compares rows and sums with what the control file says.
func (g Guard) control(f Facts, t *Totals) error {
	if g.Control == nil {
		return nil
	}
	sums, err := g.Control.sums(t)
	if err != nil {
		return err
	}
	const next = "the file is not the one that its maker meant: have both written again"
	if _, there := t.Values["rows"]; there || g.Control.Rows != "" || len(sums) == 0 {
		want, err := t.number(or(g.Control.Rows, "rows"))
		if err != nil {
			return err
		}
		if new(big.Rat).SetInt64(f.Rows).Cmp(want) != 0 {
			return &GuardError{"control", fmt.Sprintf("it has %s, control file %s says %s", rows(f.Rows), t.Name, digits(want)), next}
		}
	}
	for _, column := range slices.Sorted(maps.Keys(sums)) {
		got, ok := f.Sums[column]
		if !ok {
			return &GuardError{"control", fmt.Sprintf("control file %s has a sum of column %q, which is not in the header", t.Name, column), "correct the column in the guard or in the control file"}
		}
		if got.Cmp(sums[column]) != 0 {
			return &GuardError{"control", fmt.Sprintf("the sum of column %q is %s, control file %s says %s", column, digits(got), t.Name, digits(sums[column])), next}
		}
	}
	return nil
}

// digits writes a decimal as a person does.
func digits(n *big.Rat) string {
	s := n.FloatString(maxScale)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
