package jobs

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

var (
	nights    = flag.Int("nights", 60, "how many random nights are played")
	from      = flag.Uint64("from", 0, "the seed of the first random night; 0: where the last search ended")
	nightSeed = flag.Uint64("seed", 0, "play this random night alone, and tell what happens in it")
)

// searched is where the seed stands with which the next search begins.
const searched = "testdata/nights.next"

// failedNights are seeds of nights that once went wrong.
var failedNights = []uint64{}

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
}

// plotLife is what happens to one process.
type plotLife struct {
	dies   death
	pause  time.Duration // until the next
	signal string
	after  time.Duration // of its birth
	jump   time.Duration // of its clock …
	jumps  time.Duration // … so long after its birth
	sick   []int
	made   bool
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
			if r.IntN(4) == 0 {
				l.jump *= 30
			}
			l.jumps = time.Duration(r.IntN(120)) * time.Second
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
		return []plotStep{{s, source(who+".csv", data), map[string][]byte{"items.csv": data}}}
	case 3, 4:
		s.Verb, s.Object = configs.Import, configs.Ref{Name: "Load Data"}
		s.Prompts = []configs.Prompt{{Dimension: "Version", Item: "Actual"}}
		data := dataOf(r, who)
		return []plotStep{{s, source(who+".csv", data), map[string][]byte{"data.csv": data}}}
	case 5, 6:
		s.Verb, s.Object = configs.Process, configs.Ref{Name: "Both"}
		data := itemsOf(r, who)
		s.Files = []configs.StepFile{{File: configs.Ref{Name: "items.csv"}, Source: configs.Source{Path: who + ".csv"}}}
		return []plotStep{{s, map[string][]byte{who + ".csv": data}, map[string][]byte{"items.csv": data}}}
	case 7:
		s.Verb, s.Object = configs.Export, configs.Ref{Name: "Out"}
		s.Targets = []configs.Target{{Path: who + ".out"}}
		return []plotStep{{step: s}}
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
		return []plotStep{{s, write, nil}, {step: next, reads: map[string][]byte{"items.csv": data}}}
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
			s.Source = &configs.Source{Path: filepath.Join(w.dir, s.Source.Path)}
		}
		s.Files = slices.Clone(s.Files)
		for j := range s.Files {
			s.Files[j].Source.Path = filepath.Join(w.dir, s.Files[j].Source.Path)
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
			fmt.Fprintf(&b, "  step %s %s %q in %s, rerun %q, timeout %s %s, on failure %s\n", s.step.Name, s.step.Verb, s.step.Object.Name, s.step.Model.Name, s.step.Rerun, s.step.Timeout, s.step.OnTimeout, s.step.OnFailure)
		}
		for _, l := range run.lives {
			fmt.Fprintf(&b, "  process %s, %s later, signal %q after %s, jump %s after %s, sick %v %t\n", l.dies, l.pause, l.signal, l.after, l.jump, l.jumps, l.sick, l.made)
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

// play plays the night, and returns what its runs have come to.
func (p *plot) play(w *world) []ledger.State {
	w.mayNotFire, w.exclusive = true, p.exclusive
	w.taken = p.taken(w)
	if len(p.strangers) > 0 {
		for _, st := range p.strangers { // they have been here before
			st.Moment = simulator.Moment{}
			w.sim.Start(st)
		}
		time.Sleep(2 * time.Hour)
		w.sim.AddStrangers(p.strangers...)
	}
	var actors sync.WaitGroup
	for _, run := range p.runs {
		actors.Go(func() { p.act(w, run) })
	}
	actors.Wait()
	time.Sleep(time.Hour) // what comes late comes now
	var states []ledger.State
	for _, run := range p.runs {
		if s, there := w.state(run.id); there {
			states = append(states, s)
		}
	}
	return states
}

// taken holds a stranger's task that a step took for its own against what the step would
// have done: it must have had the same effect.
func (p *plot) taken(w *world) func(ledger.State, ledger.StepState, simulator.TaskRecord) {
	return func(s ledger.State, t ledger.StepState, task simulator.TaskRecord) {
		step := p.step(s.Created.ID, t.Plan.Name)
		if step == nil || task.User == sample.Email || len(step.reads) == 0 && step.step.Verb != configs.Export {
			return
		}
		w.wrong("step %q took task %s for its own, which %s started", t.Plan.Name, task.ID, task.User)
	}
}

func (p *plot) step(run ledger.ID, name string) *plotStep {
	for _, one := range p.runs {
		for i := range one.steps {
			if one.id == run && one.steps[i].step.Name == name {
				return &one.steps[i]
			}
		}
	}
	return nil
}

// act plays one run.
func (p *plot) act(w *world, run plotRun) {
	time.Sleep(run.begin)
	req := p.request(w, run)
	var others sync.WaitGroup
	for _, after := range run.doubles {
		others.Go(func() {
			time.Sleep(after)
			l := w.born(death{})
			l.goOn(req, Continuation{})
			end, _ := l.wait()
			p.said(w, end)
		})
	}
	for _, pl := range run.lives {
		l := w.born(pl.dies)
		l.sick, l.made = pl.sick, pl.made
		var stopped time.Time
		var timers []*time.Timer
		if pl.signal != "" {
			timers = append(timers, time.AfterFunc(pl.after, func() { stopped = time.Now(); l.stop(&Stopped{Signal: pl.signal}) }))
		}
		if pl.jump != 0 {
			timers = append(timers, time.AfterFunc(pl.jumps, func() { l.mu.Lock(); l.jump = pl.jump; l.mu.Unlock() }))
		}
		l.goOn(req, Continuation{})
		end, died := l.wait()
		for _, t := range timers {
			t.Stop()
		}
		if !died {
			p.said(w, end)
			if !stopped.IsZero() && time.Since(stopped) > 4*time.Second {
				w.wrong("it took %s to end after %s", time.Since(stopped), pl.signal)
			}
		}
		time.Sleep(pl.pause)
	}
	p.conclude(w, run, req)
	others.Wait()
	p.conclude(w, run, req)
}

// said looks at the error of a process that has ended.
func (p *plot) said(w *world, end lived) {
	var held *ledger.HeldError
	var stopped *Stopped
	switch {
	case end.err == nil, errors.As(end.err, &held), errors.As(end.err, &stopped):
	case errors.Is(end.err, errMoment), errors.Is(end.err, ledger.ErrConflict), errors.Is(end.err, ledger.ErrNoRun):
	default:
		w.wrong("it said: %v", end.err)
	}
}

// conclude continues a run, and decides what a person must, until it is closed or stays as
// it is and says what to do.
func (p *plot) conclude(w *world, run plotRun, req Request) {
	var c Continuation
	before, again := "", p.again
	for round := 0; ; round++ {
		s, there := w.state(run.id)
		if there && s.End != nil {
			if s.Closed() {
				return
			}
			d, unsure := w.decide(s)
			now := verdicts(s)
			if !unsure && again {
				for _, t := range s.Steps {
					if t.End != nil && strings.Contains(t.End.Next+s.End.Next, "--again") && !t.Plan.Satisfied(*t.End) && t.End.Verdict != ledger.Blocked {
						d.Again = append(d.Again, t.Plan.Name)
					}
				}
				again = len(d.Again) == 0
			}
			c = d
			if now == before && !unsure && len(d.Again) == 0 {
				if s.End.Next == "" {
					w.wrong("run %v stays %s, and says not what to do: %s", run.id, s.End.Verdict, messages(s))
				}
				return
			}
			before = now
		}
		if round == 25 {
			w.wrong("run %v is still open after %d rounds: %s\n%s", run.id, round, verdicts(s), messages(s))
			return
		}
		time.Sleep(20 * time.Minute)
		l := w.born(death{})
		l.goOn(req, c)
		end, _ := l.wait()
		p.said(w, end)
	}
}

// bytes checks that our imports have read exactly what their run had for them.
func (p *plot) bytes(w *world, states []ledger.State) {
	tasks := map[string]simulator.TaskRecord{}
	for _, task := range w.sim.Tasks() {
		tasks[task.ID] = task
	}
	for _, s := range states {
		for _, t := range s.Steps {
			for _, i := range t.Intents {
				task, there := tasks[i.Task]
				if !there || task.Stranger {
					continue
				}
				for _, read := range task.Read {
					want := p.step(s.Created.ID, t.Plan.Name).reads[read.File]
					if sum := fmt.Sprintf("%x", sha256.Sum256(want)); read.SHA256 != sum {
						w.wrong("run %v, step %q: %s read %d bytes of %s, not the %d of its source", s.Created.ID, t.Plan.Name, read.Object, read.Bytes, read.File, len(want))
					}
				}
			}
		}
	}
}

// comparable says whether the night's models must hold what they do after an undisturbed
// night: nobody else came, and everything is done, once.
func (p *plot) comparable(states []ledger.State) bool {
	if len(p.strangers) > 0 || len(states) != len(p.runs) {
		return false
	}
	for _, s := range states {
		if !s.Closed() {
			return false
		}
		for _, t := range s.Steps {
			if len(t.Intents) > 1 && slices.ContainsFunc(t.Reopened, func(r ledger.ReopenedState) bool { return r.Rerun }) {
				return false
			}
		}
	}
	return true
}

// held is what the models hold, whatever the order in which it came. Of two runs that
// write the same cells the later one wins.
func (p *plot) held(w *world) string {
	var lines []string
	for _, line := range strings.Split(string(w.sim.Snapshot()), "\n") {
		if !strings.HasPrefix(line, "file ") && (len(p.runs) == 1 || !strings.Contains(line, " / Value = ")) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// night plays the night of a seed, in a world of its own.
func playNight(t *testing.T, seed uint64, mutate func(*life)) (told []string, codes []int) {
	p := newPlot(seed)
	name := fmt.Sprintf("night %d", seed)
	var compare bool
	var models string
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, name, p.company, p.files(), p.options)
		w.mutate, w.quiet = mutate, true
		states := p.play(w)
		w.truth(states...)
		p.bytes(w, states)
		w.close()
		if compare = p.comparable(states); compare {
			models = p.held(w)
		}
		for _, s := range states {
			if s.End != nil {
				codes = append(codes, s.End.Code)
			}
			if len(w.told) > 0 {
				told = append(told, fmt.Sprintf("run %v: %s\n%s", s.Created.ID, verdicts(s), messages(s)))
			}
		}
		told = append(w.told, told...)
	})
	if compare && len(told) == 0 && mutate == nil && seed%2 == 0 {
		synctest.Test(t, func(t *testing.T) {
			quiet := *newPlot(seed)
			quiet.options.Faults, quiet.options.Spells, quiet.again = nil, nil, false
			quiet.options.Switches.Busy, quiet.options.Switches.StartBusy409 = "", false
			w := newWorld(t, name+" undisturbed", quiet.company, quiet.files(), quiet.options)
			for _, run := range quiet.runs {
				run.lives, run.doubles, run.begin = nil, nil, 0
				for i := range run.steps {
					run.steps[i].step.Timeout = 0
				}
				quiet.act(w, run)
			}
			w.close()
			if got := p.held(w); got != models {
				told = append(told, fmt.Sprintf("the models hold something else than after an undisturbed night (%s)", firstDifference(got, models)))
			}
		})
	}
	return told, codes
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return fmt.Sprintf("%q, %q", x[i], slices.Concat(y, []string{""})[min(i, len(y))])
		}
	}
	return fmt.Sprintf("%q more", y[len(x):])
}

// TestRandomNights plays random nights. A seed that fails is printed, and replayed with
// -seed.
func TestRandomNights(t *testing.T) {
	if *nightSeed != 0 {
		t.Log(newPlot(*nightSeed))
		told, codes := playNight(t, *nightSeed, nil)
		for _, text := range told {
			t.Error(text)
		}
		t.Logf("codes %v", codes)
		return
	}
	first, remember := *from, false
	if first == 0 {
		first = 1
		if data, err := os.ReadFile(searched); err == nil {
			if first, err = strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		remember = wasGiven("nights")
	}
	count := *nights
	if testing.Short() {
		count = min(count, 30)
	}
	began := time.Now()
	var next, failed atomic.Int64
	var mu sync.Mutex
	byCode := map[int]int{}
	t.Run("nights", func(t *testing.T) {
		for core := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(core), func(t *testing.T) {
				t.Parallel()
				for {
					i := next.Add(1) - 1
					if i >= int64(count) || failed.Load() > 10 {
						return
					}
					seed := first + uint64(i)
					told, codes := playNight(t, seed, nil)
					if len(told) > 0 {
						failed.Add(1)
						t.Errorf("night %d (-seed %d):\n%s", seed, seed, strings.Join(told, "\n"))
					}
					mu.Lock()
					for _, c := range codes {
						byCode[c]++
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d nights from seed %d on, %d wrong, %s; runs by code at the end: %v", count, first, failed.Load(), time.Since(began).Round(time.Millisecond), byCode)
	if remember && failed.Load() == 0 {
		if err := os.WriteFile(searched, fmt.Appendf(nil, "%d\n", first+uint64(count)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// wasGiven says whether a flag was given.
func wasGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}

// TestFailedNights plays again the nights that once went wrong.
func TestFailedNights(t *testing.T) {
	for _, seed := range failedNights {
		if told, _ := playNight(t, seed, nil); len(told) > 0 {
			t.Errorf("night %d:\n%s", seed, strings.Join(told, "\n"))
		}
	}
}
