package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Transfers are all transfers of a run together: uploads and downloads that came to their
// end, as far as the record tells how long they took. Older programs did not record that.
type Transfers struct {
	Count   int      `json:"count"`
	Bytes   int64    `json:"bytes"`       // of the files
	Wire    int64    `json:"wire_bytes"`  // that went over the line for them: compressed, repeats included
	Seconds float64  `json:"duration_s"`  // in which at least one was under way
	Rate    *int64   `json:"bytes_per_s"` // Bytes in these seconds; null: none took any time
	spans   []moment // of each
}

// moment is a time in which something was moved.
type moment struct{ from, to time.Time }

// Rate is how many bytes a second a transfer moved, as an average; nil: it took no time.
func Rate(bytes int64, took time.Duration) *int64 {
	if took <= 0 {
		return nil
	}
	n := int64(float64(bytes) / took.Seconds())
	return &n
}

func newUpload(u ledger.UploadState) File {
	return File{Path: u.Path, Bytes: u.Bytes, Rows: u.Rows, File: u.File}.moved(u.Wire, u.Took)
}

func newOutput(w ledger.TargetState) File {
	return File{Path: w.Path, Bytes: w.Bytes, Rows: w.Rows, File: w.File}.moved(w.Wire, w.Took)
}

// outputs are the files that were written, each once: of one that was written again, as by
// a further try, the last time counts.
func outputs(all []ledger.TargetState) []File {
	type place struct {
		path  string
		alike int
	}
	files, known := []File{}, map[place]int{}
	for _, w := range all {
		at, was := known[place{w.Path, w.Alike}]
		if !was {
			at, files = len(files), append(files, File{})
			known[place{w.Path, w.Alike}] = at
		}
		files[at] = newOutput(w)
	}
	return files
}

// moved adds how a file was moved, if that is known.
func (f File) moved(wire int64, took time.Duration) File {
	if wire <= 0 && took <= 0 {
		return f
	}
	n := seconds(took)
	f.Wire, f.Seconds, f.Rate = &wire, &n, Rate(f.Bytes, took)
	return f
}

// add counts a transfer that ended at a time, if it is known how long it took.
func (t *Transfers) add(f File, took time.Duration, at time.Time) {
	if f.Wire == nil {
		return
	}
	t.Count++
	t.Bytes += f.Bytes
	t.Wire += *f.Wire
	t.spans = append(t.spans, moment{at.Add(-took), at})
}

// transfers are those of a run.
func transfers(s ledger.State) Transfers {
	t := Transfers{}
	for _, step := range s.Steps {
		for _, u := range step.Uploads {
			t.add(newUpload(u), u.Took, u.At)
		}
		for _, w := range step.Targets {
			t.add(newOutput(w), w.Took, w.At)
		}
	}
	took := together(t.spans)
	t.Seconds, t.Rate, t.spans = seconds(took), Rate(t.Bytes, took), nil
	return t
}

// together is for how long at least one of them lasted.
func together(all []moment) time.Duration {
	slices.SortFunc(all, func(a, b moment) int { return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)) })
	var sum time.Duration
	var until time.Time
	for i, m := range all {
		if i > 0 && m.from.Before(until) {
			m.from = until
		}
		if m.to.After(m.from) {
			sum += m.to.Sub(m.from)
			until = m.to
		}
	}
	return sum
}

// Words say what was moved, as far as that is known: "12 MB (1.2 MB over the line) in 3.2s,
// 3.8 MB/s".
func (f File) Words() string {
	if f.Wire == nil {
		return size(f.Bytes)
	}
	return moved(f.Bytes, *f.Wire, *f.Seconds, f.Rate)
}

// Words say what all of them moved; empty unless there are several.
func (t Transfers) Words() string {
	if t.Count < 2 {
		return ""
	}
	return plural(t.Count, "transfer") + ", " + moved(t.Bytes, t.Wire, t.Seconds, t.Rate)
}

func moved(bytes, wire int64, s float64, rate *int64) string {
	text := size(bytes)
	if wire != bytes {
		text += " (" + size(wire) + " over the line)"
	}
	if s < 0.05 {
		text += fmt.Sprintf(" in %dms", max(1, int(math.Round(s*1000))))
	} else {
		text += " in " + lasting(time.Duration(s*float64(time.Second)))
	}
	if rate != nil {
		text += ", " + size(*rate) + "/s"
	}
	return text
}

// transfers lists what was moved.
func (t *text) transfers(r Report) {
	if slices.ContainsFunc(r.Steps, func(s Step) bool { return len(s.Uploads)+len(s.Outputs) > 0 }) {
		t.line("")
	}
	for _, s := range r.Steps {
		for _, f := range s.Uploads {
			t.entry("uploaded", oneLine(s.Name)+": "+name(f.File)+", "+f.Words())
		}
		for _, f := range s.Outputs {
			t.entry("written", oneLine(s.Name)+": "+oneLine(f.Path)+", "+f.Words())
		}
	}
	t.entry("in all", r.Transfers.Words())
}
