package jobs

import (
	"slices"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// taken are the files that a source was in this run for all steps that read it, as far as
// that is known, and one of their inputs. Those of steps that are ok are the ones that were
// uploaded, though this runner may have found others before it knew what had happened.
func (r *run) taken(in FileInput, ok bool) (FileInput, readTaken) {
	r.sources.mu.Lock()
	defer r.sources.mu.Unlock()
	places := r.sources.places[in.Source.Name]
	var found, recorded []taken
	at := in // which of them is the source of what is recorded
	for i, b := range r.bound.Steps {
		for _, o := range b.Reads {
			if o.Source.Name != in.Source.Name {
				continue
			}
			now, own := r.sources.files[reader{in.Source.Name, i, o.File.ID}]
			up := lastUpload(r.state.Steps[i], o)
			switch {
			case own && (!ok || up == nil || up.Digest == now.digest):
				found = append(found, now)
			case up == nil:
			case len(recorded) == 0 || o.Source == at.Source && o.Format == at.Format: // else their digests say nothing of each other
				at = o
				recorded = append(recorded, uploaded(*up, o))
			}
		}
	}
	all := readTaken{own: len(found) > 0}
	switch {
	case all.own:
		all.taken, all.others = common(found)
		all.differ = slices.ContainsFunc(recorded, func(t taken) bool {
			return !slices.ContainsFunc(found, func(f taken) bool { return f.digest == t.digest })
		})
	case len(recorded) > 0:
		all.taken = recorded[len(recorded)-1]
		all.differ = slices.ContainsFunc(recorded, func(t taken) bool { return t.digest != all.digest })
	}
	if len(places) > 0 && !all.own {
		all.names = slices.Clone(places)
	}
	return at, all
}

// lastUpload is what a step last uploaded of a source; nil if nothing.
func lastUpload(t ledger.StepState, in FileInput) *ledger.UploadState {
	for _, u := range slices.Backward(t.Uploads) {
		if u.Path == in.Shown() && u.File.ID == in.File.ID {
			return &u
		}
	}
	return nil
}

// uploaded are the files of an upload.
func uploaded(u ledger.UploadState, in FileInput) taken {
	t := taken{digest: u.Digest}
	for _, name := range u.Files {
		t.names = append(t.names, withQuery(name, in))
	}
	if len(u.Files) == 0 {
		t.names = []string{in.Source.Name}
	}
	return t
}

// common are the files that all have found, as they were for all, and the names of others.
func common(all []taken) (in taken, others []string) {
	in = taken{digest: all[len(all)-1].digest}
	for _, t := range all {
		for _, e := range t.entries {
			if slices.Contains(in.names, e.Name) || slices.Contains(others, e.Name) {
				continue
			}
			if slices.ContainsFunc(all, func(t taken) bool { return !slices.ContainsFunc(t.entries, e.Same) }) {
				others = append(others, e.Name)
				continue
			}
			in.names, in.entries = append(in.names, e.Name), append(in.entries, e)
		}
	}
	return in, others
}
