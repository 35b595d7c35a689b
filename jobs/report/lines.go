package report

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// cells measures text in columns, the same everywhere: what a terminal is set to does
// not change a report.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// text gathers lines of a width.
type text struct {
	strings.Builder
	width  int
	colour bool
}

func (t *text) line(s string) {
	t.WriteString(strings.TrimRight(s, " "))
	t.WriteByte('\n')
}

// labelWidth is the width of the labels before entries.
const labelWidth = 8

// entry writes texts with a label before the first. Lines of a text that are too long
// are wrapped. Empty texts are left out.
func (t *text) entry(label string, texts ...string) {
	const indent = 2 + labelWidth + 2
	for _, s := range texts {
		for _, l := range strings.Split(strings.TrimRight(tidy(s), "\n "), "\n") {
			if l == "" {
				continue
			}
			t.wrapped("  "+t.dim(pad(label, labelWidth))+"  ", l, indent)
			label = ""
		}
	}
}

// path writes a path with a label, in one piece.
func (t *text) path(label, path string) {
	t.line("  " + t.dim(pad(label, labelWidth)) + "  " + strings.ReplaceAll(tidy(path), "\n", " "))
}

// wrapped writes a text after a lead, breaking it between words, and with later lines
// indented.
func (t *text) wrapped(lead, s string, indent int) {
	for {
		head, rest := cut(s, t.width-indent)
		t.line(lead + head)
		if rest == "" {
			return
		}
		lead, s = strings.Repeat(" ", indent), rest
	}
}

// cut divides a text after the last word that fits, or after the first one if that is
// wider than the whole width: words are not broken.
func cut(s string, width int) (head, rest string) {
	if visible(s) <= width {
		return s, ""
	}
	at, used, escape := 0, 0, false
	for i, r := range s {
		if r == '\x1b' || escape {
			escape = r != 'm'
			continue
		}
		if r == ' ' && i > 0 {
			at = i
		}
		if used += cells.RuneWidth(r); used > width && at > 0 {
			return s[:at], strings.TrimLeft(s[at:], " ")
		}
	}
	return s, ""
}

// visible is the width of a text without the codes for colours.
func visible(s string) int {
	if !strings.Contains(s, "\x1b") {
		return cells.StringWidth(s)
	}
	var b strings.Builder
	escape := false
	for _, r := range s {
		if r == '\x1b' || escape {
			escape = r != 'm'
			continue
		}
		b.WriteRune(r)
	}
	return cells.StringWidth(b.String())
}

// pad makes a text exactly so wide, and shortens it for that.
func pad(s string, width int) string {
	return cells.FillRight(cells.Truncate(s, width, "…"), width)
}

// Codes of colours. Bright ones are hard to read on white.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
	dim    = "2"
)

func (t *text) code(code, s string) string {
	if !t.colour || code == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *text) bold(s string) string { return t.code(bold, s) }
func (t *text) dim(s string) string  { return t.code(dim, s) }

// paint colours a text by a verdict.
func (t *text) paint(v ledger.Verdict, s string) string {
	switch v {
	case ledger.OK:
		return t.code(green, s)
	case ledger.Partial, ledger.Unsure:
		return t.code(yellow, s)
	case ledger.Failed, ledger.Cancelled, ledger.TimedOut:
		return t.code(red, s)
	case ledger.Skipped, ledger.Blocked:
		return t.code(dim, s)
	}
	return s
}
