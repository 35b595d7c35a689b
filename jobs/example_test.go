package jobs

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestNightlyExample runs the example that demo shows, as it stands: it ends ok, and
// rejected rows are among what it accepts.
func TestNightlyExample(t *testing.T) {
	for _, successful := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := newNight(t, simulator.Options{Switches: &simulator.Switches{RejectsSuccessful: successful}})
			defer n.close()
			if err := os.CopyFS(filepath.Join(n.dir, "data"), sample.Data()); err != nil {
				t.Fatal(err)
			}
			text, err := fs.ReadFile(configs.Examples(), "nightly.toml")
			if err != nil {
				t.Fatal(err)
			}
			job, err := configs.Parse(filepath.Join(n.dir, "nightly.toml"), text)
			if err != nil {
				t.Fatal(err)
			}
			params, err := job.ParamValues(nil)
			if err != nil {
				t.Fatal(err)
			}
			date := time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC)
			if job, err = job.Expand(configs.Values{Params: params, Date: date, RunID: "r1"}); err != nil {
				t.Fatal(err)
			}
			plan, err := NewPlan(job, Selection{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := n.runner.Run(t.Context(), Request{ID: ledger.ID{Job: job.Name, Run: rand.Text()}, Plan: plan, Date: date})
			if err != nil {
				t.Fatal(err)
			}
			want := "banner on ok, load products ok, load sales ok, forecast ok, spokes[EMEA] ok, spokes[AMER] ok, publish ok, expired list ok, flag expired ok, purge ok, banner off ok"
			if got := verdicts(s); got != want || s.End.Code != 0 {
				t.Errorf("got  %s\nwant %s\n%s", got, want, messages(s))
			}
			if d := s.Steps[2].Dumps; len(d) != 1 || d[0].Dump.Rejected == 0 {
				t.Errorf("dumps of load sales: %+v", d)
			}
			out, err := os.ReadFile(filepath.Join(n.dir, "out", "forecast_20261031.csv"))
			if err != nil || strings.Count(string(out), "\n") < 100 {
				t.Errorf("the published file: %d bytes, %v", len(out), err)
			}
		})
	}
}
