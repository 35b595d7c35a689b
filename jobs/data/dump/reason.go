package dump

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands for what was taken out of a reason.
const hidden = "…"

// reason is what Anaplan says of a row without the row's values: what stands behind the
// first ": " is left out, as in "Invalid date: 13/45/26"; what is quoted, what stands
// between "Item" and "not located", every word with a digit or an @, and what is one of
// the row's cells becomes "…". Reasons that differ by their values alone become one.
func reason(text string, cells []string) string {
	text = strings.ToValidUTF8(text, hidden)
	text, _, _ = strings.Cut(text, ": ")
	text = unquoted(text)
	text = between(text, "Item ", " not located ")
	cells = slices.Clone(cells)
	// The longest first: "Ada" must not leave " Byron" of "Ada Byron".
	slices.SortFunc(cells, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, c := range cells {
		text = without(text, strings.TrimSpace(c))
	}
	words := strings.Fields(text)
	for i, w := range words {
		if strings.ContainsFunc(w, unicode.IsDigit) || strings.Contains(w, "@") {
			words[i] = hidden
		}
	}
	words = slices.CompactFunc(words, func(a, b string) bool { return a == hidden && b == hidden })
	if text = strings.Join(words, " "); text == "" {
		return "no reason given"
	}
	const most = 120
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + hidden
	}
	return text
}

// without takes a cell out of a text: anywhere if it is long enough to be nothing else, as
// a word of its own if it is short. Single small letters and words like "in" stay.
func without(text, cell string) string {
	switch {
	case len(cell) >= 3:
		return strings.ReplaceAll(text, cell, hidden)
	case cell == "" || strings.ToLower(cell) == cell:
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, cell)
		if i < 0 {
			return b.String() + text
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(cell):])
		b.WriteString(text[:i])
		if letter(before) || letter(after) {
			b.WriteString(cell)
		} else {
			b.WriteString(hidden)
		}
		text = text[i+len(cell):]
	}
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// unquoted hides what stands in quotation marks.
func unquoted(text string) string {
	for _, q := range []string{`"`, "'", "`"} {
		begin, rest, ok := strings.Cut(text, q)
		if !ok {
			continue
		}
		if _, after, ok := strings.Cut(rest, q); ok {
			text = begin + hidden + unquoted(after)
		}
	}
	return text
}

// between hides what stands between two parts of a text.
func between(text, left, right string) string {
	i := strings.Index(text, left)
	j := strings.Index(text, right)
	if i < 0 || j < i+len(left) {
		return text
	}
	return text[:i+len(left)] + hidden + text[j:]
}
