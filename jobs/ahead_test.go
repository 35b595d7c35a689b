package jobs

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// aheadBound is a plan of steps on model A that read or upload server files: a step is
// written "import FILE", "upload FILE", "server FILE", "blind" or "export".
func aheadBound(steps ...string) *Bound {
	b := &Bound{Plan: &Plan{Job: &configs.Job{}}, Users: map[string]anaplan.User{"": {ID: "U"}, "other": {ID: "V"}}}
	for i, text := range steps {
		kind, file, _ := strings.Cut(text, " ")
		s := PlanStep{Index: i, Step: configs.Step{Name: "s" + string(rune('0'+i)), Enabled: true}}
		for j := range i {
			s.Waits = append(s.Waits, j)
		}
		bound := BoundStep{Model: ledger.ModelRef{ID: "A", Host: "h"}, Blind: kind == "blind"}
		in := FileInput{File: ledger.ObjectRef{ID: file, Name: file}, By: -1}
		switch kind {
		case "import", "upload":
			in.Source.Name = "in/" + s.Name + ".csv"
			s.Source = &configs.Source{Path: in.Source.Name}
			bound.Reads = []FileInput{in}
		case "server":
			in.Server = true
			bound.Reads = []FileInput{in}
		}
		b.Plan.Steps, b.Steps = append(b.Plan.Steps, s), append(b.Steps, bound)
	}
	return b
}

// TestAheadOf is which uploads may be moved before earlier steps, and what is said of the
// others.
func TestAheadOf(t *testing.T) {
	for _, tc := range []struct {
		name   string
		steps  []string
		change func(*Bound)
		want   string // of the last step; empty: it is moved
		behind []int
	}{
		{"the first step", []string{"import f"}, nil, "", nil},
		{"before an import of another file", []string{"import g", "export", "import f"}, nil, "", nil},
		{"not before an import of the same file", []string{"import f", "import g", "import f"}, nil, `not before the end of step "s0", which reads server file "f" too`, []int{0}},
		{"not before what reads what the model holds", []string{"server f", "import f"}, nil, `step "s0", which reads server file "f" too`, []int{0}},
		{"not before an unknown reader", []string{"blind", "import f"}, nil, `step "s0": Anaplan does not tell which server files it reads`, []int{0}},
		{"not before both", []string{"import f", "blind", "import f"}, nil, `step "s1": Anaplan does not tell`, []int{0, 1}},
		{"another model", []string{"blind", "import f", "import f"}, func(b *Bound) { b.Steps[0].Model.ID, b.Steps[1].Model.ID = "B", "B" }, "", nil},
		{"another login", []string{"blind", "import f", "import f"}, func(b *Bound) { b.Steps[0].Connection, b.Steps[1].Connection = "other", "other" }, "", nil},
		{"a step that is skipped reads nothing", []string{"import f", "import f"}, func(b *Bound) { b.Plan.Steps[0].Skip = true }, "", nil},
		{"a step that may come before or after", []string{"import f", "import f"}, func(b *Bound) { b.Plan.Steps[1].Waits = nil }, `the end of step "s0"`, []int{0}},
		{"a step that is sequenced behind", []string{"import f", "import f"}, func(b *Bound) { b.Plan.Steps[1].Waits, b.Steps[0].After = nil, []int{1} }, "", nil},
		{"ahead = false", []string{"import f"}, func(b *Bound) { b.Plan.Steps[0].Ahead = new(bool) }, "ahead = false", nil},
		{"when = failed", []string{"export", "import f"}, func(b *Bound) { b.Plan.Steps[1].When = configs.WhenFailed }, `when = "failed"`, nil},
		{"when = always", []string{"export", "import f"}, func(b *Bound) { b.Plan.Steps[1].When = configs.WhenAlways }, "", nil},
		{"wait_for", []string{"import f"}, func(b *Bound) { b.Steps[0].Reads[0].WaitFor.Limit = time.Hour }, "is waited for", nil},
		{"stdin", []string{"import f"}, func(b *Bound) { b.Steps[0].Reads[0].Source.Name = "-" }, "stdin", nil},
		{"its source is a target", []string{"export", "import f"}, func(b *Bound) { b.Plan.Steps[0].Targets = []configs.Target{{Path: "in/../in/s1.csv"}} }, `step "s0" writes in/s1.csv`, nil},
		{"its source is a target in a process of another model", []string{"export", "import f"}, func(b *Bound) {
			b.Steps[0].Model.ID = "B"
			b.Plan.Steps[0].Files = []configs.StepFile{{Targets: []configs.Target{{Path: "in/s1.csv"}}}}
		}, `step "s0" writes in/s1.csv`, nil},
		{"its pattern means a target", []string{"export", "import f"}, func(b *Bound) {
			b.Plan.Steps[0].Targets = []configs.Target{{Path: "in/out_1.csv"}}
			b.Steps[1].Reads[0].Source.Name = "in/out_*.csv"
		}, `step "s0" writes in/out_*.csv`, nil},
		{"its source is a previous target", []string{"export", "import f"}, func(b *Bound) {
			b.Plan.Steps[0].Targets = []configs.Target{{Path: "in/s1.csv", Keep: 2}}
			b.Steps[1].Reads[0].Source.Name = "in/s1.csv.1"
		}, `step "s0" writes in/s1.csv.1`, nil},
		{"its source is a marker", []string{"export", "import f"}, func(b *Bound) { b.Plan.Steps[0].Targets = []configs.Target{{Path: "x", Done: "in/s1.csv"}} }, `step "s0" writes in/s1.csv`, nil},
		{"its source is the target of a later step", []string{"import f", "export", "import f"}, func(b *Bound) {
			b.Plan.Steps[1].Targets = []configs.Target{{Path: "in/s0.csv"}}
			b.Plan.Steps[2].Skip = true
		}, "", nil},
		{"its control file is a target", []string{"export", "import f"}, func(b *Bound) {
			b.Plan.Steps[0].Targets = []configs.Target{{Path: "in/s1.ctl"}}
			b.Steps[1].Reads[0].Guard.Totals = "in/s1.ctl"
		}, `step "s0" writes in/s1.ctl`, nil},
		{"a program guards it, and another one runs before", []string{"export", "import f"}, func(b *Bound) {
			b.Plan.Steps[0].Verb = configs.Command
			b.Steps[1].Reads[0].Guard.Command = &configs.GuardCommand{}
		}, `step "s0" may write what the program looks at that guards in/s1.csv`, nil},
		{"a program guards it, and something is written before", []string{"export", "import f"}, func(b *Bound) {
			b.Plan.Steps[0].Files = []configs.StepFile{{Targets: []configs.Target{{Path: "out.csv"}}}}
			b.Steps[1].Reads[0].Guard.Command = &configs.GuardCommand{}
		}, `step "s0" may write`, nil},
		{"a program guards it, and nothing is written before", []string{"export", "import f"}, func(b *Bound) {
			b.Steps[1].Reads[0].Guard.Command = &configs.GuardCommand{}
		}, "", nil},
		{"all sources of a step go together", []string{"import f", "import g"}, func(b *Bound) {
			b.Steps[1].Reads = append(b.Steps[1].Reads, FileInput{File: ledger.ObjectRef{ID: "f", Name: "f"}, Source: data.Source{Name: "in/2.csv"}, By: -1})
		}, `which reads server file "f" too`, []int{0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := aheadBound(tc.steps...)
			if tc.change != nil {
				tc.change(b)
			}
			last := len(b.Steps) - 1
			if b.Plan.Steps[last].Skip {
				last = 0
			}
			a := AheadOf(b, last)
			if a.None || (a.Why == "") != (tc.want == "") || !strings.Contains(a.Why, tc.want) || len(a.Behind) != len(tc.behind) {
				t.Fatalf("got %+v, want %q %v", a, tc.want, tc.behind)
			}
			for k := range a.Behind {
				if a.Behind[k] != tc.behind[k] {
					t.Errorf("behind %v, want %v", a.Behind, tc.behind)
				}
			}
		})
	}
	for _, steps := range [][]string{{"export"}, {"server f"}} {
		if a := AheadOf(aheadBound(steps...), 0); !a.None {
			t.Errorf("%s uploads nothing: %+v", steps, a)
		}
	}
}

// TestAheadChangesNothing plays random plans, with uploads ahead of need at random moments
// at which they may be made: whoever reads a server file that it does not fill itself finds
// what it would find without them.
func TestAheadChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sequenced(t)
		for i := range b.Steps {
			if rapid.IntRange(0, 3).Draw(t, "server") == 0 && len(b.Steps[i].Reads) == 0 {
				b.Steps[i].Reads = []FileInput{{File: ledger.ObjectRef{ID: "F0"}, Server: true, By: -1}}
			}
		}
		st := make([]standing, len(b.Steps))
		made := map[int]bool{}
		holds, plain := map[string]int{}, map[string]int{} // the step that filled a file, plus 1; without what is ahead
		key := func(i int, in FileInput) string { return b.Steps[i].Model.ID + in.File.ID }
		for {
			r := &run{Runner: &Runner{}, bound: b}
			a := &aheads{run: r}
			for i := range b.Steps {
				ahead := AheadOf(b, i)
				if ahead.None || ahead.Why != "" && len(ahead.Behind) == 0 || st[i].running || st[i].end != nil || made[i] {
					continue
				}
				if a.may(st, &early{step: i, behind: ahead.Behind}) && rapid.Bool().Draw(t, "ahead") {
					made[i] = true
					for _, in := range b.Steps[i].Reads {
						holds[key(i, in)] = i + 1
					}
				}
			}
			var starts []int
			for moves := schedule(b, st, 2, nil, false); len(moves) > 0; moves = schedule(b, st, 2, nil, false) {
				for _, m := range moves {
					if st[m.step].end = m.end; m.end == nil {
						st[m.step].running = true
						starts = append(starts, m.step)
					}
				}
			}
			for _, i := range starts {
				for _, in := range b.Steps[i].Reads {
					if in.Own() {
						holds[key(i, in)], plain[key(i, in)] = i+1, i+1
					} else if in.Server && holds[key(i, in)] != plain[key(i, in)] { // what is of an upload step is uploaded again if need be
						t.Fatalf("step %d reads what step %d uploaded, not step %d", i, holds[key(i, in)]-1, plain[key(i, in)]-1)
					}
				}
			}
			running := indexes(st, func(s standing) bool { return s.running })
			if len(running) == 0 {
				return
			}
			i := rapid.SampledFrom(running).Draw(t, "ends")
			st[i] = standing{end: &ledger.StepEnded{Verdict: rapid.SampledFrom([]ledger.Verdict{ledger.OK, ledger.OK, ledger.Failed, ledger.Unsure}).Draw(t, "verdict")}}
		}
	})
}
