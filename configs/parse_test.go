package configs

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestParseReadsTheDesignsExample compares with the job that design.md 4 describes.
func TestParseReadsTheDesignsExample(t *testing.T) {
	const file = "testdata/jobs/right/design.toml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(file, data)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(n int64) *Limit { return &Limit{Rows: n} }
	accept := Accept{Failed: rows(0), Warnings: rows(0), MinLoaded: ptr(int64(1))}
	step := func(i int, name string, verb Verb, object string) Step {
		return Step{Index: i, Name: name, Base: name, Verb: verb, Object: Ref{Name: object}, Enabled: true, When: WhenOK,
			OnFailure: Stop, OnPartial: Stop, Retry: Retry{Tries: 3, Wait: 30 * time.Second},
			SettleWait: 2 * time.Hour, CancelWait: 15 * time.Minute}
	}
	load := step(0, "load sales", Import, "Load Sales")
	load.Source = &Source{Path: "data/sales_${run.date}.csv"}
	load.Prompts = []Prompt{{"Version", "${params.version}"}}
	load.Guard = Guard{MinRows: ptr(int64(1)), MaxAge: &Age{Duration: 26 * time.Hour}, Header: ptr(true)}
	load.Accept = Accept{Failed: rows(100), Warnings: rows(0), Ignored: &Limit{Percent: 2, Share: true}, MinLoaded: ptr(int64(1))}
	forecast := step(1, "forecast", Process, "Nightly Forecast")
	forecast.Accept = accept
	forecast.Files = []StepFile{{File: Ref{Name: "rates.csv"}, Source: Source{Path: "data/rates.csv"}, Guard: Guard{MinRows: ptr(int64(100))}}}
	own := accept
	own.Failed = rows(25)
	forecast.Actions = []StepAction{{Action: Ref{Name: "Load Rates"}, Accept: &own, Prompts: []Prompt{{"Version", "Forecast"}}}}
	spokes := step(2, "spokes", Process, "Pull from Hub")
	spokes.Needs, spokes.NeedsSet = []string{"forecast"}, true
	spokes.ForEach = []EachAxis{{"region", []string{"EMEA", "AMER"}}}
	spokes.Model = Ref{Name: "FP&A ${each.region}"}
	spokes.Accept = accept
	publish := step(3, "publish", Export, "Forecast Output")
	publish.Targets = []Target{{Path: "out/forecast_${run.date}.csv"}}
	publish.Guard = Guard{MinRows: ptr(int64(1))}
	purge := step(4, "purge", Action, "Delete expired rows")
	purge.Delete = true
	purge.Accept = Accept{Failed: rows(0), Warnings: rows(0)}
	banner := step(5, "banner off", Action, "Close banner")
	banner.When = WhenAlways
	banner.Accept = purge.Accept
	want := &Job{
		File: file, Dir: "testdata/jobs/right", Name: "nightly-sales", Connection: "prod", Timezone: "Europe/Paris",
		Overlap: OverlapRefuse, NotAfter: "06:30", MaxParallel: 4, Workspace: Ref{Name: "Finance"}, Model: Ref{Name: "Sales Hub"},
		Params: []Param{{Name: "version", Default: "Actual", HasValue: true},
			{Name: "period", Required: true, Pattern: `^[A-Z][a-z]{2} \d\d$`, Help: "the month as Anaplan names it: Oct 26"}},
		Defaults: Step{Accept: accept},
		Steps:    []Step{load, forecast, spokes, publish, purge, banner},
		OnEnd:    &OnEnd{Command: []string{"notify", "--team", "fpa"}, When: []string{"failed", "partial", "unsure"}},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Job{}, "Positions", "Digest", "Warnings"), cmpopts.IgnoreFields(Step{}, "Positions")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for key, want := range map[string]Position{
		"source": {24, 1}, "guard.max_age": {26, 27}, "accept.ignored": {27, 27}, "": {21, 3},
	} {
		if at := got.Steps[0].Positions[key]; at != want {
			t.Errorf("step 0, %q stands at %v, want %v", key, at, want)
		}
	}
	for key, want := range map[string]Position{
		`files."rates.csv".source`: {33, 1}, `files."rates.csv"`: {32, 13}, `files."rates.csv".guard.min_rows`: {34, 12}, `actions."Load Rates".accept`: {36, 1},
	} {
		if at := got.Steps[1].Positions[key]; at != want {
			t.Errorf("step 1, %q stands at %v, want %v", key, at, want)
		}
	}
	if at := got.Positions["params.period.pattern"]; at != (Position{15, 1}) {
		t.Errorf("params.period.pattern stands at %v", at)
	}
}
