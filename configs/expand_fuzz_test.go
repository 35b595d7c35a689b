package configs

import (
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzExpand takes whatever the parser takes: never a panic, and a job or an error.
func FuzzExpand(f *testing.F) {
	for _, name := range []string{"nightly.toml", "export.toml", "windows.toml", "inline-connection.toml", "landing-zone.toml"} {
		data, err := os.ReadFile("examples/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "Actual")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		job, err := Parse("/jobs/job.toml", []byte(text))
		if err != nil {
			return
		}
		job.Calendar = "" // a file of this machine
		given := map[string]string{}
		for _, p := range job.Params {
			given[p.Name] = value
		}
		params, err := job.ParamValues(given)
		if err != nil {
			return
		}
		got, err := job.Expand(Values{Params: params, Date: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), RunID: value,
			Env: func(name string) (string, bool) { return value, value != "" }})
		if (err == nil) != (got != nil) {
			t.Fatalf("%v with %v", got, err)
		}
		if got == nil {
			return
		}
		names := map[string]bool{}
		for _, s := range got.Steps {
			if s.ForEach != nil || names[s.Name] {
				t.Fatalf("step %q: %v", s.Name, s.ForEach)
			}
			names[s.Name] = true
			whole := func(path string) bool { return strings.HasPrefix(path, "/") || scheme.MatchString(path) }
			if src := s.Source; src != nil && !src.Server {
				if !whole(src.Path) || !whole(src.WaitFor.Path+"/") || src.After.OK != "" && !whole(Moved(src.After.OK, src.Path)) {
					t.Fatalf("step %q reads %+v", s.Name, *src)
				}
			}
			for _, target := range s.Targets {
				if !whole(target.Path) || target.Done != "" && !whole(target.Done) || target.Path == target.Done {
					t.Fatalf("step %q writes %+v", s.Name, target)
				}
			}
		}
	})
}
