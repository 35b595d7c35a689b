package data

import (
	"context"
	"io"
	"os"
)

// File is a source that lies here. Its methods may be called from several goroutines,
// but for Close.
type File struct {
	found  Found
	format Format
}

// Fetch brings a source here. What is remote, or stdin, is spooled into the folder dir as
// it is, for its owner alone; local files stay where they are. The format is that of the
// server file which is to be filled. What the files begin with is looked at: what cannot
// be unpacked or read as text is an *InputError. Close must be called.
func (s *Stores) Fetch(ctx context.Context, found Found, dir string, format Format) (*File, error) {
	return &File{found: found, format: format}, nil
}

// Found says which files it is.
func (f *File) Found() Found { return f.found }

// Inspect reads the bytes that are sent once, in bounded memory. Errors are
// *InputError, *GuardError (what the checks refuse on the way), and that of ctx.
func (f *File) Inspect(ctx context.Context, checks Checks) (Facts, error) {
	return Inspect(ctx, f.found.Entries[0].Name, f.format)
}

// Open gives the bytes that are sent, again and again: unpacked, joined, converted. Errors
// of Open and of reading are *InputError, and that of ctx. A file that is not as it was
// when it was found is one.
func (f *File) Open(ctx context.Context) (io.ReadCloser, error) {
	return os.Open(f.found.Entries[0].Name)
}

// Plain is the path of a file whose bytes are sent just as they are; not ok if there is
// none.
func (f *File) Plain() (path string, ok bool) { return f.found.Entries[0].Name, true }

// Unchanged says, by size and time, whether the files are as they were when they were
// found. What was spooled is always.
func (f *File) Unchanged(ctx context.Context) bool { return true }

// Close removes what was spooled. It may be called twice.
func (f *File) Close() error { return nil }
