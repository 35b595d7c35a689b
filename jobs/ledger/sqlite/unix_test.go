//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

func TestOwnerOnly(t *testing.T) {
	old := syscall.Umask(0) // a umask that takes nothing away
	defer syscall.Umask(old)
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "ledger.db")
	l := mustOpen(t, path)
	id := ledger.ID{Job: "j", Run: "r"}
	if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Take(t.Context(), "k", ledger.Holder{}); err != nil {
		t.Fatal(err)
	}
	locks, err := os.ReadDir(path + ".locks")
	if err != nil || len(locks) != 1 {
		t.Fatalf("one lease was taken, and its folder holds %v, %v", locks, err)
	}
	for name, want := range map[string]fs.FileMode{"a": 0o700, "a/b": 0o700, "a/b/ledger.db": 0o600, "a/b/ledger.db-wal": 0o600, "a/b/ledger.db-shm": 0o600,
		"a/b/ledger.db.locks": 0o700, "a/b/ledger.db.locks/" + locks[0].Name(): 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s has %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 4 {
		t.Errorf("beside the ledger: %v, %v", left, err)
	}
}

func TestRightsThatAreThereStay(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ledger.db")
	if err := mustOpen(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, path)
	if _, err := l.Take(t.Context(), "k", ledger.Holder{}); err != nil {
		t.Fatal(err)
	}
	// What is made beside the ledger is for those who may use it.
	for name, want := range map[string]fs.FileMode{dir: 0o770, path: 0o660, path + "-shm": 0o660, l.locks: 0o770, l.lockFile("k"): 0o660} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has %v, %v; want %o", name, info.Mode(), err, want)
		}
	}
}

func TestDeletedWhileOpen(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"deleted":         os.Remove,
		"with its folder": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"replaced":        func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
		"cut short":       func(path string) error { return os.Truncate(path, 0) },
	} {
		path := filepath.Join(t.TempDir(), "d", "ledger.db")
		l := mustOpen(t, path)
		id := ledger.ID{Job: "j", Run: "r"}
		if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0)); err != nil {
			t.Fatal(err)
		}
		h, err := l.Take(t.Context(), "k", ledger.Holder{})
		if err != nil {
			t.Fatal(err)
		}
		if err := harm(path); err != nil {
			t.Fatal(err)
		}
		if err := h.Check(); name == "with its folder" && !errors.Is(err, ledger.ErrLeaseLost) {
			t.Errorf("the lease: got %v, want ErrLeaseLost", err)
		}
		_, appendErr := l.Append(t.Context(), id, 1, 0, ledgertest.At(1, ledger.Warned{}))
		_, eventsErr := l.Events(t.Context(), id, 0)
		_, runsErr := l.Runs(t.Context(), ledger.Query{})
		_, takeErr := l.Take(t.Context(), "other", ledger.Holder{})
		_, holderErr := l.Holder(t.Context(), "k")
		_, unsettledErr := l.Unsettled(t.Context(), "h", "m")
		_, tasksErr := l.Tasks(t.Context(), "h", "m", "o", ledgertest.T0)
		_, askedErr := l.Asked(t.Context(), id)
		askErr := l.Ask(t.Context(), id, ledger.Wish{What: ledger.WishCancel, At: ledgertest.T0})
		removeErr := l.Remove(t.Context(), id)
		for call, err := range map[string]error{"append": appendErr, "events": eventsErr, "runs": runsErr, "take": takeErr, "holder": holderErr,
			"unsettled": unsettledErr, "tasks": tasksErr, "asked": askedErr, "ask": askErr, "remove": removeErr} {
			says := ": it was deleted or replaced while it was open, and what is written now would be lost; put it back"
			if name == "cut short" {
				says = ": it was cut short while it was open, and is damaged; put a backup back"
			}
			if err == nil || !strings.Contains(err.Error(), path+says) {
				t.Errorf("%s, %s: got %v", name, call, err)
			}
		}
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			t.Errorf("%s: it came back", name)
		}
	}
}

// TestWithoutRights runs as another user where we are root, whom no rights bind.
func TestWithoutRights(t *testing.T) {
	for _, c := range []struct {
		name  string
		strip func(dir, path string) error
		says  string
	}{
		{"lock files", func(_, path string) error { return os.Mkdir(path+".locks", 0o555) },
			"take a lease in the ledger DIR/ledger.db: open DIR/ledger.db.locks/8254c329a92850f6d539dd376f4816ee.lock: permission denied; give this user access to DIR and what is in it, or name another file with --ledger"},
		{"file", func(_, path string) error { return os.Chmod(path, 0o444) },
			"open the ledger DIR/ledger.db: write DIR/ledger.db: permission denied; give this user access to DIR and what is in it, or name another file with --ledger"},
		{"folder", func(dir, _ string) error { return os.Chmod(dir, 0o555) },
			"open the ledger DIR/ledger.db: this user may not write in its folder; give the user write access to it and to DIR, or name another with --ledger"},
		{"folder without file", func(dir, path string) error { return errors.Join(os.Remove(path), os.Chmod(dir, 0o555)) },
			"open the ledger DIR/ledger.db: open DIR/ledger.db: permission denied; give this user access to DIR and what is in it, or name another file with --ledger"},
		{"hidden folder", func(dir, _ string) error { return os.Chmod(dir, 0) },
			"open the ledger DIR/ledger.db: stat DIR/ledger.db: permission denied; give this user access to DIR and what is in it, or name another file with --ledger"},
		{"shared", func(_, path string) error {
			l, err := OpenExisting(t.Context(), path)
			if err != nil {
				return err
			}
			h, err := l.Take(t.Context(), "k", ledger.Holder{}) // makes the folder and the file
			if err != nil {
				return err
			}
			h.Release()
			return l.Close()
		}, "took"},
		{"nothing", func(string, string) error { return nil }, "took"},
	} {
		dir := outside(t)
		path := filepath.Join(dir, "ledger.db")
		if err := mustOpen(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(path, 0o666), os.Chmod(dir, 0o777), c.strip(dir, path)); err != nil {
			t.Fatal(err)
		}
		cmd := child(t, "take", path)
		if os.Geteuid() == 0 {
			cmd.Path = copied(t)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", c.name, err, out)
		}
		if got := strings.ReplaceAll(strings.TrimSpace(string(out)), dir, "DIR"); got != c.says {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.says)
		}
	}
}

// outside is a folder that every user can reach; t.TempDir is our own.
func outside(t *testing.T) string {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700); os.RemoveAll(dir) })
	return dir
}

// copied is this test's binary where every user can run it.
func copied(t *testing.T) string {
	dir := outside(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "test")
	if err := errors.Join(os.WriteFile(path, data, 0o755), os.Chmod(path, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKilledWhileAppending kills a process without warning, again and again: what it
// had been told is kept, and nothing is there in part.
func TestKilledWhileAppending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path)
	for round := range 6 {
		id := ledger.ID{Job: "j", Run: fmt.Sprint(round)}
		cmd := child(t, "append", path, id.Run)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := int64(0)
		for {
			var seq int64
			if _, err := fmt.Fscanln(out, &seq); err != nil {
				break
			}
			told = seq
			if seq == 4 { // it is well under way
				time.AfterFunc(time.Duration(round*round)*3*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended before it was killed")
		} else if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("it was not killed: %v", err)
		}
		events, err := l.Events(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		// Each append adds three: the last one may have happened without being told.
		if n := int64(len(events)); n != told && n != told+3 || told < 4 {
			t.Errorf("round %d: the run holds %d events, %d were told", round, n, told)
		}
		if _, err := l.Append(t.Context(), id, int64(len(events)), 0, ledgertest.At(time.Hour, ledger.Warned{})); err != nil {
			t.Errorf("round %d: going on: %v", round, err)
		}
	}
	checkTables(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTables(t, mustOpen(t, path))
}

// TestAStoppedProcessKeepsItsLease: it goes on one day, and then it still has it.
func TestAStoppedProcessKeepsItsLease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path)
	cmd, _ := held(t, path)
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it was not stopped: %v, %v", status, err)
	}
	_, err := l.Take(t.Context(), "k", holder())
	if by, ok := errors.AsType[*ledger.HeldError](err); !ok || by.By.Runner.PID != cmd.Process.Pid {
		t.Errorf("got %v, want that process %d has it", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if _, err := l.Take(t.Context(), "k", holder()); err != nil {
		t.Errorf("after it was killed: %v", err)
	}
}

// TestALockFileThatIsGone is somebody who cleans up: another process could make the file
// anew and lock it.
func TestALockFileThatIsGone(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"deleted":  os.Remove,
		"replaced": func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
		"moved":    func(path string) error { return os.Rename(path, path+".old") },
		"folder":   func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
	} {
		path := filepath.Join(t.TempDir(), "ledger.db")
		l, other := mustOpen(t, path), mustOpen(t, path)
		h, err := l.Take(t.Context(), "k", holder())
		if err != nil {
			t.Fatal(err)
		}
		file := l.lockFile("k")
		if err := harm(file); err != nil {
			t.Fatal(err)
		}
		if err := h.Check(); !errors.Is(err, ledger.ErrLeaseLost) {
			t.Errorf("%s: got %v, want ErrLeaseLost", name, err)
		}
		again, err := other.Take(t.Context(), "k", holder())
		if err != nil || again.Epoch() != 2 {
			t.Fatalf("%s: taken again: %v, %v", name, again, err)
		}
		if name == "moved" { // a lost lease is never found again
			if err := errors.Join(os.Rename(file, file+".new"), os.Rename(file+".old", file)); err != nil {
				t.Fatal(err)
			}
			if err := h.Check(); !errors.Is(err, ledger.ErrLeaseLost) {
				t.Errorf("moved back: got %v, want ErrLeaseLost", err)
			}
			continue
		}
		h.Release()
		if err := again.Check(); err != nil {
			t.Errorf("%s: the new one: %v", name, err)
		}
	}
}

// TestOneFileUnderTwoNames: SQLite follows links, and so do the locks.
func TestOneFileUnderTwoNames(t *testing.T) {
	dir := t.TempDir()
	path, link, folder := filepath.Join(dir, "a", "ledger.db"), filepath.Join(dir, "link.db"), filepath.Join(dir, "b")
	l := mustOpen(t, path)
	if err := errors.Join(os.Symlink(path, link), os.Symlink(filepath.Dir(path), folder)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Take(t.Context(), "k", holder()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, filepath.Join(folder, "ledger.db")} {
		_, err := mustOpen(t, name).Take(t.Context(), "k", holder())
		if _, ok := errors.AsType[*ledger.HeldError](err); !ok {
			t.Errorf("%s: got %v, want a HeldError", name, err)
		}
	}
}

// TestALockFileGoesWithItsRun: there is one a run, and a ledger lives for years.
func TestALockFileGoesWithItsRun(t *testing.T) {
	l := mustOpen(t, filepath.Join(t.TempDir(), "ledger.db"))
	id := ledger.ID{Job: "j", Run: "r"}
	if _, err := l.Append(t.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0)); err != nil {
		t.Fatal(err)
	}
	h, err := l.Take(t.Context(), ledger.RunKey(id), holder())
	if err != nil {
		t.Fatal(err)
	}
	h.Release()
	if err := l.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(l.locks); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
