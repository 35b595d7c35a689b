package jobs

import (
	"fmt"
	"slices"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// standing is what the scheduler knows of one step.
type standing struct {
	running bool
	begun   bool              // an earlier runner has begun it, and something of it may run
	end     *ledger.StepEnded // nil until it ended
	runs    bool              // it ended, and its task may still run
	held    bool              // uploads of its model come first
}

// move is what the scheduler decides for one step that is neither running nor ended:
// start it, end it without a start, or start it when the uploads of its model are done.
type move struct {
	step int
	end  *ledger.StepEnded // nil: start it
	held bool              // but not yet
}

// schedule decides what happens next: which steps start and which end unstarted. It is
// pure. Moves come in file order; after ends were recorded it is asked again, because
// one blocked step may block others. limit is the number of steps that may run at a
// time. stopped forbids every start, "always" steps too; with finish it does not keep steps
// that have begun from going on.
func schedule(b *Bound, st []standing, limit int, stopped *ledger.StopAsked, finish bool) []move {
	var moves []move
	use := usage(b, st)
	// First what may run already: nothing else may start on its model, and its turn has come
	// whatever happened meanwhile.
	for i := range b.Plan.Steps {
		if st[i].running || st[i].end != nil || !st[i].begun {
			continue
		}
		if (stopped == nil || finish) && use.running < limit && use.free(b, i) {
			use.take(b, i)
			moves = append(moves, move{step: i})
		} else {
			use.keep(b, i)
		}
	}
	for i := range b.Plan.Steps {
		if st[i].running || st[i].end != nil || st[i].begun {
			continue
		}
		switch end, ready := reach(b, st, i, stopped); {
		case end != nil:
			moves = append(moves, move{step: i, end: end})
		case ready && use.running < limit && use.free(b, i):
			if !st[i].held {
				use.take(b, i)
			}
			moves = append(moves, move{step: i, held: st[i].held})
		}
	}
	return moves
}

// reach says whether a step's turn has come: it ends without a start, or is ready.
func reach(b *Bound, st []standing, i int, stopped *ledger.StopAsked) (end *ledger.StepEnded, ready bool) {
	s := b.Plan.Steps[i]
	if s.Skip {
		return &ledger.StepEnded{Verdict: ledger.Skipped, Message: s.SkipText}, false
	}
	if stopped != nil {
		end := blocked("the run was stopped: " + stopped.Text)
		end.Stopped = true
		return end, false
	}
	if j := holderOf(b, st, i); j >= 0 {
		return blocked(fmt.Sprintf("Anaplan may still run what step %q started in the same model", b.Plan.Steps[j].Name)), false
	}
	if s.When == configs.WhenOK || s.When == "" {
		if j := stopper(b, st); j >= 0 {
			return blocked(fmt.Sprintf("step %q stopped the run", b.Plan.Steps[j].Name)), false
		}
		for _, j := range s.Named {
			if st[j].end != nil && !satisfied(b, j, st[j].end) {
				return blocked(fmt.Sprintf("it needs step %q, which is %s",
					b.Plan.Steps[j].Name, st[j].end.Verdict)), false
			}
		}
	}
	for _, j := range b.Steps[i].After {
		if st[j].end == nil {
			return nil, false
		}
	}
	bad := false
	for _, j := range s.Waits {
		if st[j].end == nil {
			return nil, false
		}
		bad = bad || !satisfied(b, j, st[j].end)
	}
	if s.When == configs.WhenFailed && !bad {
		return &ledger.StepEnded{Verdict: ledger.Skipped, Message: "nothing before it failed"}, false
	}
	return nil, true
}

func blocked(why string) *ledger.StepEnded {
	return &ledger.StepEnded{Verdict: ledger.Blocked, Message: "not started: " + why}
}

func satisfied(b *Bound, i int, end *ledger.StepEnded) bool {
	return planned(b.Plan.Steps[i]).Satisfied(*end)
}

// planned is a step as the ledger knows it.
func planned(s PlanStep) ledger.StepPlan {
	p := ledger.StepPlan{Name: s.Name, Verb: string(s.Verb), Label: label(s.Object), Model: label(s.Model),
		OnFailure: string(s.OnFailure), OnPartial: string(s.OnPartial), ShowRejected: s.ShowRejected}
	if s.Verb == configs.Command && len(s.Argv) > 0 {
		p.Label = s.Argv[0]
	}
	return p
}

// stopper is the first step that stopped the run, or -1.
func stopper(b *Bound, st []standing) int {
	for i := range st {
		if st[i].end != nil && planned(b.Plan.Steps[i]).Stops(*st[i].end) {
			return i
		}
	}
	return -1
}

// holderOf is a step on the same model as step i, or on one that i reads, whose task may
// still run: it is unsure whether it does, or it was left running. -1 if there is none.
func holderOf(b *Bound, st []standing, i int) int {
	for j := range st {
		if st[j].end == nil || st[j].end.Verdict != ledger.Unsure && !st[j].runs {
			continue
		}
		if program(b, i) || program(b, j) {
			continue
		}
		held := b.Steps[j].Model.ID
		if held == b.Steps[i].Model.ID || slices.Contains(b.Steps[i].Shares, held) {
			return j
		}
	}
	return -1
}

// models counts what running steps hold: a step holds its model for itself, and shares
// the models that its imports read.
type models struct {
	running int
	held    map[string]bool
	shared  map[string]int
}

func usage(b *Bound, st []standing) *models {
	m := &models{held: map[string]bool{}, shared: map[string]int{}}
	for i := range st {
		if st[i].running {
			m.take(b, i)
		}
	}
	return m
}

func (m *models) take(b *Bound, i int) {
	m.running++
	m.keep(b, i)
	for _, id := range b.Steps[i].Shares {
		m.shared[id]++
	}
}

// keep holds the model of a step for it, before it runs.
func (m *models) keep(b *Bound, i int) {
	if !program(b, i) {
		m.held[b.Steps[i].Model.ID] = true
	}
}

// program says whether a step is a program of ours, which has no model.
func program(b *Bound, i int) bool { return b.Plan.Steps[i].Verb == configs.Command }

func (m *models) free(b *Bound, i int) bool {
	if program(b, i) {
		return true
	}
	own := b.Steps[i].Model.ID
	if m.held[own] || m.shared[own] > 0 {
		return false
	}
	for _, id := range b.Steps[i].Shares {
		if id != own && m.held[id] {
			return false
		}
	}
	return true
}

// waitsFor says whether step i, directly or through others, waits for step j.
func waitsFor(p *Plan, i, j int) bool {
	seen := make([]bool, len(p.Steps))
	var visit func(k int) bool
	visit = func(k int) bool {
		if seen[k] {
			return false
		}
		seen[k] = true
		for _, w := range p.Steps[k].Waits {
			if w == j || visit(w) {
				return true
			}
		}
		return false
	}
	return visit(i)
}
