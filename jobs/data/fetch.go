package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Fetch brings a source here. What is remote, or stdin, is spooled into the folder dir as
// it is, for its owner alone; local files stay where they are. The folder is made when it
// is needed. The format is that of the server file which is to be filled. What the files
// begin with is looked at: what cannot be unpacked or read as text is an *InputError, as
// is one that is not as it was when it was found, but for web servers, which may make a
// file at each request: it is as it came then. A *StoreError says that a store gave
// nothing. Close must be called.
func (s *Stores) Fetch(ctx context.Context, found Found, dir string, format Format) (_ *File, err error) {
	f := &File{found: found, format: format, wants: charsetOf(format.Encoding)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
		}
	}()
	if len(found.Entries) > 1 && format.Opaque {
		return nil, &InputError{Path: f.name(), What: "files that are no text cannot be joined", Next: "give one file"}
	}
	f.found.Entries = slices.Clone(found.Entries)
	for i, e := range found.Entries {
		p := &part{name: Display(e.Name), path: e.Name}
		f.parts = append(f.parts, p)
		if e.Name == stdin || Remote(e.Name) {
			if f.found.Entries[i], err = s.spool(ctx, p, e, dir); err != nil {
				return nil, err
			}
		}
		if err := p.look(ctx, found.Source, format); err != nil {
			return nil, err
		}
		if !p.spooled && !e.Modified.IsZero() && (p.size != e.Size || !p.time.Equal(e.Modified)) {
			return nil, p.refuse("it changed since it was found", written, nil)
		}
	}
	if isPattern(Display(found.Source.Name)) && found.Source.Pick == "" {
		// Another may have come meanwhile: then it is not known which one is meant.
		if _, err := s.Find(ctx, found.Source); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// spool copies what is not here, and gives what is known of it then. After an error nothing
// is left.
func (s *Stores) spool(ctx context.Context, p *part, e Entry, dir string) (Entry, error) {
	r, is, err := s.openRemote(ctx, e.Name)
	if err != nil {
		return e, inputOr(p.name, unreadable, "see that the runner may read it", err)
	}
	defer r.Close()
	if e.Version != "" && is.Version != "" && e.Version != is.Version {
		if !slices.Contains(servers, schemeOf(e.Name)) {
			return e, p.refuse("it changed since it was found", "run this after it was written", nil)
		}
		e = is // a server may make it anew at each request; what is fetched is guarded
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return e, unspooled(p, err)
	}
	to, err := os.CreateTemp(dir, "source-*.tmp") // 0600
	if err != nil {
		return e, unspooled(p, err)
	}
	p.path, p.spooled = to.Name(), true
	in := &reading{r: untilDone{ctx, r}}
	n, err := io.Copy(to, in)
	err = errors.Join(err, to.Close())
	switch {
	case ctx.Err() != nil:
		return e, context.Cause(ctx)
	case in.err != nil:
		return e, inputOr(p.name, "it broke off while it was read", "check the network, then run it again", in.err)
	case err != nil:
		return e, unspooled(p, err)
	case is.Size >= 0 && n != is.Size:
		return e, p.refuse(fmt.Sprintf("it broke off while it was read: %d of %d bytes came", n, is.Size), "check the network, then run it again", nil)
	}
	return e, nil
}

func (s *Stores) openRemote(ctx context.Context, name string) (io.ReadCloser, Entry, error) {
	if name == stdin {
		if s.Stdin == nil {
			return nil, Entry{}, errors.New("there is no stdin here")
		}
		return io.NopCloser(s.Stdin), Entry{Name: stdin, Size: -1}, nil
	}
	store, err := s.of(name)
	if err != nil {
		return nil, Entry{}, err
	}
	return store.Open(ctx, name)
}

func unspooled(p *part, err error) error {
	return p.refuse("it cannot be brought here", "see that there is room in the folder of the runner's files, and that the runner may write there", err)
}

// reading tells errors of reading from those of writing.
type reading struct {
	r   io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
