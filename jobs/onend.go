package jobs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// RunOnEnd starts the program that a job wants to be told of its end, without a shell,
// with the result JSON on its standard input, and without the variables that hold secrets,
// those that are named among them; what it prints goes to out. It does
// nothing, and says so by started = false, if the job does not want to be told of this
// verdict. An error changes no verdict: it is for the caller to show.
func RunOnEnd(ctx context.Context, on *configs.OnEnd, v ledger.Verdict, result []byte, dir string, out io.Writer, secrets ...string) (started bool, err error) {
	if on == nil || len(on.Command) == 0 || len(on.When) > 0 && !slices.Contains(on.When, string(v)) {
		return false, nil
	}
	limit := on.Timeout
	if limit <= 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, on.Command[0], on.Command[1:]...)
	cmd.Dir, cmd.Env = dir, withoutSecrets(secrets)
	cmd.Stdin = bytes.NewReader(result)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 400 * time.Millisecond // its children may hold the pipes
	began := time.Now()
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return true, fmt.Errorf("on_end %q: not done within %s, and killed", on.Command[0], time.Since(began).Round(100*time.Millisecond))
		}
		return true, fmt.Errorf("on_end %q: %w", on.Command[0], err)
	}
	return true, nil
}
