package configs

import "bytes"

// mostDepth is how deep values, and keys with dots, may be nested; a job needs four. The
// library needs memory by the square of it.
const mostDepth = 64

// tooDeep is the line where text is nested deeper than that, or 0.
func tooDeep(text []byte) int {
	depth, dots := 0, 0
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '#':
			i += lengthTo(text[i:], "\n")
			continue
		case '"', '\'':
			i += stringLength(text[i:], c)
			continue
		case '\n':
			dots = 0
		case '.':
			dots++
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		if depth > mostDepth || dots > mostDepth {
			return positionOf(text, i).Line
		}
		i++
	}
	return 0
}

// stringLength is that of the TOML string at the beginning of text, up to the end of text
// or of its line where it is not closed.
func stringLength(text []byte, quote byte) int {
	mark := string([]byte{quote, quote, quote})
	many := bytes.HasPrefix(text, []byte(mark))
	if !many {
		mark = mark[:1]
	}
	for i := len(mark); i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case !many && text[i] == '\n':
			return i
		case bytes.HasPrefix(text[i:], []byte(mark)):
			return i + len(mark)
		}
	}
	return len(text)
}

// lengthTo is the length of text up to a mark, or of all of it.
func lengthTo(text []byte, mark string) int {
	if i := bytes.Index(text, []byte(mark)); i >= 0 {
		return i
	}
	return len(text)
}
