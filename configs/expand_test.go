package configs

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func testValues(params map[string]string) Values {
	env := map[string]string{"DATA": "/data/in", "EMPTY": ""}
	return Values{Params: params, RunID: "scheduled/26", Date: time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC),
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
}

func testJob() *Job {
	return &Job{
		File: "job.toml", Dir: "/jobs", Name: "nightly", Connection: "${params.env}",
		Model: Ref{Name: "Hub ${params.env}"},
		Params: []Param{
			{Name: "env", Default: "prod", HasValue: true, Choices: []string{"prod", "test"}},
			{Name: "period", Default: "${run.date-1m:%b %y}", HasValue: true, Pattern: `[A-Z][a-z]{2} \d\d`},
			{Name: "file", Default: "sales", HasValue: true},
			{Name: "note"},
		},
		OnEnd:     &OnEnd{Command: []string{"notify", "${run.id}"}},
		Positions: Positions{"name": {1, 1}, "connection": {2, 1}, "params.period": {3, 1}, "params.period.default": {4, 1}},
		Steps: []Step{
			{Index: 0, Name: "load", Base: "load", Verb: Import, Object: Ref{Name: "Load Sales"}, Enabled: true,
				Source:    &Source{Path: "data/${params.file}_${run.date:%Y%m%d}.csv"},
				Prompts:   []Prompt{{"Version", "${params.period}"}},
				Positions: Positions{"name": {10, 1}, "import": {11, 1}, "source": {12, 1}, "prompts.Version": {13, 1}}},
			{Index: 1, Name: "spokes", Base: "spokes", Verb: Process, Object: Ref{Name: "Pull"}, Model: Ref{Name: "FP&A ${each.region}"},
				ForEach:   []EachAxis{{"region", []string{"EMEA", "AMER"}}, {"month", []string{"Jan", "Feb"}}},
				Files:     []StepFile{{File: Ref{Name: "rates.csv"}, Source: Source{Path: "${env.DATA}/${each.region}/${each.month}.csv"}}},
				Actions:   []StepAction{{Action: Ref{Name: "Load Rates"}, Prompts: []Prompt{{"Time", "${each.month} 26"}}}},
				Positions: Positions{"name": {20, 1}, `files."rates.csv".source`: {22, 1}}},
			{Index: 2, Name: "out", Base: "out", Verb: Export, Object: Ref{Name: "$${literal}"}, Targets: []Target{{Path: "out/../a.csv"}, {Path: "-"}},
				Positions: Positions{"name": {30, 1}}},
			{Index: 3, Name: "server", Base: "server", Verb: Import, Object: Ref{Name: "X"}, Source: &Source{Server: true, Path: "server"}},
		},
	}
}

func TestExpand(t *testing.T) {
	job := testJob()
	before := fmt.Sprintf("%+v", job)
	steps := fmt.Sprintf("%+v %+v", *job.Steps[0].Source, *job.OnEnd)
	got, err := job.Expand(testValues(map[string]string{"env": "test"}))
	if err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%+v", job); after != before || fmt.Sprintf("%+v %+v", *job.Steps[0].Source, *job.OnEnd) != steps {
		t.Errorf("the job itself was changed:\n%s", cmp.Diff(before, after))
	}
	if got.Connection != "test" || got.Model.Name != "Hub test" || got.OnEnd.Command[1] != "scheduled/26" {
		t.Errorf("got %q, %q, %q", got.Connection, got.Model.Name, got.OnEnd.Command)
	}
	var lines []string
	for _, s := range got.Steps {
		line := fmt.Sprintf("%d %s %s %s|%s", s.Index, s.Name, s.Base, s.Object.Name, s.Model.Name)
		if s.Source != nil {
			line += " " + s.Source.Path
		}
		for _, x := range s.Targets {
			line += " " + x.Path
		}
		for _, x := range s.Files {
			line += " " + x.Source.Path
		}
		for _, x := range s.Prompts {
			line += " " + x.Item
		}
		for _, x := range s.Actions {
			line += " " + x.Prompts[0].Item
		}
		if s.ForEach != nil {
			line += " for_each left"
		}
		lines = append(lines, line)
	}
	want := []string{
		"0 load load Load Sales| /jobs/data/sales_20261125.csv Oct 26",
		"1 spokes[EMEA,Jan] spokes Pull|FP&A EMEA /data/in/EMEA/Jan.csv Jan 26",
		"1 spokes[EMEA,Feb] spokes Pull|FP&A EMEA /data/in/EMEA/Feb.csv Feb 26",
		"1 spokes[AMER,Jan] spokes Pull|FP&A AMER /data/in/AMER/Jan.csv Jan 26",
		"1 spokes[AMER,Feb] spokes Pull|FP&A AMER /data/in/AMER/Feb.csv Feb 26",
		"2 out out ${literal}| /jobs/a.csv -",
		"3 server server X| server",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"region": "AMER", "month": "Feb"}, got.Steps[4].Each); diff != "" {
		t.Error(diff)
	}
}

func TestExpandTellsIDsFromNames(t *testing.T) {
	job := testJob()
	job.Workspace.Name, job.Steps[0].Object.Name, job.Steps[0].Model.Name = "${params.file}", "${params.note}", "${params.env}"
	got, err := job.Expand(testValues(map[string]string{"file": "0123456789abcdef0123456789abcdef", "note": "112000000001", "env": "prod"}))
	if err != nil {
		t.Fatal(err)
	}
	s := got.Steps[0]
	if got.Workspace != (Ref{ID: "0123456789abcdef0123456789abcdef"}) || s.Object != (Ref{ID: "112000000001"}) || s.Model != (Ref{Name: "prod"}) {
		t.Errorf("workspace %+v, import %+v, model %+v", got.Workspace, s.Object, s.Model)
	}
}

func TestExpandLeavesSecretReferences(t *testing.T) {
	job := &Job{File: "job.toml", Dir: "/jobs", Inline: &Connection{Region: "us1", Certificates: []string{"${env.DATA}/c.pem"}, PrivateKeys: []string{"keys/${run.date}.pem"}, Passphrase: "env:P"}}
	got, err := job.Expand(testValues(nil))
	if err != nil {
		t.Fatal(err)
	}
	c, err := got.ConnectionFor(Step{}, nil)
	if err != nil || c.Certificates.First() != "/data/in/c.pem" || c.PrivateKeys.First() != "/jobs/keys/2026-11-25.pem" || c.Passphrase != "env:P" {
		t.Errorf("%+v, %v", c, err)
	}
	job.Inline.PrivateKeys = []string{"file:${env.DATA}/k.pem"}
	want := "job.toml: auth.private_key: a reference to a secret holds no ${…}; write it as it is, or the path of the file"
	if p := job.checkValues(); p.Error() != want {
		t.Errorf("%v", p)
	}
}

func TestExpandSaysEverythingAtOnce(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Job)
		params map[string]string
		want   string
	}{
		{"environment", func(j *Job) { j.Steps[0].Source.Path = "${env.NO}/x" }, nil,
			"job.toml:12: step \"load\": source: ${env.NO}: the environment has no variable NO; set it where the runner is started"},
		{"once for all unfoldings", func(j *Job) { j.Steps[1].Files[0].Source.Path = "${env.NO}/x" }, nil,
			"job.toml:22: step \"spokes\": files.\"rates.csv\".source: ${env.NO}: the environment has no variable NO; set it where the runner is started"},
		{"unknown names", func(j *Job) { j.Connection = "${params.evn}"; j.Steps[0].Object.Name = "${each.region}" }, nil,
			"job.toml:2: connection: ${params.evn}: the job has no parameter \"evn\"; did you mean env?\n" +
				"job.toml:11: step \"load\": import: ${each.region}: no for_each here has the key \"region\"; add for_each = { region = [...] } to the step"},
		{"not given", func(j *Job) { j.Steps[0].Prompts[0].Item = "${params.note}" }, nil,
			"--param note: is used, has no default, and was not given; add --param note=… or a default in the job file"},
		{"a param climbs", nil, map[string]string{"file": "../secret"},
			`--param file: "../secret" holds / or \ or .., and goes into a path (step "load": source); give a plain name`},
		{"a param with a backslash", nil, map[string]string{"file": `a\b`},
			`--param file: "a\\b" holds / or \ or .., and goes into a path (step "load": source); give a plain name`},
		{"a param with two dots", nil, map[string]string{"file": "a..b"},
			`--param file: "a..b" holds / or \ or .., and goes into a path (step "load": source); give a plain name`},
		{"a default climbs", func(j *Job) { j.Params[2].Default = "a/b" }, nil,
			`job.toml:12: step "load": source: the default "a/b" of params.file holds / or \ or .., and goes into a path; give it a plain name, and write folders where the path is`},
		{"two dots from two params", func(j *Job) { j.Steps[0].Source.Path = "a/${params.file}${params.file}/b" }, map[string]string{"file": "."},
			`job.toml:12: step "load": source: a/${params.file}${params.file}/b becomes the path a/../b, which leaves its folder; use values without dots and colons`},
		{"a drive", func(j *Job) { j.Steps[0].Source.Path = "${params.file}b" }, map[string]string{"file": "C:"},
			`job.toml:12: step "load": source: ${params.file}b becomes the path C:b, which leaves its folder; use values without dots and colons`},
		{"a run id with folders", func(j *Job) { j.Steps[2].Targets[0].Path = "${run.id}.csv" }, nil,
			`job.toml:30: step "out": target: the run id "scheduled/26" holds / or \ or .., and goes into a path; use ${run.date} here, or another run id`},
		{"home", func(j *Job) { j.Steps[2].Targets[0].Path = "~/x.csv" }, nil,
			`job.toml:30: step "out": target: ~/x.csv: ~ is not replaced by the home folder; write ${env.HOME}/x.csv, or ./~/x.csv for a folder of that name`},
		{"a URL", func(j *Job) { j.Steps[0].Source.Path = "sftp://host/x" }, nil,
			`job.toml:12: step "load": source: sftp://host/x: sftp:// is not available yet; fetch the file before the job, and write its path here`},
		{"empty", func(j *Job) { j.Steps[0].Source.Path = "${env.EMPTY}" }, nil,
			`job.toml:12: step "load": source: ${env.EMPTY} is empty here; give it a value`},
		{"a default outside its pattern", func(j *Job) { j.Params[1].Default = "${run.date}" }, nil,
			`job.toml:4: params.period.default: "2026-11-25" does not match [A-Z][a-z]{2} \d\d; give a value that matches as a whole`},
		{"a required one", func(j *Job) { j.Params[3].Required = true; j.Params[3].Help = "why" }, nil,
			"--param note: is required (why); add --param note=…"},
		{"names twice", func(j *Job) {
			j.Steps[1].ForEach = []EachAxis{{"region", []string{"A", "A"}}, {"month", []string{"Jan"}}}
		}, nil,
			`job.toml:20: step "spokes": name: the name "spokes[A,Jan]" is given twice, also in line 20; step names are unique in a job`},
		{"no values", func(j *Job) { j.Steps[1].ForEach[1].Values = nil }, nil,
			`job.toml:20: step "spokes": for_each.month: has no values, so there would be no step; give it at least one, or set enabled = false`},
		{"too many", func(j *Job) {
			many := make([]string, 100)
			for i := range many {
				many[i] = fmt.Sprint(i)
			}
			j.Steps[1].ForEach = []EachAxis{{"region", many}, {"month", many}, {"x", many}}
		}, nil, `job.toml:20: step "spokes": for_each: gives more than 1000 steps; write fewer values`},
		{"the year 10000", func(j *Job) { j.Steps[0].Prompts[0].Item = "${run.date+99999m}" }, nil,
			`job.toml:13: step "load": prompts.Version: ${run.date+99999m} is in the year 10360; use a smaller shift`},
		{"an id of another kind", func(j *Job) { j.Steps[0].Object.Name = "${params.file}" }, map[string]string{"file": "118000000001"},
			`job.toml:11: step "load": import: 118000000001 is not the id of an import: these begin with 112; write process = "118000000001"`},
		{"an id in another case", func(j *Job) { j.Model.Name = "${params.file}" }, map[string]string{"file": "abcdef0123456789abcdef0123456789"},
			`job.toml:1: anaplan.model: the letters in the id of a model have another case; write "ABCDEF0123456789ABCDEF0123456789"`},
		{"a locale", func(j *Job) { j.Steps[0].Locale = "${params.file}" }, map[string]string{"file": "german"},
			`job.toml:10: step "load": locale: "german" is not a locale; write a language and a country, as in "en_US"`},
		{"a certificate's folder", func(j *Job) {
			j.Connection, j.Inline = "", &Connection{Certificates: []string{"certs/${params.file}.pem"}}
		}, map[string]string{"file": "../x"},
			`--param file: "../x" holds / or \ or .., and goes into a path (auth.certificate); give a plain name` + "\n" +
				`--param file: "../x" holds / or \ or .., and goes into a path (step "load": source); give a plain name`},
		{"both kinds", func(j *Job) { j.Steps[0].Source.Path = "${env.NO}/${params.file}" }, map[string]string{"file": "a/b"},
			"job.toml:12: step \"load\": source: ${env.NO}: the environment has no variable NO; set it where the runner is started\n" +
				`--param file: "a/b" holds / or \ or .., and goes into a path (step "load": source); give a plain name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := testJob()
			if tt.change != nil {
				tt.change(job)
			}
			got, err := job.Expand(testValues(tt.params))
			if err == nil || got != nil {
				t.Fatalf("got %v, %v", got, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
			if _, isParam := errors.AsType[*ParamError](err); isParam != strings.Contains(tt.want, "--param") {
				t.Errorf("a *ParamError: %v", isParam)
			}
			if _, isProblem := errors.AsType[Problems](err); isProblem != strings.Contains(tt.want, "job.toml") {
				t.Errorf("Problems: %v", isProblem)
			}
		})
	}
}

func TestCheckValuesOfJob(t *testing.T) {
	if p := testJob().checkValues(); len(p) > 0 {
		t.Errorf("a right job: %v", p)
	}
	j := testJob()
	j.Name = "n ${run.id}"
	j.Params[0].Default = "dev"
	j.Params[1].Default = "${params.env}"
	j.Connection = "${params.envv}"
	j.Steps[0].Needs = []string{"${params.env}"}
	j.Steps[1].ForEach[0].Values[0] = "${params.env}"
	j.Steps[1].Model.Name = "${each.regio}"
	j.Steps[1].Files[0].File.Name = "${run.date}.csv"
	j.Steps[2].Targets[0].Path = "${run.date:%Z}"
	want := `job.toml:1: name: ${…} is not replaced in a name; write the name as it is
job.toml:1: params.env.default: "dev" is not allowed; one of prod, test
job.toml:2: connection: ${params.envv}: the job has no parameter "envv"; did you mean env?
job.toml:4: params.period.default: ${params.env} cannot stand in the default of a parameter; use run.date, run.id or env.NAME
job.toml:10: step "load": needs: ${…} is not replaced in a name; write the name as it is
job.toml:20: step "spokes": files."${run.date}.csv": ${…} is not replaced in a name; write the name as it is
job.toml:20: step "spokes": for_each.region: ${…} is not replaced in a name; write the name as it is
job.toml:20: step "spokes": model: ${each.regio}: no for_each here has the key "regio"; did you mean region?
job.toml:30: step "out": target: ${run.date:%Z}: %Z is no letter of a date's format; there are %Y %y %m %d %e %b %B %a %A %j %H %M %S and %%`
	if diff := cmp.Diff(want, j.checkValues().sorted().Error()); diff != "" {
		t.Error(diff)
	}
}

func TestParamValues(t *testing.T) {
	job := &Job{Params: []Param{
		{Name: "version", Default: "Actual", HasValue: true, Choices: []string{"Actual", "Forecast"}},
		{Name: "period", Required: true, Pattern: `[A-Z][a-z]{2} \d\d|all`, Help: "the month: Oct 26"},
		{Name: "day", Default: "${run.date}", HasValue: true},
		{Name: "note"},
	}}
	tests := []struct {
		given map[string]string
		want  map[string]string
		err   string
	}{
		{map[string]string{"period": "Oct 26"}, map[string]string{"version": "Actual", "period": "Oct 26"}, ""},
		{map[string]string{"period": "all", "note": "", "day": "${x}"}, map[string]string{"version": "Actual", "period": "all", "note": "", "day": "${x}"}, ""},
		{nil, nil, `--param period: is required (the month: Oct 26); add --param period=… (matching [A-Z][a-z]{2} \d\d|all)`},
		{map[string]string{"period": "xOct 26"}, nil, `--param period: "xOct 26" does not match [A-Z][a-z]{2} \d\d|all (the month: Oct 26); give a value that matches as a whole`},
		{map[string]string{"period": "allx"}, nil, `--param period: "allx" does not match [A-Z][a-z]{2} \d\d|all (the month: Oct 26); give a value that matches as a whole`},
		{map[string]string{"period": "all\n"}, nil, `--param period: "all\n" does not match [A-Z][a-z]{2} \d\d|all (the month: Oct 26); give a value that matches as a whole`},
		{map[string]string{"period": "all", "version": "actual"}, nil, `--param version: "actual" is not allowed; did you mean Actual?`},
		{map[string]string{"perido": "all", "version": "Budget", "z": ""}, nil, "--param version: \"Budget\" is not allowed; one of Actual, Forecast\n" +
			"--param period: is required (the month: Oct 26); add --param period=… (matching [A-Z][a-z]{2} \\d\\d|all)\n" +
			"--param perido: the job has no such parameter; did you mean period?\n" +
			"--param z: the job has no such parameter; there is day, note, period, version"},
	}
	for _, tt := range tests {
		got, err := job.ParamValues(tt.given)
		text := ""
		if err != nil {
			text = err.Error()
			if _, ok := errors.AsType[*ParamError](err); !ok {
				t.Errorf("%v: %T", tt.given, err)
			}
		}
		if diff := cmp.Diff(tt.err, text); diff != "" {
			t.Errorf("%v\n%s", tt.given, diff)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v\n%s", tt.given, diff)
		}
	}
}

// TestParamsStayInTheirFolder holds for any values: a path with parameters in it stays
// below the folder that the file writes before them.
func TestParamsStayInTheirFolder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.SampledFrom([]rune(`./\.C:ab ` + "\x00")))
		job := &Job{Dir: "/jobs", Params: []Param{{Name: "a"}, {Name: "b"}},
			Steps: []Step{{Name: "x", Base: "x", Source: &Source{Path: rapid.SampledFrom([]string{"in/${params.a}${params.b}", "in/${params.a}/x${params.b}", "in/${params.a}.${params.b}/y", `in/a${params.a}\${params.b}`}).Draw(t, "path")}}}}
		got, err := job.Expand(Values{Params: map[string]string{"a": value.Draw(t, "a"), "b": value.Draw(t, "b")}})
		if err != nil {
			return
		}
		if p := got.Steps[0].Source.Path; !strings.HasPrefix(p, "/jobs/in/") && p != "/jobs/in" || filepath.Clean(p) != p || strings.Contains(p, "/../") {
			t.Fatalf("the path is %q", p)
		}
	})
}

// TestUnfoldInOrder holds for any for_each: each combination once, the first axis slowest.
func TestUnfoldInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z]{1,3}`)
		var axes []EachAxis
		for i := range rapid.IntRange(1, 3).Draw(t, "axes") {
			axes = append(axes, EachAxis{fmt.Sprintf("k%d", i), rapid.SliceOfNDistinct(word, 1, 4, rapid.ID[string]).Draw(t, "values")})
		}
		want := []string{""}
		for _, a := range axes {
			var next []string
			for _, w := range want {
				for _, v := range a.Values {
					next = append(next, strings.TrimPrefix(w+","+v, ","))
				}
			}
			want = next
		}
		got, err := (&Job{Steps: []Step{{Name: "s", Base: "s", ForEach: axes}}}).Expand(Values{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(want, got.Steps, func(w string, s Step) bool { return s.Name == "s["+w+"]" && len(s.Each) == len(axes) && s.Base == "s" }) {
			t.Fatalf("%v gave %v", axes, got.Steps)
		}
	})
}

// TestTextWithoutDollarIsKept holds for any string in any place.
func TestTextWithoutDollarIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := strings.ReplaceAll(rapid.String().Draw(t, "s"), "$", "")
		got, err := (&Job{Connection: s}).Expand(Values{})
		if err != nil || got.Connection != s {
			t.Fatalf("%q became %v, %v", s, got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"source", "target", "process", "on_failure"}
	for s, want := range map[string]string{"sorce": "source", "Source": "source", "on-failure": "on_failure", "traget": "target", "x": "", "": "", "model": "", "procss": "process"} {
		if got := Nearest(s, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", s, got, want)
		}
	}
}

func TestNear(t *testing.T) {
	p := Positions{"name": {1, 1}, "files": {2, 1}, `files."a.b"`: {3, 1}, "prompts.V": {4, 1}}
	for key, want := range map[string]int{`files."a.b".source`: 3, `files."a.c".source`: 2, `files."a.\"b".source`: 2, "prompts.V": 4, "prompts.W": 1, "x": 1, "": 1} {
		if got := p.Near(key).Line; got != want {
			t.Errorf("near %s is line %d, want %d", key, got, want)
		}
	}
}
