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
