package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// relocate moves the files of a source. Of steps that are ok nothing is moved of which it is
// not known that they have read it.
func (r *run) relocate(ctx context.Context, m movement) []ledger.SourceMoved {
	if len(m.names) == 0 && len(m.others) == 0 {
		if m.ok {
			r.logger().Warnf("%s is not moved: nobody knows which files this run has read", m.in.Shown())
			return nil
		}
		found, err := r.stores().Find(ctx, m.in.Source)
		if err != nil {
			return nil // nobody knows which files it was: there is nothing to move
		}
		for _, e := range found.Entries {
			m.names = append(m.names, e.Name)
		}
	}
	there, stays := map[string]string{}, map[string]error{}
	switch {
	case m.differ:
		for _, name := range m.names {
			stays[name] = errOthers
		}
	case !m.own && m.digest != "":
		there, stays = r.movedBefore(ctx, m)
		r.undoLinks(m, stays)
	case r.rewritten(ctx, m):
		for _, name := range m.names {
			stays[name] = errRewritten
		}
	}
	for _, name := range m.others {
		stays[name] = errOthers
	}
	var events []ledger.SourceMoved
	for _, name := range slices.Concat(m.names, m.others) {
		e := ledger.SourceMoved{Source: m.in.Shown(), From: data.Display(name), Digest: m.digest}
		to := configs.Moved(m.folder, name)
		var err error
		switch {
		case to == name:
			continue
		case sameFolder(name, to):
			err = errSamePlace
		case there[name] != "":
			to = there[name]
		case m.differ && !r.isThere(ctx, name):
			continue // it may be that it was moved
		case stays[name] != nil:
			err = stays[name]
		default:
			to, err = r.relocateFile(ctx, name, to)
		}
		if e.To = data.Display(to); err != nil {
			e.Error = err.Error()
		}
		events = append(events, e)
	}
	return events
}

// mostSameNames is how many files of one name are tried to be told apart by a number.
const mostSameNames = 1000

// relocateFile moves a file to a name, or, where that is taken, to one with a number. What
// is there stays as it is.
func (r *run) relocateFile(ctx context.Context, from, to string) (string, error) {
	for n := 1; n <= mostSameNames; n++ {
		name := numbered(to, n)
		err := r.stores().Move(ctx, from, name)
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, fs.ErrExist):
			return to, err
		case sameFile(from, name): // a move that was cut off
			return name, os.Remove(from)
		}
		if ended, err := r.stores().EndMove(ctx, from, name); ended || err != nil {
			return name, err
		}
	}
	return to, fmt.Errorf("there are %d files of this name", mostSameNames)
}

// sameFile says whether two paths in different folders are two names of one file, of which
// one can be taken away: no links that lead to it.
func sameFile(a, b string) bool {
	if data.Remote(a) || data.Remote(b) || sameFolder(a, b) {
		return false
	}
	first, err := os.Lstat(a)
	if err != nil || !first.Mode().IsRegular() {
		return false
	}
	second, err := os.Lstat(b)
	return err == nil && second.Mode().IsRegular() && os.SameFile(first, second)
}

// sameFolder says whether the folders of two paths are one, though they may be written
// differently: a link leads to it, or small and capital letters are the same there.
func sameFolder(a, b string) bool {
	if data.Remote(a) || data.Remote(b) {
		return false
	}
	first, err := os.Stat(filepath.Dir(a))
	if err != nil {
		return false
	}
	second, err := os.Stat(filepath.Dir(b))
	return err == nil && os.SameFile(first, second)
}

// numbered is a name with a number in it, before its ending, from the second on.
func numbered(name string, n int) string {
	if n <= 1 {
		return name
	}
	query := configs.Parameters(name)
	if query != "" {
		query = "?" + query
	}
	name = strings.TrimSuffix(name, query)
	cut := strings.LastIndexAny(name, `/\`) + 1
	base := name[cut:]
	ext := filepath.Ext(base)
	if packed := strings.TrimSuffix(base, ext); slices.Contains([]string{".gz", ".zst", ".zip"}, strings.ToLower(ext)) {
		ext = filepath.Ext(packed) + ext
	}
	if ext == base {
		ext = "" // a hidden file
	}
	return fmt.Sprintf("%s%s-%d%s%s", name[:cut], strings.TrimSuffix(base, ext), n, ext, query)
}

// These keep a file from being moved.
var (
	errRewritten = errors.New("it was written since it was read")
	errOthers    = errors.New("not all steps that read the source have read it as it is")
	errSamePlace = errors.New("it lies in that folder already: its two names lead to one place")
)

// rewritten says whether one of the files that this runner has found is another one now.
func (r *run) rewritten(ctx context.Context, m movement) bool {
	return slices.ContainsFunc(m.entries, func(was data.Entry) bool {
		found, err := r.stores().Find(ctx, data.Source{Name: was.Name})
		if err != nil || len(found.Entries) != 1 {
			return false // to move it says why
		}
		return !was.Same(found.Entries[0])
	})
}

// movedBefore finds the files that an earlier runner had moved and not recorded: at their
// new place lie the bytes that were sent. stays are those that stay where they are, and why:
// something lies at the old place of which nobody can tell that it was read.
func (r *run) movedBefore(ctx context.Context, m movement) (there map[string]string, stays map[string]error) {
	left := slices.Clone(m.names) // those that are gone are looked for at their new place
	all := slices.Clone(m.names)  // all that are there are
	for i, name := range m.names {
		to := configs.Moved(m.folder, name)
		for n := 1; n <= mostSameNames && r.isThere(ctx, numbered(to, n)); n++ {
			all[i] = numbered(to, n)
		}
		if !r.isThere(ctx, name) {
			left[i] = all[i]
		}
	}
	why := errRewritten
	for i, at := range [][]string{left, all} {
		digest, err := r.digestOf(ctx, m.in, at)
		if err != nil && i == 0 {
			why = err
		}
		if err != nil || digest != m.digest {
			continue
		}
		there = map[string]string{}
		for i, name := range m.names {
			if at[i] != name {
				there[name] = at[i]
			}
		}
		return there, nil
	}
	stays = map[string]error{}
	for i, name := range m.names {
		if left[i] == name {
			stays[name] = why
		}
	}
	return nil, stays
}

// undoLinks takes back moves that were cut off when a file had both names, where it stays.
func (r *run) undoLinks(m movement, stays map[string]error) {
	for name := range stays {
		to := configs.Moved(m.folder, name)
		for n := 1; n <= mostSameNames && to != name; n++ {
			if _, err := os.Lstat(numbered(to, n)); err != nil {
				break
			}
			if sameFile(name, numbered(to, n)) {
				_ = os.Remove(numbered(to, n)) // what is there is there under its own name
			}
		}
	}
}

// digestOf is the digest of a source whose files have these names now.
func (r *run) digestOf(ctx context.Context, in FileInput, at []string) (digest string, err error) {
	all := data.Found{Source: data.Source{Name: at[0], Pick: in.Source.Pick, Member: in.Source.Member, Encoding: in.Source.Encoding}}
	for _, name := range at {
		found, err := r.stores().Find(ctx, data.Source{Name: name})
		if err != nil {
			return "", err
		}
		all.Entries = append(all.Entries, found.Entries...)
	}
	file, err := r.stores().Fetch(ctx, all, r.spool(), in.Format)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	facts, err := file.Inspect(ctx, data.Checks{})
	return facts.Digest, err
}

// isThere says whether something has a name, though it be a link that leads nowhere.
func (r *run) isThere(ctx context.Context, name string) bool {
	if !data.Remote(name) {
		_, err := os.Lstat(name)
		return err == nil
	}
	_, err := r.stores().Find(ctx, data.Source{Name: name})
	return err == nil
}
