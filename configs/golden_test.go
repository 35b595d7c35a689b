package configs

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// TestWrongJobFiles compares what a user sees of each wrong job file.
func TestWrongJobFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/jobs/wrong/*.toml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			job, err := Parse(filepath.Base(file), data)
			if err == nil || job != nil {
				t.Fatalf("no problem: %+v", job)
			}
			problems, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("the error is a %T", err)
			}
			for _, p := range problems {
				if p.What == "" || p.File != filepath.Base(file) {
					t.Errorf("incomplete: %+v", p)
				}
			}
			golden(t, strings.TrimSuffix(file, ".toml")+".want", err.Error()+"\n")
		})
	}
	wants, _ := filepath.Glob("testdata/jobs/wrong/*.want")
	if len(wants) != len(files) {
		t.Errorf("%d .want for %d .toml", len(wants), len(files))
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update and read what it wrote", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
