package configs

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exampleJobs are the names of the job files among the examples.
func exampleJobs(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(Examples(), "*.toml")
	if err != nil || len(names) < 8 {
		t.Fatalf("%v, %v", names, err)
	}
	var jobs []string
	for _, n := range names {
		if n != "connections.toml" {
			jobs = append(jobs, n)
		}
	}
	return jobs
}

func exampleText(t *testing.T, name string) []byte {
	t.Helper()
	data, err := fs.ReadFile(Examples(), name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestExamplesAreRight holds every example to what it is for: it parses without a
// warning, takes its values, and finds its login.
func TestExamplesAreRight(t *testing.T) {
	connections, problems := parseConnections("connections.toml", "/jobs", exampleText(t, "connections.toml"))
	if problems != nil {
		t.Fatal(problems)
	}
	for _, name := range connections.Names() {
		if _, err := connections.Get(name); err != nil {
			t.Errorf("connection %s: %v", name, err)
		}
	}
	env := func(name string) (string, bool) { return `C:\out`, name == "ANAPLAN_OUT" }
	for _, name := range exampleJobs(t) {
		job, err := Parse("/jobs/"+name, exampleText(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(job.Warnings) > 0 {
			t.Errorf("%s: %v", name, job.Warnings)
		}
		params, err := job.ParamValues(nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if job.Calendar != "" {
			file := filepath.Join(t.TempDir(), job.Calendar)
			if err := os.WriteFile(file, exampleText(t, job.Calendar), 0o600); err != nil {
				t.Fatal(err)
			}
			job.Calendar = file
		}
		expanded, err := job.Expand(Values{Params: params, Env: env, RunID: "r1", Date: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, s := range expanded.Steps {
			if _, err := expanded.ConnectionFor(s, connections); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, target := range s.Targets {
				if name != "windows.toml" && !strings.HasPrefix(target.Path, "s3://") && !strings.HasPrefix(filepath.ToSlash(target.Path), "/jobs/out/forecast") {
					t.Errorf("%s: %s writes to %s", name, s.Name, target.Path)
				}
			}
		}
	}
}

// TestExamplesFitATerminal keeps lines short enough to read in a terminal.
func TestExamplesFitATerminal(t *testing.T) {
	for _, name := range append(exampleJobs(t), "connections.toml", "holidays.txt") {
		for i, line := range strings.Split(string(exampleText(t, name)), "\n") {
			if len(line) > 120 || strings.TrimRight(line, " \t\r") != line {
				t.Errorf("%s:%d: %q", name, i+1, line)
			}
		}
	}
}
