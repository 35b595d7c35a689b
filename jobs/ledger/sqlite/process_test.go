package sqlite

import (
	"context"
	"errors"
	"fmt"
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
