package jobs

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// programs are the programs of a job, and what became of them.
type programs struct {
	exit  Exit
	err   error
	lines []string
	takes time.Duration

	mu    sync.Mutex
	calls []Program
}

func (p *programs) run(ctx context.Context, q Program) (Exit, error) {
	p.mu.Lock()
	p.calls = append(p.calls, q)
	p.mu.Unlock()
	if p.err != nil {
		return Exit{}, p.err
	}
	for _, line := range p.lines {
		q.Line(line)
	}
	if !sleep(ctx, p.takes) {
		return Exit{Code: -1, Stopped: true}, nil
	}
	return p.exit, nil
}

func commandStep(keys ...func(*configs.Step)) configs.Step {
	s := configs.Step{Name: "prepare", Verb: configs.Command, Argv: []string{"make", "it"}}
	for _, key := range keys {
		key(&s)
	}
	return s
}

func safe(s *configs.Step) { s.Rerun = "safe" }

// TestCommand is what a program comes to.
func TestCommand(t *testing.T) {
	for _, tc := range []struct {
		name    string
		program *programs
		step    configs.Step
		want    string
		code    int
		says    string
		seconds float64
	}{
		{name: "it does its work", program: &programs{takes: time.Minute}, step: commandStep(), want: "prepare ok", says: "exit code 0 after 1m0s", seconds: 60},
		{name: "it fails", program: &programs{exit: Exit{Code: 3}, lines: []string{"no such", "period"}}, step: commandStep(),
			want: "prepare failed/action", code: 1, says: `command "make": exit code 3 after 0s; it printed last: no such | period`},
		{name: "it takes too long", program: &programs{takes: time.Hour}, step: commandStep(func(s *configs.Step) { s.Timeout = time.Minute }),
			want: "prepare timed_out/time", code: 124, says: "it was ended after 1m0s, its limit is 1m0s", seconds: 60},
		{name: "an hour is the limit", program: &programs{takes: 2 * time.Hour}, step: commandStep(), want: "prepare timed_out/time", code: 124, seconds: 3600},
		{name: "it is not there", program: &programs{err: &ProgramError{"make", os.ErrNotExist}}, step: commandStep(), want: "prepare failed/config", code: 78,
			says: `"make" cannot be started: file does not exist`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Exec = tc.program.run
				n.runner.Connect = nil // no login is needed
				began := time.Now()
				s := n.run(t.Context(), tc.step)
				if verdicts(s) != tc.want || s.End.Code != tc.code || !strings.Contains(messages(s), tc.says) {
					t.Fatalf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
				}
				if got := time.Since(began).Seconds(); got != tc.seconds {
					t.Errorf("it took %v s", got)
				}
				if len(tc.program.calls) != 1 || len(s.Steps[0].Commands) != 1 || s.Steps[0].Commands[0].End == nil {
					t.Errorf("%d calls, %+v", len(tc.program.calls), s.Steps[0].Commands)
				}
			})
		})
	}
}

// TestCommandContinued: a program that may have run is not run again by itself.
func TestCommandContinued(t *testing.T) {
	type decision = Continuation
	for _, tc := range []struct {
		name   string
		step   configs.Step
		left   func(events []ledger.Event) int // how many events the first runner left
		exit   Exit
		decide decision
		want   string
		code   int
		calls  int
		says   string
	}{
		{name: "its runner died", step: commandStep(), left: before("command_ended"), want: "prepare unsure/start_unknown", code: 76, calls: 1, says: "--again prepare"},
		{name: "its runner died, and it may run again", step: commandStep(safe), left: before("command_ended"), want: "prepare ok", calls: 2},
		{name: "a person lets it run again", step: commandStep(), left: before("command_ended"), decide: decision{Again: []string{"prepare"}}, want: "prepare ok", calls: 2},
		{name: "a person takes it for ok", step: commandStep(), left: before("command_ended"), decide: decision{Accept: []string{"prepare"}}, want: "prepare ok", calls: 1},
		{name: "it had ended well", step: commandStep(), left: before("step_ended"), want: "prepare ok", calls: 1},
		{name: "it had not begun", step: commandStep(), left: before("command_started"), want: "prepare ok", calls: 2},
		{name: "it had failed", step: commandStep(), left: whole, exit: Exit{Code: 1}, want: "prepare failed/action", code: 1, calls: 1},
		{name: "it had failed, and may run again", step: commandStep(safe), left: whole, exit: Exit{Code: 1}, want: "prepare failed/action", code: 1, calls: 2},
		{name: "it had failed, and a person lets it run again", step: commandStep(), left: whole, exit: Exit{Code: 1}, decide: decision{Again: []string{"prepare"}},
			want: "prepare failed/action", code: 1, calls: 2},
		{name: "to be cancelled", step: commandStep(), left: before("command_ended"), decide: decision{Cancel: true}, want: "prepare -", code: 130, calls: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				p := &programs{exit: tc.exit}
				n.runner.Exec = p.run
				s := n.run(t.Context(), tc.step)
				id := s.Created.ID
				n.forget(id, tc.left)
				s = n.resume(id, tc.decide)
				if verdicts(s) != tc.want || s.End.Code != tc.code || len(p.calls) != tc.calls || !strings.Contains(messages(s), tc.says) {
					t.Fatalf("%s, code %d, %d calls\n%s", verdicts(s), s.End.Code, len(p.calls), messages(s))
				}
				if s.End.Verdict == ledger.Unsure { // and so it stays, until a person decides
					if s = n.resume(id, Continuation{}); verdicts(s) != tc.want || len(p.calls) != tc.calls {
						t.Fatalf("%s, %d calls", verdicts(s), len(p.calls))
					}
				}
			})
		})
	}
}

func whole(events []ledger.Event) int { return len(events) }

func before(kind string) func([]ledger.Event) int {
	return func(events []ledger.Event) int {
		return slices.IndexFunc(events, func(e ledger.Event) bool { return e.Body.Kind() == kind })
	}
}

// forget leaves of a run what was recorded when its runner died.
func (n *night) forget(id ledger.ID, left func([]ledger.Event) int) {
	n.t.Helper()
	ctx := context.Background()
	events, err := n.ledger.Events(ctx, id, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.ledger.Remove(ctx, id); err != nil {
		n.t.Fatal(err)
	}
	events = events[:left(events)]
	last := int64(0)
	for i, e := range slices.Backward(events) { // the ledger takes no start under a lease before the last one
		if intent, ok := e.Body.(ledger.Intent); ok {
			last = max(last, intent.Epoch)
			intent.Epoch = last
			events[i].Body = intent
		}
	}
	if _, err := n.ledger.Append(ctx, id, 0, 0, events...); err != nil {
		n.t.Fatal(err)
	}
}

// TestCommandStopped: it is ended with the run, and run again if the job says so.
func TestCommandStopped(t *testing.T) {
	for _, tc := range []struct {
		step  configs.Step
		want  string
		calls int
	}{{commandStep(), "prepare cancelled/action", 1}, {commandStep(safe), "prepare ok", 2}} {
		synctest.Test(t, func(t *testing.T) {
			n := newLeanNight(t, simulator.Options{})
			defer n.close()
			p := &programs{takes: time.Minute}
			n.runner.Exec = p.run
			ctx, stop := context.WithCancelCause(t.Context())
			time.AfterFunc(10*time.Second, func() { stop(&Stopped{Signal: "SIGTERM"}) })
			s := n.run(ctx, tc.step)
			if verdicts(s) != "prepare -" || s.End.Code != ledger.CodeTerminate {
				t.Fatal(verdicts(s), s.End.Code)
			}
			if s = n.resume(s.Created.ID, Continuation{}); verdicts(s) != tc.want || len(p.calls) != tc.calls {
				t.Fatalf("%s, %d calls\n%s", verdicts(s), len(p.calls), messages(s))
			}
		})
	}
}

// TestCommandsSideBySide: they have no model to wait for.
func TestCommandsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		p := &programs{takes: time.Minute}
		n.runner.Exec = p.run
		free := func(name string) configs.Step {
			s := commandStep()
			s.Name, s.NeedsSet = name, true
			return s
		}
		began := time.Now()
		s := n.run(t.Context(), free("a"), free("b"), free("c"), free("d"), free("e"))
		if !s.Closed() || time.Since(began) != 2*time.Minute {
			t.Error(verdicts(s), time.Since(began)) // four at a time
		}
	})
}

// TestRunProgram runs real programs: this test's own binary.
func TestRunProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	run := func(ctx context.Context, mode string) (Exit, error) {
		got = nil
		return RunProgram(ctx, Program{Argv: []string{self, "a", "b c"}, Dir: t.TempDir(), Env: append(os.Environ(), "TEST_PROGRAM="+mode),
			Line: func(line string) { got = append(got, line) }})
	}
	if exit, err := run(t.Context(), "tell"); err != nil || exit != (Exit{}) || strings.Join(got, "/") != "a|b c/to stderr/not ended" {
		t.Errorf("%+v, %v, %q", exit, err, got)
	}
	if exit, err := run(t.Context(), "fail"); err != nil || exit != (Exit{Code: 3}) {
		t.Errorf("%+v, %v", exit, err)
	}
	// It starts a child that holds its output, and hangs with it.
	ctx, cancel := context.WithCancel(t.Context())
	exit, err := RunProgram(ctx, Program{Argv: []string{self}, Env: append(os.Environ(), "TEST_PROGRAM=hang"), Line: func(line string) {
		if line == "child" {
			cancel()
		}
	}})
	if err != nil || !exit.Stopped {
		t.Errorf("%+v, %v", exit, err)
	}
	for _, argv := range [][]string{{"no-such-program"}, {"./nor-this"}, {t.TempDir()}, {""}, nil} {
		if _, err := RunProgram(t.Context(), Program{Argv: argv}); err == nil || explain(err).Cause != ledger.CauseConfig {
			t.Errorf("%q: %v", argv, err)
		}
	}
}

// beProgram is what this binary does as a program of TestRunProgram.
func beProgram(mode string) {
	switch mode {
	case "tell":
		_, _ = os.Stdout.WriteString(strings.Join(os.Args[1:], "|") + "\n")
		_, _ = os.Stderr.WriteString("to stderr\r\n\nnot ended")
		os.Exit(0)
	case "fail":
		os.Exit(3)
	case "night": // see programOf
		if err := appendLine(os.Args[1], os.Getenv("ANAPLAN_RUNNER_RUN")+" "+os.Getenv("ANAPLAN_RUNNER_STEP")); err != nil {
			os.Exit(4)
		}
		if os.Args[2] == fails {
			_, _ = os.Stdout.WriteString("it fails\n")
			os.Exit(3)
		}
		os.Exit(0)
	case "hang":
		child := exec.Command(os.Args[0])
		child.Env = []string{"TEST_PROGRAM=child"}
		child.Stdout = os.Stdout
		_ = child.Run()
		os.Exit(0)
	case "child":
		_, _ = os.Stdout.WriteString("child\n")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
}

func TestLastLines(t *testing.T) {
	var last lastLines
	w := &lineWriter{line: last.add}
	for range 100 {
		_, _ = w.Write([]byte("a line\n\n"))
	}
	if len(last.lines) != tailLines {
		t.Errorf("%d lines", len(last.lines))
	}
	_, _ = w.Write([]byte(strings.Repeat("x", 3*longestLine) + "\nlast"))
	w.flush()
	size := 0
	for _, line := range last.lines {
		size += len(line)
	}
	if size > tailBytes+100 || last.lines[len(last.lines)-1] != "last" {
		t.Errorf("%d bytes in %d lines", size, len(last.lines))
	}
}

// TestEnvironment: a program sees where it is, and no secret.
func TestEnvironment(t *testing.T) {
	secrets := []string{"ANAPLAN_PASSWORD", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "OWN_SECRET"}
	for _, name := range append(secrets, "PLAIN") {
		t.Setenv(name, "value of "+name)
	}
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		p := &programs{}
		n.runner.Exec, n.runner.Secrets = p.run, []string{"OWN_SECRET"}
		s := n.run(t.Context(), commandStep())
		env := strings.Join(p.calls[0].Env, "\n") + "\n"
		for _, want := range []string{"ANAPLAN_RUNNER_JOB=nightly\n", "ANAPLAN_RUNNER_RUN=" + s.Created.ID.Run + "\n", "ANAPLAN_RUNNER_STEP=prepare\n",
			"ANAPLAN_RUNNER_DATE=" + s.Created.Date + "\n", "PLAIN=value of PLAIN\n", "PATH="} {
			if !strings.Contains(env, want) {
				t.Errorf("%q is not in it", want)
			}
		}
		for _, name := range secrets {
			if strings.Contains(env, "\n"+name+"=") || strings.Contains(env, "value of "+name) {
				t.Errorf("%s is in it", name)
			}
		}
	})
}
