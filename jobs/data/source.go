package data

import (
	"context"
	"time"
)

// Source says where the bytes of a server file come from.
type Source struct {
	Name     string // path, pattern or URL; "-": stdin
	Pick     string // which files a pattern means: "" just one, "newest", "all" joined
	Member   string // the file of a ZIP archive with several
	Encoding string // of the text; empty or "auto": recognised
}

// WaitFor says how long to wait for a source that is not there yet.
type WaitFor struct {
	Name  string        // of a marker file; empty: the source itself
	Limit time.Duration // 0: not at all
}

// Found are the files that a source stands for.
type Found struct {
	Source  Source
	Entries []Entry // in the order in which they are joined; never none
}

// Find says which files a source is. An *InputError: there is none, or more than one
// where the source does not say which.
func (s *Stores) Find(ctx context.Context, src Source) (Found, error) {
	return s.find(ctx, src)
}

// Await is Find for a source that may not be there yet. It returns when the marker is
// there, or, without one, when the files are there and, if they are local, had the same
// size and time for 10 seconds. told, if not nil, is called with what is waited for
// whenever that changes. A wait that reaches its limit is an *InputError.
func (s *Stores) Await(ctx context.Context, src Source, w WaitFor, told func(string)) (Found, error) {
	return s.find(ctx, src)
}
