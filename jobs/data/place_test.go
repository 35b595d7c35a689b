package data

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func puts(text string) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.WriteString(text)
		return err
	}
}

func TestPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	for _, text := range []string{"first", "second, which is longer", "3"} {
		if err := Place(path, 0o600, puts(text)); err != nil || readFile(t, path) != text {
			t.Errorf("%q: %v", text, err)
		}
	}
	if diff := cmp.Diff([]string{"a.csv"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
	long := filepath.Join(dir, strings.Repeat("ü", 120)+".csv") // 244 bytes of 255
	if err := Place(long, 0o600, puts("x")); err != nil {
		t.Error(err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// A new file has the mode that was asked for, but for the umask; a previous one's stays
// whatever the umask is.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	if err := Place(path, 0o600, puts("x")); err != nil || mode(t, path) != 0o600 {
		t.Errorf("mode %v, %v", mode(t, path), err)
	}
	for _, m := range []os.FileMode{0o666, 0o640, 0o400} {
		if err := os.Chmod(path, m); err != nil {
			t.Fatal(err)
		}
		want := mode(t, path) // not every system has every mode
		if err := Place(path, 0o600, puts("y")); err != nil || mode(t, path) != want {
			t.Errorf("mode %v, want %v: %v", mode(t, path), want, err)
		}
	}
}

// What is there and is no regular file stays.
func TestWhatIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	for path, says := range map[string]string{folder: "it is a folder", dangling: "it is a link to what is not there", os.DevNull: "it is not a regular file"} {
		err := Place(path, 0o600, func(*os.File) error { t.Errorf("%s is written", path); return nil })
		if e, ok := errors.AsType[*fs.PathError](err); !ok || e.Path != path || e.Err.Error() != says {
			t.Errorf("%s: %v", path, err)
		}
	}
	if diff := cmp.Diff(before, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestALinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.csv"), filepath.Join(dir, "latest.csv")
	writeFile(t, real, "previous")
	if err := os.Symlink("real.csv", link); err != nil {
		t.Fatal(err)
	}
	if err := Place(link, 0o600, puts("new")); err != nil || readFile(t, real) != "new" {
		t.Errorf("%q, %v", readFile(t, real), err)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.csv" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
}

func TestPlaceThatFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.csv")
	writeFile(t, path, "previous")
	broken := errors.New("broken")
	for name, f := range map[string]func(*os.File) error{
		"at once":            func(*os.File) error { return broken },
		"later":              func(f *os.File) error { return errors.Join(puts("half")(f), broken) },
		"its file is closed": func(f *os.File) error { return errors.Join(f.Close(), broken) },
	} {
		if err := Place(path, 0o600, f); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
		untouched(t, dir)
	}
	// Its folder is gone while it is written.
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o777); err != nil {
		t.Fatal(err)
	}
	err := Place(filepath.Join(sub, "b.csv"), 0o600, func(*os.File) error { return os.RemoveAll(sub) })
	if e, ok := errors.AsType[*fs.PathError](err); !ok || e.Path != filepath.Join(sub, "b.csv") {
		t.Errorf("a file was put into a folder that is gone: %v", err)
	}
	untouched(t, dir)
}

// Errors name the path that was asked for, not a temporary file that is gone.
func TestPlaceNamesThePath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "no", "a.csv")
	err := Place(path, 0o600, puts("x"))
	if want := "write " + path + ": " + syscall.ENOENT.Error(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	path = filepath.Join(dir, "a.csv")
	err = Place(path, 0o600, func(f *os.File) error { return &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC} })
	if want := "write " + path + ": " + syscall.ENOSPC.Error(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
