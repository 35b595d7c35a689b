package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// TestTransfersOverASlowLine: who watches a run sees how fast it goes and how long it takes,
// the log has a line now and then for what takes long and none else, and the record says it
// of what was moved, once.
func TestTransfersOverASlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, simulator.Options{})
		defer n.close()
		line := transfer.NewLine(1000)
		n.runner.Connect = func(context.Context, string) (*Tenant, error) {
			return &Tenant{Client: n.client, Host: host, Line: line}, nil
		}
		var began time.Time
		followed := 0
		n.runner.Watch = func(p Progress) {
			if p.Phase != PhaseUpload || p.Step != "load sales" {
				return
			}
			if began.IsZero() {
				began = time.Now()
			}
			if took := time.Since(began); took < 5*time.Second || took > time.Minute {
				return
			}
			followed++
			if m := p.Moved; m.Total != 66513 || m.Rate < 900 || m.Rate > 1100 || m.Left <= 0 || p.Done != float64(m.Bytes)/66513 || p.Text != "sales.csv" {
				t.Errorf("%+v", p)
			}
		}
		var log bytes.Buffer
		n.runner.Log = logrus.New()
		n.runner.Log.SetOutput(&log)
		n.runner.Log.SetFormatter(&logrus.JSONFormatter{})
		load := loadSales(n, 1000)
		load.Transfer = configs.Transfer{Gzip: "off"}
		s := n.run(t.Context(), load, configs.Step{Name: "stores", Verb: configs.Export, Object: configs.Ref{Name: "Store List"},
			Targets: []configs.Target{{Path: filepath.Join(n.dir, "a.csv")}, {Path: filepath.Join(n.dir, "b.csv")}}})
		if s.End.Code != 0 {
			t.Fatal(messages(s))
		}
		if followed < 50 {
			t.Errorf("it was told %d times", followed)
		}
		var lines []string
		for d := json.NewDecoder(&log); d.More(); {
			var l struct {
				Level, Msg, Step, Run string
				Bytes                 *int64
				Total                 int64 `json:"total_bytes"`
				Rate                  int64 `json:"bytes_per_s"`
				Left                  int64 `json:"left_s"`
			}
			if err := d.Decode(&l); err != nil {
				t.Fatal(err)
			}
			if l.Bytes == nil {
				continue
			}
			lines = append(lines, l.Msg)
			if l.Level != "info" || !strings.HasPrefix(l.Msg, `uploading "sales.csv": `) || !strings.HasSuffix(l.Msg, "s left") || l.Step != "load sales" || l.Run == "" || *l.Bytes < 29_000 || l.Total != 66513 || l.Rate < 900 || l.Rate > 1100 ||
				l.Left < 1 || l.Left > 40 {
				t.Errorf("%+v", l)
			}
		}
		if len(lines) != 2 {
			t.Errorf("the log has %q", lines)
		}
		up := s.Steps[0].Uploads
		if len(up) != 1 || up[0].Wire != 66513 || up[0].Took < time.Minute || up[0].Took > 70*time.Second {
			t.Errorf("%+v", up)
		}
		to := s.Steps[1].Targets
		if len(to) != 2 || to[0].Wire != to[0].Bytes || to[0].Took <= 0 || to[1].Wire != 0 || to[1].Took != 0 || to[1].Bytes != to[0].Bytes {
			t.Errorf("%+v", to)
		}
	})
}
