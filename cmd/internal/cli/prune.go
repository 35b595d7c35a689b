package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

// keepStandard is how long runs are kept whose job does not say it.
const keepStandard = 30 * 24 * time.Hour

func (p *Program) runsPruneCommand() *cli.Command {
	return &cli.Command{
		Name: "prune", Usage: "removes old runs with their failure dumps and reports",
		Description: "Removes runs that have ended longer ago than their job's `keep` says, or 30 days: their record, and their folder\n" +
			"beside the ledger. A run that is under way, that has no end, or of whose tasks it is not known how they ended, is\n" +
			"kept. So are folders beside the ledger whose run it has no more, if they are as old: with a ledger in PostgreSQL each\n" +
			"machine has folders of its own. Nothing else is removed, and links are not followed.",
		Flags: flags(recordPlaceFlags(), []cli.Flag{
			spanFlag("older-than", 0, "remove what has ended longer ago than `TIME`, such as 30d, whatever the jobs say", "Record:"),
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "remove nothing, only tell", Category: "Record:"},
		}, outputFlags(), logFlags()),
		Action: p.doRunsPrune,
	}
}

// pruned is the result of runs prune.
type pruned struct {
	Schema  int          `json:"schema"`
	Ledger  string       `json:"ledger"`
	DryRun  bool         `json:"dry_run"`
	Removed []removedRun `json:"removed"`     // not null
	Folders []removedDir `json:"folders"`     // of runs that the ledger has no more; not null
	Kept    []keptRun    `json:"kept"`        // those that are old enough and stay all the same; not null
	Bytes   int64        `json:"freed_bytes"` // of the folders that were removed

	failed bool // a folder could not be removed
}

type removedRun struct {
	Job   string      `json:"job"`
	Run   string      `json:"run"`
	Ended report.Time `json:"ended"`
	Bytes int64       `json:"freed_bytes"`
}

type removedDir struct {
	Path  string `json:"path"`
	Bytes int64  `json:"freed_bytes"`
}

type keptRun struct {
	Job string `json:"job"`
	Run string `json:"run"`
	Why string `json:"why"`
}

func (p *Program) doRunsPrune(c *cli.Context) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	book, err := p.readLedger(c)
	if err != nil {
		return err
	}
	defer book.Close()
	return p.interruptible(c, func(ctx context.Context) error {
		// Before the runs: a folder is made after its run is recorded.
		folders, err := book.folders()
		if err != nil {
			return err
		}
		found, err := book.Runs(ctx, ledger.Query{Limit: everyRun})
		if err != nil {
			return err
		}
		r := pruned{Schema: 1, Ledger: book.Where(), DryRun: c.Bool("dry-run"), Removed: []removedRun{}, Folders: []removedDir{}, Kept: []keptRun{}}
		for _, s := range found {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := p.prune(ctx, c, book, s.ID, &r); err != nil {
				return err
			}
			delete(folders, ledger.DirName(s.ID))
		}
		p.sweep(c, book, folders, &r)
		code := ledger.CodeOK
		if r.failed {
			code = ledger.CodeInternal
		}
		return p.finish(c, code, r, r.text)
	})
}

// prune removes a run if it is old enough and nothing keeps it.
func (p *Program) prune(ctx context.Context, c *cli.Context, book *book, id ledger.ID, r *pruned) error {
	keep := func(format string, args ...any) error {
		r.Kept = append(r.Kept, keptRun{id.Job, id.Run, fmt.Sprintf(format, args...)})
		return nil
	}
	state, err := book.state(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNoRun): // somebody else was a moment earlier
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return keep("it cannot be read: %v", err)
	}
	age, kept := p.Now().Sub(state.Updated), p.keepOf(c, state)
	if age <= kept {
		return nil
	}
	if state.End == nil {
		holder, err := book.Holder(ctx, ledger.RunKey(id))
		if err != nil {
			return err
		}
		if holder != nil {
			return keep("it is under way: %s", holder)
		}
		return keep("it has no end: %s, or %s", about(book, "resume", id), about(book, "cancel", id))
	}
	if left := unsettled(state); len(left) > 0 {
		return keep("%s; to find out: %s", strings.Join(left, "; "), about(book, "resume", id))
	}
	bytes, err := book.remove(ctx, id, r.DryRun)
	if held, ok := errors.AsType[*ledger.HeldError](err); ok {
		return keep("it is under way: %s", held.By)
	}
	if e, ok := errors.AsType[*folderError](err); ok {
		r.failed = true
		return keep("%v", e)
	}
	if err != nil {
		return err
	}
	r.Removed = append(r.Removed, removedRun{id.Job, id.Run, report.Time{Time: state.Ended}, bytes})
	r.Bytes += bytes
	return nil
}

// keepOf is how long a run is kept.
func (p *Program) keepOf(c *cli.Context, state ledger.State) time.Duration {
	if c.IsSet("older-than") {
		return length(c, "older-than")
	}
	// A job that this program cannot read says nothing.
	if job, err := jobs.DecodeJob(state.Created.Job); err == nil && job.Keep > 0 {
		return job.Keep
	}
	return keepStandard
}

// remove takes a run out of the ledger, with its folder, and says how large that was. The
// folder goes first: what stops it on the way leaves a run that is removed the next time,
// and no people's data that nobody finds.
func (b *book) remove(ctx context.Context, id ledger.ID, dry bool) (bytes int64, err error) {
	if dry {
		if holder, err := b.Holder(ctx, ledger.RunKey(id)); err != nil || holder != nil {
			if holder != nil {
				err = &ledger.HeldError{Key: ledger.RunKey(id), By: *holder}
			}
			return 0, err
		}
		return b.folder(ledger.DirName(id), false)
	}
	lease, err := b.Take(ctx, ledger.RunKey(id), ledger.Holder{Runner: thisRunner(), Run: id, Since: time.Now().UTC()})
	if err != nil {
		return 0, err
	}
	bytes, err = b.folder(ledger.DirName(id), true)
	lease.Release()
	if err != nil {
		return 0, &folderError{err}
	}
	if err := b.Remove(ctx, id); err != nil && !errors.Is(err, ledger.ErrNoRun) {
		return bytes, err
	}
	return bytes, nil
}

// sweep removes folders whose run the ledger has no more, if nothing in them has changed
// for as long as runs are kept.
func (p *Program) sweep(c *cli.Context, book *book, folders map[string]time.Time, r *pruned) {
	limit := keepStandard
	if c.IsSet("older-than") {
		limit = length(c, "older-than")
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		if p.Now().Sub(folders[name]) <= limit {
			continue
		}
		path := filepath.Join(book.Folder, name)
		bytes, err := book.folder(name, !r.DryRun)
		if err != nil {
			r.failed = true
			p.log.Errorf("%s cannot be removed: %v", path, err)
			continue
		}
		r.Folders = append(r.Folders, removedDir{path, bytes})
		r.Bytes += bytes
	}
}

// runFolder is the form of [ledger.DirName].
var runFolder = regexp.MustCompile(`^[A-Za-z0-9-]+_[A-Za-z0-9-]+_[0-9a-f]{12}$`)

// folders are those in the ledger's folder of runs that have the name of a run's, with the
// time at which something was last put into or taken out of each.
func (b *book) folders() (map[string]time.Time, error) {
	all := map[string]time.Time{}
	entries, err := os.ReadDir(b.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	for _, e := range entries {
		if info, lost := e.Info(); lost == nil && info.IsDir() && runFolder.MatchString(e.Name()) {
			all[e.Name()] = info.ModTime()
		}
	}
	return all, err
}

// folder says how large the folder of a run is, and removes it if it is to be gone. It
// stays inside the ledger's folder of runs, whatever links are in there.
func (b *book) folder(name string, gone bool) (bytes int64, err error) {
	root, err := os.OpenRoot(b.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	case !info.IsDir(): // a link, or something that is not ours
		return 0, nil
	}
	err = fs.WalkDir(root.FS(), name, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil || !gone {
		return bytes, err
	}
	return bytes, root.RemoveAll(name)
}

// folderError says that the folder of a run could not be removed; the run stays.
type folderError struct{ err error }

func (e *folderError) Error() string { return fmt.Sprintf("its folder cannot be removed: %v", e.err) }

func (r pruned) text(w io.Writer) error {
	var b strings.Builder
	verb := "removed"
	if r.DryRun {
		verb = "would be removed"
	}
	for _, one := range r.Removed {
		fmt.Fprintf(&b, "%s: run %s of job %s, ended %s, %s\n", verb, printable(one.Run), printable(one.Job), moment(one.Ended), transfer.Size(one.Bytes))
	}
	for _, one := range r.Folders {
		fmt.Fprintf(&b, "%s: folder %s, whose run is not in the ledger, %s\n", verb, printable(one.Path), transfer.Size(one.Bytes))
	}
	for _, one := range r.Kept {
		fmt.Fprintf(&b, "kept: run %s of job %s: %s\n", printable(one.Run), printable(one.Job), printable(one.Why))
	}
	what := "runs"
	if len(r.Removed) == 1 {
		what = "run"
	}
	fmt.Fprintf(&b, "%d %s %s, %s; ledger: %s\n", len(r.Removed), what, verb, transfer.Size(r.Bytes), printable(r.Ledger))
	_, err := io.WriteString(w, b.String())
	return err
}
