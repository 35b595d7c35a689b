package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// timeline is the picture of a run: bars by time, in percent of its width.
type timeline struct {
	Ticks []tick
	Lanes []lane
	Kinds []PhaseKind // that occur, for the legend
	Idle  []Step      // that were not started
}

// lane holds the steps on one model; without a name it holds all of them.
type lane struct {
	Model string
	Bars  []bar
}

// bar is one step, or an action inside a process.
type bar struct {
	ID      string // unique in the page
	Step    int    // number of the step, from 1
	Name    string
	Verdict ledger.Verdict
	Open    bool // it has not ended
	Inner   bool // an action of the step above it
	Lasted  string
	Says    string // the bar in words
	Parts   []part
}

// part is a phase of a bar.
type part struct {
	Kind  PhaseKind
	X, W  string // percent
	Title string
	Open  bool // its end is not known
}

// tick is a time on the axis.
type tick struct {
	X     string // percent
	Label string
	Align string // start, middle, end
	Minor bool   // left out where it is narrow
}

// scale turns times into percent of the picture.
type scale struct{ from, to time.Time }

func (s scale) at(t time.Time) float64 {
	return min(100, max(0, 100*t.Sub(s.from).Seconds()/s.to.Sub(s.from).Seconds()))
}

func percent(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", f), "0"), ".") + "%"
}

// timeline draws what is known of the run's time. Steps on one model share a lane if
// any steps ran side by side, else they stand in their order.
func (r Report) timeline() timeline {
	sc := scale{r.Started.Time, later(r.Seen, r.Ended.Time)}
	if sc.to.Sub(sc.from) < time.Second {
		sc.to = sc.from.Add(time.Second)
	}
	t := timeline{Ticks: r.ticks(sc)}
	seen := map[PhaseKind]bool{}
	lanes := r.sideBySide()
	for i, s := range r.Steps {
		if s.Started.IsZero() {
			t.Idle = append(t.Idle, s)
			continue
		}
		model := ""
		if lanes {
			model = name(ledger.ObjectRef(s.Model))
		}
		at := slices.IndexFunc(t.Lanes, func(l lane) bool { return l.Model == model })
		if at < 0 {
			at = len(t.Lanes)
			t.Lanes = append(t.Lanes, lane{Model: model})
		}
		t.Lanes[at].Bars = append(t.Lanes[at].Bars, r.bars(sc, i, s)...)
		for _, p := range s.Phases {
			seen[p.Kind] = true
		}
	}
	for _, k := range Kinds {
		if seen[k] {
			t.Kinds = append(t.Kinds, k)
		}
	}
	return t
}

// bars are the bar of a step and those of the actions of its process whose times
// Anaplan told.
func (r Report) bars(sc scale, i int, s Step) []bar {
	b := bar{ID: fmt.Sprintf("t%d", i+1), Step: i + 1, Name: oneLine(s.Name), Verdict: s.Verdict, Open: s.Ended.IsZero(),
		Lasted: r.lasted(s.Started, s.Ended)}
	var says []string
	for k, p := range s.Phases {
		open := b.Open && k == len(s.Phases)-1
		b.Parts = append(b.Parts, r.part(sc, p.Kind, p.From, p.To, open))
		says = append(says, fmt.Sprintf("%s %s", p.Kind, lasting(p.To.Sub(p.From))))
	}
	b.Says = fmt.Sprintf("%s, began %s: %s", short(s.Verdict, true), r.clock(s.Started.Time), strings.Join(says, ", "))
	all := []bar{b}
	_, nested := s.split()
	for k, a := range nested {
		if a.Started.IsZero() || a.Seconds == nil {
			continue
		}
		length := time.Duration(*a.Seconds * float64(time.Second))
		all = append(all, bar{ID: fmt.Sprintf("t%da%d", i+1, k+1), Step: i + 1, Name: name(a.Object), Verdict: a.Verdict, Inner: true,
			Lasted: lasting(length), Says: fmt.Sprintf("%s, began %s", short(a.Verdict, true), r.clock(a.Started.Time)),
			Parts: []part{r.part(sc, "inner", a.Started.Time, a.Started.Add(length), false)}})
	}
	return all
}

// narrowest is the width of the shortest bar in percent: enough to be seen.
const narrowest = 0.4

func (r Report) part(sc scale, kind PhaseKind, from, to time.Time, open bool) part {
	x, end := sc.at(from), sc.at(to)
	w := max(narrowest, end-x)
	title := fmt.Sprintf("%s %s, %s to %s", kind, lasting(to.Sub(from)), r.clock(from), r.clock(to))
	if kind == "inner" {
		title = fmt.Sprintf("%s, %s to %s", lasting(to.Sub(from)), r.clock(from), r.clock(to))
	}
	if open {
		title += " or later"
	}
	return part{Kind: kind, X: percent(min(x, 100-narrowest)), W: percent(w), Title: title, Open: open}
}

// sideBySide says whether steps on several models ran at the same time.
func (r Report) sideBySide() bool {
	for i, a := range r.Steps {
		for _, b := range r.Steps[:i] {
			if a.Started.IsZero() || b.Started.IsZero() || a.Model == b.Model {
				continue
			}
			if a.Started.Before(r.until(b)) && b.Started.Before(r.until(a)) {
				return true
			}
		}
	}
	return false
}

func (r Report) until(s Step) time.Time {
	if s.Ended.IsZero() {
		return later(r.Seen, s.Started.Time)
	}
	return s.Ended.Time
}

// intervals are the distances between ticks that people read easily.
var intervals = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// mostTicks is how many ticks have room where it is wide; where it is narrow, half.
const mostTicks = 11

// ticks are round times of the clock in the run's zone.
func (r Report) ticks(sc scale) []tick {
	length := sc.to.Sub(sc.from)
	every := intervals[len(intervals)-1]
	for _, d := range intervals {
		if length/d < mostTicks {
			every = d
			break
		}
	}
	for length/every >= mostTicks { // a run of weeks
		every *= 2
	}
	layout := "15:04"
	switch {
	case every < time.Minute:
		layout = "15:04:05"
	case every >= 12*time.Hour:
		layout = "2 Jan 15:04"
	}
	_, offset := sc.from.In(r.zone()).Zone()
	shift := time.Duration(offset) * time.Second
	var all []tick
	for at := sc.from.Add(shift).Truncate(every).Add(-shift); !at.After(sc.to); at = at.Add(every) {
		if at.Before(sc.from) {
			continue
		}
		x := sc.at(at)
		align := "middle"
		if x < 2 {
			align = "start"
		} else if x > 98.5 {
			align = "end"
		}
		all = append(all, tick{X: percent(x), Label: at.In(r.zone()).Format(layout), Align: align, Minor: len(all)%2 == 1})
	}
	return all
}
