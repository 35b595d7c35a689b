package configs

import (
	"bytes"
	"sort"
	"strconv"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where one key, or one element of an array, stands in a document.
type place struct {
	key   Position
	order int    // among all places of the document
	raw   string // of a string: as written, with its quotes
}

// places finds keys by their path from the root, joined by [under].
type places map[string]place

// under is the path of a key or of an element below another path. The separator cannot
// stand in a TOML key.
func under(path, name string) string { return path + "\x00" + name }

func element(path string, i int) string { return under(path, "#"+strconv.Itoa(i)) }

// locate finds the places of a document that is right TOML. The decoder in use tells
// places only of what is syntactically wrong.
func locate(text []byte) places {
	l := locator{text: text, lines: []int{0}, found: places{}, arrays: map[string]int{}}
	for i, b := range text {
		if b == '\n' {
			l.lines = append(l.lines, i+1)
		}
	}
	l.parser.Reset(text)
	var table string
	for l.parser.NextExpression() {
		e := l.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = l.header(e, false)
		case unstable.ArrayTable:
			table = l.header(e, true)
		case unstable.KeyValue:
			l.pair(table, e)
		}
	}
	return l.found
}

type locator struct {
	text   []byte
	lines  []int // offset of each
	parser unstable.Parser
	found  places
	arrays map[string]int // tables seen of each array of tables
}

// header enters [a.b] or [[a.b]] and returns the path of the table it begins. A prefix
// that is an array of tables means the last of them.
func (l *locator) header(e *unstable.Node, array bool) string {
	path := ""
	for it := e.Key(); it.Next(); {
		path = under(path, string(it.Node().Data))
		at := l.position(it.Node())
		l.put(path, place{key: at})
		if array && it.IsLast() {
			l.arrays[path]++
			path = element(path, l.arrays[path]-1)
			l.put(path, place{key: at})
		} else if n := l.arrays[path]; n > 0 {
			path = element(path, n-1)
		}
	}
	return path
}

// pair enters a key with its value.
func (l *locator) pair(table string, e *unstable.Node) {
	path := table
	at := place{}
	for it := e.Key(); it.Next(); {
		path = under(path, string(it.Node().Data))
		at = place{key: l.position(it.Node())}
		if !it.IsLast() {
			l.put(path, at)
		}
	}
	l.value(path, at, e.Value())
}

func (l *locator) value(path string, at place, v *unstable.Node) {
	if v.Kind == unstable.String {
		at.raw = string(l.parser.Raw(v.Raw))
	}
	l.put(path, at)
	children := v.Children()
	switch v.Kind {
	case unstable.InlineTable:
		for children.Next() {
			l.pair(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			n := children.Node()
			if n.Raw.Length > 0 { // an array does not know its place
				at.key = l.position(n)
			}
			at.raw = ""
			l.value(element(path, i), at, n)
		}
	}
}

// put keeps the first place of a path: a table may be named again and again.
func (l *locator) put(path string, p place) {
	if _, ok := l.found[path]; !ok {
		p.order = len(l.found)
		l.found[path] = p
	}
}

func (l *locator) position(n *unstable.Node) Position {
	offset := int(n.Raw.Offset)
	line := sort.SearchInts(l.lines, offset+1) // the first line that begins after it, which is ours counted from 1
	return Position{line, 1 + utf8.RuneCount(l.text[l.lines[line-1]:offset])}
}

// positionOf is the line and column of a byte, the column counted in characters.
func positionOf(text []byte, offset int) Position {
	offset = max(0, min(offset, len(text)))
	line := 1 + bytes.Count(text[:offset], []byte("\n"))
	start := bytes.LastIndexByte(text[:offset], '\n') + 1
	return Position{line, 1 + utf8.RuneCount(text[start:offset])}
}
