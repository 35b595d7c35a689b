package report

import (
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// row is a line of the table: first what is at the left, then verdict, then what is at
// the right.
type row struct {
	verdict ledger.Verdict
	name    string
	what    string
	cells   []string // verdict, loaded, ignored, warned, rejected, time
}

const gap = "  "

// table writes a line for each step, or two where one is too narrow.
func (t *text) table(r Report) {
	if len(r.Steps) == 0 {
		return
	}
	rows := []row{{name: "STEP", what: "DOES", cells: []string{"VERDICT", "LOADED", "IGNORED", "WARNED", "REJECTED", "TIME"}}}
	several := r.severalModels()
	for _, s := range r.Steps {
		rows = append(rows, row{s.Verdict, oneLine(s.Name), s.does(several), []string{
			short(s.Verdict, !s.Started.IsZero()), count(s.Rows.OK), count(s.Rows.Ignored), count(s.Rows.Warnings),
			count(s.Rows.Failed), orDash(r.lasted(s.Started, s.Ended))}})
	}
	if len(r.Steps) > 1 {
		all := r.Rows()
		rows = append(rows, row{r.Verdict, "ALL", "", []string{short(r.Verdict, true), count(all.OK), count(all.Ignored),
			count(all.Warnings), count(all.Failed), orDash(r.lasted(r.Started, r.Ended))}})
	}
	widths := make([]int, len(rows[0].cells))
	names, whats, right := 0, 0, 0
	for _, row := range rows {
		names, whats = max(names, cells.StringWidth(row.name)), max(whats, cells.StringWidth(row.what))
		for i, c := range row.cells {
			widths[i] = max(widths[i], cells.StringWidth(c))
		}
	}
	for _, w := range widths {
		right += len(gap) + w
	}
	oneLined := names+len(gap)+whats+right <= t.width
	if !oneLined {
		names = min(max(names, 8), max(8, t.width-right))
	}
	t.line("")
	for i, row := range rows {
		left := pad(row.name, names)
		if oneLined {
			left += gap + pad(row.what, whats)
		}
		var b strings.Builder
		b.WriteString(left)
		for k, c := range row.cells {
			b.WriteString(gap)
			switch {
			case k > 0:
				b.WriteString(strings.Repeat(" ", widths[k]-cells.StringWidth(c)) + c)
			case i > 0:
				b.WriteString(t.paint(row.verdict, pad(c, widths[k])))
			default:
				b.WriteString(pad(c, widths[k]))
			}
		}
		if i == 0 {
			t.line(t.bold(b.String()))
			continue
		}
		t.line(b.String())
		if !oneLined && row.what != "" {
			t.line(t.dim(cells.Truncate("  "+row.what, t.width, "…")))
		}
	}
}

// does says in a few words what a step does.
func (s Step) does(model bool) string {
	text := oneLine(s.Verb) + " " + name(s.Object)
	if m := name(ledger.ObjectRef(s.Model)); model && m != "" {
		text += " in " + m
	}
	return text
}

func (r Report) severalModels() bool {
	for _, s := range r.Steps {
		if s.Model != r.Steps[0].Model {
			return true
		}
	}
	return false
}

// count is a number in a table; what is not known is not 0.
func count(n *int64) string {
	if n == nil {
		return "-"
	}
	return number(*n)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
