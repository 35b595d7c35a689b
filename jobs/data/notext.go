package data

import (
	"bytes"
	"fmt"
)

// noText recognises files that are no text.
func noText(head []byte) (what, next string) {
	for _, k := range []struct {
		magic      string
		what, next string
	}{
		{"PK\x03\x04", "it is a ZIP archive or an Excel workbook, not text", "export it as CSV"},
		{"\x1f\x8b", "it is compressed with gzip twice", "compress it once"},
		{"\x28\xb5\x2f\xfd", "it is compressed with zstd twice", "compress it once"},
		{"\xd0\xcf\x11\xe0", "it is an old Excel workbook, not text", "export it as CSV"},
		{"%PDF-", "it is a PDF, not text", "export it as CSV"},
		{"BZh91AY&SY", "it is compressed with bzip2", "give the plain file, or compress it with gzip"},
		{"\xfd7zXZ", "it is compressed with xz", "give the plain file, or compress it with gzip"},
		{"7z\xbc\xaf", "it is a 7z archive", "give the plain file, or compress it with gzip"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.what, k.next
		}
	}
	return "", ""
}

// linesOfCR says that the header, or the only record of a text without one, has a CR outside
// delimiters that no LF follows: then its rows are one record. So does one above a header
// that never comes. Its error is an *InputError without a path, and holds no value.
func (f Format) linesOfCR(s sample) error {
	lone := s.loneCR
	switch {
	case len(bytes.Join(s.records, nil)) == 0: // all of the text stands above them
	case f.HeaderRow <= 0 && len(bytes.Join(s.records[1:], nil)) > 0:
		return nil
	default:
		lone = f.loneCR(s.records[0])
	}
	if !lone {
		return nil
	}
	return &InputError{What: "its lines end with CR alone, as old programs for the Mac write them, so its rows cannot be told apart",
		Next: `write it with lines that end with LF, or CR and LF; from Excel, save it as "CSV UTF-8"`}
}

// loneCR says whether a record has a CR outside delimiters that does not end it.
func (f Format) loneCR(record []byte) bool {
	text := bytes.TrimRight(record, "\r\n")
	return bytes.IndexByte(text, '\r') >= 0 && f.outside(text, '\r')
}

// outside says whether a record has a byte outside text delimiters. One opens a field as its
// first character; of two inside one, the first closes it and the second opens it again.
func (f Format) outside(record []byte, b byte) bool {
	delimiter, separator := []byte(f.Delimiter), []byte(f.Separator)
	inside, start := false, true
	for i := 0; i < len(record); {
		rest := record[i:]
		switch {
		case len(delimiter) > 0 && bytes.HasPrefix(rest, delimiter) && (inside || start):
			inside = !inside
			start = !inside // the other one of two
			i += len(delimiter)
		case len(separator) > 0 && !inside && bytes.HasPrefix(rest, separator):
			start = true
			i += len(separator)
		case !inside && record[i] == b:
			return true
		default:
			start = false
			i++
		}
	}
	return false
}

// mismatch says that the first records of a text have none of the separator that the
// format wants, but clearly another one: in each, as often. Its error is an *InputError
// without a path.
func (f Format) mismatch(records [][]byte) error {
	if f.Separator == "" {
		return nil
	}
	var texts []string
	for _, r := range records {
		if text := string(bytes.TrimRight(r, "\r\n")); text != "" {
			if len(r) == sampleBytes || len(fields(text, f.Separator, f.Delimiter)) > 1 {
				return nil
			}
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	for _, other := range []string{";", ",", "\t", "|"} {
		n := len(fields(texts[0], other, f.Delimiter))
		clear := other != f.Separator && (n > 2 || n > 1 && len(texts) > 1)
		for _, text := range texts {
			clear = clear && len(fields(text, other, f.Delimiter)) == n
		}
		if clear {
			return &InputError{What: fmt.Sprintf("its fields are separated by %s, Anaplan's import expects %s", separatorName(other), separatorName(f.Separator)),
				Next: "write it with the one that is expected, or correct the separator of the import's file in Anaplan"}
		}
	}
	return nil
}

func separatorName(s string) string {
	switch s {
	case ",":
		return "commas"
	case ";":
		return "semicolons"
	case "\t":
		return "tabs"
	case "|":
		return "bars (|)"
	}
	return fmt.Sprintf("%q", s)
}
