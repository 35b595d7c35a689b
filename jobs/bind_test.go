package jobs

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// bindCompany is the sample with models that are in the way.
func bindCompany() *simulator.Company {
	c := sample.Company()
	for i := range c.Users {
		if c.Users[i].Email == sample.Email {
			c.Users[i].Access["Closed Books"] = "none"
		}
	}
	w := &c.Workspaces[0]
	w.Models = append(w.Models, simulator.Model{Name: "Closed Books"}, simulator.Model{Name: "Empty"},
		simulator.Model{Name: "Locked", State: "LOCKED", Actions: []simulator.Action{{Name: "Tick"}}})
	hub := &w.Models[0]
	hub.Exports = append(hub.Exports, simulator.Export{Name: "Store Book", List: "Stores", Format: "application/vnd.ms-excel"})
	return c
}

// readJob reads a job file as a run would, with all its values.
func readJob(t *testing.T, file string) *configs.Job {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	job, err := configs.Parse(filepath.Base(file), text)
	if err == nil {
		job, err = job.Expand(configs.Values{RunID: "run", Date: time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// TestBindSaysWhatIsWrong compares what a user sees when names do not resolve, or files
// get no bytes: the problems, else the warnings.
func TestBindSaysWhatIsWrong(t *testing.T) {
	files, err := filepath.Glob("testdata/bind/*.toml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	synctest.Test(t, func(t *testing.T) {
		n := newNightOf(t, bindCompany(), simulator.Options{Switches: &simulator.Switches{NoRateLimit: true}})
		defer n.close()
		ana := n.loginAs("ana.ortiz@example.com", "staple")
		n.runner.Connect = func(_ context.Context, name string) (*Tenant, error) {
			if name == "ana" {
				return &Tenant{Client: ana, Host: host}, nil
			}
			return &Tenant{Client: n.client, Host: host}, nil
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".toml")
			job := readJob(t, file)
			plan, err := NewPlan(job, Selection{})
			if err != nil {
				t.Fatal(err)
			}
			bound, err := Bind(t.Context(), plan, n.runner.Connect)
			var got string
			if strings.HasPrefix(name, "right_") {
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				for _, w := range bound.Warnings {
					got += w + "\n"
				}
			} else {
				problems, ok := errors.AsType[configs.Problems](err)
				if !ok || bound != nil {
					t.Errorf("%s: no problems: %v", name, err)
					continue
				}
				for _, p := range problems {
					if p.File == "" || p.Line == 0 || p.Key == "" || p.What == "" || p.Instead == "" {
						t.Errorf("%s: incomplete: %+v", name, p)
					}
				}
				if end := explain(err); end.Cause != "config" {
					t.Errorf("%s: its cause is %s", name, end.Cause)
				}
				got = err.Error() + "\n"
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".want", got)
		}
		if tasks := n.sim.Tasks(); len(tasks) > 0 {
			t.Errorf("binding started %d tasks", len(tasks))
		}
		for _, r := range n.sim.Requests() {
			if r.Method != http.MethodGet && !strings.HasPrefix(r.Path, "/token/") {
				t.Errorf("binding sent %s %s", r.Method, r.Path)
			}
		}
	})
}

// loginAs is a client of another user.
func (n *night) loginAs(user, password string) *anaplan.Client {
	base := n.sim.Transport()
	source := auth.NewSource(auth.SourceOptions{Login: auth.Basic{User: user, Password: secret.FromString(password)},
		Client: &http.Client{Transport: base}, Base: "https://auth.anaplan.com"})
	hc := anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base, Limiter: anaplan.NewLimiter(0),
		Authorize: func(rt http.RoundTripper) http.RoundTripper {
			return &auth.Transport{Source: source, Base: rt, Hosts: []string{host}}
		}})
	return anaplan.New(hc, api)
}

// TestFindWantsOne is what a name or an id means among several things.
func TestFindWantsOne(t *testing.T) {
	items := []item{{id: "112000000001", name: "Load"}, {id: "112000000002", name: "Load"}, {id: "112000000003", name: "Load sales"}}
	for _, tc := range []struct {
		ref  configs.Ref
		id   string
		says string
		warn string
	}{
		{ref: configs.Ref{Name: "Load sales"}, id: "112000000003"},
		{ref: configs.Ref{ID: "112000000002"}, id: "112000000002"},
		{ref: configs.Ref{Name: "112000000002"}, id: "112000000002"},
		{ref: configs.Ref{ID: "112000000002", Name: "Load"}, id: "112000000002"},
		{ref: configs.Ref{ID: "112000000002", Name: "Loader"}, id: "112000000002", warn: `named "Load", the job file says "Loader"`},
		{ref: configs.Ref{Name: "Load"}, says: `2 imports bear the name "Load" in the model; write the id of the one you mean: 112000000001, 112000000002`},
		{ref: configs.Ref{Name: "load"}, says: `there is no import "load" in the model; did you mean "Load" (112000000001)`},
		{ref: configs.Ref{Name: "Load  Sales"}, says: `did you mean "Load sales" (112000000003), `},
		{ref: configs.Ref{ID: "112000000009"}, says: `there is no import with the id 112000000009`},
		{ref: configs.Ref{}, says: "no import is named"},
	} {
		b := &binder{plan: &Plan{Job: &configs.Job{}}, out: &Bound{}}
		got, ok := b.find(PlanStep{}, "import", tc.ref, items, "in the model")
		if ok != (tc.id != "") || got.id != tc.id {
			t.Errorf("%+v: found %+v, %v", tc.ref, got, ok)
		}
		if text := fmt.Sprint(b.problems); !strings.Contains(text, tc.says) || tc.says == "" && len(b.problems) > 0 {
			t.Errorf("%+v: %s", tc.ref, text)
		}
		if text := fmt.Sprint(b.out.Warnings); !strings.Contains(text, tc.warn) || tc.warn == "" && len(b.out.Warnings) > 0 {
			t.Errorf("%+v: %s", tc.ref, text)
		}
	}
}
