package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// drawRun draws events and keeps those that may follow.
func drawRun(t *rapid.T) []ledger.Event {
	first := ledgertest.Created(ledger.ID{Job: "j", Run: "r"}, ledgertest.T0)
	first.Seq = 1
	events := []ledger.Event{first}
	s, err := ledger.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		e := ledgertest.Draw(t, s, time.Duration(s.Seq)*time.Second)
		e.Seq = s.Seq + 1
		if err := s.Apply(e); err != nil {
			before, err := ledger.Fold(events) // a copy would share its slices with s
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

// TestFoldInParts folds random legal runs at once and in two parts.
func TestFoldInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := drawRun(t)
		whole, err := ledger.Fold(events)
		if err != nil {
			t.Fatalf("a legal run did not fold: %v", err)
		}
		cut := rapid.IntRange(0, len(events)).Draw(t, "cut")
		parts, err := ledger.Fold(events[:cut])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events[cut:] {
			data, err := ledger.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ledger.Decode(data)
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

// starts reads a run as a person would, without Fold. It adds to seen what became of the
// start before each start, "" for the first of its step, and returns an error for a start
// without a reason.
func starts(events []ledger.Event, seen map[string]int) error {
	last := map[string]string{} // by step: what became of the last start
	open := map[string]bool{}   // by step: it has not ended
	for _, e := range events {
		switch b := e.Body.(type) {
		case ledger.Intent:
			was := last[e.Step]
			if was != "" && was != "refused" && was != "absent" && was != "overruled" && was != "spent" {
				return fmt.Errorf("event %d starts a task after one that is %s", e.Seq, was)
			}
			seen[was]++
			last[e.Step], open[e.Step] = "pending", false
		case ledger.StartRefused:
			last[e.Step] = "refused"
		case ledger.StartUnknown:
			last[e.Step] = "open"
		case ledger.TaskStarted:
			last[e.Step], open[e.Step] = "started", true
		case ledger.StartSettled:
			last[e.Step], open[e.Step] = string(b.Outcome), b.Outcome == ledger.IntentStarted
		case ledger.TaskEnded:
			open[e.Step] = false
		case ledger.StepReopened:
			if !b.Rerun {
				continue
			}
			if was := last[e.Step]; was == "pending" || was == "open" || open[e.Step] && b.By == "" {
				return fmt.Errorf("event %d begins the step anew after a start that is %s", e.Seq, was)
			}
			last[e.Step] = "spent"
		}
	}
	return nil
}

// TestNoStartWithoutAReason draws legal runs: a start follows another one of its step only
// when that one came to nothing, or when somebody or the job file said that it is to be
// done again.
func TestNoStartWithoutAReason(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if err := starts(drawRun(t), map[string]int{}); err != nil {
			t.Fatal(err)
		}
	})
	// That such runs are drawn at all is seen in the same ones each time.
	seen, runs := map[string]int{}, rapid.Custom(drawRun)
	for seed := range 100 {
		events := runs.Example(seed)
		if err := starts(events, seen); err != nil {
			t.Fatalf("example %d: %v", seed, err)
		}
		for _, e := range events {
			seen[e.Body.Kind()]++
		}
	}
	for _, was := range []string{"", "refused", "absent", "overruled", "spent"} {
		if seen[was] == 0 {
			t.Errorf("no start came after one that is %q: this shows nothing (%v)", was, seen)
		}
	}
	for _, body := range []ledger.Body{ledger.RunContinued{}, ledger.RunEnded{}} {
		if seen[body.Kind()] == 0 {
			t.Errorf("no run had %s: this shows nothing (%v)", body.Kind(), seen)
		}
	}
}
