package data

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func touch(t *testing.T, path string, when time.Time) {
	t.Helper()
	if err := os.Chtimes(path, when, when); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	dir := tree(t, "b.csv", "a.csv", "c.csv", "one/x.csv")
	day := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	touch(t, filepath.Join(dir, "a.csv"), day)
	touch(t, filepath.Join(dir, "b.csv"), day.Add(time.Second))
	touch(t, filepath.Join(dir, "c.csv"), day)
	stores, _ := withMemory(map[string]string{"mem://x/a": "1", "mem://x/b": "2"})
	for _, tc := range []struct {
		name, pick string
		want       []string
		says       string
	}{
		{"a.csv", "", []string{"a.csv"}, ""},
		{"one/*.csv", "", []string{"one/x.csv"}, ""},
		{"*.csv", "newest", []string{"b.csv"}, ""},
		{"*.csv", "all", []string{"a.csv", "b.csv", "c.csv"}, ""},
		{"*.csv", "", nil, `3 files match: `},
		{"[ac].csv", "newest", nil, "are of the same time"},
		{"no.csv", "", nil, "it is not there"},
		{"no*.csv", "all", nil, "no file matches"},
		{"[.csv", "", nil, "it is no pattern"},
		{"mem://x/?", "all", []string{"mem://x/a", "mem://x/b"}, ""},
		{"ftp://u:secret@h/x?secret", "", nil, "ftp://h/x: files of ftp:// cannot be reached"},
	} {
		name := tc.name
		if !Remote(name) {
			name = dir + "/" + name
		}
		found, err := stores.Find(t.Context(), Source{Name: name, Pick: tc.pick})
		if tc.says != "" {
			if e, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), tc.says) || e.Next == "" || strings.Contains(err.Error()+e.Next, "secret") {
				t.Errorf("%s %s: %v", tc.name, tc.pick, err)
			}
			continue
		}
		var got []string
		for _, e := range found.Entries {
			n := e.Name
			if !Remote(n) {
				n, _ = filepath.Rel(dir, n)
			}
			got = append(got, filepath.ToSlash(n))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s %s: %v %s", tc.name, tc.pick, err, diff)
		}
	}
}

func TestFetchSpools(t *testing.T) {
	stores, mem := withMemory(map[string]string{"mem://x/a.csv": "a,b\n1,2\n"})
	stores.Stdin = strings.NewReader("a,b\n3,4\n5,6\n")
	if got, facts, err := sent(t, stores, Source{Name: "mem://x/a.csv"}, csvFormat, Checks{}); err != nil || got != "a,b\n1,2\n" || facts.Rows != 1 || facts.Modified.Unix() != 1_700_000_000 {
		t.Errorf("%q, %+v, %v", got, facts, err)
	}
	if got, facts, err := sent(t, stores, Source{Name: "-"}, csvFormat, Checks{}); err != nil || got != "a,b\n3,4\n5,6\n" || facts.Rows != 2 {
		t.Errorf("%q, %v", got, err)
	}
	// It is for its owner alone, and where it was said.
	found, err := stores.Find(t.Context(), Source{Name: "mem://x/a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "spool")
	f, err := stores.Fetch(t.Context(), found, dir, csvFormat)
	if err != nil {
		t.Fatal(err)
	}
	path, ok := f.Plain()
	if info, err := os.Stat(path); !ok || err != nil || info.Mode().Perm()&0o077 != 0 || filepath.Dir(path) != dir {
		t.Errorf("%s: %v %v", path, info, err)
	}
	if err := f.Close(); err != nil || len(names(t, dir)) > 0 {
		t.Errorf("%v, %v", names(t, dir), err)
	}
	// What fails leaves nothing behind, which sent looks at.
	away := &StoreError{Doing: "read", Name: "mem://x/a.csv", Kind: ErrAway}
	for _, tc := range []struct {
		name string
		set  func()
		says string
	}{
		{"it broke off", func() { mem.cut = 4 }, "4 of 8 bytes came"},
		{"it changed", func() {
			mem.fail = func(op, name string) error {
				if op == "open" {
					mem.files[name] = "a,b\n9,9\n"
				}
				return nil
			}
		}, "it changed since it was found"},
		{"it went", func() {
			mem.fail = func(op, name string) error {
				if op == "open" {
					delete(mem.files, name)
				}
				return nil
			}
		}, "it is not there"},
		{"the store is away", func() {
			mem.fail = func(op, _ string) error {
				if op == "open" {
					return away
				}
				return nil
			}
		}, "read mem://x/a.csv: not to be reached"},
	} {
		mem.cut, mem.fail = 0, nil
		mem.files["mem://x/a.csv"] = "a,b\n1,2\n"
		tc.set()
		_, _, err := sent(t, stores, Source{Name: "mem://x/a.csv"}, csvFormat, Checks{})
		_, input := errors.AsType[*InputError](err)
		if err == nil || !strings.Contains(err.Error(), tc.says) || input == errors.Is(err, ErrAway) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	mem.cut, mem.fail = 0, nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stores.Fetch(ctx, found, t.TempDir(), csvFormat); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancel: %v", err)
	}
}

// A source that cannot be brought here says so.
func TestFetchWithoutRoom(t *testing.T) {
	stores, _ := withMemory(map[string]string{"mem://x/a.csv": "a,b\n1,2\n"})
	found, err := stores.Find(t.Context(), Source{Name: "mem://x/a.csv"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "x")
	_, err = stores.Fetch(t.Context(), found, filepath.Join(file, "spool"), csvFormat)
	if e, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), "it cannot be brought here") || !strings.Contains(e.Next, "room") {
		t.Errorf("%v", err)
	}
}

func TestChangesBetweenFindAndRead(t *testing.T) {
	dir := tree(t, "a.csv")
	path := filepath.Join(dir, "a.csv")
	writeFile(t, path, "a,b\n1,2\n")
	var stores Stores
	find := func(name string) Found {
		t.Helper()
		found, err := stores.Find(t.Context(), Source{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	refused := func(what string, err error, says string) {
		t.Helper()
		if e, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(err.Error(), says) || e.Next == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	// It grows before it is fetched.
	found := find(path)
	writeFile(t, path, "a,b\n1,2\n3,4\n")
	_, err := stores.Fetch(t.Context(), found, dir, csvFormat)
	refused("grown before the fetch", err, "it changed since it was found")
	// A second one comes.
	found = find(dir + "/*.csv")
	writeFile(t, filepath.Join(dir, "b.csv"), "a,b\n")
	_, err = stores.Fetch(t.Context(), found, dir, csvFormat)
	refused("a second file", err, "2 files match")
	// It is shorter, touched, or gone after it was inspected.
	for what, change := range map[string]func() error{
		"cut":     func() error { return os.Truncate(path, 5) },
		"touched": func() error { return os.Chtimes(path, time.Now(), time.Now().Add(time.Hour)) },
		"gone":    func() error { return os.Remove(path) },
	} {
		writeFile(t, path, "a,b\n1,2\n3,4\n")
		f := fetched(t, path, csvFormat)
		if _, err := f.Inspect(t.Context(), Checks{}); err != nil || !f.Unchanged(t.Context()) {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if f.Unchanged(t.Context()) {
			t.Errorf("%s: it is said to be unchanged", what)
		}
		_, err := f.Open(t.Context())
		_, gone := os.Stat(path)
		if gone != nil {
			refused(what, err, unreadable)
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
			continue
		}
		refused(what, err, "it changed since it was looked at")
	}
	// It is cut while it is sent.
	writeFile(t, path, "a,b\n"+strings.Repeat("1,2\n", 1000))
	r, err := fetched(t, path, csvFormat).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 200); err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r)
	refused("cut while it is sent", err, "it is being written")
}
