package report_test

import (
	"os"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func ExampleText() {
	at := func(second int) time.Time { return time.Date(2026, 11, 24, 2, 0, second, 0, time.UTC) }
	loaded, none := int64(4980), int64(0)
	state, err := ledger.Fold([]ledger.Event{
		{Seq: 1, At: at(0), Body: ledger.RunCreated{ID: ledger.ID{Job: "nightly", Run: "2026-11-24"}, Timezone: "UTC",
			Steps: []ledger.StepPlan{{Name: "load", Verb: "import", Label: "Load Sales"}}}},
		{Seq: 2, At: at(1), Step: "load", Body: ledger.StepStarted{Try: 1}},
		{Seq: 3, At: at(31), Step: "load", Body: ledger.StepEnded{Verdict: ledger.OK, Rows: ledger.Rows{OK: &loaded, Failed: &none}}},
		{Seq: 4, At: at(31), Body: ledger.RunEnded{Verdict: ledger.OK}},
	})
	if err != nil {
		panic(err)
	}
	r := report.New(state, report.Options{Ledger: "memory"})
	if err := report.Text(os.Stdout, r, report.TextOptions{Width: 100}); err != nil {
		panic(err)
	}
	// Output:
	// nightly, run 2026-11-24
	// The run finished; 1 step ok.
	// Tue 24 Nov 2026 02:00:00 to 02:00:31, UTC, 31s
	// ledger: memory
	//
	// STEP  DOES               VERDICT  LOADED  IGNORED  WARNED  REJECTED  TIME
	// load  import Load Sales  ok        4,980        -       -         0   30s
	//
	// nightly ok; steps: 1 ok; rows: 4,980 loaded; 31s; exit code 0
}
