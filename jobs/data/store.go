package data

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Store is a place where files lie. Names are as in the job file: paths, or URLs. Its
// errors name no user, password or query of a URL. Safe for concurrent use.
type Store interface {
	// List gives the files that match, sorted by name. The name may hold * ? and […], none
	// of which matches a slash; else it is that of one file. None is no error.
	List(ctx context.Context, name string) ([]Entry, error)
	// Open reads a file from its beginning. One that is not there is fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadCloser, Entry, error)
	// Create begins a file that takes the name when it is committed.
	Create(ctx context.Context, name string) (Writer, error)
	// Move gives a file another full name in the same store. One that is there already
	// stays, and the error is fs.ErrExist. When it fails, the file is under its old name;
	// where that cannot be told, the new one has its bytes too.
	Move(ctx context.Context, from, to string) error
	// Remove removes a file. One that is not there is fs.ErrNotExist.
	Remove(ctx context.Context, name string) error
}

// Copier is a [Store] that copies by itself, without the bytes coming here. What is
// there under the new name is replaced.
type Copier interface {
	Copy(ctx context.Context, from, to string) error
}

// Entry is a file in a store.
type Entry struct {
	Name     string
	Size     int64     // -1: unknown
	Modified time.Time // zero: unknown
	Version  string    // changes when the content does: an ETag, or size and time; empty: unknown
}

// Same says whether a file is as it was, as far as that can be told without reading it.
func (e Entry) Same(was Entry) bool {
	return e.Name == was.Name && e.Size == was.Size && e.Modified.Equal(was.Modified) && e.Version == was.Version
}

// Writer takes the bytes of a file that is to take a name. Either Commit or Abort must be
// called. Not safe for concurrent use.
type Writer interface {
	io.Writer
	// Ready ends the writing: when it returns without an error all bytes are durable,
	// under another name or not visible.
	Ready(ctx context.Context) error
	// Commit gives the file its name, in place of one that has it. After an error the name
	// stands for what it stood for before.
	Commit(ctx context.Context) error
	// Abort removes what was written. After Commit it does nothing. It may be called twice.
	Abort() error
}

// Stores are the places that names lead to, by their scheme. The local file system is
// always there, and the zero value is that alone. Safe for concurrent use.
type Stores struct {
	Schemes map[string]Store // "s3", "https" …; "": something else than Local for paths
	Stdin   io.Reader        // what "-" reads, once; nil: there is none
}

// of finds the store of a name. Its error is an *InputError.
func (s *Stores) of(name string) (Store, error) {
	scheme := schemeOf(name)
	if store, ok := s.Schemes[scheme]; ok {
		return store, nil
	}
	if scheme == "" {
		return Local{}, nil
	}
	next := "give the path of a local file"
	if known := slices.Sorted(maps.Keys(s.Schemes)); len(known) > 0 {
		next = "give a path, or a URL that begins with " + strings.Join(known, "://, ") + "://"
	}
	return nil, &InputError{Path: Display(name), What: fmt.Sprintf("files of %s:// cannot be reached", scheme), Next: next}
}

// Remote says whether a name leads to another place than the local file system.
func Remote(name string) bool { return schemeOf(name) != "" }

// Move moves a file within its store, or from one store to another: then it is copied,
// and removed when the copy is durable. What is there under the new name stays:
// fs.ErrExist.
func (s *Stores) Move(ctx context.Context, from, to string) error {
	source, err := s.of(from)
	if err != nil {
		return err
	}
	if schemeOf(from) == schemeOf(to) {
		return source.Move(ctx, from, to)
	}
	target, err := s.of(to)
	if err != nil {
		return err
	}
	if err := absent(ctx, target, to); err != nil {
		return err
	}
	return moveByCopy(ctx, source, from, target, to)
}

var withScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+://`) // one letter is a drive

// schemeOf is the scheme of a URL, in lower case; empty for a path.
func schemeOf(name string) string {
	return strings.ToLower(strings.TrimSuffix(withScheme.FindString(name), "://"))
}

// Display is a name as it may be shown: a URL without its user, password, query and
// fragment, which may hold secrets. A path stays as it is, and so does an object's key: a
// question mark there begins a query only where a NAME=VALUE follows.
func Display(name string) string {
	switch scheme := schemeOf(name); {
	case scheme == "":
		return name
	case !slices.Contains(buckets, scheme):
		if u, err := url.Parse(name); err == nil {
			u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
			if plain, err := url.PathUnescape(u.EscapedPath()); err == nil && !strings.ContainsAny(plain, "?#\n\r") {
				return u.Scheme + "://" + u.Host + plain // as it was written
			}
			return u.String()
		}
		return bare(name, strings.IndexAny(name, "?#"))
	}
	cut := -1
	if at := parameter.FindStringIndex(name); at != nil {
		cut = at[0]
	}
	return bare(name, cut)
}

// servers are the schemes of web servers.
var servers = []string{"https", "http"}

// buckets are the schemes of object stores.
var buckets = []string{"s3", "gs", "azblob"}

// parameter begins the query of an object's URL.
var parameter = regexp.MustCompile(`\?[A-Za-z_]\w*=`)

// bare is a URL up to a place, -1 for all of it, without user and password.
func bare(name string, cut int) string {
	if cut >= 0 {
		name = name[:cut]
	}
	_, rest, _ := strings.Cut(name, "://")
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if slash {
		host += "/"
	}
	return schemeOf(name) + "://" + host + strings.NewReplacer("\n", "%0A", "\r", "%0D").Replace(path)
}
