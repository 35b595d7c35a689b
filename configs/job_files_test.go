package configs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestParseFileForms reads sources, targets, guards, transfers and commands in each form
// that they may be written in.
func TestParseFileForms(t *testing.T) {
	load := func(s *Step) { s.Verb, s.Object, s.Source = Import, Ref{Name: "I"}, &Source{Path: "a.csv"} }
	guarded := func(g Guard) func(*Step) {
		return func(s *Step) { load(s); s.Guard = g }
	}
	from := func(src Source) func(*Step) {
		return func(s *Step) { s.Verb, s.Object, s.Source = Import, Ref{Name: "I"}, &src }
	}
	to := func(targets ...Target) func(*Step) {
		return func(s *Step) { s.Verb, s.Object, s.Targets = Export, Ref{Name: "E"}, targets }
	}
	share := func(n float64) *float64 { return &n }
	const imported = "import = 'I'\nsource = 'a.csv'\n"
	for _, x := range []struct {
		step string
		want func(s *Step)
	}{
		{"import = 'I'\nsource = 'in/sales_*.csv.gz'", from(Source{Path: "in/sales_*.csv.gz"})},
		{"import = 'I'\nsource = 'https://example.com/a.csv?sheet=1'", from(Source{Path: "https://example.com/a.csv?sheet=1"})},
		{"import = 'I'\nsource = 'http://127.0.0.1:8080/a.csv'", from(Source{Path: "http://127.0.0.1:8080/a.csv"})},
		{"import = 'I'\nsource = { path = 's3://bucket/in/*.csv?region=eu-west-1', pick = 'newest' }", from(Source{Path: "s3://bucket/in/*.csv?region=eu-west-1", Pick: PickNewest})},
		{"import = 'I'\nsource = { path = 'in/[ab].zip', pick = 'all', member = 'x/y.csv', encoding = 'CP850' }", from(Source{Path: "in/[ab].zip", Pick: PickAll, Member: "x/y.csv", Encoding: "ibm850"})},
		{"import = 'I'\nsource = { path = '${env.IN}', pick = 'all', encoding = 'Auto' }", from(Source{Path: "${env.IN}", Pick: PickAll})},
		{"import = 'I'\nsource = { path = 'a.csv', encoding = 'Windows-1252', wait_for = '30m' }", from(Source{Path: "a.csv", Encoding: "windows-1252", WaitFor: WaitFor{Limit: 30 * time.Minute}})},
		{"import = 'I'\nsource = { path = 'a.csv', wait_for = { path = 'https://example.com/ready', limit = '2h' } }", from(Source{Path: "a.csv", WaitFor: WaitFor{"https://example.com/ready", 2 * time.Hour}})},
		{"import = 'I'\n[step.source]\npath = 'gs://b/a.csv'\nwait_for = { limit = '2h' }\nafter = { ok = 'move:done/${run.date}/', else = 'move:gs://b/bad/' }",
			from(Source{Path: "gs://b/a.csv", WaitFor: WaitFor{Limit: 2 * time.Hour}, After: After{"done/${run.date}/", "gs://b/bad/"}})},
		{"import = 'I'\nsource = { path = 'gs://b/in/?.csv', pick = 'all' }", from(Source{Path: "gs://b/in/?.csv", Pick: PickAll})},
		{"export = 'E'\ntarget = 'out/a.csv.zst'", to(Target{Path: "out/a.csv.zst"})},
		{"export = 'E'\ntarget = ['azblob://c/a.csv', { path = 'a.csv', keep = 3, done_marker = 's3://b/a.done' }]", to(Target{Path: "azblob://c/a.csv"}, Target{"a.csv", 3, "s3://b/a.done"})},
		{imported + "guard = { min_size = 0, max_age = '36h', header = ['SKU', 'SKU'], columns = 12 }",
			guarded(Guard{MinSize: ptr(int64(0)), MaxAge: &Age{Duration: 36 * time.Hour}, Names: []string{"SKU", "SKU"}, Fields: 12})},
		{imported + "guard = { min_size = '1.5KiB', max_age = '2bd', columns = ['SKU', 'Amount'], unchanged = 'skip', compare_last = '150%' }",
			guarded(Guard{MinSize: ptr(int64(1536)), MaxAge: &Age{Days: 2}, Columns: []string{"SKU", "Amount"}, Unchanged: "skip", CompareLast: share(150)})},
		{imported + "guard = { control = 'a.ctl', command = ['check', '--strict'], compare_last = '0%' }",
			guarded(Guard{Control: &Control{Path: "a.ctl"}, Command: &GuardCommand{[]string{"check", "--strict"}, 10 * time.Minute}, CompareLast: share(0)})},
		{imported + "guard = { control = { path = 's3://b/a.ctl', rows = 'n', sums = { \"Net Amount\" = 'total' } }, command = { run = ['check'], timeout = '5m' } }",
			guarded(Guard{Control: &Control{"s3://b/a.ctl", "n", map[string]string{"Net Amount": "total"}}, Command: &GuardCommand{[]string{"check"}, 5 * time.Minute}})},
		{"upload = 'a.csv'\nsource = 'a.csv'\nguard = { unchanged = 'refuse', header = false, control = 'a.ctl', max_age = '1bd' }", func(s *Step) {
			s.Verb, s.Object, s.Source = Upload, Ref{Name: "a.csv"}, &Source{Path: "a.csv"}
			s.Guard = Guard{Unchanged: "refuse", Header: ptr(false), Control: &Control{Path: "a.ctl"}, MaxAge: &Age{Days: 1}}
		}},
		{"export = 'E'\ntarget = 'a.csv'\nguard = { header = true, unchanged = 'refuse', compare_last = '5%', min_size = 1, columns = 3, command = ['check'] }", func(s *Step) {
			to(Target{Path: "a.csv"})(s)
			s.Guard = Guard{Header: ptr(true), Unchanged: "refuse", CompareLast: share(5), MinSize: ptr(int64(1)), Fields: 3, Command: &GuardCommand{[]string{"check"}, 10 * time.Minute}}
		}},
		{imported + "ahead = false\ntransfer = { chunk_size = '10MiB', connections = 32, gzip = 9 }", func(s *Step) {
			load(s)
			s.Ahead, s.Transfer = ptr(false), Transfer{10 << 20, 32, "9"}
		}},
		{imported + "transfer = { chunk_size = 1000000, gzip = 'off' }", func(s *Step) { load(s); s.Transfer = Transfer{ChunkSize: 1e6, Gzip: "off"} }},
		{"command = ['python3', 'make.py', '${run.date}']\nneeds = []\nwhen = 'always'\ntimeout = '10m'\nrerun = 'safe'\non_failure = 'continue'\nenabled = false", func(s *Step) {
			s.Verb, s.Argv, s.Needs, s.NeedsSet = Command, []string{"python3", "make.py", "${run.date}"}, []string{}, true
			s.When, s.Timeout, s.Rerun, s.OnFailure, s.Enabled = WhenAlways, 10*time.Minute, "safe", Continue, false
		}},
		{"process = 'P'\nahead = true\n[step.files.\"Forecast Output\"]\ntarget = ['a.csv', 's3://b/a.csv']\nguard = { min_rows = 1 }\n[step.files.116000000001]\ntarget = 'b.csv'\n" +
			"[step.files.113000000001]\npath = 'in/*.csv'\npick = 'newest'\n[step.files.n]\nsource = { path = 'n.csv', wait_for = '1h' }", func(s *Step) {
			s.Verb, s.Object, s.Ahead = Process, Ref{Name: "P"}, ptr(true)
			s.Files = []StepFile{
				{File: Ref{Name: "Forecast Output"}, Targets: []Target{{Path: "a.csv"}, {Path: "s3://b/a.csv"}}, Guard: Guard{MinRows: ptr(int64(1))}},
				{File: Ref{ID: "116000000001"}, Targets: []Target{{Path: "b.csv"}}},
				{File: Ref{ID: "113000000001"}, Source: Source{Path: "in/*.csv", Pick: PickNewest}},
				{File: Ref{Name: "n"}, Source: Source{Path: "n.csv", WaitFor: WaitFor{Limit: time.Hour}}},
			}
		}},
	} {
		want := Step{Name: "x", Base: "x", Enabled: true, When: WhenOK, OnFailure: Stop, OnPartial: Stop, Retry: Retry{3, 30 * time.Second}}
		x.want(&want)
		if want.Verb.StartsTask() {
			want.SettleWait, want.CancelWait = 2*time.Hour, 15*time.Minute
		}
		got := parsed(t, jobHead+"[[step]]\nname = 'x'\n"+x.step+"\n").Steps[0]
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Step{}, "Positions")); d != "" {
			t.Errorf("%s\n-want +got\n%s", x.step, d)
		}
	}
}

// TestCommandsAreAskedFor: what a command did before it failed is not known.
func TestCommandsAreAskedFor(t *testing.T) {
	j := parsed(t, jobHead+"[defaults]\ntimeout = '2h'\n[[step]]\nname = 'a'\ncommand = ['make']\n[[step]]\nname = 'b'\ncommand = ['make']\nrerun = 'safe'\n")
	if a, b := j.Steps[0], j.Steps[1]; a.RerunSafe() || !b.RerunSafe() || a.Timeout != 2*time.Hour {
		t.Errorf("safe: %v and %v; timeout %s", a.RerunSafe(), b.RerunSafe(), a.Timeout)
	}
}

// TestCommandsNeedNoModel, but the other steps of the job still do.
func TestCommandsNeedNoModel(t *testing.T) {
	const command = "[[step]]\nname = 'a'\ncommand = ['make']\n"
	if _, err := Parse("job.toml", []byte("name = 'j'\nconnection = 'c'\n"+command)); err != nil {
		t.Error(err)
	}
	if _, err := Parse("job.toml", []byte("name = 'j'\n"+command+"[[step]]\nname = 'b'\nimport = 'I'\nmodel = 'M'\nworkspace = 'W'\nconnection = 'c'\n")); err != nil {
		t.Error(err)
	}
	_, err := Parse("job.toml", []byte("name = 'j'\nconnection = 'c'\n"+command+"[[step]]\nname = 'b'\nimport = 'I'\n[[step]]\nname = 'c'\nimport = 'I'\n"))
	if err == nil || !strings.Contains(err.Error(), "no step says in which model it is") {
		t.Error(err)
	}
}

// TestTransferOfDefaultsReachesStepsThatMoveBytes, key by key.
func TestTransferOfDefaultsReachesStepsThatMoveBytes(t *testing.T) {
	j := parsed(t, jobHead+`[defaults]
transfer = { chunk_size = "2MB", connections = 2, gzip = 3 }
[[step]]
name = "import"
import = "I"
source = "a.csv"
transfer = { gzip = "off" }
[[step]]
name = "download"
download = "E"
stale = true
target = "a.csv"
[[step]]
name = "action"
action = "A"
[[step]]
name = "command"
command = ["make"]
`)
	for i, want := range []Transfer{{2e6, 2, "off"}, {2e6, 2, "3"}, {}, {}} {
		if got := j.Steps[i].Transfer; got != want {
			t.Errorf("step %q: %+v, want %+v", j.Steps[i].Name, got, want)
		}
	}
}

func TestBandwidth(t *testing.T) {
	c, problems := parseConnections("c.toml", "/jobs", []byte("[connection.base]\nregion = 'us1'\ncertificate = 'c.pem'\nbandwidth = '10MB'\n[connection.prod]\nextends = 'base'\n[connection.slow]\nextends = 'base'\nbandwidth = 2000\n"))
	if problems != nil {
		t.Fatal(problems)
	}
	for name, want := range map[string]int64{"base": 10e6, "prod": 10e6, "slow": 2000} {
		if got, err := c.Get(name); err != nil || got.Bandwidth != want {
			t.Errorf("%s: %d, %v; want %d", name, got.Bandwidth, err, want)
		}
	}
}
