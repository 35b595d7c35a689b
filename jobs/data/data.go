// Package data reads the sources of uploads and checks them before anything is sent:
// that they are there, fresh, of the expected size and under the expected header. It
// puts downloads in place the same way: whole and checked, or not at all.
//
// # Sources
//
// [Stores.Find] says which files a source is, [Stores.Await] waits for them,
// [Stores.Fetch] brings what is remote here. A [File] then gives the bytes that are sent
// ([File.Open]) and what one pass over them tells ([File.Inspect]): packed files are
// unpacked on the way, text is converted to the encoding that the server file wants,
// several files of one layout become one. A [Guard] judges by that.
//
// # Targets
//
// [Stores.Deliver] takes one stream to several targets, each compressed by its name, and
// looks at it in the same pass. All of them are complete before the first takes its place.
//
// # Memory
//
// Nothing is held in memory whole, whatever the input is: rows, headers and archives that
// were made to harm end in an error.
package data

// Format says how a server file is written (anaplan-api.md 9.2, 10.1).
type Format struct {
	Encoding  string // "UTF-8", "ISO-8859-1", "UTF-16LE"; empty: UTF-8
	Separator string // "," "\t" ";"; empty: the whole line is one field
	Delimiter string // text qualifier, `"` or empty
	HeaderRow int    // 1-based; 0 or less: none
	FirstRow  int    // first data row, 1-based; 0 or less: unknown, the row after the header
	Opaque    bool   // not text, as an Excel workbook: its rows are not counted
}
