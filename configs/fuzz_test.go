package configs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParse: an error means no job and problems within the file; a job has steps with
// names and verbs; and the same file gives the same.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/jobs/*/*.toml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 60 {
			f.Fatal(files, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		job, err := Parse("job.toml", data)
		again, err2 := Parse("job.toml", data)
		if d := cmp.Diff(job, again); d != "" {
			t.Fatalf("two jobs of one file: %s", d)
		}
		if err == nil {
			if job.Name == "" || len(job.Steps) == 0 {
				t.Fatalf("an empty job: %+v", job)
			}
			for _, s := range job.Steps {
				if s.Name == "" || s.Verb == "" || s.Base != s.Name || s.Object.Zero() == (len(s.Argv) == 0) {
					t.Fatalf("an empty step: %+v", s)
				}
			}
			return
		}
		if job != nil {
			t.Fatal("an error and a job")
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("%T", err)
		}
		if err2 == nil || err2.Error() != err.Error() {
			t.Fatalf("two texts of one file:\n%v\n%v", err, err2)
		}
		lines := 1 + bytes.Count(data, []byte("\n"))
		for _, p := range problems {
			if p.File != "job.toml" || p.What == "" || p.Line < 0 || p.Line > lines || p.Column < 0 {
				t.Fatalf("%+v in a file of %d lines", p, lines)
			}
		}
	})
}
