package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// anyState makes a state of events as they come, in any order that folds.
func anyState(t *rapid.T) ledger.State {
	word := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", evil, "load sales", strings.Repeat("x", 300)}))
	count := rapid.OneOf(rapid.Just((*int64)(nil)), rapid.Map(rapid.Int64(), func(v int64) *int64 { return &v }))
	verdict, cause := rapid.SampledFrom(ledger.Verdicts), rapid.SampledFrom(append([]ledger.Cause{""}, ledger.Causes...))
	object := func() ledger.ObjectRef { return ledger.ObjectRef{ID: word.Draw(t, "id"), Name: word.Draw(t, "name")} }
	counts := func() ledger.Rows {
		return ledger.Rows{Total: count.Draw(t, "n"), OK: count.Draw(t, "n"), Ignored: count.Draw(t, "n"), Warnings: count.Draw(t, "n"), Failed: count.Draw(t, "n")}
	}
	clock := rapid.OneOf(rapid.SampledFrom([]time.Time{{}, t0, time.Unix(1<<33, 0)})).Draw(t, "clock")
	created := ledger.RunCreated{ID: ledger.ID{Job: word.Draw(t, "job"), Run: word.Draw(t, "run")},
		Timezone: rapid.SampledFrom([]string{"", "Europe/Paris", "Pacific/Kiritimati", "no such zone", evil}).Draw(t, "zone")}
	for i := range rapid.IntRange(0, 4).Draw(t, "steps") {
		created.Steps = append(created.Steps, ledger.StepPlan{Name: fmt.Sprint(i, word.Draw(t, "step")), Label: word.Draw(t, "label"), Model: word.Draw(t, "model"),
			Verb: rapid.SampledFrom([]string{"import", "process", "upload", "download", evil}).Draw(t, "verb"), ShowRejected: rapid.IntRange(-1, 3).Draw(t, "show")})
	}
	var s ledger.State
	apply := func(step string, b ledger.Body) { // what cannot follow is left out
		_ = s.Apply(ledger.Event{Seq: s.Seq + 1, At: clock, Step: step, Body: b})
	}
	apply("", created)
	number := 0
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		clock = clock.Add(time.Duration(rapid.Int64Range(-1e9, 3e12).Draw(t, "later")))
		step := ""
		if len(created.Steps) > 0 {
			step = rapid.SampledFrom(created.Steps).Draw(t, "of").Name
		}
		text := word.Draw(t, "text")
		task := fmt.Sprint("T", number)
		switch rapid.IntRange(0, 22).Draw(t, "kind") {
		case 0:
			apply(step, ledger.StepStarted{Try: 1})
		case 1:
			apply(step, ledger.StepStarted{Try: 2})
		case 2:
			apply(step, ledger.Waiting{Reason: text, Text: text})
		case 3:
			apply(step, ledger.SourceUploaded{File: object(), Path: text, Bytes: rapid.Int64().Draw(t, "bytes"), Rows: count.Draw(t, "rows"),
				Wire: rapid.Int64().Draw(t, "wire"), Took: time.Duration(rapid.Int64().Draw(t, "took"))})
		case 4:
			number++
			apply(step, ledger.Intent{Number: number})
		case 5:
			apply(step, ledger.TaskStarted{Number: number, Task: task})
		case 6:
			apply(step, ledger.TaskSeen{Task: task, State: text})
		case 7:
			apply(step, ledger.TaskEnded{Task: task, State: text})
		case 8:
			apply(step, ledger.DumpSaved{Of: object(), Path: text, Error: word.Draw(t, "error"), Dump: ledger.DumpStats{
				Rejected: rapid.Int64().Draw(t, "rejected"), Reasons: []ledger.Reason{{Text: text, Count: rapid.Int64().Draw(t, "count")}}}})
		case 9:
			apply(step, ledger.TargetWritten{File: object(), Path: text, Bytes: rapid.Int64().Draw(t, "bytes"), Wire: rapid.Int64Range(0, 1<<40).Draw(t, "wire"),
				Took: time.Duration(rapid.Int64().Draw(t, "took"))})
		case 10:
			apply(step, ledger.TryFailed{Try: 1, Cause: cause.Draw(t, "cause"), Text: text})
		case 11:
			apply(step, ledger.StepEnded{Verdict: verdict.Draw(t, "verdict"), Cause: cause.Draw(t, "cause"), Message: text, Next: text, Rows: counts(),
				Actions: []ledger.ActionVerdict{{Object: object(), Verdict: verdict.Draw(t, "verdict"), Message: text, Rows: counts(), Texts: []string{text},
					Started: clock, Duration: time.Duration(rapid.Int64().Draw(t, "lasts"))}}})
		case 12:
			apply(rapid.SampledFrom([]string{"", step}).Draw(t, "where"), ledger.Warned{Text: text})
		case 13:
			apply("", ledger.StopAsked{Cause: ledger.CauseSignal, Signal: text, Text: text})
		case 14:
			apply(step, ledger.CancelAsked{Task: task, Reason: text, Error: word.Draw(t, "error")})
		case 16:
			apply("", ledger.RunContinued{Runner: ledger.Runner{Host: text, User: word.Draw(t, "user")}, Version: text})
		case 17:
			apply("", ledger.JobRepaired{JobFile: text, Steps: created.Steps, Changes: []string{text, word.Draw(t, "change")}})
		case 18:
			apply(step, ledger.StepReopened{Rerun: rapid.Bool().Draw(t, "rerun"), Why: text, By: word.Draw(t, "by")})
		case 19:
			outcome := rapid.SampledFrom([]ledger.IntentOutcome{ledger.IntentStarted, ledger.IntentAbsent, ledger.IntentOverruled}).Draw(t, "outcome")
			settled := ledger.StartSettled{Number: number, Outcome: outcome, Text: text, By: word.Draw(t, "by")}
			if outcome == ledger.IntentStarted {
				settled.Task = task
			}
			apply(step, settled)
		case 20:
			apply(step, ledger.CommandStarted{Program: text})
		case 21:
			apply(step, ledger.CommandEnded{Code: rapid.IntRange(-1, 255).Draw(t, "code"), Took: time.Duration(rapid.Int64().Draw(t, "took")),
				Why: rapid.SampledFrom([]ledger.Cause{"", ledger.CauseTime, ledger.CauseSignal}).Draw(t, "why"), Tail: []string{text, word.Draw(t, "line")}, Error: word.Draw(t, "error")})
		case 22:
			apply("", ledger.SourceMoved{From: text, To: word.Draw(t, "to"), Error: word.Draw(t, "error")})
		case 15:
			if rapid.IntRange(0, 5).Draw(t, "end") == 0 {
				apply("", ledger.RunEnded{Verdict: verdict.Draw(t, "verdict"), Cause: cause.Draw(t, "cause"), Code: rapid.IntRange(0, 255).Draw(t, "code"), Message: text})
			}
		}
	}
	for _, step := range s.Steps { // as a newer program may have written them
		if step.End != nil && rapid.IntRange(0, 3).Draw(t, "newer") == 0 {
			step.End.Verdict, step.End.Cause = ledger.Verdict(word.Draw(t, "verdict")), ledger.Cause(word.Draw(t, "cause"))
		}
	}
	return s
}

// TestAnyStateIsReported: whatever a ledger holds, every renderer gives something sound,
// and the same twice.
func TestAnyStateIsReported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyState(t)
		o := Options{Ledger: evil, Rejected: dumpOf}
		width := rapid.IntRange(-1, 300).Draw(t, "width")
		var first [3]bytes.Buffer
		for i := range 2 {
			r := New(s, o)
			var out [3]bytes.Buffer
			for k, err := range []error{Text(&out[0], r, TextOptions{Width: width}), JSON(&out[1], r), HTML(&out[2], r)} {
				if err != nil {
					t.Fatalf("renderer %d: %v", k, err)
				}
			}
			if i == 0 {
				first = out
				continue
			}
			for k := range out {
				if !bytes.Equal(first[k].Bytes(), out[k].Bytes()) {
					t.Errorf("renderer %d does not give the same bytes twice", k)
				}
			}
		}
		lines := []string{Line(New(s, o))}
		for _, step := range New(s, o).Steps {
			lines = append(lines, StepLine(New(s, o), step))
		}
		if strings.Contains(strings.Join(lines, ""), "\n") || !strings.HasSuffix(first[0].String(), lines[0]+"\n") {
			t.Fatalf("not the last line, or not one line each: %q", lines)
		}
		for _, c := range first[0].String() + strings.Join(lines, "") {
			if c != '\n' && unicode.IsControl(c) {
				t.Fatalf("%U in the text", c)
			}
		}
		if !json.Valid(first[1].Bytes()) || bytes.Count(first[1].Bytes(), []byte("\n")) != 1 {
			t.Fatalf("not one line of JSON: %s", first[1].Bytes())
		}
		if err := wellFormed(first[2].String()); err != nil {
			t.Fatalf("the page: %v", err)
		}
		for i, step := range New(s, o).Steps {
			soundPhases(t, step)
			soundOutputs(t, step, s.Steps[i].Targets)
		}
	})
}

// soundPhases: they follow one another, forwards.
func soundPhases(t *rapid.T, s Step) {
	if (len(s.Phases) == 0) != s.Started.IsZero() {
		t.Fatalf("%d phases of a step that began %s", len(s.Phases), s.Started)
	}
	for i, p := range s.Phases {
		if p.To.Before(p.From) || i > 0 && p.From.Before(s.Phases[i-1].To) {
			t.Fatalf("phases %+v", s.Phases)
		}
	}
}

// soundOutputs: each target is there once, as it was written last.
func soundOutputs(t *rapid.T, s Step, written []ledger.TargetState) {
	last := map[string]File{}
	for _, w := range written {
		last[w.Path] = newOutput(w)
	}
	if len(s.Outputs) != len(last) {
		t.Fatalf("%d outputs of %d targets: %+v", len(s.Outputs), len(last), s.Outputs)
	}
	for _, f := range s.Outputs {
		if diff := cmp.Diff(last[f.Path], f); diff != "" {
			t.Fatalf("an output, as it was written last and as it is listed:\n%s", diff)
		}
	}
}
