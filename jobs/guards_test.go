package jobs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// readRuns counts the runs that are read of a ledger.
type readRuns struct {
	ledger.Ledger
	events int
}

func (l *readRuns) Events(ctx context.Context, id ledger.ID, after int64) ([]ledger.Event, error) {
	l.events++
	return l.Ledger.Events(ctx, id, after)
}

// TestUnchangedForLong: what was loaded last is found behind all runs that loaded nothing,
// and these are not read.
func TestUnchangedForLong(t *testing.T) {
	for _, tc := range []struct{ unchanged, want string }{{"skip", "load sales skipped"}, {"refuse", "load sales failed/guard"}} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			l := &readRuns{Ledger: n.ledger}
			n.runner.Now, n.runner.Ledger = realNow(t, n), l
			var read []int
			for i := range 13 {
				time.Sleep(time.Second)
				l.events = 0
				s := n.run(t.Context(), salesFrom(n, "sales.csv", func(s *configs.Step) { s.Guard.Unchanged = tc.unchanged }))
				if want := map[bool]string{true: "load sales ok", false: tc.want}[i == 0]; verdicts(s) != want {
					t.Fatalf("run %d: %s\n%s", i+1, verdicts(s), messages(s))
				}
				read = append(read, l.events)
			}
			if read[12] != read[1] {
				t.Errorf("%s: the last of %d runs reads %d, the second one %d", tc.unchanged, len(read), read[12], read[1])
			}
		})
	}
}

// TestUnchangedBehindOthers: the last run that was ok is found behind many that loaded
// something else, and were not.
func TestUnchangedBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Now = realNow(t, n)
		text := n.read("sales.csv")
		most, percent := int64(1000), 10.0
		run := func(text string, keys ...func(*configs.Step)) ledger.State {
			time.Sleep(time.Second)
			n.put("sales.csv", text)
			return n.run(t.Context(), salesFrom(n, "sales.csv", keys...))
		}
		if s := run(text); s.End.Code != 0 {
			t.Fatal(messages(s))
		}
		for i := range 7 {
			if s := run(firstLines(text, 5+i), func(s *configs.Step) { s.Accept.MinLoaded = &most }); verdicts(s) != "load sales partial/rows" {
				t.Fatal(verdicts(s), messages(s))
			}
		}
		if s := run(firstLines(text, 12), func(s *configs.Step) { s.Guard.CompareLast = &percent }); verdicts(s) != "load sales failed/guard" {
			t.Errorf("compared with the last one that was ok: %s\n%s", verdicts(s), messages(s))
		}
		if s := run(text, func(s *configs.Step) { s.Guard.Unchanged = "skip" }); verdicts(s) != "load sales ok" {
			t.Errorf("the model may hold something else: %s\n%s", verdicts(s), messages(s))
		}
	})
}

// TestUnchangedOfAnotherModel: what was loaded into another model, with the same ids, is not
// what this one holds.
func TestUnchangedOfAnotherModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sample.Company()
		hub := c.Workspaces[0].Models[0]
		hub.Name, hub.ID = "Copy", ""
		c.Workspaces[0].Models = append(c.Workspaces[0].Models, hub)
		n := newNightOf(t, c, simulator.Options{})
		defer n.close()
		n.runner.Now = realNow(t, n)
		var files []string
		for i, tc := range []struct{ model, want string }{
			{"Sales Hub", "load sales ok"}, {"Copy", "load sales ok"}, {"Sales Hub", "load sales skipped"}, {"Copy", "load sales skipped"},
		} {
			time.Sleep(time.Second)
			s := n.run(t.Context(), salesFrom(n, "sales.csv", func(s *configs.Step) { s.Model.Name, s.Guard.Unchanged = tc.model, "skip" }))
			if verdicts(s) != tc.want {
				t.Errorf("run %d: %s\n%s", i+1, verdicts(s), messages(s))
			}
			for _, u := range s.Steps[0].Uploads {
				files = append(files, u.File.ID)
			}
		}
		if len(files) < 2 || files[0] != files[1] {
			t.Errorf("the copy has another server file: %q", files)
		}
	})
}
