package simulator

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// A table is the parsed source of an import.
type table struct {
	header []string
	rows   []row
}

type row struct {
	line    int // 1-based line of the source where it begins
	values  []string
	problem string // of the text itself: a delimiter that is not closed
}

func charset(name string) encoding.Encoding {
	switch strings.ToUpper(name) {
	case "ISO-8859-1":
		return charmap.ISO8859_1
	case "UTF-16LE":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	}
	return nil
}

func decode(data []byte, name string) ([]byte, error) {
	e := charset(name)
	if e == nil {
		return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
	}
	if strings.EqualFold(name, "UTF-16LE") {
		e = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
		data = bytes.TrimPrefix(data, []byte{0xff, 0xfe})
	}
	text, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", name, err)
	}
	return text, nil
}

func encode(text []byte, name string) []byte {
	e := charset(name)
	if e == nil {
		return text
	}
	out, err := encoding.ReplaceUnsupported(e.NewEncoder()).Bytes(text)
	if err != nil {
		panic(fmt.Sprintf("simulator: encoding %s: %v", name, err))
	}
	return out
}

// readTable parses bytes with a file's settings. headerRow 0 or less means no header: columns are then
// named "Column 1" and so on, as dumps do (anaplan-api.md 12.3).
func readTable(data []byte, encoding, separator, delimiter string, headerRow, firstDataRow int) (table, error) {
	text, err := decode(data, encoding)
	if err != nil {
		return table{}, err
	}
	rows := split(string(text), separator, delimiter)
	var t table
	if headerRow > 0 && headerRow <= len(rows) {
		t.header = rows[headerRow-1].values
	}
	if firstDataRow <= 0 {
		firstDataRow = max(headerRow, 0) + 1
	}
	t.rows = rows[min(firstDataRow-1, len(rows)):]
	if t.header == nil {
		for _, r := range t.rows {
			for len(t.header) < len(r.values) {
				t.header = append(t.header, fmt.Sprintf("Column %d", len(t.header)+1))
			}
		}
	}
	return t, nil
}

// split cuts a text into rows and fields. Blank lines are no rows.
func split(text, separator, delimiter string) []row {
	sep, _ := utf8.DecodeRuneInString(or(separator, ","))
	quote := rune(-1)
	if delimiter != "" {
		quote, _ = utf8.DecodeRuneInString(delimiter)
	}
	var rows []row
	var field strings.Builder
	line, current := 1, row{line: 1}
	quoted, fresh := false, true
	endField := func() {
		current.values = append(current.values, field.String())
		field.Reset()
		fresh = true
	}
	endRow := func() {
		endField()
		if len(current.values) > 1 || current.values[0] != "" {
			rows = append(rows, current)
		}
		current = row{line: line}
	}
	for i, width := 0, 0; i < len(text); i += width {
		var r rune
		r, width = utf8.DecodeRuneInString(text[i:])
		rest := text[i+width:]
		switch {
		case quoted && r == quote && strings.HasPrefix(rest, string(quote)):
			field.WriteRune(quote)
			width += utf8.RuneLen(quote)
		case quoted && r == quote:
			quoted = false
		case quoted:
			if r == '\n' {
				line++
			}
			field.WriteString(text[i : i+width])
		case fresh && r == quote:
			quoted, fresh = true, false
		case r == sep:
			endField()
		case r == '\r' && strings.HasPrefix(rest, "\n"):
		case r == '\n':
			line++
			endRow()
		default:
			fresh = false
			field.WriteString(text[i : i+width])
		}
	}
	if quoted {
		current.problem = "Unmatched text delimiter"
	}
	if field.Len() > 0 || len(current.values) > 0 || quoted {
		endRow()
	}
	return rows
}

// write makes a text with every field in delimiters, or only those that need it.
func write(rows [][]string, separator string, all bool) []byte {
	var b bytes.Buffer
	for _, row := range rows {
		for i, value := range row {
			if i > 0 {
				b.WriteString(separator)
			}
			if all || strings.ContainsAny(value, "\"\r\n"+separator) {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			b.WriteString(value)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// inlineRows reads the CSV that stands in company data; check has seen that it is in order.
func inlineRows(text string) [][]string {
	rows, err := parseInline(text)
	if err != nil {
		panic("simulator: " + err.Error())
	}
	return rows
}

func parseInline(text string) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	return r.ReadAll()
}
