package data

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxHeader bounds the header row that is kept.
const maxHeader = 1 << 20

// scanner counts records: lines, but for line ends inside text delimiters. A delimiter
// opens a field only as its first character: a lone one further on, as in `5" pipe`, is
// text. One byte of the file is looked at once; nothing but the header is kept.
type scanner struct {
	format  Format
	utf8    bool  // note where the text is no UTF-8
	row     int   // of the record that is read, from 1
	rows    int64 // data rows
	header  []byte
	cut     []string // the fields of the header, once they were asked for
	blank   bool     // the record has no byte but line ends
	state   fieldState
	openRow int                // where the delimiter that is open was opened
	invalid int                // the first row that is no UTF-8; 0: none
	nul     int                // the first row with a NUL byte; 0: none
	opening []byte             // a separator and the delimiter behind it
	tail    []byte             // the beginning of a character that the end of the buffer cut
	first   int                // the first data row
	sample  sample             // the first rows
	begun   func(sample) error // called with the first rows, once; nil: not at all
	each    func() error       // called after each record, or part of one; nil: not at all
	columns *columns           // looks at fields; nil: they are not told apart
}

// sample is the first records of a text, from the header on.
type sample struct {
	records [][]byte
	above   []byte // the record above them that is read
	loneCR  bool   // one above them has a CR that ends no record, outside delimiters
	done    bool
}

// Of a text so many records, and so many bytes of each, are kept to look at.
const sampleRecords, sampleBytes = 5, 1 << 16

// fieldState is where in a field the scanner stands.
type fieldState int

const (
	fieldStart  fieldState = iota
	fieldPlain             // in a field without delimiters, or behind a closing one
	fieldInside            // between delimiters
	fieldClosed            // behind a delimiter that closes, or is the first of two
)

// scan reads to the end.
func (s *scanner) scan(r *bufio.Reader) error {
	s.begin()
	for {
		part, err := r.ReadSlice('\n')
		s.take(part)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if err := s.tell(); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.EOF):
			if err := s.end(); err != nil {
				return err
			}
			return s.look()
		case err != nil:
			return err
		}
		if s.state != fieldInside {
			if err := s.end(); err != nil {
				return err
			}
			s.row, s.blank, s.state = s.row+1, true, fieldStart
		}
	}
}

// begin makes it ready for the first record.
func (s *scanner) begin() {
	s.row, s.blank, s.first = 1, true, s.format.firstRow()
	s.opening = []byte(s.format.Separator + s.format.Delimiter)
}

// take takes in a part of a record: a line, or as much of one as fits the buffer.
func (s *scanner) take(part []byte) {
	if s.row == s.format.HeaderRow && len(s.header) < maxHeader {
		s.header = append(s.header, part...)
	}
	if s.blank && len(bytes.TrimRight(part, "\r\n")) > 0 {
		s.blank = false
	}
	if s.nul == 0 && bytes.IndexByte(part, 0) >= 0 {
		s.nul = s.row
	}
	if s.utf8 && s.invalid == 0 {
		s.valid(part)
	}
	switch {
	case s.sample.done:
	case s.row < s.format.HeaderRow:
		s.sample.above = some(s.sample.above, part)
	default:
		s.sample.take(part)
	}
	switch {
	case s.columns != nil:
		s.columns.take(s, part)
	case len(s.format.Delimiter) == 1:
		s.fields(part, s.format.Delimiter[0])
	}
}

func (s *sample) take(part []byte) {
	if len(s.records) == 0 {
		s.records = append(s.records, nil)
	}
	last := &s.records[len(s.records)-1]
	*last = some(*last, part)
}

// some adds to a record as much of a part as is kept of one.
func some(record, part []byte) []byte {
	return append(record, part[:min(len(part), sampleBytes-len(record))]...)
}

// look shows the first rows to whoever asked for them.
func (s *scanner) look() error {
	if s.sample.done {
		return nil
	}
	s.sample.done = true
	if s.begun == nil {
		return nil
	}
	return s.begun(s.sample)
}

// fields follows the delimiters through a part. A separator of several bytes that is cut
// by the end of the buffer is not seen, which only long lines of rare formats meet.
func (s *scanner) fields(part []byte, quote byte) {
	separator := []byte(s.format.Separator)
	for len(part) > 0 {
		switch s.state {
		case fieldStart:
			if part[0] == quote {
				s.state, s.openRow = fieldInside, s.row
				part = part[1:]
				continue
			}
			s.state = fieldPlain
		case fieldPlain:
			if part[len(part)-1] == '\n' { // to its end: only what opens is looked for
				i := -1
				if len(separator) > 0 {
					i = bytes.Index(part, s.opening)
				}
				if i < 0 {
					return
				}
				s.state, s.openRow = fieldInside, s.row
				part = part[i+len(s.opening):]
				continue
			}
			i := -1
			if len(separator) > 0 {
				i = bytes.Index(part, separator)
			}
			if i < 0 {
				return
			}
			s.state = fieldStart
			part = part[i+len(separator):]
		case fieldInside:
			i := bytes.IndexByte(part, quote)
			if i < 0 {
				return
			}
			part = part[i+1:]
			s.state = fieldClosed
		case fieldClosed:
			if part[0] == quote { // doubled: it is text
				part = part[1:]
				s.state = fieldInside
				continue
			}
			s.state = fieldPlain
		}
	}
}

// valid notes the first record with bytes that are no UTF-8. A character that the end of
// the buffer cuts is put together again.
func (s *scanner) valid(part []byte) {
	if len(s.tail) > 0 {
		part = append(s.tail, part...)
		s.tail = nil
	}
	if utf8.Valid(part) {
		return
	}
	for i := max(0, len(part)-utf8.UTFMax); i < len(part); i++ {
		if utf8.RuneStart(part[i]) && !utf8.FullRune(part[i:]) && utf8.Valid(part[:i]) {
			s.tail = bytes.Clone(part[i:])
			return
		}
	}
	s.invalid = s.row
}

// end closes a record.
func (s *scanner) end() error {
	if len(s.tail) > 0 && s.invalid == 0 {
		s.invalid = s.row
	}
	if s.columns != nil {
		if err := s.columns.end(s); err != nil {
			return err
		}
	}
	if !s.blank && s.row >= s.first {
		s.rows++
	}
	if err := s.tell(); err != nil {
		return err
	}
	if s.sample.done {
		return nil
	}
	if s.row < s.format.HeaderRow {
		s.sample.loneCR = s.sample.loneCR || s.format.loneCR(s.sample.above)
		s.sample.above = s.sample.above[:0]
		return nil
	}
	if n := len(s.sample.records); n > 0 && s.blank {
		s.sample.records[n-1] = s.sample.records[n-1][:0]
	} else if n == sampleRecords {
		return s.look()
	} else {
		s.sample.records = append(s.sample.records, nil)
	}
	return nil
}

func (s *scanner) tell() error {
	if s.each == nil {
		return nil
	}
	return s.each()
}

// open says whether the file ended between delimiters.
func (s *scanner) open() bool { return s.state == fieldInside }

// unclosed explains a delimiter that is open at the end.
func (s *scanner) unclosed() (what, next string, err error) {
	return fmt.Sprintf("the text delimiter %s that opens in row %d is never closed: the file is cut off, or not in the format that Anaplan's import expects",
		s.format.Delimiter, s.openRow), "write the file again, whole; or correct the delimiter of the import's file in Anaplan", nil
}

// firstRow is the number of the first data row.
func (f Format) firstRow() int {
	if f.FirstRow > 0 {
		return f.FirstRow
	}
	return max(0, f.HeaderRow) + 1
}

// names cuts the header row into its fields; it is called when the row has ended.
func (s *scanner) names() []string {
	if s.cut == nil && s.format.HeaderRow > 0 && len(s.header) > 0 {
		s.cut = fields(string(bytes.TrimRight(s.header, "\r\n")), s.format.Separator, s.format.Delimiter)
	}
	return s.cut
}

// fields cuts a record. A delimiter opens a field as its first character; doubled inside
// one it is text.
func fields(record, separator, delimiter string) []string {
	all := []string{}
	if separator != "" {
		all = make([]string, 0, strings.Count(record, separator)+1)
	}
	var field []byte
	inside, start := false, true
	for i := 0; i < len(record); {
		rest := record[i:]
		switch {
		case delimiter != "" && inside && has(rest, delimiter) && has(rest[len(delimiter):], delimiter):
			field = append(field, delimiter...)
			i += 2 * len(delimiter)
		case delimiter != "" && has(rest, delimiter) && (inside || start):
			inside, start = !inside, false
			i += len(delimiter)
		case separator != "" && !inside && has(rest, separator):
			all = append(all, string(field))
			field, start = field[:0], true
			i += len(separator)
		default:
			field, start = append(field, record[i]), false
			i++
		}
	}
	return append(all, string(field))
}

func has(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
