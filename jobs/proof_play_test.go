package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// play plays the night, and returns what its runs have come to.
func (p *plot) play(w *world) []ledger.State {
	w.mayNotFire, w.exclusive = true, p.exclusive
	w.dropped = slices.ContainsFunc(p.options.Faults, func(f simulator.Fault) bool { return f.Drop != "" })
	w.taken = p.taken(w)
	w.moving = p.moving(w)
	w.rerun = func(id ledger.ID, t ledger.StepState, usual bool) bool {
		for _, run := range p.runs {
			for _, s := range run.steps {
				if run.id == id && s.step.Name == t.Plan.Name && s.step.Object.Name == t.Object.Name && s.step.Rerun != "" {
					return s.step.Rerun == "safe"
				}
			}
		}
		return usual
	}
	if len(p.strangers) > 0 {
		for _, st := range p.strangers { // they have been here before
			st.Moment = simulator.Moment{}
			w.sim.Start(st)
		}
		time.Sleep(2 * time.Hour)
		w.sim.AddStrangers(p.strangers...)
	}
	var actors sync.WaitGroup
	for i, run := range p.runs {
		run.begin += time.Duration(i) * time.Millisecond // what several would do at one moment has an order
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
	for n, pl := range run.lives {
		l := w.born(pl.dies)
		l.sick, l.made, l.cut, l.aim = pl.sick, pl.made, pl.cut, pl.aim
		l.freezes, l.frozen = pl.freezes, pl.frozen
		var stopped time.Time
		var timers []*time.Timer
		if pl.signal != "" {
			timers = append(timers, time.AfterFunc(pl.after, func() { stopped = time.Now(); l.stop(&Stopped{Signal: pl.signal}) }))
		}
		if pl.jump != 0 {
			timers = append(timers, time.AfterFunc(pl.jumps, func() { l.mu.Lock(); l.jump = pl.jump; l.mu.Unlock() }))
		}
		if pl.wish != "" {
			timers = append(timers, time.AfterFunc(pl.wishs, func() {
				_ = w.ledger.Ask(context.Background(), run.id, ledger.Wish{What: pl.wish, By: "ops@there", At: time.Now()}) // the run may not be there yet
			}))
		}
		l.goOn(req, Continuation{})
		end, died := l.wait()
		for _, t := range timers {
			t.Stop()
		}
		if !died {
			p.said(w, end)
			if !stopped.IsZero() && pl.freezes == 0 && end.at.Sub(stopped) > 4*time.Second {
				w.wrong("it took %s to end after %s", end.at.Sub(stopped), pl.signal)
			}
		}
		time.Sleep(pl.pause)
		if n == 0 && died {
			p.change(w, run)
		}
	}
	p.conclude(w, run, req)
	others.Wait()
	p.conclude(w, run, req)
}

// change changes sources.
func (p *plot) change(w *world, run plotRun) {
	for i := range run.steps {
		s := &run.steps[i]
		for name, data := range s.changed {
			if _, err := os.Stat(filepath.Join(w.dir, name)); err != nil {
				w.anew[name] = true
			}
			if err := os.WriteFile(filepath.Join(w.dir, name), data, 0o600); err != nil {
				w.wrong("%v", err)
			}
		}
		if s.changed != nil {
			w.mu.Lock()
			w.changes[changed{run.id, s.step.Name}] = time.Now()
			w.mu.Unlock()
		}
	}
}

// changed names a step whose source was changed.
type changed struct {
	run  ledger.ID
	step string
}

// said looks at the error of a process that has ended.
func (p *plot) said(w *world, end lived) {
	var held *ledger.HeldError
	var stopped *Stopped
	var decision *DecisionError // Anaplan says otherwise for a moment
	var passing passingError
	switch {
	case end.err == nil:
	case explain(end.err).Cause == ledger.CauseNetwork, explain(end.err).Cause == ledger.CauseBusy: // it could not be asked
	case errors.As(end.err, &held), errors.As(end.err, &stopped), errors.As(end.err, &decision), errors.As(end.err, &passing), errors.Is(end.err, context.Canceled):
	case errors.Is(end.err, errMoment), errors.Is(end.err, ledger.ErrConflict), errors.Is(end.err, ledger.ErrNoRun):
	default:
		w.wrong("it said: %v", end.err)
	}
}

// conclude continues a run, and decides what a person must, until it is closed or stays as
// it is and says what to do.
func (p *plot) conclude(w *world, run plotRun, req Request) {
	var c Continuation
	seen, tried, again := map[string]bool{}, true, p.again
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
			watched := !slices.ContainsFunc(s.Steps, func(t ledger.StepState) bool {
				return mayRun(&t) && (t.Command() == nil || t.End == nil || t.End.Verdict == ledger.Unsure)
			})
			if seen[now] && tried && watched && !unsure && len(d.Again) == 0 {
				if s.End.Next == "" {
					w.wrong("run %v stays %s, and says not what to do: %s", run.id, s.End.Verdict, messages(s))
				}
				return
			}
			seen[now] = true
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
		_, held := errors.AsType[*ledger.HeldError](end.err)
		tried = !held
	}
}

// bytes checks that our imports have read exactly what their run had for them, and that
// what exports wrote and imports rejected has come whole.
func (p *plot) bytes(w *world, states []ledger.State) {
	tasks, requests := map[string]simulator.TaskRecord{}, w.sim.Requests()
	for _, task := range w.sim.Tasks() {
		tasks[task.ID] = task
	}
	for _, s := range states {
		for _, t := range s.Steps {
			step := p.step(s.Created.ID, t.Plan.Name)
			for _, i := range t.Intents {
				task, there := tasks[i.Task]
				if !there || task.Stranger {
					continue
				}
				for _, read := range task.Read {
					want := []string{digest(step.reads[read.File])}
					if at, was := w.changes[changed{s.Created.ID, t.Plan.Name}]; was && !requests[task.Request].At.Before(at) {
						for name, data := range step.changed {
							switch {
							case w.anew[name]: // the one that was moved is read, from where it is
							case begunAt(t, i).Before(at): // it had looked at its source already, and waited
								want = append(want, digest(data))
							default:
								want = []string{digest(data)}
							}
						}
					}
					if !slices.Contains(want, read.SHA256) {
						w.wrong("run %v, step %q: %s read %d bytes of %s, not the %d of its source", s.Created.ID, t.Plan.Name, read.Object, read.Bytes, read.File, len(step.reads[read.File]))
					}
				}
			}
			if p.private() && t.End != nil && t.End.Verdict == ledger.OK {
				p.outputs(w, s, t, tasks)
			}
		}
	}
}

// begunAt is when the try began that recorded an intent.
func begunAt(t ledger.StepState, i ledger.IntentState) (at time.Time) {
	for _, try := range t.Tries {
		if !try.Started.After(i.At) {
			at = try.Started
		}
	}
	return at
}

func digest(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// private says that nobody runs our objects with our login: outputs and dumps are ours.
func (p *plot) private() bool {
	return !slices.ContainsFunc(p.strangers, func(st simulator.Stranger) bool { return st.User == sample.Email })
}

// outputs holds the targets and the failure dumps of a step against what its task left.
func (p *plot) outputs(w *world, s ledger.State, t ledger.StepState, tasks map[string]simulator.TaskRecord) {
	life := t.Life()
	if t.Plan.Verb == string(configs.Download) { // what the export before it has written
		for _, other := range s.Steps {
			if other.Plan.Name == t.Plan.Name {
				break
			}
			if other.Plan.Verb == string(configs.Export) && other.Object.ID == t.Object.ID && other.Model.ID == t.Model.ID {
				life = other.Life()
			}
		}
	}
	if len(life) == 0 {
		return
	}
	task := tasks[life[len(life)-1].Task]
	for _, target := range t.Targets {
		data, err := os.ReadFile(target.Path)
		if err != nil || len(task.Wrote) != 1 || digest(data) != task.Wrote[0].SHA256 {
			w.wrong("step %q: its target holds %d bytes that are not those of task %s: %+v, %v", t.Plan.Name, len(data), task.ID, task.Wrote, err)
		}
	}
	for _, d := range t.Dumps {
		if d.Task != task.ID || d.Path == "" {
			continue
		}
		data, err := os.ReadFile(d.Path)
		if err != nil || !slices.ContainsFunc(task.Dumped, func(of simulator.Data) bool { return of.SHA256 == digest(data) }) {
			w.wrong("step %q: failure dump %s holds %d bytes that are not those of task %s: %v", t.Plan.Name, d.Path, len(data), task.ID, err)
		}
	}
}

// comparable says whether the night's models must hold what they do after an undisturbed
// night: nobody else came, and everything is done, once.
func (p *plot) comparable(w *world, states []ledger.State) bool {
	if len(p.strangers) > 0 || len(states) != len(p.runs) {
		return false
	}
	for _, s := range states {
		if !s.Closed() {
			return false
		}
		for _, t := range s.Steps {
			if _, was := w.changes[changed{s.Created.ID, t.Plan.Name}]; was {
				return false
			}
			if slices.ContainsFunc(t.Reopened, func(r ledger.ReopenedState) bool { return r.Rerun }) {
				return false
			}
			if t.Plan.OnFailure == string(configs.Continue) && len(t.Reopened) > 0 { // done after later ones, as the job says
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

// night plays a plot in a world of its own, with the mutant in its processes. told is what
// is wrong with it, codes how its runs have ended.
func (p *plot) night(t *testing.T, mutate func(*life), compare bool) (told []string, codes []int) {
	name := fmt.Sprintf("night %d", p.seed)
	var models string
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, name, p.company, p.files(), p.options)
		w.mutate, w.quiet = mutate, true
		states := p.play(w)
		w.truth(states...)
		p.bytes(w, states)
		p.sources(w, states)
		p.programs(w, states)
		w.close()
		if compare = compare && p.comparable(w, states); compare {
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
	if compare && len(told) == 0 {
		synctest.Test(t, func(t *testing.T) {
			quiet := p.undisturbed()
			w := newWorld(t, name+" undisturbed", quiet.company, quiet.files(), quiet.options)
			for _, run := range quiet.runs {
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

// undisturbed is the same night, in which nothing happens.
func (p *plot) undisturbed() *plot {
	quiet := *p
	switches := *p.options.Switches
	switches.Busy, switches.StartBusy409 = "", false
	quiet.options.Switches, quiet.options.Faults, quiet.options.Spells, quiet.again = &switches, nil, nil, false
	quiet.runs = slices.Clone(p.runs)
	for i := range quiet.runs {
		run := &quiet.runs[i]
		run.lives, run.doubles, run.begin = nil, nil, 0
		run.steps = slices.Clone(run.steps)
		for j := range run.steps {
			run.steps[j].step.Timeout = 0
		}
	}
	return &quiet
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
