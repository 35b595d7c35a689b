package configs

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// fileKind is what a file should have been, for messages.
type fileKind struct{ name, begin string }

var (
	jobFile         = fileKind{"a job file", `a job begins with a line as name = "nightly"`}
	connectionsFile = fileKind{"a connections.toml", "a connection begins with a line as [connection.prod]"}
)

// maxSize of a file; a hundred times what a person writes.
const maxSize = 1 << 20

// textOf returns what a file says as UTF-8 without a byte order mark, or what is wrong
// with its bytes.
func textOf(kind fileKind, file string, data []byte) ([]byte, *Problem) {
	wrong := func(line int, what, instead string) ([]byte, *Problem) {
		return nil, &Problem{File: file, Line: line, What: what, Instead: instead}
	}
	if len(data) > maxSize {
		return wrong(0, fmt.Sprintf("the file has %d bytes, the most is %d", len(data), maxSize), "give the path of "+kind.name+", not of data")
	}
	if name := utf16(data); name != "" {
		return wrong(1, "the file is "+name+", and must be UTF-8",
			`save it as UTF-8: in Notepad with "Save as", "Encoding: UTF-8"; in PowerShell with Set-Content -Encoding utf8; or with iconv -f UTF-16 -t UTF-8`)
	}
	text := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if i := invalid(text); i >= 0 {
		at := positionOf(text, i)
		return wrong(at.Line, fmt.Sprintf("the byte 0x%02X in column %d is not UTF-8", text[i], at.Column),
			"save the file as UTF-8; it was probably saved as Windows-1252 (ANSI)")
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return wrong(positionOf(text, i).Line, "the file holds a zero byte: it is no text", "give the path of "+kind.name)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return wrong(0, "the file is empty", kind.begin)
	}
	if line := tooDeep(text); line > 0 {
		return wrong(line, fmt.Sprintf("values or keys are nested deeper than %d", mostDepth), "give the path of "+kind.name)
	}
	return text, nil
}

// utf16 names the kind of UTF-16 that data is, with a byte order mark or without:
// empty if none. Without one, every other byte of a text in English is zero.
func utf16(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return "UTF-16 (little endian)"
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return "UTF-16 (big endian)"
	}
	head := data[:min(len(data), 256)]
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	pairs := len(head) / 2
	switch {
	case pairs < 2:
		return ""
	case zeros[1] > pairs*3/4 && zeros[0] == 0:
		return "UTF-16 (little endian, without a byte order mark)"
	case zeros[0] > pairs*3/4 && zeros[1] == 0:
		return "UTF-16 (big endian, without a byte order mark)"
	}
	return ""
}

// invalid is the offset of the first byte that is not UTF-8, or -1.
func invalid(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
