package jobs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// uploadLife is how long an upload is relied upon. Anaplan keeps it for 48 hours, and then
// loads the default file without a word (anaplan-api.md 9.1).
const uploadLife = 40 * time.Hour

// filled is what a server file was last filled with by this run.
type filled struct {
	digest string
	rows   *int64 // nil when unknown
	at     time.Time
	epoch  int64 // of the lease of the file under which we last saw it so
}

// fillings are the server files that this run has filled, by the key of their lease, which
// names the login too.
type fillings struct {
	mu   sync.Mutex
	last map[ledger.Key]filled
}

func newFillings(s ledger.State) *fillings {
	f := &fillings{last: map[ledger.Key]filled{}}
	for _, t := range s.Steps {
		for _, u := range t.Uploads {
			key := ledger.FileKey(u.Model, u.File.ID, u.User)
			if was, ok := f.last[key]; !ok || !u.At.Before(was.at) {
				f.last[key] = filled{u.Digest, u.Rows, u.At, u.Epoch}
			}
		}
	}
	for key, was := range f.last {
		for _, t := range s.Steps {
			for _, i := range t.Intents {
				for _, r := range i.Files {
					if r.Digest == was.digest && r.Epoch > was.epoch && key == ledger.FileKey(i.Model, r.File, r.User) {
						was.epoch = r.Epoch
					}
				}
			}
		}
		f.last[key] = was
	}
	return f
}

func (f *fillings) of(key ledger.Key) (filled, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, ok := f.last[key]
	return was, ok
}

func (f *fillings) set(key ledger.Key, now filled) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last[key] = now
}

// forget is called before bytes are sent: from then on the file may hold anything.
func (f *fillings) forget(key ledger.Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.last, key)
}

// intact says whether a server file still holds what this run filled it with: nobody had
// its lease in between, and it is not about to expire.
func (s *step) intact(lease ledger.Lease) (filled, bool) {
	was, ok := s.run.files.of(lease.Key())
	if !ok || lease.Epoch() > was.epoch+1 {
		return was, false
	}
	age := s.run.now().Sub(was.at)
	if age < 0 || age > uploadLife {
		return was, false
	}
	was.epoch = lease.Epoch()
	s.run.files.set(lease.Key(), was)
	return was, true
}

// fill sees to it that every server file that the step reads holds the bytes of this run:
// the step's own sources, and what an earlier step of the run has uploaded. Of a file that is
// read as the model holds it, it only says that it is read.
func (s *step) fill(ctx context.Context, sources []*source) *ending {
	s.reads = nil
	for _, in := range s.bound.Reads {
		lease := s.held.files[in.File.ID]
		was, intact := s.intact(lease)
		if in.Server { // it is read as it is, and nobody must fill it meanwhile
			read := ledger.FileRead{File: in.File.ID, User: s.user(), Epoch: lease.Epoch()}
			if intact {
				read.Digest = was.digest
			}
			s.reads = append(s.reads, read)
			continue
		}
		if !in.Own() {
			if end := s.refill(ctx, in, was, intact, lease); end != nil {
				return end
			}
		} else {
			src := sourceOf(sources, in.File.ID)
			if intact && was.digest == src.facts.Digest {
				s.run.logger().Debugf("%s: server file %q holds it already", in.Shown(), in.File.Name)
			} else if end := s.upload(ctx, src, lease); end != nil {
				return end
			}
		}
		now, _ := s.run.files.of(lease.Key())
		s.reads = append(s.reads, ledger.FileRead{File: in.File.ID, User: s.user(), Digest: now.digest, Epoch: now.epoch})
	}
	return nil
}

func sourceOf(sources []*source, file string) *source {
	for _, src := range sources {
		if src.File.ID == file {
			return src
		}
	}
	return nil
}

// refill uploads again what an earlier step uploaded, if the server file may hold something
// else by now: another run had the file, or another step of this one that was done first,
// or the upload is about to expire.
func (s *step) refill(ctx context.Context, in FileInput, was filled, intact bool, lease ledger.Lease) *ending {
	want := s.uploaded[in.File.ID]
	if intact && want != "" && was.digest == want {
		return nil
	}
	for _, up := range s.run.bound.Steps[in.By].Reads {
		if up.File.ID != in.File.ID {
			continue
		}
		src, err := s.takeAgain(ctx, up, want)
		if err != nil {
			return s.failed(ctx, "check "+up.Shown(), err)
		}
		defer src.close()
		if want != "" && src.facts.Digest != want {
			return s.failed(ctx, "check "+up.Shown(), fmt.Errorf("%w since step %q uploaded it to server file %q, which must be uploaded again",
				transfer.ErrChanged, s.run.bound.Plan.Steps[in.By].Name, in.File.Name))
		}
		return s.upload(ctx, src, lease)
	}
	return nil
}

// takeAgain brings a source here that stood its guard before, if its digest is known.
func (s *step) takeAgain(ctx context.Context, in FileInput, digest string) (*source, error) {
	if digest == "" {
		return s.takeSource(ctx, in)
	}
	in.WaitFor = data.WaitFor{}
	found, err := s.find(ctx, in)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, in, found, data.Checks{})
}

// uploadedFor are the digests of what earlier upload steps have last uploaded for step i, by
// the id of the server file.
func uploadedFor(r *run, i int) map[string]string {
	digests := map[string]string{}
	for _, in := range r.bound.Steps[i].Reads {
		if in.Own() || in.Server || in.By < 0 {
			continue
		}
		for _, u := range r.state.Steps[in.By].Uploads {
			if u.File.ID == in.File.ID {
				digests[in.File.ID] = u.Digest
			}
		}
	}
	return digests
}

// user is the id of the step's login.
func (s *step) user() string { return s.run.bound.Users[s.bound.Connection].ID }
