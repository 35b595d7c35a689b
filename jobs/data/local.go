package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Local is the store of the local file system. A file takes its place in one step: until
// then a previous one stays, see [Place]. Folders are made as they are needed.
type Local struct{}

var _ Store = Local{}

var errPattern = path.ErrBadPattern

// List gives the regular files that match, links followed. A name that is there just as
// it is written is no pattern. A pattern's * and ? match no dot at the beginning of a name.
func (Local) List(_ context.Context, name string) ([]Entry, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil:
		return []Entry{entryOf(name, info)}, nil
	case !isPattern(name):
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	names, err := glob(name)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, n := range names {
		// One that went meanwhile does not match any more; what is no file never did.
		if info, err := os.Stat(n); err == nil && info.Mode().IsRegular() {
			all = append(all, entryOf(n, info))
		}
	}
	return all, nil
}

func entryOf(name string, info fs.FileInfo) Entry {
	return Entry{Name: name, Size: info.Size(), Modified: info.ModTime(), Version: fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())}
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// glob gives the names that match, sorted. Unlike filepath.Glob it says when a folder
// cannot be read: that nothing matched would not be true.
func glob(pattern string) ([]string, error) {
	volume := filepath.VolumeName(pattern)
	elements := strings.Split(filepath.ToSlash(pattern[len(volume):]), "/")
	found := []string{volume}
	for i, e := range elements {
		switch {
		case e == "" && i == 0 && len(elements) > 1:
			found[0] += string(filepath.Separator)
			continue
		case e == "":
			continue
		case !isPattern(e):
			for j := range found {
				found[j] = filepath.Join(found[j], e)
			}
			continue
		}
		if _, err := path.Match(e, ""); err != nil {
			return nil, &fs.PathError{Op: "match", Path: pattern, Err: err}
		}
		var next []string
		for _, folder := range found {
			entries, err := os.ReadDir(or(folder, "."))
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) || notFolder(folder) {
					continue
				}
				return nil, err
			}
			for _, entry := range entries {
				name := entry.Name()
				if hidden(name) && !hidden(e) {
					continue
				}
				if ok, _ := path.Match(e, name); ok {
					next = append(next, filepath.Join(folder, name))
				}
			}
		}
		found = next
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

func notFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// Open opens a regular file.
func (Local) Open(_ context.Context, name string) (io.ReadCloser, Entry, error) {
	// Opening a pipe would wait for a writer.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, Entry{}, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is not a regular file")}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, Entry{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, Entry{}, errors.Join(err, f.Close())
	}
	return f, entryOf(name, info), nil
}

// Create begins a file beside the one whose place it takes.
func (Local) Create(_ context.Context, name string) (Writer, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return nil, err
	}
	return newTemporary(name, 0o666)
}

// Remove removes a file, or a link and not what it leads to.
func (Local) Remove(_ context.Context, name string) error { return os.Remove(name) }
