package inventory

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// TextOptions say for what the text is.
type TextOptions struct {
	Width  int  // of a line of the table, in columns; 0: as wide as it needs
	Colour bool // with the escapes of a terminal
}

// most is how many entries one list below the table has.
const most = 40

// Text writes the inventory for people: a line that sums it up, a table with a line for each certificate, then what is wrong, and the plan.
func (inv *Inventory) Text(w io.Writer, o TextOptions) error {
	var b strings.Builder
	b.WriteString(inv.sum() + "\n\n")
	inv.table(&b, o)
	inv.problems(&b)
	inv.warnings(&b)
	inv.plan(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// sum is the first line.
func (inv *Inventory) sum() string {
	s := inv.Summary
	parts := []string{}
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, text))
		}
	}
	add(s.Failing, "cannot be used")
	add(s.EndsSoon, fmt.Sprintf("within %d days of the end", inv.WarnDays))
	add(s.NotChecked, "not checked")
	add(s.OK, "ok")
	add(s.Replaced, "replaced")
	text := fmt.Sprintf("%s of %s: %s", count(s.Certificates, "certificate"), count(s.Users, "user"), strings.Join(parts, ", "))
	if len(parts) == 0 {
		text = "no certificate"
	}
	if s.Files > 0 {
		text += fmt.Sprintf(" (%s looked at, %d without certificates or keys)", count(s.Files, "file"), s.OtherFiles)
	}
	if s.Jobs > 0 {
		text += "; " + count(s.Jobs, "job")
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// table has a line for each certificate. What no certificate has gets no column.
func (inv *Inventory) table(b *strings.Builder, o TextOptions) {
	head := []string{"CONNECTION", "CERTIFICATE", "ENDS", "DAYS", "KEY", "STATE", "JOBS", "OWNER", "FILE"}
	rows := [][]string{head}
	for i := range inv.Certificates {
		rows = append(rows, inv.Certificates[i].row(inv.WarnDays))
	}
	// Connections, jobs and owners: only where there are some.
	for _, col := range []int{7, 6, 0} {
		if !slices.ContainsFunc(rows[1:], func(r []string) bool { return r[col] != "" && r[col] != "-" }) {
			for i := range rows {
				rows[i] = slices.Delete(rows[i], col, col+1)
			}
		}
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
			widths[i] = max(widths[i], runewidth.StringWidth(row[i]))
		}
	}
	state := slices.Index(rows[0], "STATE")
	shrink(widths, rows[0], o.Width)
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = cut(cell, widths[i], rows[0][i] == "FILE")
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell))
			switch {
			case rows[0][i] == "DAYS":
				cell = pad + cell
			case i < len(row)-1:
				if o.Colour && n > 0 && i == state {
					cell = inv.Certificates[n-1].colour() + cell + "\x1b[0m"
				}
				cell += pad
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(cell)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// row is a certificate's cells, in the order of the head.
func (c *Certificate) row(warn int) []string {
	var connections []string
	for _, p := range c.Places {
		if p.inUse() && !slices.Contains(connections, p.login()) {
			connections = append(connections, p.login())
		}
	}
	connection := or(c.Connection, "-")
	if n := len(connections); n > 1 {
		connection += fmt.Sprintf(" and %d more", n-1)
	}
	row := []string{connection, c.File, "-", "-", "-", c.state(warn), "", c.Owner, c.File}
	if len(c.Jobs) > 0 {
		row[6] = strconv.Itoa(len(c.Jobs))
	}
	if c.Report == nil {
		row[8] = ""
		return row
	}
	row[1], row[2], row[3] = c.User, day(c.NotAfter), strconv.Itoa(c.DaysLeft)
	if c.Key != KeyFailed {
		row[4] = string(c.Key)
	}
	others := map[string]bool{}
	for _, p := range c.Places {
		others[p.where()] = true
	}
	if n := len(others); n > 1 {
		row[8] += fmt.Sprintf(" and %d more", n-1)
	}
	return row
}

func (c *Certificate) state(warn int) string {
	if c.State == EndsSoon {
		return fmt.Sprintf("ends within %d days", warn)
	}
	return string(c.State)
}

func (c *Certificate) colour() string {
	return []string{"\x1b[31m", "\x1b[33m", "\x1b[33m", "\x1b[32m", "\x1b[2m"}[c.rank()]
}

// shrink makes columns of text narrower until a line fits: paths first, of which the end tells most, then the widest.
func shrink(widths []int, head []string, line int) {
	if line <= 0 {
		return
	}
	over := 2*(len(widths)-1) - line
	for _, w := range widths {
		over += w
	}
	file := len(head) - 1
	for ; over > 0; over-- {
		narrow := file
		if widths[file] <= 20 {
			narrow = -1
			for i, h := range head {
				if slices.Contains([]string{"CONNECTION", "CERTIFICATE", "OWNER", "FILE"}, h) && widths[i] > 12 && (narrow < 0 || widths[i] > widths[narrow]) {
					narrow = i
				}
			}
		}
		if narrow < 0 {
			return
		}
		widths[narrow]--
	}
}

// cut shortens a text; of a path its end stays.
func cut(s string, width int, path bool) string {
	if runewidth.StringWidth(s) <= width {
		return s
	}
	if path {
		return runewidth.TruncateLeft(s, runewidth.StringWidth(s)-width+1, "…")
	}
	return runewidth.Truncate(s, width, "…")
}

// problems are what keeps certificates from serving, but for their ends, which the table and the plan have.
func (inv *Inventory) problems(b *strings.Builder) {
	planned := map[string]bool{}
	for _, r := range inv.Plan {
		planned[r.Fingerprint] = true
	}
	n := 0
	for i := range inv.Certificates {
		c := &inv.Certificates[i]
		if !c.Fails() && c.State != NotChecked || c.State == Ended && planned[c.Fingerprint] {
			continue
		}
		for _, said := range c.said() {
			if n++; n <= most {
				b.WriteString(said)
			}
		}
	}
	if n > most {
		fmt.Fprintf(b, "\nand %d more; --output json has all of them\n", n-most)
	}
}

// said is what keeps the certificate from serving: what each place has, then what it has itself.
func (c *Certificate) said() []string {
	var all []string
	add := func(who, format, problem, next string) {
		one := fmt.Sprintf("\n%s: "+format+"\n  → %s\n", printable(who), printable(problem), printable(next))
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	for _, p := range c.Places {
		switch {
		case p.Locked:
			add(or(p.Connection, p.File), "not checked: %s", p.Problem, p.Next)
		case p.Problem != "":
			add(or(p.Connection, p.File), "%s", p.Problem, p.Next)
		case p.Online != nil && !p.Online.Accepted:
			add(or(p.Connection, p.File), "%s", p.Online.Problem, p.Online.Next)
		}
	}
	if c.Report != nil && c.Report.Problem != "" {
		add(c.name(), "%s", c.Report.Problem, or(c.Todo, c.Next))
	}
	return all
}

// name is how a certificate is spoken of.
func (c *Certificate) name() string { return or(c.Connection, c.File) }

// warnings are what the documents ask for and certificates lack: each text once.
func (inv *Inventory) warnings(b *strings.Builder) {
	var texts []string
	of := map[string][]string{}
	for i := range inv.Certificates {
		c := &inv.Certificates[i]
		if c.Report == nil || c.State == Replaced {
			continue
		}
		for _, t := range c.Warnings {
			if of[t] == nil {
				texts = append(texts, t)
			}
			of[t] = append(of[t], c.name())
		}
	}
	for i, t := range texts {
		if i == most {
			fmt.Fprintf(b, "\nand %d more warnings; --output json has all of them\n", len(texts)-most)
			break
		}
		names := of[t]
		who := strings.Join(names[:min(3, len(names))], ", ")
		if more := len(names) - 3; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(b, "\n%s: warning: %s\n", printable(who), printable(t))
	}
}

// plan lists whose certificate to renew, in order; the steps are said once.
func (inv *Inventory) plan(b *strings.Builder) {
	if len(inv.Plan) == 0 {
		return
	}
	b.WriteString("\nTo renew, in this order:\n")
	for i, r := range inv.Plan {
		if i == most {
			fmt.Fprintf(b, "and %d more; --output json has all of them\n", len(inv.Plan)-most)
			break
		}
		line := fmt.Sprintf("%d. %s: ", i+1, r.User)
		if r.DaysLeft < 0 {
			line += fmt.Sprintf("ended %s", day(r.NotAfter))
		} else {
			line += fmt.Sprintf("ends %s, in %s", day(r.NotAfter), count(r.DaysLeft, "day"))
		}
		if len(r.Jobs) > 0 {
			line += "; jobs " + strings.Join(r.Jobs[:min(3, len(r.Jobs))], ", ")
			if more := len(r.Jobs) - 3; more > 0 {
				line += fmt.Sprintf(" and %d more", more)
			}
		}
		if r.Owner != "" {
			line += "; owner " + r.Owner
		}
		if r.Note != "" {
			line += "; note: " + r.Note
		}
		if !r.Request {
			line += "; its successor is there, to be uploaded"
		}
		b.WriteString(printable(line) + "\n")
	}
	b.WriteString("For each:\n")
	for _, s := range []string{
		"without a successor, make a key and a request: anaplan-runner auth request --renew OLD --out NAME",
		"have it issued by a public authority that Anaplan supports, and look at it: anaplan-runner auth check CERTIFICATE",
		"have a tenant security administrator upload it: " + upload,
		"overlap: put it beside the old one in its connection, as a list; the one that ends last is used, and the other while Anaplan refuses it",
		"switch: anaplan-runner auth check --online says when the new one is accepted",
		"remove the old one from the connection, and in Anaplan",
	} {
		b.WriteString("   - " + s + "\n")
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// printable leaves out what would move the cursor: texts come from files.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
