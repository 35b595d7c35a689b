package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// The seconds of all transfers together are those in which something was moved: counted one
// by one, second after second.
func TestTogetherIsTheTimeInWhichSomethingWasMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s ledger.State
		busy := map[int]bool{}
		var bytes, wire int64
		count := 0
		step := ledger.StepState{}
		for range rapid.IntRange(0, 8).Draw(t, "transfers") {
			from, lasts := rapid.IntRange(0, 40).Draw(t, "from"), rapid.IntRange(1, 12).Draw(t, "lasts")
			b, w := rapid.Int64Range(0, 1<<40).Draw(t, "bytes"), rapid.Int64Range(1, 1<<40).Draw(t, "wire")
			at, took := t0.Add(time.Duration(from+lasts)*time.Second), time.Duration(lasts)*time.Second
			if rapid.IntRange(0, 4).Draw(t, "old") == 0 {
				w, took = 0, 0
			} else {
				count, bytes, wire = count+1, bytes+b, wire+w
				for i := range lasts {
					busy[from+i] = true
				}
			}
			if rapid.Bool().Draw(t, "up") {
				step.Uploads = append(step.Uploads, ledger.UploadState{SourceUploaded: ledger.SourceUploaded{Bytes: b, Wire: w, Took: took}, At: at})
			} else {
				step.Targets = append(step.Targets, ledger.TargetState{TargetWritten: ledger.TargetWritten{Bytes: b, Wire: w, Took: took}, At: at})
			}
			if rapid.Bool().Draw(t, "next") {
				s.Steps, step = append(s.Steps, step), ledger.StepState{}
			}
		}
		s.Steps = append(s.Steps, step)
		got := transfers(s)
		if got.Count != count || got.Bytes != bytes || got.Wire != wire || got.Seconds != float64(len(busy)) {
			t.Fatalf("%+v, want %d transfers, %d bytes, %d over the line, %d seconds", got, count, bytes, wire, len(busy))
		}
		if known := got.Rate != nil; known != (len(busy) > 0) || known && *got.Rate != int64(float64(bytes)/float64(len(busy))) {
			t.Fatalf("rate %v", got.Rate)
		}
	})
}

// TestATargetThatWasWrittenAgainIsListedOnce: its last time counts, and what both moved is
// summed.
func TestATargetThatWasWrittenAgainIsListedOnce(t *testing.T) {
	written := func(path string, bytes int64) ledger.TargetWritten {
		return ledger.TargetWritten{Path: path, Bytes: bytes, Wire: bytes, Took: time.Second, File: ledger.ObjectRef{ID: "116000000001", Name: "Forecast Output"}}
	}
	unmarked := written("/out/forecast.csv", 100)
	unmarked.Unmarked = true
	s := begin(t, plan("export", "publish", "Forecast Output", "Sales Hub")).at(1).resolved()
	s.at(10).add("publish", ledger.StepStarted{Try: 1}, unmarked, written("/out/copy.csv", 100), ledger.TryFailed{Try: 1}, ledger.StepStarted{Try: 2})
	s.at(20).add("publish", written("/out/forecast.csv", 120), ledger.StepEnded{Verdict: ledger.OK})
	r := New(s.end(), Options{})
	var got []string
	for _, f := range r.Steps[0].Outputs {
		got = append(got, fmt.Sprintf("%s %d", f.Path, f.Bytes))
	}
	if diff := cmp.Diff([]string{"/out/forecast.csv 120", "/out/copy.csv 100"}, got); diff != "" || r.Steps[0].Output.Bytes != 120 {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if r.Transfers.Count != 3 || r.Transfers.Bytes != 320 {
		t.Errorf("in all %+v", r.Transfers)
	}
	var text bytes.Buffer
	if err := Text(&text, r, TextOptions{Width: 140}); err != nil || strings.Count(text.String(), "/out/forecast.csv") != 1 {
		t.Errorf("%v\n%s", err, text.String())
	}
}

func TestWordsOfTransfers(t *testing.T) {
	for _, tt := range []struct {
		bytes, wire int64
		took        time.Duration
		want        string
	}{
		{1_234_567, 0, 0, "1.2 MB"},
		{1_234_567, 1_234_567, 2400 * time.Millisecond, "1.2 MB in 2.4s, 514 kB/s"},
		{1286, 639, 400 * time.Microsecond, "1.3 kB (639 bytes over the line) in 1ms, 3.2 MB/s"},
		{66513, 23215, 42 * time.Millisecond, "67 kB (23 kB over the line) in 42ms, 1.6 MB/s"},
		{66513, 133026, 70 * time.Millisecond, "67 kB (133 kB over the line) in 0.1s, 950 kB/s"},
		{80_000_000_000, 9_000_000_000, 2 * time.Hour, "80 GB (9.0 GB over the line) in 2h 00m, 11 MB/s"},
	} {
		f := File{Bytes: tt.bytes}.moved(tt.wire, tt.took)
		if got := f.Words(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
