package data

import "time"

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
