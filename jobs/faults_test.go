package jobs

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

var every = flag.Bool("every", false, "disturb every request in every way, not each in one")

// disturbances are what happens to one request of a night. With lost it is not known
// whether a start that it hits has happened, and the task list must tell; every other
// request is repeated, and the night is ok.
var disturbances = []struct {
	name  string
	fault simulator.Fault
	lost  bool
}{
	{"429", simulator.Fault{Status: 429, RetryAfter: "7"}, false},
	{"429 page", simulator.Fault{Status: 429, Body: "html"}, false},
	{"500", simulator.Fault{Status: 500}, true},
	{"500 after it took effect", simulator.Fault{Status: 500, Took: true}, true},
	{"502 page", simulator.Fault{Status: 502, Body: "html"}, true},
	{"502 page after it took effect", simulator.Fault{Status: 502, Body: "html", Took: true}, true},
	{"503 page", simulator.Fault{Status: 503, Body: "html"}, true},
	{"reset before it took effect", simulator.Fault{Drop: "before"}, true},
	{"reset after it took effect", simulator.Fault{Drop: "after"}, true},
	{"half an answer", simulator.Fault{Truncate: true}, true},
	{"slow", simulator.Fault{Delay: 40 * time.Second}, false},
	{"no answer for six minutes", simulator.Fault{Delay: 6 * time.Minute}, true},
	{"dead token", simulator.Fault{ExpireToken: true}, false},
	{"401", simulator.Fault{Status: 401, Body: "empty"}, false},
}

func isStart(r simulator.Request) bool {
	return r.Method == "POST" && strings.HasSuffix(r.Path, "/tasks")
}

// TestOneDisturbedRequest disturbs every request of a job with every verb in turn. It ends
// as if nothing had happened. Only of a start that took effect, and whose answer is lost,
// it may be that nothing tells whose the task is: then the step is unsure, and nothing is
// started again.
func TestOneDisturbedRequest(t *testing.T) {
	requests, undisturbed, tasks := 0, []byte(nil), 0
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		s := n.run(t.Context(), sampleNight(n)...)
		requests, undisturbed, tasks = len(n.sim.Requests()), n.sim.Snapshot(), len(n.sim.Tasks())
		if s.End.Code != 0 {
			t.Fatal(messages(s))
		}
	})
	t.Logf("%d requests", requests)
	for nth := 1; nth <= requests; nth++ {
		for i, d := range disturbances {
			if !*every && (nth+i)%len(disturbances) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%d/%s", nth, d.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fault := d.fault
					fault.Nth = nth
					n := newLeanNight(t, simulator.Options{Faults: []simulator.Fault{fault}})
					defer n.close()
					s := n.run(t.Context(), sampleNight(n)...)
					n.judgeDisturbed(s, d.lost, undisturbed, tasks)
				})
			})
		}
	}
}

// judgeDisturbed holds a disturbed night against what must be true of it.
func (n *night) judgeDisturbed(s ledger.State, lost bool, undisturbed []byte, tasks int) {
	n.t.Helper()
	all := n.sim.Requests()
	i := slices.IndexFunc(all, func(r simulator.Request) bool { return r.Faulted })
	if i < 0 {
		n.t.Fatal("nothing was disturbed")
	}
	hit := all[i]
	n.onceEach(s)
	if hit.Status == 401 && hit.Path == "/token/authenticate" { // a refused login is final
		if s.End.Code != ledger.CodePermission || len(n.sim.Tasks()) > 0 {
			n.t.Errorf("the login was refused: code %d\n%s", s.End.Code, messages(s))
		}
		return
	}
	if isStart(hit) && lost && s.End.Code == ledger.CodeUnsure {
		n.judgeUnsure(s)
		return
	}
	if s.End.Code != 0 || !s.Closed() || len(n.sim.Tasks()) != tasks {
		n.t.Errorf("%s %s was disturbed: code %d, %d tasks\n%s", hit.Method, hit.Path, s.End.Code, len(n.sim.Tasks()), messages(s))
	} else if !bytes.Equal(n.sim.Snapshot(), undisturbed) {
		n.t.Errorf("%s %s was disturbed: the models hold something else", hit.Method, hit.Path)
	}
}

// judgeUnsure holds a night with a start of which nothing can be told against what must be
// true of it: it says so, and the task does exist.
func (n *night) judgeUnsure(s ledger.State) {
	n.t.Helper()
	if s.End.Verdict != ledger.Unsure || s.End.Next == "" || s.Closed() {
		n.t.Errorf("%+v\n%s", s.End, messages(s))
	}
	unsure := 0
	for _, st := range s.Steps {
		if st.End == nil {
			n.t.Errorf("step %q has no end", st.Plan.Name)
			continue
		}
		if st.End.Verdict != ledger.Unsure {
			continue
		}
		unsure++
		if in := st.Intents[len(st.Intents)-1]; in.Outcome != ledger.IntentOpen || st.End.Cause != ledger.CauseStartUnknown {
			n.t.Errorf("the intent is %s, the cause %s", in.Outcome, st.End.Cause)
		}
		// Only uploads and outputs make a stranger's task another one, and rows tell those of
		// imports into lists.
		if !slices.ContainsFunc(n.sim.Tasks(), func(t simulator.TaskRecord) bool { return t.ObjectID == st.Object.ID }) {
			n.t.Errorf("step %q is unsure, and has no task", st.Plan.Name)
		}
		if st.Plan.Verb == "action" {
			n.t.Errorf("step %q is unsure, and whoever started its task, the effect is the same", st.Plan.Name)
		}
	}
	if unsure != 1 {
		n.t.Errorf("%d steps are unsure", unsure)
	}
}

// onceEach checks, by the simulator's record, that no step's object was started more
// often than the step's intents say, and not more than once for each step.
func (n *night) onceEach(s ledger.State) {
	n.t.Helper()
	started := map[string]int{}
	for _, task := range n.sim.Tasks() {
		if task.User != sample.Email {
			continue
		}
		started[task.Model+"/"+task.ObjectID]++
	}
	allowed := map[string]int{}
	for _, st := range s.Steps {
		for _, in := range st.Intents {
			if in.Outcome == ledger.IntentStarted || in.Outcome == ledger.IntentOverruled || in.Outcome == ledger.IntentOpen || in.Outcome == ledger.IntentPending {
				allowed[st.Model.Name+"/"+st.Object.ID]++
			}
		}
		if live := slices.DeleteFunc(slices.Clone(st.Life()), func(in ledger.IntentState) bool {
			return in.Outcome == ledger.IntentRefused || in.Outcome == ledger.IntentAbsent
		}); len(live) > 1 {
			n.t.Errorf("step %q has %d intents that may have started a task", st.Plan.Name, len(live))
		}
	}
	for object, count := range started {
		if count > allowed[object] {
			n.t.Errorf("%s was started %d times, recorded are %d", object, count, allowed[object])
		}
	}
}

// TestSeveralDisturbances plays nights with several disturbances of random kinds. The
// seed is in the name of the subtest.
func TestSeveralDisturbances(t *testing.T) {
	var undisturbed []byte
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.run(t.Context(), sampleNight(n)...)
		undisturbed = n.sim.Snapshot()
	})
	nights := 25
	if *every {
		nights = 1000
	}
	codes := map[int]int{}
	for seed := range nights {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(seed), 7))
				var faults []simulator.Fault
				for range 1 + rng.IntN(5) {
					f := disturbances[rng.IntN(len(disturbances))].fault
					f.Nth, f.Count = 1+rng.IntN(80), 1+rng.IntN(4)*rng.IntN(4)
					if rng.IntN(3) == 0 { // mostly starts are left alone, or few nights get far
						f.Method, f.Nth = "POST", 1+rng.IntN(20)
					} else {
						// A poll that took effect and is repeated counts as a quick one, and
						// net/http repeats it at once when its connection ends.
						f.Method, f.Took = "GET", false
						if f.Drop != "" {
							f.Drop = "before"
						}
					}
					faults = append(faults, f)
				}
				n := newLeanNight(t, simulator.Options{Faults: faults})
				n.mayNotFire = true // the night may end before
				defer n.close()
				s := n.run(t.Context(), sampleNight(n)...)
				n.onceEach(s)
				codes[s.End.Code]++
				switch s.End.Code {
				case ledger.CodeOK:
					if !s.Closed() || !bytes.Equal(n.sim.Snapshot(), undisturbed) {
						t.Errorf("all is said to be ok, and the models hold something else\n%+v", faults)
					}
				case ledger.CodeTemporary, ledger.CodeUnsure, ledger.CodePermission, ledger.CodeRows:
					if s.Closed() || s.End.Next == "" {
						t.Errorf("%+v", s.End)
					}
				default:
					t.Errorf("code %d\n%s\n%+v", s.End.Code, messages(s), faults)
				}
				for _, st := range s.Steps {
					if st.End != nil && (st.End.Cause == ledger.CauseInternal || st.End.Cause == ledger.CauseAction || st.End.Cause == ledger.CauseConfig) {
						t.Errorf("step %q: %s: %s\n%+v", st.Plan.Name, st.End.Cause, st.End.Message, faults)
					}
				}
			})
		})
	}
	t.Logf("nights by code: %v", codes)
	if codes[0] < nights/4 || codes[ledger.CodeTemporary] == 0 {
		t.Errorf("the nights are too much alike: %v", codes)
	}
}
