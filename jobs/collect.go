package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/data/dump"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// collected is what a finished task left: its failure dumps.
type collected struct {
	dumps  map[string]dumpCollected // by the id of the object that rejected rows
	events []ledger.Body
}

// collect fetches the failure dumps of a finished task at once: the next run of the
// same import overwrites them (anaplan-api.md 12.4).
func (s *step) collect(ctx context.Context, t anaplan.Task) collected {
	found := collected{dumps: map[string]dumpCollected{}}
	if t.Result == nil {
		return found
	}
	s.progress(Progress{Phase: PhaseDump, Done: -1})
	for _, w := range s.wanted(*t.Result) {
		if i := slices.IndexFunc(s.saved, func(d ledger.DumpSaved) bool { return d.Task == t.ID && d.Of.ID == w.of.ID && d.Path != "" }); i >= 0 {
			found.dumps[w.of.ID] = dumpCollected{Path: s.saved[i].Path, Stats: s.saved[i].Dump, bytes: s.saved[i].Bytes}
			continue
		}
		var got dumpCollected
		err := s.insist(ctx, func() (err error) {
			got, err = s.dump(ctx, t.ID, w)
			return err
		})
		if err != nil && (w.counted || w.maybe && errors.Is(err, anaplan.ErrNoDump)) {
			continue
		}
		event := ledger.DumpSaved{Task: t.ID, Of: w.of}
		if err != nil {
			got = dumpCollected{Err: err}
			event.Error = err.Error()
		}
		event.Path, event.Bytes, event.Dump = got.Path, got.bytes, got.Stats
		found.dumps[w.of.ID] = got
		found.events = append(found.events, event)
	}
	if t.Result.FailureDumpAvailable && len(found.dumps) == 0 {
		err := fmt.Errorf("%w: the result announces one, and there is none of any action", anaplan.ErrNoDump)
		found.dumps[s.bound.Object.ID] = dumpCollected{Err: err}
		found.events = append(found.events, ledger.DumpSaved{Task: t.ID, Of: s.bound.Object, Error: err.Error()})
	}
	return found
}

// wantedDump is one dump to fetch.
type wantedDump struct {
	of      ledger.ObjectRef
	nested  string // the object inside a process, else empty
	maybe   bool   // it was not announced by name: that there is none is no fault
	counted bool   // it was not announced at all, rows are counted that it would hold
}

// wanted lists the dumps to fetch: those that a result announces, and those that its
// counts speak of. A process that announces one without saying whose is asked for its own
// and for every import's (anaplan-api.md 11.6, 12.1).
func (s *step) wanted(r anaplan.Result) []wantedDump {
	var all []wantedDump
	seen := map[string]bool{}
	want := func(r anaplan.Result, of ledger.ObjectRef, nested string) {
		c := r.Counts()
		if counted := above(c.Failed, 0) || above(c.Warnings, 0); !seen[of.ID] && (r.FailureDumpAvailable || counted) {
			seen[of.ID] = true
			all = append(all, wantedDump{of: of, nested: nested, counted: !r.FailureDumpAvailable})
		}
	}
	if s.plan.Verb != configs.Process {
		want(r, s.bound.Object, "")
		return all
	}
	for _, n := range everyNested(r.Nested) {
		want(n, s.nameOf(n), n.ObjectID)
	}
	announced := slices.ContainsFunc(all, func(w wantedDump) bool { return !w.counted })
	if announced || !r.FailureDumpAvailable {
		return all
	}
	all = append(all, wantedDump{of: s.bound.Object, maybe: true})
	for _, p := range s.bound.Imports {
		if !seen[p.Object.ID] {
			seen[p.Object.ID] = true
			all = append(all, wantedDump{of: p.Object, nested: p.Object.ID, maybe: true})
		}
	}
	return all
}

func everyNested(nested []anaplan.Result) []anaplan.Result {
	var all []anaplan.Result
	for _, n := range nested {
		all = append(append(all, n), everyNested(n.Nested)...)
	}
	return all
}

func (s *step) nameOf(r anaplan.Result) ledger.ObjectRef {
	for _, o := range s.bound.Actions {
		if o.ID == r.ObjectID {
			return o
		}
	}
	return ledger.ObjectRef{ID: r.ObjectID, Name: r.ObjectName}
}

// dump fetches one dump into a file of its own and counts it.
func (s *step) dump(ctx context.Context, task string, w wantedDump) (dumpCollected, error) {
	from := anaplan.Dump{Object: s.object(), TaskID: task, Nested: w.nested}
	chunks, err := s.tenant.Client.DumpChunks(ctx, from)
	if err != nil {
		return dumpCollected{}, err
	}
	path := filepath.Join(s.run.runDir(), s.dumpName(task, w.of))
	if err := ownFolder(filepath.Dir(path)); err != nil {
		return dumpCollected{}, err
	}
	got := dumpCollected{Path: path}
	err = data.Place(path, 0o600, func(f *os.File) (err error) {
		if got.bytes, err = s.dumpInto(ctx, f, from, chunks); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if got.Stats, err = dump.Stats(f); err != nil {
			return fmt.Errorf("count failure dump: %w", err)
		}
		return nil
	})
	return got, err
}

// dumpInto appends every chunk. A chunk that broke off is fetched again from its start.
func (s *step) dumpInto(ctx context.Context, f *os.File, from anaplan.Dump, chunks []anaplan.Chunk) (int64, error) {
	var at int64
	for _, c := range chunks {
		var err error
		for try := 0; try < 3; try++ {
			var n int64
			if n, err = s.dumpChunk(ctx, f, at, from, c); err == nil {
				at += n
				break
			}
			if ctx.Err() != nil || errors.Is(err, anaplan.ErrNoDump) {
				return at, err
			}
		}
		if err != nil {
			return at, err
		}
	}
	return at, f.Truncate(at)
}

func (s *step) dumpChunk(ctx context.Context, f *os.File, at int64, from anaplan.Dump, c anaplan.Chunk) (int64, error) {
	body, err := s.tenant.Client.GetDumpChunk(ctx, from, c.ID)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return io.Copy(io.NewOffsetWriter(f, at), body)
}

// runDir is the folder of this run's files.
func (r *run) runDir() string { return filepath.Join(r.Dir, ledger.DirName(r.req.ID)) }

// ownFolder makes a folder that only its owner can look into: rejected rows are people's
// data.
func ownFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, 0o700) // it may have been there
}

// dumpName is a file name that a person can read: the number and name of the step, the
// import, and the beginning of the task's id, so that a second try keeps the first one's.
// Where two imports of a process would share one, the import's id stands in it too.
func (s *step) dumpName(task string, of ledger.ObjectRef) string {
	parts := []string{fmt.Sprintf("%02d", s.plan.Index+1), readable(s.plan.Name)}
	if s.plan.Verb != configs.Process || of.ID != s.bound.Object.ID {
		parts = append(parts, readable(of.Name))
	}
	for _, o := range s.bound.Actions {
		if o.ID != of.ID && strings.EqualFold(readable(o.Name), readable(of.Name)) {
			parts = append(parts, of.ID)
			break
		}
	}
	parts = append(parts, "rejected", readable(task[:min(8, len(task))]))
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	return strings.Join(parts, "_") + ".csv"
}

// readable makes a part of a file name from a name: its letters and digits, of any
// alphabet, in at most 60 bytes.
func readable(name string) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, name)
	s = strings.ToValidUTF8(s[:min(len(s), 60)], "")
	return strings.Trim(s, "-.")
}

// judged puts together what the verdict depends on.
func (s *step) judged(t anaplan.Task, found collected) judged {
	return judged{Verb: s.plan.Verb, Object: s.bound.Object, Task: t, Accept: s.plan.Accept,
		Imports: s.bound.Imports, Actions: s.bound.Actions, Dumps: found.dumps}
}
