package jobs

import (
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// disturbances are what happens to one request of a night. All of them pass: what a run
// comes to is the same.
var disturbances = []struct {
	name  string
	fault simulator.Fault
}{
	{"429", simulator.Fault{Status: 429, RetryAfter: "7"}},
	{"429 page", simulator.Fault{Status: 429, Body: "html"}},
	{"500", simulator.Fault{Status: 500}},
	{"500 after it took effect", simulator.Fault{Status: 500, Took: true}},
	{"502 page", simulator.Fault{Status: 502, Body: "html"}},
	{"502 page after it took effect", simulator.Fault{Status: 502, Body: "html", Took: true}},
	{"503 page", simulator.Fault{Status: 503, Body: "html"}},
	{"reset before it took effect", simulator.Fault{Drop: "before"}},
	{"reset after it took effect", simulator.Fault{Drop: "after"}},
	{"reset, takes effect in 2 minutes", simulator.Fault{Drop: "after", After: 2 * time.Minute}},
	{"reset, takes effect in 4 minutes", simulator.Fault{Drop: "after", After: 4 * time.Minute}},
	{"half an answer", simulator.Fault{Truncate: true}},
	{"slow", simulator.Fault{Delay: 40 * time.Second}},
	{"no answer for six minutes", simulator.Fault{Delay: 6 * time.Minute}},
	{"dead token", simulator.Fault{ExpireToken: true}},
	{"401", simulator.Fault{Status: 401, Body: "empty"}},
	{"an empty list", simulator.Fault{Method: "GET", Path: "/tasks$", Status: 200, Body: "no_rows"}},
}

func isStart(r simulator.Request) bool {
	return r.Method == "POST" && strings.HasSuffix(r.Path, "/tasks")
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
