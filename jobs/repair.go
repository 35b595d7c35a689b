package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// repair compares a run's job with another one that is to take its place. It is taken for
// the steps that are not done; what a done step says, or one of which a task may run, must
// stay as it was: else the error is a *RepairError. Nil means that nothing differs.
func repair(s ledger.State, was, now *Plan) (*ledger.JobRepaired, error) {
	var changes, refused []string
	tell := func(fixed bool, format string, args ...any) {
		if fixed {
			refused = append(refused, fmt.Sprintf(format, args...))
		}
		changes = append(changes, fmt.Sprintf(format, args...))
	}
	if was.Job.Name != now.Job.Name {
		tell(true, "name: %q, was %q", now.Job.Name, was.Job.Name)
	}
	for i := range s.Steps {
		t := &s.Steps[i]
		fixed := fixed(t)
		name := t.Plan.Name
		old := stepNamed(was, name)
		at := slices.IndexFunc(now.Steps, func(p PlanStep) bool { return p.Name == name })
		if at < 0 {
			tell(fixed || len(t.Tries) > 0, "step %q: it is missing", name)
			continue
		}
		if old == nil {
			continue
		}
		same := t.Object.ID != "" && sameMeaning(t, was, now, now.Steps[at])
		for _, d := range differences(old.Step, now.Steps[at].Step) {
			names := d.key == "Object" || d.key == "Model" || d.key == "Workspace"
			if !names || !same {
				tell(fixed || d.key == "Verb" && len(t.Tries) > 0, "step %q: %s", name, d.text)
			}
		}
		if fixed && t.Object.ID != "" && !same {
			tell(true, "step %q: it means another model or object than %q (%s) in %q", name, t.Object.Name, t.Object.ID, t.Model.Name)
		}
	}
	for _, p := range now.Steps {
		if stepNamed(was, p.Name) == nil {
			tell(false, "step %q: it is new", p.Name)
		}
	}
	if len(refused) > 0 {
		return nil, &RepairError{refused}
	}
	job, err := EncodeJob(now.Job)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 && string(job) == string(s.Created.Job) {
		return nil, nil
	}
	return &ledger.JobRepaired{JobFile: now.Job.File, JobDigest: now.Job.Digest, Job: job, Steps: plannedSteps(now), Changes: changes}, nil
}

// fixed says whether a step cannot be meant otherwise any more: it is done, or something
// that it started may run or is not judged.
func fixed(t *ledger.StepState) bool {
	if t.End != nil && t.End.Verdict != ledger.Skipped && t.Plan.Satisfied(*t.End) {
		return true
	}
	return mayRun(t) || t.End == nil && ranAndNotJudged(t)
}

func stepNamed(p *Plan, name string) *PlanStep {
	for i := range p.Steps {
		if p.Steps[i].Name == name {
			return &p.Steps[i]
		}
	}
	return nil
}

type difference struct{ key, text string }

// differences tells how two descriptions of a step differ, key by key, sorted. Where they
// stand in their files does not count.
func differences(was, now configs.Step) []difference {
	before, after := keys(was), keys(now)
	var all []difference
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if string(before[key]) != string(after[key]) {
			all = append(all, difference{key, fmt.Sprintf("%s: %s, was %s", keyInFile(key, now), after[key], before[key])})
		}
	}
	return all
}

// keyInFile is the key of a job file for a field of a step.
func keyInFile(field string, s configs.Step) string {
	switch field {
	case "Object":
		return string(s.Verb)
	case "Targets":
		return "target"
	}
	var b strings.Builder
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func keys(s configs.Step) map[string]json.RawMessage {
	s.Positions, s.Index = nil, 0
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // plain data
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		panic(err)
	}
	return all
}
