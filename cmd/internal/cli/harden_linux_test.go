package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNoCoreDump: a process that hardened itself and is aborted leaves no core, and one of
// another kind would where the system lets it.
func TestNoCoreDump(t *testing.T) {
	if os.Getenv("HARDEN_TEST") != "" {
		Harden()
		limits, _ := os.ReadFile("/proc/self/limits")
		dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		for line := range strings.Lines(string(limits)) {
			if strings.HasPrefix(line, "Max core file size") {
				_, _ = os.Stdout.WriteString(strings.Join(strings.Fields(line), " ") + " dumpable " + string(rune('0'+dumpable)) + "\n")
			}
		}
		_ = unix.Kill(os.Getpid(), unix.SIGABRT)
		time.Sleep(time.Minute)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	cmd := exec.Command("/bin/sh", "-c", `ulimit -c unlimited 2>/dev/null; exec "$0" -test.run='^TestNoCoreDump$'`, self)
	cmd.Dir, cmd.Stdout = dir, &out
	cmd.Env = append(os.Environ(), "HARDEN_TEST=1", "GOTRACEBACK=crash")
	if err := cmd.Run(); err == nil {
		t.Error("the process was not aborted")
	}
	if got := strings.TrimSpace(out.String()); got != "Max core file size 0 0 bytes dumpable 0" {
		t.Errorf("the process says %q", got)
	}
	if cores, _ := filepath.Glob(filepath.Join(dir, "*core*")); len(cores) > 0 {
		t.Errorf("it left %v", cores)
	}
	// A program that a hardened process starts is dumpable, and makes no core file.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }()
	if b, err := exec.Command("/bin/sh", "-c", "cat /proc/self/environ >/dev/null && cat /proc/self/limits").Output(); err != nil || !bytes.Contains(b, []byte("Max core file size")) {
		t.Errorf("a program that is started cannot read of itself: %v", err)
	}
}
