package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// fetch writes the server files that the step gives to their targets.
func (s *step) fetch(ctx context.Context) *ending {
	for _, out := range s.bound.Exports {
		missing := slices.ContainsFunc(out.Targets, func(target data.Target) bool { return !s.wrote(out, target.Name) })
		if !missing {
			continue // there are none, or they are in place
		}
		if end := s.download(ctx, out); end.stopped || end.Verdict != ledger.OK {
			return end
		}
	}
	return s.done("downloaded")
}

// wrote says whether a target of the step's task was put in place, and its marker after it.
func (s *step) wrote(out FileOutput, name string) bool {
	for _, w := range slices.Backward(s.written) {
		if w.File.ID == out.Export.ID && w.Path == data.Display(name) && w.Alike == alike(out.Targets, name) {
			return !w.Unmarked
		}
	}
	return false
}

// alike is how many targets that are shown as this one is stand before it: the queries of
// their URLs differ.
func alike(targets []data.Target, name string) (n int) {
	for _, target := range targets {
		if target.Name == name {
			break
		}
		if data.Display(target.Name) == data.Display(name) {
			n++
		}
	}
	return n
}

// download writes one server file to its targets. All of them are complete before the
// first takes its place.
func (s *step) download(ctx context.Context, out FileOutput) *ending {
	var names []string
	for _, target := range out.Targets {
		names = append(names, data.Display(target.Name))
	}
	got, err := s.deliver(ctx, out)
	for i, name := range got.placed {
		w := ledger.TargetWritten{File: out.Export, Path: data.Display(name), Bytes: got.Bytes, Rows: rowsOfFacts(got.facts),
			Chunks: got.Chunks, Digest: got.Digest, Alike: alike(out.Targets, name)}
		w.Unmarked = err != nil && slices.ContainsFunc(out.Targets, func(target data.Target) bool { return target.Name == name && target.Done != "" })
		if i == 0 {
			w.Wire, w.Took = got.Wire, got.Took
		}
		s.note(w)
		s.written = append(s.written, w)
	}
	if gone, ok := errors.AsType[*overwritten](err); ok {
		return s.replaced(gone)
	}
	if err != nil {
		return s.failed(ctx, fmt.Sprintf("download server file %q (%s) to %s", out.Export.Name, out.Export.ID, strings.Join(names, ", ")), err)
	}
	return s.done("downloaded")
}

// delivered is a server file that was downloaded, and the names that it has here.
type delivered struct {
	transfer.Downloaded
	facts  data.Facts
	placed []string
}

// deliver downloads a server file to its targets, holds it against its guard, and only then
// puts it in place of what was there.
func (s *step) deliver(ctx context.Context, out FileOutput) (got delivered, err error) {
	with, err := s.comparison(ctx, out.Export.ID, out.Guard, out.Header)
	if err != nil {
		return got, err
	}
	checks, err := out.Guard.Checks(with)
	if err != nil {
		return got, err
	}
	checks.Loose = out.Guard.Zero() // it is what Anaplan wrote, and nobody asks how many rows it has
	targets := slices.Clone(out.Targets)
	for i := range targets {
		if before, ok := s.placings[data.Display(targets[i].Name)]; ok {
			targets[i].Before = &before
		}
	}
	to, err := s.run.stores().Deliver(ctx, targets, out.Format, checks)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, to.Abort()) }()
	w := io.Writer(to)
	var copied *os.File
	if out.Guard.Command != nil {
		if copied, err = s.run.scratch(); err != nil {
			return got, err
		}
		defer os.Remove(copied.Name())
		defer copied.Close()
		w = io.MultiWriter(to, copied)
	}
	if got.Downloaded, err = transfer.Receive(ctx, s.tenant.Client, transfer.Download{
		Model: s.model(), File: out.Export.ID, Writer: w, Parallel: s.plan.Transfer.Connections,
		Memory: s.run.Memory, Line: s.tenant.Line, Retry: s.tenant.Retry, Patient: s.patientTogether(),
		Progress: s.moving(PhaseDownload, out.Export.Name),
	}); err != nil {
		return got, err
	}
	s.progress(Progress{Phase: PhaseCheck, Text: out.Export.Name, Done: -1})
	if err := s.still(ctx, out.Export); err != nil {
		return got, err
	}
	if got.facts, err = to.Finish(ctx); err != nil {
		return got, err
	}
	if err := out.Guard.Check(got.facts, with); err != nil {
		return got, err
	}
	if copied != nil {
		if err := copied.Close(); err != nil {
			return got, err
		}
		if err := s.guardCommand(ctx, out.Guard.Command, copied.Name(), got.facts); err != nil {
			return got, err
		}
	}
	placings, err := to.Placing(ctx)
	if err != nil {
		return got, err
	}
	if err := s.intend(out, placings); err != nil {
		return got, err
	}
	if s.check() != nil { // it may have taken long: what is in its place may be newer
		if err := s.still(ctx, out.Export); err != nil {
			return got, err
		}
	}
	got.placed, err = to.Commit(ctx)
	return got, err
}

// intend records what is about to be done with the targets of which previous ones are kept.
// What nobody could find out later is not done.
func (s *step) intend(out FileOutput, placings []data.Placing) error {
	var events []ledger.Body
	for _, p := range placings {
		events = append(events, ledger.TargetPlacing{File: out.Export, Path: data.Display(p.Name),
			Previous: p.Previous, First: p.First, Kept: p.Kept, Stored: p.Stored})
	}
	if err := s.record(events...); err != nil {
		return fmt.Errorf("%w: %w", errUnrecorded, err)
	}
	for _, p := range placings {
		s.placings[data.Display(p.Name)] = p
	}
	return nil
}

// errUnrecorded says that the ledger did not record what was about to be done with targets. It
// was not done; whoever continues the run fetches what its task has written.
var errUnrecorded = errors.New("nothing was put in place")
