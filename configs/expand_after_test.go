package configs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSourcesAreMovedOnce has jobs in which steps do, and do not, contradict each other in
// what becomes of a source. Each step's keys begin in line 10, 20, 30.
func TestSourcesAreMovedOnce(t *testing.T) {
	const done = "import = 'I'\nsource = { path = 'in/a.csv', after = { ok = 'move:done/' } }"
	const plain = "import = 'I'\nsource = 'in/a.csv'"
	const marked = "import = 'J'\nsource = { path = 'in/b.csv', wait_for = { path = 'in/a.csv', limit = '1h' } }"
	twice := func(step, line string) string {
		return "step \"" + step + "\" moves the files of this source elsewhere, in line " + line + ", and they are moved once, when every step that reads them has ended; write the same in both, or leave one of the two"
	}
	gone := func(step, line string) string {
		return `source.wait_for: waits for a file that is gone: step "` + step + `", which comes before, moves it in line ` + line + "; name another marker, or take one of the two out"
	}
	for _, tt := range []struct {
		about string
		steps []string
		want  string
	}{
		{"to two places", []string{done, "import = 'I'\nsource = { path = './in/a.csv', after = { ok = 'move:${params.x}/' } }"},
			`job.toml:22: step "b": source.after: ` + twice("a", "12")},
		{"one of them only when it is not ok", []string{done, plain, "upload = 'a.csv'\nsource = { path = 'in/a.csv', after = { else = 'move:bad/' } }"},
			`job.toml:32: step "c": source.after: ` + twice("a", "12")},
		{"both at fault", []string{plain, done, "import = 'I'\nsource = { path = 'in/a.csv', after = { ok = 'move:x/' } }", "import = 'I'\nsource = { path = 'in/a.csv', after = { ok = 'move:y/' } }"},
			`job.toml:32: step "c": source.after: ` + twice("b", "22") + "\n" + `job.toml:42: step "d": source.after: ` + twice("b", "22")},
		{"in a process", []string{done, "process = 'P'\nfiles.f = { source = { path = 'in/a.csv', after = { ok = 'move:x/' } } }"},
			`job.toml:22: step "b": files.f.source.after: ` + twice("a", "12")},
		{"of one step", []string{"import = 'I'\nsource = { path = 'in/a.csv', after = { ok = 'move:${each.r}/' } }\nfor_each = { r = ['x', 'y'] }"},
			`job.toml:12: step "a": source.after: ` + twice("a[x]", "12")},
		{"of one URL", []string{"import = 'I'\nsource = { path = 's3://b/in/a.csv', after = { ok = 'move:done/' } }", "import = 'I'\nsource = { path = 's3://b/in/a.csv', after = { ok = 'move:/done/' } }"},
			`job.toml:22: step "b": source.after: ` + twice("a", "12")},
		{"a marker that is gone", []string{done, marked}, `job.toml:22: step "b": ` + gone("a", "12")},

		{"the same twice", []string{done, "import = 'I'\nsource = { path = 'in/a.csv', after = { ok = 'move:./done/' } }"}, ""},
		{"one for all", []string{plain, done, plain}, ""},
		{"of two members", []string{"import = 'I'\nsource = { path = 'a.zip', member = 'x', after = { ok = 'move:done/' } }",
			"import = 'I'\nsource = { path = 'a.zip', member = 'y', after = { ok = 'move:done/' } }"}, ""},
		{"one is not done", []string{done, "import = 'I'\nsource = { path = 'in/a.csv', after = { ok = 'move:x/' } }\nenabled = false"}, ""},
		{"two sources", []string{done, "import = 'I'\nsource = { path = 'in/b.csv', after = { ok = 'move:x/' } }"}, ""},
		{"a marker that stays until then", []string{marked, done}, ""},
		{"a marker that another step keeps there", []string{done, marked, plain}, ""},
		{"a marker that is there when its step begins", []string{done, marked + "\nneeds = []"}, ""},
		{"a marker that is moved only when it is not ok", []string{"import = 'I'\nsource = { path = 'in/a.csv', after = { else = 'move:bad/' } }", marked}, ""},
		{"a marker that is looked for only when it is not ok", []string{done, marked + "\nwhen = 'failed'"}, ""},
		{"a marker that is the source", []string{done, "import = 'J'\nsource = { path = 'in/a.csv', wait_for = { path = 'in/a.csv', limit = '1h' } }"}, ""},
	} {
		text := jobHead + "[params]\nx = 'x'\n"
		for i, step := range tt.steps {
			text += "[[step]]\nname = '" + string(rune('a'+i)) + "'\n" + step + "\n"
		}
		job, err := Parse("job.toml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", tt.about, err)
			continue
		}
		job.Dir = "/jobs"
		for i, s := range job.Steps { // wherever they stand
			name := s.Positions["name"].Line
			for key, p := range s.Positions {
				s.Positions[key] = Position{10*(i+1) + p.Line - name, p.Column}
			}
		}
		got := ""
		if _, err := job.Expand(Values{}); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.about, diff)
		}
	}
}
