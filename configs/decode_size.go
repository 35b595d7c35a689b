package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the units of a size, in bytes: KB is 1000, KiB is 1024.
var sizeUnits = []struct {
	name string
	is   float64
}{{"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// sizeKey is a number of bytes between least and most.
func sizeKey[T any](name string, least, most int64, field func(*T, int64)) key[T] {
	return key[T]{name: name, kind: kindSize, least: least, most: most, set: func(s scope, into *T, e entry) {
		if v, ok := s.size(e, least, most); ok {
			field(into, v)
		}
	}}
}

func (s scope) size(e entry, least, most int64) (int64, bool) {
	const form = `write a number with a unit, as in "500KB", "10MB" or "1GiB"; a number alone is bytes`
	var n int64
	switch v := e.value.(type) {
	case int64:
		n = v
	case string:
		var ok bool
		if n, ok = parseSize(v); !ok {
			instead := form
			if fixed := repairSize(v); fixed != "" {
				instead = fmt.Sprintf("write %q", fixed)
			}
			s.wrong(e.at, e.name, fmt.Sprintf("%q is not a size", v), instead)
			return 0, false
		}
	default:
		s.badType(e, "a size", form)
		return 0, false
	}
	switch {
	case n < least:
		s.wrong(e.at, e.name, fmt.Sprintf("is %s, and must be at least %s", sizeText(n), sizeText(least)), form)
	case n > most:
		s.wrong(e.at, e.name, fmt.Sprintf("is %s, and must be at most %s", sizeText(n), sizeText(most)), form)
	default:
		return n, true
	}
	return 0, false
}

// ParseSize reads a size as it stands in a job file, "10MB", "1.5GiB", "512"; false: it is
// none.
func ParseSize(s string) (int64, bool) { return parseSize(s) }

// parseSize reads "10MB", "1.5GiB", "512".
func parseSize(s string) (int64, bool) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	n, err := strconv.ParseFloat(s[:digits], 64)
	if err != nil {
		return 0, false
	}
	if digits == len(s) && !strings.Contains(s, ".") {
		return int64(n), n < 1<<53
	}
	for _, u := range sizeUnits {
		if s[digits:] == u.name && n*u.is < 1<<53 {
			return int64(math.Round(n * u.is)), true
		}
	}
	return 0, false
}

// repairSize guesses what was meant by "10 mb"; empty: no idea.
func repairSize(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), " ", "")
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	for _, u := range sizeUnits {
		unit := strings.ToLower(u.name)
		if rest := strings.ToLower(s[digits:]); rest == unit || rest == strings.TrimSuffix(unit, "b") && rest != "" {
			if _, ok := parseSize(s[:digits] + u.name); ok {
				return s[:digits] + u.name
			}
		}
	}
	return ""
}

// sizeText writes a size in the largest unit in which it is a whole number.
func sizeText(n int64) string {
	for _, unit := range []string{"TB", "GB", "MB", "KB"} {
		for _, u := range sizeUnits {
			if u.name == unit && n != 0 && n%int64(u.is) == 0 {
				return fmt.Sprintf("%d%s", n/int64(u.is), unit)
			}
		}
	}
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}
