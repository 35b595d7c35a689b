package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

func jobOf(steps ...configs.Step) *configs.Job {
	for i := range steps {
		steps[i].Index, steps[i].Enabled = i, true
		if steps[i].Base == "" {
			steps[i].Base = steps[i].Name
		}
	}
	return &configs.Job{File: "job.toml", Name: "job", Steps: steps}
}

func needs(name string, needs ...string) configs.Step {
	return configs.Step{Name: name, Needs: needs, NeedsSet: true}
}

func TestPlanOrders(t *testing.T) {
	unfolded := func(name string) configs.Step { return configs.Step{Name: name, Base: "spokes"} }
	for _, tc := range []struct {
		name  string
		steps []configs.Step
		waits [][]int
		order []int
	}{
		{"a list", []configs.Step{{Name: "a"}, {Name: "b"}, {Name: "c"}}, [][]int{nil, {0}, {0, 1}}, []int{0, 1, 2}},
		{"free", []configs.Step{{Name: "a"}, needs("b"), {Name: "c"}}, [][]int{nil, nil, {0, 1}}, []int{0, 1, 2}},
		{"backwards", []configs.Step{needs("a", "c"), needs("b"), needs("c", "b")}, [][]int{{2}, nil, {1}}, []int{1, 2, 0}},
		{"all unfoldings by their base", []configs.Step{unfolded("spokes[x]"), unfolded("spokes[y]"), needs("b", "spokes")}, [][]int{nil, {0}, {0, 1}}, []int{0, 1, 2}},
		{"one unfolding", []configs.Step{unfolded("spokes[x]"), unfolded("spokes[y]"), needs("b", "spokes[y]", "spokes[y]")}, [][]int{nil, {0}, {1}}, []int{0, 1, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := NewPlan(jobOf(tc.steps...), Selection{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range p.Steps {
				if !slices.Equal(p.Steps[i].Waits, tc.waits[i]) {
					t.Errorf("step %d waits for %v, want %v", i, p.Steps[i].Waits, tc.waits[i])
				}
			}
			if !slices.Equal(p.Order(), tc.order) {
				t.Errorf("order %v, want %v", p.Order(), tc.order)
			}
		})
	}
}

func TestPlanSaysWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name  string
		steps []configs.Step
		sel   Selection
		want  string
	}{
		{"a circle", []configs.Step{needs("x"), needs("a", "c"), needs("b", "a"), needs("c", "b", "x")}, Selection{},
			`job.toml: step "a": needs: the steps wait for one another: "a" waits for "c" waits for "b" waits for "a"; take one of them out of needs`},
		{"itself", []configs.Step{needs("a", "a")}, Selection{}, `"a" waits for "a"`},
		{"a circle through file order", []configs.Step{needs("a", "b"), {Name: "b"}}, Selection{}, `"a" waits for "b" waits for "a"`},
		{"a step outside the circle waits for it", []configs.Step{needs("z", "a"), needs("a", "b"), needs("b", "a")}, Selection{}, `step "a": needs: the steps wait for one another: "a" waits for "b" waits for "a"`},
		{"no such step", []configs.Step{{Name: "a"}, needs("b", "aa")}, Selection{}, `step "b": needs: there is no step "aa"`},
		{"--only", []configs.Step{{Name: "a"}, {Name: "b"}}, Selection{Only: []string{"c"}}, `--only: the job has no step "c"; its steps are "a", "b"`},
		{"--from", []configs.Step{{Name: "a"}}, Selection{From: "c"}, `--from: the job has no step "c"; its steps are "a"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := NewPlan(jobOf(tc.steps...), tc.sel)
			if _, ok := errors.AsType[configs.Problems](err); !ok || p != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestPlanSelects(t *testing.T) {
	steps := []configs.Step{{Name: "a"}, {Name: "s[x]", Base: "s"}, {Name: "s[y]", Base: "s"}, {Name: "d"}}
	for _, tc := range []struct {
		sel  Selection
		want string
	}{
		{Selection{}, "a s[x] s[y] d"}, {Selection{Only: []string{"s"}}, "s[x] s[y]"}, {Selection{Only: []string{"s[y]", "a"}}, "a s[y]"},
		{Selection{From: "s"}, "s[x] s[y] d"}, {Selection{From: "s[y]", Only: []string{"a", "d"}}, "d"},
	} {
		p, err := NewPlan(jobOf(slices.Clone(steps)...), tc.sel)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range p.Steps {
			if !s.Skip {
				got = append(got, s.Name)
			} else if s.SkipText == "" {
				t.Errorf("%+v: step %q does not say why it is skipped", tc.sel, s.Name)
			}
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%+v: %s, want %s", tc.sel, got, tc.want)
		}
	}
	off := jobOf(configs.Step{Name: "a"})
	off.Steps[0].Enabled = false
	if p, err := NewPlan(off, Selection{}); err != nil || !p.Steps[0].Skip {
		t.Errorf("a step that is not enabled is planned: %v", err)
	}
}

// TestPlanIsTheSameEachTime draws random needs: a plan has an order that holds them, or
// says that they go in a circle; and the same job gives the same plan, byte for byte.
func TestPlanIsTheSameEachTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "steps")
		var steps []configs.Step
		for i := range n {
			s := configs.Step{Name: fmt.Sprint("s", i)}
			if rapid.Bool().Draw(t, "needs") {
				s.NeedsSet = true
				for _, j := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 2).Draw(t, "of") {
					s.Needs = append(s.Needs, fmt.Sprint("s", j))
				}
			}
			steps = append(steps, s)
		}
		plan := func() ([]byte, *Plan, error) {
			p, err := NewPlan(jobOf(slices.Clone(steps)...), Selection{})
			data, jsonErr := json.Marshal(p)
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			return data, p, err
		}
		first, p, err := plan()
		again, _, err2 := plan()
		if !bytes.Equal(first, again) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatal("two plans of one job differ")
		}
		if err != nil {
			if !strings.Contains(err.Error(), "wait for one another") {
				t.Fatal(err)
			}
			return
		}
		order := p.Order()
		if len(order) != n {
			t.Fatalf("order %v of %d steps", order, n)
		}
		for at, i := range order {
			for _, w := range p.Steps[i].Waits {
				if !slices.Contains(order[:at], w) {
					t.Fatalf("step %d stands before step %d, which it waits for", i, w)
				}
			}
		}
	})
}

// TestJobIsKept is the form in which a run keeps its job: a later program must read it,
// so a change of this file needs a new version and a reader of the old one.
func TestJobIsKept(t *testing.T) {
	job := readJob(t, "testdata/kept.toml")
	data, err := EncodeJob(job)
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/kept.json", indented.String()+"\n")
	again, err := DecodeJob(data)
	if err != nil {
		t.Fatal(err)
	}
	// What is left out has no part in a run.
	kept, wait, retry := *job, job.Defaults.Wait, job.Defaults.Retry
	kept.Positions, kept.Warnings, kept.Defaults = nil, nil, configs.Step{Wait: wait, Retry: retry}
	kept.Steps = slices.Clone(job.Steps)
	for i := range kept.Steps {
		kept.Steps[i].Positions = nil
	}
	if kept.Inline != nil {
		inline := *kept.Inline
		inline.Positions = nil
		kept.Inline = &inline
	}
	if diff := cmp.Diff(&kept, again); diff != "" {
		t.Errorf("the job changed on its way (-before +after):\n%s", diff)
	}
	if job.Steps[0].Positions == nil {
		t.Error("encoding changed the job")
	}
	for _, bad := range []string{"", "{}", `{"v":2,"job":{}}`, `{"v":1,"job":{"Naame":"x"}}`, `{"v":1}`} {
		if j, err := DecodeJob(json.RawMessage(bad)); err == nil || j != nil {
			t.Errorf("%s was read: %v", bad, j)
		}
	}
}
