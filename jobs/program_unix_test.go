//go:build unix

package jobs

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
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
	if _, err := RunProgram(ctx, Program{Argv: []string{self}, Lock: held}); err == nil {
		t.Error("it was begun")
	}
	holds("not begun", false)
}
