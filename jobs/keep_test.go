package jobs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/memory"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

// flaky is the file system, on which files whose names end so cannot be put in place, so
// often.
type flaky struct {
	data.Local
	suffix string
	left   int
}

func (f *flaky) Create(ctx context.Context, name string) (data.Writer, error) {
	w, err := f.Local.Create(ctx, name)
	if err != nil || !strings.HasSuffix(name, f.suffix) {
		return w, err
	}
	return flakyWriter{w, f}, nil
}

type flakyWriter struct {
	data.Writer
	store *flaky
}

func (w flakyWriter) Commit(ctx context.Context) error {
	if w.store.left > 0 {
		w.store.left--
		return &data.StoreError{Doing: "write", Name: "it", Kind: data.ErrAway, Err: errors.New("503")}
	}
	return w.Writer.Commit(ctx)
}

// TestAMarkerThatFailedIsWrittenLater: a continued run does not take targets for done whose
// marker is not there, and keeps yesterday's file, not the one that lacks its marker.
func TestAMarkerThatFailedIsWrittenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		tries, _ := retryOf(configs.Retry{})
		n.runner.Stores = &data.Stores{Schemes: map[string]data.Store{"": &flaky{suffix: ".done", left: tries}}}
		out := filepath.Join(n.dir, "out", "forecast.csv")
		publish := process("Publish Month")
		publish.Files = []configs.StepFile{{File: configs.Ref{Name: n.exportsOf("Publish Month")[0]}, Targets: []configs.Target{{Path: out, Keep: 1, Done: out + ".done"}}}}
		n.put("out/forecast.csv", "of yesterday\n")
		n.put("out/forecast.csv.done", "old\n")
		s := n.run(t.Context(), publish)
		if s.End.Code != 75 || !s.Steps[0].End.Fetch {
			t.Fatalf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
		}
		s = n.resume(s.Created.ID, Continuation{})
		if s.End.Code != 0 || !strings.HasPrefix(n.read("out/forecast.csv.done"), "{") {
			t.Errorf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
		}
		if kept := n.read("out/forecast.csv.1"); kept != "of yesterday\n" {
			t.Errorf("kept is %.30q", kept)
		}
	})
}

// TestTriesKeepYesterdaysFile: a delivery that is tried again does not keep its own.
func TestTriesKeepYesterdaysFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Stores = &data.Stores{Schemes: map[string]data.Store{"": &flaky{suffix: "second.csv", left: 1}}}
		n.put("out/first.csv", "of yesterday\n")
		s := n.run(t.Context(), configs.Step{Name: "publish", Verb: configs.Export, Object: configs.Ref{Name: "Store List"},
			Targets: []configs.Target{{Path: filepath.Join(n.dir, "out", "first.csv"), Keep: 1}, {Path: filepath.Join(n.dir, "out", "second.csv")}}})
		if s.End.Code != 0 {
			t.Fatalf("%s\n%s", verdicts(s), messages(s))
		}
		if kept := n.read("out/first.csv.1"); kept != "of yesterday\n" {
			t.Errorf("kept is %.30q", kept)
		}
	})
}

// fullAt is a ledger that does not record an event of a kind before the runner has given that
// up, and has more to record.
type fullAt struct {
	ledger.Ledger
	kind string
}

func (l fullAt) Append(ctx context.Context, run ledger.ID, after, epoch int64, events ...ledger.Event) (int64, error) {
	if events[len(events)-1].Body.Kind() == l.kind {
		return 0, errDisk
	}
	return l.Ledger.Append(ctx, run, after, epoch, events...)
}

// TestALedgerThatIsFullAtPlacing: an export that has run is only fetched by whoever continues,
// though the ledger failed before its target was put in place.
func TestALedgerThatIsFullAtPlacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.put("out/stores.csv", "of yesterday\n")
		n.runner.Ledger = fullAt{n.ledger, "target_placing"}
		s := n.run(t.Context(), storesKept(n))
		if s.End.Code != ledger.CodeInternal || s.Steps[0].End != nil || n.read("out/stores.csv") != "of yesterday\n" {
			t.Errorf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
		}
		n.runner.Ledger = n.ledger
		if s = n.resume(s.Created.ID, Continuation{}); s.End.Code != 0 || n.read("out/stores.csv.1") != "of yesterday\n" {
			t.Errorf("%s, code %d\n%s", verdicts(s), s.End.Code, messages(s))
		}
		if started := len(n.sim.Tasks()); started != 1 {
			t.Errorf("the export was started %d times", started)
		}
	})
}

// storesKept is an export whose target of before is kept.
func storesKept(n *night) configs.Step {
	return configs.Step{Name: "publish", Verb: configs.Export, Object: configs.Ref{Name: "Store List"},
		Targets: []configs.Target{{Path: filepath.Join(n.dir, "out", "stores.csv"), Keep: 1}}}
}

// TestPlacedByAnOlderProgram: what a program has put in place that recorded only its version, and
// only afterwards, is not kept.
func TestPlacedByAnOlderProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		n.runner.Exec = func(context.Context, Program) (Exit, error) { return Exit{Code: 1}, nil }
		n.put("out/stores.csv", "of yesterday\n")
		s := n.run(t.Context(), storesKept(n), configs.Step{Name: "fails", Verb: configs.Command, Argv: []string{"it"}, OnFailure: configs.Continue})
		events, err := n.ledger.Events(t.Context(), s.Created.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		r, placed, err := data.Local{}.Open(t.Context(), filepath.Join(n.dir, "out", "stores.csv"))
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close() // it was not read
		n.ledger = &memory.Ledger{}
		n.runner.Ledger = n.ledger
		seq := int64(0)
		for _, e := range events {
			switch b := e.Body.(type) {
			case ledger.TargetPlacing:
				continue
			case ledger.TargetWritten:
				b.Version = placed.Version
				e.Body = b
			}
			if seq, err = n.ledger.Append(t.Context(), s.Created.ID, seq, 0, e); err != nil {
				t.Fatal(err)
			}
		}
		if s = n.resume(s.Created.ID, Continuation{Again: []string{"publish"}}); len(s.Steps[0].Targets) != 2 {
			t.Errorf("%s\n%s", verdicts(s), messages(s))
		}
		if kept := n.read("out/stores.csv.1"); kept != "of yesterday\n" {
			t.Errorf("kept is %.30q", kept)
		}
	})
}

// alikes are objects that are told apart by the query of their URLs alone: files of a folder.
type alikes struct {
	flaky
	dir string
}

func (a *alikes) file(name string) string {
	_, region, _ := strings.Cut(name, "?region=")
	return filepath.Join(a.dir, region)
}

func (a *alikes) Open(ctx context.Context, name string) (io.ReadCloser, data.Entry, error) {
	return a.flaky.Open(ctx, a.file(name))
}

func (a *alikes) Create(ctx context.Context, name string) (data.Writer, error) {
	return a.flaky.Create(ctx, a.file(name))
}

// TestTargetsThatAreShownAlike: one that is in place is not taken for another of the same path
// in another region.
func TestTargetsThatAreShownAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		store := &alikes{flaky{suffix: "b", left: 1}, t.TempDir()}
		n.runner.Stores = &data.Stores{Schemes: map[string]data.Store{"s3": store}}
		s := n.run(t.Context(), configs.Step{Name: "publish", Verb: configs.Export, Object: configs.Ref{Name: "Store List"},
			Targets: []configs.Target{{Path: "s3://nights/o.csv?region=a"}, {Path: "s3://nights/o.csv?region=b"}}})
		if s.End.Code != 0 {
			t.Fatalf("%s\n%s", verdicts(s), messages(s))
		}
		for _, region := range []string{"a", "b"} {
			if data, err := os.ReadFile(filepath.Join(store.dir, region)); err != nil || len(data) == 0 {
				t.Errorf("region %s: %d bytes, %v", region, len(data), err)
			}
		}
		if out := report.New(s, report.Options{}).Steps[0].Outputs; len(out) != 2 {
			t.Errorf("the report lists %+v", out)
		}
	})
}
