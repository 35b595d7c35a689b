package jobs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// stagedNights are nights that are written by hand: what random ones meet too seldom.
func stagedNights() map[string]*plot {
	all := map[string]*plot{}
	// A start is lost, and nothing can be believed for a while.
	for _, what := range []string{"no_access", "loading", "archived", "locked", "offline", "page", "hang"} {
		for how, f := range map[string]simulator.Fault{
			"before": {Drop: "before"}, "after": {Drop: "after"}, "2 minutes later": {Drop: "after", After: 2 * time.Minute},
		} {
			p := staged([]plotStep{stagedMark("s0"), stagedItems("s1")})
			p.options.Faults = []simulator.Fault{start(2, f)}
			p.options.Spells = []simulator.Spell{{What: what, For: 12 * time.Minute, Moment: simulator.Moment{Path: "/users/me$", Nth: 2}}}
			p.exclusive = true
			all[fmt.Sprintf("a start is lost, %s it took effect, then %s", how, what)] = p
		}
	}
	// The runner dies after its export has run, and somebody else runs the same.
	for _, verb := range []configs.Verb{configs.Export, configs.Process} {
		for at := 18; at <= 24; at++ {
			p := staged([]plotStep{stagedExport("s0"), stagedDownload("s1")}, []plotStep{stagedData("t0"), stagedAgain("t1", verb)})
			p.runs[0].lives = []plotLife{{dies: death{at, false}, pause: time.Hour}}
			p.runs[1].begin = 10 * time.Minute
			all[fmt.Sprintf("%s of another run after death %d", verb, at)] = p
		}
	}
	// The runner dies beside a start that takes effect two minutes later. Somebody else, whose
	// clock is two hours ahead, fills the server file that the late task reads.
	for at := 42; at <= 47; at++ {
		p := staged([]plotStep{stagedItems("s0"), stagedItems("s1")}, []plotStep{stagedItems("t0")})
		p.options.Faults = []simulator.Fault{start(2, simulator.Fault{Drop: "after", After: 2 * time.Minute})}
		p.runs[0].lives = []plotLife{{dies: death{at, true}, pause: time.Hour}}
		p.runs[1].begin = time.Minute
		p.runs[1].lives = []plotLife{{jump: 2 * time.Hour}}
		all[fmt.Sprintf("a clock is ahead after death %d", at)] = p
	}
	// The upload of an earlier step grows too old, or its source is changed.
	for at := 8; at <= 14; at++ {
		p := staged([]plotStep{stagedUpload("s0"), stagedReading("s1", "s0")})
		p.runs[0].lives = []plotLife{{dies: death{at, true}, pause: 50 * time.Hour}}
		all[fmt.Sprintf("50 hours after death %d", at)] = p
	}
	// The runner dies at a move, or at what it records of it.
	for aim := 1; aim <= 2; aim++ {
		for _, l := range []plotLife{{}, {dies: death{after: true}}, {dies: death{after: true}, cut: true}} {
			for name, make := range stagedMoves() {
				p := make()
				l.aim, l.pause = aim, time.Minute
				p.runs[0].lives = []plotLife{l}
				all[fmt.Sprintf("%s, death %d of a move, after %t, cut %t", name, aim, l.dies.after, l.cut)] = p
			}
		}
	}
	// The ledger fails for longer than it is waited for, when the step before a move ends.
	for first := 14; first <= 16; first++ {
		for count := 12; count <= 16; count += 2 {
			p := staged([]plotStep{stagedMoved(stagedItems("s0"))})
			l := plotLife{pause: time.Minute}
			for i := range count {
				l.sick = append(l.sick, first+i)
			}
			p.runs[0].lives = []plotLife{l}
			all[fmt.Sprintf("the ledger fails from write %d on, %d times", first, count)] = p
		}
	}
	return all
}

// stagedMoves are nights with a source that is moved. The one with rejected rows stays open.
func stagedMoves() map[string]func() *plot {
	return map[string]func() *plot{
		"rows are rejected": func() *plot {
			s := stagedMoved(stagedData("s0"))
			s.step.Accept = configs.Accept{}
			s.write["s0.csv"] = []byte("Code,Value\nC1,4711\nnobody,1\n")
			s.reads["data.csv"] = s.write["s0.csv"]
			return staged([]plotStep{s})
		},
		"another file comes": func() *plot {
			s := stagedMoved(stagedItems("s0"))
			s.changed = map[string][]byte{"s0.csv": []byte("Name,Code\nanother,s0-1\n")}
			return staged([]plotStep{s, stagedMark("s1")})
		},
		"an import reads an upload": func() *plot {
			s := stagedMoved(stagedUpload("s0"))
			s.reader = "s1"
			return staged([]plotStep{s, stagedReading("s1", "s0")})
		},
	}
}

// stagedMoved is a step whose source is moved. A file of its name is there already.
func stagedMoved(s plotStep) plotStep {
	s.step.Source.After = configs.After{OK: doneDir, Else: badDir}
	s.write[filepath.Join(doneDir, s.step.Source.Path)] = []byte("of the night before\n")
	return s
}

func stagedDownload(name string) plotStep {
	s := stagedStep(name, configs.Download, "Out")
	s.step.Accept = configs.Accept{}
	s.step.Targets = []configs.Target{{Path: name + ".out"}}
	return s
}

// stagedAgain runs the export Out, by itself or in a process.
func stagedAgain(name string, verb configs.Verb) plotStep {
	if verb == configs.Export {
		return stagedExport(name)
	}
	s, items := stagedStep(name, configs.Process, "Both"), stagedItems(name)
	s.step.Files = []configs.StepFile{{File: configs.Ref{Name: "items.csv"}, Source: *items.step.Source}}
	s.write, s.reads = items.write, items.reads
	return s
}

func stagedUpload(name string) plotStep {
	s := stagedItems(name)
	s.step.Verb, s.step.Object, s.step.Accept = configs.Upload, configs.Ref{Name: "items.csv"}, configs.Accept{}
	s.reads = nil
	return s
}

// stagedReading imports what an earlier step has uploaded.
func stagedReading(name, from string) plotStep {
	s := stagedStep(name, configs.Import, "Load Items")
	s.reads = stagedItems(from).reads
	return s
}

func TestStagedNights(t *testing.T) {
	for name, p := range stagedNights() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told, codes := p.night(t, nil, true)
			if len(told) > 0 {
				t.Errorf("%s\n%s", strings.Join(told, "\n"), p)
			}
			for _, code := range codes {
				rejected := code == ledger.CodeRows && strings.HasPrefix(name, "rows are rejected")
				if code != 0 && !rejected && !strings.Contains(name, "of another run") { // a download says that its output is gone
					t.Errorf("codes %v", codes)
				}
			}
		})
	}
}
