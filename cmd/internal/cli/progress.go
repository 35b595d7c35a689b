package cli

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// barTotal is the length of every bar: progress is a share.
const barTotal = 1000

// screen is the progress bars of a terminal: one for each step under way, one for all
// transfers when there are several, a line for each step that has ended, and the log's lines
// above them.
type screen struct {
	bars   *mpb.Progress
	steps  map[string]*stepBar
	moving map[transferOf]transfer.Moved // transfers under way
	all    *stepBar                      // of them; nil unless there are several
	cols   columns
	colour bool
	level  logrus.Level // of the log, when the bars have ended
}

// transferOf is a transfer: a step has one at a time, and one ahead of its turn.
type transferOf struct {
	step  string
	ahead bool
}

// stepBar is the bar of one step, or that of all transfers.
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
	p.screen = newScreen(p.plainErr, width(p.Err), p.colour(p.Err))
	p.log.SetOutput(p.filter.Writer(p.screen.bars))
	p.screen.level = p.log.GetLevel()
	if !c.Bool("debug") {
		p.log.SetLevel(logrus.WarnLevel)
	}
	return p.screen.show
}

func newScreen(w io.Writer, width int, colour bool, options ...mpb.ContainerOption) *screen {
	options = append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithWidth(min(width-2, 100))}, options...)
	return &screen{bars: mpb.New(options...), steps: map[string]*stepBar{}, moving: map[transferOf]transfer.Moved{}, cols: columnsOf(width), colour: colour}
}

// show is called from one goroutine at a time.
func (s *screen) show(p jobs.Progress) {
	s.together(p)
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
		bar = s.add(p.Step, len(s.steps))
		s.steps[p.Step] = bar
	}
	most := int64(barTotal - 1) // it ends with the verdict
	if p.Phase == jobs.PhaseUpload {
		most = barTotal
	}
	bar.set(progressText(p, s.cols.text), p.Done, most)
}

// together keeps the bar of all transfers.
func (s *screen) together(p jobs.Progress) {
	delete(s.moving, transferOf{p.Step, p.Ahead})
	switch {
	case p.End != nil:
		delete(s.moving, transferOf{p.Step, true})
	case p.Phase == jobs.PhaseUpload, p.Phase == jobs.PhaseDownload:
		s.moving[transferOf{p.Step, p.Ahead}] = p.Moved
	}
	switch {
	case len(s.moving) < 2 && s.all == nil:
		return
	case len(s.moving) < 2:
		s.all.bar.Abort(true)
		s.all = nil
		return
	case s.all == nil:
		s.all = s.add("all transfers", math.MaxInt32)
	}
	all := jobs.Moving("", "", "", transfer.Together(slices.Collect(maps.Values(s.moving))...))
	s.all.set(movedText("", all.Moved, s.cols.text), all.Done, barTotal)
}

// set draws a share, none if it is negative.
func (b *stepBar) set(text string, done float64, most int64) {
	b.text.Store(&text)
	b.bar.SetCurrent(min(int64(max(0, done)*barTotal), most))
}

// columns are the widths of what stands beside a bar; the bar has the rest.
type columns struct {
	name, text int
	elapsed    bool
}

func columnsOf(width int) columns {
	switch {
	case width >= 110:
		return columns{28, 56, true}
	case width >= 80:
		return columns{20, 38, true}
	case width >= 60:
		return columns{16, 28, true}
	}
	name := max(6, width/3-1)
	return columns{name, max(8, width-name-2), false}
}

func (s *screen) add(name string, priority int) *stepBar {
	b := &stepBar{since: time.Now()}
	after := []decor.Decorator{decor.Any(func(decor.Statistics) string {
		if text := b.text.Load(); text != nil {
			return " " + *text
		}
		return ""
	}, decor.WC{W: s.cols.text + 1, C: decor.DindentRight})}
	if s.cols.elapsed {
		after = append([]decor.Decorator{decor.Elapsed(decor.ET_STYLE_MMSS, decor.WCSyncSpace)}, after...)
	}
	b.bar = s.bars.New(barTotal+1, mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("─"),
		mpb.BarRemoveOnComplete(), mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Name(printable(shorten(name, s.cols.name)), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(after...))
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
	if s.all != nil {
		s.all.bar.Abort(true)
	}
	s.bars.Wait()
}

// progressText says what a step is doing, in so many letters.
func progressText(p jobs.Progress, most int) string {
	text := string(p.Phase)
	switch p.Phase {
	case jobs.PhaseUpload, jobs.PhaseDownload:
		return movedText(text+" ", p.Moved, most)
	case jobs.PhaseRun, jobs.PhaseWait, jobs.PhaseQueue:
		if p.Text != "" {
			text = p.Text
		}
	}
	return printable(shorten(text, most))
}

// movedText says how far a transfer is, and as much of that as there is room for.
func movedText(what string, m transfer.Moved, most int) string {
	words := m.Words()
	all := strings.Join(words, ", ")
	forms := []string{what + all, all}
	if m.Total > 0 {
		share := fmt.Sprintf("%d%%", int64(100*float64(m.Bytes)/float64(m.Total)))
		forms = append(forms, strings.Join(append([]string{share}, words[1:]...), ", "), share+", "+words[1], words[0], share)
	}
	for _, text := range append(forms, words[0]) {
		if len(text) <= most {
			return text
		}
	}
	return shorten(words[0], most)
}

func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
