package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/sqlite"
)

// TestPruneKeepsAsLongAsTheJobSays: each job's runs for as long as its keep, 30 days where
// it says nothing; and never what is under way, has no end, or left something in Anaplan.
func TestPruneKeepsAsLongAsTheJobSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ledger.db")
	l, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	task := []ledger.Body{ledger.Intent{Number: 1}, ledger.TaskStarted{Number: 1, Task: "T"}}
	for _, run := range []struct {
		name string
		keep time.Duration
		age  time.Duration
		step []ledger.Body // of its only step, after its start
		open bool
	}{
		{"young", 0, 29 * day, nil, false},
		{"old", 0, 31 * day, nil, false},
		{"kept", 60 * day, 59 * day, nil, false},
		{"long", 60 * day, 61 * day, nil, false},
		{"short", 2 * time.Hour, 3 * time.Hour, nil, false},
		{"no end", 0, 40 * day, nil, true},
		{"left running", 0, 40 * day, task, false},
		{"not known", 0, 40 * day, []ledger.Body{ledger.Intent{Number: 1}, ledger.StartUnknown{Number: 1, Text: "reset"}}, false},
		{"well", 0, 40 * day, append(task[:2:2], ledger.TaskEnded{Task: "T", State: "COMPLETE"}, ledger.StepEnded{Verdict: ledger.OK}), false},
		{"held", 0, 40 * day, nil, false},
	} {
		id := ledger.ID{Job: "job " + run.name, Run: run.name}
		job, err := jobs.EncodeJob(&configs.Job{Name: id.Job, Keep: run.keep})
		if err != nil {
			t.Fatal(err)
		}
		at := now.Add(-run.age)
		var events []ledger.Event
		add := func(step string, b ledger.Body) { events = append(events, ledger.Event{At: at, Step: step, Body: b}) }
		add("", ledger.RunCreated{ID: id, Job: job, Date: "2026-11-26", Timezone: "UTC", Steps: []ledger.StepPlan{{Name: "step", Verb: "import"}}})
		add("step", ledger.StepStarted{Try: 1})
		for _, b := range run.step {
			add("step", b)
		}
		if !run.open {
			add("", ledger.RunEnded{Verdict: ledger.OK})
		}
		if _, err := l.Append(t.Context(), id, 0, 0, events...); err != nil {
			t.Fatalf("%s: %v", run.name, err)
		}
		folder := filepath.Join(sqlite.Dir(file), ledger.DirName(id))
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "dump.csv"), []byte("1234567"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if run.name == "held" {
			lease, err := l.Take(t.Context(), ledger.RunKey(id), ledger.Holder{Run: id, Since: now})
			if err != nil {
				t.Fatal(err)
			}
			defer lease.Release()
		}
	}
	// Folders beside them: of a run that the ledger has no more, the same but younger, and of
	// something else.
	for name, age := range map[string]time.Duration{"gone_run_0123456789ab": 31 * day, "gone_too_0123456789ab": 29 * day, "notes": 90 * day} {
		folder := filepath.Join(sqlite.Dir(file), name)
		err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "x"), []byte("1234567"), 0o600),
			os.Chtimes(folder, now.Add(-age), now.Add(-age)))
		if err != nil {
			t.Fatal(err)
		}
	}
	prune := func(args ...string) (removed, kept []string) {
		t.Helper()
		var out, errs bytes.Buffer
		p := &Program{Out: &out, Err: &errs, Now: func() time.Time { return now }, Getenv: func(string) (string, bool) { return "", false }}
		if code := p.Main(append([]string{"runs", "prune", "--ledger", file, "--output", "json"}, args...)); code != 0 {
			t.Fatalf("code %d: %s", code, &errs)
		}
		var r pruned
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		for _, one := range r.Removed {
			removed = append(removed, one.Run)
			_, err := os.Stat(filepath.Join(sqlite.Dir(file), ledger.DirName(ledger.ID{Job: one.Job, Run: one.Run})))
			if gone := errors.Is(err, os.ErrNotExist); gone == r.DryRun || one.Bytes != 7 {
				t.Errorf("%s: its folder is gone: %v; %d bytes", one.Run, gone, one.Bytes)
			}
		}
		for _, one := range r.Folders {
			removed = append(removed, filepath.Base(one.Path))
			if _, err := os.Stat(one.Path); errors.Is(err, os.ErrNotExist) == r.DryRun || one.Bytes != 7 {
				t.Errorf("%s: %v; %d bytes", one.Path, err, one.Bytes)
			}
		}
		for _, one := range r.Kept {
			kept = append(kept, one.Run)
		}
		if r.Bytes != int64(7*len(removed)) {
			t.Errorf("%d bytes of %d runs", r.Bytes, len(removed))
		}
		return removed, kept
	}
	wantRemoved, wantKept := []string{"short", "old", "well", "long", "gone_run_0123456789ab"}, []string{"held", "not known", "left running", "no end"}
	for _, args := range [][]string{{"--dry-run"}, nil} {
		removed, kept := prune(args...)
		if diff := cmp.Diff([][]string{wantRemoved, wantKept}, [][]string{removed, kept}); diff != "" {
			t.Errorf("%v: %s", args, diff)
		}
	}
	// A length of time that the caller gives goes before the job's.
	removed, _ := prune("--older-than", "50d")
	if diff := cmp.Diff([]string{"kept"}, removed); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(sqlite.Dir(file), "notes")); err != nil {
		t.Error(err)
	}
	left, err := l.Runs(t.Context(), ledger.Query{})
	if err != nil || len(left) != 5 {
		t.Errorf("%d runs are left: %v", len(left), err)
	}
}
