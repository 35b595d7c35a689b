package data

import (
	"bytes"
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
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, elem ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// untouched says that a folder holds the file of before and nothing else.
func untouched(t *testing.T, dir string) {
	t.Helper()
	if diff := cmp.Diff([]string{"a.csv"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	if got := readFile(t, dir, "a.csv"); got != "previous" {
		t.Errorf("the previous file is %q now", got)
	}
}

// inMemory is a store whose files are called mem://…, and that fails as it is told.
type inMemory struct {
	mu    sync.Mutex
	files map[string]string
	log   []string
	fail  func(op, name string) error // nil: never
	cut   int                         // readings end after so many bytes; 0: they do not
	times map[string]time.Time        // of files that are not as old as all others
	room  int                         // a file that is written takes so many bytes; 0: all
}

func (m *inMemory) done(op, name string) error {
	m.log = append(m.log, op+" "+name)
	if m.fail == nil {
		return nil
	}
	return m.fail(op, name)
}

func (m *inMemory) entry(name string) Entry {
	written := time.Unix(1_700_000_000, 0)
	if at, ok := m.times[name]; ok {
		written = at
	}
	return Entry{Name: name, Size: int64(len(m.files[name])), Modified: written, Version: fmt.Sprintf("%x", m.files[name])}
}

func (m *inMemory) List(_ context.Context, name string) (all []Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.done("list", name); err != nil {
		return nil, err
	}
	for n := range m.files {
		if ok, _ := path.Match(name, n); ok || n == name {
			all = append(all, m.entry(n))
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (m *inMemory) Open(_ context.Context, name string) (io.ReadCloser, Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.done("open", name); err != nil {
		return nil, Entry{}, err
	}
	content, ok := m.files[name]
	if !ok {
		return nil, Entry{}, &StoreError{Doing: "open", Name: name, Kind: fs.ErrNotExist}
	}
	var r io.Reader = strings.NewReader(content)
	if m.cut > 0 {
		r = io.LimitReader(r, int64(m.cut))
	}
	return io.NopCloser(r), m.entry(name), nil
}

func (m *inMemory) Create(_ context.Context, name string) (Writer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &inMemoryWriter{store: m, name: name}, m.done("create", name)
}

func (m *inMemory) Move(ctx context.Context, from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.done("move", from); err != nil {
		return err
	}
	if _, ok := m.files[to]; ok {
		return &StoreError{Doing: "move", Name: to, Kind: fs.ErrExist}
	}
	content, ok := m.files[from]
	if !ok {
		return &StoreError{Doing: "move", Name: from, Kind: fs.ErrNotExist}
	}
	m.files[to] = content
	delete(m.files, from)
	return nil
}

func (m *inMemory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.done("remove", name); err != nil {
		return err
	}
	if _, ok := m.files[name]; !ok {
		return &StoreError{Doing: "remove", Name: name, Kind: fs.ErrNotExist}
	}
	delete(m.files, name)
	return nil
}

type inMemoryWriter struct {
	store *inMemory
	name  string
	bytes.Buffer
}

var errFull = errors.New("no space left")

func (w *inMemoryWriter) Write(p []byte) (int, error) {
	if room := w.store.room; room > 0 && w.Len()+len(p) > room {
		n, _ := w.Buffer.Write(p[:max(0, room-w.Len())])
		return n, errFull
	}
	return w.Buffer.Write(p)
}

func (w *inMemoryWriter) Ready(context.Context) error {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	return w.store.done("ready", w.name)
}

func (w *inMemoryWriter) Commit(context.Context) error {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	if err := w.store.done("commit", w.name); err != nil {
		return err
	}
	w.store.files[w.name] = w.String()
	return nil
}

func (w *inMemoryWriter) Abort() error { return nil }

// withMemory are stores with files in memory.
func withMemory(files map[string]string) (*Stores, *inMemory) {
	if files == nil {
		files = map[string]string{}
	}
	m := &inMemory{files: files}
	return &Stores{Schemes: map[string]Store{"mem": m}}, m
}

// sent is what an upload of a source sends, and its facts.
func sent(t *testing.T, s *Stores, src Source, format Format, checks Checks) (string, Facts, error) {
	t.Helper()
	found, err := s.Find(t.Context(), src)
	if err != nil {
		return "", Facts{}, err
	}
	dir := t.TempDir()
	f, err := s.Fetch(t.Context(), found, dir, format)
	if err != nil {
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("%v is left after %v", left, err)
		}
		return "", Facts{}, err
	}
	defer func() {
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Error(err)
		}
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("%v is left after Close", left)
		}
	}()
	facts, err := f.Inspect(t.Context(), checks)
	if err != nil {
		return "", facts, err
	}
	var texts []string
	for range 2 {
		r, err := f.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(content))
	}
	if texts[0] != texts[1] || int64(len(texts[0])) != facts.Bytes {
		t.Errorf("%d and %d bytes are sent, %d were inspected", len(texts[0]), len(texts[1]), facts.Bytes)
	}
	if path, ok := f.Plain(); ok && readFile(t, path) != texts[0] {
		t.Error("other bytes are sent than those of the file")
	}
	if !f.Unchanged(t.Context()) {
		t.Error("it is said to have changed")
	}
	return texts[0], facts, nil
}
