package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// stagedIn is the step in another model.
func stagedIn(model string, s plotStep) plotStep {
	s.step.Model.Name = model
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

// mutant is a mistake that the machine must find. It is put into every process of plots in
// which nothing is wrong without it.
type mutant struct {
	name  string
	put   func(*life)
	plots func() []*plot
}

// outside are the mutants that are put in from outside of the engine.
var outside = []mutant{
	{"retry the start blindly", func(l *life) { l.blind = true }, func() []*plot {
		p := staged([]plotStep{stagedMark("s0")})
		p.options.Faults = []simulator.Fault{start(1, simulator.Fault{Status: 502, Body: "html", Took: true})}
		return []*plot{p}
	}},
	{"record after the start", func(l *life) { l.late = true }, func() []*plot {
		return deathsOf(12, 24, func() *plot { return staged([]plotStep{stagedMark("s0")}) })
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
	{"believe an upload ahead of need whose file somebody else had", func(l *life) { l.ageless = true }, func() []*plot {
		p := staged([]plotStep{stagedIn("B", stagedItems("s0")), stagedItems("s1")}, []plotStep{stagedItems("t0")})
		p.runs[1].begin = 4 * time.Second
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

// TestMutants puts mistakes into what surrounds the engine, and sees that the machine finds
// each.
func TestMutants(t *testing.T) { findAll(t, outside) }

func findAll(t *testing.T, mutants []mutant) {
	t.Helper()
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

// changes are what makes the engine one that has the mutants of proof_inside_test.go. Each
// text stands in its file once.
var changes = []struct{ file, text, instead string }{
	{"runner.go", "\tSpeed float64\n", "\tSpeed float64\n\tmutant string\n"},
	{"settle.go", "fresh, err := s.listed(ctx, i)\n", "fresh, err := s.listed(ctx, i)\nif s.run.mutant == \"take 404 for empty\" && refused(err) { fresh, err = nil, nil }\n"},
	{"settle.go", "case len(fresh) == 0 && none.IsZero():", "case len(fresh) == 0 && none.IsZero() && s.run.mutant != \"believe one empty list\":"},
	{"settle.go", "case len(fresh) == 0 && time.Since(none) >= ", "case len(fresh) == 0 && s.run.mutant == \"believe one empty list\", len(fresh) == 0 && time.Since(none) >= "},
	{"settle.go", "t anaplan.Task) (why string, wait bool, err error) {\n", "t anaplan.Task) (why string, wait bool, err error) {\nif s.run.mutant == \"adopt any new task\" { return \"it is new\", false, nil }\n"},
	{"fill.go", "intact && was.digest == src.facts.Digest", "intact && (was.digest == src.facts.Digest || s.run.mutant == \"compare no digest\")"},
	{"run.go", "\tr.end(ctx, e.step, &e.end.StepEnded)\n", "\tif r.mutant == \"move before the end is recorded\" { t := &r.state.Steps[e.step]; t.End = &e.end.StepEnded; due := r.due(); t.End = nil; for _, m := range due { r.recordMoved(ctx, moved{m, r.relocate(ctx, m)}) } }\n\tr.end(ctx, e.step, &e.end.StepEnded)\n"},
	{"after_taken.go", "if len(places) > 0 && !all.own {", "if len(places) > 0 && !all.own && r.mutant != \"move again what is recorded as moved\" {"},
	{"after_move.go", "case there[name] != \"\":", "case there[name] != \"\" && r.mutant != \"forget a move that is not recorded\":"},
	{"after_move.go", "\t\tcase stays[name] != nil:\n", "\t\tcase stays[name] != nil && r.mutant != \"move what nobody has read\":\n"},
	{"command.go", "\tcase rerunSafe(s.plan):\n", "\tcase rerunSafe(s.plan), s.run.mutant == \"run an unsure program again\":\n"},
	{"command.go", "\ts.note(ended)\n", "\tif s.run.mutant != \"take a program for ended that is not recorded so\" { s.note(ended) }\n"},
	{"step.go", "\t\tend := f(ctx)\n", "\t\tend := f(ctx)\nif s.run.mutant == \"let retry run a failed process again\" && end.Verdict == ledger.Failed { s.note(ledger.StepReopened{Rerun: true, Why: \"again\"}); end.Again = true }\n"},
}

// TestMutantsInside tests an engine with mistakes in it, and sees that the machine finds
// each: the package is compiled once more, with other files in the places of some.
func TestMutantsInside(t *testing.T) {
	if testing.Short() {
		return // it compiles the package again
	}
	dir, overlay := t.TempDir(), struct{ Replace map[string]string }{map[string]string{}}
	texts := map[string]string{}
	for _, c := range changes {
		text, there := texts[c.file]
		if !there {
			data, err := os.ReadFile(c.file)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		if n := strings.Count(text, c.text); n != 1 {
			t.Fatalf("%s holds %q %d times", c.file, c.text, n)
		}
		texts[c.file] = strings.Replace(text, c.text, c.instead, 1)
	}
	for file, text := range texts {
		at, err := filepath.Abs(file)
		if err == nil {
			overlay.Replace[at] = filepath.Join(dir, file)
			err = os.WriteFile(overlay.Replace[at], []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "test", "-count=1", "-overlay", list, "-tags", "mutants", "-run", "^TestInside$", "-v", ".").CombinedOutput()
	if n := strings.Count(string(out), "found by "); err != nil || n != 11 {
		t.Errorf("%d mutants were found: %v\n%s", n, err, out)
	}
	t.Logf("%s", out)
}
