package data

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// look is how much of a text is looked at to recognise its encoding.
const look = 1 << 20

// recognised is what the beginning of a text says of its encoding.
type recognised struct {
	charset
	mark   int  // length of the byte order mark
	unsure bool // all of it is ASCII: what follows decides
}

var marks = []struct{ mark, name string }{
	{"\xff\xfe\x00\x00", "UTF-32LE"}, {"\x00\x00\xfe\xff", "UTF-32BE"},
	{"\xef\xbb\xbf", "UTF-8"}, {"\xff\xfe", "UTF-16LE"}, {"\xfe\xff", "UTF-16BE"},
}

// recognise says how a text is written, by what the source says, its mark, and its first
// bytes; else it is what the server file wants. Its error is an *InputError without a
// path. whole says that head is all.
func recognise(head []byte, whole bool, said string, wants charset) (recognised, error) {
	marked, n := "", 0
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			marked, n = m.name, len(m.mark)
			break
		}
	}
	if strings.HasPrefix(marked, "UTF-32") {
		return recognised{}, &InputError{What: "it is " + marked, Next: "write it as UTF-8"}
	}
	if said != "" && !strings.EqualFold(said, "auto") {
		c := charsetOf(said)
		switch {
		case !c.known && !c.same(wants):
			return recognised{}, &InputError{What: fmt.Sprintf("encoding %q is not known", said), Next: `write one as "UTF-8", "windows-1252", "UTF-16LE"`}
		case c.name == "UTF-16" && strings.HasPrefix(marked, "UTF-16"):
			return recognised{charset: charsetOf(marked), mark: n}, nil
		case marked != "" && !c.same(charsetOf(marked)):
			return recognised{}, &InputError{What: fmt.Sprintf("it begins with the byte order mark of %s, the job says %s", marked, said),
				Next: fmt.Sprintf("write encoding = %q, or take it out", marked)}
		case c.name == "UTF-16":
			c = charsetOf("UTF-16LE")
		}
		return recognised{charset: c, mark: n}, nil
	}
	if marked != "" {
		return recognised{charset: charsetOf(marked), mark: n}, nil
	}
	if wide := wideOf(head); wide != "" {
		return recognised{charset: charsetOf(wide)}, nil
	}
	ascii, valid := isASCII(head), validBut(head, whole)
	switch {
	case ascii && wants.ascii:
		return recognised{charset: wants, unsure: !whole && !wants.utf8()}, nil
	case valid:
		return recognised{charset: charsetOf("")}, nil
	case !wants.ascii:
		return recognised{}, &InputError{What: fmt.Sprintf("its encoding is not recognised: it is neither UTF-8 nor %s, which Anaplan's import expects", wants.name),
			Next: `write encoding = "windows-1252", or what it is, in the source`}
	}
	return recognised{charset: wants}, nil
}

// wideOf recognises UTF-16 without a mark: every other byte of what stands between fields
// and rows is 0.
func wideOf(head []byte) string {
	head = head[:min(len(head), 1<<16)&^1]
	var even, odd int
	for i := 0; i < len(head); i += 2 {
		if head[i] == 0 {
			even++
		}
		if head[i+1] == 0 {
			odd++
		}
	}
	few := max(1, len(head)/2/20) // one alone says nothing
	switch {
	case odd > few && even*10 < odd:
		return "UTF-16LE"
	case even > few && odd*10 < even:
		return "UTF-16BE"
	}
	return ""
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// validBut says whether b is UTF-8, but for a letter that its end cuts.
func validBut(b []byte, whole bool) bool {
	if !whole {
		for i := max(0, len(b)-utf8.UTFMax+1); i < len(b); i++ {
			if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
				b = b[:i]
				break
			}
		}
	}
	return utf8.Valid(b)
}
