package jobs

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// staged is a plot that is written by hand: runs of these steps, all on model A.
func staged(steps ...[]plotStep) *plot {
	p := newPlot(1)
	company := *p.company
	company.Workspaces = []simulator.Workspace{p.company.Workspaces[0]}
	p.company, p.strangers, p.exclusive, p.again = &company, nil, false, false
	p.options = simulator.Options{Switches: &simulator.Switches{NoRateLimit: true, UniformDetails: true}}
	models := p.company.Workspaces[0].Models
	for i := range models {
		m := &models[i]
		m.Closed = false
		for j := range m.Imports {
			m.Imports[j].Duration = 30 * time.Second
		}
		for j := range m.Exports {
			m.Exports[j].Duration = 5 * time.Second
		}
		for j := range m.Actions {
			m.Actions[j].Duration = 20 * time.Second
		}
	}
	p.runs = nil
	for i, s := range steps {
		p.runs = append(p.runs, plotRun{id: ledger.ID{Job: fmt.Sprintf("job%d", i), Run: "one"}, steps: s})
	}
	return p
}

func stagedStep(name string, verb configs.Verb, object string) plotStep {
	return plotStep{step: configs.Step{Name: name, Verb: verb, Object: configs.Ref{Name: object}, Model: configs.Ref{Name: "A"},
		Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}, MinLoaded: new(int64)}}}
}

func stagedMark(name string) plotStep { return stagedStep(name, configs.Action, "Mark") }

func stagedItems(name string) plotStep {
	s := stagedStep(name, configs.Import, "Load Items")
	data := fmt.Appendf(nil, "Name,Code\n%s item,%s-1\n%s more,%s-2\n", name, name, name, name)
	s.step.Source = &configs.Source{Path: name + ".csv"}
	s.write, s.reads = map[string][]byte{name + ".csv": data}, map[string][]byte{"items.csv": data}
	return s
}

func stagedData(name string) plotStep {
	s := stagedStep(name, configs.Import, "Load Data")
	data := []byte("Code,Value\nC1,4711\n")
	s.step.Source = &configs.Source{Path: name + ".csv"}
	s.step.Prompts = []configs.Prompt{{Dimension: "Version", Item: "Actual"}}
	s.write, s.reads = map[string][]byte{name + ".csv": data}, map[string][]byte{"data.csv": data}
	return s
}

func stagedExport(name string) plotStep {
	s := stagedStep(name, configs.Export, "Out")
	s.step.Targets = []configs.Target{{Path: name + ".out"}}
	return s
}

// start is a fault of the nth start.
func start(nth int, f simulator.Fault) simulator.Fault {
	f.Method, f.Path, f.Nth = "POST", "/tasks$", nth
	return f
}

// deathsOf are the plot with its first run's process killed at each of these points.
func deathsOf(first, last int, make func() *plot) []*plot {
	var all []*plot
	for at := first; at <= last; at++ {
		for _, after := range []bool{false, true} {
			p := make()
			p.runs[0].lives = []plotLife{{dies: death{at, after}, pause: time.Minute}}
			all = append(all, p)
		}
	}
	return all
}

// mutants are mistakes that the machine must find. Each is put into every process of plots
// in which nothing is wrong without it.
var mutants = []struct {
	name  string
	put   func(*life)
	plots func() []*plot
}{
	{"retry the start blindly", func(l *life) { l.blind = true }, func() []*plot {
		p := staged([]plotStep{stagedMark("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Status: 502, Body: "html", Took: true})}
		return []*plot{p}
	}},
	{"record after the start", func(l *life) { l.late = true }, func() []*plot {
		return deathsOf(12, 24, func() *plot { return staged([]plotStep{stagedMark("s0")}) })
	}},
	{string(mutantOneList), func(l *life) { l.runner.mutant = mutantOneList }, func() []*plot {
		p := staged([]plotStep{stagedItems("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Drop: "after", After: 2 * time.Minute})}
		return []*plot{p}
	}},
	{string(mutantAnyTask), func(l *life) { l.runner.mutant = mutantAnyTask }, func() []*plot {
		p := staged([]plotStep{stagedItems("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Drop: "before"})}
		p.strangers = []simulator.Stranger{{User: strangersAddress, Model: "A", Kind: "import", Object: "Load Items",
			Upload: "Name,Code\nX,X1\nY,Y1\nZ,Z1\n", Moment: simulator.Moment{Method: "POST", Path: "/tasks$", After: 10 * time.Second}}}
		return []*plot{p}
	}},
	{string(mutantDigest), func(l *life) { l.runner.mutant = mutantDigest }, func() []*plot {
		return deathsOf(16, 40, func() *plot {
			s := stagedItems("s0")
			s.changed = map[string][]byte{"s0.csv": []byte("Name,Code\nanother,s0-1\n")}
			return staged([]plotStep{s})
		})
	}},
	{"ignore a lost lease", func(l *life) { l.trusts = true }, func() []*plot {
		p := staged([]plotStep{stagedMark("s0")})
		p.runs[0].lives = []plotLife{{freezes: 1, frozen: 20 * time.Minute}}
		p.runs[0].doubles = []time.Duration{time.Minute}
		return []*plot{p}
	}},
	{"end the lease with the task", func(l *life) { l.early = true }, func() []*plot {
		p := staged([]plotStep{stagedExport("s0")}, []plotStep{stagedData("t0"), stagedExport("t1")})
		p.runs[1].begin = 4 * time.Second
		p.options.Faults = []simulator.Fault{{Method: "GET", Path: `/files/116\d+/chunks`, Delay: 4 * time.Minute}}
		return []*plot{p}
	}},
	{"treat CANCELLED as running", func(l *life) {
		l.answers = func(r *http.Request, text string) string {
			if r.Method != http.MethodGet {
				return text
			}
			return strings.ReplaceAll(text, `"taskState":"CANCELLED"`, `"taskState":"IN_PROGRESS"`)
		}
	}, func() []*plot {
		p := staged([]plotStep{stagedItems("s0")})
		p.runs[0].lives = []plotLife{{signal: "SIGINT", after: 20 * time.Second, pause: time.Minute}}
		return []*plot{p}
	}},
	{"claim a cancel", func(l *life) {
		l.answers = func(r *http.Request, text string) string {
			if r.Method != http.MethodDelete {
				return text
			}
			return strings.ReplaceAll(text, `"taskState":"IN_PROGRESS"`, `"taskState":"CANCELLED"`)
		}
	}, func() []*plot {
		p := staged([]plotStep{stagedItems("s0")})
		p.options.Switches.TooLate = 1
		p.runs[0].lives = []plotLife{{signal: "SIGINT", after: 20 * time.Second, pause: time.Minute}}
		return []*plot{p}
	}},
	{string(mutant404), func(l *life) { l.runner.mutant = mutant404 }, func() []*plot {
		p := staged([]plotStep{stagedMark("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Drop: "after"})}
		p.options.Spells = []simulator.Spell{{What: "no_access", For: 15 * time.Minute, Moment: simulator.Moment{Path: "/users/me$", Nth: 2}}}
		return []*plot{p}
	}},
	{string(mutantRetry), func(l *life) { l.runner.mutant = mutantRetry }, func() []*plot {
		return []*plot{staged([]plotStep{stagedStep("s0", configs.Process, "Breaks")})}
	}},
	{"use the file's values instead of the record's", func(l *life) {
		// The file has been changed since the run was created.
		l.recalls = func(events []ledger.Event) []ledger.Event {
			for i, e := range events {
				if c, ok := e.Body.(ledger.RunCreated); ok {
					c.Job = bytes.ReplaceAll(c.Job, []byte(`"Actual"`), []byte(`"Forecast"`))
					events[i].Body = c
				}
			}
			return events
		}
	}, func() []*plot {
		return deathsOf(3, 12, func() *plot { return staged([]plotStep{stagedData("s0")}) })
	}},
}

// TestMutants puts mistakes into the engine, and sees that the machine finds each.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			found := ""
			for i, p := range m.plots() {
				if told, codes := p.night(t, nil, true); len(told) > 0 {
					t.Fatalf("plot %d is wrong without it, codes %v:\n%s\n%s", i, codes, strings.Join(told, "\n"), p)
				}
				if told, _ := p.night(t, m.put, true); len(told) > 0 && found == "" {
					found = fmt.Sprintf("plot %d: %s", i, told[0])
					break
				}
			}
			if found == "" {
				t.Fatal("it was not found")
			}
			t.Log("found by " + found)
		})
	}
}
