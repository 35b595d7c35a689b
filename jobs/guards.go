package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// guardTimeout is how long a program that guards may run.
const guardTimeout = 10 * time.Minute

// against is what a guard of a step compares with.
func (r *run) against(ctx context.Context, step, file string, g Guard, header []string) (data.Against, error) {
	with := data.Against{Header: header, Now: r.now().In(r.zone()), BusinessDay: r.req.Plan.Job.BusinessDay}
	var err error
	if g.CompareLast != nil || g.Unchanged == "skip" || g.Unchanged == "refuse" {
		if with.Last, err = r.last(ctx, step, file); err != nil {
			return with, err
		}
	}
	if g.Control != nil {
		with.Control, err = r.stores().Control(ctx, g.Totals)
	}
	return with, err
}

// zone is the job's time zone.
func (r *run) zone() *time.Location {
	if zone, err := time.LoadLocation(r.state.Created.Timezone); err == nil {
		return zone
	}
	return time.Local
}

// runsBack is how many runs of a job are looked through for the last one that was ok.
const runsBack = 50

// last are the facts of the last run of the job in which this step was ok with this file;
// nil if there is none. Where a later run has loaded something else, or may have, nobody
// knows whether the model holds it still: then its digest is not told.
func (r *run) last(ctx context.Context, step, file string) (*data.Last, error) {
	var runs []ledger.Summary
	if err := r.read(ctx, func() (err error) {
		runs, err = r.Ledger.Runs(ctx, ledger.Query{Job: r.req.ID.Job, Limit: runsBack})
		return err
	}); err != nil {
		return nil, err
	}
	var later []string // digests of runs that were not ok
	for _, sum := range runs {
		if sum.ID == r.req.ID {
			continue
		}
		var events []ledger.Event
		err := r.read(ctx, func() (err error) {
			events, err = r.Ledger.Events(ctx, sum.ID, 0)
			return err
		})
		if errors.Is(err, ledger.ErrNoRun) {
			continue // pruned meanwhile
		}
		var state ledger.State
		if err == nil {
			state, err = ledger.Fold(events)
		}
		if err != nil {
			return nil, fmt.Errorf("look for the last run that was ok: run %q: %w", sum.ID.Run, err)
		}
		found := lastOfStep(state, step, file)
		switch {
		case found == nil:
		case sum.Closed && okStep(state, step):
			for _, digest := range later {
				if digest != found.Digest {
					found.Digest = ""
				}
			}
			return found, nil
		default:
			later = append(later, found.Digest)
		}
	}
	return nil, nil
}

func okStep(s ledger.State, step string) bool {
	for _, t := range s.Steps {
		if t.Plan.Name == step {
			return t.End != nil && t.End.Verdict == ledger.OK
		}
	}
	return false
}

// lastOfStep is what a step of a run uploaded last to a server file, or downloaded last of
// it; nil if nothing.
func lastOfStep(s ledger.State, step, file string) *data.Last {
	var last *data.Last
	for _, t := range s.Steps {
		if t.Plan.Name != step {
			continue
		}
		for _, u := range t.Uploads {
			if u.File.ID == file {
				last = &data.Last{Digest: u.Digest, Rows: u.Rows}
			}
		}
		for _, w := range t.Targets {
			if w.File.ID == file {
				last = &data.Last{Digest: w.Digest, Rows: w.Rows}
			}
		}
	}
	return last
}

// guardSource lets a program look at a source: at the file itself, or at one with the bytes
// that would be sent.
func (s *step) guardSource(ctx context.Context, src *source) error {
	path, plain := src.file.Plain()
	if !plain {
		r, err := src.file.Open(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		f, err := s.run.scratch()
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		_, err = io.Copy(f, r)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		path = f.Name()
	}
	return s.guardCommand(ctx, src.Guard.Command, path, src.facts)
}

// scratch is a new file in the run's spool, for its owner alone.
func (r *run) scratch() (*os.File, error) {
	if err := ownFolder(r.spool()); err != nil {
		return nil, err
	}
	return os.CreateTemp(r.spool(), "guard-*")
}

// guardCommand lets a program look at a file. It is a *data.GuardError if it does not exit
// with 0.
func (s *step) guardCommand(ctx context.Context, g *configs.GuardCommand, path string, facts data.Facts) error {
	limit := g.Timeout
	if limit <= 0 {
		limit = guardTimeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	s.progress(Progress{Phase: PhaseCheck, Text: filepath.Base(g.Argv[0]), Done: -1})
	rows := ""
	if !facts.Opaque {
		rows = fmt.Sprint(facts.Rows)
	}
	var last lastLines
	exit, err := s.exec(limited, g.Argv, &last, "ANAPLAN_RUNNER_FILE="+path, "ANAPLAN_RUNNER_ROWS="+rows,
		fmt.Sprintf("ANAPLAN_RUNNER_BYTES=%d", facts.Bytes), "ANAPLAN_RUNNER_DIGEST="+facts.Digest)
	refuse := func(format string, args ...any) error {
		return &data.GuardError{Guard: "command", What: fmt.Sprintf("%q: ", g.Argv[0]) + fmt.Sprintf(format, args...) + printed(last.lines),
			Next: "see what it found; its lines are in the log with --debug"}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case exit.Stopped:
		return refuse("it was ended after %s", limit)
	case exit.Code < 0:
		return refuse("it was ended by a signal")
	case exit.Code > 0:
		return refuse("exit code %d", exit.Code)
	}
	return nil
}
