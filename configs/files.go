package configs

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Files are what certificate or private_key say: one path or reference, or several. As JSON it is a text when there is at most one, so
// that programs which know no lists read what most runs record.
type Files []string

// First is the first one, empty when there is none.
func (f Files) First() string {
	if len(f) == 0 {
		return ""
	}
	return f[0]
}

// MarshalJSON writes a text for none or one, else a list.
func (f Files) MarshalJSON() ([]byte, error) {
	if len(f) < 2 {
		return json.Marshal(f.First())
	}
	return json.Marshal([]string(f))
}

// UnmarshalJSON reads a text, of which an empty one is none, or a list.
func (f *Files) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err != nil {
		return json.Unmarshal(data, (*[]string)(f))
	}
	*f = nil
	if one != "" {
		*f = Files{one}
	}
	return nil
}

// filesKey is a text, or a list of them, each of which check has something to say about.
func filesKey[T any](name string, check func(string) *fault, field func(*T) *Files) key[T] {
	return key[T]{name: name, kind: kindFiles, set: func(s scope, into *T, e entry) {
		list, several := e.value.([]entry)
		if !several {
			one := checkedKey(name, kindFiles, check, func(into *T, v string) { *field(into) = Files{v} })
			one.set(s, into, e)
			return
		}
		if len(list) == 0 {
			s.wrong(e.at, e.name, "is an empty list", "name at least one file, or take the key out")
			return
		}
		all, right := Files{}, true
		for _, x := range list {
			x.name = e.name
			var v string
			one := checkedKey(name, kindFiles, check, func(_ *T, text string) { v = text })
			one.set(s, into, x)
			right = right && v != ""
			if v != "" && slices.Contains(all, v) {
				s.wrong(x.at, x.name, fmt.Sprintf("has %q twice", v), "leave one of the two")
				right = false
			}
			all = append(all, v)
		}
		if right {
			*field(into) = all
		}
	}}
}
