package jobs

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// A plot is a random night. All of it follows from the seed.
type plot struct {
	seed      uint64
	company   *simulator.Company
	options   simulator.Options
	strangers []simulator.Stranger
	exclusive bool
	runs      []plotRun
	again     bool // a person does again what ended badly, once
}

// plotRun is what happens to one run of a night.
type plotRun struct {
	id      ledger.ID
	begin   time.Duration
	steps   []plotStep
	overlap configs.Overlap
	lives   []plotLife
	doubles []time.Duration // when others begin the same run
}

// plotStep is a step, and the bytes that its imports must read.
type plotStep struct {
	step  configs.Step
	write map[string][]byte // sources, by their names
	reads map[string][]byte // by server file
	// changed are sources that somebody changes when the first process has died.
	changed map[string][]byte
	reader  string        // of an upload: the step that imports it
	program string        // of a command: what its program does, [appends] or [fails]
	takes   time.Duration // of a command
}

// plotLife is what happens to one process.
type plotLife struct {
	dies   death
	pause  time.Duration // until the next
	signal string
	after  time.Duration // of its birth
	// Somebody wishes, so long after its birth, that it stops.
	wish  string
	wishs time.Duration
	// At this start it stands still for so long.
	freezes int
	frozen  time.Duration
	jump    time.Duration // of its clock …
	jumps   time.Duration // … so long after its birth
	sick    []int
	made    bool
	cut     bool // it dies in the middle of a move, if it dies after one
	aim     int  // it dies at this one of what has to do with a program or a move; 0: as dies says
}

const strangersAddress = "ana.ortiz@example.com"

var plotModels = []string{"A", "B", "C"}

// durations of tasks: most are short.
func duration(r *rand.Rand) time.Duration {
	switch r.IntN(30) {
	case 0:
		return time.Duration(1+r.IntN(15)) * time.Minute
	case 1, 2, 3, 4:
		return time.Duration(10+r.IntN(60)) * time.Second
	}
	return time.Duration(1+r.IntN(9)) * time.Second
}

func plotCompany(r *rand.Rand) *simulator.Company {
	c := &simulator.Company{Users: []simulator.User{
		{Email: sample.Email, FirstName: "Nightly", LastName: "Batch", Password: sample.Password, Access: map[string]string{"*": "admin"}},
		{Email: strangersAddress, FirstName: "Ana", LastName: "Ortiz", Access: map[string]string{"*": "user"}},
	}}
	w := simulator.Workspace{Name: "W"}
	for i, name := range plotModels {
		m := simulator.Model{
			Name: name, Versions: []string{"Actual", "Forecast"},
			Lists: []simulator.List{{Name: "Items", Items: "name,code\nOne,C1\nTwo,C2\nThree " + name + ",C3" + name + "\n"}},
			Modules: []simulator.Module{{Name: "Data", Dimensions: []string{"Items", "Versions"}, LineItems: []simulator.LineItem{{Name: "Value"}},
				Cells: "Items,Versions,Value\nOne,Actual,1\n"}},
			Files: []simulator.File{{Name: "items.csv"}, {Name: "data.csv"}},
			Imports: []simulator.Import{
				{Name: "Load Items", File: "items.csv", List: "Items", Map: map[string]string{"name": "Name", "code": "Code"}, Duration: duration(r)},
				{Name: "Load Data", File: "data.csv", Module: "Data", Map: map[string]string{"Items": "Code", "Versions": "?Version", "Value": "Value"}, Duration: duration(r)},
				{Name: "Pull", SourceModel: plotModels[(i+1)%len(plotModels)], SourceList: "Items", List: "Items", Map: map[string]string{"name": "Name", "code": "Code"}, Duration: duration(r)},
			},
			Exports:   []simulator.Export{{Name: "Out", Module: "Data", Duration: duration(r)}},
			Actions:   []simulator.Action{{Name: "Mark", Duration: duration(r)}, {Name: "Tick", Duration: duration(r)}, {Name: "Broken", Fails: true, Duration: duration(r)}},
			Processes: []simulator.Process{{Name: "Both", Actions: []string{"Load Items", "Tick", "Out"}}, {Name: "Breaks", Actions: []string{"Tick", "Broken"}}},
		}
		if r.IntN(12) == 0 {
			m.Closed, m.LoadTime = true, time.Duration(1+r.IntN(300))*time.Second
		}
		w.Models = append(w.Models, m)
	}
	c.Workspaces = []simulator.Workspace{w}
	return c
}

// itemsOf are bytes for a list that no other step has. Some rows are rejected.
func itemsOf(r *rand.Rand, who string) []byte {
	var b strings.Builder
	b.WriteString("Name,Code\n")
	rows := 1 + r.IntN(8)
	if r.IntN(40) == 0 {
		rows = 1500 // 64 KB
	}
	for i := range rows {
		fmt.Fprintf(&b, "%s item %d,%s-%d\n", who, i, who, i)
	}
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "%s again,%s-0\n", who, who) // a key that is there already
	}
	return []byte(b.String())
}

func dataOf(r *rand.Rand, who string) []byte {
	var b strings.Builder
	b.WriteString("Code,Value\n")
	for i := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "C%d,%d\n", 1+i%2, 1000+r.IntN(9000))
	}
	if r.IntN(3) == 0 {
		b.WriteString("nobody,1\n")
	}
	fmt.Fprintf(&b, "C1,%d\n", 1+int(sha256.Sum256([]byte(who))[0]))
	return []byte(b.String())
}

// newPlot makes the night of a seed. From seed [movesFrom] on nights have sources that are
// moved, and programs; from [sideFrom] on steps that run side by side, too; those before stay
// the nights that they were.
func newPlot(seed uint64) *plot {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	p := &plot{seed: seed, company: plotCompany(r), again: r.IntN(2) == 0}
	p.options = simulator.Options{Seed: seed, Switches: &simulator.Switches{
		RejectsSuccessful: r.IntN(2) == 0, NoRateLimit: true, PollEvery: -1, ParallelTasks: false,
		StartBusy409: r.IntN(8) == 0, BareTaskID: r.IntN(4) == 0, SparseTasks: r.IntN(6) == 0, UniformDetails: r.IntN(2) == 0,
	}}
	s := p.options.Switches
	switch r.IntN(6) {
	case 0:
		s.CancelTime = 10 * time.Minute
	case 1:
		s.TooLate = 1
	case 2:
		s.CancelLost = true
	}
	if r.IntN(10) == 0 {
		s.Busy = []string{"hang", "409"}[r.IntN(2)]
	}
	if r.IntN(6) == 0 {
		p.options.TokenLife = time.Duration(40+r.IntN(200)) * time.Second
	}
	runs := 1
	if r.IntN(3) == 0 {
		runs = 2
	}
	for i := range runs {
		p.runs = append(p.runs, newPlotRun(r, i, runs))
	}
	p.disturb(r)
	if r.IntN(3) == 0 {
		p.visit(r)
	}
	p.exclusive = len(p.strangers) == 0 && r.IntN(2) == 0
	if seed >= movesFrom {
		p.furnish(rand.New(rand.NewPCG(seed, 0xaf7e)))
	}
	if seed >= sideFrom {
		p.loosen(rand.New(rand.NewPCG(seed, 0x51de)))
	}
	return p
}

func newPlotRun(r *rand.Rand, number, runs int) plotRun {
	run := plotRun{id: ledger.ID{Job: fmt.Sprintf("job%d", number), Run: "one"}}
	if number > 0 {
		run.begin = time.Duration(r.IntN(120)) * time.Second
		if r.IntN(4) == 0 {
			run.id = ledger.ID{Job: "job0", Run: "two"}
			run.overlap = configs.OverlapWait
		}
	}
	n := 1 + r.IntN(8)
	for len(run.steps) < n {
		run.steps = append(run.steps, newPlotSteps(r, number, len(run.steps), n, runs > 1)...)
	}
	for range r.IntN(4) {
		l := plotLife{dies: death{1 + r.IntN(40+30*len(run.steps)), r.IntN(2) == 0}}
		l.pause = []time.Duration{time.Second, 10 * time.Second, time.Minute, 7 * time.Minute, time.Hour}[r.IntN(5)]
		switch r.IntN(8) {
		case 0:
			l.signal = "SIGINT"
		case 1:
			l.signal = "SIGTERM"
		}
		l.after = time.Duration(r.IntN(200)) * time.Second
		if l.signal != "" && r.IntN(2) == 0 {
			l.dies = death{}
		}
		if r.IntN(8) == 0 {
			l.jump = time.Duration(r.IntN(1200)-600) * time.Second
			switch r.IntN(8) {
			case 0, 1:
				l.jump *= 30 // hours
			case 2:
				l.jump *= 300 // days
			}
			l.jumps = time.Duration(r.IntN(120)) * time.Second
		}
		if r.IntN(10) == 0 {
			l.freezes, l.frozen = 1+r.IntN(3), time.Duration(1+r.IntN(1500))*time.Second
		}
		if r.IntN(14) == 0 {
			l.wish, l.wishs = []string{ledger.WishCancel, ledger.WishDetach}[r.IntN(2)], time.Duration(r.IntN(200))*time.Second
		}
		if r.IntN(6) == 0 {
			l.sick, l.made = []int{1 + r.IntN(60), 1 + r.IntN(60)}, r.IntN(2) == 0
		}
		run.lives = append(run.lives, l)
	}
	for range r.IntN(3) * r.IntN(2) {
		run.doubles = append(run.doubles, time.Duration(r.IntN(600))*time.Second)
	}
	return run
}

// newPlotSteps makes a step, or two that belong together.
func newPlotSteps(r *rand.Rand, run, at, most int, several bool) []plotStep {
	model := plotModels[r.IntN(len(plotModels))]
	who := fmt.Sprintf("r%ds%d", run, at)
	s := configs.Step{Name: fmt.Sprintf("s%d", at), Model: configs.Ref{Name: model},
		Accept: configs.Accept{Failed: &configs.Limit{Rows: 5000}, Warnings: &configs.Limit{Rows: 5000}, MinLoaded: new(int64)}}
	if r.IntN(6) == 0 {
		s.Rerun = []string{"safe", "ask"}[r.IntN(2)]
	}
	if r.IntN(15) == 0 {
		s.Timeout = time.Duration(20+r.IntN(300)) * time.Second
		s.OnTimeout = []string{"", "cancel", "detach"}[r.IntN(3)]
	}
	if r.IntN(10) == 0 {
		s.OnFailure = configs.Continue
	}
	source := func(name string, data []byte) map[string][]byte {
		s.Source = &configs.Source{Path: name}
		return map[string][]byte{name: data}
	}
	switch r.IntN(12) {
	case 0, 1, 2:
		s.Verb, s.Object = configs.Import, configs.Ref{Name: "Load Items"}
		data := itemsOf(r, who)
		write := source(who+".csv", data)
		step := plotStep{step: s, write: write, reads: map[string][]byte{"items.csv": data}}
		if r.IntN(6) == 0 {
			step.changed = map[string][]byte{who + ".csv": itemsOf(r, who+"'")}
		}
		return []plotStep{step}
	case 3, 4:
		s.Verb, s.Object = configs.Import, configs.Ref{Name: "Load Data"}
		s.Prompts = []configs.Prompt{{Dimension: "Version", Item: "Actual"}}
		data := dataOf(r, who)
		write := source(who+".csv", data)
		return []plotStep{{step: s, write: write, reads: map[string][]byte{"data.csv": data}}}
	case 5, 6:
		s.Verb, s.Object = configs.Process, configs.Ref{Name: "Both"}
		data := itemsOf(r, who)
		s.Files = []configs.StepFile{{File: configs.Ref{Name: "items.csv"}, Source: configs.Source{Path: who + ".csv"}}}
		return []plotStep{{step: s, write: map[string][]byte{who + ".csv": data}, reads: map[string][]byte{"items.csv": data}}}
	case 7:
		s.Verb, s.Object = configs.Export, configs.Ref{Name: "Out"}
		s.Targets = []configs.Target{{Path: who + ".out"}}
		if at+1 >= most || r.IntN(2) == 0 {
			return []plotStep{{step: s}}
		}
		return []plotStep{{step: s}, {step: configs.Step{Name: fmt.Sprintf("s%d", at+1), Verb: configs.Download, Object: s.Object,
			Model: s.Model, Targets: []configs.Target{{Path: who + ".again"}}}}}
	case 8:
		if at+1 >= most {
			break
		}
		data := itemsOf(r, who)
		next := s
		s.Verb, s.Object, s.Timeout, s.OnTimeout, s.Rerun, s.Accept = configs.Upload, configs.Ref{Name: "items.csv"}, 0, "", "", configs.Accept{}
		s.OnFailure = ""
		write := source(who+".csv", data)
		next.Name, next.Verb, next.Object = fmt.Sprintf("s%d", at+1), configs.Import, configs.Ref{Name: "Load Items"}
		return []plotStep{{step: s, write: write}, {step: next, reads: map[string][]byte{"items.csv": data}}}
	case 9:
		if several { // what it pulls depends on what the other run has done
			break
		}
		s.Verb, s.Object = configs.Import, configs.Ref{Name: "Pull"}
		return []plotStep{{step: s}}
	case 10:
		if r.IntN(3) == 0 {
			s.Verb, s.Object = configs.Process, configs.Ref{Name: "Breaks"}
			return []plotStep{{step: s}}
		}
	}
	s.Verb, s.Object = configs.Action, configs.Ref{Name: "Mark"}
	return []plotStep{{step: s}}
}

// disturb adds faults and spells.
func (p *plot) disturb(r *rand.Rand) {
	for range r.IntN(5) {
		f := disturbances[r.IntN(len(disturbances))].fault
		f.Nth = 1 + r.IntN(100)
		switch {
		case f.After > 0 || r.IntN(3) > 0 && f.Method == "":
			f.Method, f.Path, f.Nth = "POST", "/tasks$", 1+r.IntN(8)
		case f.Method != "":
			f.Nth = 1 + r.IntN(10)
		}
		if f.After > 0 {
			f.After = time.Duration(1+r.IntN(280)) * time.Second
		}
		p.options.Faults = append(p.options.Faults, f)
	}
	for range r.IntN(3) * r.IntN(2) {
		s := simulator.Spell{What: []string{"no_access", "loading", "archived", "locked", "offline", "page", "hang"}[r.IntN(7)], For: time.Duration(1+r.IntN(900)) * time.Second}
		if r.IntN(3) > 0 {
			s.Model = plotModels[r.IntN(len(plotModels))]
		}
		if r.IntN(2) == 0 {
			s.Moment = simulator.Moment{Method: "POST", Path: "/tasks$", Nth: 1 + r.IntN(6), After: time.Duration(r.IntN(20)) * time.Second}
		} else {
			s.Moment = simulator.Moment{After: time.Duration(r.IntN(600)) * time.Second}
		}
		p.options.Spells = append(p.options.Spells, s)
	}
}

// visit adds strangers who run what our steps run. Each has done so before: a runner that
// knows of no stranger takes the only new task for its own.
func (p *plot) visit(r *rand.Rand) {
	for range 1 + r.IntN(3) {
		run := p.runs[r.IntN(len(p.runs))]
		s := run.steps[r.IntN(len(run.steps))].step
		if !s.Verb.StartsTask() {
			continue
		}
		st := simulator.Stranger{User: strangersAddress, Model: s.Model.Name, Kind: string(s.Verb), Object: s.Object.Name, Prompts: map[string]string{"Version": "Actual"}}
		if r.IntN(3) == 0 {
			st.User = sample.Email // from elsewhere
		} else if s.Object.Name == "Load Data" {
			st.Upload = "Code,Value\nC1,77\n"
		} else {
			var rows strings.Builder
			rows.WriteString("Name,Code\n")
			for i := range 50 {
				fmt.Fprintf(&rows, "Strange %d,S%d\n", i, i)
			}
			st.Upload = rows.String()
		}
		if r.IntN(2) == 0 {
			st.Moment = simulator.Moment{Method: "POST", Path: "/tasks$", Nth: 1 + r.IntN(8), After: time.Duration(r.IntN(120)) * time.Second}
		} else {
			st.Moment = simulator.Moment{After: time.Duration(r.IntN(900)) * time.Second}
		}
		p.strangers = append(p.strangers, st)
	}
}

// request is the request of one of the night's runs, whose files lie in the world.
func (p *plot) request(w *world, run plotRun) Request {
	job := &configs.Job{Name: run.id.Job, Workspace: configs.Ref{Name: "W"}, Model: configs.Ref{Name: "A"}, Overlap: run.overlap}
	for i, ps := range run.steps {
		s := ps.step
		s.Index, s.Enabled, s.Base = i, true, s.Name
		if s.Source != nil {
			s.Source = new(sourceIn(w.dir, *s.Source))
		}
		s.Files = slices.Clone(s.Files)
		for j := range s.Files {
			s.Files[j].Source = sourceIn(w.dir, s.Files[j].Source)
		}
		if ps.program != "" {
			s.Argv = programOf(filepath.Join(w.dir, run.ran(ps)), ps.program, ps.takes)
		}
		s.Targets = slices.Clone(s.Targets)
		for j := range s.Targets {
			s.Targets[j].Path = filepath.Join(w.dir, s.Targets[j].Path)
		}
		job.Steps = append(job.Steps, s)
	}
	plan, err := NewPlan(job, Selection{})
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	return Request{ID: run.id, Plan: plan, Date: time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)}
}

// files of all runs.
func (p *plot) files() map[string][]byte {
	files := map[string][]byte{}
	for _, run := range p.runs {
		for _, s := range run.steps {
			for name, data := range s.write {
				files[name] = data
			}
		}
	}
	return files
}

func (p *plot) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "night %d; again %t, exclusive %t\nswitches %+v, token life %s\n", p.seed, p.again, p.exclusive, *p.options.Switches, p.options.TokenLife)
	for _, run := range p.runs {
		fmt.Fprintf(&b, "run %v, begins after %s, others at %v\n", run.id, run.begin, run.doubles)
		for _, s := range run.steps {
			fmt.Fprintf(&b, "  step %s %s %q in %s, needs %t %q, rerun %q, timeout %s %s, on failure %s\n", s.step.Name, s.step.Verb, s.step.Object.Name, s.step.Model.Name, s.step.NeedsSet, s.step.Needs, s.step.Rerun, s.step.Timeout, s.step.OnTimeout, s.step.OnFailure)
			if s.changed != nil {
				b.WriteString("    its source changes\n")
			}
			if src := s.moved(); src != nil {
				fmt.Fprintf(&b, "    after: %+v, beside %q\n", src.After, slices.Sorted(maps.Keys(s.write)))
			}
			if s.program != "" {
				fmt.Fprintf(&b, "    its program %s after %s\n", s.program, s.takes)
			}
		}
		for _, l := range run.lives {
			fmt.Fprintf(&b, "  process %s, %s later, signal %q after %s, jump %s after %s, sick %v %t, freezes at start %d for %s, wish %q after %s, cut %t, aim %d\n", l.dies, l.pause, l.signal, l.after, l.jump, l.jumps, l.sick, l.made, l.freezes, l.frozen, l.wish, l.wishs, l.cut, l.aim)
		}
	}
	for _, f := range p.options.Faults {
		fmt.Fprintf(&b, "fault %+v\n", f)
	}
	for _, s := range p.options.Spells {
		fmt.Fprintf(&b, "spell %+v\n", s)
	}
	for _, s := range p.strangers {
		fmt.Fprintf(&b, "stranger %s: %s %q in %s at %+v\n", s.User, s.Kind, s.Object, s.Model, s.Moment)
	}
	return b.String()
}
