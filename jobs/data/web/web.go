// Package web reads files that web servers have, for package data.
//
// https:// goes anywhere, http:// to this machine only. user:password@ in a URL is sent as
// basic authorization to that host and port alone, never to where it redirects, and is in no
// error. A reading goes on by range where it broke off, if the server has an ETag or a time
// for the file and knows ranges; it fails with [data.ErrChanged] when the file was replaced.
// Patterns, writing, moving and removing are refused. HEAD is not used: many servers answer
// it otherwise than GET.
package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// redirectsMost is how many redirects lead to a file.
const redirectsMost = 10

// Store reads files of web servers. The zero value works. Safe for concurrent use.
type Store struct {
	Transport http.RoundTripper // nil: http.DefaultTransport, with the proxies of the environment
}

var _ data.Store = (*Store)(nil)

// Schemes are those that the store serves.
func (s *Store) Schemes() map[string]data.Store {
	return map[string]data.Store{"https": s, "http": s}
}

// address takes a name apart. Its error is an *data.InputError.
func address(name string) (*url.URL, error) {
	refuse := func(what, next string) (*url.URL, error) {
		return nil, &data.InputError{Path: data.Display(name), What: what, Next: next}
	}
	u, err := url.Parse(name)
	if err != nil {
		return refuse("it is no URL", "write https://HOST/PATH, with % before special characters' codes")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Fragment, u.RawFragment = "", ""
	switch {
	case u.Hostname() == "":
		return refuse("it names no host", "write https://HOST/PATH")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return refuse("http:// is readable on the way", "write https://")
	case strings.ContainsAny(u.EscapedPath(), "*["):
		return refuse("a web server lists no files, so a pattern means nothing there", "give the URL of one file, with %2A for a * in its name")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// List asks for the one file of the name, by the beginning of a GET.
func (s *Store) List(ctx context.Context, name string) ([]data.Entry, error) {
	r, e, err := s.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []data.Entry{e}, r.Close()
}

// Open reads a file. See [data.Store].
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, data.Entry, error) {
	u, err := address(name)
	if err != nil {
		return nil, data.Entry{}, err
	}
	f := file{store: s, url: u, entry: data.Entry{Name: name, Size: -1}}
	r, err := data.OpenContinued(ctx, f.from, f.failure)
	return r, f.entry, err
}

// The store only reads.

func (s *Store) Create(_ context.Context, name string) (data.Writer, error) {
	return nil, readOnly(name)
}
func (s *Store) Move(_ context.Context, from, _ string) error { return readOnly(from) }
func (s *Store) Remove(_ context.Context, name string) error  { return readOnly(name) }

func readOnly(name string) error {
	return &data.InputError{Path: data.Display(name), What: "files of web servers are only read", Next: "give a path, or the URL of an object store"}
}

// file is one that is read.
type file struct {
	store *Store
	url   *url.URL
	entry data.Entry
	first string // what versionOf said of the first answer
	etag  string // a strong one
	since string // Last-Modified, where there is no ETag
	begun bool
}

// from reads from a place on. The first time the entry is filled.
func (f *file) from(ctx context.Context, at int64) (io.ReadCloser, int64, error) {
	if f.begun && at > 0 && f.etag == "" && f.since == "" {
		return nil, 0, f.failure(data.ErrAway, fmt.Sprintf("it broke off after %d bytes, and the server gives no version by which it could go on", at), nil)
	}
	answer, err := f.get(ctx, at)
	if err != nil {
		return nil, 0, err
	}
	fail := func(err error) (io.ReadCloser, int64, error) {
		_ = answer.Body.Close()
		return nil, 0, err
	}
	switch {
	case answer.StatusCode == http.StatusPartialContent && at > 0:
		if first, ok := firstByte(answer.Header.Get("Content-Range")); !ok || first != at {
			return fail(f.failure(nil, "the server answers another range than it was asked for", nil))
		}
	case answer.StatusCode == http.StatusOK:
	default:
		return fail(f.answered(answer))
	}
	version, modified := versionOf(answer)
	sized := answer.StatusCode == http.StatusOK && answer.ContentLength >= 0 && f.entry.Size >= 0 // else it is that of a range
	if f.begun && (version != f.first || sized && answer.ContentLength != f.entry.Size) {
		return fail(f.failure(data.ErrChanged, "it was replaced while it was read", nil))
	}
	if !f.begun {
		f.begun, f.first = true, version
		f.entry.Version, f.entry.Modified = version, modified
		if tag := answer.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
			f.etag = tag
		} else {
			f.since = answer.Header.Get("Last-Modified")
		}
		if f.entry.Size = answer.ContentLength; f.entry.Version == "" && f.entry.Size >= 0 {
			f.entry.Version = fmt.Sprintf("%d", f.entry.Size)
		}
		return answer.Body, f.entry.Size, nil
	}
	if answer.StatusCode == http.StatusOK && at > 0 { // the server knows no ranges
		return &skipping{ReadCloser: answer.Body, left: at}, f.entry.Size, nil
	}
	return answer.Body, f.entry.Size, nil
}

// skipping passes over what was read before. Meanwhile its Read gives no bytes and no error,
// so that whoever waits for the next bytes sees that they still come.
type skipping struct {
	io.ReadCloser
	left int64
}

func (s *skipping) Read(p []byte) (int, error) {
	if s.left == 0 {
		return s.ReadCloser.Read(p)
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	if s.left -= int64(n); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// get sends one request, and follows redirects.
func (f *file) get(ctx context.Context, at int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url.String(), nil)
	if err != nil {
		return nil, f.failure(nil, "it is no URL", nil)
	}
	user := request.URL.User
	request.URL.User = nil
	if user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	request.Header.Set("User-Agent", "anaplan-runner")
	request.Header.Set("Accept-Encoding", "identity") // the bytes as they are
	if at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		request.Header.Set("If-Range", f.etag+f.since)
	}
	client := &http.Client{Transport: f.store.Transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > redirectsMost:
			return errRedirects
		case next.URL.Scheme != "https" && !(next.URL.Scheme == "http" && loopback(next.URL.Hostname())):
			return errInsecure
		}
		if next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
			next.Header.Del("Authorization")
		}
		next.Header.Del("Referer")
		return nil
	}}
	answer, err := client.Do(request)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(err, errRedirects), errors.Is(err, errInsecure):
		return nil, f.failure(nil, errors.Unwrap(err).Error(), nil)
	}
	return nil, f.unreached(err)
}

var (
	errRedirects = errors.New("it redirects again and again")
	errInsecure  = errors.New("it redirects to an address that is readable on the way")
)

func firstByte(contentRange string) (int64, bool) {
	rest, ok := strings.CutPrefix(contentRange, "bytes ")
	first, _, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	return n, ok && err == nil
}

// versionOf is what changes when the content does.
func versionOf(answer *http.Response) (string, time.Time) {
	modified, err := http.ParseTime(answer.Header.Get("Last-Modified"))
	if err != nil {
		modified = time.Time{}
	}
	if tag := answer.Header.Get("ETag"); tag != "" {
		return tag, modified
	}
	if !modified.IsZero() {
		return modified.UTC().Format(time.RFC3339), modified
	}
	return "", modified
}
