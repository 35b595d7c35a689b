package jobs

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
)

const (
	api  = "https://api.anaplan.com/2/0"
	host = "api.anaplan.com"
)

// night is a simulated tenant and a runner that is logged in to it.
type night struct {
	t      *testing.T
	sim    *simulator.Simulator
	source *auth.Source
	runner *Runner
	ledger *memory.Ledger
	dir    string // of sources and targets
	client *anaplan.Client
	seen   []Progress

	mayNotFire bool // the faults
	pid        int  // of the runner that continues
}

// newNight makes a night inside a bubble. At its end the simulator must have nothing to
// say against us, and every fault must have fired.
func newNight(t *testing.T, o simulator.Options) *night {
	t.Helper()
	return newNightOf(t, sample.Company(), o)
}

// newNightOf is newNight at another company, whose users include the sample's.
func newNightOf(t *testing.T, c *simulator.Company, o simulator.Options) *night {
	t.Helper()
	n := &night{t: t, sim: simulator.New(c, o), ledger: &memory.Ledger{}, dir: t.TempDir()}
	if err := fs.WalkDir(sample.Data(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(sample.Data(), path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(n.dir, filepath.Base(path)), data, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
	base := n.sim.Transport()
	n.source = auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: sample.Email, Password: secret.FromString(sample.Password)},
		Client: &http.Client{Transport: base}, Base: "https://auth.anaplan.com"})
	hc := anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base, Limiter: anaplan.NewLimiter(0),
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return &auth.Transport{Source: n.source, Base: rt, Hosts: []string{host}}
		}})
	n.client = anaplan.New(hc, api)
	n.runner = &Runner{Ledger: n.ledger, Dir: filepath.Join(n.dir, "runs"), Version: "test",
		Connect: func(context.Context, string) (*Tenant, error) { return &Tenant{Client: n.client, Host: host}, nil },
		Watch:   func(p Progress) { n.seen = append(n.seen, p) }}
	return n
}

// newLeanNight is a night with little data, for tests of many nights.
func newLeanNight(t *testing.T, o simulator.Options) *night {
	t.Helper()
	c := sample.Company()
	for i := range c.Workspaces {
		for j := range c.Workspaces[i].Models {
			for k := range c.Workspaces[i].Models[j].Modules {
				m := &c.Workspaces[i].Models[j].Modules[k]
				m.Cells = firstLines(m.Cells, 20)
			}
		}
	}
	n := newNightOf(t, c, o)
	for _, name := range []string{"sales.csv", "rates.csv", "expired.csv"} {
		path := filepath.Join(n.dir, name)
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(firstLines(string(data), 25)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// slowTasks are tasks that take minutes.
func slowTasks() simulator.Options {
	return simulator.Options{Speed: 0.01, Switches: &simulator.Switches{PollEvery: 5 * time.Second}}
}

func firstLines(text string, most int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[:min(len(lines), most)], "")
}

func (n *night) close() {
	n.t.Helper()
	_ = n.source.Logout(context.Background()) // nothing hangs on it
	n.sim.Close()
	for _, m := range n.sim.Misuse() {
		n.t.Errorf("misuse: %s", m)
	}
	for _, f := range n.sim.UnfiredFaults() {
		if n.mayNotFire {
			break
		}
		n.t.Errorf("fault never fired: %+v", f)
	}
}

// request is a run of a job of these steps.
func (n *night) request(id ledger.ID, steps ...configs.Step) Request {
	n.t.Helper()
	job := &configs.Job{Name: "nightly", Workspace: configs.Ref{Name: "Finance"}, Model: configs.Ref{Name: "Sales Hub"}, Steps: steps}
	for i := range job.Steps {
		s := &job.Steps[i]
		s.Index, s.Enabled = i, true
		if s.Base == "" {
			s.Base = s.Name
		}
	}
	plan, err := NewPlan(job, Selection{})
	if err != nil {
		n.t.Fatal(err)
	}
	return Request{ID: id, Plan: plan, Date: time.Now()}
}

// run runs a job, and checks that its state is what the ledger holds.
func (n *night) run(ctx context.Context, steps ...configs.Step) ledger.State {
	n.t.Helper()
	id := ledger.ID{Job: "nightly", Run: rand.Text()}
	state, err := n.runner.Run(ctx, n.request(id, steps...))
	if err != nil {
		n.t.Fatal(err)
	}
	events, err := n.ledger.Events(context.Background(), id, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	again, err := ledger.Fold(events)
	if diff := cmp.Diff(again, state); err != nil || diff != "" {
		n.t.Fatalf("the ledger's events do not fold to the run's state: %v\n%s", err, diff)
	}
	return state
}

func (n *night) file(name string) *configs.Source {
	return &configs.Source{Path: filepath.Join(n.dir, name)}
}

func loadSales(n *night, accept int64) configs.Step {
	return configs.Step{Name: "load sales", Verb: configs.Import, Object: configs.Ref{Name: "Load Sales"}, Source: n.file("sales.csv"),
		Prompts: []configs.Prompt{{Dimension: "Version", Item: "Actual"}}, Accept: configs.Accept{Failed: &configs.Limit{Rows: accept}}}
}

// sampleNight is a job with every verb.
func sampleNight(n *night) []configs.Step {
	rows := int64(1)
	return []configs.Step{
		loadSales(n, 1000),
		{Name: "forecast", Verb: configs.Process, Object: configs.Ref{Name: "Nightly Forecast"},
			Files:   []configs.StepFile{{File: configs.Ref{Name: "rates.csv"}, Source: *n.file("rates.csv"), Guard: configs.Guard{MinRows: &rows}}},
			Actions: []configs.StepAction{{Action: configs.Ref{Name: "Load Rates"}, Accept: &configs.Accept{Failed: &configs.Limit{Rows: 1000}}, Prompts: []configs.Prompt{{Dimension: "Version", Item: "Actual"}}}}},
		{Name: "spokes[EMEA]", Base: "spokes", Verb: configs.Process, Model: configs.Ref{Name: "FP&A EMEA"}, Object: configs.Ref{Name: "Pull from Hub"}, NeedsSet: true, Needs: []string{"forecast"}},
		{Name: "spokes[AMER]", Base: "spokes", Verb: configs.Process, Model: configs.Ref{Name: "FP&A AMER"}, Object: configs.Ref{Name: "Pull from Hub"}, NeedsSet: true, Needs: []string{"forecast"}},
		{Name: "publish", Verb: configs.Export, Object: configs.Ref{Name: "Forecast Output"}, Guard: configs.Guard{MinRows: &rows},
			Targets: []configs.Target{{Path: filepath.Join(n.dir, "out", "forecast.csv")}, {Path: filepath.Join(n.dir, "copy", "forecast.csv")}}},
		{Name: "flags", Verb: configs.Upload, Object: configs.Ref{Name: "expired.csv"}, Source: n.file("expired.csv")},
		{Name: "flag", Verb: configs.Import, Object: configs.Ref{Name: "Flag expired rows"}},
		{Name: "purge", Verb: configs.Action, Object: configs.Ref{Name: "Delete expired rows"}, Delete: true},
		{Name: "again", Verb: configs.Download, Object: configs.Ref{Name: "Forecast Output"}, Targets: []configs.Target{{Path: filepath.Join(n.dir, "again.csv")}}},
		{Name: "banner off", Verb: configs.Action, Object: configs.Ref{Name: "Close banner"}, When: configs.WhenAlways},
	}
}

func verdicts(s ledger.State) string {
	var all []string
	for _, t := range s.Steps {
		v := "-"
		if t.End != nil {
			v = string(t.End.Verdict)
			if t.End.Cause != "" {
				v += "/" + string(t.End.Cause)
			}
		}
		all = append(all, t.Plan.Name+" "+v)
	}
	return strings.Join(all, ", ")
}

func messages(s ledger.State) string {
	var b strings.Builder
	for _, t := range s.Steps {
		if t.End != nil {
			fmt.Fprintf(&b, "%s: %s; %s\n", t.Plan.Name, t.End.Message, t.End.Next)
		}
	}
	if s.End != nil {
		fmt.Fprintf(&b, "run: %s %s; %s\n", s.End.Verdict, s.End.Message, s.End.Next)
	}
	return b.String()
}

// TestSampleNight runs every verb, with rejected rows reported as successful and not.
func TestSampleNight(t *testing.T) {
	for _, successful := range []bool{true, false} {
		t.Run(fmt.Sprint(successful), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, simulator.Options{Switches: &simulator.Switches{RejectsSuccessful: successful}})
				defer n.close()
				s := n.run(t.Context(), sampleNight(n)...)
				want := "load sales ok, forecast ok, spokes[EMEA] ok, spokes[AMER] ok, publish ok, flags ok, flag ok, purge ok, again ok, banner off ok"
				if got := verdicts(s); got != want || s.End.Code != 0 || !s.Closed() {
					t.Errorf("got  %s\nwant %s\n%s", got, want, messages(s))
				}
				for _, name := range []string{"out/forecast.csv", "copy/forecast.csv", "again.csv"} {
					if data, err := os.ReadFile(filepath.Join(n.dir, name)); err != nil || strings.Count(string(data), "\n") < 100 {
						t.Errorf("%s: %d bytes, %v", name, len(data), err)
					}
				}
				if d := s.Steps[0].Dumps; len(d) != 1 || d[0].Dump.Rejected == 0 || len(d[0].Dump.Reasons) < 2 {
					t.Errorf("dumps of the first step: %+v", d)
				}
			})
		})
	}
}
