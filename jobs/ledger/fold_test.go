package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var t0 = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

// story makes events a second apart; a body with a step is given as "step", body.
func story(parts ...any) []Event {
	var events []Event
	step := ""
	for _, p := range parts {
		if s, ok := p.(string); ok {
			step = s
			continue
		}
		n := int64(len(events) + 1)
		events = append(events, Event{Seq: n, At: t0.Add(time.Duration(n) * time.Second), Step: step, Body: p.(Body)})
		step = ""
	}
	return events
}

func created(steps ...string) RunCreated {
	c := RunCreated{ID: ID{Job: "nightly", Run: "r1"}, Job: json.RawMessage(`{}`)}
	for _, s := range steps {
		c.Steps = append(c.Steps, StepPlan{Name: s, Verb: "import"})
	}
	return c
}

func TestFoldRefusesWhatCannotFollow(t *testing.T) {
	begun := []any{created("a"), "a", StepStarted{Try: 1}}
	with := func(more ...any) []any { return append(append([]any{}, begun...), more...) }
	for _, tc := range []struct {
		name  string
		parts []any
		says  string // empty: it may
	}{
		{"begins with something else", []any{RunEnded{}}, "must create the run"},
		{"created twice", []any{created("a"), created("a")}, "exists already"},
		{"unknown step", []any{created("a"), "b", StepStarted{Try: 1}}, `no step "b"`},
		{"step event without step", []any{created("a"), StepStarted{Try: 1}}, "must belong to a step"},
		{"run event with step", with("a", RunEnded{}), "must not belong"},
		{"try out of order", []any{created("a"), "a", StepStarted{Try: 2}}, "try 2 after 0"},
		{"upload before start", []any{created("a"), "a", SourceUploaded{}}, "has not started"},
		{"after its end", with("a", StepEnded{Verdict: OK}, "a", Warned{}), "the step has ended"},
		{"after the run's end", with(RunEnded{Verdict: OK}, Warned{}), "the run has ended"},
		{"task without intent", with("a", TaskStarted{Number: 1, Task: "T"}), "no intent"},
		{"second intent while one is pending", with("a", Intent{Number: 1}, "a", Intent{Number: 2}), "second start is forbidden"},
		{"second intent while one is open", with("a", Intent{Number: 1}, "a", StartUnknown{Number: 1}, "a", Intent{Number: 2}), "second start is forbidden"},
		{"second intent while its task runs", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", Intent{Number: 2}), "has not ended"},
		{"an intent after a refusal", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", Intent{Number: 2}), ""},
		{"an open intent that turned out to be a task", with("a", Intent{Number: 1}, "a", StartUnknown{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}), ""},
		{"two answers to one intent", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}), "not waiting"},
		{"another task's end", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", TaskEnded{Task: "U"}), "not under way"},
		{"a task without id", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1}), "no task id"},
		{"a task seen that was not started", with("a", Intent{Number: 1}, "a", TaskSeen{State: "IN_PROGRESS"}), "not under way"},
		{"a task ended that was not started", with("a", Intent{Number: 1}, "a", TaskEnded{State: "COMPLETE"}), "not under way"},
		{"a cancel of nothing", with("a", Intent{Number: 1}, "a", CancelAsked{}), "not that of intent 1"},
		{"a cancel of another task", with("a", Intent{Number: 1}, "a", TaskStarted{Number: 1, Task: "T"}, "a", CancelAsked{Task: "U"}), "not that of intent 1"},
		{"intent 0", with("a", Intent{}), "numbered from 1"},
		{"the same intent twice", with("a", Intent{Number: 1}, "a", StartRefused{Number: 1}, "a", Intent{Number: 1}), "exists already"},
		{"the same intent in two steps", []any{created("a", "b"), "a", StepStarted{Try: 1}, "b", StepStarted{Try: 1}, "a", Intent{Number: 1}, "b", Intent{Number: 1}}, "exists already"},
		{"two steps of one name", []any{created("a", "b", "a")}, `two steps are named "a"`},
		{"a step ends without a verdict", with("a", StepEnded{}), `no verdict ""`},
		{"a step ends with an invented cause", with("a", StepEnded{Verdict: Failed, Cause: "weather"}), `no cause "weather"`},
		{"a run ends without a verdict", with(RunEnded{}), `no verdict ""`},
		{"a run ends with an impossible code", with(RunEnded{Verdict: OK, Code: 256}), "no exit code"},
		{"resolved twice", []any{created("a"), RunResolved{Steps: []StepObject{{Step: "a"}}}, RunResolved{Steps: []StepObject{{Step: "a"}}}}, "resolved already"},
		{"resolved after a step began", with(RunResolved{Steps: []StepObject{{Step: "a"}}}), `step "a" has begun`},
		{"resolved in another order", []any{created("a", "b"), RunResolved{Steps: []StepObject{{Step: "b"}, {Step: "a"}}}}, "in the place of"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Fold(story(tc.parts...))
			if tc.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if _, ok := errors.AsType[*OrderError](err); !ok || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("got %v, want an OrderError that says %q", err, tc.says)
			}
			if s.Seq != 0 {
				t.Errorf("a state came with the error: %+v", s)
			}
		})
	}
	if _, err := Fold([]Event{{Seq: 2, Body: created("a")}}); err == nil {
		t.Error("a gap in the numbers was folded")
	}
}

// TestFoldInParts folds random legal runs at once and in two parts.
func TestFoldInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := drawRun(t)
		whole, err := Fold(events)
		if err != nil {
			t.Fatalf("a legal run did not fold: %v", err)
		}
		cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
		parts, err := Fold(events[:cut])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events[cut:] {
			data, err := Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if err := parts.Apply(again); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Fatalf("folded at once and in parts differ:\n%s", diff)
		}
	})
}

// drawRun draws events and keeps those that may follow.
func drawRun(t *rapid.T) []Event {
	events := story(created("a", "b"))
	s, err := Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(7)
	for range rapid.IntRange(0, 40).Draw(t, "events") {
		number := rapid.IntRange(1, 3).Draw(t, "number")
		task := fmt.Sprint("T", rapid.IntRange(1, 3).Draw(t, "task"))
		body := rapid.SampledFrom([]Body{
			StepStarted{Try: number}, Waiting{Reason: "busy"}, SourceUploaded{Bytes: n, Rows: &n}, Intent{Number: number},
			TaskStarted{Number: number, Task: task}, StartRefused{Number: number, Text: "no"}, StartUnknown{Number: number},
			TaskSeen{Task: task, State: "IN_PROGRESS"}, CancelAsked{Task: task}, DumpSaved{Task: task}, TargetWritten{},
			TaskEnded{Task: task, State: "COMPLETE", Result: json.RawMessage(`{"successful":true}`)}, Warned{Text: "w"},
			TryFailed{Try: number}, StepEnded{Verdict: OK}, StopAsked{Cause: CauseSignal}, RunEnded{Verdict: OK},
		}).Draw(t, "body")
		e := Event{Seq: s.Seq + 1, At: t0.Add(time.Duration(s.Seq) * time.Second), Body: body,
			Step: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "step")}
		if err := s.Apply(e); err != nil {
			before, err := Fold(events) // a copy would share its slices with s
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, s); diff != "" {
				t.Fatalf("a refused event changed the state:\n%s", diff)
			}
			continue
		}
		events = append(events, e)
	}
	return events
}

func TestDecodeKnowsWhatItDoesNotKnow(t *testing.T) {
	_, err := Decode([]byte(`{"v":1,"seq":9,"at":"2026-11-24T02:00:00Z","kind":"task_paused","body":{}}`))
	if e, ok := errors.AsType[*UnknownKindError](err); !ok || e.Kind != "task_paused" || e.Seq != 9 {
		t.Errorf("got %v, want an UnknownKindError", err)
	}
	_, err = Decode([]byte(`{"v":2,"seq":9,"at":"2026-11-24T02:00:00Z","kind":"warned","body":{"text":"x"}}`))
	if _, ok := errors.AsType[*UnknownKindError](err); !ok {
		t.Errorf("got %v for a newer version, want an UnknownKindError", err)
	}
	e, err := Decode([]byte(`{"v":1,"seq":9,"at":"2026-11-24T02:00:00Z","kind":"warned","body":{"text":"x","colour":"red"}}`))
	if err != nil || e.Body.(Warned).Text != "x" {
		t.Errorf("a further field: got %+v, %v", e, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range story(created("a"), "a", Intent{Number: 1, Before: TaskListed{Count: 2, Recent: []string{"T"}}}, RunEnded{Code: 3}) {
		data, err := Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			if e.Body != nil {
				t.Errorf("an event came with the error %v", err)
			}
			return
		}
		again, err := Encode(e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		same, err := Decode(again)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
		null := cmp.Transformer("null", func(m json.RawMessage) string { // none is written as null
			if m == nil {
				return "null"
			}
			return string(m)
		})
		if diff := cmp.Diff(e, same, null, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("it changed on the way:\n%s", diff)
		}
	})
}

// TestFoldKeepsWhenFilesMoved is what a report draws its timeline from.
func TestFoldKeepsWhenFilesMoved(t *testing.T) {
	s, err := Fold(story(created("a"), "a", StepStarted{Try: 1}, "a", SourceUploaded{Path: "in.csv"},
		"a", DumpSaved{Path: "dump.csv"}, "a", TargetWritten{Path: "out.csv"}))
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	want := StepState{Plan: StepPlan{Name: "a", Verb: "import"}, Started: at(2), Tries: []Try{{Number: 1, Started: at(2)}},
		Uploads: []UploadState{{SourceUploaded{Path: "in.csv"}, at(3)}},
		Dumps:   []DumpState{{DumpSaved{Path: "dump.csv"}, at(4)}},
		Targets: []TargetState{{TargetWritten{Path: "out.csv"}, at(5)}}}
	if diff := cmp.Diff(want, s.Steps[0]); diff != "" {
		t.Error(diff)
	}
}

func TestExtendSaysWhatIsWrongWithNames(t *testing.T) {
	for id, says := range map[ID]string{
		{"j", ""}:                       "the run id is empty",
		{"j", strings.Repeat("é", 251)}: "the run id has 251 characters, 250 are allowed",
		{"j", "a\xff"}:                  `"a\xff" is not valid UTF-8`,
		{"\x00", "r"}:                   `"\x00" holds a NUL character`,
		{"j", strings.Repeat("é", 250)}: "",
		{"", "r"}:                       "",
	} {
		if err := id.Check(); says == "" && err != nil || says != "" && (err == nil || err.Error() != says) {
			t.Errorf("%q: got %v, want %q", id, err, says)
		}
	}
}
