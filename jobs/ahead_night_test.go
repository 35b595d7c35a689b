package jobs

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// The modelled night: 40 steps in 6 models, 20 GB over a line of 100 Mbit/s. Sources and
// line are both smaller by modelScale, so that they take the time that they would.
const (
	modelScale = 10_000
	modelLine  = 12_500_000 / modelScale // bytes a second
)

// modelStep is a step of the modelled night: so many minutes of its task, and so many MB of
// its source, if it has one.
type modelStep struct {
	name, model string
	verb        configs.Verb
	minutes     float64
	mb          int
	needs       string // steps of other models, by name; it needs the one before it in its model anyway
}

// modelledNight are the steps in the order of the job file.
var modelledNight = slices.Concat([]modelStep{
	{"products", "Hub", configs.Import, 2.5, 350, ""},
	{"customers", "Hub", configs.Import, 4, 900, ""},
	{"accounts", "Hub", configs.Import, 1.5, 150, ""},
	{"sales", "Hub", configs.Import, 9, 2600, ""},
	{"orders", "Hub", configs.Import, 6, 1300, ""},
	{"stock", "Hub", configs.Import, 5, 1100, ""},
	{"prices", "Hub", configs.Import, 2, 300, ""},
	{"rates", "Hub", configs.Import, 1, 100, ""},
	{"consolidate", "Hub", configs.Process, 14, 0, ""},
	{"extract", "Hub", configs.Export, 2, 0, ""},
	{"open window", "Staff", configs.Action, 1, 0, ""},
	{"people", "Staff", configs.Import, 6, 1700, ""},
	{"pay", "Staff", configs.Import, 5, 1200, ""},
	{"positions", "Staff", configs.Import, 3, 600, ""},
	{"staff costs", "Staff", configs.Process, 17, 0, ""},
}, spoke("EMEA", 1), spoke("AMER", 1.2), spoke("APAC", 0.7), []modelStep{
	{"take EMEA", "Report", configs.Import, 2, 0, "close EMEA"},
	{"take AMER", "Report", configs.Import, 2, 0, "close AMER"},
	{"take APAC", "Report", configs.Import, 1.5, 0, "close APAC"},
	{"take staff", "Report", configs.Import, 1.5, 0, "staff costs"},
	{"budget", "Report", configs.Import, 3, 1100, ""},
	{"last year", "Report", configs.Import, 4, 1300, ""},
	{"market", "Report", configs.Import, 2, 500, ""},
	{"publish", "Report", configs.Process, 8, 0, ""},
	{"board", "Report", configs.Export, 1.5, 0, ""},
	{"banner off", "Report", configs.Action, 0.2, 0, ""},
})

func spoke(region string, size float64) []modelStep {
	return []modelStep{
		{"pull " + region, region, configs.Import, 5 * size, 0, "consolidate"},
		{"plans " + region, region, configs.Import, 4 * size, int(1100 * size), ""},
		{"promotions " + region, region, configs.Import, 3 * size, int(1250 * size), ""},
		{"forecast " + region, region, configs.Process, 12 * size, 0, ""},
		{"close " + region, region, configs.Export, 2 * size, 0, ""},
	}
}

// modelCompany has an object for each step.
func modelCompany() *simulator.Company {
	c := &simulator.Company{Users: []simulator.User{{Email: sample.Email, Password: sample.Password, Access: map[string]string{"*": "admin"}}}}
	w := simulator.Workspace{Name: "W"}
	for _, s := range modelledNight {
		i := slices.IndexFunc(w.Models, func(m simulator.Model) bool { return m.Name == s.model })
		if i < 0 {
			i = len(w.Models)
			w.Models = append(w.Models, simulator.Model{Name: s.model, Lists: []simulator.List{{Name: "Items", Items: "name,code\nOne,C1\n"}}})
		}
		m := &w.Models[i]
		took := time.Duration(s.minutes * float64(time.Minute))
		from := map[string]string{"name": "Name", "code": "Code"}
		switch {
		case s.mb > 0:
			m.Files = append(m.Files, simulator.File{Name: s.name + ".csv"})
			m.Imports = append(m.Imports, simulator.Import{Name: s.name, File: s.name + ".csv", List: "Items", Map: from, Duration: took})
		case s.verb == configs.Import:
			m.Imports = append(m.Imports, simulator.Import{Name: s.name, SourceModel: "Hub", SourceList: "Items", List: "Items", Map: from, Duration: took})
		case s.verb == configs.Export:
			m.Exports = append(m.Exports, simulator.Export{Name: s.name, List: "Items", Duration: took})
		case s.verb == configs.Process:
			m.Actions = append(m.Actions, simulator.Action{Name: "do " + s.name, Duration: took})
			m.Processes = append(m.Processes, simulator.Process{Name: s.name, Actions: []string{"do " + s.name}})
		default:
			m.Actions = append(m.Actions, simulator.Action{Name: s.name, Duration: took})
		}
	}
	c.Workspaces = []simulator.Workspace{w}
	return c
}

// modelSource is a CSV file that hardly gets smaller by compression.
func modelSource(name string, size int) []byte {
	r := rand.New(rand.NewPCG(uint64(size), uint64(len(name))))
	var b bytes.Buffer
	b.WriteString("Name,Code,Text\n")
	for i := 0; b.Len() < size; i++ {
		raw := make([]byte, min(6000, max(1, (size-b.Len()-40)*3/4)))
		for k := range raw {
			raw[k] = byte(r.Uint32())
		}
		fmt.Fprintf(&b, "%s %d,%s-%d,%s\n", name, i, name, i, base64.StdEncoding.EncodeToString(raw))
	}
	return b.Bytes()
}

// modelLineOf is a network whose uploads share one line.
type modelLineOf struct {
	base http.RoundTripper

	mu   sync.Mutex
	free time.Time        // when the line is
	sent map[string]int64 // bytes of bodies, by path
}

var chunkPath = regexp.MustCompile(`/files/\d+/chunks/\d+$`)

func (l *modelLineOf) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut && chunkPath.MatchString(r.URL.Path) {
		body := r.Body
		r = r.Clone(r.Context())
		r.Body = struct {
			io.Reader
			io.Closer
		}{onLine{body, l, r.URL.Path}, body}
	}
	return l.base.RoundTrip(r)
}

// onLine is a body on its way: its pieces take their turns with those of others.
type onLine struct {
	io.Reader
	l    *modelLineOf
	path string
}

func (o onLine) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p[:min(len(p), 400)])
	o.l.mu.Lock()
	if now := time.Now(); o.l.free.Before(now) {
		o.l.free = now
	}
	o.l.free = o.l.free.Add(wireTime(int64(n)))
	o.l.sent[o.path] += int64(n)
	until := o.l.free
	o.l.mu.Unlock()
	time.Sleep(time.Until(until))
	return n, err
}

// wireTime is what so many bytes take on the line.
func wireTime(n int64) time.Duration { return time.Duration(n) * time.Second / modelLine }

// modelRun runs the modelled night, changed, and tells how long it took, and how much time
// each step's source took on the line.
func modelRun(t *testing.T, sw simulator.Switches, change func(*configs.Job)) (span time.Duration, wire map[string]time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sw.NoRateLimit = true
		n := newNightOf(t, modelCompany(), simulator.Options{Switches: &sw})
		defer n.close()
		line := &modelLineOf{base: n.sim.Transport(), sent: map[string]int64{}}
		n.client = anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: line, Limiter: anaplan.NewLimiter(0),
			Authorize: func(rt http.RoundTripper) http.RoundTripper {
				return &auth.Transport{Source: n.source, Base: rt, Hosts: []string{host}}
			}}), api)
		var steps []configs.Step
		last, total := map[string]string{}, 0
		for _, s := range modelledNight {
			step := configs.Step{Name: s.name, Verb: s.verb, Object: configs.Ref{Name: s.name}, Model: configs.Ref{Name: s.model}, NeedsSet: true,
				Accept: configs.Accept{MinLoaded: new(int64)}}
			for _, need := range []string{last[s.model], s.needs} {
				if need != "" {
					step.Needs = append(step.Needs, need)
				}
			}
			last[s.model] = s.name
			if s.mb > 0 {
				data := modelSource(s.name, s.mb*1_000_000/modelScale)
				total += len(data)
				step.Source = n.file(s.name + ".csv")
				if err := os.WriteFile(step.Source.Path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if s.verb == configs.Export {
				step.Targets = []configs.Target{{Path: filepath.Join(n.dir, s.name+".out")}}
			}
			steps = append(steps, step)
		}
		if gb := float64(total) * modelScale / 1e9; len(last) != 6 || len(steps) != 40 || gb < 19.9 || gb > 20.1 {
			t.Fatalf("the night has %d steps in %d models, and %.2f GB", len(steps), len(last), gb)
		}
		req := n.request(ledger.ID{Job: "nightly", Run: "one"}, steps...)
		req.Plan.Job.Workspace, req.Plan.Job.MaxParallel = configs.Ref{Name: "W"}, 6
		if change != nil {
			change(req.Plan.Job)
		}
		plan, err := NewPlan(req.Plan.Job, Selection{})
		if err != nil {
			t.Fatal(err)
		}
		req.Plan = plan
		began := time.Now()
		s, err := n.runner.Run(t.Context(), req)
		span = time.Since(began)
		if err != nil || s.End.Code != 0 {
			t.Fatalf("%v\n%s", err, messages(s))
		}
		wire = map[string]time.Duration{}
		for _, t := range s.Steps {
			for _, u := range t.Uploads {
				for k := range u.Chunks {
					path := fmt.Sprintf("/2/0/workspaces/%s/models/%s/files/%s/chunks/%d", t.Model.Workspace, t.Model.ID, u.File.ID, k)
					wire[t.Plan.Name] += wireTime(line.sent[path])
				}
			}
			if len(t.Uploads) > 1 {
				n.t.Errorf("step %q uploaded its source %d times", t.Plan.Name, len(t.Uploads))
			}
		}
	})
	return span, wire
}

// modelBound is what the night takes at least: what the line takes, and when its last step
// can end. A step begins when those that it needs have ended, and when its model has done,
// one at a time, the tasks before it and the uploads of these and of its own.
func modelBound(wire map[string]time.Duration) (bound time.Duration, why string) {
	for _, w := range wire {
		bound += w
	}
	why = "the line"
	end, inModel := map[string]time.Duration{}, map[string]time.Duration{}
	last := map[string]string{}
	for _, s := range modelledNight { // in an order in which they can run
		took := time.Duration(s.minutes * float64(time.Minute))
		end[s.name] = took + max(inModel[s.model]+wire[s.name], end[last[s.model]], end[s.needs])
		inModel[s.model] += wire[s.name] + took
		last[s.model] = s.name
		if end[s.name] > bound {
			bound, why = end[s.name], "what step "+s.name+" waits for"
		}
	}
	return bound, why
}

// TestModelledNight holds the span of a night against what it takes at least, and against
// the same steps one after another. Time is virtual: the numbers are the same each time.
func TestModelledNight(t *testing.T) {
	span, wire := modelRun(t, simulator.Switches{Busy: "hang"}, nil)
	bound, why := modelBound(wire)
	tell := func(name string, d time.Duration) {
		t.Logf("%-46s %8s  %.3f", name, d.Round(time.Second), float64(d)/float64(bound))
	}
	within := func(name string, d time.Duration) {
		if tell(name, d); d > bound*11/10 || d < bound {
			t.Errorf("%s: it takes %s, and may take %s to %s", name, d, bound, bound*11/10)
		}
	}
	tell("lower bound ("+why+")", bound)
	within("file calls hang while a model works", span)
	if !testing.Short() {
		free, _ := modelRun(t, simulator.Switches{}, nil)
		within("file calls are answered", free)
		inTurn, _ := modelRun(t, simulator.Switches{}, func(job *configs.Job) { eachStep(job, func(s *configs.Step) { s.Ahead = new(bool) }) })
		tell("every upload at its step's turn", inTurn)
		row, _ := modelRun(t, simulator.Switches{}, func(job *configs.Job) {
			eachStep(job, func(s *configs.Step) { s.Ahead, s.Needs, s.NeedsSet = new(bool), nil, false })
		})
		tell("one step after another", row)
		if 2*row < 3*span || inTurn <= span {
			t.Error("it gains too little")
		}
	}
	if n := strings.Count(fmt.Sprint(wire), ":"); n != 20 {
		t.Errorf("%d sources were uploaded: %v", n, wire)
	}
}

func eachStep(job *configs.Job, f func(*configs.Step)) {
	for i := range job.Steps {
		f(&job.Steps[i])
	}
}
