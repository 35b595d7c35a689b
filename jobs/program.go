package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Program is a program of a job that is run on this machine, without a shell.
type Program struct {
	Argv []string
	Dir  string   // working folder
	Env  []string // all of its environment
	// Line is called with every line that it prints, from one goroutine at a time; a very
	// long one comes in pieces.
	Line func(string)
	// Lock is a locked file that the program has open, and so has all that it starts: it stays
	// locked for as long as any of them lives, whatever becomes of this process. The number of
	// the program's process group is written to it, with the machine that gave it, and it is
	// closed here. Optional; nil on Windows, where all of them end with this process.
	Lock *os.File
}

// Exit is how a program ended.
type Exit struct {
	Code    int  // -1: it did not exit by itself
	Stopped bool // it was asked to end, because the context did
}

// ProgramError says that a program could not be started: nothing of it ran.
type ProgramError struct {
	Name string
	Err  error
}

func (e *ProgramError) Error() string { return fmt.Sprintf("%q cannot be started: %v", e.Name, e.Err) }
func (e *ProgramError) Unwrap() error { return e.Err }

// programGrace is how long a program that is asked to end has for it. It fits into the
// four seconds of a stop.
const programGrace = 2 * time.Second

// RunProgram runs a program to its end. When ctx ends it is asked to end, with all that it
// has started, and killed two seconds later; who it started and left behind when it
// exited by itself goes on. The error is a *ProgramError.
func RunProgram(ctx context.Context, p Program) (Exit, error) {
	defer p.Lock.Close() // also if nothing is started
	path, err := FindProgram(p.Dir, p.Argv)
	if err != nil {
		return Exit{}, err
	}
	if ctx.Err() != nil {
		return Exit{}, &ProgramError{p.Argv[0], context.Cause(ctx)}
	}
	cmd := exec.CommandContext(ctx, path, p.Argv[1:]...)
	cmd.Args[0] = p.Argv[0]
	cmd.Dir, cmd.Env = p.Dir, p.Env
	out := &lineWriter{line: p.Line}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = programGrace
	group := newGroup(cmd, p.Lock)
	var asked atomic.Bool
	cmd.Cancel = func() error {
		err := group.end()
		if err == nil {
			asked.Store(true)
		}
		return err
	}
	if err := cmd.Start(); err != nil {
		return Exit{}, &ProgramError{p.Argv[0], errors.Unwrap(err)}
	}
	group.started()
	defer group.close()
	_ = cmd.Wait() // its state says it; pipes that its children hold are not waited for
	if asked.Load() {
		group.kill()
	}
	out.flush()
	return Exit{Code: cmd.ProcessState.ExitCode(), Stopped: asked.Load()}, nil
}

// FindProgram is the file of a program: one with a path is relative to dir, any other is
// looked for in the PATH of this process. The error is a *ProgramError.
func FindProgram(dir string, argv []string) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", &ProgramError{"", errors.New("it has no name")}
	}
	name := argv[0]
	if strings.ContainsRune(name, '/') || strings.ContainsRune(name, filepath.Separator) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			return "", &ProgramError{argv[0], err}
		}
		name = abs
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if e, ok := errors.AsType[*exec.Error](err); ok {
			err = e.Err
		}
		return "", &ProgramError{argv[0], err}
	}
	return path, nil
}

// secretNames are the variables in which this program, its ledgers and its stores are given
// secrets: no program of a job sees them.
var secretNames = []string{
	"ANAPLAN_PASSPHRASE", "ANAPLAN_PASSWORD", "ANAPLAN_PROXY_PASSWORD", "ANAPLAN_LEDGER", "PGPASSWORD", "VAULT_TOKEN", "BAO_TOKEN",
	"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
}

// environ is the environment for programs of the run: that of this process without the
// variables that hold secrets, with what is added.
func (r *run) environ(more ...string) []string {
	env := append(withoutSecrets(r.Secrets), "ANAPLAN_RUNNER_JOB="+r.req.ID.Job, "ANAPLAN_RUNNER_RUN="+r.req.ID.Run, "ANAPLAN_RUNNER_DATE="+r.state.Created.Date)
	return append(env, more...)
}

// withoutSecrets is the environment of this process without the variables that hold
// secrets, and without those that are named.
func withoutSecrets(more []string) []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		same := func(secret string) bool { return strings.EqualFold(secret, name) }
		if !slices.ContainsFunc(secretNames, same) && !slices.ContainsFunc(more, same) {
			env = append(env, pair)
		}
	}
	return env
}

// exec runs a program of a step, in its folder and environment.
func (s *step) exec(ctx context.Context, p Program, last *lastLines, more ...string) (Exit, error) {
	run := s.run.Exec
	if run == nil {
		run = RunProgram
	}
	log := s.run.logger().WithField("run", s.run.req.ID.Run).WithField("step", s.plan.Name)
	p.Dir, p.Env = s.run.req.Plan.Job.Dir, s.run.environ(append(more, "ANAPLAN_RUNNER_STEP="+s.plan.Name)...)
	p.Line = func(line string) {
		last.add(line)
		log.Debugf("%s: %s", filepath.Base(p.Argv[0]), line)
	}
	return run(ctx, p)
}

// Limits of what is kept of a program's output.
const (
	longestLine = 4 << 10
	tailLines   = 20
	tailBytes   = 2 << 10
)

// lastLines are the last lines of an output, in bounded memory.
type lastLines struct{ lines []string }

func (t *lastLines) add(line string) {
	if line == "" {
		return
	}
	t.lines = append(t.lines, line)
	size := 0
	for i, line := range slices.Backward(t.lines) {
		if size += len(line) + 1; size > tailBytes && i < len(t.lines)-1 || len(t.lines)-i > tailLines {
			t.lines = slices.Clone(t.lines[i+1:])
			break
		}
	}
	if last := len(t.lines) - 1; len(t.lines[last]) > tailBytes {
		t.lines[last] = strings.ToValidUTF8(t.lines[last][:tailBytes], "") + " …"
	}
}

// printed is the tail as it stands in a message; empty without one.
func printed(lines []string) string {
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	return "; it printed last: " + strings.Join(lines, " | ")
}

// lineWriter calls a function with every line that is written to it.
type lineWriter struct {
	line func(string)
	part []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		if room := longestLine - len(w.part); len(piece) > room {
			w.part = append(w.part, piece[:room]...)
			w.flush()
			p = p[room:]
			continue
		}
		w.part = append(w.part, piece...)
		p = p[len(piece):]
		if end >= 0 {
			w.flush()
			p = p[1:]
		}
	}
	return n, nil
}

func (w *lineWriter) flush() {
	if text := strings.TrimRight(strings.ToValidUTF8(string(w.part), "\ufffd"), "\r"); text != "" && w.line != nil {
		w.line(text)
	}
	w.part = w.part[:0]
}
