package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data/dump"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/sqlite"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func ledgerFlag() cli.Flag {
	return &cli.StringFlag{Name: "ledger", Usage: "`FILE` of the record of runs [$ANAPLAN_LEDGER]; default: the connection's, else one for this machine or user", Category: "Record:", TakesFile: true}
}

// book is the ledger, and the folder beside it with what belongs to its runs.
type book struct {
	*sqlite.Ledger
	Folder string // failure dumps and reports, in a folder for each run
}

// ledgerPath is where the ledger lies.
func (p *Program) ledgerPath(c *cli.Context, ofConnection string) (string, error) {
	path, err := sqlite.ThisMachine().Choose(c.String("ledger"), p.env("ANAPLAN_LEDGER"), ofConnection)
	if err != nil {
		return "", &failure{code: ledger.CodeUsage, cause: ledger.CauseConfig, what: err.Error(), next: "give --ledger FILE", err: err}
	}
	return path, nil
}

// usualLedger is where the ledger lies that commands look into without an option.
func (p *Program) usualLedger() (string, error) {
	return sqlite.ThisMachine().Choose("", p.env("ANAPLAN_LEDGER"), "")
}

// openLedger opens the ledger for a run, and makes it if it is not there. A later try of
// its caller makes none: the first may have started something, and the third must not
// find what the second made.
func (p *Program) openLedger(c *cli.Context, ofConnection string) (*book, error) {
	path, err := p.ledgerPath(c, ofConnection)
	if err != nil {
		return nil, err
	}
	try, open := p.tryNumber(c), sqlite.Open
	if try > 1 {
		open = sqlite.OpenExisting
	}
	l, err := open(c.Context, path)
	switch {
	case errors.Is(err, sqlite.ErrMissing):
		return nil, firstTryElsewhere(try, path, err)
	case err != nil:
		return nil, ledgerFailure(err)
	}
	return &book{l, sqlite.Dir(l.Where())}, nil
}

// firstTryElsewhere is the failure of a later try that finds no ledger.
func firstTryElsewhere(try int, path string, err error) error {
	return &failure{code: ledger.CodeUnsure, cause: ledger.CauseStartUnknown, err: err,
		what: fmt.Sprintf("this is try %d, and there is no ledger %s: the record of the first try is not here, so it cannot be told what it started", try, path),
		next: "name the ledger of the first try with --ledger; or look at Anaplan's tasks, and run it with --try 1"}
}

// recordPlaceFlags say which ledger to look into: by itself, or by a connection.
func recordPlaceFlags() []cli.Flag {
	return []cli.Flag{
		ledgerFlag(),
		&cli.StringFlag{Name: "connection", Usage: "the ledger of the connection `NAME` [$ANAPLAN_CONNECTION]; default: of the only one", Category: "Record:"},
		&cli.StringFlag{Name: "connections", Usage: "`FILE` with the connections; default: connections.toml here, then the machine's", Category: "Record:", TakesFile: true},
	}
}

// readLedger opens the ledger to look into it; it makes none. Without a --connection, one
// that cannot be read names no ledger.
func (p *Program) readLedger(c *cli.Context) (*book, error) {
	conn, err := p.savedConnection(c)
	if err != nil && (p.setting(c, "connection") != "" || c.IsSet("connections")) {
		return nil, err
	}
	path, err := p.ledgerPath(c, conn.Ledger)
	if err != nil {
		return nil, err
	}
	l, err := sqlite.OpenExisting(c.Context, path)
	if errors.Is(err, sqlite.ErrMissing) {
		return nil, usage("no job has run with it yet; --ledger FILE or $ANAPLAN_LEDGER names another", "there is no ledger %s", path)
	}
	if err != nil {
		return nil, ledgerFailure(err)
	}
	return &book{l, sqlite.Dir(l.Where())}, nil
}

// ledgerFailure is an error of the ledger's file: our disk, not the job.
func ledgerFailure(err error) error {
	f := &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: err.Error(), err: err}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		f.what, f.next = e.What(), e.Next
	}
	return f
}

// tryNumber is which try of its caller this is, as far as the caller says.
func (p *Program) tryNumber(c *cli.Context) int {
	if c.IsSet("try") {
		return c.Int("try")
	}
	n, _ := strconv.Atoi(p.env("AIRFLOW_CTX_TRY_NUMBER")) // something else is no number of a try
	return n
}

// state folds a run.
func (b *book) state(ctx context.Context, id ledger.ID) (ledger.State, error) {
	events, err := b.Events(ctx, id, 0)
	if err != nil {
		return ledger.State{}, err
	}
	return ledger.Fold(events)
}

// dirOf is the folder of a run's failure dumps and reports.
func (b *book) dirOf(r report.Report) string {
	return filepath.Join(b.Folder, ledger.DirName(ledger.ID{Job: r.Job, Run: r.Run}))
}

// report is a run's report, with the rejected rows that its job allows.
func (b *book) report(s ledger.State) report.Report {
	return report.New(s, report.Options{Ledger: b.Where(), Rejected: firstRejected})
}

// firstRejected reads the beginning of a failure dump.
func firstRejected(path string, most int) (report.Rejected, error) {
	f, err := os.Open(path)
	if err != nil {
		return report.Rejected{}, err
	}
	defer f.Close()
	t, err := dump.Read(f, most)
	if err != nil {
		return report.Rejected{}, err
	}
	found := report.Rejected{Columns: t.Columns, More: t.More}
	for _, row := range t.Rows {
		found.Rows = append(found.Rows, report.Row{Status: row.Status, Line: row.Line, Cells: row.Cells, Errors: row.Errors})
	}
	return found, nil
}

// logEvent tells an event that another process recorded.
func (p *Program) logEvent(e ledger.Event) {
	level, text := jobs.Words(e.Body)
	l := p.log.WithTime(e.At)
	if e.Step != "" {
		l = l.WithField("step", e.Step)
	}
	l.Log(level, text)
}

// checkLedger says whether tonight's run could be recorded, without making a ledger.
func (p *Program) checkLedger(c *cli.Context, t *tonight, r *checked) {
	conn, err := t.connection("")
	if err != nil {
		return // told already
	}
	path, err := p.ledgerPath(c, conn.Ledger)
	if err != nil {
		r.fail(err)
		return
	}
	l, err := sqlite.OpenExisting(c.Context, path)
	try := p.tryNumber(c)
	switch {
	case errors.Is(err, sqlite.ErrMissing) && try > 1:
		r.fail(firstTryElsewhere(try, path, err))
	case errors.Is(err, sqlite.ErrMissing):
		if err := writableTarget(path); err != nil {
			r.fail(ledgerFailure(fmt.Errorf("the ledger cannot be made in %s: %w", filepath.Dir(path), err)))
			return
		}
		r.ok("the ledger %s will be made", path)
	case err != nil:
		r.fail(ledgerFailure(err))
	default:
		r.ok("the ledger is %s", l.Where())
		_ = l.Close()
	}
}

// completeRuns completes run ids from the ledger.
func (p *Program) completeRuns(c *cli.Context) { p.completeFrom(c, ledger.Query{Limit: 20}) }

func (p *Program) completeFrom(c *cli.Context, q ledger.Query) {
	book, err := p.readLedger(c)
	if err != nil {
		return
	}
	defer book.Close()
	found, err := book.Runs(c.Context, q)
	if err != nil {
		return
	}
	for _, s := range found {
		fmt.Fprintln(p.Out, s.ID.Run)
	}
}
