package configs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// filesJob is a job with a step of each kind, whose new texts hold values.
const filesJob = `name = "j"
connection = "c"
[anaplan]
workspace = "W"
model = "M"
[params]
x = "x"
bucket = "landing"
encoding = "UTF-16LE"
[[step]]
name = "load"
import = "I"
for_each = { r = ["EMEA", "AMER"] }
source = { path = "in/${each.r}_*.zip", pick = "newest", member = "${params.x}.csv", encoding = "${params.encoding}", wait_for = { path = "in/${each.r}.ready", limit = "1h" }, after = { ok = "move:done/${run.date}/", else = "move:/bad/${each.r}/" } }
guard = { header = ["${each.r}"], columns = ["${params.x}"], control = { path = "in/${each.r}.ctl", rows = "${params.x}", sums = { Amount = "sum ${each.r}" } }, command = { run = ["check", "${each.r}"] } }
[[step]]
name = "bucket"
import = "I"
source = { path = "s3://${params.bucket}/in/a.csv?region=eu", after = { ok = "move:done/${run.date}/", else = "move:/bad/" } }
guard = { control = "https://example.com/${params.x}.ctl" }
[[step]]
name = "root"
import = "I"
source = { path = "gs://b/a.csv", after = { ok = "move:gs://b/done/", else = "move:../bad/" } }
[[step]]
name = "outputs"
process = "P"
[step.files.E]
target = [{ path = "out/${params.x}.csv", keep = 2, done_marker = "out/${params.x}.done" }, "gs://b/${params.x}.csv"]
guard = { columns = ["${params.x}"], command = ["check", "${params.x}"] }
[step.files.f]
source = { path = "in/${params.x}.csv", wait_for = { path = "in/ready", limit = "1h" } }
guard = { control = "in/${params.x}.ctl" }
[[step]]
name = "command"
command = ["make", "${run.date}", "${params.x}"]
for_each = { r = ["EMEA"] }
`

func TestExpandFiles(t *testing.T) {
	job, err := Parse("/jobs/job.toml", []byte(filesJob))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(job)
	got, err := job.Expand(Values{Params: map[string]string{"x": "y z"}, RunID: "r", Date: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(job); string(after) != string(before) {
		t.Errorf("the job itself was changed:\n%s", cmp.Diff(string(before), string(after)))
	}
	first := got.Steps[0]
	want := &Source{Path: "/jobs/in/EMEA_*.zip", Pick: PickNewest, Member: "y z.csv", Encoding: "utf-16le", WaitFor: WaitFor{"/jobs/in/EMEA.ready", time.Hour},
		After: After{"/jobs/done/2026-11-25", "/bad/EMEA"}}
	if diff := cmp.Diff(want, first.Source); diff != "" {
		t.Error(diff)
	}
	guard := Guard{Names: []string{"EMEA"}, Columns: []string{"y z"}, Control: &Control{"/jobs/in/EMEA.ctl", "y z", map[string]string{"Amount": "sum EMEA"}},
		Command: &GuardCommand{[]string{"check", "EMEA"}, 10 * time.Minute}}
	if diff := cmp.Diff(guard, first.Guard); diff != "" {
		t.Error(diff)
	}
	if second := got.Steps[1]; second.Guard.Control.Sums["Amount"] != "sum AMER" || second.Guard.Names[0] != "AMER" || second.Guard.Command.Argv[1] != "AMER" {
		t.Errorf("unfoldings share their texts: %+v", second.Guard)
	}
	bucket := got.Steps[2]
	if diff := cmp.Diff(After{"s3://landing/in/done/2026-11-25/?region=eu", "s3://landing/bad/?region=eu"}, bucket.Source.After); diff != "" {
		t.Error(diff)
	}
	if bucket.Source.Path != "s3://landing/in/a.csv?region=eu" || bucket.Guard.Control.Path != "https://example.com/y z.ctl" {
		t.Errorf("%+v, %+v", bucket.Source, bucket.Guard.Control)
	}
	if diff := cmp.Diff(After{"gs://b/done/", "gs://b/bad/"}, got.Steps[3].Source.After); diff != "" {
		t.Error(diff)
	}
	files := []StepFile{
		{File: Ref{Name: "E"}, Targets: []Target{{"/jobs/out/y z.csv", 2, "/jobs/out/y z.done"}, {Path: "gs://b/y z.csv"}},
			Guard: Guard{Columns: []string{"y z"}, Command: &GuardCommand{[]string{"check", "y z"}, 10 * time.Minute}}},
		{File: Ref{Name: "f"}, Source: Source{Path: "/jobs/in/y z.csv", WaitFor: WaitFor{"/jobs/in/ready", time.Hour}}, Guard: Guard{Control: &Control{Path: "/jobs/in/y z.ctl"}}},
	}
	if diff := cmp.Diff(files, got.Steps[4].Files); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"make", "2026-11-25", "y z"}, got.Steps[5].Argv); diff != "" {
		t.Error(diff)
	}
}

// TestExpandFilesSaysWhatIsWrong with texts that were right only as long as they held a
// value.
func TestExpandFilesSaysWhatIsWrong(t *testing.T) {
	const source, target = "import = 'I'\nsource = ", "export = 'E'\ntarget = "
	for _, tt := range []struct{ step, x, want string }{
		{source + "'in/${params.x}'", "../a", `--param x: "../a" holds / or \ or .., and goes into a path (step "s": source); give a plain name`},
		{source + "'s3://b/${params.x}.csv'", "a/b", `--param x: "a/b" holds / or \ or .., and goes into a path (step "s": source); give a plain name`},
		{source + "'s3://b/${params.x}.csv'", "a?b", `--param x: "a?b" holds ? or # or % or @, and goes into a URL (step "s": source); give a plain name`},
		{source + "'https://${params.x}/a.csv'", "me@host", `--param x: "me@host" holds ? or # or % or @, and goes into a URL (step "s": source); give a plain name`},
		{source + "'https://host/%2e${params.x}'", "%2e", `--param x: "%2e" holds ? or # or % or @, and goes into a URL (step "s": source); give a plain name`},
		{source + "'${env.X}'", "ftp://host/a.csv", `job.toml:10: step "s": source: ftp://host/a.csv: ftp:// is no place that is known; there are paths, https://, s3://, gs:// and azblob://`},
		{source + "'${env.X}'", "https://me:pw@host/a.csv?sig=pw", `job.toml:10: step "s": source: https://host/a.csv: a user or a password stands in the URL; take it out: the machine's own login is used`},
		{source + "'${env.X}'", "http://example.com/a.csv", `job.toml:10: step "s": source: http://example.com/a.csv: http:// is read in clear, by anybody on the way; write https://`},
		{source + "{ path = '${env.X}', pick = 'all' }", "in/a.csv", `job.toml:10: step "s": source.pick: chooses among the files of a pattern, and path is one file; write a pattern as in "in/sales_*.csv", or take pick out`},
		{source + "{ path = 'a.csv', encoding = '${params.x}' }", "latin1", `job.toml:10: step "s": source.encoding: there is no encoding "latin1"; write "iso-8859-1"`},
		{source + "{ path = '${env.X}', after = { ok = 'move:done/' } }", "https://host/a.csv", `job.toml:10: step "s": source.after.ok: https:// has no folders to move a file to; take it out`},
		{source + "{ path = 'in/a.csv', after = { ok = 'move:s3://b/done/' } }", "", `job.toml:10: step "s": source.after.ok: s3://b/done/ is another place than that of the source, /jobs/in/a.csv; name a folder of the same place; a file is not copied from one to another`},
		{source + "{ path = 's3://b/a.csv', after = { else = 'move:s3://c/done/' } }", "", `job.toml:10: step "s": source.after.else: s3://c/done/ is another place than that of the source, s3://b/a.csv; name a folder of the same place; a file is not copied from one to another`},
		{source + "{ path = 'in/a.csv', after = { ok = 'move:${params.x}/' } }", "in", `job.toml:10: step "s": source.after.ok: is the folder in which the source lies; name another one`},
		{source + "{ path = 's3://b/in/a.csv', after = { ok = 'move:../${params.x}/' } }", "in", `job.toml:10: step "s": source.after.ok: is the folder in which the source lies; name another one`},
		{source + "{ path = 'in/a.csv', after = { ok = 'move:${params.x}/' } }", "..", `--param x: ".." holds / or \ or .., and goes into a path (step "s": source.after.ok); give a plain name`},
		{source + "{ path = 'in/a.csv', wait_for = { path = '${params.x}', limit = '1h' } }", "a/b", `--param x: "a/b" holds / or \ or .., and goes into a path (step "s": source.wait_for); give a plain name`},
		{source + "'a.csv'\nguard = { control = '${params.x}' }", "a/b", `--param x: "a/b" holds / or \ or .., and goes into a path (step "s": guard.control); give a plain name`},
		{target + "'out/${env.X}'", "a*", `job.toml:10: step "s": target: out/a*: holds * or ?, and must be one file; write its name, if need be with ${run.date}`},
		{target + "'${env.X}'", "https://host/a.csv", `job.toml:10: step "s": target: https://host/a.csv: https:// can be read only; there are paths, s3://, gs:// and azblob://`},
		{target + "[{ path = '${env.X}', keep = 3 }]", "s3://b/a.csv", `job.toml:10: step "s": target.keep: previous ones are kept of files on this machine only; take it out, and let the store keep versions`},
		{target + "[{ path = 'out/a.csv', done_marker = 'out/${params.x}.csv' }]", "a", `job.toml:10: step "s": target.done_marker: is a target itself; give the marker a name of its own, as out/forecast.done`},
		{target + "['out/a.csv', './out/${params.x}.csv']", "a", `job.toml:10: step "s": target: has "/jobs/out/a.csv" twice; leave one of the two`},
		{target + "[{ path = 'out/a.csv', done_marker = 'out/${params.x}' }]", "a/b", `--param x: "a/b" holds / or \ or .., and goes into a path (step "s": target.done_marker); give a plain name`},
	} {
		job, err := Parse("job.toml", []byte(jobHead+"[params]\nx = '1'\n[[step]]\nname = 's'\n"+tt.step+"\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.step, err)
			continue
		}
		job.Dir = "/jobs"
		for i, p := range job.Steps[0].Positions { // the line of the verb's files, wherever it is written
			if p.Line > 9 {
				job.Steps[0].Positions[i] = Position{10, 1}
			}
		}
		got, err := job.Expand(Values{Params: map[string]string{"x": tt.x}, Env: func(string) (string, bool) { return tt.x, true }})
		if err == nil || got != nil {
			t.Errorf("%s with %q: no problem", tt.step, tt.x)
			continue
		}
		if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
			t.Errorf("%s with %q\n%s", tt.step, tt.x, diff)
		}
	}
}

func TestMoved(t *testing.T) {
	for _, tt := range []struct{ folder, name, want string }{
		{"/jobs/done", "/jobs/in/a.csv", filepath.Join("/jobs/done", "a.csv")},
		{"s3://b/done/", "s3://b/in/a.csv", "s3://b/done/a.csv"},
		{"s3://b/done/?region=eu", "s3://b/in/a.csv?region=eu", "s3://b/done/a.csv?region=eu"},
		{"s3://b/", "s3://b/a.csv", "s3://b/a.csv"},
	} {
		if got := Moved(tt.folder, tt.name); got != tt.want {
			t.Errorf("%s in %s is %s, want %s", tt.name, tt.folder, got, tt.want)
		}
	}
}

// TestURLsStayInTheirFolder holds for any value of a parameter: bucket, folder and query
// of a URL are those that the file writes.
func TestURLsStayInTheirFolder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.SampledFrom([]rune(`./\?#%@:2eFab&=`))).Draw(t, "value")
		job := &Job{Dir: "/jobs", Params: []Param{{Name: "x"}}, Steps: []Step{{Name: "s", Base: "s",
			Source: &Source{Path: "s3://bucket/in/${params.x}.csv?region=eu", After: After{OK: "done/${params.x}/"}}}}}
		got, err := job.Expand(Values{Params: map[string]string{"x": value}})
		if err != nil {
			return
		}
		src := got.Steps[0].Source
		if p, _ := addressOf(src.Path); p.host != "bucket" || p.query != "region=eu" || p.path != "/in/"+value+".csv" {
			t.Fatalf("%q gives %s", value, src.Path)
		}
		if p, _ := addressOf(src.After.OK); p.host != "bucket" || p.query != "region=eu" || !strings.HasPrefix(p.path, "/in/done/") {
			t.Fatalf("%q gives %s", value, src.After.OK)
		}
	})
}

// TestAgeAsJSON: an age is kept in a run's job; a length of time is a number, as before
// there were business days.
func TestAgeAsJSON(t *testing.T) {
	for text, age := range map[string]Age{"93600000000000": {Duration: 26 * time.Hour}, `{"Days":2}`: {Days: 2}} {
		data, err := json.Marshal(&age)
		if err != nil || string(data) != text {
			t.Errorf("%v is written %s, %v", age, data, err)
		}
		var got Age
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != age {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{`"26h"`, `[]`, `1.5`} {
		if err := json.Unmarshal([]byte(text), new(Age)); err == nil {
			t.Errorf("%s is an age", text)
		}
	}
	if got := fmt.Sprint(Age{Duration: time.Hour}, Age{Days: 1}, Age{Days: 2}); got != "1h0m0s 1 business day 2 business days" {
		t.Error(got)
	}
}
