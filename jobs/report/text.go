package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TextOptions say how text is laid out. The zero value works.
type TextOptions struct {
	Width  int // columns of the terminal; 0: 80; fewer than 60 count as 60
	Colour bool
}

// Text writes the report for a terminal or a log: a table of the steps, what was
// transferred, which programs ran, what is to be said of steps that are not plainly ok,
// where sources went, and in the last line the result. Lines are broken between words to
// fit the width: a path stays whole, so that it can be copied, and so does the last line,
// which callers read as one. Rejected rows are never in it.
func Text(w io.Writer, r Report, o TextOptions) error {
	t := &text{width: max(60, o.Width), colour: o.Colour}
	if o.Width == 0 {
		t.width = 80
	}
	t.header(r)
	t.table(r)
	t.transfers(r)
	t.commands(r)
	for _, s := range r.Steps {
		if s.notable() && s.Verdict != ledger.Blocked {
			t.step(r, s)
		}
	}
	t.blocked(r)
	t.run(r)
	t.line("")
	t.line(t.paint(r.Verdict, Line(r)))
	_, err := io.WriteString(w, t.String())
	return err
}

// Line is the result of a run in one line: verdict, counts, duration, exit code.
func Line(r Report) string {
	parts := []string{oneLine(r.Job) + " " + short(r.Verdict, true), "steps: " + r.count().String()}
	if rows := rowWords(r.Rows()); rows != "" {
		parts = append(parts, "rows: "+rows)
	}
	if d := r.lasted(r.Started, r.Ended); d != "" {
		parts = append(parts, d)
	}
	if r.Code != nil {
		parts = append(parts, fmt.Sprintf("exit code %d", *r.Code))
	}
	return strings.Join(parts, "; ")
}

// StepLine says in one line how a step ended, or stands: for logs and progress lines.
func StepLine(r Report, s Step) string {
	text := oneLine(s.Name) + ": " + short(s.Verdict, !s.Started.IsZero())
	if s.Cause != "" {
		text += " (" + oneLine(string(s.Cause)) + ")"
	}
	if rows := rowWords(s.Rows); rows != "" {
		text += ", " + rows
	}
	if d := r.lasted(s.Started, s.Ended); d != "" {
		text += ", " + d
	}
	if s.Message != "" && s.Verdict != ledger.OK {
		text += ": " + oneLine(s.Message)
	}
	return text
}

func (t *text) header(r Report) {
	t.wrapped("", fmt.Sprintf("%s, run %s", oneLine(r.Job), oneLine(r.Run)), 0)
	t.wrapped("", t.paint(r.Verdict, r.Headline()+"."), 0)
	if !r.Started.IsZero() {
		t.wrapped("", fmt.Sprintf("%s, %s", r.span(), r.lasted(r.Started, r.Ended)), 0)
	}
	for _, c := range r.Continued {
		t.wrapped("", c.words(r), 2)
	}
	if r.Resumed && len(r.Continued) == 0 {
		t.wrapped("", "continued after an earlier runner had stopped", 0)
	}
	for _, f := range r.Repaired {
		t.wrapped("", f.words(r), 2)
		for _, change := range f.Changes {
			t.wrapped("  ", oneLine(change), 4)
		}
	}
	if r.Ledger != "" {
		t.wrapped("", "ledger: "+oneLine(r.Ledger), 2)
	}
}

// step says what there is to say of one step.
func (t *text) step(r Report, s Step) {
	t.line("")
	head := oneLine(s.Name) + ": " + t.paint(s.Verdict, words(s))
	if rows := rowWords(s.Rows); rows != "" {
		head += "; " + rows
	}
	t.wrapped("", head, 2)
	if s.Verdict != ledger.OK {
		t.entry("what", s.Message)
	}
	own, nested := s.split()
	for _, a := range own {
		t.entry("Anaplan", a.Texts...)
	}
	for _, a := range nested {
		t.action(a)
	}
	for _, try := range s.Failed {
		t.entry(fmt.Sprintf("try %d", try.Number), try.Text)
	}
	for _, w := range s.Waits {
		t.entry("waited", fmt.Sprintf("from %s: %s: %s", r.clock(w.Since), w.Reason, w.Text))
	}
	for _, c := range s.Cancels {
		t.entry("cancel", c)
	}
	for _, d := range s.Settled {
		t.entry("settled", d.words(r))
	}
	for _, o := range s.Reopened {
		t.entry("again", o.words(r))
	}
	for _, d := range s.Dumps {
		t.dump(s, d)
	}
	for _, w := range s.Warnings {
		t.entry("warning", w)
	}
	if s.Task != "" && s.Verdict != ledger.OK {
		t.entry("task", s.Task)
	}
	t.entry("next", s.Next)
}

// words is a step's verdict as a person would say it.
func words(s Step) string {
	if s.Verdict == "" {
		if s.Task != "" {
			return "has not ended; Anaplan may have finished its task since"
		}
		return "has not ended"
	}
	if s.Verdict == ledger.OK && positive(s.Rows.Failed) {
		return "ok, rejected rows are within what the job accepts"
	}
	text := s.how()
	if text == "" {
		text = short(s.Verdict, true) // of a newer program
	}
	if c := s.why(); c != "" && s.Cause != ledger.CauseRows {
		text += ": " + c
	}
	return text
}

// split tells a step's own import, export or action from the actions of its process.
func (s Step) split() (own, nested []Action) {
	for _, a := range s.Actions {
		if a.Object.ID == s.Object.ID {
			own = append(own, a)
		} else {
			nested = append(nested, a)
		}
	}
	return own, nested
}

func (t *text) action(a Action) {
	if a.Verdict == ledger.OK && !positive(a.Rows.Failed) && !positive(a.Rows.Warnings) {
		return
	}
	head := fmt.Sprintf("%s: %s", name(a.Object), short(a.Verdict, true))
	if rows := rowWords(a.Rows); rows != "" {
		head += "; " + rows
	}
	if a.Verdict != ledger.OK && len(a.Texts) == 0 {
		head += "; " + a.Message
	}
	t.entry("action", append([]string{head}, a.Texts...)...)
}

func (t *text) dump(s Step, d Dump) {
	what := ""
	if d.Of.ID != s.Object.ID {
		what = name(d.Of) + ": "
	}
	if d.Error != "" {
		t.entry("dump", what+"it was announced and cannot be had: "+d.Error)
		return
	}
	most := d.Reasons[:min(len(d.Reasons), 5)]
	digits := 0
	for _, reason := range most {
		digits = max(digits, len(number(reason.Count)))
	}
	var lines []string
	for _, reason := range most {
		lines = append(lines, fmt.Sprintf("%*s  %s", digits, number(reason.Count), reason.Text))
	}
	if rest := len(d.Reasons) - len(most); rest > 0 {
		lines = append(lines, fmt.Sprintf("and %s", plural(rest, "further reason")))
	}
	t.entry("reasons", lines...)
	t.path("dump", d.Path)
}

// blocked lists the steps that were not started, those with the same reason together.
func (t *text) blocked(r Report) {
	var reasons []string
	names := map[string][]string{}
	for _, s := range r.Steps {
		if s.Verdict != ledger.Blocked {
			continue
		}
		if !slices.Contains(reasons, s.Message) {
			reasons = append(reasons, s.Message)
		}
		names[s.Message] = append(names[s.Message], oneLine(s.Name))
	}
	for _, reason := range reasons {
		t.line("")
		t.wrapped("", t.paint(ledger.Blocked, "blocked")+": "+strings.Join(names[reason], ", "), 2)
		t.entry("why", reason)
	}
}

// run says what concerns the run as a whole.
func (t *text) run(r Report) {
	if r.ownMessage() {
		t.line("")
		t.entry("what", r.Message)
		t.entry("next", r.Next)
	}
	if slices.ContainsFunc(r.Moved, func(m Moved) bool { return m.Error == "" }) {
		t.line("")
	}
	for _, m := range r.Moved {
		if m.Error == "" { // of the others a warning tells
			t.path("moved", m.From)
			t.path("to", m.To)
		}
	}
	if len(r.Warnings) > 0 {
		t.line("")
		for _, w := range r.Warnings {
			t.entry("warning", w)
		}
	}
}

// ownMessage says whether the run's message says more than that of the step it names.
func (r Report) ownMessage() bool {
	return r.Message != "" && !slices.ContainsFunc(r.Steps, func(s Step) bool {
		return s.Message != "" && strings.HasSuffix(r.Message, s.Message)
	})
}

// name is an object by its name, else by its id.
func name(o ledger.ObjectRef) string {
	if o.Name != "" {
		return oneLine(o.Name)
	}
	return oneLine(o.ID)
}
