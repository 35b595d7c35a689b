package configs

import (
	"fmt"
	"strconv"
)

// The size of a chunk that Anaplan takes (anaplan-api.md 9).
const leastChunk, mostChunk = 1_000_000, 50_000_000

var transferTable = shape[Transfer]{title: "transfer", keys: []key[Transfer]{
	sizeKey("chunk_size", leastChunk, mostChunk, func(t *Transfer, n int64) { t.ChunkSize = n }),
	countKey("connections", 1, 32, func(t *Transfer, n int64) { t.Connections = int(n) }),
	{name: "gzip", kind: kindGzip, set: func(s scope, t *Transfer, e entry) { t.Gzip = s.gzip(e) }},
}}

// gzip is "auto", "off", or a level.
func (s scope) gzip(e entry) string {
	const form = `write "auto", "off", or a level from 1 (fast) to 9 (small)`
	switch v := e.value.(type) {
	case string:
		if v == "auto" || v == "off" {
			return v
		}
		instead := form
		if n, err := strconv.Atoi(v); err == nil && n > 0 && n < 10 {
			instead = fmt.Sprintf("write gzip = %d, without quotes", n)
		}
		s.wrong(e.at, e.name, fmt.Sprintf("%q is not one of its values", v), instead)
	case int64:
		if v > 0 && v < 10 {
			return strconv.FormatInt(v, 10)
		}
		s.wrong(e.at, e.name, fmt.Sprintf("is %d, which is no level", v), form)
	case bool:
		word := map[bool]string{true: "auto", false: "off"}[v]
		s.badType(e, "a word or a level", fmt.Sprintf("write gzip = %q", word))
	default:
		s.badType(e, "a word or a level", form)
	}
	return ""
}
