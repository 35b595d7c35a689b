package configs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// textKey is a text that is not empty.
func textKey[T any](name string, field func(*T) *string) key[T] {
	return key[T]{name: name, kind: kindText, set: func(s scope, into *T, e entry) {
		if v, ok := s.text(e); ok {
			*field(into) = v
		}
	}}
}

// flagKey is true or false.
func flagKey[T any](name string, field func(*T) *bool) key[T] {
	return key[T]{name: name, kind: kindFlag, set: func(s scope, into *T, e entry) {
		if v, ok := s.flag(e); ok {
			*field(into) = v
		}
	}}
}

// countKey is a whole number between least and most.
func countKey[T any](name string, least, most int64, field func(*T, int64)) key[T] {
	return key[T]{name: name, kind: kindCount, least: least, most: most, set: func(s scope, into *T, e entry) {
		if v, ok := s.count(e, least, most); ok {
			field(into, v)
		}
	}}
}

// durationKey is a time span of at least least.
func durationKey[T any](name string, least time.Duration, field func(*T, time.Duration)) key[T] {
	return key[T]{name: name, kind: kindDuration, set: func(s scope, into *T, e entry) {
		if v, ok := s.duration(e, least); ok {
			field(into, v)
		}
	}}
}

// clockKey is a time of day.
func clockKey[T any](name string, field func(*T) *string) key[T] {
	return key[T]{name: name, kind: kindClock, set: func(s scope, into *T, e entry) {
		if v, ok := s.clock(e); ok {
			*field(into) = v
		}
	}}
}

// enumKey is one of a few words.
func enumKey[T any, E ~string](name string, values []E, field func(*T) *E) key[T] {
	words := wordsOf(values)
	return key[T]{name: name, kind: kindEnum, values: words, set: func(s scope, into *T, e entry) {
		if v, ok := s.enum(e, words); ok {
			*field(into) = E(v)
		}
	}}
}

// textsKey is a list of texts, of a few words only if values are given.
func textsKey[T any](name string, values []string, field func(*T) *[]string) key[T] {
	k := key[T]{name: name, kind: kindTexts, values: values, set: func(s scope, into *T, e entry) {
		if v, ok := s.texts(e, values); ok {
			*field(into) = v
		}
	}}
	if values != nil {
		k.kind = kindEnums
	}
	return k
}

// tableKey is a table with keys of its own.
func tableKey[T, U any](name string, sh shape[U], field func(*T) *U) key[T] {
	return key[T]{name: name, kind: kindTable, set: func(s scope, into *T, e entry) {
		if t, ok := s.table(e); ok {
			decode(s.in(name), sh, t, field(into))
		}
	}}
}

func wordsOf[E ~string](values []E) []string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return words
}

// The methods below return the value of an entry, or report what is wrong with it.

// badType reports a value of another type than the key's.
func (s scope) badType(e entry, wanted, instead string) {
	s.wrong(e.at, e.name, fmt.Sprintf("must be %s, and is %s", wanted, describe(e.value)), instead)
}

func (s scope) text(e entry) (string, bool) {
	v, ok := e.value.(string)
	if !ok {
		instead := "put it in quotes"
		switch v := e.value.(type) {
		case int64, bool:
			instead = fmt.Sprintf("write \"%v\"", v)
		case *table, []entry:
			instead = fmt.Sprintf("write %s = \"…\"", lastName(e.name))
		}
		s.badType(e, "a text", instead)
		return "", false
	}
	if strings.TrimSpace(v) == "" {
		s.wrong(e.at, e.name, "is empty", "give it a value, or take the key out")
		return "", false
	}
	if r := strings.IndexFunc(v, unicode.IsControl); r >= 0 {
		s.control(e, v)
		return "", false
	}
	return v, true
}

// control reports a text with an invisible character. In most cases it is a Windows path
// in a basic string, whose backslashes happen to be escapes: "C:\temp".
func (s scope) control(e entry, v string) {
	if fixed, ok := windowsPath(e.raw); ok {
		s.wrong(e.at, e.name, `\t, \n, \b, \f and \r in "…" are control characters, not a part of a path`, "write "+fixed)
		return
	}
	s.wrong(e.at, e.name, fmt.Sprintf("holds the control character %U", []rune(v)[slices.IndexFunc([]rune(v), unicode.IsControl)]), "write it on one line, without tabs")
}

func (s scope) flag(e entry) (bool, bool) {
	v, ok := e.value.(bool)
	if !ok {
		instead := "write true or false, without quotes"
		if t, isText := e.value.(string); isText {
			switch strings.ToLower(t) {
			case "true", "yes", "on", "y":
				instead = fmt.Sprintf("write %s = true, without quotes", lastName(e.name))
			case "false", "no", "off", "n":
				instead = fmt.Sprintf("write %s = false, without quotes", lastName(e.name))
			}
		}
		s.badType(e, "true or false", instead)
	}
	return v, ok
}

func (s scope) count(e entry, least, most int64) (int64, bool) {
	v, ok := e.value.(int64)
	if !ok {
		instead := "write a number without quotes"
		if t, isText := e.value.(string); isText {
			if n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64); err == nil {
				instead = fmt.Sprintf("write %s = %d, without quotes", lastName(e.name), n)
			}
		}
		if f, isFloat := e.value.(float64); isFloat {
			s.wrong(e.at, e.name, fmt.Sprintf("must be a whole number, and is %v", f), "write it without a fraction")
			return 0, false
		}
		s.badType(e, "a whole number", instead)
		return 0, false
	}
	switch {
	case v < least:
		s.wrong(e.at, e.name, fmt.Sprintf("is %d, and must be at least %d", v, least), "")
	case v > most:
		s.wrong(e.at, e.name, fmt.Sprintf("is %d, and must be at most %d", v, most), "")
	default:
		return v, true
	}
	return 0, false
}

func (s scope) enum(e entry, words []string) (string, bool) {
	v, ok := e.value.(string)
	if !ok {
		s.badType(e, "one of "+quoted(words), "")
		return "", false
	}
	if slices.Contains(words, v) {
		return v, true
	}
	instead := "write one of " + quoted(words)
	if len(words) == 1 {
		instead = "write " + quoted(words)
	}
	if n := Nearest(v, words); n != "" {
		instead = fmt.Sprintf("did you mean %q? There are %s", n, quoted(words))
	}
	s.wrong(e.at, e.name, fmt.Sprintf("%q is not one of its values", v), instead)
	return "", false
}

// texts is a list of texts, of words only if there are some.
func (s scope) texts(e entry, words []string) ([]string, bool) {
	list, ok := e.value.([]entry)
	if !ok {
		instead := fmt.Sprintf(`write %s = ["…", "…"]`, lastName(e.name))
		if v, isText := e.value.(string); isText {
			list := []string{v}
			if e.name == "command" || e.name == "run" {
				list = strings.Fields(v) // no shell parts it
			}
			instead = fmt.Sprintf("write %s = [%s]", lastName(e.name), quoted(list))
		}
		s.badType(e, "a list of texts", instead)
		return nil, false
	}
	all := []string{}
	right := true
	for _, x := range list {
		x.name = e.name
		var v string
		if words != nil {
			v, ok = s.enum(x, words)
		} else {
			v, ok = s.text(x)
		}
		if _, isText := x.value.(string); !isText {
			return nil, false // the others are most likely wrong in the same way
		}
		right = right && ok
		all = append(all, v)
	}
	return all, right
}

func (s scope) table(e entry) (*table, bool) {
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", fmt.Sprintf("write %s = { … }, or a heading", lastName(e.name)))
	}
	return t, ok
}

// lastName is what stands left of the = for a key.
func lastName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func quoted(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = strconv.Quote(w)
	}
	return strings.Join(all, ", ")
}
