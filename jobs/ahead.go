package jobs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// Ahead says whether the sources of a step may be uploaded before its turn.
type Ahead struct {
	// Why they may not be; empty: they are uploaded before the first step of its model.
	Why string
	// Behind are the steps that must have ended before they may be, since those read the same
	// server file, or may do so. With a Why and without them they wait for the step's turn.
	Behind []int
	None   bool // the step uploads nothing
}

// AheadOf says whether the uploads of step i may be moved before earlier steps: if none of
// those reads the same server files with the same login, or writes a source or what a guard
// of it looks at, and the job does not say otherwise. All sources of a step go together, because all stand their guards
// before one is uploaded. What they are when the run begins is not looked at. It is pure.
//
// Every step counts as earlier that does not wait for step i.
func AheadOf(b *Bound, i int) Ahead {
	s := b.Plan.Steps[i]
	var own []FileInput
	for _, in := range b.Steps[i].Reads {
		if in.Own() {
			own = append(own, in)
		}
	}
	switch {
	case len(own) == 0 || s.Skip:
		return Ahead{None: true}
	case s.Ahead != nil && !*s.Ahead:
		return Ahead{Why: "ahead = false"}
	case s.When == configs.WhenFailed:
		return Ahead{Why: `when = "failed"`}
	}
	for _, in := range own {
		if in.Source.Name == "-" {
			return Ahead{Why: "stdin is read at the step's turn"}
		}
		if in.WaitFor.Limit > 0 {
			return Ahead{Why: in.Shown() + " is waited for at the step's turn"}
		}
	}
	var a Ahead
	for _, j := range b.Plan.Order() {
		other := b.Plan.Steps[j]
		if j == i || other.Skip {
			continue
		}
		if b.follows(j, i) {
			if in := b.loadsHeld(j, i, own); in != nil {
				return Ahead{Why: fmt.Sprintf("step %q loads what server file %q holds", other.Name, in.File.Name)}
			}
			continue
		}
		for _, in := range own {
			if writes(other, in.Source.Name) {
				return Ahead{Why: fmt.Sprintf("step %q writes %s", other.Name, in.Shown())}
			}
			if in.Guard.Totals != "" && writes(other, in.Guard.Totals) {
				return Ahead{Why: fmt.Sprintf("step %q writes %s", other.Name, data.Display(in.Guard.Totals))}
			}
			if in.Guard.Command != nil && (other.Verb == configs.Command || len(targetsIn(other)) > 0) {
				return Ahead{Why: fmt.Sprintf("step %q may write what the program looks at that guards %s", other.Name, in.Shown())}
			}
		}
		if b.Steps[j].Model != b.Steps[i].Model || b.user(j) != b.user(i) {
			continue
		}
		at := slices.IndexFunc(own, func(in FileInput) bool {
			return slices.ContainsFunc(b.Steps[j].Reads, func(read FileInput) bool { return read.File.ID == in.File.ID })
		})
		switch {
		case at >= 0:
			a.Why = fmt.Sprintf("not before the end of step %q, which reads server file %q too", other.Name, own[at].File.Name)
		case b.Steps[j].Blind:
			a.Why = fmt.Sprintf("not before the end of step %q: Anaplan does not tell which server files it reads", other.Name)
		default:
			continue
		}
		a.Behind = append(a.Behind, j)
	}
	return a
}

// loadsHeld is the one of step i's own sources whose server file step j loads as the model
// holds it: that must be what it would find if step i were not reached.
func (b *Bound) loadsHeld(j, i int, own []FileInput) *FileInput {
	if b.Steps[j].Model != b.Steps[i].Model || b.user(j) != b.user(i) {
		return nil
	}
	for k, in := range own {
		if slices.ContainsFunc(b.Steps[j].Reads, func(read FileInput) bool { return read.Server && read.File.ID == in.File.ID }) {
			return &own[k]
		}
	}
	return nil
}

// writes says whether a source may be among what a step writes: a target, a previous one
// that is kept, or a marker. What a command writes is not known: a source that it changes
// is not what it was when the run began.
func writes(s PlanStep, source string) bool {
	return slices.ContainsFunc(targetsIn(s), func(t configs.Target) bool {
		return names(source, t.Path) || names(source, t.Done) ||
			t.Keep > 0 && t.Path != "" && (strings.HasPrefix(source, t.Path+".") || filepath.Dir(source) == filepath.Dir(t.Path) && strings.ContainsAny(source, "*?["))
	})
}

// targetsIn are all targets of a step.
func targetsIn(s PlanStep) []configs.Target {
	targets := slices.Clone(s.Targets)
	for _, f := range s.Files {
		targets = append(targets, f.Targets...)
	}
	return targets
}

// names says whether a source, which may be a pattern, means a file.
func names(source, file string) bool {
	if file == "" {
		return false
	}
	if !strings.Contains(source, "://") {
		source, file = filepath.Clean(source), filepath.Clean(file)
	}
	matches, err := filepath.Match(source, file)
	return source == file || err == nil && matches
}

// aheadRanks says of every step how many steps at most come one after another from it on, it
// among them: those that wait for it and those of its model. What has most before it is
// uploaded first.
func aheadRanks(b *Bound) []int {
	ranks := make([]int, len(b.Plan.Steps))
	order := b.Plan.Order()
	for at := len(order) - 1; at >= 0; at-- {
		i := order[at]
		next := 0
		for _, j := range order[at+1:] {
			if b.Plan.Steps[j].Skip {
				continue
			}
			if slices.Contains(b.Plan.Steps[j].Waits, i) || slices.Contains(b.Steps[j].After, i) ||
				b.Steps[i].Model.ID != "" && b.Steps[j].Model == b.Steps[i].Model {
				next = max(next, ranks[j])
			}
		}
		if !b.Plan.Steps[i].Skip {
			next++
		}
		ranks[i] = next
	}
	return ranks
}
