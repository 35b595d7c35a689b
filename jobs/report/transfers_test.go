package report

import (
	"testing"
	"time"

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
