//go:build unix

package jobs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestLockedProgram: the file of a program is locked for as long as the program lives, and
// what it has started.
func TestLockedProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "spool", "it.lock")
	lock := func() *os.File {
		f, err := lockProgram(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	holds := func(when string, want bool) (group string) {
		runs, group, err := locksProgram(path)
		if err != nil || runs != want {
			t.Errorf("%s: it runs: %v, %v", when, runs, err)
		}
		return group
	}
	holds("before", false)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := RunProgram(ctx, Program{Argv: []string{self}, Env: append(os.Environ(), "TEST_PROGRAM=hang"), Lock: lock(), Line: func(line string) {
		if line == "child" {
			if n, err := strconv.Atoi(holds("with a child", true)); err != nil || n <= 1 {
				t.Errorf("process group %d, %v", n, err)
			}
			cancel()
		}
	}}); err != nil {
		t.Error(err)
	}
	cancel()
	path = filepath.Join(t.TempDir(), "another.lock") // what was killed may take a moment to end
	held := lock()
	if _, err := lockProgram(path); err == nil {
		t.Error("it was locked twice")
	}
	holds("locked twice", true)
	if _, err := RunProgram(ctx, Program{Argv: []string{self}, Lock: held}); err == nil {
		t.Error("it was begun")
	}
	holds("not begun", false)
}

// TestWhoHasLeftTheProgram: a lock that only processes outside of the program's group hold says
// nothing, where the group can be asked.
func TestWhoHasLeftTheProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "it.lock")
	lock, err := lockProgram(path)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	left := os.NewFile(uintptr(fd), path) // this process is none of the program's
	defer left.Close()
	if _, err := RunProgram(t.Context(), Program{Argv: []string{self}, Env: append(os.Environ(), "TEST_PROGRAM=fail"), Lock: lock}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ended, here, _ := strings.Cut(string(text), "\n")
	ours := strconv.Itoa(syscall.Getpgrp())
	for _, tc := range []struct {
		name, text string
		runs       bool
		group      string
	}{
		{"its group is gone", ended + "\n" + here, false, ""},
		{"its group is there", ours + "\n" + here, true, ours},
		{"elsewhere", ended + "\nelsewhere " + here, true, ended},
		{"of an older program", ended + "\n", true, ended},
		{"just begun", "", true, ""},
	} {
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if runs, group, err := locksProgram(path); runs != tc.runs || group != tc.group || err != nil {
			t.Errorf("%s: it runs: %v, %q, %v", tc.name, runs, group, err)
		}
	}
}

// begunAndKilled is a run whose step "c" has begun its program for the nth time when its runner
// was killed.
func begunAndKilled(n *night, rerun string) ledger.ID {
	n.t.Helper()
	s := n.run(n.t.Context(), configs.Step{Name: "c", Verb: configs.Command, Argv: []string{"/bin/false"}, Rerun: rerun},
		configs.Step{Name: "d", Verb: configs.Command, Argv: []string{"/bin/true"}})
	id := s.Created.ID
	lease, err := n.ledger.Take(n.t.Context(), ledger.RunKey(id), ledger.Holder{Run: id})
	if err != nil {
		n.t.Fatal(err)
	}
	defer lease.Release()
	events := []ledger.Event{{Body: ledger.RunContinued{}}, {Step: "c", Body: ledger.StepReopened{Rerun: true, Why: "again"}},
		{Step: "c", Body: ledger.StepStarted{Try: 2}}, {Step: "c", Body: ledger.CommandStarted{Program: "false"}}}
	for i := range events {
		events[i].At = time.Now()
	}
	if _, err := n.ledger.Append(n.t.Context(), id, s.Seq, lease.Epoch(), events...); err != nil {
		n.t.Fatal(err)
	}
	return id
}

// programFileOf is what the second program of step "c" is locked by.
func programFileOf(n *night, id ledger.ID) string {
	return (&run{Runner: n.runner, req: Request{ID: id}}).programFile("c", 2)
}

// TestAProgramThatIsNotRecordedLocksNothing: that it begins is not recorded because another runner
// has the run, and a program of that may be the one of the same number.
func TestAProgramThatIsNotRecordedLocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Ledger = fullAt{n.ledger, "command_started"}
		s := n.run(t.Context(), configs.Step{Name: "c", Verb: configs.Command, Argv: []string{"/bin/true"}})
		if s.End.Code != ledger.CodeInternal || len(s.Steps[0].Commands) != 1 {
			t.Errorf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
		}
		if _, err := os.Stat(filepath.Dir(programFileOf(n, s.Created.ID))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a file was made to lock: %v", err)
		}
	})
}

// TestNobodyTakesARunningProgramForOK: as long as it is known to run, no decision says that it
// has done its work.
func TestNobodyTakesARunningProgramForOK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		id := begunAndKilled(n, "")
		lock, err := lockProgram(programFileOf(n, id))
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.runner.Continue(t.Context(), Continuation{ID: id, Accept: []string{"c"}})
		if e, ok := errors.AsType[*DecisionError](err); !ok || !strings.Contains(e.What, "its program still runs: begun ") {
			t.Errorf("%v", err)
		}
		if err := lock.Close(); err != nil { // it has ended
			t.Fatal(err)
		}
		if s := n.resume(id, Continuation{Accept: []string{"c"}}); s.End.Code != 0 {
			t.Errorf("%s\n%s", verdicts(s), messages(s))
		}
	})
}

// TestALockThatCannotBeAsked keeps nobody from going on: it is told.
func TestALockThatCannotBeAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		id := begunAndKilled(n, "safe")
		if err := os.MkdirAll(programFileOf(n, id), 0o700); err != nil { // no file that can be locked
			t.Fatal(err)
		}
		s := n.resume(id, Continuation{})
		if ran := len(s.Steps[0].Commands); ran != 3 || !strings.Contains(strings.Join(s.Steps[0].Warnings, "\n"), "still runs cannot be told") {
			t.Errorf("begun %d times\n%s\n%q", ran, messages(s), s.Steps[0].Warnings)
		}
	})
}
