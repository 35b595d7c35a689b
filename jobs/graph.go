package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// Selection narrows a plan. Step names may be those of the file, for all their
// unfoldings, or of one unfolding.
type Selection struct {
	Only []string // nothing but these
	From string   // this one and what follows it in the file
}

// NewPlan orders the steps of an expanded job. It is pure. Steps that are not enabled or
// not selected stay in the plan and are skipped. Errors are configs.Problems.
func NewPlan(job *configs.Job, sel Selection) (*Plan, error) {
	p := &Plan{Job: job, Selection: sel}
	var problems configs.Problems
	for i, s := range job.Steps {
		ps := PlanStep{Step: s, Index: i}
		if !s.Enabled {
			ps.Skip, ps.SkipText = true, "enabled = false"
		}
		if !s.NeedsSet {
			for j := range i {
				ps.Waits = append(ps.Waits, j)
			}
		}
		for _, need := range s.Needs {
			found := indexOf(job, need)
			if len(found) == 0 {
				problems = append(problems, problem(job, s, "needs", fmt.Sprintf("there is no step %q", need), ""))
			}
			ps.Named = append(ps.Named, found...)
		}
		ps.Waits = append(ps.Waits, ps.Named...)
		slices.Sort(ps.Waits)
		ps.Waits = slices.Compact(ps.Waits)
		p.Steps = append(p.Steps, ps)
	}
	if ring := p.ring(); ring != nil {
		s := p.Steps[ring[0]]
		problems = append(problems, problem(job, s.Step, "needs", "the steps wait for one another: "+p.path(ring), "take one of them out of needs"))
	}
	problems = append(problems, p.choose(sel)...)
	if len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

// indexOf finds the steps that a name means: one step, or all unfoldings of one.
func indexOf(job *configs.Job, name string) []int {
	var found []int
	for i, s := range job.Steps {
		if s.Name == name || s.Base == name {
			found = append(found, i)
		}
	}
	return found
}

func problem(job *configs.Job, s configs.Step, key, what, instead string) configs.Problem {
	at := s.Positions.Near(key)
	if s.Name != "" {
		key = fmt.Sprintf("step %q: %s", s.Name, key)
	}
	return configs.Problem{File: job.File, Line: at.Line, Column: at.Column, Key: key, What: what, Instead: instead}
}

// choose marks what a selection leaves out.
func (p *Plan) choose(sel Selection) configs.Problems {
	var problems configs.Problems
	wanted := map[int]bool{}
	for _, name := range sel.Only {
		found := indexOf(p.Job, name)
		if len(found) == 0 {
			problems = append(problems, configs.Problem{Key: "--only", What: fmt.Sprintf("the job has no step %q", name), Instead: "its steps are " + p.names()})
		}
		for _, i := range found {
			wanted[i] = true
		}
	}
	first := 0
	if sel.From != "" {
		found := indexOf(p.Job, sel.From)
		if len(found) == 0 {
			problems = append(problems, configs.Problem{Key: "--from", What: fmt.Sprintf("the job has no step %q", sel.From), Instead: "its steps are " + p.names()})
		} else {
			first = found[0]
		}
	}
	for i := range p.Steps {
		if i < first || len(sel.Only) > 0 && !wanted[i] {
			p.Steps[i].Skip, p.Steps[i].SkipText = true, "not asked for"
		}
	}
	return problems
}

func (p *Plan) names() string {
	var names []string
	for _, s := range p.Steps {
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	return strings.Join(names, ", ")
}

// Order lists the steps so that each stands after all that it waits for, else in file
// order (Kahn's algorithm). A plan from NewPlan has an order.
func (p *Plan) Order() []int {
	var order []int
	done := make([]bool, len(p.Steps))
	for progress := true; progress; {
		progress = false
		for i, s := range p.Steps {
			if done[i] || slices.ContainsFunc(s.Waits, func(w int) bool { return !done[w] }) {
				continue
			}
			done[i], progress = true, true
			order = append(order, i)
		}
	}
	return order
}

// ring is a circle of steps that wait for one another, nil if there is none.
func (p *Plan) ring() []int {
	order := p.Order()
	if len(order) == len(p.Steps) {
		return nil
	}
	var at int
	for i := range p.Steps {
		if !slices.Contains(order, i) {
			at = i
			break
		}
	}
	var walk []int
	for !slices.Contains(walk, at) {
		walk = append(walk, at)
		for _, w := range p.Steps[at].Waits { // one that is in no order is in or before a circle
			if !slices.Contains(order, w) {
				at = w
				break
			}
		}
	}
	return walk[slices.Index(walk, at):]
}

func (p *Plan) path(ring []int) string {
	var names []string
	for _, i := range append(ring, ring[0]) {
		names = append(names, fmt.Sprintf("%q", p.Steps[i].Name))
	}
	return strings.Join(names, " waits for ")
}
