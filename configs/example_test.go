package configs_test

import (
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

const spokes = `
name = "spokes"
connection = "prod"
[anaplan]
workspace = "Finance"
[params.month]
default = "${run.date-1m:%b %y}"
[[step]]
name = "targets"
for_each = { region = ["EMEA", "AMER"] }
model = "FP&A ${each.region}"
import = "Load Targets"
source = "data/targets ${each.region} ${params.month}.csv"
`

// A job file becomes the job of one run.
func Example() {
	job, err := configs.Parse("/jobs/spokes.toml", []byte(spokes))
	if err != nil {
		fmt.Println(err)
		return
	}
	params, err := job.ParamValues(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err = job.Expand(configs.Values{Params: params, RunID: "2026-11-25", Date: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range job.Steps {
		fmt.Printf("%s in %s reads %s\n", s.Name, s.Model.Name, s.Source.Path)
	}
	// Output:
	// targets[EMEA] in FP&A EMEA reads /jobs/data/targets EMEA Oct 26.csv
	// targets[AMER] in FP&A AMER reads /jobs/data/targets AMER Oct 26.csv
}

// Everything that is wrong comes back at once.
func Example_problems() {
	_, err := configs.Parse("job.toml", []byte(`name = "nightly"
connection = "prod"
[anaplan]
workspace = "Finance"
modle = "Sales Hub"
[[step]]
name = "load"
import = "Load Sales"
source = "data/${params.month}.csv"
timeout = "2 hours"
`))
	fmt.Println(err)
	// Output:
	// job.toml:5: anaplan.modle: there is no such key in [anaplan]; did you mean model?
	// job.toml:9: step "load": source: ${params.month}: the job has no parameter "month"; add [params.month]
	// job.toml:10: step "load": timeout: "2 hours" is not a duration; write "2h"
}
