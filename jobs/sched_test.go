package jobs

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/configs"
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
		if rapid.Bool().Draw(t, "reads") {
			bound.Reads = []FileInput{{File: ledger.ObjectRef{ID: fmt.Sprint("F", rapid.IntRange(0, 1).Draw(t, "file"))}}}
		}
		b.Plan.Steps = append(b.Plan.Steps, s)
		b.Steps = append(b.Steps, bound)
	}
	return b
}

// TestScheduleEndsEveryStepAndHoldsItsRules plays random plans with random ends, in
// random order, with and without a stop from outside.
func TestScheduleEndsEveryStepAndHoldsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBound(t)
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		st := make([]standing, len(b.Plan.Steps))
		started := make([]bool, len(st))
		var stopped *ledger.StopAsked
		for {
			for moves := schedule(b, st, limit, stopped); len(moves) > 0; moves = schedule(b, st, limit, stopped) {
				for _, m := range moves {
					if m.end != nil {
						st[m.step].end = m.end
						continue
					}
					checkStart(t, b, st, m.step, stopped)
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
			st[i] = standing{end: &ledger.StepEnded{Verdict: v}}
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
		if v == ledger.Unsure && b.Steps[j].Model.ID == b.Steps[i].Model.ID {
			t.Fatalf("step %d started on the model of unsure step %d", i, j)
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
