//go:build unix

package jobs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// group is a program with all that it starts: a process group of its own.
type group struct {
	cmd  *exec.Cmd
	lock *os.File // that the program inherits; nil without
}

// lockNumber is the file descriptor of a program's lock. Scripts use those of one digit for
// themselves.
const lockNumber = 10

func newGroup(cmd *exec.Cmd, lock *os.File) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if lock != nil {
		cmd.ExtraFiles = make([]*os.File, lockNumber-2) // they begin with 3
		cmd.ExtraFiles[lockNumber-3] = lock
	}
	return &group{cmd, lock}
}

func (g *group) started() {
	if g.lock != nil {
		_, _ = fmt.Fprintf(g.lock, "%d\n%s\n", g.cmd.Process.Pid, numbersHere()) // the first line is for people, too
		_ = g.lock.Close()
	}
}

// numbersHere says among which processes a number is that of one: those of this machine, and on
// Linux of this namespace.
func numbersHere() string {
	host, _ := os.Hostname()
	space, _ := os.Readlink("/proc/self/ns/pid")
	return host + " " + space
}

func (g *group) close() {}

// end asks the group to end.
func (g *group) end() error { return g.signal(syscall.SIGTERM) }

// kill ends what is left of it.
func (g *group) kill() { _ = g.signal(syscall.SIGKILL) }

func (g *group) signal(s syscall.Signal) error {
	if err := syscall.Kill(-g.cmd.Process.Pid, s); err == syscall.ESRCH {
		return os.ErrProcessDone
	} else {
		return err
	}
}

// lockProgram makes the file that a program is locked by, in a folder for its owner alone.
func lockProgram(path string) (*os.File, error) {
	if err := ownFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: path, Err: err}, f.Close())
	}
	return f, nil
}

// locksProgram says whether anything of a program still runs that a file is locked by, and
// names its process group, as far as that is known. Who has left the group holds the lock, too,
// and is no part of the program: where the group can be asked, it says whether it runs.
func locksProgram(path string) (runs bool, group string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); { // others may ask, too
	case err == nil:
		return false, "", nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return false, "", &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<10))
	group, where, _ := strings.Cut(string(text), "\n") // older programs wrote the number alone
	n, _ := strconv.Atoi(group)
	if n > 1 && where == numbersHere()+"\n" && errors.Is(syscall.Kill(-n, 0), syscall.ESRCH) {
		return false, "", nil
	}
	return true, group, err
}
