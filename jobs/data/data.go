// Package data reads the sources of uploads and checks them before anything is sent:
// that they are there, fresh, of the expected size and under the expected header.
package data

import "time"

// Format says how a server file is written (anaplan-api.md 9.2, 10.1).
type Format struct {
	Encoding  string // "UTF-8", "ISO-8859-1", "UTF-16LE"; empty: UTF-8
	Separator string // "," "\t" ";"; empty: the whole line is one field
	Delimiter string // text qualifier, `"` or empty
	HeaderRow int    // 1-based; 0 or less: none
	FirstRow  int    // first data row, 1-based; 0 or less: unknown, the row after the header
	Opaque    bool   // not text, as an Excel workbook: its rows are not counted
}

// Guard is what must hold of a source or of a download. Nil fields are not checked.
type Guard struct {
	MinRows *int64
	MaxRows *int64
	MaxAge  *time.Duration
	Header  bool
}
