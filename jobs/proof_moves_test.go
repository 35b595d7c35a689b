package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// What nights know of programs and of sources that are moved after their steps.

// movesFrom is the first seed whose night may have programs and sources that are moved.
const movesFrom = 400_000

// The folders of sources that were moved.
const (
	doneDir = "done"
	badDir  = "bad"
)

// What programs of nights do when they have written their line.
const (
	appends = "ends well"
	fails   = "fails"
)

// furnish gives steps of the night sources that are moved, and its runs programs. None
// starts beside another step: which of two that start at one moment is recorded first is not
// the same in each play.
func (p *plot) furnish(r *rand.Rand) {
	for i := range p.runs {
		run := &p.runs[i]
		for j := range run.steps {
			s := &run.steps[j]
			src := s.source()
			if src == nil || r.IntN(2) == 0 {
				continue
			}
			src.After = configs.After{OK: doneDir, Else: badDir}
			switch r.IntN(6) {
			case 0:
				src.After.OK = ""
			case 1:
				src.After.Else = ""
			}
			if s.step.Verb == configs.Upload {
				s.reader = run.steps[j+1].step.Name
			}
			if r.IntN(5) == 0 { // of the night before
				s.write[filepath.Join([]string{doneDir, badDir}[r.IntN(2)], src.Path)] = itemsOf(r, "old")
			}
		}
		for n := range min(r.IntN(3), 8-len(run.steps)) {
			c := plotStep{step: configs.Step{Name: fmt.Sprintf("c%d", n), Verb: configs.Command}, program: appends}
			c.step.Rerun = []string{"", "", "safe", "ask"}[r.IntN(4)]
			if c.takes = time.Duration(r.IntN(20)) * time.Second; r.IntN(4) == 0 {
				c.takes = time.Duration(r.IntN(300)) * time.Second
			}
			if r.IntN(8) == 0 {
				c.step.Timeout = time.Duration(1+r.IntN(60)) * time.Second
			}
			if r.IntN(5) == 0 {
				c.program = fails
			}
			if r.IntN(3) == 0 {
				c.step.OnFailure = configs.Continue
			}
			run.steps = slices.Insert(run.steps, r.IntN(len(run.steps)+1), c)
		}
		for range r.IntN(3) {
			l := plotLife{dies: death{after: r.IntN(2) == 0}, aim: 1 + r.IntN(5), pause: []time.Duration{time.Second, time.Minute, time.Hour}[r.IntN(3)]}
			run.lives = slices.Insert(run.lives, r.IntN(len(run.lives)+1), l)
		}
		for j := range run.lives {
			run.lives[j].cut = r.IntN(2) == 0
		}
	}
}

// sideFrom is the first seed whose night may have steps that do not wait for all above.
const sideFrom = 500_000

// loosen lets steps wait for less than all above them. What they find must not depend on the
// order: a step that reads another model waits for all above it, and all below wait for it; a
// step waits for the one that it belongs to.
func (p *plot) loosen(r *rand.Rand) {
	for i := range p.runs {
		steps, barrier := p.runs[i].steps, ""
		for j := range steps {
			s := &steps[j].step
			if s.Object.Name == "Pull" {
				barrier = s.Name
				continue
			}
			if r.IntN(4) == 0 {
				continue
			}
			s.NeedsSet = true
			if barrier != "" {
				s.Needs = append(s.Needs, barrier)
			}
			for k := range j {
				above := &steps[k]
				belongs := above.reader == s.Name || s.Verb == configs.Download && above.step.Verb == configs.Export ||
					steps[j].reads != nil && s.Source == nil && s.Files == nil && above.step.Verb == configs.Upload
				if above.step.Name != barrier && (belongs || r.IntN(6) == 0) {
					s.Needs = append(s.Needs, above.step.Name)
				}
			}
		}
	}
}

// isAim says whether a request or write has to do with a program or a move.
func isAim(what string) bool {
	return strings.HasPrefix(what, "move ") || strings.HasPrefix(what, "run ") || strings.Contains(what, " command_") || strings.Contains(what, " source_moved")
}

// source is the step's own source, nil without one.
func (s *plotStep) source() *configs.Source {
	if len(s.step.Files) > 0 {
		return &s.step.Files[0].Source
	}
	return s.step.Source
}

// moved is the step's source if it is moved when it was read, else nil.
func (s *plotStep) moved() *configs.Source {
	if src := s.source(); src != nil && src.After != (configs.After{}) {
		return src
	}
	return nil
}

// sourceIn is a source with its folders in dir.
func sourceIn(dir string, src configs.Source) configs.Source {
	src.Path = filepath.Join(dir, src.Path)
	for _, folder := range []*string{&src.After.OK, &src.After.Else} {
		if *folder != "" {
			*folder = filepath.Join(dir, *folder)
		}
	}
	return src
}

// ran is the file in which the step's program notes that it runs.
func (run plotRun) ran(s plotStep) string { return run.id.Job + run.id.Run + s.step.Name + ".ran" }

// programOf is a program that appends a line to a file, and then does as it is told: this
// test's own binary. takes is in virtual time, which the program itself has none of: the
// process that runs it waits.
func programOf(file, does string, takes time.Duration) []string {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return []string{self, file, does, takes.String()}
}

// appendLine adds a line to a file.
func appendLine(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

// runs says how often the program that has this file has run.
func (w *world) runs(file string) int {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.wrong("%v", err)
	}
	return strings.Count(string(text), "\n")
}

// exec runs a program of programOf for the process. Its start may be what the process dies
// of; one that the process does not outlive goes on. No virtual time passes while it runs,
// but for the time that it is told to take.
func (l *life) exec(ctx context.Context, p Program) (Exit, error) {
	what := "run " + filepath.Base(p.Argv[1])
	l.turn(what)
	fate := l.next(what)
	if fate == diesBefore {
		_ = p.Lock.Close() // as its end does
		return Exit{}, l.die()
	}
	if ctx.Err() != nil {
		return RunProgram(ctx, p)
	}
	takes, err := time.ParseDuration(p.Argv[3])
	if err != nil {
		return Exit{}, err
	}
	p.Env = append(p.Env, "TEST_PROGRAM=night")
	exit, err := RunProgram(context.WithoutCancel(ctx), p)
	if fate == diesAfter {
		return Exit{}, l.die()
	}
	if err == nil && !sleep(ctx, takes) {
		exit = Exit{Code: -1, Stopped: true}
	}
	if l.dead.Err() != nil {
		return Exit{}, l.die()
	}
	return exit, err
}

// Move moves a file, unless the process dies of it.
func (f slowFiles) Move(ctx context.Context, from, to string) error {
	what := fmt.Sprintf("move %s to %s", filepath.Base(from), filepath.Join(filepath.Base(filepath.Dir(to)), filepath.Base(to)))
	f.l.turn(what)
	fate := f.l.next(what)
	if fate == diesBefore {
		return f.l.die()
	}
	if f.l.w.moving != nil {
		f.l.w.moving(f.l, from, to)
	}
	if fate == diesAfter && f.l.cut {
		_ = os.MkdirAll(filepath.Dir(to), 0o700)
		_ = os.Link(from, to)
		return f.l.die()
	}
	err := f.Local.Move(ctx, from, to)
	if fate == diesAfter {
		return f.l.die()
	}
	return err
}

// decideProgram is what a person does with a step of which it is not known whether its
// program did its work: looks at what it did.
func (w *world) decideProgram(s ledger.State, t ledger.StepState, c *Continuation) {
	again, accept := ledger.ResumeCommand(s.Created.ID, "--again", t.Plan.Name), ledger.ResumeCommand(s.Created.ID, "--accept", t.Plan.Name)
	if t.Command().End != nil || t.End.Cause != ledger.CauseStartUnknown || !strings.Contains(t.End.Next, again) || !strings.Contains(t.End.Next, accept) {
		w.wrong("step %q is unsure of its program and says not what to do: %+v", t.Plan.Name, t.End)
	}
	plan, err := RecordedPlan(s)
	if err != nil {
		w.wrong("%v", err)
		return
	}
	argv := stepNamed(plan, t.Plan.Name).Argv
	begun, _ := begun(t)
	if argv[2] == appends && w.runs(argv[1]) == begun {
		c.Accept = append(c.Accept, t.Plan.Name)
	} else {
		c.Again = append(c.Again, t.Plan.Name)
	}
}

// begun counts the records of a step's program: those of which it may have run, and those
// of which it has.
func begun(t ledger.StepState) (may, has int) {
	for _, c := range t.Commands {
		switch {
		case c.End == nil:
			may++
		case c.End.Error == "":
			may++
			has++
		}
	}
	return may, has
}

// programs holds what is recorded of programs against what they did: none ran oftener than
// the record says, or again though nobody said so, and the verdicts are true.
func (p *plot) programs(w *world, states []ledger.State) {
	for _, run := range p.runs {
		for _, step := range run.steps {
			if step.program == "" {
				continue
			}
			times := w.runs(filepath.Join(w.dir, run.ran(step)))
			t := stateOf(states, run.id, step.step.Name)
			if t == nil {
				if times > 0 {
					w.wrong("run %v, step %q: its program ran, and nothing says so", run.id, step.step.Name)
				}
				continue
			}
			may, has := begun(*t)
			if times > may || times < has {
				w.wrong("run %v, step %q: its program ran %d times, the record says %d to %d", run.id, t.Plan.Name, times, has, may)
			}
			allowed := 1
			for _, r := range t.Reopened {
				if r.Rerun && (r.By != "" || step.step.Rerun == "safe") {
					allowed++
				}
			}
			if times > allowed {
				w.wrong("run %v, step %q: its program ran %d times, and %d were allowed", run.id, t.Plan.Name, times, allowed)
			}
			p.judged(w, run, step, t)
		}
	}
}

// judged holds the verdict on a program against what it does.
func (p *plot) judged(w *world, run plotRun, step plotStep, t *ledger.StepState) {
	if t.End == nil || t.End.Verdict == ledger.Blocked {
		return
	}
	last := t.Command()
	fits := false
	switch {
	case t.End.Verdict == ledger.OK && strings.Contains(t.End.Message, " took it for ok"):
		fits = slices.ContainsFunc(t.Reopened, func(r ledger.ReopenedState) bool { return r.By != "" })
	case last == nil: // it was never begun
		fits = t.End.Verdict == ledger.Failed && t.End.Cause != ledger.CauseAction
	case last.End == nil:
		fits = t.End.Verdict == ledger.Unsure
	case last.End.Why == ledger.CauseTime:
		fits = t.End.Verdict == ledger.TimedOut && step.step.Timeout > 0 && step.step.Timeout <= step.takes
	case last.End.Why == ledger.CauseSignal:
		fits = t.End.Verdict == ledger.Cancelled
	case step.program == fails:
		fits = t.End.Verdict == ledger.Failed && t.End.Cause == ledger.CauseAction
	default:
		fits = t.End.Verdict == ledger.OK && last.End.Code == 0
	}
	if !fits {
		w.wrong("run %v, step %q, whose program %s, ended %s: %s; its record is %+v", run.id, t.Plan.Name, step.program, t.End.Verdict, t.End.Message, last)
	}
}

func stateOf(states []ledger.State, run ledger.ID, step string) *ledger.StepState {
	for i := range states {
		for j := range states[i].Steps {
			if states[i].Created.ID == run && states[i].Steps[j].Plan.Name == step {
				return &states[i].Steps[j]
			}
		}
	}
	return nil
}

// over says whether the steps that read a source have ended for good, as it is recorded, and
// whether all are ok.
func (s plotStep) over(states []ledger.State, run ledger.ID) (over, ok bool) {
	ok = true
	for _, name := range []string{s.step.Name, s.reader} {
		if name == "" {
			continue
		}
		t := stateOf(states, run, name)
		if t == nil || t.End == nil {
			return false, false
		}
		switch t.End.Verdict {
		case ledger.Blocked, ledger.Unsure:
			return false, false
		case ledger.OK, ledger.Skipped:
		default:
			ok = false
		}
	}
	return true, ok
}

// moving looks at a move when it is made: every step that reads the source has ended, and
// that is recorded.
func (p *plot) moving(w *world) func(*life, string, string) {
	return func(l *life, from, to string) {
		state, _ := w.state(l.run)
		for _, run := range p.runs {
			for _, step := range run.steps {
				src := step.moved()
				if src == nil || run.id != l.run || filepath.Base(from) != filepath.Base(src.Path) {
					continue
				}
				over, ok := step.over([]ledger.State{state}, run.id)
				folder := map[bool]string{true: src.After.OK, false: src.After.Else}[ok]
				if !over || filepath.Dir(to) != filepath.Join(w.dir, folder) {
					w.wrong("run %v: %s is moved to %s, and its steps stand so: %s", run.id, from, to, verdicts(state))
				}
			}
		}
	}
}

// sources checks where the sources are that are moved: each in one place, whole, that the
// record says and the ends of its steps, and nothing else that lay there is gone.
func (p *plot) sources(w *world, states []ledger.State) {
	for _, run := range p.runs {
		for _, step := range run.steps {
			src := step.moved()
			if src == nil {
				continue
			}
			own := sourceIn(w.dir, *src)
			at, stays := p.recorded(w, states, run, step, own.Path)
			want, found := map[string]int{}, map[string]int{}
			for name, data := range step.write {
				if changed := step.changed[name]; changed != nil && w.changed(run.id, step.step.Name) {
					if want[digest(changed)]++; !w.anew[name] {
						continue
					}
				}
				want[digest(data)]++
			}
			stem := strings.TrimSuffix(src.Path, filepath.Ext(src.Path))
			for _, folder := range []string{"", doneDir, badDir} {
				names, err := filepath.Glob(filepath.Join(w.dir, folder, stem+"*"+filepath.Ext(src.Path)))
				if err != nil {
					w.wrong("%v", err)
				}
				for _, name := range names {
					data, err := os.ReadFile(name)
					if err != nil {
						w.wrong("%v", err)
					}
					found[digest(data)]++
				}
			}
			for d := range merged(want, found) {
				if want[d] != found[d] {
					w.wrong("run %v: of %s there are %d with digest %.8s, not %d; it is recorded at %s, and its steps are %s", run.id, src.Path, found[d], d, want[d], at, verdictsOf(states, run.id))
				}
			}
			p.placed(w, states, run, step, at, stays)
			p.found(w, run, step, own.Path)
		}
	}
}

func merged(a, b map[string]int) map[string]bool {
	all := map[string]bool{}
	for d := range a {
		all[d] = true
	}
	for d := range b {
		all[d] = true
	}
	return all
}

func (w *world) changed(run ledger.ID, step string) bool {
	_, was := w.changes[changed{run, step}]
	return was
}

func verdictsOf(states []ledger.State, run ledger.ID) string {
	for _, s := range states {
		if s.Created.ID == run {
			return verdicts(s)
		}
	}
	return "not recorded"
}

// recorded is where a run says that a source is, and whether it stays there because somebody
// has written it since it was read.
func (p *plot) recorded(w *world, states []ledger.State, run plotRun, step plotStep, source string) (at string, stays bool) {
	at = source
	for _, s := range states {
		if s.Created.ID != run.id {
			continue
		}
		for _, m := range s.Moves {
			switch {
			case m.Source != data.Display(source):
			case m.From == at && m.Error == errRewritten.Error() && w.changed(run.id, step.step.Name):
				stays = true
			case m.From != at || m.Error != "":
				w.wrong("run %v: %s is recorded at %s, and then %+v", run.id, source, at, m.SourceMoved)
			default:
				at, stays = m.To, false
			}
		}
	}
	return at, stays
}

// placed checks that a source lies where it is recorded, and that this is where it belongs.
// What somebody has written at its old place since then has not been read, and stays.
func (p *plot) placed(w *world, states []ledger.State, run plotRun, step plotStep, at string, stays bool) {
	src := step.moved()
	want := map[string][]byte{at: step.write[src.Path]}
	if data := step.changed[src.Path]; w.changed(run.id, step.step.Name) {
		if old := filepath.Join(w.dir, src.Path); w.anew[src.Path] {
			want[old] = data
		} else {
			want[at] = data
		}
	}
	for name, data := range want {
		if bytes, err := os.ReadFile(name); err != nil || digest(bytes) != digest(data) {
			w.wrong("run %v: %s is recorded at %s, and what should be at %s is not there: %v; its steps are %s", run.id, src.Path, at, name, err, verdictsOf(states, run.id))
		}
	}
	over, ok := step.over(states, run.id)
	if over && ok && w.changed(run.id, step.step.Name) && !w.anew[src.Path] && at != filepath.Join(w.dir, src.Path) {
		sum := xxh3.Hash128(step.changed[src.Path]).Bytes()
		if !slices.ContainsFunc(stateOf(states, run.id, step.step.Name).Uploads, func(u ledger.UploadState) bool { return u.Digest == fmt.Sprintf("%x", sum) }) {
			w.wrong("run %v: what was written in the place of %s has not been read, and is at %s", run.id, src.Path, at)
		}
	}
	if !over || stays {
		return
	}
	folder := map[bool]string{true: src.After.OK, false: src.After.Else}[ok]
	if folder != "" && filepath.Dir(at) != filepath.Join(w.dir, folder) {
		w.wrong("run %v: %s is at %s, and belongs to %q: %s", run.id, src.Path, at, folder, verdictsOf(states, run.id))
	}
}

// found checks that no runner has missed a source that a runner before had moved. One that
// nobody had uploaded has no digest in the record by which it would be found.
func (p *plot) found(w *world, run plotRun, step plotStep, source string) {
	events, err := w.ledger.Events(context.Background(), run.id, 0)
	if err != nil && !errors.Is(err, ledger.ErrNoRun) {
		w.wrong("%v", err)
	}
	known := false
	for _, e := range events {
		switch b := e.Body.(type) {
		case ledger.SourceUploaded:
			known = known || b.Path == data.Display(source)
		case ledger.StepEnded:
			if known && e.Step == step.step.Name && b.Cause == ledger.CauseInput {
				w.wrong("run %v, step %q does not find its source: %s", run.id, e.Step, b.Message)
			}
		}
	}
}

// programAndMoves is a small job with a program, and sources that are moved after an import
// that has its own, and after an import that reads an upload.
func programAndMoves(w *world) []configs.Step {
	moved := func(name string) *configs.Source {
		src := sourceIn(w.dir, configs.Source{Path: name, After: configs.After{OK: doneDir, Else: badDir}})
		return &src
	}
	return []configs.Step{
		{Name: "prepare", Verb: configs.Command, Argv: programOf(filepath.Join(w.dir, "prepare.ran"), appends, time.Second)},
		{Name: "flags", Verb: configs.Upload, Object: configs.Ref{Name: "expired.csv"}, Source: moved("expired.csv")},
		{Name: "flag", Verb: configs.Import, Object: configs.Ref{Name: "Flag expired rows"}, Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}}},
		{Name: "sales", Verb: configs.Import, Object: configs.Ref{Name: "Load Sales"}, Source: moved("sales.csv"), Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}},
			Prompts: []configs.Prompt{{Dimension: "Version", Item: "Actual"}}},
	}
}
