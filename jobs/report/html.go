package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

//go:embed page.html page.css
var page embed.FS

// HTML writes the report as one file that needs nothing else: no script, no font, no
// picture from elsewhere. Its content security policy forbids everything but its own
// style sheet, and every text is escaped for its place, so that nothing of a row, a name
// or an answer is ever run. Rejected rows are in it as far as the job file allows.
func HTML(w io.Writer, r Report) error {
	css, err := page.ReadFile("page.css")
	if err != nil {
		return fmt.Errorf("write report as HTML: %w", err)
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"clock": r.clock, "moment": func(t Time) string { return r.moment(t.Time) }, "rfc": rfc, "lasted": r.lasted,
		"number": number, "count": count, "plural": plural[int64], "tidy": tidy, "line": oneLine, "name": name,
		"short": short, "tone": tone, "share": share, "sub": func(a, b int) int { return a - b },
		"continued": func(c Continuation) string { return c.words(r) }, "repaired": func(f Repair) string { return f.words(r) },
		"settled": func(s Settled) string { return s.words(r) }, "reopened": func(o Reopened) string { return o.words(r) },
		"i64": func(i int) int64 { return int64(i) },
	}).ParseFS(page, "page.html")
	if err != nil {
		return fmt.Errorf("write report as HTML: %w", err)
	}
	sum := sha256.Sum256(css)
	var b bytes.Buffer
	err = t.Execute(&b, view{
		Report: r, CSS: template.CSS(css), Policy: fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
			base64.StdEncoding.EncodeToString(sum[:])),
		Total: r.Rows(), Timeline: r.timeline(), Several: r.severalModels(),
	})
	if err != nil {
		return fmt.Errorf("write report as HTML: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// view is what the page is made of.
type view struct {
	Report
	CSS      template.CSS
	Policy   string
	Total    ledger.Rows
	Timeline timeline
	Several  bool // steps are on several models
}

// Span, Zone and the like give the page what the text says too.
func (v view) Span() string      { return v.span() }
func (v view) ZoneText() string  { return v.zoneName() }
func (v view) Counts() string    { return v.count().String() }
func (v view) OwnMessage() bool  { return v.ownMessage() }
func (v view) Bad() bool         { return tone(v.Verdict) == "bad" || tone(v.Verdict) == "warn" }
func (v view) TimelineEnd() Time { return Time{v.Seen} }

// stepView is a step as the page shows it.
type stepView struct {
	Step
	Number  int // from 1
	several bool
}

// Each are the steps with their numbers.
func (v view) Each() []stepView {
	var all []stepView
	for i, s := range v.Steps {
		all = append(all, stepView{s, i + 1, v.Several})
	}
	return all
}

// Counted says whether Anaplan counted anything.
func (v view) Counted() bool { return rowWords(v.Total) != "" }

// Idle says whether there are steps that were not begun.
func (v view) Idle() bool { return slices.ContainsFunc(v.Each(), stepView.Idle) }

// In names the step's model where the steps are on several.
func (s stepView) In() string {
	if !s.several {
		return ""
	}
	return name(ledger.ObjectRef(s.Model))
}

// Notable says whether there is more to say of the step than that it is ok.
func (s stepView) Notable() bool { return s.notable() }

// Counted says whether Anaplan counted anything.
func (s stepView) Counted() bool { return rowWords(s.Rows) != "" }

// RowWords are the action's counts in words; empty if none is known.
func (a Action) RowWords() string { return rowWords(a.Rows) }

// Idle says whether nothing of the step was begun: then there is little to say of it.
func (s stepView) Idle() bool {
	return s.Started.IsZero() && (s.Verdict == ledger.Blocked || s.Verdict == ledger.Skipped || s.Verdict == "")
}

// Facts says whether there are facts to list.
func (s stepView) Facts() bool {
	return !s.Started.IsZero() || len(s.Uploads)+len(s.Outputs)+len(s.Waits)+len(s.Failed)+len(s.Cancels)+len(s.Settled)+len(s.Reopened) > 0 || s.Task != ""
}

// Sentence is the step's verdict in words.
func (s stepView) Sentence() string {
	text := words(s.Step)
	first, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[n:] + "."
}

// Inside are the actions of a process.
func (s stepView) Inside() []Action {
	_, nested := s.split()
	return nested
}

// Texts are Anaplan's words on the step's own import, export or action.
func (s stepView) Texts() []string {
	own, _ := s.split()
	var all []string
	for _, a := range own {
		all = append(all, a.Texts...)
	}
	return all
}

// Most are the most frequent reasons of a dump.
func (d Dump) Most() []ledger.Reason { return d.Reasons[:min(len(d.Reasons), 8)] }

// Lasted is how long the action took; empty if that is not known.
func (a Action) Lasted() string {
	if a.Seconds == nil {
		return ""
	}
	return lasting(time.Duration(*a.Seconds * float64(time.Second)))
}

// tone is the colour of a verdict: ok, warn, bad or idle.
func tone(v ledger.Verdict) string {
	switch v {
	case ledger.OK:
		return "ok"
	case ledger.Partial, ledger.Unsure:
		return "warn"
	case ledger.Failed, ledger.Cancelled, ledger.TimedOut:
		return "bad"
	}
	return "idle"
}

// share is the length of a bar in percent of the longest one.
func share(n int64, all []ledger.Reason) string {
	var most int64 = 1
	for _, r := range all {
		most = max(most, r.Count)
	}
	return percent(min(100, max(1, 100*float64(n)/float64(most))))
}

// rfc is a time for programs.
func rfc(t Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
