package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// childArgs is the variable that makes of this test's binary another runner.
const childArgs = "SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	if args := os.Getenv(childArgs); args != "" {
		if err := childMain(strings.Split(args, "\n")); err != nil {
			fmt.Println(err)
		}
		return
	}
	os.Exit(m.Run())
}

func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	return cmd
}

// childMain does what another process is to do, and prints what it saw.
func childMain(args []string) error {
	ctx := context.Background()
	l, err := Open(ctx, args[1])
	if err != nil {
		return err
	}
	defer l.Close()
	switch args[0] {
	case "open":
		fmt.Println("opened")
		return nil
	case "take": // and give back at once
		h, err := l.Take(ctx, "k", holder())
		if err != nil {
			return err
		}
		fmt.Println("took")
		h.Release()
		return nil
	case "hold": // until it is killed
		h, err := l.Take(ctx, "k", holder())
		if err != nil {
			return err
		}
		fmt.Println(h.Epoch())
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	case "takers": // as often as asked for; who has it makes a file, which must not be there
		want, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		taken, refused := 0, 0
		for taken < want {
			h, err := l.Take(ctx, "k", holder())
			if _, ok := errors.AsType[*ledger.HeldError](err); ok {
				refused++
				continue
			}
			if err != nil {
				return err
			}
			f, err := os.OpenFile(args[2], os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return fmt.Errorf("two have it at a time: %w", err)
			}
			if err := errors.Join(h.Check(), f.Close(), os.Remove(args[2])); err != nil {
				return err
			}
			h.Release()
			taken++
		}
		fmt.Println(taken, refused)
		return nil
	case "append": // three events at a time, for ever
		id := ledger.ID{Job: "j", Run: args[2]}
		seq, err := l.Append(ctx, id, 0, 0, ledgertest.Created(id, ledgertest.T0))
		for err == nil {
			fmt.Println(seq)
			seq, err = l.Append(ctx, id, seq, 0, ledgertest.At(1, ledger.Warned{Text: "a"}), ledgertest.At(2, ledger.Warned{Text: "b"}),
				ledgertest.At(3, ledger.Warned{Text: strings.Repeat("c", 5000)}))
		}
		return err
	case "race": // as many events as asked for, whoever else writes
		id := ledger.ID{Job: "j", Run: args[2]}
		want, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		won, lost, seq := 0, 0, int64(0)
		for won < want {
			e := ledgertest.At(1, ledger.Warned{Text: args[4]})
			if seq == 0 {
				e = ledgertest.Created(id, ledgertest.T0)
			}
			switch next, err := l.Append(ctx, id, seq, 0, e); {
			case err == nil:
				won, seq = won+1, next
			case errors.Is(err, ledger.ErrConflict):
				lost++
				events, err := l.Events(ctx, id, seq)
				if err != nil {
					return err
				}
				seq += int64(len(events))
			default:
				return err
			}
		}
		fmt.Println(won, lost)
		return nil
	}
	return fmt.Errorf("no such child: %q", args)
}

// holder is this process.
func holder() ledger.Holder {
	return ledger.Holder{Runner: ledger.Runner{Host: "h", PID: os.Getpid(), User: "u"}, Run: ledger.ID{Job: "j", Run: "r"}, Since: ledgertest.T0}
}

// held starts a process that has the lease k, and says in which epoch.
func held(t *testing.T, path string) (cmd *exec.Cmd, epoch int) {
	t.Helper()
	cmd = child(t, "hold", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, &epoch); err != nil {
		said, _ := io.ReadAll(out)
		t.Fatalf("it has not taken the lease: %v: %s", err, said)
	}
	return cmd, epoch
}

// TestAKilledProcessHoldsNothing kills processes without warning: what they had is free.
func TestAKilledProcessHoldsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := mustOpen(t, path)
	for n := range 3 {
		cmd, epoch := held(t, path)
		if epoch != 2*n+1 {
			t.Errorf("it has epoch %d, want %d", epoch, 2*n+1)
		}
		_, err := l.Take(t.Context(), "k", holder())
		if by, ok := errors.AsType[*ledger.HeldError](err); !ok || by.By.Runner.PID != cmd.Process.Pid {
			t.Fatalf("got %v, want that process %d has it", err, cmd.Process.Pid)
		}
		if by, err := l.Holder(t.Context(), "k"); err != nil || by == nil || by.Runner.PID != cmd.Process.Pid {
			t.Fatalf("the holder is %v, %v, want process %d", by, err, cmd.Process.Pid)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if by, err := l.Holder(t.Context(), "k"); err != nil || by != nil {
			t.Fatalf("the holder is %v, %v, want nobody", by, err)
		}
		h, err := l.Take(t.Context(), "k", holder())
		if err != nil || h.Epoch() != int64(2*n+2) {
			t.Fatalf("after it was killed: %v, %v", h, err)
		}
		h.Release()
	}
}

// TestProcessesTakeOneLease lets processes race for a lease.
func TestProcessesTakeOneLease(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	const processes, each = 3, 15
	var all sync.WaitGroup
	for p := range processes {
		cmd := child(t, "takers", path, filepath.Join(dir, "held"), fmt.Sprint(each))
		all.Go(func() {
			out, err := cmd.CombinedOutput()
			var taken, refused int
			if _, scanErr := fmt.Sscan(string(out), &taken, &refused); err != nil || scanErr != nil || taken != each {
				t.Errorf("process %d: %v: %s", p, err, out)
			}
			t.Logf("process %d took it %d times and was refused %d times", p, taken, refused)
		})
	}
	all.Wait()
	h, err := mustOpen(t, path).Take(t.Context(), "k", holder())
	if err != nil || h.Epoch() != processes*each+1 {
		t.Errorf("after %d takings: %v, %v", processes*each, h, err)
	}
}

// TestProcessesAtOnce lets processes that all make the ledger append to one run, and
// each to one of its own.
func TestProcessesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	const processes, each = 3, 30
	var all sync.WaitGroup
	conflicts := make([]int, processes)
	for p := range processes {
		for _, run := range []string{"shared", fmt.Sprint("own ", p)} {
			cmd := child(t, "race", path, run, fmt.Sprint(each), fmt.Sprint("p", p))
			all.Go(func() {
				out, err := cmd.CombinedOutput()
				var won, lost int
				if _, scanErr := fmt.Sscan(string(out), &won, &lost); err != nil || scanErr != nil || won != each {
					t.Errorf("process %d, run %s: %v: %s", p, run, err, out)
				}
				if run == "shared" {
					conflicts[p] = lost
				} else if lost != 0 {
					t.Errorf("process %d had %d conflicts in a run of its own", p, lost)
				}
			})
		}
	}
	all.Wait()
	l := mustOpen(t, path)
	if l.Created() {
		t.Error("it was not there")
	}
	events, err := l.Events(t.Context(), ledger.ID{Job: "j", Run: "shared"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != processes*each {
		t.Errorf("the shared run holds %d events, want %d", len(events), processes*each)
	}
	if sum := conflicts[0] + conflicts[1] + conflicts[2]; sum == 0 {
		t.Error("there was no conflict: the processes did not meet")
	}
	checkTables(t, l)
}
