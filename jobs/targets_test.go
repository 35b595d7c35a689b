package jobs

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestSeveralTargetsAreReplacedTogetherOrNotAtAll: where one of them cannot be written, the
// others keep what they had.
func TestSeveralTargetsAreReplacedTogetherOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, simulator.Options{})
		defer n.close()
		good, bad := filepath.Join(n.dir, "good.csv"), filepath.Join(n.dir, "bad.csv")
		if err := os.WriteFile(good, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(bad, "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
		export := configs.Step{Name: "publish", Verb: configs.Export, Object: configs.Ref{Name: "Store List"},
			Targets: []configs.Target{{Path: good}, {Path: bad}}}
		s := n.run(t.Context(), export)
		if s.End.Code != ledger.CodeInput {
			t.Errorf("code %d\n%s", s.End.Code, messages(s))
		}
		if data, err := os.ReadFile(good); err != nil || string(data) != "old" {
			t.Errorf("the good target holds %d bytes: %v", len(data), err)
		}
		if err := os.RemoveAll(bad); err != nil {
			t.Fatal(err)
		}
		if s := n.run(t.Context(), export); s.End.Code != 0 || len(s.Steps[0].Targets) != 2 {
			t.Errorf("code %d, %d targets\n%s", s.End.Code, len(s.Steps[0].Targets), messages(s))
		}
		a, _ := os.ReadFile(good)
		b, _ := os.ReadFile(bad)
		if len(a) < 100 || string(a) != string(b) {
			t.Errorf("the targets hold %d and %d bytes", len(a), len(b))
		}
	})
}

// TestWhatIsInPlaceIsNotFetchedAgain: of two outputs of a process, one of which could not be
// put in place at first, only that one is downloaded again.
func TestWhatIsInPlaceIsNotFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Stores = &data.Stores{Schemes: map[string]data.Store{"": &flaky{suffix: "second.csv", left: 1}}}
		publish := process("Publish Month")
		for i, export := range n.exportsOf("Publish Month") {
			path := filepath.Join(n.dir, "out", []string{"first.csv", "second.csv"}[i])
			publish.Files = append(publish.Files, configs.StepFile{File: configs.Ref{Name: export}, Targets: []configs.Target{{Path: path}}})
		}
		s := n.run(t.Context(), publish)
		var written []string
		for _, w := range s.Steps[0].Targets {
			written = append(written, filepath.Base(w.Path))
		}
		if diff := cmp.Diff([]string{"first.csv", "second.csv"}, written); diff != "" || s.End.Code != 0 {
			t.Errorf("%s, written (-want +got):\n%s\n%s", verdicts(s), diff, messages(s))
		}
	})
}
