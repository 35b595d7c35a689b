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
}

func TestInside(t *testing.T) { findAll(t, inside) }
