package configs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// jobHead is a job without steps.
const jobHead = `name = "nightly"
connection = "prod"
[anaplan]
workspace = "Finance"
model = "Sales Hub"
`

func parsed(t *testing.T, text string) *Job {
	t.Helper()
	j, err := Parse("job.toml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return j
}

// TestParseForms reads everything that may be written in more than one way.
func TestParseForms(t *testing.T) {
	for _, x := range []struct {
		step string
		want func(s *Step) // changes a bare step into the wanted one
	}{
		{`import = "112000000001"` + "\n" + `source = "server"`, func(s *Step) {
			s.Verb, s.Object, s.Source = Import, Ref{ID: "112000000001"}, &Source{Server: true}
		}},
		{`import = { id = "112000000001", name = "Load" }` + "\n" + `source = { path = 'C:\data\x.csv' }`, func(s *Step) {
			s.Verb, s.Object, s.Source = Import, Ref{"112000000001", "Load"}, &Source{Path: `C:\data\x.csv`}
		}},
		{`import = "from the hub"`, func(s *Step) { s.Verb, s.Object = Import, Ref{Name: "from the hub"} }},
		{`import = { name = "999999999999" }`, func(s *Step) { s.Verb, s.Object = Import, Ref{Name: "999999999999"} }},
		{"export = 'E'\ntarget = ['a.csv', { path = 'b.csv' }]", func(s *Step) {
			s.Verb, s.Object, s.Targets = Export, Ref{Name: "E"}, []Target{{Path: "a.csv"}, {Path: "b.csv"}}
		}},
		{"export = 'E'\n[[step.target]]\npath = 'a.csv'\n[[step.target]]\npath = 'b.csv'", func(s *Step) {
			s.Verb, s.Object, s.Targets = Export, Ref{Name: "E"}, []Target{{Path: "a.csv"}, {Path: "b.csv"}}
		}},
		{"export = 'E'", func(s *Step) { s.Verb, s.Object = Export, Ref{Name: "E"} }},
		{"download = '116000000001'\nstale = true\ntarget = 'a.csv'\nguard = { max_rows = 3 }", func(s *Step) {
			s.Verb, s.Object, s.Stale, s.Targets, s.Guard = Download, Ref{ID: "116000000001"}, true, []Target{{Path: "a.csv"}}, Guard{MaxRows: ptr(int64(3))}
		}},
		{"upload = 'sales.csv'\nsource = 'sales.csv'\nneeds = []\nenabled = false\nwhen = 'failed'", func(s *Step) {
			s.Verb, s.Object, s.Source = Upload, Ref{Name: "sales.csv"}, &Source{Path: "sales.csv"}
			s.Needs, s.NeedsSet, s.Enabled, s.When = []string{}, true, false, WhenFailed
		}},
		{"process = 'P'\nfiles = { 'a.csv' = 'a.csv', '113000000002' = 'server', c = { path = 'c.csv' } }\nactions.Load.accept.ignored = '0.5%'", func(s *Step) {
			s.Verb, s.Object = Process, Ref{Name: "P"}
			s.Files = []StepFile{{File: Ref{Name: "a.csv"}, Source: Source{Path: "a.csv"}}, {File: Ref{ID: "113000000002"}, Source: Source{Server: true}}, {File: Ref{Name: "c"}, Source: Source{Path: "c.csv"}}}
			s.Actions = []StepAction{{Action: Ref{Name: "Load"}, Accept: &Accept{Ignored: &Limit{Percent: 0.5, Share: true}}}}
		}},
		{"action = 'A'\ndelete = true\ntimeout = '1d12h'\non_timeout = 'cancel'\nwarn_after = '1.5h'\nlocale = 'de_DE'\nshow_rejected = 5", func(s *Step) {
			s.Verb, s.Object, s.Delete = Action, Ref{Name: "A"}, true
			s.Timeout, s.OnTimeout, s.WarnAfter, s.Locale, s.ShowRejected = 36*time.Hour, "cancel", 90*time.Minute, "de_DE", 5
		}},
		{"action = 'A'\nwait = { busy = '0s', locked = '1h30m', closed = '250ms', maintenance = '2d' }\nretry = { tries = 1 }\non_failure = 'continue'\non_partial = 'continue'", func(s *Step) {
			s.Verb, s.Object = Action, Ref{Name: "A"}
			s.Wait = Wait{Busy: ptr(time.Duration(0)), Locked: ptr(90 * time.Minute), Closed: ptr(250 * time.Millisecond), Maintenance: ptr(48 * time.Hour)}
			s.Retry.Tries, s.OnFailure, s.OnPartial = 1, Continue, Continue
		}},
		{"process = 'P'\naccept = { unexplained = true, min_loaded = 0, failed = '100%' }\nprompts = { Zeit = 'Okt 26', \"Cost Center\" = 'CC 1', Alpha = 'x' }", func(s *Step) {
			s.Verb, s.Object = Process, Ref{Name: "P"}
			s.Accept = Accept{Unexplained: ptr(true), MinLoaded: ptr(int64(0)), Failed: &Limit{Percent: 100, Share: true}}
			s.Prompts = []Prompt{{"Zeit", "Okt 26"}, {"Cost Center", "CC 1"}, {"Alpha", "x"}} // in file order
		}},
		{"process = 'P'\nmodel = '0123456789ABCDEF0123456789ABCDEF'\nworkspace = { id = '0123456789abcdef0123456789abcdef', name = 'W' }\nconnection = 'other'", func(s *Step) {
			s.Verb, s.Object, s.Connection = Process, Ref{Name: "P"}, "other"
			s.Model, s.Workspace = Ref{ID: "0123456789ABCDEF0123456789ABCDEF"}, Ref{"0123456789abcdef0123456789abcdef", "W"}
		}},
	} {
		want := Step{Name: "x", Base: "x", Enabled: true, When: WhenOK, OnFailure: Stop, OnPartial: Stop, Retry: Retry{3, 30 * time.Second}}
		x.want(&want)
		if want.Verb.StartsTask() {
			want.SettleWait, want.CancelWait = 2*time.Hour, 15*time.Minute
		}
		text := jobHead + "[[step]]\nname = 'x'\n" + x.step + "\n"
		for _, text := range []string{text, "\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")} {
			if d := cmp.Diff(want, parsed(t, text).Steps[0], cmpopts.IgnoreFields(Step{}, "Positions")); d != "" {
				t.Errorf("%s\n-want +got\n%s", x.step, d)
			}
		}
	}
}

// TestDefaultsReachTheStepsTheyAreFor: key by key, and only where the key fits.
func TestDefaultsReachTheStepsTheyAreFor(t *testing.T) {
	j := parsed(t, jobHead+`[defaults]
accept = { failed = 7, unexplained = true, min_loaded = 2 }
timeout = "2h"
locale = "fr_FR"
retry = { tries = 9 }
wait = { busy = "1h" }
on_failure = "continue"
show_rejected = 4
[[step]]
name = "import"
import = "I"
accept = { warnings = 1, min_loaded = 0 }
show_rejected = 0
[[step]]
name = "process"
process = "P"
timeout = "1h"
retry = { wait = "1s" }
on_failure = "stop"
[step.actions.A]
accept = { failed = 8 }
[[step]]
name = "upload"
upload = "f"
source = "f"
wait = { closed = "5m" }
[[step]]
name = "action"
action = "A"
`)
	limit := func(n int64) *Limit { return &Limit{Rows: n} }
	shared := func(s Step) []any {
		return []any{s.Accept, s.Timeout, s.Locale, s.Retry, s.Wait, s.OnFailure, s.ShowRejected}
	}
	busy := Wait{Busy: ptr(time.Hour)}
	for i, want := range [][]any{
		{Accept{Failed: limit(7), Warnings: limit(1), MinLoaded: ptr(int64(0))}, 2 * time.Hour, "fr_FR", Retry{9, 30 * time.Second}, busy, Continue, 0},
		{Accept{Failed: limit(7), Unexplained: ptr(true), MinLoaded: ptr(int64(2))}, time.Hour, "fr_FR", Retry{9, time.Second}, busy, Stop, 4},
		{Accept{}, time.Duration(0), "", Retry{9, 30 * time.Second}, Wait{Busy: ptr(time.Hour), Closed: ptr(5 * time.Minute)}, Continue, 0},
		{Accept{Failed: limit(7)}, 2 * time.Hour, "fr_FR", Retry{9, 30 * time.Second}, busy, Continue, 4},
	} {
		if d := cmp.Diff(want, shared(j.Steps[i])); d != "" {
			t.Errorf("step %q -want +got\n%s", j.Steps[i].Name, d)
		}
	}
	want := &Accept{Failed: limit(8), Unexplained: ptr(true), MinLoaded: ptr(int64(2))}
	if d := cmp.Diff(want, j.Steps[1].Actions[0].Accept); d != "" {
		t.Errorf("action -want +got\n%s", d)
	}
}

// TestRerunOfDefaultsReachesSafeSteps: [defaults] may name failures for all steps; those
// that a person must ask for are not done again by it.
func TestRerunOfDefaultsReachesSafeSteps(t *testing.T) {
	j := parsed(t, jobHead+`[defaults]
rerun_on = ["connectorError", "internalError"]
on_stop = "detach"
settle_wait = "3h"
[[step]]
name = "import"
import = "I"
[[step]]
name = "own"
export = "E"
rerun_on = []
on_stop = "cancel"
[[step]]
name = "asked"
import = "I2"
rerun = "ask"
[[step]]
name = "process"
process = "P"
cancel_wait = "1m"
[[step]]
name = "safe"
action = "A"
rerun = "safe"
[[step]]
name = "upload"
upload = "f"
source = "f"
`)
	both := []string{"connectorError", "internalError"}
	for i, want := range [][]any{
		{both, true, "detach", 3 * time.Hour, 15 * time.Minute},
		{[]string{}, true, "cancel", 3 * time.Hour, 15 * time.Minute},
		{[]string(nil), false, "detach", 3 * time.Hour, 15 * time.Minute},
		{[]string(nil), false, "detach", 3 * time.Hour, time.Minute},
		{both, true, "detach", 3 * time.Hour, 15 * time.Minute},
		{[]string(nil), true, "", time.Duration(0), time.Duration(0)},
	} {
		s := j.Steps[i]
		if d := cmp.Diff(want, []any{s.RerunOn, s.RerunSafe(), s.OnStop, s.SettleWait, s.CancelWait}); d != "" {
			t.Errorf("step %q -want +got\n%s", s.Name, d)
		}
	}
}

func TestParseWarnsOfWhatIsNotUsed(t *testing.T) {
	j := parsed(t, jobHead+`[params]
used = "x"
idle = "y"
[[step]]
name = "x"
export = "${params.used}"
for_each = { region = ["EMEA", "AMER"], year = ["2026"] }
`)
	want := `job.toml:8: params.idle: no step uses this parameter; write ${params.idle} where it belongs, or take it out
job.toml:12: step "x": for_each.region: the step does the same 2 times: it does not use ${each.region}; write it where the values differ`
	if got := j.Warnings.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestInlineConnection(t *testing.T) {
	j := parsed(t, `name = "nightly"
[anaplan]
region = "eu1"
workspace = "Finance"
model = "Sales Hub"
requests_per_minute = 60
[auth]
certificate = "keys/ca.pem"
private_key = 'C:\keys\ca.key'
passphrase = 'file:C:\keys\pass.txt'
[[step]]
name = "x"
process = "P"
`)
	want := &Connection{File: "job.toml", Dir: ".", Region: "eu1", RequestsPerMinute: 60, Certificates: []string{"keys/ca.pem"}, PrivateKeys: []string{`C:\keys\ca.key`}, Passphrase: `file:C:\keys\pass.txt`}
	if d := cmp.Diff(want, j.Inline, cmpopts.IgnoreFields(Connection{}, "Positions")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if at := j.Positions["auth.private_key"]; at != (Position{9, 1}) {
		t.Errorf("auth.private_key stands at %v", at)
	}
}

// TestProblemsHoldNoSecret puts a canary wherever a secret might be written by mistake.
func TestProblemsHoldNoSecret(t *testing.T) {
	const canary = "Canary7"
	for _, line := range []string{
		`password = "` + canary + `"`, `password = ` + canary, `password = "` + canary, `password = ["` + canary + `"]`, `password = "C:\` + canary + `\x"`,
		`password = '` + canary + `' x`, `password: "` + canary + `"`, `password = “` + canary + `”`, `passphrase = "vault:` + canary + `"`, `passphrase = "` + canary + `\t"`,
		`passphrase = "` + canary + `\q"`, `private_key = "-----BEGIN ` + canary + `"`, `password = ` + canary + `: "x"`, `pasword = "` + canary + `"`, `password = {{ ` + canary + ` }}`,
		`x = { password = "` + canary + `\q", certificate = "C:\x" }`, `"` + canary + `"`, `password "` + canary + `"`, `password = "` + canary + "\x00\"", `password = "${` + canary + `}"`,
	} {
		text := "name = 'n'\n[anaplan]\nregion = 'us1'\nworkspace = 'w'\nmodel = 'm'\n[auth]\nmethod = 'basic'\nuser = 'u'\n" + line + "\n[[step]]\nname = 's'\nprocess = 'P'\n"
		_, err := Parse("job.toml", []byte(text))
		if err == nil {
			t.Errorf("no problem with %s", line)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s\n%v", line, err)
		}
	}
}
