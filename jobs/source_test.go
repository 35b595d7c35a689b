package jobs

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// salesFrom is the import of sales from another source.
func salesFrom(n *night, name string, keys ...func(*configs.Step)) configs.Step {
	s := loadSales(n, 1000)
	s.Source = n.file(name)
	for _, key := range keys {
		key(&s)
	}
	return s
}

// split makes two files of sales.csv, in/a.csv and in/b.csv, both with its header.
func (n *night) split() {
	n.t.Helper()
	lines := strings.SplitAfter(n.read("sales.csv"), "\n")
	n.put("in/a.csv", strings.Join(lines[:10], ""))
	n.put("in/b.csv", lines[0]+strings.Join(lines[10:], ""))
}

func (n *night) read(name string) string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}

func (n *night) put(name, text string) {
	n.t.Helper()
	path := filepath.Join(n.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *night) pack(name, text string) {
	n.t.Helper()
	var b strings.Builder
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err = errors.Join(err, z.Close()); err != nil {
		n.t.Fatal(err)
	}
	n.put(name, b.String())
}

// files are what lies in folders of the night, sorted.
func (n *night) files(folders ...string) []string {
	var all []string
	for _, folder := range folders {
		entries, _ := os.ReadDir(filepath.Join(n.dir, folder))
		for _, e := range entries {
			all = append(all, folder+"/"+e.Name())
		}
	}
	slices.Sort(all)
	return all
}

// TestSources: whatever the source is, the bytes of sales.csv are loaded.
func TestSources(t *testing.T) {
	for _, tc := range []struct {
		name  string
		make  func(*night)
		step  func(*night) configs.Step
		files []string
	}{
		{"a pattern", func(n *night) { n.put("in/sales_1.csv", n.read("sales.csv")) },
			func(n *night) configs.Step { return salesFrom(n, "in/sales_*.csv") }, []string{"in/sales_1.csv"}},
		{"packed", func(n *night) { n.pack("in/sales.csv.gz", n.read("sales.csv")) },
			func(n *night) configs.Step { return salesFrom(n, "in/sales.csv.gz") }, nil},
		{"several, joined", (*night).split, func(n *night) configs.Step {
			return salesFrom(n, "in/*.csv", func(s *configs.Step) { s.Source.Pick = configs.PickAll })
		}, []string{"in/a.csv", "in/b.csv"}},
		{"in UTF-16", func(n *night) {
			wide := []byte{0xff, 0xfe}
			for _, r := range n.read("sales.csv") {
				wide = append(wide, byte(r), byte(r>>8))
			}
			n.put("wide.csv", string(wide))
		}, func(n *night) configs.Step { return salesFrom(n, "wide.csv") }, nil},
	} {
		for _, ahead := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				plain := n.run(t.Context(), salesFrom(n, "sales.csv"))
				tc.make(n)
				step := tc.step(n)
				step.Ahead = &ahead
				s := n.run(t.Context(), step)
				if s.End.Code != 0 || len(s.Steps[0].Uploads) != 1 {
					t.Fatalf("%s: %s\n%s", tc.name, verdicts(s), messages(s))
				}
				was, is := plain.Steps[0].Uploads[0], s.Steps[0].Uploads[0]
				var names []string
				for _, f := range is.Files {
					rel, _ := filepath.Rel(n.dir, f)
					names = append(names, filepath.ToSlash(rel))
				}
				if diff := cmp.Diff(tc.files, names); diff != "" || is.Digest != was.Digest || *is.Rows != *was.Rows || is.Path != step.Source.Path {
					t.Errorf("%s: %+v, want the bytes of %+v\n%s", tc.name, is.SourceUploaded, was.SourceUploaded, diff)
				}
			})
		}
	}
}

// realNow is the time of files, which do not stand in the bubble's clock.
func realNow(t *testing.T, n *night) func() time.Time {
	info, err := os.Stat(filepath.Join(n.dir, "sales.csv"))
	if err != nil {
		t.Fatal(err)
	}
	real, began := info.ModTime().Add(time.Minute), time.Now()
	return func() time.Time { return real.Add(time.Since(began)) }
}

// TestWaitFor: a source that is not there yet is waited for, which counts against nothing
// else, and ends with the run.
func TestWaitFor(t *testing.T) {
	waits := func(s *configs.Step) { s.Source.WaitFor.Limit, s.Timeout = 2*time.Hour, time.Hour }
	for _, tc := range []struct {
		name string
		at   time.Duration // when the source comes; 0: never
		stop time.Duration // when the run is stopped
		want string
		code int
		took time.Duration
	}{
		{"it comes", 90 * time.Minute, 0, "load sales ok", 0, 90 * time.Minute},
		{"it does not come", 0, 0, "load sales failed/input", 65, 2 * time.Hour},
		{"the run is stopped", 0, time.Hour, "load sales -", 143, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			if tc.at > 0 {
				text := n.read("sales.csv")
				time.AfterFunc(tc.at, func() { n.put("late.csv", text) })
			}
			if tc.stop > 0 {
				time.AfterFunc(tc.stop, func() { stop(&Stopped{Signal: "SIGTERM"}) })
			}
			began := time.Now()
			s := n.run(ctx, salesFrom(n, "late.csv", waits))
			took := time.Since(began)
			if verdicts(s) != tc.want || s.End.Code != tc.code || took < tc.took || took > tc.took+5*time.Minute {
				t.Errorf("%s: %s, code %d after %s\n%s", tc.name, verdicts(s), s.End.Code, took, messages(s))
			}
			if w := s.Steps[0].Waits; len(w) == 0 || w[0].Reason != string(reasonSource) || !strings.Contains(w[0].Text, "late.csv") {
				t.Errorf("%s: waits %+v", tc.name, w)
			}
		})
	}
}

// TestGuardsOfSources are the guards that need more than the file: earlier runs, a control
// file, a program.
func TestGuardsOfSources(t *testing.T) {
	percent := 10.0
	guard := func(g configs.Guard) func(*configs.Step) { return func(s *configs.Step) { s.Guard = g } }
	program := &configs.GuardCommand{Argv: []string{"check", "it"}}
	for _, tc := range []struct {
		name    string
		guard   configs.Guard
		before  func(*night) // between a run that was ok and this one
		exit    Exit
		want    string
		code    int
		says    string
		skipped bool
	}{
		{name: "unchanged, skipped", guard: configs.Guard{Unchanged: "skip"}, want: "load sales skipped", says: "nothing was loaded"},
		{name: "unchanged, refused", guard: configs.Guard{Unchanged: "refuse"}, want: "load sales failed/guard", code: 65, says: "guard unchanged"},
		{name: "unchanged, and run", guard: configs.Guard{Unchanged: "run"}, want: "load sales ok"},
		{name: "changed", guard: configs.Guard{Unchanged: "skip"}, before: func(n *night) { n.put("sales.csv", firstLines(n.read("sales.csv"), 20)) }, want: "load sales ok"},
		{name: "as many rows as last time", guard: configs.Guard{CompareLast: &percent}, want: "load sales ok"},
		{name: "half of the rows", guard: configs.Guard{CompareLast: &percent}, before: func(n *night) { n.put("sales.csv", firstLines(n.read("sales.csv"), 12)) },
			want: "load sales failed/guard", code: 65, says: "guard compare_last: it has 11 data rows, the last one had 24"},
		{name: "a control file", guard: configs.Guard{Control: &configs.Control{Path: "sales.ctl"}}, before: func(n *night) { n.put("sales.ctl", "rows = 24\n") }, want: "load sales ok"},
		{name: "a control file that says otherwise", guard: configs.Guard{Control: &configs.Control{Path: "sales.ctl"}}, before: func(n *night) { n.put("sales.ctl", "rows = 25\n") },
			want: "load sales failed/guard", code: 65, says: "guard control"},
		{name: "no control file", guard: configs.Guard{Control: &configs.Control{Path: "sales.ctl"}}, want: "load sales failed/input", code: 65, says: "sales.ctl"},
		{name: "a program that passes", guard: configs.Guard{Command: program}, want: "load sales ok"},
		{name: "a program that does not", guard: configs.Guard{Command: program}, exit: Exit{Code: 2}, want: "load sales failed/guard", code: 65,
			says: `guard command: "check": exit code 2; it printed last: looks odd`},
		{name: "another header", guard: configs.Guard{Names: []string{"a", "b"}}, want: "load sales failed/guard", code: 65, says: "guard header"},
		{name: "a column that is missing", guard: configs.Guard{Columns: []string{"Units", "SKU"}}, want: "load sales failed/guard", code: 65, says: `guard columns`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				p := &programs{exit: tc.exit, lines: []string{"looks odd"}}
				n.runner.Exec, n.runner.Now = p.run, realNow(t, n)
				if s := n.run(t.Context(), salesFrom(n, "sales.csv")); s.End.Code != 0 {
					t.Fatal(messages(s))
				}
				if tc.before != nil {
					tc.before(n)
				}
				if tc.guard.Control != nil {
					tc.guard.Control.Path = filepath.Join(n.dir, "sales.ctl")
				}
				time.Sleep(time.Second) // runs that start at one instant have no order
				s := n.run(t.Context(), salesFrom(n, "sales.csv", guard(tc.guard)))
				if verdicts(s) != tc.want || s.End.Code != tc.code || !strings.Contains(messages(s), tc.says) {
					t.Errorf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
				}
				if tasks := len(n.sim.Tasks()); tasks != map[bool]int{true: 2, false: 1}[tc.want == "load sales ok"] {
					t.Errorf("%d tasks", tasks)
				}
				for _, call := range p.calls {
					env := strings.Join(call.Env, "\n") + "\n"
					for _, want := range []string{"ANAPLAN_RUNNER_FILE=" + filepath.Join(n.dir, "sales.csv"), "ANAPLAN_RUNNER_ROWS=24", "ANAPLAN_RUNNER_STEP=load sales", "ANAPLAN_RUNNER_BYTES=", "ANAPLAN_RUNNER_DIGEST="} {
						if !strings.Contains(env, want) {
							t.Errorf("%s is not in its environment", want)
						}
					}
				}
				if left := n.files("runs/" + ledger.DirName(s.Created.ID) + "/spool"); len(left) > 0 {
					t.Errorf("left in the spool: %q", left)
				}
			})
		})
	}
}

// TestUnchangedIsOfWhatTheModelHolds: after a run that loaded something else and was not ok,
// the bytes of the last run that was ok are loaded again.
func TestUnchangedIsOfWhatTheModelHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Now = realNow(t, n)
		first := n.read("sales.csv")
		skip := func(s *configs.Step) { s.Guard.Unchanged = "skip" }
		most := int64(1000)
		strict := func(s *configs.Step) { s.Accept.MinLoaded = &most }
		for i, tc := range []struct {
			text string
			keys []func(*configs.Step)
			want string
		}{
			{first, nil, "load sales ok"},
			{firstLines(first, 20), []func(*configs.Step){strict}, "load sales partial/rows"},
			{first, []func(*configs.Step){skip}, "load sales ok"},
			{first, []func(*configs.Step){skip}, "load sales skipped"},
			{first, []func(*configs.Step){skip}, "load sales skipped"},
		} {
			time.Sleep(time.Second)
			n.put("sales.csv", tc.text)
			if s := n.run(t.Context(), salesFrom(n, "sales.csv", tc.keys...)); verdicts(s) != tc.want {
				t.Errorf("run %d: %s\n%s", i+1, verdicts(s), messages(s))
			}
		}
	})
}

// TestWaitForControl: a source that is waited for is held against the control file that comes
// with it, and not against what lay there when the wait began.
func TestWaitForControl(t *testing.T) {
	for _, before := range []string{"", "rows = 25\n"} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			n.runner.Now = realNow(t, n)
			if before != "" {
				n.put("in/sales.ctl", before)
			}
			time.AfterFunc(5*time.Minute, func() {
				n.put("in/sales.csv", n.read("sales.csv"))
				n.put("in/sales.ctl", "rows = 24\n")
				n.put("in/ready", "")
			})
			s := n.run(t.Context(), salesFrom(n, "in/sales.csv", func(s *configs.Step) {
				s.Source.WaitFor = configs.WaitFor{Path: filepath.Join(n.dir, "in/ready"), Limit: time.Hour}
				s.Guard.Control = &configs.Control{Path: filepath.Join(n.dir, "in/sales.ctl")}
			}))
			if s.End.Code != 0 {
				t.Errorf("with %q before: %s", before, messages(s))
			}
		})
	}
}

// TestUnchangedAfterAContinuedRun: what was loaded last is what counts, and not which run began
// last.
func TestUnchangedAfterAContinuedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Now = realNow(t, n)
		text := n.read("sales.csv")
		run := func(text string) ledger.State {
			time.Sleep(24 * time.Hour)
			n.put("sales.csv", text)
			return n.run(t.Context(), salesFrom(n, "sales.csv", func(s *configs.Step) { s.Guard.Unchanged, s.Guard.MinRows = "skip", new(int64(5)) }))
		}
		monday := run(firstLines(text, 1))
		tuesday := run(text)
		time.Sleep(time.Hour)
		n.put("sales.csv", firstLines(text, 20))
		monday = n.resume(monday.Created.ID, Continuation{})
		if monday.End.Code != 0 || tuesday.End.Code != 0 {
			t.Fatal(messages(monday), messages(tuesday))
		}
		for i, want := range []string{"load sales ok", "load sales skipped"} {
			if s := run(text); verdicts(s) != want {
				t.Errorf("run %d after it: %s\n%s", i+1, verdicts(s), messages(s))
			}
		}
	})
}

// after lets the sources of a step be moved.
func after(n *night) func(*configs.Step) {
	return func(s *configs.Step) {
		s.Source.After = configs.After{OK: filepath.Join(n.dir, "done"), Else: filepath.Join(n.dir, "bad")}
	}
}

// TestAfter: where sources are when their run has ended.
func TestAfter(t *testing.T) {
	one := int64(1000)
	refused := func(s *configs.Step) { s.Guard.MinRows = &one }
	all := func(s *configs.Step) { s.Source.Pick = configs.PickAll }
	for _, tc := range []struct {
		name  string
		make  func(*night)
		steps func(*night) []configs.Step
		want  string
		files []string
	}{
		{"ok", nil, func(n *night) []configs.Step { return []configs.Step{salesFrom(n, "in/*.csv", all, after(n))} }, "load sales ok", []string{"done/a.csv", "done/b.csv"}},
		{"refused", nil, func(n *night) []configs.Step { return []configs.Step{salesFrom(n, "in/*.csv", all, after(n), refused)} },
			"load sales failed/guard", []string{"bad/a.csv", "bad/b.csv"}},
		{"never over another", func(n *night) { n.put("done/a.csv", "old") }, func(n *night) []configs.Step { return []configs.Step{salesFrom(n, "in/*.csv", all, after(n))} },
			"load sales ok", []string{"done/a-2.csv", "done/a.csv", "done/b.csv"}},
		{"not reached", nil, func(n *night) []configs.Step {
			return []configs.Step{salesFrom(n, "none.csv"), func() configs.Step { s := salesFrom(n, "in/*.csv", all, after(n)); s.Name = "second"; return s }()}
		}, "load sales failed/input, second blocked", []string{"in/a.csv", "in/b.csv"}},
		{"when the import that reads an upload has ended", nil, func(n *night) []configs.Step {
			up := configs.Step{Name: "up", Verb: configs.Upload, Object: configs.Ref{Name: "sales.csv"}, Source: n.file("in/*.csv")}
			all(&up)
			after(n)(&up)
			load := loadSales(n, 0)
			load.Source, load.Accept.MinLoaded = nil, &one
			return []configs.Step{up, load}
		}, "up ok, load sales partial/rows", []string{"bad/a.csv", "bad/b.csv"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				n.split()
				if tc.make != nil {
					tc.make(n)
				}
				s := n.run(t.Context(), tc.steps(n)...)
				if diff := cmp.Diff(tc.files, n.files("in", "done", "bad")); diff != "" || verdicts(s) != tc.want {
					t.Errorf("%s: %s\n%s", verdicts(s), diff, messages(s))
				}
				moved := 2
				if tc.name == "not reached" {
					moved = 0
				}
				if len(s.Moves) != moved {
					t.Errorf("%+v", s.Moves)
				}
			})
		})
	}
}

// TestAfterContinued: a continued run reads what was moved from where it is, and a death
// between a move and its record harms nothing.
func TestAfterContinued(t *testing.T) {
	t.Run("a moved source is read again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			n.runner.Now = realNow(t, n)
			n.split()
			ok := true
			step := salesFrom(n, "in/*.csv", after(n), func(s *configs.Step) {
				s.Source.Pick = configs.PickAll
				s.Guard.Command = &configs.GuardCommand{Argv: []string{"check"}}
			})
			n.runner.Exec = func(context.Context, Program) (Exit, error) {
				return Exit{Code: map[bool]int{true: 1, false: 0}[ok]}, nil
			}
			s := n.run(t.Context(), step)
			if diff := cmp.Diff([]string{"bad/a.csv", "bad/b.csv"}, n.files("in", "done", "bad")); diff != "" || s.End.Code != 65 {
				t.Fatal(diff, messages(s))
			}
			ok = false
			n.put("in/c.csv", "of the next night") // not of this run
			s = n.resume(s.Created.ID, Continuation{})
			if diff := cmp.Diff([]string{"done/a.csv", "done/b.csv", "in/c.csv"}, n.files("in", "done", "bad")); diff != "" || s.End.Code != 0 {
				t.Fatal(diff, messages(s))
			}
			if u := s.Steps[0].Uploads; len(u) != 1 || *u[0].Rows != 24 {
				t.Errorf("%+v", u)
			}
		})
	})
	t.Run("a source whose move is not recorded is read again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			n.runner.Now = realNow(t, n)
			n.put("in/sales.csv", n.read("sales.csv"))
			step := salesFrom(n, "in/sales.csv", after(n))
			step.Accept.MinLoaded = new(int64(1000))
			s := n.run(t.Context(), step)
			if s.End.Code != ledger.CodeRows {
				t.Fatal(messages(s))
			}
			n.forget(s.Created.ID, before("source_moved"))
			s = n.resume(s.Created.ID, Continuation{})
			if s.End.Code != ledger.CodeRows || len(n.sim.Tasks()) != 2 || len(s.Moves) != 1 {
				t.Errorf("%d tasks, %+v\n%s", len(n.sim.Tasks()), s.Moves, messages(s))
			}
		})
	})
	for _, kind := range []string{"source_moved", "run_ended", "step_ended"} {
		t.Run("killed before "+kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				n.put("in/sales.csv", n.read("sales.csv"))
				s := n.run(t.Context(), salesFrom(n, "in/sales.csv", after(n)))
				id := s.Created.ID
				n.forget(id, before(kind))
				s = n.resume(id, Continuation{})
				want := []ledger.SourceMoved{{Source: filepath.Join(n.dir, "in/sales.csv"), From: filepath.Join(n.dir, "in/sales.csv"), To: filepath.Join(n.dir, "done/sales.csv"),
					Digest: s.Steps[0].Uploads[0].Digest}}
				var got []ledger.SourceMoved
				for _, m := range s.Moves {
					got = append(got, m.SourceMoved)
				}
				if diff := cmp.Diff(want, got); diff != "" || s.End.Code != 0 || len(n.sim.Tasks()) != 1 {
					t.Errorf("%d tasks: %s\n%s", len(n.sim.Tasks()), diff, messages(s))
				}
				if diff := cmp.Diff([]string{"done/sales.csv"}, n.files("in", "done", "bad")); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestAfterNamesWhatItReads: where a moved source is refused, it is said which file that was: one
// at its old place is not read.
func TestAfterNamesWhatItReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Now = realNow(t, n)
		text := n.read("sales.csv")
		n.put("in/sales.csv", firstLines(text, 1))
		s := n.run(t.Context(), salesFrom(n, "in/sales.csv", after(n), func(s *configs.Step) { s.Guard.MinRows = new(int64(5)) }))
		in, bad := filepath.Join(n.dir, "in/sales.csv"), filepath.Join(n.dir, "bad/sales.csv")
		if !strings.Contains(messages(s), "check "+in+": guard") {
			t.Fatal(messages(s))
		}
		n.put("in/sales.csv", text)
		if s = n.resume(s.Created.ID, Continuation{}); !strings.Contains(messages(s), "check "+in+", which was moved to "+bad+": guard") {
			t.Error(messages(s))
		}
		n.put("bad/sales.csv", text) // put right
		if s = n.resume(s.Created.ID, Continuation{}); s.End.Code != 0 {
			t.Error(messages(s))
		}
	})
}

// TestAfterWithoutAnEnd: of a run that is done but for its end the sources are moved, though
// Anaplan does not answer for a while, and whatever was wished of the runner before.
func TestAfterWithoutAnEnd(t *testing.T) {
	for _, tc := range []struct {
		name   string
		decide Continuation
		down   bool
	}{{"as it is", Continuation{}, false}, {"to be cancelled", Continuation{Cancel: true}, false}, {"Anaplan does not answer", Continuation{}, true}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				text := n.read("sales.csv")
				n.put("in/sales.csv", text)
				s := n.run(t.Context(), salesFrom(n, "in/sales.csv", after(n)))
				id := s.Created.ID
				n.forget(id, before("source_moved"))
				n.take("done/sales.csv")
				n.put("in/sales.csv", text)
				if err := n.ledger.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, By: "ops@there", At: time.Now()}); err != nil {
					t.Fatal(err)
				}
				connect := n.runner.Connect
				if tc.down {
					down := &net.OpError{Op: "dial", Err: errors.New("refused")}
					n.runner.Connect = func(context.Context, string) (*Tenant, error) { return nil, down }
					c := tc.decide
					c.ID, c.Runner = id, ledger.Runner{Host: "here", PID: 77}
					if s, err := n.runner.Continue(t.Context(), c); !errors.Is(err, down) || s.End != nil {
						t.Fatalf("%v, %+v", err, s.End)
					}
					n.runner.Connect = connect
				}
				s = n.resume(id, tc.decide)
				if diff := cmp.Diff([]string{"done/sales.csv"}, n.files("in", "done", "bad")); diff != "" || s.End == nil || s.End.Code != 0 {
					t.Error(diff, messages(s))
				}
			})
		})
	}
}

// take removes a file.
func (n *night) take(name string) {
	n.t.Helper()
	if err := os.Remove(filepath.Join(n.dir, name)); err != nil {
		n.t.Fatal(err)
	}
}

// TestAfterWhenAnotherFileComes: what nobody has read is not moved.
func TestAfterWhenAnotherFileComes(t *testing.T) {
	t.Run("while its step runs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			n.runner.Now = realNow(t, n)
			n.put("in/sales.csv", n.read("sales.csv"))
			up := configs.Step{Name: "up", Verb: configs.Upload, Object: configs.Ref{Name: "sales.csv"}, Source: n.file("in/sales.csv")}
			after(n)(&up)
			load := loadSales(n, 1000)
			load.Source = nil
			n.runner.Exec = func(context.Context, Program) (Exit, error) {
				n.put("in/sales.csv", "of the next night")
				return Exit{}, nil
			}
			s := n.run(t.Context(), up, commandStep(), load)
			if diff := cmp.Diff([]string{"in/sales.csv"}, n.files("in", "done", "bad")); diff != "" || s.End.Code != 0 {
				t.Fatal(diff, messages(s))
			}
			if len(s.Moves) != 1 || s.Moves[0].Error != errRewritten.Error() {
				t.Errorf("%+v", s.Moves)
			}
		})
	})
	for _, tc := range []struct {
		name  string
		comes func(*night)
		want  []string
		fails bool // and why is not that the file was written since
		stays bool
	}{
		{"at its old place, after the move", func(n *night) { n.put("in/sales.csv", "of the next night") }, []string{"done/sales.csv", "in/sales.csv"}, false, false},
		{"in its place, before the move", func(n *night) {
			n.take("done/sales.csv")
			n.put("in/sales.csv", "of the next night")
		}, []string{"in/sales.csv"}, false, true},
		{"in its place, in the middle of the move", func(n *night) {
			n.take("done/sales.csv")
			n.put("in/sales.csv", "of the next night")
			if err := os.Link(filepath.Join(n.dir, "in/sales.csv"), filepath.Join(n.dir, "done/sales.csv")); err != nil {
				n.t.Fatal(err)
			}
		}, []string{"in/sales.csv"}, false, true},
		{"at its new place, and it is gone", func(n *night) { n.put("done/sales.csv", "of the night before") }, []string{"done/sales.csv"}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				n.put("in/sales.csv", n.read("sales.csv"))
				s := n.run(t.Context(), salesFrom(n, "in/sales.csv", after(n)))
				id := s.Created.ID
				n.forget(id, before("source_moved"))
				tc.comes(n)
				s = n.resume(id, Continuation{})
				if diff := cmp.Diff(tc.want, n.files("in", "done", "bad")); diff != "" || s.End.Code != 0 {
					t.Error(diff, messages(s))
				}
				if len(s.Moves) != 1 || (s.Moves[0].Error != "") != (tc.fails || tc.stays) || (s.Moves[0].Error == errRewritten.Error()) != tc.stays {
					t.Errorf("%+v", s.Moves)
				}
			})
		})
	}
}

// TestAfterAcceptedUnread: a source that its guard refused is not moved because a person took
// the step for ok: another file may lie there by now.
func TestAfterAcceptedUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Now = realNow(t, n)
		text := n.read("sales.csv")
		n.put("in/sales.csv", firstLines(text, 1))
		s := n.run(t.Context(), salesFrom(n, "in/sales.csv", after(n), func(s *configs.Step) {
			s.Source.After.Else, s.Guard.MinRows = "", new(int64(5))
		}))
		if verdicts(s) != "load sales failed/guard" {
			t.Fatal(messages(s))
		}
		n.put("in/sales.csv", text) // of the next night
		s = n.resume(s.Created.ID, Continuation{Accept: []string{"load sales"}})
		if diff := cmp.Diff([]string{"in/sales.csv"}, n.files("in", "done", "bad")); diff != "" || s.End.Code != 0 || len(s.Moves) != 0 {
			t.Error(diff, messages(s), s.Moves)
		}
	})
}

// TestAfterTwoReaders: what only one of two steps has read stays, and so does what was written
// between them.
func TestAfterTwoReaders(t *testing.T) {
	for _, tc := range []struct {
		name  string
		comes func(*night)
		again bool // the record of the moves is lost
		want  []string
		stays string
	}{
		{"nothing comes", func(*night) {}, false, []string{"done/a.csv", "done/b.csv"}, ""},
		{"nothing comes, and the runner dies", func(*night) {}, true, []string{"done/a.csv", "done/b.csv"}, ""},
		{"another one comes", func(n *night) { n.put("in/c.csv", firstLines(n.read("sales.csv"), 3)) }, false, []string{"done/a.csv", "done/b.csv", "in/c.csv"}, "c.csv"},
		{"another one comes, and the runner dies", func(n *night) { n.put("in/c.csv", firstLines(n.read("sales.csv"), 3)) }, true,
			[]string{"done/a.csv", "done/b.csv", "in/c.csv"}, "c.csv"},
		{"one is written again", func(n *night) { n.put("in/b.csv", firstLines(n.read("sales.csv"), 3)) }, false, []string{"done/a.csv", "in/b.csv"}, "b.csv"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, slowTasks())
				defer n.close()
				n.runner.Now = realNow(t, n)
				n.split()
				all := func(s *configs.Step) { s.Source.Pick = configs.PickAll }
				two := salesFrom(n, "in/*.csv", all, after(n))
				two.Name = "second"
				time.AfterFunc(time.Minute, func() { tc.comes(n) })
				s := n.run(t.Context(), salesFrom(n, "in/*.csv", all, after(n)), two)
				if tc.again {
					n.forget(s.Created.ID, before("source_moved"))
					s = n.resume(s.Created.ID, Continuation{})
				}
				if diff := cmp.Diff(tc.want, n.files("in", "done", "bad")); diff != "" || s.End.Code != 0 {
					t.Fatal(diff, messages(s), s.Moves)
				}
				stays := ""
				for _, m := range s.Moves {
					if m.Error != "" {
						stays += filepath.Base(m.From)
					}
				}
				if stays != tc.stays {
					t.Errorf("%q stay: %+v", stays, s.Moves)
				}
			})
		})
	}
}

// TestAfterThroughLinks: the only copy of a source stays, whatever leads to it from the
// folder to which it is to be moved.
func TestAfterThroughLinks(t *testing.T) {
	for _, tc := range []struct {
		name string
		link func(*night) error
		want []string
		says string
	}{
		{"the folder is a link to that of the source", func(n *night) error { return os.Symlink("in", filepath.Join(n.dir, "done")) },
			[]string{"done/sales.csv", "in/sales.csv"}, errSamePlace.Error()},
		{"a link to the source has the name", func(n *night) error {
			return errors.Join(os.Mkdir(filepath.Join(n.dir, "done"), 0o700), os.Symlink("../in/sales.csv", filepath.Join(n.dir, "done/sales.csv")))
		}, []string{"done/sales-2.csv", "done/sales.csv"}, ""},
		{"the source is a link itself", func(n *night) error {
			return errors.Join(os.Mkdir(filepath.Join(n.dir, "data"), 0o700), os.Rename(filepath.Join(n.dir, "in/sales.csv"), filepath.Join(n.dir, "data/today.csv")),
				os.Symlink("../data/today.csv", filepath.Join(n.dir, "in/sales.csv")))
		}, []string{"done/sales.csv"}, ""},
		{"the source is a link to a file beside it", func(n *night) error {
			return errors.Join(os.Rename(filepath.Join(n.dir, "in/sales.csv"), filepath.Join(n.dir, "in/today.csv")), os.Symlink("today.csv", filepath.Join(n.dir, "in/sales.csv")))
		}, []string{"done/sales.csv", "in/today.csv"}, ""},
	} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprint(tc.name, ", killed ", killed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newLeanNight(t, simulator.Options{})
					defer n.close()
					n.runner.Now = realNow(t, n)
					text := n.read("sales.csv")
					n.put("in/sales.csv", text)
					if err := tc.link(n); err != nil {
						t.Fatal(err)
					}
					s := n.run(t.Context(), salesFrom(n, "in/sales.csv", after(n)))
					if killed {
						n.forget(s.Created.ID, before("source_moved"))
						s = n.resume(s.Created.ID, Continuation{})
					}
					if diff := cmp.Diff(tc.want, n.files("in", "done")); diff != "" || s.End.Code != 0 {
						t.Fatal(diff, messages(s))
					}
					if n.read(tc.want[0]) != text {
						t.Error("it is not whole")
					}
					if len(s.Moves) != 1 || s.Moves[0].Error != tc.says {
						t.Errorf("%+v", s.Moves)
					}
				})
			})
		}
	}
}

// TestAfterHalfMoved: of what an earlier runner has moved and not recorded, a file stays of
// which nobody can tell that it was read.
func TestAfterHalfMoved(t *testing.T) {
	for _, tc := range []struct {
		name, source string
		comes        func(*night)
		want         []string
		says         string // of the last one
	}{
		{"the next one is half written", "in/sales.csv.gz", func(n *night) {
			n.take("done/sales.csv.gz")
			n.pack("whole.gz", strings.Repeat(n.read("sales.csv"), 3))
			whole := n.read("whole.gz")
			n.put("in/sales.csv.gz", whole[:len(whole)/2])
		}, []string{"in/sales.csv.gz"}, "in/sales.csv.gz: "},
		{"the next one comes in the place of one of two", "in/?.csv", func(n *night) {
			n.take("done/b.csv")
			n.put("in/b.csv", firstLines(n.read("sales.csv"), 3))
		}, []string{"done/a.csv", "in/b.csv"}, errRewritten.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				if tc.source == "in/?.csv" {
					n.split()
				} else {
					n.pack(tc.source, n.read("sales.csv"))
				}
				s := n.run(t.Context(), salesFrom(n, tc.source, after(n), func(s *configs.Step) { s.Source.Pick = configs.PickAll }))
				n.forget(s.Created.ID, before("source_moved"))
				tc.comes(n)
				s = n.resume(s.Created.ID, Continuation{})
				if diff := cmp.Diff(tc.want, n.files("in", "done", "bad")); diff != "" || s.End.Code != 0 || len(s.Moves) == 0 {
					t.Fatal(diff, messages(s), s.Moves)
				}
				if last := s.Moves[len(s.Moves)-1]; !strings.Contains(last.Error, tc.says) {
					t.Errorf("%+v", last)
				}
			})
		})
	}
}

func TestNumbered(t *testing.T) {
	for name, want := range map[string]string{"/in/a.csv": "/in/a-2.csv", "/in/a.csv.gz": "/in/a-2.csv.gz", "s3://b/k/a.csv?region=x": "s3://b/k/a-2.csv?region=x",
		"gs://b/k/a?b.csv": "gs://b/k/a?b-2.csv", "s3://b/k/a?b.csv?region=x": "s3://b/k/a?b-2.csv?region=x",
		"/in/a": "/in/a-2", "/in/.a": "/in/.a-2", "/in.d/a?b.csv": "/in.d/a?b-2.csv", "/in/sales_2026.10.31.csv": "/in/sales_2026.10.31-2.csv"} {
		if got := numbered(name, 2); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := numbered("/in/a.csv", 1); got != "/in/a.csv" {
		t.Error(got)
	}
}

// TestWithQuery: what is shown of a URL becomes one that leads there again.
func TestWithQuery(t *testing.T) {
	for _, c := range []struct{ source, shown, want string }{
		{"s3://b/in/?.csv?region=x", "s3://b/done/1.csv", "s3://b/done/1.csv?region=x"},
		{"gs://b/in/?.csv", "gs://b/done/1.csv", "gs://b/done/1.csv"},
		{"https://h/a.csv?sig=1", "https://h/a.csv", "https://h/a.csv?sig=1"},
		{"/in/?.csv", "/done/1.csv", "/done/1.csv"},
	} {
		if got := withQuery(c.shown, FileInput{Source: data.Source{Name: c.source}}); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.shown, c.source, got, c.want)
		}
	}
}

// TestOutputsOfProcesses: an export inside a process has targets and a guard, and what could
// not be written is fetched by a continued run, without running the process again.
func TestOutputsOfProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		out := filepath.Join(n.dir, "out", "forecast.csv.gz")
		few, many := int64(0), int64(1_000_000)
		publish := func(name string, least *int64) configs.Step {
			s := process("Publish Month")
			s.Files = []configs.StepFile{{File: configs.Ref{Name: name}, Targets: []configs.Target{{Path: out, Keep: 1}}, Guard: configs.Guard{MinRows: least}}}
			return s
		}
		exports := n.exportsOf("Publish Month")
		if len(exports) == 0 {
			t.Fatal("the process has no export")
		}
		s := n.run(t.Context(), publish(exports[0], &few))
		if s.End.Code != 0 || len(s.Steps[0].Targets) != 1 || s.Steps[0].Targets[0].Path != out {
			t.Fatalf("%s\n%s", verdicts(s), messages(s))
		}
		if !strings.HasPrefix(n.read("out/forecast.csv.gz"), "\x1f\x8b") {
			t.Error("it is not compressed")
		}
		// Refused, and the previous one stays.
		before := n.read("out/forecast.csv.gz")
		s = n.run(t.Context(), publish(exports[0], &many))
		if s.End.Code != 65 || n.read("out/forecast.csv.gz") != before || !strings.Contains(messages(s), "--again p") {
			t.Errorf("%s\n%s", verdicts(s), messages(s))
		}
		// The folder cannot be written: that is mended, and the process is not run again.
		if err := os.RemoveAll(filepath.Join(n.dir, "out")); err != nil {
			t.Fatal(err)
		}
		n.put("out", "in the way")
		s = n.run(t.Context(), publish(exports[0], &few))
		if s.End.Code != 65 || !s.Steps[0].End.Fetch {
			t.Fatalf("%s\n%s", verdicts(s), messages(s))
		}
		if err := os.Remove(filepath.Join(n.dir, "out")); err != nil {
			t.Fatal(err)
		}
		tasks := len(n.sim.Tasks())
		s = n.resume(s.Created.ID, Continuation{})
		if s.End.Code != 0 || len(n.sim.Tasks()) != tasks || len(s.Steps[0].Targets) != 1 {
			t.Errorf("%s, %d tasks more\n%s", verdicts(s), len(n.sim.Tasks())-tasks, messages(s))
		}
		if _, err := os.Stat(out); err != nil {
			t.Error(err)
		}
	})
}

// exportsOf are the names of the exports in a process.
func (n *night) exportsOf(name string) []string {
	n.t.Helper()
	bound, err := Bind(n.t.Context(), n.request(ledger.ID{}, process(name)).Plan, n.runner.Connect)
	if err != nil {
		n.t.Fatal(err)
	}
	var names []string
	for _, o := range bound.Steps[0].Exports {
		names = append(names, o.Export.Name)
	}
	return names
}
