package data

import (
	"bytes"
	"errors"
	"io"

	"bufio"
)

// maxHeader bounds the header row that is kept.
const maxHeader = 1 << 20

// scanner counts records: lines, but for line ends inside text delimiters.
type scanner struct {
	format  Format
	row     int   // records that began, from 1
	rows    int64 // data rows
	header  []byte
	open    bool // inside a text delimiter
	openRow int
	blank   bool // the record has no byte but line ends
}

// scan reads to the end.
func (s *scanner) scan(r *bufio.Reader) error {
	quote := byte(0)
	if len(s.format.Delimiter) == 1 {
		quote = s.format.Delimiter[0]
	}
	s.row, s.blank = 1, true
	for {
		line, err := r.ReadSlice('\n')
		s.take(line, quote)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			s.end()
			return nil
		case err != nil:
			return err
		}
		if !s.open {
			s.end()
			s.row, s.blank = s.row+1, true
		}
	}
}

// take takes in a part of a record.
func (s *scanner) take(part []byte, quote byte) {
	if quote != 0 && bytes.Count(part, []byte{quote})%2 == 1 {
		if s.open = !s.open; s.open {
			s.openRow = s.row
		}
	}
	if s.row == s.format.HeaderRow && len(s.header) < maxHeader {
		s.header = append(s.header, part...)
	}
	if s.blank && len(bytes.TrimRight(part, "\r\n")) > 0 {
		s.blank = false
	}
}

// end closes a record.
func (s *scanner) end() {
	if !s.blank && s.row >= s.first() {
		s.rows++
	}
}

// first is the number of the first data row.
func (s *scanner) first() int {
	if s.format.FirstRow > 0 {
		return s.format.FirstRow
	}
	return max(0, s.format.HeaderRow) + 1
}

// names cuts the header row into its fields.
func (s *scanner) names() []string {
	if s.format.HeaderRow <= 0 || len(s.header) == 0 {
		return nil
	}
	return fields(string(bytes.TrimRight(s.header, "\r\n")), s.format.Separator, s.format.Delimiter)
}

// fields cuts a record. A doubled delimiter inside a delimited field is one.
func fields(record, separator, delimiter string) []string {
	var all []string
	var field []byte
	inside := false
	for i := 0; i < len(record); {
		rest := record[i:]
		switch {
		case delimiter != "" && has(rest, delimiter) && inside && has(rest[len(delimiter):], delimiter):
			field = append(field, delimiter...)
			i += 2 * len(delimiter)
		case delimiter != "" && has(rest, delimiter):
			inside = !inside
			i += len(delimiter)
		case separator != "" && !inside && has(rest, separator):
			all = append(all, string(field))
			field = field[:0]
			i += len(separator)
		default:
			field = append(field, record[i])
			i++
		}
	}
	return append(all, string(field))
}

func has(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
