//go:build mutants

package jobs

import (
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// inside are the mutants of the engine itself, as TestMutantsInside changes it.
var inside = []mutant{
	{"believe one empty list", func(l *life) { l.runner.mutant = "believe one empty list" }, func() []*plot {
		p := staged([]plotStep{stagedItems("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Drop: "after", After: 2 * time.Minute})}
		return []*plot{p}
	}},
	{"adopt any new task", func(l *life) { l.runner.mutant = "adopt any new task" }, func() []*plot {
		p := staged([]plotStep{stagedItems("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Drop: "before"})}
		p.strangers = []simulator.Stranger{{User: strangersAddress, Model: "A", Kind: "import", Object: "Load Items",
			Upload: "Name,Code\nX,X1\nY,Y1\nZ,Z1\n", Moment: simulator.Moment{Method: "POST", Path: "/tasks$", After: 10 * time.Second}}}
		return []*plot{p}
	}},
	{"compare no digest", func(l *life) { l.runner.mutant = "compare no digest" }, func() []*plot {
		return deathsOf(16, 40, func() *plot {
			s := stagedItems("s0")
			s.changed = map[string][]byte{"s0.csv": []byte("Name,Code\nanother,s0-1\n")}
			return staged([]plotStep{s})
		})
	}},
	{"take 404 for empty", func(l *life) { l.runner.mutant = "take 404 for empty" }, func() []*plot {
		p := staged([]plotStep{stagedMark("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Drop: "after"})}
		p.options.Spells = []simulator.Spell{{What: "no_access", For: 15 * time.Minute, Moment: simulator.Moment{Path: "/users/me$", Nth: 2}}}
		return []*plot{p}
	}},
	{"let retry run a failed process again", func(l *life) { l.runner.mutant = "let retry run a failed process again" }, func() []*plot {
		return []*plot{staged([]plotStep{stagedStep("s0", configs.Process, "Breaks")})}
	}},
	{"move before the end is recorded", func(l *life) { l.runner.mutant = "move before the end is recorded" }, func() []*plot {
		return []*plot{staged([]plotStep{stagedMoved(stagedItems("s0"))})}
	}},
	{"move again what is recorded as moved", func(l *life) { l.runner.mutant = "move again what is recorded as moved" }, func() []*plot {
		return deathsAt(func() *plot { return staged([]plotStep{stagedMoved(stagedItems("s0")), stagedMark("s1")}) })
	}},
	{"forget a move that is not recorded", func(l *life) { l.runner.mutant = "forget a move that is not recorded" }, func() []*plot {
		return deathsAt(stagedMoves()["rows are rejected"])
	}},
	{"move what nobody has read", func(l *life) { l.runner.mutant = "move what nobody has read" }, func() []*plot {
		return deathsAt(stagedMoves()["another file comes"])
	}},
	{"run an unsure program again", func(l *life) { l.runner.mutant = "run an unsure program again" }, func() []*plot {
		return deathsAt(func() *plot { return staged([]plotStep{stagedProgram("s0")}) })
	}},
	{"take a program for ended that is not recorded so", func(l *life) { l.runner.mutant = "take a program for ended that is not recorded so" }, func() []*plot {
		return []*plot{staged([]plotStep{stagedProgram("s0")})}
	}},
}

// deathsAt are the plot with its first run's process killed at each of what has to do with a
// program or a move.
func deathsAt(make func() *plot) []*plot {
	var all []*plot
	for aim := 1; aim <= 3; aim++ {
		for _, after := range []bool{false, true} {
			p := make()
			p.runs[0].lives = []plotLife{{aim: aim, dies: death{after: after}, pause: time.Minute}}
			all = append(all, p)
		}
	}
	return all
}

func TestInside(t *testing.T) { findAll(t, inside) }

// stagedProgram is a command whose program ends well.
func stagedProgram(name string) plotStep {
	return plotStep{step: configs.Step{Name: name, Verb: configs.Command}, program: appends, takes: 10 * time.Second}
}
