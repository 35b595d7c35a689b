package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// What becomes of sources when every step that reads them has ended: the job's `after`.
// Files are moved first and recorded then. A runner that dies in between leaves them at
// their new place, where the next one finds them by their digest. A file that was written
// since it was read stays: nobody has read what is in it.

// origins are the files of a run's sources, by the names that the job gives the sources.
// Steps tell it what they find, and ask it for what was moved.
type origins struct {
	mu     sync.Mutex
	files  map[reader]taken
	places map[string][]string // of those that this run has moved, where they are now
	moving map[string]string   // the folder to which this runner has moved them last
}

// reader is a step that reads a source for a server file.
type reader struct {
	source string
	step   int
	file   string // id
}

// taken are the files that a source was, and the digest of their bytes as they are sent.
type taken struct {
	names   []string
	entries []data.Entry // of the names, as this runner has found them
	digest  string
}

// readTaken are the files that a source was for the steps that read it.
type readTaken struct {
	taken
	own    bool     // this runner has found the files itself
	others []string // files that only some of the steps had
	differ bool     // the steps had different bytes, nobody knows in which files
}

func newOrigins(b *Bound, s ledger.State) *origins {
	o := &origins{files: map[reader]taken{}, places: map[string][]string{}, moving: map[string]string{}}
	for _, step := range b.Steps {
		for _, in := range step.Reads {
			if _, known := o.places[in.Source.Name]; known || !in.Own() {
				continue
			}
			var moves []ledger.SourceMoved
			for _, m := range s.Moves {
				if m.Source == in.Shown() {
					moves = append(moves, m.SourceMoved)
				}
			}
			o.places[in.Source.Name] = follow(nil, moves, in)
		}
	}
	return o
}

// follow says where files are after they were moved.
func follow(places []string, moves []ledger.SourceMoved, in FileInput) []string {
	for _, m := range moves {
		to := m.To
		if m.Error != "" {
			to = m.From
		}
		to = withQuery(to, in)
		if i := slices.IndexFunc(places, func(p string) bool { return data.Display(p) == m.From }); i >= 0 {
			places[i] = to
		} else {
			places = append(places, to)
		}
	}
	return places
}

// withQuery gives a URL, as it was shown, the query that the job's have.
func withQuery(shown string, in FileInput) string {
	query := configs.Parameters(in.Source.Name)
	if query == "" || configs.Parameters(shown) != "" {
		return shown
	}
	return shown + "?" + query
}

// found is told what a source is for a step, which has it later as read says.
func (o *origins) found(by reader, f data.Found) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := taken{entries: f.Entries}
	for _, e := range f.Entries {
		t.names = append(t.names, e.Name)
	}
	o.files[by] = t
}

func (o *origins) read(by reader, digest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.files[by]
	t.digest = digest
	o.files[by] = t
}

func (o *origins) moved(in FileInput, moves []ledger.SourceMoved) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.places[in.Source.Name] = follow(slices.Clone(o.places[in.Source.Name]), moves, in)
}

// movedAway says where what a step has found is, if this run has moved it.
func (o *origins) movedAway(by reader) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := o.files[by].names
	if len(names) == 0 || names[0] == by.source || !slices.Contains(o.places[by.source], names[0]) {
		return ""
	}
	text := ", which was moved to " + data.Display(names[0])
	if more := len(names) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (o *origins) placesOf(source string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.places[source]
}

// movedSource is a source that this run has moved, from where it is now. It has no entries
// if it was not moved, or is not there any more.
func (r *run) movedSource(ctx context.Context, in FileInput) (data.Found, error) {
	var all data.Found
	for _, place := range r.sources.placesOf(in.Source.Name) {
		src := data.Source{Name: place, Pick: in.Source.Pick, Member: in.Source.Member, Encoding: in.Source.Encoding}
		found, err := r.stores().Find(ctx, src)
		if errors.Is(err, fs.ErrNotExist) {
			return data.Found{}, nil
		}
		if err != nil {
			return data.Found{}, err
		}
		if all.Source.Name == "" {
			all.Source = src
		}
		all.Entries = append(all.Entries, found.Entries...)
	}
	return all, nil
}

// movement is a source whose files are to be moved.
type movement struct {
	in     FileInput
	folder string
	readTaken
	ok bool // all steps that read it are ok
}

// moved is what became of a movement.
type moved struct {
	movement
	events []ledger.SourceMoved
}

// due are the movements whose time has come: every step of the run that reads the source
// has ended, and that is recorded. A step that was stopped or blocked, or is unsure, is not
// over.
func (r *run) due() []movement {
	if r.only || r.closed || len(r.pending) > 0 {
		return nil
	}
	return r.owed()
}

// owed is due, whether or not the ends of the steps are recorded. It gives each movement
// once.
func (r *run) owed() []movement {
	var all []movement
	seen := map[string]bool{}
	for i := range r.bound.Steps {
		for _, in := range r.bound.Steps[i].Reads {
			if !in.Own() || in.After == (configs.After{}) || seen[in.Source.Name] {
				continue
			}
			seen[in.Source.Name] = true
			folder := in.After.OK
			over, ok := r.over(in.Source.Name)
			switch {
			case !over:
				continue
			case !ok:
				folder = in.After.Else
			}
			if folder == "" || r.sources.moving[in.Source.Name] == folder {
				continue
			}
			r.sources.moving[in.Source.Name] = folder
			m := movement{in: in, folder: folder, ok: ok}
			m.in, m.readTaken = r.taken(in, ok)
			if len(m.names) > 0 && !slices.ContainsFunc(m.names, func(name string) bool { return configs.Moved(folder, name) != name }) {
				continue // they are there
			}
			all = append(all, m)
		}
	}
	return all
}

// over says whether every step that reads a source has ended, and whether all are ok.
func (r *run) over(source string) (over, ok bool) {
	over, ok = false, true
	for i, b := range r.bound.Steps {
		if !slices.ContainsFunc(b.Reads, func(in FileInput) bool {
			if in.Own() {
				return in.Source.Name == source
			}
			return in.By >= 0 && slices.ContainsFunc(r.bound.Steps[in.By].Reads, func(up FileInput) bool { return up.Source.Name == source && up.File.ID == in.File.ID })
		}) {
			continue
		}
		t := &r.state.Steps[i]
		if t.End == nil || t.End.Verdict == ledger.Blocked || t.End.Verdict == ledger.Unsure {
			return false, false
		}
		if t.End.Verdict == ledger.Skipped && len(t.Tries) == 0 {
			continue // it read nothing
		}
		over = true
		ok = ok && (t.End.Verdict == ledger.OK || t.End.Verdict == ledger.Skipped)
	}
	return over, ok
}

// catchUp makes the movements that a runner before has left, before any step that has ended
// is opened again: one that reads a source finds it where that runner has moved it, too.
func (r *run) catchUp(ctx context.Context, b *Bound) {
	r.bound, r.sources = b, newOrigins(b, r.state)
	ctx, cancel := graceful(ctx, stopGrace)
	defer cancel()
	for _, m := range r.due() {
		r.recordMoved(ctx, moved{m, r.relocate(ctx, m)})
	}
}

// moves starts the movements whose time has come, each in a goroutine that tells of it.
func (r *run) moves(workers *sync.WaitGroup, running *int) {
	for _, m := range r.due() {
		*running++
		workers.Go(func() {
			ctx, cancel := graceful(r.outer, stopGrace)
			defer cancel()
			r.tell("moved "+path.Base(m.in.Shown()), moved{m, r.relocate(ctx, m)})
		})
	}
}

// recordMoved records what became of a movement.
func (r *run) recordMoved(ctx context.Context, m moved) {
	for _, e := range m.events {
		_ = r.record(ctx, "", e) // kept as trouble
	}
	r.sources.moved(m.in, m.events)
}
