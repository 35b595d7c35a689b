package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data/dump"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/postgres"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/sqlite"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func ledgerFlag() cli.Flag {
	return &cli.StringFlag{Name: "ledger", Usage: "`FILE` or postgres:// address of the record of runs [$ANAPLAN_LEDGER]; default: the connection's, else one for this machine or user", Category: "Record:", TakesFile: true}
}

// book is the ledger, and the folder with what belongs to its runs: beside a file, else
// beside the file that would be this machine's ledger.
type book struct {
	ledger.Ledger
	Folder string // failure dumps and reports, in a folder for each run
	filter *secret.Filter
	option string // with which commands find it, as a part of a shell's line: " --ledger …"; empty if they find it without
}

// open opens a ledger, and makes it if it is not there and may be made. Without one, the
// error is sqlite.ErrMissing or postgres.ErrMissing.
func (p *Program) open(ctx context.Context, path string, create bool) (*book, error) {
	if !sqlite.InPostgres(path) {
		open := sqlite.OpenExisting
		if create {
			open = sqlite.Open
		}
		l, err := open(ctx, path)
		if err != nil {
			return nil, err
		}
		return &book{l, sqlite.Dir(l.Where()), p.filter, p.ledgerOption(l)}, nil
	}
	where, err := postgres.Where(path)
	if err != nil {
		return nil, err
	}
	dir, err := sqlite.ThisMachine().DirElsewhere(where)
	if err != nil {
		return nil, err
	}
	open := postgres.OpenExisting
	if create {
		open = postgres.Open
	}
	l, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	return &book{l, dir, p.filter, p.ledgerOption(l)}, nil
}

// ledgerOption is the option that commands need to find a ledger.
func (p *Program) ledgerOption(l ledger.Ledger) string {
	if usual, err := p.usualLedger(); err == nil && usual == l.Where() {
		return ""
	}
	return " --ledger " + word(l.Where())
}

// missing says whether there was no ledger to open.
func missing(err error) bool {
	return errors.Is(err, sqlite.ErrMissing) || errors.Is(err, postgres.ErrMissing)
}

// shownLedger is a ledger as it may be shown: an address may hold a password.
func shownLedger(path string) string {
	if !sqlite.InPostgres(path) {
		return path
	}
	where, err := postgres.Where(path)
	if err != nil {
		return "at this address"
	}
	return where
}

// ledgerPath is where the ledger lies: a file, or an address, which may hold a password.
func (p *Program) ledgerPath(c *cli.Context, ofConnection string) (string, error) {
	if given := c.String("ledger"); sqlite.InPostgres(given) && withPassword(given) {
		return "", usage("leave it out: it is taken from PGPASSWORD or ~/.pgpass; or give the address as $ANAPLAN_LEDGER",
			"--ledger: a password stands in it, and every user of this machine can see command lines")
	}
	path, err := sqlite.ThisMachine().Choose(c.String("ledger"), p.env("ANAPLAN_LEDGER"), ofConnection)
	if err != nil {
		return "", &failure{code: ledger.CodeUsage, cause: ledger.CauseConfig, what: err.Error(), next: "give --ledger FILE", err: err}
	}
	return path, nil
}

// withPassword says whether a password stands in an address, or may stand in what is none.
func withPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true
	}
	_, ok := u.User.Password()
	return ok || u.Query().Has("password")
}

// usualLedger is the ledger, as it shows itself, that commands look into without an option.
func (p *Program) usualLedger() (string, error) {
	path, err := sqlite.ThisMachine().Choose("", p.env("ANAPLAN_LEDGER"), "")
	return shownLedger(path), err
}

// openLedger opens the ledger for a run, and makes it if it is not there. A later try of
// its caller makes no file: the first may have started something, and the third must not
// find what the second made. A server is the same for all tries, wherever they run.
func (p *Program) openLedger(c *cli.Context, ofConnection string) (*book, error) {
	path, err := p.ledgerPath(c, ofConnection)
	if err != nil {
		return nil, err
	}
	try := p.tryNumber(c)
	b, err := p.open(c.Context, path, try <= 1 || sqlite.InPostgres(path))
	switch {
	case missing(err):
		return nil, firstTryElsewhere(try, path, err)
	case err != nil:
		return nil, ledgerFailure(err)
	}
	return b, nil
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
// that cannot be read names no ledger; with a --ledger none is asked.
func (p *Program) readLedger(c *cli.Context) (*book, error) {
	conn, err := p.savedConnection(c)
	if err != nil && !c.IsSet("ledger") && (p.setting(c, "connection") != "" || c.IsSet("connections")) {
		return nil, err
	}
	path, err := p.ledgerPath(c, conn.Ledger)
	if err != nil {
		return nil, err
	}
	b, err := p.open(c.Context, path, false)
	if missing(err) {
		return nil, usage("no job has run with it yet; --ledger FILE or $ANAPLAN_LEDGER names another", "there is no ledger %s", shownLedger(path))
	}
	if err != nil {
		return nil, ledgerFailure(err)
	}
	return b, nil
}

// ledgerFailure is an error of the ledger: our disk or our server, not the job.
func ledgerFailure(err error) error {
	if f := ledgerTrouble(err); f != nil {
		return f
	}
	return &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: err.Error(), err: err}
}

// ledgerTrouble is an error of the ledger that says itself what to do; nil for others.
func ledgerTrouble(err error) *failure {
	e, ok := errors.AsType[*ledger.StoreError](err)
	if !ok {
		return nil
	}
	f := &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: e.What(), next: e.Next, err: err}
	switch {
	case e.Away:
		f.code, f.cause = ledger.CodeTemporary, ledger.CauseNetwork
	case e.Where == "":
		f.code, f.cause = ledger.CodeUsage, ledger.CauseConfig
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

// state folds a run. One that is just being created is not there yet.
func (b *book) state(ctx context.Context, id ledger.ID) (ledger.State, error) {
	events, err := b.Events(ctx, id, 0)
	if err != nil {
		return ledger.State{}, err
	}
	if len(events) == 0 {
		return ledger.State{}, ledger.ErrNoRun
	}
	return ledger.Fold(events)
}

// dirOf is the folder of a run's failure dumps and reports.
func (b *book) dirOf(r report.Report) string {
	return filepath.Join(b.Folder, ledger.DirName(ledger.ID{Job: r.Job, Run: r.Run}))
}

// room says whether failure dumps can be kept: Anaplan gives them only once an import has
// run, and does not keep them.
func (b *book) room() error {
	err := os.MkdirAll(b.Folder, 0o700)
	if err == nil {
		var probe string
		if probe, err = os.MkdirTemp(b.Folder, "probe-"); err == nil {
			err = os.Remove(probe)
		}
	}
	if err == nil {
		return nil
	}
	return &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, err: err,
		what: fmt.Sprintf("failure dumps and reports could not be kept: %v; nothing was started", err),
		next: fmt.Sprintf("see that %s is a folder in which this user may write, on a disk with room; or name another ledger with --ledger", b.Folder)}
}

// report is a run's report, with the rejected rows that its job allows.
func (b *book) report(s ledger.State) report.Report {
	r := report.New(s, report.Options{Ledger: b.Where(), Rejected: firstRejected})
	if b.option == "" {
		return r
	}
	// The record may have been moved, so it does not say itself where it lies.
	complete := strings.NewReplacer(name+" resume ", name+" resume"+b.option+" ", name+" status", name+" status"+b.option).Replace
	r.Message, r.Next = complete(r.Message), complete(r.Next)
	for i := range r.Steps {
		t := &r.Steps[i]
		t.Message, t.Next = complete(t.Message), complete(t.Next)
	}
	return r
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
	b, err := p.open(c.Context, path, false)
	try := p.tryNumber(c)
	switch {
	case errors.Is(err, postgres.ErrMissing):
		r.ok("the ledger %s will be made", shownLedger(path))
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
		defer b.Close()
		if l, ok := b.Ledger.(*postgres.Ledger); ok {
			if err := l.Writable(c.Context); err != nil {
				r.fail(ledgerFailure(err))
				return
			}
		}
		r.ok("the ledger is %s", b.Where())
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
