package jobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// drawBound makes a plan of up to 8 steps on up to 3 models, with needs, conditions and
// server files shared between steps.
func drawBound(t *rapid.T) *Bound {
	n := rapid.IntRange(1, 8).Draw(t, "steps")
	b := &Bound{Plan: &Plan{Job: &configs.Job{}}}
	for i := range n {
		s := PlanStep{Index: i}
		s.Name = fmt.Sprintf("s%d", i)
		s.When = rapid.SampledFrom([]configs.When{"", configs.WhenOK, configs.WhenFailed, configs.WhenAlways}).Draw(t, "when")
		s.OnFailure = rapid.SampledFrom([]configs.OnOutcome{"", configs.Stop, configs.Continue}).Draw(t, "on_failure")
		s.OnPartial = rapid.SampledFrom([]configs.OnOutcome{"", configs.Stop, configs.Continue}).Draw(t, "on_partial")
		s.Skip = rapid.IntRange(0, 9).Draw(t, "skip") == 0
		if i > 0 && rapid.Bool().Draw(t, "needs set") {
			for j := range i {
				if rapid.Bool().Draw(t, "needs") {
					s.Waits = append(s.Waits, j)
					s.Named = append(s.Named, j)
				}
			}
		} else {
			for j := range i {
				s.Waits = append(s.Waits, j)
			}
		}
		bound := BoundStep{Model: ledger.ModelRef{ID: fmt.Sprint("M", rapid.IntRange(0, 2).Draw(t, "model"))}}
		if rapid.IntRange(0, 3).Draw(t, "shares") == 0 {
			bound.Shares = []string{fmt.Sprint("M", rapid.IntRange(0, 2).Draw(t, "source model"))}
		}
		b.Plan.Steps = append(b.Plan.Steps, s)
		b.Steps = append(b.Steps, bound)
		file := ledger.ObjectRef{ID: fmt.Sprint("F", rapid.IntRange(0, 1).Draw(t, "file"))}
		switch in := &b.Steps[i]; rapid.IntRange(0, 3).Draw(t, "file use") {
		case 0:
			b.Plan.Steps[i].Verb = configs.Upload
			in.Object = file
			in.Reads = []FileInput{{File: file, Source: data.Source{Name: "up"}, By: -1}}
		case 1:
			in.Reads = []FileInput{{File: file, Source: data.Source{Name: "own"}, By: -1}}
		case 2:
			if by := (&binder{plan: b.Plan, out: b}).filledBy(i, file.ID); by >= 0 {
				in.Reads = []FileInput{{File: file, By: by}}
			}
		}
	}
	return b
}

// sequenced is a plan whose files are in order.
func sequenced(t *rapid.T) *Bound {
	b := drawBound(t)
	bind := &binder{plan: b.Plan, out: b}
	if bind.sequence(); len(bind.problems) > 0 {
		t.Skip("the job orders an upload between another and its reader")
	}
	return b
}

// TestScheduleEndsEveryStepAndHoldsItsRules plays random plans with random ends, in
// random order, with and without a stop from outside.
func TestScheduleEndsEveryStepAndHoldsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sequenced(t)
		holds := map[string]int{} // the step that filled a file last
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		st := make([]standing, len(b.Plan.Steps))
		started := make([]bool, len(st))
		var stopped *ledger.StopAsked
		for {
			for moves := schedule(b, st, limit, stopped, false); len(moves) > 0; moves = schedule(b, st, limit, stopped, false) {
				for _, m := range moves {
					if m.end != nil {
						st[m.step].end = m.end
						continue
					}
					checkStart(t, b, st, m.step, stopped)
					for _, in := range b.Steps[m.step].Reads {
						key := b.Steps[m.step].Model.ID + in.File.ID
						if in.Own() {
							holds[key] = m.step
						} else if holds[key] != in.By && started[in.By] {
							t.Fatalf("step %d reads %s, which step %d has filled after step %d", m.step, key, holds[key], in.By)
						}
					}
					st[m.step].running, started[m.step] = true, true
				}
				checkRunning(t, b, st, limit)
			}
			running := indexes(st, func(s standing) bool { return s.running })
			if len(running) == 0 {
				break
			}
			i := rapid.SampledFrom(running).Draw(t, "ends")
			v := rapid.SampledFrom([]ledger.Verdict{ledger.OK, ledger.OK, ledger.OK, ledger.Partial, ledger.Failed,
				ledger.Cancelled, ledger.TimedOut, ledger.Unsure}).Draw(t, "verdict")
			st[i] = standing{end: &ledger.StepEnded{Verdict: v}, runs: v == ledger.TimedOut && rapid.Bool().Draw(t, "runs")}
			if stopped == nil && rapid.IntRange(0, 9).Draw(t, "stop") == 0 {
				stopped = &ledger.StopAsked{Cause: ledger.CauseSignal, Text: "stopped"}
			}
		}
		for i := range st {
			if st[i].end == nil {
				t.Fatalf("step %d never ended: %+v", i, b.Plan.Steps)
			}
			if b.Plan.Steps[i].Skip && started[i] {
				t.Fatalf("step %d is skipped and was started", i)
			}
		}
	})
}

func checkStart(t *rapid.T, b *Bound, st []standing, i int, stopped *ledger.StopAsked) {
	s := b.Plan.Steps[i]
	if stopped != nil {
		t.Fatalf("step %d started after a stop", i)
	}
	for _, j := range s.Waits {
		if st[j].end == nil {
			t.Fatalf("step %d started before step %d ended", i, j)
		}
	}
	for j := range st {
		if st[j].end == nil {
			continue
		}
		v := st[j].end.Verdict
		if (v == ledger.Unsure || st[j].runs) && (b.Steps[j].Model.ID == b.Steps[i].Model.ID || slices.Contains(b.Steps[i].Shares, b.Steps[j].Model.ID)) {
			t.Fatalf("step %d started on a model that step %d may still hold", i, j)
		}
		if s.When != configs.WhenOK && s.When != "" {
			continue
		}
		if slices.Contains(s.Named, j) && !satisfied(b, j, st[j].end) {
			t.Fatalf("step %d started though it needs %d, which is %s", i, j, v)
		}
		if planned(b.Plan.Steps[j]).Stops(*st[j].end) {
			t.Fatalf("step %d started after step %d stopped the run", i, j)
		}
	}
}

func checkRunning(t *rapid.T, b *Bound, st []standing, limit int) {
	running := indexes(st, func(s standing) bool { return s.running })
	if len(running) > limit {
		t.Fatalf("%d steps run, allowed are %d", len(running), limit)
	}
	for _, i := range running {
		for _, j := range running {
			if i == j {
				continue
			}
			if b.Steps[i].Model.ID == b.Steps[j].Model.ID {
				t.Fatalf("steps %d and %d run on one model", i, j)
			}
			if slices.Contains(b.Steps[i].Shares, b.Steps[j].Model.ID) {
				t.Fatalf("step %d runs on a model that step %d reads", j, i)
			}
		}
	}
}

func indexes(st []standing, want func(standing) bool) []int {
	var all []int
	for i := range st {
		if want(st[i]) {
			all = append(all, i)
		}
	}
	return all
}

// TestBlockedRules is who is kept from starting by what.
func TestBlockedRules(t *testing.T) {
	step := func(name string, s PlanStep) PlanStep { s.Name = name; return s }
	failing := step("a", PlanStep{Step: configs.Step{OnFailure: configs.Continue}})
	for _, tc := range []struct {
		name  string
		steps []PlanStep
		first ledger.Verdict
		want  string
	}{
		{"stop", []PlanStep{step("a", PlanStep{}), step("b", PlanStep{Waits: []int{0}}), step("c", PlanStep{})}, ledger.Failed, "a failed, b blocked, c blocked"},
		{"continue past a failure", []PlanStep{failing, step("b", PlanStep{Waits: []int{0}})}, ledger.Failed, "a failed, b ok"},
		{"continue: what needs it is blocked, also through others", []PlanStep{failing, step("b", PlanStep{Waits: []int{0}, Named: []int{0}}),
			step("c", PlanStep{Waits: []int{1}, Named: []int{1}}), step("d", PlanStep{Waits: []int{0, 1, 2}})}, ledger.Failed, "a failed, b blocked, c blocked, d ok"},
		{"partial stops", []PlanStep{step("a", PlanStep{}), step("b", PlanStep{Waits: []int{0}})}, ledger.Partial, "a partial, b blocked"},
		{"partial satisfies needs", []PlanStep{step("a", PlanStep{Step: configs.Step{OnPartial: configs.Continue}}), step("b", PlanStep{Waits: []int{0}, Named: []int{0}})}, ledger.Partial, "a partial, b ok"},
		{"failed and always", []PlanStep{step("a", PlanStep{}), step("b", PlanStep{Waits: []int{0}, Step: configs.Step{When: configs.WhenFailed}}),
			step("c", PlanStep{Waits: []int{0, 1}, Step: configs.Step{When: configs.WhenAlways}}), step("d", PlanStep{Waits: []int{0, 1, 2}})}, ledger.Failed, "a failed, b ok, c ok, d blocked"},
		{"nothing failed", []PlanStep{step("a", PlanStep{}), step("b", PlanStep{Waits: []int{0}, Step: configs.Step{When: configs.WhenFailed}}),
			step("c", PlanStep{Waits: []int{0, 1}})}, ledger.OK, "a ok, b skipped, c ok"},
		{"unsure blocks even always, on its model", []PlanStep{step("a", PlanStep{}), step("b", PlanStep{Waits: []int{0}, Step: configs.Step{When: configs.WhenAlways}})}, ledger.Unsure, "a unsure, b blocked"},
		{"a skipped step satisfies", []PlanStep{step("a", PlanStep{Skip: true, SkipText: "enabled = false"}), step("b", PlanStep{Waits: []int{0}, Named: []int{0}})}, ledger.OK, "a skipped, b ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &Bound{Plan: &Plan{Job: &configs.Job{}, Steps: tc.steps}, Steps: make([]BoundStep, len(tc.steps))}
			st := make([]standing, len(tc.steps))
			for moves := schedule(b, st, 4, nil, false); len(moves) > 0; moves = schedule(b, st, 4, nil, false) {
				for _, m := range moves {
					end := m.end
					if end == nil {
						end = &ledger.StepEnded{Verdict: ledger.OK}
						if m.step == 0 {
							end.Verdict = tc.first
						}
					}
					st[m.step] = standing{end: end}
				}
			}
			var got []string
			for i := range st {
				got = append(got, fmt.Sprint(tc.steps[i].Name, " ", st[i].end.Verdict))
				if st[i].end.Verdict == ledger.Blocked && !strings.Contains(st[i].end.Message, `"a"`) && !strings.Contains(st[i].end.Message, `"b"`) {
					t.Errorf("%q does not say what blocked it", st[i].end.Message)
				}
			}
			if text := strings.Join(got, ", "); text != tc.want {
				t.Errorf("got  %s\nwant %s", text, tc.want)
			}
		})
	}
}
