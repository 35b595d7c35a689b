package jobs

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
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
