package configs

import (
	"slices"
)

// table is a TOML table with the places of its keys.
type table struct {
	at   Position
	keys []entry // in file order
}

// entry is one key of a table, or one element of an array, which has no name.
type entry struct {
	name  string
	at    Position
	value any    // string, int64, float64, bool, time.Time, *table or []entry
	raw   string // of a string: as written, with its quotes
}

// newTable gives the keys of a decoded table their places. Each key stands where it is
// written, also in the last of many tables of an array.
func newTable(at Position, path string, m map[string]any, p places) *table {
	t := &table{at: at}
	for name, v := range m {
		t.keys = append(t.keys, newEntry(name, under(path, name), v, p))
	}
	slices.SortFunc(t.keys, func(a, b entry) int {
		return p[under(path, a.name)].order - p[under(path, b.name)].order
	})
	return t
}

func newEntry(name, path string, v any, p places) entry {
	e := entry{name: name, at: p[path].key, value: v, raw: p[path].raw}
	switch v := v.(type) {
	case map[string]any:
		e.value = newTable(e.at, path, v, p)
	case []any:
		e.value = elements(path, v, p)
	case []map[string]any:
		e.value = elements(path, v, p)
	}
	return e
}

func elements[T any](path string, values []T, p places) []entry {
	all := make([]entry, len(values))
	for i, v := range values {
		all[i] = newEntry("", element(path, i), v, p)
	}
	return all
}

// get finds a key.
func (t *table) get(name string) (entry, bool) {
	i := slices.IndexFunc(t.keys, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{}, false
	}
	return t.keys[i], true
}
