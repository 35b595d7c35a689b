package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// film is a screen that is drawn when it is told to, inside a bubble.
type film struct {
	*screen
	out  bytes.Buffer
	draw chan any
}

func newFilm(width int) *film {
	f := &film{draw: make(chan any)}
	f.screen = newScreen(&f.out, width, false, mpb.WithManualRefresh(f.draw), mpb.WithWidth(width))
	return f
}

// frame is what is seen now.
func (f *film) frame() string {
	synctest.Wait()
	f.out.Reset()
	f.draw <- time.Now()
	synctest.Wait()
	return f.out.String()
}

func moving(step string, ahead bool, m transfer.Moved) jobs.Progress {
	p := jobs.Moving(step, jobs.PhaseUpload, step+".csv", m)
	p.Ahead = ahead
	return p
}

func TestBarsOfSeveralTransfers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFilm(120)
		defer f.close()
		expect := func(when string, want ...string) {
			t.Helper()
			got := f.frame()
			for _, w := range want {
				if absent, is := strings.CutPrefix(w, "!"); is == strings.Contains(got, absent) {
					t.Errorf("%s: want %q in\n%s", when, w, got)
				}
			}
		}
		one := transfer.Moved{Bytes: 12_300_000, Total: 80_000_000, Rate: 9_800_000, Left: 7 * time.Second}
		f.show(moving("sales", false, one))
		expect("one", "sales", "uploading 12.3 MB of 80.0 MB, 9.8 MB/s, 7s left", "!all transfers")
		two := transfer.Moved{Bytes: 700_000, Total: 20_000_000, Rate: 200_000, Left: time.Minute}
		f.show(moving("rates", true, two))
		expect("two", "uploading 12.3 MB of 80.0 MB", "uploading 700 kB of 20.0 MB, 200 kB/s, 1m 00s left",
			"all transfers", "13.0 MB of 100.0 MB, 10.0 MB/s, 9s left")
		one.Rate, one.Left = 0, -1
		f.show(moving("sales", false, one))
		expect("one stands", "12.3 MB of 80.0 MB, 0 B/s ", "13.0 MB of 100.0 MB, 200 kB/s, 7m 15s left")
		f.show(jobs.Progress{Step: "rates", Phase: jobs.PhaseEnd, Ahead: true, Done: 1})
		f.frame() // what has gone is drawn once more
		expect("one again", "12.3 MB of 80.0 MB, 0 B/s", "!all transfers", "!rates")
		f.show(moving("stores", false, two))
		f.show(jobs.Progress{Step: "sales", Phase: jobs.PhaseRun, Text: "Loading", Done: -1})
		f.frame()
		expect("the other", "Loading", "uploading 700 kB of 20.0 MB", "!all transfers")
		f.show(jobs.Progress{Step: "stores", Phase: jobs.PhaseEnd, End: &ledger.StepEnded{Verdict: ledger.OK}})
		f.frame()
		expect("none", "!20.0 MB", "!all transfers")
	})
}

// Every terminal shows a line for each bar, and on it how far it is.
func TestBarsFitTheTerminal(t *testing.T) {
	for _, width := range []int{20, 30, 40, 59, 60, 79, 80, 100, 109, 110, 200} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFilm(width)
				defer f.close()
				f.show(moving("a step with a long name, and more of it than fits", false,
					transfer.Moved{Bytes: 12_300_000, Total: 80_000_000, Rate: 9_800_000, Left: 123 * time.Minute}))
				f.show(moving("b", false, transfer.Moved{Bytes: 999_900_000, Total: -1, Rate: 999_900_000, Left: -1}))
				lines := strings.Split(strings.Trim(f.frame(), "\n"), "\n")
				for _, l := range lines {
					if n := runewidth.StringWidth(l); n > width {
						t.Errorf("%d columns: %s", n, l)
					}
				}
				want := "12.3 MB of 80.0 MB, 9.8 MB/s, 2h 03m left"
				switch {
				case width < 30:
					want = "15%"
				case width < 40:
					want = "15%, 9.8 MB/s"
				case width < 110:
					want = "15%, 9.8 MB/s, 2h 03m left"
				}
				if len(lines) != 3 || !strings.Contains(lines[0], want) {
					t.Errorf("want %q in\n%s", want, strings.Join(lines, "\n"))
				}
			})
		})
	}
}

func TestMovedTextTakesTheRoomThatIsThere(t *testing.T) {
	known := transfer.Moved{Bytes: 12_300_000, Total: 80_000_000, Rate: 9_800_000, Left: 7 * time.Second}
	unknown := transfer.Moved{Bytes: 12_300_000, Total: -1, Rate: 9_800_000, Left: -1}
	for _, tt := range []struct {
		of   transfer.Moved
		most int
		want string
	}{
		{known, 80, "uploading 12.3 MB of 80.0 MB, 9.8 MB/s, 7s left"},
		{known, 46, "12.3 MB of 80.0 MB, 9.8 MB/s, 7s left"},
		{known, 36, "15%, 9.8 MB/s, 7s left"},
		{known, 21, "15%, 9.8 MB/s"},
		{known, 12, "15%"},
		{unknown, 6, "12.3 …"},
		{unknown, 80, "uploading 12.3 MB, 9.8 MB/s"},
		{unknown, 26, "12.3 MB, 9.8 MB/s"},
		{unknown, 16, "12.3 MB"},
		{transfer.Moved{Total: 0, Left: 0}, 80, "uploading 0 B of 0 B, 0 B/s"},
	} {
		if got := movedText("uploading ", tt.of, tt.most); got != tt.want {
			t.Errorf("in %d columns %q, want %q", tt.most, got, tt.want)
		}
	}
}
