package data

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// File is a source that lies here. Its methods may be called from several goroutines,
// but for Close.
type File struct {
	found  Found
	format Format
	wants  charset
	parts  []*part
}

// Found says which files it is.
func (f *File) Found() Found { return f.found }

// Open gives the bytes that are sent, again and again: unpacked, joined, converted. Errors
// of Open and of reading are *InputError, and that of ctx. A file that is not as it was
// when it was fetched is one.
func (f *File) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	return closing{&rowless{r, f.name()}, r}, nil
}

// open is Open with errors that do not say the row yet.
func (f *File) open(ctx context.Context) (io.ReadCloser, error) {
	if len(f.parts) > 1 {
		j := &joining{ctx: ctx, file: f}
		return closing{encoded(j, f.wants), j}, nil
	}
	p := f.parts[0]
	switch {
	case f.format.Opaque:
		return p.bytes(ctx)
	case p.from.same(f.wants):
		return p.text(ctx, f.wants, p.dropped())
	}
	r, err := p.utf8(ctx, f.wants)
	if err != nil {
		return nil, err
	}
	return closing{encoded(r, f.wants), r}, nil
}

// rowless makes an *InputError of a *badText where nobody counts rows.
type rowless struct {
	r    io.Reader
	name string
}

func (r *rowless) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if bad, ok := errors.AsType[*badText](err); ok {
		err = &InputError{Path: or(bad.name, r.name), What: bad.Error(), Next: bad.next}
	}
	return n, err
}

// Plain is the path of a file whose bytes are sent just as they are; not ok if there is
// none.
func (f *File) Plain() (path string, ok bool) {
	p := f.parts[0]
	if len(f.parts) > 1 || p.pack != notPacked || p.dropped() > 0 || !f.format.Opaque && !p.asIs(f.wants) {
		return "", false
	}
	return p.path, true
}

// Unchanged says, by size and time, whether the files are as they were when they were
// fetched. What was spooled is, as long as nobody meddles.
func (f *File) Unchanged(context.Context) bool {
	for _, p := range f.parts {
		if !p.unchanged() {
			return false
		}
	}
	return true
}

// Close removes what was spooled. It may be called twice.
func (f *File) Close() error {
	var err error
	for _, p := range f.parts {
		if p.spooled {
			p.spooled = false
			err = errors.Join(err, os.Remove(p.path))
		}
	}
	return err
}

func (f *File) name() string { return Display(f.found.Source.Name) }

// modified is when the newest file was written.
func (f *File) modified() time.Time {
	if t := f.found.modified(); !t.IsZero() {
		return t
	}
	var newest time.Time
	for _, p := range f.parts {
		if p.time.After(newest) {
			newest = p.time
		}
	}
	return newest
}
