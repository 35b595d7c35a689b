package jobs

import (
	"errors"
	"os"
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"
)

// group is a program with all that it starts: a job object, if there can be one, else the
// program alone.
type group struct {
	cmd *exec.Cmd
	job windows.Handle
}

func newGroup(cmd *exec.Cmd, _ *os.File) *group { return &group{cmd: cmd} }

// started puts the program into its job object, which ends with this process. What the
// program has started before that is not in it.
func (g *group) started() {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return
	}
	process, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(g.cmd.Process.Pid))
	if err == nil {
		err = errors.Join(limitJob(job, windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE), windows.AssignProcessToJobObject(job, process))
		_ = windows.CloseHandle(process)
	}
	if err != nil {
		_ = windows.CloseHandle(job)
		return
	}
	g.job = job
}

// close lets go on what the program has left behind.
func (g *group) close() {
	if g.job != 0 {
		_ = limitJob(g.job, 0)
		_ = windows.CloseHandle(g.job)
	}
}

// limitJob sets the limits of a job object.
func limitJob(job windows.Handle, flags uint32) error {
	var limits windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	limits.BasicLimitInformation.LimitFlags = flags
	_, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	return err
}

// end ends the group: Windows knows no way to ask.
func (g *group) end() error {
	if g.job != 0 && windows.TerminateJobObject(g.job, 1) == nil {
		return nil
	}
	return g.cmd.Process.Kill()
}

func (g *group) kill() {}

// lockProgram makes no file: programs end with their runner.
func lockProgram(string) (*os.File, error) { return nil, nil }

func locksProgram(string) (runs bool, group string, err error) { return false, "", nil }
