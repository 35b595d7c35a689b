//go:build unix

package jobs

import (
	"os"
	"os/exec"
	"syscall"
)

// group is a program with all that it starts: a process group of its own.
type group struct{ cmd *exec.Cmd }

func newGroup(cmd *exec.Cmd) *group {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &group{cmd}
}

func (g *group) started() {}
func (g *group) close()   {}

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
