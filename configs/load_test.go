package configs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadConnectionsIsBounded: what is no file of connections may have no end.
func TestLoadConnectionsIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "connections.toml")
	if err := os.WriteFile(file, bytes.Repeat([]byte("# data\n"), maxSize/6), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = ": the file is larger than 1048576 bytes; give the path of a file of connections, not data"
	if c, err := LoadConnections(file, "", os.Getenv); c != nil || err == nil || err.Error() != file+want {
		t.Errorf("%v, %v", c, err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	right, err := os.ReadFile("testdata/jobs/right/design.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ file, want string }{
		{filepath.Join(dir, "none.toml"), "there is no such file; give the path of a job file"},
		{filepath.Join(dir, "night"), "there is no such file; give the path of a job file, such as " + filepath.Join(dir, "night.toml") + ", which is there"},
		{dir, "this is a folder; give the path of a job file"},
		{write("large.toml", bytes.Repeat([]byte("# data\n"), maxSize/6)), "the file is larger than 1048576 bytes; give the path of a job file, not data"},
		{write("wrong.toml", []byte("name = 5\n")), ""},
		{write("night.toml", right), "ok"},
	} {
		if x.want == "ok" || strings.HasSuffix(x.want, "which is there") {
			write("night.toml", right)
		}
		job, err := Load(x.file)
		switch {
		case x.want == "ok":
			if err != nil || job.Dir != dir || job.File != x.file {
				t.Errorf("%s: %v, %+v", x.file, err, job)
			}
		case err == nil || job != nil:
			t.Errorf("%s: no error", x.file)
		case x.want != "" && err.Error() != x.file+": "+x.want:
			t.Errorf("%s:\ngot  %s\nwant %s", x.file, err, x.file+": "+x.want)
		}
	}
}
