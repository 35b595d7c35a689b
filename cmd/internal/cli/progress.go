package cli

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// barTotal is the length of every bar: progress is a share.
const barTotal = 1000

// screen is the progress bars of a terminal: one for each step under way, a line for each
// that has ended, and the log's lines above them.
type screen struct {
	bars   *mpb.Progress
	steps  map[string]*stepBar
	colour bool
	level  logrus.Level // of the log, when the bars have ended
}

// stepBar is the bar of one step.
type stepBar struct {
	bar   *mpb.Bar
	text  atomic.Pointer[string]
	since time.Time
}

// watch returns what shows the progress of a run: bars on a terminal; elsewhere nothing,
// for the log has a line for each event.
func (p *Program) watch(c *cli.Context) func(jobs.Progress) {
	if !isTerminal(p.Err) || p.env("TERM") == "dumb" || c.Bool("quiet") || c.String("log-format") == "json" {
		return nil
	}
	p.screen = newScreen(p.Err, width(p.Err), p.colour(p.Err))
	p.log.SetOutput(p.screen.bars)
	p.screen.level = p.log.GetLevel()
	if !c.Bool("debug") {
		p.log.SetLevel(logrus.WarnLevel)
	}
	return p.screen.show
}

func newScreen(w io.Writer, width int, colour bool, options ...mpb.ContainerOption) *screen {
	options = append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithWidth(min(width-2, 100))}, options...)
	return &screen{bars: mpb.New(options...), steps: map[string]*stepBar{}, colour: colour}
}

// show is called from one goroutine at a time.
func (s *screen) show(p jobs.Progress) {
	bar := s.steps[p.Step]
	if p.Ahead && p.Phase == jobs.PhaseEnd {
		if bar != nil {
			bar.bar.Abort(true)
			delete(s.steps, p.Step)
		}
		return
	}
	if p.End != nil {
		if bar != nil {
			bar.bar.Abort(true)
			delete(s.steps, p.Step)
		}
		s.ended(p, bar)
		return
	}
	if bar == nil {
		bar = s.add(p.Step)
		s.steps[p.Step] = bar
	}
	text := progressText(p)
	bar.text.Store(&text)
	switch {
	case p.Done >= 0 && p.Phase == jobs.PhaseUpload:
		bar.bar.SetCurrent(int64(p.Done * barTotal))
	case p.Done >= 0:
		bar.bar.SetCurrent(min(int64(p.Done*barTotal), barTotal-1)) // it ends with the verdict
	default:
		bar.bar.SetCurrent(0)
	}
}

func (s *screen) add(name string) *stepBar {
	b := &stepBar{since: time.Now()}
	b.bar = s.bars.New(barTotal+1, mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(printable(shorten(name, 28)), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS, decor.WCSyncSpace), decor.Any(func(decor.Statistics) string {
			if text := b.text.Load(); text != nil {
				return " " + *text
			}
			return ""
		}, decor.WC{W: 30, C: decor.DindentRight})))
	return b
}

// ended writes the line of a step that has ended.
func (s *screen) ended(p jobs.Progress, bar *stepBar) {
	if bar == nil && p.End.Verdict != ledger.Blocked {
		return // it was skipped
	}
	mark, colour := "✗", "31"
	switch p.End.Verdict {
	case ledger.OK:
		mark, colour = "✓", "32"
	case ledger.Partial, ledger.Blocked:
		mark, colour = "!", "33"
	}
	if s.colour {
		mark = "\x1b[" + colour + "m" + mark + "\x1b[0m"
	}
	line := fmt.Sprintf("%s %s: %s", mark, printable(p.Step), p.End.Verdict)
	if bar != nil {
		line += fmt.Sprintf(" (%s)", time.Since(bar.since).Round(100*time.Millisecond))
	}
	fmt.Fprintln(s.bars, line)
}

// endScreen ends the progress bars, if there are any.
func (p *Program) endScreen() {
	if p.screen == nil {
		return
	}
	p.screen.close()
	p.log.SetOutput(p.Err)
	p.log.SetLevel(p.screen.level)
	p.screen = nil
}

// close ends the bars; what is written to stdout afterwards stays below them.
func (s *screen) close() {
	for _, b := range s.steps {
		b.bar.Abort(true)
	}
	s.bars.Wait()
}

// progressText says what a step is doing, in few words.
func progressText(p jobs.Progress) string {
	text := string(p.Phase)
	switch p.Phase {
	case jobs.PhaseUpload, jobs.PhaseDownload:
		text += " " + size(p.Bytes)
		if p.Total > 0 {
			text += " of " + size(p.Total)
		}
	case jobs.PhaseRun, jobs.PhaseWait, jobs.PhaseQueue:
		if p.Text != "" {
			text = p.Text
		}
	}
	return printable(shorten(text, 40))
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
