package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// guardTimeout is how long a program that guards may run.
const guardTimeout = 10 * time.Minute

// comparison is what a guard of a server file compares with.
func (s *step) comparison(ctx context.Context, file string, g Guard, header []string) (data.Against, error) {
	r := s.run
	with := data.Against{Header: header, Now: r.now().In(r.zone()), BusinessDay: r.req.Plan.Job.BusinessDay}
	var err error
	if g.CompareLast != nil || g.Unchanged == "skip" || g.Unchanged == "refuse" {
		if with.Last, err = r.last(ctx, stepFile{s.plan.Name, s.bound.Model, file}); err != nil {
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

// stepFile is a server file that a step fills or downloads, by its id.
type stepFile struct {
	step  string
	model ledger.ModelRef
	file  string
}

// lastLoad is what a step of a run loaded last, or wrote.
type lastLoad struct {
	data.Last
	at time.Time
}

// last are the facts of what this step, when it was ok, last loaded of this file in a run of
// the job; nil if it never did. Where a run that is not ok has loaded something else since,
// or may have, nobody knows whether the model holds it still: then its digest is not told. A
// run that was continued may have loaded something after runs that began later.
func (r *run) last(ctx context.Context, of stepFile) (*data.Last, error) {
	var last *lastLoad
	var others []lastLoad // of runs that were not ok
	seen := map[ledger.ID]bool{r.req.ID: true}
	look := func(q ledger.Query) (listed int, err error) {
		q.Job, q.Moved = r.req.ID.Job, of.step
		var runs []ledger.Summary
		if err := r.read(ctx, func() (err error) {
			runs, err = r.Ledger.Runs(ctx, q)
			return err
		}); err != nil {
			return 0, err
		}
		for _, sum := range runs {
			if seen[sum.ID] || last != nil && sum.Updated.Before(last.at) {
				continue
			}
			seen[sum.ID] = true
			found, ok, err := r.loadedBy(ctx, sum, of)
			switch {
			case err != nil:
				return 0, fmt.Errorf("look for the last run that was ok: run %q: %w", sum.ID.Run, err)
			case found == nil:
			case !ok:
				others = append(others, *found)
			case last == nil || found.at.After(last.at):
				last = found
			}
		}
		return len(runs), nil
	}
	// Most runs of a job may load nothing: one after the other is looked for, more at a time
	// the longer none was ok.
	for limit := 1; last == nil; limit *= 5 {
		if listed, err := look(ledger.Query{Limit: limit}); err != nil || last == nil && listed < limit {
			return nil, err
		}
	}
	if _, err := look(ledger.Query{Updated: last.at, Limit: math.MaxInt32}); err != nil {
		return nil, err
	}
	for _, o := range others {
		if o.Digest != last.Digest && !o.at.Before(last.at) {
			last.Digest = ""
		}
	}
	return &last.Last, nil
}

// loadedBy is what the step loaded last of the file in a run, nil if nothing, and whether it
// is ok.
func (r *run) loadedBy(ctx context.Context, sum ledger.Summary, of stepFile) (*lastLoad, bool, error) {
	var events []ledger.Event
	err := r.read(ctx, func() (err error) {
		events, err = r.Ledger.Events(ctx, sum.ID, 0)
		return err
	})
	if errors.Is(err, ledger.ErrNoRun) {
		return nil, false, nil // pruned meanwhile
	}
	if err != nil {
		return nil, false, err
	}
	state, err := ledger.Fold(events)
	if err != nil {
		return nil, false, err
	}
	return lastOfStep(state, of), sum.Closed && okStep(state, of.step), nil
}

func okStep(s ledger.State, step string) bool {
	for _, t := range s.Steps {
		if t.Plan.Name == step {
			return t.End != nil && t.End.Verdict == ledger.OK
		}
	}
	return false
}

// lastOfStep is what the step of a run uploaded last to the server file, or downloaded last of
// it, and when it last started what reads it; nil if nothing.
func lastOfStep(s ledger.State, of stepFile) *lastLoad {
	var last *lastLoad
	there := func(m ledger.ModelRef, f ledger.ObjectRef) bool {
		return m.ID == of.model.ID && m.Host == of.model.Host && f.ID == of.file
	}
	for _, t := range s.Steps {
		if t.Plan.Name != of.step {
			continue
		}
		for _, u := range t.Uploads {
			if there(u.Model, u.File) {
				last = &lastLoad{data.Last{Digest: u.Digest, Rows: u.Rows}, u.At}
			}
		}
		if n := len(t.Intents); last != nil && n > 0 && t.Intents[n-1].At.After(last.at) {
			last.at = t.Intents[n-1].At
		}
		for _, w := range t.Targets {
			if there(t.Model, w.File) {
				last = &lastLoad{data.Last{Digest: w.Digest, Rows: w.Rows}, w.At}
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
	exit, err := s.exec(limited, Program{Argv: g.Argv}, &last, "ANAPLAN_RUNNER_FILE="+path, "ANAPLAN_RUNNER_ROWS="+rows,
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
