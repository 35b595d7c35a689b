package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// source is a source that is here, was read, and stood its guard. It is closed when its
// step ends.
type source struct {
	FileInput
	file  *data.File
	facts data.Facts
	same  bool // the bytes are those of the last run that was ok, and the job skips them then
}

// close removes what was spooled of it.
func (src *source) close() {
	if src.file != nil {
		_ = src.file.Close()
	}
}

func closeAll(sources []*source) {
	for _, src := range sources {
		src.close()
	}
}

// inspect takes every source of the step before anything is uploaded: it waits for those
// that are not there yet, and holds them against their guards. It ends a step whose sources
// are all unchanged, where the job skips it then.
func (s *step) inspect(ctx context.Context) (all []*source, end *ending) {
	defer func() {
		if end != nil {
			closeAll(all)
			all = nil
		}
	}()
	for _, in := range s.bound.Reads {
		if !in.Own() {
			continue // on the server, or uploaded by an earlier step
		}
		src, err := s.inspectOne(ctx, in)
		if err != nil {
			return all, s.failed(ctx, "check "+in.Shown()+s.run.sources.movedAway(reader{in.Source.Name, s.plan.Index, in.File.ID}), err)
		}
		all = append(all, src)
		if src.facts.Warning != "" {
			s.note(ledger.Warned{Text: in.Shown() + ": " + src.facts.Warning})
		}
	}
	if s.unchanged(all) {
		return all, &ending{StepEnded: ledger.StepEnded{Verdict: ledger.Skipped,
			Message: fmt.Sprintf("%s: %s: %v; nothing was loaded", s.describe(), all[0].Shown(), data.ErrUnchanged)}}
	}
	return all, nil
}

// unchanged says whether the step is skipped because all that it would load is what the
// last run has loaded.
func (s *step) unchanged(sources []*source) bool {
	uploaded := func(in FileInput) bool { return !in.Own() && !in.Server }
	return len(sources) > 0 && !slices.ContainsFunc(sources, func(src *source) bool { return !src.same }) &&
		!slices.ContainsFunc(s.bound.Reads, uploaded)
}

// inspectOne takes one source, unless that was done ahead of need and it has not changed
// since: then it only stands its guard again, since a last run and the time are others.
func (s *step) inspectOne(ctx context.Context, in FileInput) (*source, error) {
	src := s.run.ahead.of(ctx, s.plan.Index, in)
	if src == nil {
		return s.takeSource(ctx, in)
	}
	with, err := s.against(ctx, in)
	if err == nil {
		err = in.Guard.Early(src.file.Found(), with)
	}
	if err == nil {
		err = src.check(with)
	}
	if err != nil {
		src.close()
		return nil, err
	}
	return src, nil
}

// against is what a source's guard compares with.
func (s *step) against(ctx context.Context, in FileInput) (data.Against, error) {
	return s.comparison(ctx, in.File.ID, in.Guard, in.Header)
}

// check holds what is known of it against its guard.
func (src *source) check(with data.Against) error {
	err := src.Guard.Check(src.facts, with)
	if src.same = errors.Is(err, data.ErrUnchanged); src.same {
		return nil
	}
	return err
}

// inspectChanged takes the sources again if one was written since: what the step waited for
// may have taken hours. Those given are closed then.
func (s *step) inspectChanged(ctx context.Context, sources []*source) ([]*source, *ending) {
	for _, src := range sources {
		if !src.file.Unchanged(ctx) {
			closeAll(sources)
			return s.inspect(ctx)
		}
	}
	return sources, nil
}

// takeSource brings one source here, reads it, and holds it against its guard.
func (s *step) takeSource(ctx context.Context, in FileInput) (*source, error) {
	found, err := s.find(ctx, in)
	if err != nil {
		return nil, err
	}
	by := reader{in.Source.Name, s.plan.Index, in.File.ID}
	s.run.sources.found(by, found)
	// Its control file comes with it: what lay there before is of another one.
	with, err := s.against(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := in.Guard.Early(found, with); err != nil {
		return nil, err
	}
	checks, err := in.Guard.Checks(with)
	if err != nil {
		return nil, err
	}
	src, err := s.open(ctx, in, found, checks)
	if err != nil {
		return nil, err
	}
	s.run.sources.read(by, src.facts.Digest)
	err = src.check(with)
	if err == nil && !src.same && in.Guard.Command != nil {
		err = s.guardSource(ctx, src)
	}
	if err != nil {
		src.close()
		return nil, err
	}
	return src, nil
}

// find says which files a source is, and waits for them as the job says. What this run has
// moved is read from where it is.
func (s *step) find(ctx context.Context, in FileInput) (data.Found, error) {
	s.progress(Progress{Phase: PhaseCheck, Text: in.Shown(), Done: -1})
	if moved, err := s.run.movedSource(ctx, in); err != nil || len(moved.Entries) > 0 {
		return moved, err
	}
	return s.run.stores().Await(ctx, in.Source, in.WaitFor, func(text string) {
		s.progress(Progress{Phase: PhaseWait, Text: text, Done: -1})
		s.note(ledger.Waiting{Reason: string(reasonSource), Text: text})
	})
}

// open brings the files of a source here and reads them once.
func (s *step) open(ctx context.Context, in FileInput, found data.Found, checks data.Checks) (*source, error) {
	s.progress(Progress{Phase: PhaseCheck, Text: in.Shown(), Done: -1})
	dir := s.run.spool()
	file, err := s.run.stores().Fetch(ctx, found, dir, in.Format)
	if err != nil {
		return nil, err
	}
	facts, err := file.Inspect(ctx, checks)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &source{FileInput: in, file: file, facts: facts}, nil
}

// stores are where sources and targets lie.
func (r *run) stores() *data.Stores {
	if r.Stores != nil {
		return r.Stores
	}
	return &data.Stores{}
}

// upload fills one server file with a source.
func (s *step) upload(ctx context.Context, src *source, lease ledger.Lease) *ending {
	sent, err := s.send(ctx, src, lease, s.patientTogether(), func() {})
	if err != nil {
		return s.failed(ctx, fmt.Sprintf("upload %s to server file %q (%s)", src.Shown(), src.File.Name, src.File.ID), err)
	}
	return asEnding(s.sent(sent, lease))
}

// send sends a source to its server file, once; patient runs its requests. moved is told
// whenever more of it was sent.
func (s *step) send(ctx context.Context, src *source, lease ledger.Lease, patient transfer.Patient, moved func()) (ledger.SourceUploaded, error) {
	if !src.file.Unchanged(ctx) {
		return ledger.SourceUploaded{}, fmt.Errorf("%w since it was checked", transfer.ErrChanged)
	}
	u := transfer.Upload{
		Model: s.model(), File: src.File.ID, Size: src.facts.Bytes, Digest: src.facts.Digest, Before: s.check,
		ChunkSize: s.plan.Transfer.ChunkSize, Parallel: s.plan.Transfer.Connections, Gzip: gzipOf(s.plan.Transfer),
		Memory: s.run.Memory, Line: s.tenant.Line, Patient: patient,
	}
	tell, told := s.moving(PhaseUpload, src.File.Name), int64(0)
	u.Progress = func(m transfer.Moved) {
		if m.Bytes > told {
			told = m.Bytes
			moved()
		}
		tell(m)
	}
	if path, plain := src.file.Plain(); plain {
		f, err := os.Open(path)
		if err != nil {
			return ledger.SourceUploaded{}, err
		}
		defer f.Close()
		u.At = f
	} else {
		r, err := src.file.Open(ctx)
		if err != nil {
			return ledger.SourceUploaded{}, err
		}
		defer r.Close()
		u.Source = r
	}
	s.run.files.forget(lease.Key())
	up, err := transfer.Send(ctx, s.tenant.Client, u)
	return ledger.SourceUploaded{File: src.File, Path: src.Shown(), Files: src.files(), Bytes: up.Bytes, Rows: rowsOfFacts(src.facts),
		Chunks: up.Chunks, Wire: up.Wire, Took: up.Took, Digest: up.Digest, Modified: src.facts.Modified, User: s.user(), Epoch: lease.Epoch()}, err
}

// sent records that a server file holds what was sent to it.
func (s *step) sent(up ledger.SourceUploaded, lease ledger.Lease) error {
	if err := s.record(up); err != nil {
		return err
	}
	s.run.files.set(lease.Key(), filled{up.Digest, up.Rows, s.run.now(), lease.Epoch()})
	return nil
}

// files are the files of which its bytes were made, as they may be shown; nil if that is
// the one that the source names.
func (src *source) files() []string {
	names := shown(src.file.Found())
	if len(names) == 1 && names[0] == src.Shown() {
		return nil
	}
	return names
}

func shown(f data.Found) []string {
	var names []string
	for _, e := range f.Entries {
		names = append(names, data.Display(e.Name))
	}
	return names
}

// gzipOf is how the step's uploads are compressed.
func gzipOf(t configs.Transfer) string {
	if t.Gzip == "" {
		return transfer.GzipAuto
	}
	return t.Gzip
}

// rowsOfFacts is nil where rows could not be counted.
func rowsOfFacts(f data.Facts) *int64 {
	if f.Opaque {
		return nil
	}
	return &f.Rows
}
