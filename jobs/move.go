package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// inspected is a source that was read and stood its guard.
type inspected struct {
	FileInput
	facts data.Facts
}

// inspect reads every source of the step before anything is uploaded.
func (s *step) inspect(ctx context.Context) ([]inspected, *ending) {
	var all []inspected
	for _, in := range s.bound.Reads {
		if in.Path == "" {
			continue // on the server, or uploaded by an earlier step
		}
		src, err := s.inspectOne(ctx, in)
		if err != nil {
			return nil, s.failed(ctx, "check "+in.Path, err)
		}
		if src.facts.Warning != "" {
			s.note(ledger.Warned{Text: in.Path + ": " + src.facts.Warning})
		}
		all = append(all, src)
	}
	return all, nil
}

// inspectOne reads one source and holds it against its guard, unless that was done ahead of
// need and the source has not changed since.
func (s *step) inspectOne(ctx context.Context, in FileInput) (inspected, error) {
	if src, ok := s.run.ahead.of(ctx, s.plan.Index, in); ok {
		return src, nil
	}
	s.progress(Progress{Phase: PhaseCheck, Text: in.Path, Done: -1})
	facts, err := Inspect(ctx, in, s.run.now())
	return inspected{in, facts}, err
}

// Inspect reads a source and holds it against its guard, without a request to Anaplan.
// Errors are *data.InputError and *data.GuardError.
func Inspect(ctx context.Context, in FileInput, now time.Time) (data.Facts, error) {
	facts, err := data.Inspect(ctx, in.Path, in.Format)
	if err != nil {
		return data.Facts{}, err
	}
	return facts, in.Guard.Check(facts, data.Against{Header: in.Header, Now: now})
}

// upload fills one server file with a source.
func (s *step) upload(ctx context.Context, in inspected, lease ledger.Lease) *ending {
	sent, err := s.send(ctx, in, lease, s.patientTogether(), func() {})
	if err != nil {
		return s.failed(ctx, fmt.Sprintf("upload %s to server file %q (%s)", in.Path, in.File.Name, in.File.ID), err)
	}
	return asEnding(s.sent(sent, lease))
}

// send sends a source to its server file, once; patient runs its requests. moved is told whenever some of it has
// arrived.
func (s *step) send(ctx context.Context, in inspected, lease ledger.Lease, patient transfer.Patient, moved func()) (ledger.SourceUploaded, error) {
	f, err := os.Open(in.Path)
	if err != nil {
		return ledger.SourceUploaded{}, err
	}
	defer f.Close()
	s.run.files.forget(lease.Key())
	up, err := transfer.Send(ctx, s.client, transfer.Upload{
		Model: s.model(), File: in.File.ID, At: f, Size: in.facts.Bytes, Before: s.check,
		Memory: s.run.Memory, Line: s.line, Patient: patient,
		Progress: func(m transfer.Moved) {
			moved()
			s.progress(Progress{Phase: PhaseUpload, Text: in.File.Name, Bytes: m.Bytes, Total: in.facts.Bytes,
				Done: float64(m.Bytes) / float64(max(1, in.facts.Bytes))})
		},
	})
	if err == nil && up.Digest != in.facts.Digest {
		err = fmt.Errorf("%w: other bytes were sent than were checked", transfer.ErrChanged)
	}
	return ledger.SourceUploaded{File: in.File, Path: in.Path, Bytes: up.Bytes, Rows: rowsOfFacts(in.facts),
		Chunks: up.Chunks, Digest: up.Digest, Modified: in.facts.Modified, User: s.user(), Epoch: lease.Epoch()}, err
}

// sent records that a server file holds what was sent to it.
func (s *step) sent(up ledger.SourceUploaded, lease ledger.Lease) error {
	if err := s.record(up); err != nil {
		return err
	}
	s.run.files.set(lease.Key(), filled{up.Digest, up.Rows, s.run.now(), lease.Epoch()})
	return nil
}

// fetch writes the server files that the step gives to their targets.
func (s *step) fetch(ctx context.Context) *ending {
	for _, out := range s.bound.Exports {
		missing := slices.ContainsFunc(out.Targets, func(target string) bool {
			return !slices.ContainsFunc(s.written, func(w ledger.TargetWritten) bool { return w.File.ID == out.Export.ID && w.Path == target })
		})
		if !missing {
			continue // there are none, or they are in place
		}
		if end := s.download(ctx, out); end.stopped || end.Verdict != ledger.OK {
			return end
		}
	}
	return s.done("downloaded")
}

// download writes one server file to its targets. All of them are complete and in place,
// or none was touched.
func (s *step) download(ctx context.Context, out FileOutput) *ending {
	for _, target := range out.Targets {
		if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
			return s.failed(ctx, "write "+target, err)
		}
	}
	var facts data.Facts
	down, err := transfer.Receive(ctx, s.client, transfer.Download{
		Model: s.model(), File: out.Export.ID, Path: out.Targets[0], Also: out.Targets[1:],
		Memory: s.run.Memory, Line: s.line, Patient: s.patientTogether(),
		Progress: func(m transfer.Moved) {
			s.progress(Progress{Phase: PhaseDownload, Text: out.Export.Name, Bytes: m.Bytes, Total: -1, Done: -1})
		},
		Check: func(temp string) (err error) {
			if err := s.patient(ctx, func() error { return s.untouched(ctx, out.Export) }); err != nil {
				return err
			}
			facts, err = data.Inspect(ctx, temp, out.Format)
			if _, odd := errors.AsType[*data.InputError](err); odd && out.Guard.Zero() {
				// It is what Anaplan wrote, and nobody asks how many rows it has.
				format := out.Format
				format.Opaque = true
				facts, err = data.Inspect(ctx, temp, format)
			}
			if err != nil {
				return err
			}
			return out.Guard.Check(facts, data.Against{Now: s.run.now()})
		},
	})
	if gone, ok := errors.AsType[*overwritten](err); ok {
		return s.replaced(gone)
	}
	if err != nil {
		return s.failed(ctx, fmt.Sprintf("download server file %q (%s) to %s", out.Export.Name, out.Export.ID, strings.Join(out.Targets, ", ")), err)
	}
	for _, target := range out.Targets {
		s.note(ledger.TargetWritten{File: out.Export, Path: target, Bytes: down.Bytes, Rows: rowsOfFacts(facts),
			Chunks: down.Chunks, Digest: down.Digest})
	}
	return s.done("downloaded")
}

// rowsOfFacts is nil where rows could not be counted.
func rowsOfFacts(f data.Facts) *int64 {
	if f.Opaque {
		return nil
	}
	return &f.Rows
}
