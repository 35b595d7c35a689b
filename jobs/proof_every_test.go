package jobs

import (
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
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
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
)

var (
	every = flag.Bool("every", false, "every point of the sweeps, not a sample")
	// The number is prime, so that a sample has something of each way.
	sampled   = flag.Int("one-of", 41, "a sample of the sweeps is one of so many points")
	onlyPoint = flag.String("point", "", "a part of the names of the points of sweeps to run, all of them")
)

// proofJob is a job that is run again and again, and what it needs of a tenant.
type proofJob struct {
	name string
	plan func(w *world) *configs.Job
	// unsure says whether a lost start may stay unsure: the tenant's login is not ours
	// alone, and no other task of the object is known.
	unsure bool
}

// leanCompany is the sample with little data. It is not changed.
var leanCompany = sync.OnceValue(func() *simulator.Company {
	c := sample.Company()
	for i := range c.Workspaces {
		for j := range c.Workspaces[i].Models {
			m := &c.Workspaces[i].Models[j]
			for k := range m.Modules {
				m.Modules[k].Cells = firstLines(m.Modules[k].Cells, 8)
			}
			for k := range m.Files {
				if f := &m.Files[k]; f.Name == "rates.csv" {
					f.Default = string(leanFiles()[f.Name]) // an example reads what the model holds
				}
			}
			for k := range m.Lists {
				m.Lists[k].Items = firstLines(m.Lists[k].Items, 12)
			}
		}
	}
	return c
})

// leanFiles are those of the sample night, shorter.
var leanFiles = sync.OnceValue(func() map[string][]byte {
	files := map[string][]byte{}
	if err := fs.WalkDir(sample.Data(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(sample.Data(), path)
		files[filepath.Base(path)] = []byte(firstLines(string(data), 12))
		return err
	}); err != nil {
		panic(err)
	}
	return files
})

// memoryDir is a folder for files that live as long as a test; in memory where that is to
// be had: targets are synced to the disk.
func memoryDir(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "proof")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// newWorld makes a world with a tenant. Polls are not counted as misuse: a process that
// follows one that was killed polls at once.
func newWorld(t *testing.T, name string, c *simulator.Company, files map[string][]byte, o simulator.Options) *world {
	t.Helper()
	if o.Switches == nil {
		s := c.Switches
		o.Switches = &s
	}
	o.Switches.PollEvery = -1
	n := &night{t: t, sim: simulator.New(c, o), ledger: &memory.Ledger{}, dir: memoryDir(t)}
	for name, data := range files {
		path := filepath.Join(n.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &world{night: n, name: name, over: make(chan struct{}), exclusive: true, changes: map[changed]time.Time{}, anew: map[string]bool{}}
}

// proofRequest is the run of a proof job.
func (w *world) proofRequest(j proofJob) Request {
	w.t.Helper()
	plan, err := NewPlan(j.plan(w), Selection{})
	if err != nil {
		w.t.Fatal(err)
	}
	return Request{ID: ledger.ID{Job: plan.Job.Name, Run: "one"}, Plan: plan, Date: time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)}
}

func proofOf(steps []configs.Step) *configs.Job {
	job := &configs.Job{Name: "nightly", Workspace: configs.Ref{Name: "Finance"}, Model: configs.Ref{Name: "Sales Hub"}, Steps: steps}
	for i := range job.Steps {
		s := &job.Steps[i]
		s.Index, s.Enabled = i, true
		if s.Base == "" {
			s.Base = s.Name
		}
	}
	return job
}

// eachVerb is a small job with one step of each verb.
func eachVerb(n *night) []configs.Step {
	return []configs.Step{
		{Name: "flags", Verb: configs.Upload, Object: configs.Ref{Name: "expired.csv"}, Source: n.file("expired.csv")},
		{Name: "flag", Verb: configs.Import, Object: configs.Ref{Name: "Flag expired rows"}, Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}}},
		{Name: "off", Verb: configs.Action, Object: configs.Ref{Name: "Close banner"}},
		{Name: "pull", Verb: configs.Process, Model: configs.Ref{Name: "FP&A EMEA"}, Object: configs.Ref{Name: "Pull from Hub"}, Accept: configs.Accept{MinLoaded: new(int64)}},
		{Name: "publish", Verb: configs.Export, Object: configs.Ref{Name: "Store List"}, Targets: []configs.Target{{Path: filepath.Join(n.dir, "stores.out"), Keep: 1}}},
		{Name: "again", Verb: configs.Download, Object: configs.Ref{Name: "Store List"}, Targets: []configs.Target{{Path: filepath.Join(n.dir, "again.out")}}},
	}
}

var (
	moving  = proofJob{name: "a program and moves", plan: func(w *world) *configs.Job { return proofOf(programAndMoves(w)) }}
	night10 = proofJob{name: "sample night", plan: func(w *world) *configs.Job { return proofOf(leanNight(w.night)) }}
	verbs   = proofJob{name: "each verb", plan: func(w *world) *configs.Job { return proofOf(eachVerb(w.night)) }}
)

// leanNight is the sample night, at data that has fewer rows.
func leanNight(n *night) []configs.Step {
	steps := sampleNight(n)
	for i := range steps {
		if steps[i].Verb == configs.Import && steps[i].Accept.Failed == nil {
			steps[i].Accept.Failed = &configs.Limit{Rows: 1000}
		}
		for j := range steps[i].Actions {
			steps[i].Actions[j].Accept.Failed = &configs.Limit{Rows: 1000}
		}
	}
	return steps
}

var minRows = regexp.MustCompile(`min_rows = \d+`)

// exampleJob is a job file of the examples, as it stands but for the numbers of rows that
// it expects and accepts: there are fewer of them here.
func exampleJob(name string) proofJob {
	return proofJob{name: name, plan: func(w *world) *configs.Job {
		text, err := fs.ReadFile(configs.Examples(), name)
		if err != nil {
			w.t.Fatal(err)
		}
		lean := minRows.ReplaceAllString(string(text), "min_rows = 0")
		lean = regexp.MustCompile(`failed = [^ ,}]+`).ReplaceAllString(lean, "failed = 1000")
		lean = strings.ReplaceAll(lean, `max_age = "26h"`, `max_age = "999999h"`)
		job, err := configs.Parse(filepath.Join(w.dir, name), []byte(lean))
		if err != nil {
			w.t.Fatal(err)
		}
		params, err := job.ParamValues(nil)
		if err == nil {
			env := func(name string) (string, bool) { return filepath.Join(w.dir, "env"), name == "ANAPLAN_OUT" }
			job, err = job.Expand(configs.Values{Params: params, RunID: "one", Env: env, Date: time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)})
		}
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range job.Steps {
			job.Steps[i].Accept.MinLoaded = new(int64)
			for j := range job.Steps[i].Actions {
				if a := job.Steps[i].Actions[j].Accept; a != nil {
					a.MinLoaded = new(int64)
				}
			}
			for _, target := range job.Steps[i].Targets {
				if err := os.MkdirAll(filepath.Dir(target.Path), 0o700); err != nil {
					w.t.Fatal(err)
				}
			}
			if src := job.Steps[i].Source; src != nil && src.Path != "" {
				if _, err := os.Stat(src.Path); err != nil { // a file of the examples' own day
					if err := os.MkdirAll(filepath.Dir(src.Path), 0o700); err != nil {
						w.t.Fatal(err)
					}
					if err := os.WriteFile(src.Path, leanFiles()["sales.csv"], 0o600); err != nil {
						w.t.Fatal(err)
					}
				}
			}
		}
		return job
	}}
}

// proofJobs are the sample jobs: those of the examples, and the sample night.
func proofJobs(t *testing.T) []proofJob {
	t.Helper()
	names, err := fs.Glob(configs.Examples(), "*.toml")
	if err != nil || len(names) < 7 {
		t.Fatalf("%v, %v", names, err)
	}
	jobs := []proofJob{night10, verbs, moving}
	for _, n := range names {
		if n != "connections.toml" && n != "landing-zone.toml" { // whose files lie in buckets
			jobs = append(jobs, exampleJob(n))
		}
	}
	return jobs
}

// proofFiles are the sources of the sample jobs, where the jobs look for them.
func proofFiles() map[string][]byte {
	files := map[string][]byte{}
	for name, data := range leanFiles() {
		files[name], files["data/"+name] = data, data
	}
	files["stores.out"] = []byte("of yesterday\n")
	return files
}

// inWorld runs f in a world of its own, in virtual time.
func (j proofJob) inWorld(t *testing.T, name string, o simulator.Options, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, j.name+": "+name, leanCompany(), proofFiles(), o)
		w.exclusive = !j.unsure
		defer w.close()
		f(w)
	})
}

// undisturbed is what the job comes to when nothing happens, and how many requests and
// writes that takes.
type undisturbed struct {
	final            final
	requests, writes int
	points, starts   int
}

func (j proofJob) undisturbed(t *testing.T) (u undisturbed) {
	t.Helper()
	j.inWorld(t, "undisturbed", simulator.Options{}, func(w *world) {
		req := w.proofRequest(j)
		l := w.born(death{})
		l.goOn(req, Continuation{})
		end, _ := l.wait()
		if end.err != nil || end.state.End == nil || end.state.End.Code != 0 || !end.state.Closed() {
			w.t.Fatalf("%s: %v\n%s", w.name, end.err, messages(end.state))
		}
		w.truth(end.state)
		u = undisturbed{w.final(end.state), len(w.sim.Requests()), l.writes, l.count, len(w.sim.Tasks())}
	})
	return u
}

// compare holds an end against the undisturbed one.
func (u undisturbed) compare(w *world, s ledger.State) {
	w.t.Helper()
	w.truth(s)
	if diff := u.final.same(w.final(s)); diff != "" {
		w.wrong("it ends in another way (-undisturbed +this):\n%s", diff)
	}
	if w.faults > 0 {
		w.t.Logf("%s: %s\nlast of the first process: %s", w.name, messages(s), tail(w.lives[0].trace, 6))
	}
}

func tail(lines []string, n int) string { return strings.Join(lines[max(0, len(lines)-n):], "; ") }

// decidable says whether the run may have been unsure.
func (j proofJob) decidable(w *world, decided bool) {
	if decided && !j.unsure {
		w.wrong("it was unsure, though nobody else uses the login")
	}
}

var pauses = []time.Duration{time.Second, time.Minute, time.Hour}

// point is one world of a sweep.
type point struct {
	name  string
	o     simulator.Options
	world func(*world)
}

// sweep runs points on all cores and tells how many there were, and how many ended in
// another way.
func (j proofJob) sweep(t *testing.T, points []point) {
	t.Helper()
	var next, wrong atomic.Int64
	began := time.Now()
	t.Run(j.name, func(t *testing.T) {
		for core := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(core), func(t *testing.T) {
				t.Parallel()
				for {
					i := int(next.Add(1)) - 1
					if i >= len(points) || wrong.Load() > 10 {
						return
					}
					p := points[i]
					j.inWorld(t, p.name, p.o, func(w *world) {
						p.world(w)
						if w.faults > 0 {
							wrong.Add(1)
						}
					})
				}
			})
		}
	})
	if len(points) == 0 && *onlyPoint == "" {
		t.Errorf("%s: no point", j.name)
	}
	t.Logf("%s: %d points, %d differences, %s", j.name, len(points), wrong.Load(), time.Since(began).Round(time.Millisecond))
}

// oneIn says of how many points one is run: of more in short tests.
func oneIn() int {
	if testing.Short() {
		return 4 * *sampled
	}
	return *sampled
}

// chosen are the points that are to be run: all, or a sample that is spread over them.
func chosen(points []point) []point {
	var some []point
	of := oneIn()
	for i, p := range points {
		if *onlyPoint == "" && (*every || i%of == of/2) || *onlyPoint != "" && strings.Contains(p.name, *onlyPoint) {
			some = append(some, p)
		}
	}
	return some
}

// deaths are a process killed at every request and write, before and after it took effect,
// and the next one a second, a minute or an hour later.
func (j proofJob) deaths(u undisturbed) []point {
	var points []point
	for n := 1; n <= u.points; n++ {
		for _, after := range []bool{false, true} {
			for _, pause := range pauses {
				d := death{n, after}
				points = append(points, point{name: fmt.Sprintf("%s, %s later", d, pause), world: func(w *world) {
					req := w.proofRequest(j)
					l := w.born(d)
					l.goOn(req, Continuation{})
					if end, died := l.wait(); !died && end.err != nil {
						w.wrong("%v", end.err)
					}
					s, decided := w.finish(req, pause)
					j.decidable(w, decided)
					u.compare(w, s)
				}})
			}
		}
	}
	return chosen(points)
}

// TestEveryDeath kills the runner of every sample job at every point.
func TestEveryDeath(t *testing.T) {
	for _, j := range proofJobs(t) {
		if testing.Short() && j.name != verbs.name {
			continue
		}
		u := j.undisturbed(t)
		j.sweep(t, j.deaths(u))
	}
}

// TestEveryDeathWithoutALoginOfOurOwn is the same where a lost start may have been
// somebody else's: then a person decides, and what the run comes to is the same.
func TestEveryDeathWithoutALoginOfOurOwn(t *testing.T) {
	for _, j := range []proofJob{night10, verbs} {
		if testing.Short() && j.name != verbs.name {
			continue
		}
		j.unsure = true
		u := j.undisturbed(t)
		j.sweep(t, j.deaths(u))
	}
}

// loginRefused says whether a login was refused, which is final for its process.
func (w *world) loginRefused() bool {
	return slices.ContainsFunc(w.sim.Requests(), func(r simulator.Request) bool {
		return r.Path == "/token/authenticate" && r.Status == http.StatusUnauthorized
	})
}

// disturbed are single faults: of every request, and of every write to the ledger.
func (j proofJob) disturbed(u undisturbed) []point {
	var points []point
	add := func(name string, f simulator.Fault, sick []int, made bool) {
		var o simulator.Options
		if sick == nil {
			o.Faults = []simulator.Fault{f}
		}
		points = append(points, point{name: name, o: o, world: func(w *world) {
			req := w.proofRequest(j)
			l := w.born(death{})
			l.sick, l.made = sick, made
			l.goOn(req, Continuation{})
			w.mayNotFire = f.Method != "" // it is a request of another method that stands there
			if end, _ := l.wait(); end.err != nil {
				if _, there := w.state(req.ID); there { // else it could not be begun, and says so
					w.wrong("%v", end.err)
				}
			}
			if s, there := w.state(req.ID); there && !s.Closed() && !j.unsure && !w.loginRefused() {
				w.wrong("it does not end by itself: %s\n%s", verdicts(s), messages(s))
			}
			s, decided := w.finish(req, time.Minute)
			j.decidable(w, decided)
			u.compare(w, s)
		}})
	}
	for n := 1; n <= u.requests; n++ {
		for _, d := range disturbances {
			f := d.fault
			if f.Nth = n; f.After > 0 {
				continue
			}
			add(fmt.Sprintf("request %d, %s", n, d.name), f, nil, false)
		}
	}
	for _, d := range disturbances {
		for n := 1; d.fault.After > 0 && n <= u.starts; n++ {
			f := d.fault
			f.Method, f.Path, f.Nth = "POST", "/tasks$", n
			add(fmt.Sprintf("start %d, %s", n, d.name), f, nil, false)
		}
	}
	for n := 1; n <= u.writes; n++ {
		add(fmt.Sprintf("write %d fails once", n), simulator.Fault{}, []int{n}, false)
		add(fmt.Sprintf("write %d is made and fails", n), simulator.Fault{}, []int{n}, true)
	}
	return chosen(points)
}

// TestEveryDisturbance lets every request and every write of every sample job fail in turn.
func TestEveryDisturbance(t *testing.T) {
	for _, j := range proofJobs(t) {
		if testing.Short() && j.name != verbs.name {
			continue
		}
		u := j.undisturbed(t)
		j.sweep(t, j.disturbed(u))
	}
}

// TestPairsOfDeaths kills two runners of one run: at every pair of points of a job with one
// step of each verb; without -every at a sample.
func TestPairsOfDeaths(t *testing.T) {
	j := verbs
	u := j.undisturbed(t)
	var points []point
	for n := 1; n <= u.points; n++ {
		for m := 1; m <= u.points; m++ {
			for how := range 4 {
				if !*every && *onlyPoint == "" && (n*u.points+m+how*17)%(oneIn()*10+1) != 0 {
					continue
				}
				first, second := death{n, how&1 != 0}, death{m, how&2 != 0}
				pause := pauses[(n+m+how)%len(pauses)]
				points = append(points, point{name: fmt.Sprintf("%s, %s of the second, %s later", first, second, pause), world: func(w *world) {
					req := w.proofRequest(j)
					for _, d := range []death{first, second} {
						l := w.born(d)
						l.goOn(req, Continuation{})
						if end, died := l.wait(); !died && end.err != nil {
							w.wrong("%v", end.err)
						}
						time.Sleep(pause)
					}
					s, decided := w.finish(req, pause)
					j.decidable(w, decided)
					u.compare(w, s)
				}})
			}
		}
	}
	if *onlyPoint != "" {
		points = chosen(points)
	}
	j.sweep(t, points)
}
