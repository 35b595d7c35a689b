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

	"github.com/google/go-cmp/cmp"
)

func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, f)
	}
	return dir
}

func TestListLocal(t *testing.T) {
	dir := tree(t, "b/sales_2.csv", "b/sales_1.csv", "a/sales_3.csv", "a/.sales_0.csv", "a/x[1].csv", "a/1.txt", "c.csv/inside.csv", "sales_9.csv")
	for _, tc := range []struct {
		pattern string
		want    []string
	}{
		{"b/*.csv", []string{"b/sales_1.csv", "b/sales_2.csv"}},
		{"*/sales_?.csv", []string{"a/sales_3.csv", "b/sales_1.csv", "b/sales_2.csv"}},
		{"?/sales_[12].csv", []string{"b/sales_1.csv", "b/sales_2.csv"}},
		{"a/*", []string{"a/1.txt", "a/sales_3.csv", "a/x[1].csv"}},
		{"a/.*", []string{"a/.sales_0.csv"}},
		{"a/x[1].csv", []string{"a/x[1].csv"}}, // it is there just so
		{"*.csv", []string{"sales_9.csv"}},     // not the folder
		{"a/../b//sales_*.csv", []string{"b/sales_1.csv", "b/sales_2.csv"}},
		{"z/*.csv", nil},
		{"sales_9.csv/*", nil},
		{"no.csv", nil},
	} {
		all, err := Local{}.List(t.Context(), dir+"/"+tc.pattern)
		var got []string
		for _, e := range all {
			rel, relErr := filepath.Rel(dir, e.Name)
			got, err = append(got, filepath.ToSlash(rel)), errors.Join(err, relErr)
			if e.Size == 0 || e.Modified.IsZero() || e.Version == "" {
				t.Errorf("%+v", e)
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", tc.pattern, err, diff)
		}
	}
	if _, err := (Local{}).List(t.Context(), dir+"/[a.csv"); !errors.Is(err, errPattern) {
		t.Errorf("a bracket that is open: %v", err)
	}
	t.Chdir(dir)
	if all, err := (Local{}).List(t.Context(), "b/*1.csv"); err != nil || len(all) != 1 || all[0].Name != filepath.Join("b", "sales_1.csv") {
		t.Errorf("%v, %v", all, err)
	}
}

// A folder that cannot be read is an error: that nothing matched would not be true.
func TestListSaysWhatItCannotSee(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root reads everything: nothing to see")
		return
	}
	dir := tree(t, "a/x.csv")
	if err := os.Chmod(filepath.Join(dir, "a"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "a"), 0o700)
	if _, err := (Local{}).List(t.Context(), dir+"/a/*.csv"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

func TestMoveLocal(t *testing.T) {
	dir := tree(t, "in/a.csv", "in/b.csv", "done/b.csv")
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := (Local{}).Move(t.Context(), at("in/a.csv"), at("done/2026/a.csv")); err != nil || readFile(t, at("done/2026/a.csv")) != "in/a.csv" {
		t.Error(err)
	}
	if err := (Local{}).Move(t.Context(), at("in/b.csv"), at("done/b.csv")); !errors.Is(err, fs.ErrExist) || readFile(t, at("done/b.csv")) != "done/b.csv" {
		t.Errorf("another file is moved over: %v", err)
	}
	if err := (Local{}).Move(t.Context(), at("in/c.csv"), at("done/c.csv")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if diff := cmp.Diff([]string{"b.csv"}, names(t, at("in"))); diff != "" {
		t.Error(diff)
	}
}

// TestMoveOfALinkStillLeadsToItsFile: a relative link says something else in another folder.
func TestMoveOfALinkStillLeadsToItsFile(t *testing.T) {
	for _, tc := range []struct{ name, leads, from, to, want string }{
		{"beside it", "real.csv", "in/a.csv", "done/a.csv", "../in/real.csv"},
		{"in another folder", "../data/real.csv", "in/a.csv", "done/2026/a.csv", "../../data/real.csv"},
		{"into the folder of its file", "../data/real.csv", "in/a.csv", "data/a.csv", "real.csv"},
		{"through another link", "../data/linked.csv", "in/a.csv", "done/a.csv", "../data/linked.csv"},
		{"through a folder that is a link", "shelf/../real.csv", "in/a.csv", "done/a.csv", "../far/real.csv"},
		{"from and to folders that are links", "real.csv", "entry/a.csv", "exit/a.csv", "../../in/real.csv"},
		{"that is absolute", "ROOT/data/real.csv", "in/a.csv", "done/a.csv", "ROOT/data/real.csv"},
		{"that leads nowhere", "none.csv", "in/a.csv", "done/a.csv", "none.csv"},
	} {
		for _, relative := range []bool{false, true} {
			dir := tree(t, "in/real.csv", "data/real.csv", "far/real.csv", "far/shelf/x.csv", "far/exit/x.csv")
			t.Chdir(filepath.Join(dir, "data"))
			at := func(name string) string {
				if relative {
					return filepath.Join("..", name)
				}
				return filepath.Join(dir, name)
			}
			tc.leads, tc.want = strings.ReplaceAll(tc.leads, "ROOT", dir), strings.ReplaceAll(tc.want, "ROOT", dir)
			for name, leads := range map[string]string{"in/shelf": "../far/shelf", "entry": "in", "exit": "far/exit", "data/linked.csv": "real.csv", "in/a.csv": tc.leads} {
				if err := os.Symlink(leads, at(name)); err != nil {
					t.Fatal(err)
				}
			}
			was, _ := os.ReadFile(at(tc.from))
			if err := (Local{}).Move(t.Context(), at(tc.from), at(tc.to)); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			leads, err := os.Readlink(at(tc.to))
			now, _ := os.ReadFile(at(tc.to))
			if err != nil || leads != filepath.FromSlash(tc.want) || string(now) != string(was) {
				t.Errorf("%s: it leads to %s, where %q is, and %q was: %v", tc.name, leads, now, was, err)
			}
			if _, err := os.Lstat(at(tc.from)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the old one: %v", tc.name, err)
			}
			for _, name := range []string{"in/real.csv", "data/real.csv", "far/real.csv"} {
				readFile(t, at(name))
			}
		}
	}
}

// TestMoveOfALinkOverwritesNothing: but a link that an earlier move had made, and was cut off
// then, is that one.
func TestMoveOfALinkOverwritesNothing(t *testing.T) {
	dir := tree(t, "in/real.csv", "done/a.csv")
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := errors.Join(os.Symlink("real.csv", at("in/a.csv")), os.Symlink("../in/real.csv", at("done/b.csv")), os.Symlink("a.csv", at("done/c.csv"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"done/a.csv", "done/c.csv"} {
		if err := (Local{}).Move(t.Context(), at("in/a.csv"), at(name)); !errors.Is(err, fs.ErrExist) || readFile(t, at(name)) != "done/a.csv" {
			t.Errorf("over %s: %v", name, err)
		}
	}
	if err := (Local{}).Move(t.Context(), at("in/a.csv"), at("done/b.csv")); err != nil || readFile(t, at("done/b.csv")) != "in/real.csv" {
		t.Errorf("after one that was cut off: %v", err)
	}
	if diff := cmp.Diff([]string{"real.csv"}, names(t, at("in"))); diff != "" {
		t.Error(diff)
	}
}

// From one store to another a file is copied, and removed at the end.
func TestMoveBetweenStores(t *testing.T) {
	dir := tree(t, "a.csv")
	stores, mem := withMemory(map[string]string{"mem://x/taken": "old"})
	a := filepath.Join(dir, "a.csv")
	if err := stores.Move(t.Context(), a, "mem://x/taken"); !errors.Is(err, fs.ErrExist) || mem.files["mem://x/taken"] != "old" || readFile(t, a) != "a.csv" {
		t.Errorf("%v", err)
	}
	full := errors.New("full")
	mem.fail = func(op, _ string) error {
		if op == "ready" {
			return full
		}
		return nil
	}
	if err := stores.Move(t.Context(), a, "mem://x/a"); !errors.Is(err, full) || readFile(t, a) != "a.csv" || len(mem.files) != 1 {
		t.Errorf("%v, %v", err, mem.files)
	}
	mem.fail = nil
	if err := stores.Move(t.Context(), a, "mem://x/a"); err != nil || mem.files["mem://x/a"] != "a.csv" {
		t.Error(err)
	}
	if err := stores.Move(t.Context(), "mem://x/a", a); err != nil || readFile(t, a) != "a.csv" || len(mem.files) != 1 {
		t.Error(err)
	}
}

// TestMoveOfWhatIsReplaced: a file that comes in the place of one while that is copied is not
// removed, since the copy is not of it.
func TestMoveOfWhatIsReplaced(t *testing.T) {
	dir := tree(t, "a.csv")
	a := filepath.Join(dir, "a.csv")
	stores, mem := withMemory(map[string]string{"mem://x/b": "b.csv"})
	mem.fail = func(op, _ string) error {
		if op == "ready" {
			writeFile(t, a, "the next one")
		}
		return nil
	}
	if err := stores.Move(t.Context(), a, "mem://x/a"); !errors.Is(err, errReplaced) || readFile(t, a) != "the next one" || len(mem.files) != 1 {
		t.Errorf("to another store: %v, %v", err, mem.files)
	}
	if err := moveByCopy(t.Context(), replacing{by: "one more"}, a, Local{}, filepath.Join(dir, "done.csv")); !errors.Is(err, errReplaced) || readFile(t, a) != "one more" {
		t.Errorf("to another file system: %v", err)
	}
	if diff := cmp.Diff([]string{"a.csv"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	opened := 0
	mem.files["mem://x/c"] = "b.csv"
	mem.fail = func(op, name string) error {
		if op == "open" && name == "mem://x/b" {
			if opened++; opened == 2 {
				mem.files["mem://x/b"] = "the next one"
			}
		}
		return nil
	}
	if ended, err := stores.EndMove(t.Context(), "mem://x/b", "mem://x/c"); ended || !errors.Is(err, errReplaced) || mem.files["mem://x/b"] != "the next one" {
		t.Errorf("after a move that was cut off: %v, %v, %v", ended, err, mem.files)
	}
}

// replacing is the local file system, where a file is replaced when it was opened.
type replacing struct {
	Local
	by string
}

func (s replacing) Open(ctx context.Context, name string) (io.ReadCloser, Entry, error) {
	r, is, err := s.Local.Open(ctx, name)
	return r, is, errors.Join(err, os.WriteFile(name+".new", []byte(s.by), 0o600), os.Rename(name+".new", name))
}

func TestOpenAndRemoveLocal(t *testing.T) {
	dir := tree(t, "a.csv")
	r, e, err := Local{}.Open(t.Context(), filepath.Join(dir, "a.csv"))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(content) != "a.csv" || e.Size != 5 {
		t.Errorf("%q %+v %v", content, e, err)
	}
	for _, name := range []string{os.DevNull, dir} {
		if _, _, err := (Local{}).Open(t.Context(), name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if err := (Local{}).Remove(t.Context(), filepath.Join(dir, "b.csv")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestDisplayHidesSecrets(t *testing.T) {
	for name, want := range map[string]string{
		"data/a?b.csv":                         "data/a?b.csv",
		`C:\data\a.csv`:                        `C:\data\a.csv`,
		"-":                                    "-",
		"https://u:secret@h.example/a b.csv":   "https://h.example/a b.csv",
		"https://h.example/a.csv?sig=secret#x": "https://h.example/a.csv",
		"s3://bucket/in/*.csv?region=secret":   "s3://bucket/in/*.csv",
		"https://u:secret%zz@h/a?secret":       "https://h/a",
		"https://u:se@cret@h":                  "https://h",
		"S3://b/k?token=secret":                "s3://b/k",
		"s3://b/in/?.csv?token=secret":         "s3://b/in/?.csv",
		"gs://b/in/?.csv":                      "gs://b/in/?.csv",
		"azblob://u:secret@b/a b%20c#d.csv":    "azblob://b/a b%20c#d.csv",
		"gs://b/a%3Fsecret":                    "gs://b/a%3Fsecret",
	} {
		if got := Display(name); got != want || strings.Contains(name, "/a%3F") == false && strings.Contains(got, "secret") {
			t.Errorf("%s is shown as %s, want %s", name, got, want)
		}
	}
	if Remote(`C:\a`) || Remote("a.csv") || !Remote("S3://b/k") {
		t.Error("places are mistaken")
	}
}

// TestALinkIsNotMovedToItself: its folder has two names.
func TestALinkIsNotMovedToItself(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "real.csv"), "text")
	if err := errors.Join(os.Symlink("in", filepath.Join(dir, "done")), os.Symlink("../real.csv", filepath.Join(in, "a.csv"))); err != nil {
		t.Fatal(err)
	}
	err := Local{}.Move(t.Context(), filepath.Join(in, "a.csv"), filepath.Join(dir, "done", "a.csv"))
	if !errors.Is(err, fs.ErrExist) || readFile(t, in, "a.csv") != "text" {
		t.Errorf("%v", err)
	}
}
