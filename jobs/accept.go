package jobs

import (
	"fmt"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// exceeds says in what a result goes beyond what is accepted; empty: in nothing. A count
// that is not known exceeds nothing.
func exceeds(r ledger.Rows, a configs.Accept, isImport, unchanged bool) string {
	for _, c := range []struct {
		what  string
		n     *int64
		limit configs.Limit
	}{
		{"failed", r.Failed, limitOr(a.Failed, configs.Limit{})},
		{"loaded with warnings", r.Warnings, limitOr(a.Warnings, configs.Limit{})},
		{"ignored", r.Ignored, limitOr(a.Ignored, configs.Limit{Share: true, Percent: 100})},
	} {
		if c.n == nil || within(*c.n, total(r), c.limit) {
			continue
		}
		text := fmt.Sprintf("%s %s, the job accepts %s", rowsOf(*c.n, r.Total), c.what, limitText(c.limit))
		if c.limit.Share && total(r) == nil {
			text += ", and Anaplan does not say of how many"
		}
		return text
	}
	least := int64(1)
	if a.MinLoaded != nil {
		least = *a.MinLoaded
	}
	if loaded := loaded(r); isImport && !unchanged && loaded != nil && *loaded < least {
		return fmt.Sprintf("%s loaded, the job wants at least %d", rowsOf(*loaded, r.Total), least)
	}
	return ""
}

// loaded is the number of rows that are in the model now, those with a warning too.
func loaded(r ledger.Rows) *int64 {
	if r.OK == nil || r.Warnings == nil {
		return r.OK
	}
	n := *r.OK + *r.Warnings
	return &n
}

func limitOr(l *configs.Limit, standard configs.Limit) configs.Limit {
	if l == nil {
		return standard
	}
	return *l
}

// within says whether n of total is known to be inside a limit. Of a total that is not
// known a share is not known either.
func within(n int64, total *int64, l configs.Limit) bool {
	switch {
	case !l.Share:
		return n <= l.Rows
	case n == 0 || l.Percent >= 100:
		return true
	case total == nil || *total == 0:
		return false
	}
	return float64(n)*100 <= l.Percent*float64(*total)
}

func limitText(l configs.Limit) string {
	if l.Share {
		return fmt.Sprintf("%g%%", l.Percent)
	}
	return fmt.Sprint(l.Rows)
}

// total is the number of rows that Anaplan counted, from its parts if it does not say.
func total(r ledger.Rows) *int64 {
	if r.Total != nil {
		return r.Total
	}
	if r.OK == nil || r.Failed == nil {
		return nil
	}
	t := *r.OK + *r.Failed
	for _, n := range []*int64{r.Ignored, r.Warnings} {
		if n != nil {
			t += *n
		}
	}
	return &t
}

func unexplained(a configs.Accept) bool { return a.Unexplained != nil && *a.Unexplained }

// rows are the counts of a result's details.
func rows(r anaplan.Result) ledger.Rows {
	c := r.Counts()
	return ledger.Rows{Total: c.Total, OK: c.OK, Ignored: c.Ignored, Warnings: c.Warnings, Failed: c.Failed}
}

// sum adds what is known; what no action knows stays unknown.
func sum(actions []ledger.ActionVerdict) (all ledger.Rows) {
	for _, a := range actions {
		all.Add(a.Rows)
	}
	return all
}

// withDump fills counts that the details lack, or have as none, from the failure dump. A
// module's details count its failed cells, of rows that the dump holds as warned: those
// are not counted twice.
func withDump(r ledger.Rows, d ledger.DumpStats, cells bool) ledger.Rows {
	known := cells && r.Failed != nil
	if !above(r.Failed, 0) && (d.Rejected > 0 || r.Failed == nil) {
		r.Failed = &d.Rejected
	}
	if !above(r.Warnings, 0) && !known && (d.Warned > 0 || r.Warnings == nil) {
		r.Warnings = &d.Warned
	}
	return r
}

// cells says whether a result counts cells, as imports into modules do.
func cells(r anaplan.Result) bool {
	return find(r, func(d anaplan.Detail) bool { return strings.HasPrefix(d.Type, "lineItem") }) != nil
}

func above(n *int64, limit int64) bool { return n != nil && *n > limit }

// counted puts counts into words.
func counted(r ledger.Rows) string {
	var parts []string
	for _, c := range []struct {
		n    *int64
		what string
	}{{r.OK, "loaded"}, {r.Warnings, "with warnings"}, {r.Ignored, "ignored"}, {r.Failed, "rejected"}} {
		if c.n != nil && (*c.n > 0 || c.what == "loaded") {
			parts = append(parts, fmt.Sprintf("%d %s", *c.n, c.what))
		}
	}
	if len(parts) == 0 {
		return "successful"
	}
	return strings.Join(parts, ", ")
}

func rowsOf(n int64, total *int64) string {
	if total == nil {
		return plural(n, "row")
	}
	return fmt.Sprintf("%d of %s", n, plural(*total, "row"))
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// texts are Anaplan's own words on a result, as they came.
func texts(r anaplan.Result) []string {
	var all []string
	for _, d := range r.Details {
		all = append(all, said(d))
	}
	return all
}

func said(d anaplan.Detail) string {
	if d.Text == "" {
		return d.Type
	}
	return d.Text
}

func sentence(texts []string) string {
	if len(texts) == 0 {
		return "it gives no reason"
	}
	return strings.Join(texts, "; ")
}

// next is what to do about a verdict on rows.
func next(end ledger.StepEnded) string {
	if end.Verdict == ledger.OK || end.Verdict == ledger.Cancelled {
		return end.Next
	}
	for _, a := range end.Actions {
		if a.DumpPath != "" && a.Verdict != ledger.OK {
			return "see the rejected rows in " + a.DumpPath + "; correct the data, or raise accept"
		}
	}
	if end.Verdict == ledger.Partial {
		return "compare the source with what was loaded, or change accept"
	}
	return "correct what Anaplan names, then run it again"
}
