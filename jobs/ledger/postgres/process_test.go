//go:build unix

package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// childArgs is the variable that makes of this test's binary another runner.
const childArgs = "POSTGRES_TEST_CHILD"

func TestMain(m *testing.M) {
	if args := os.Getenv(childArgs); args != "" {
		if err := childMain(strings.Split(args, "\n")); err != nil {
			fmt.Println(err)
		}
		return
	}
	os.Exit(m.Run())
}

// childMain does what another process is to do, and prints what it saw.
func childMain(args []string) error {
	ctx := context.Background()
	l, err := open(ctx, args[1], how{create: true, times: quick})
	if err != nil {
		return err
	}
	defer l.Close()
	switch args[0] {
	case "hold": // and answer questions, a line each
		key := ledger.ModelKey(ledgertest.Model)
		h, err := l.Take(ctx, key, holder())
		if err != nil {
			return err
		}
		id := ledger.ID{Job: "j", Run: "child"}
		seq, err := l.Append(ctx, id, 0, 0, ledgertest.Story(id)[:3]...)
		if err != nil {
			return err
		}
		fmt.Println(h.Epoch())
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			switch in.Text() {
			case "check":
				fmt.Println(errors.Is(h.Check(), ledger.ErrLeaseLost))
			case "intend":
				_, err := l.Append(ctx, id, seq, 0, ledgertest.In("load", 2, ledger.Intent{Number: 1, Epoch: h.Epoch()}))
				fmt.Println(errors.Is(err, ledger.ErrConflict))
			}
		}
		return nil
	case "takers": // as often as asked for; who has it makes a file, which must not be there
		want, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		taken := 0
		for taken < want {
			h, err := l.Take(ctx, "k", holder())
			if _, ok := errors.AsType[*ledger.HeldError](err); ok {
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
		fmt.Println(taken)
		return nil
	}
	return fmt.Errorf("no such child: %q", args)
}

// child is another process; ask gives it a line and takes one.
type child struct {
	*osexec.Cmd
	t   *testing.T
	ask func(question string) string
}

func start(t *testing.T, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(args, "\n"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	return &child{cmd, t, func(question string) string {
		t.Helper()
		if question != "" {
			if _, err := fmt.Fprintln(in, question); err != nil {
				t.Fatal(err)
			}
		}
		lines.Scan()
		return lines.Text()
	}}
}

func TestTwoProcessesOneLease(t *testing.T) {
	address, file := fresh(t), filepath.Join(t.TempDir(), "held")
	mustOpen(t, address)
	var all sync.WaitGroup
	for range 3 {
		c := start(t, "takers", address, file, "30")
		all.Go(func() {
			if got := c.ask(""); got != "30" {
				t.Error(got)
			}
		})
	}
	all.Wait()
}

func TestAStoppedProcessHasLostItsLease(t *testing.T) {
	address := fresh(t)
	l := mustOpen(t, address)
	c := start(t, "hold", address)
	if got := c.ask(""); got != "1" {
		t.Fatal(got)
	}
	if got := c.ask("check"); got != "false" {
		t.Fatalf("lost: %s", got)
	}
	key := ledger.ModelKey(ledgertest.Model)
	if _, err := l.Take(t.Context(), key, holder()); !errors.As(err, new(*ledger.HeldError)) {
		t.Fatalf("got %v, want that it is held", err)
	}
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	h := takeWhenFree(t, l, key)
	if h.Epoch() != 2 {
		t.Errorf("epoch %d", h.Epoch())
	}
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := c.ask("check"); got != "true" {
		t.Errorf("lost: %s", got)
	}
	if got := c.ask("intend"); got != "true" {
		t.Errorf("its intent is refused: %s", got)
	}
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	if starts, err := l.Unsettled(t.Context(), ledgertest.Model.Host, ledgertest.Model.ID); err != nil || len(starts) != 0 {
		t.Errorf("%v, %v", starts, err)
	}
}

func TestTheLeaseOfAKilledProcessEnds(t *testing.T) {
	address := fresh(t)
	l := mustOpen(t, address)
	c := start(t, "hold", address)
	if got := c.ask(""); got != "1" {
		t.Fatal(got)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	key := ledger.ModelKey(ledgertest.Model)
	if by, err := l.Holder(t.Context(), key); err != nil || by == nil || by.Runner.PID != c.Process.Pid {
		t.Errorf("held by %v, %v", by, err)
	}
	if h := takeWhenFree(t, l, key); h.Epoch() != 2 {
		t.Errorf("epoch %d", h.Epoch())
	}
}
