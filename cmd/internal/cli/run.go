package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func (p *Program) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "runs a job", ArgsUsage: "JOB.toml",
		Description: "Logs in, finds every name of the job file, looks at every source, and only then starts anything.\n" +
			"What happened is recorded in the ledger, step by step; the exit code says it too.\n\n" +
			"With --run-id a call that is repeated does not repeat the run: what has ended is told again.",
		Flags: flags(jobFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "start and upload nothing: it is a check", Category: "Job:"},
			&cli.BoolFlag{Name: "again", Usage: "run a closed run id once more, as ID#2", Category: "Job:"},
		}, recordFlags(), outputFlags(), logFlags()),
		Action: p.doRun,
	}
}

// recordFlags say where a run is recorded and what is made of it.
func recordFlags() []cli.Flag {
	return []cli.Flag{
		ledgerFlag(),
		&cli.StringFlag{Name: "report", Usage: "also write the report as one HTML page to `FILE`", Category: "Record:", TakesFile: true},
		&cli.IntFlag{Name: "skip-code", Usage: "exit code when every step was skipped, such as 99 for Airflow's skip_on_exit_code", Category: "Record:",
			Action: func(_ *cli.Context, code int) error {
				if code < 0 || code > 255 {
					return usage("write --skip-code 99", "--skip-code: %d is no exit code", code)
				}
				return nil
			}},
		&cli.IntFlag{Name: "try", Usage: "this is try `N` of the caller's, so the record of the first must be here [$AIRFLOW_CTX_TRY_NUMBER]", Category: "Record:"},
	}
}

func (p *Program) doRun(c *cli.Context) error {
	switch {
	case c.Bool("dry-run") && c.IsSet("report"):
		return usage("leave out --report; --result-file has what was found", "a dry run has no report")
	case c.Bool("dry-run"):
		return p.doCheck(c)
	case c.Bool("again") && !c.IsSet("run-id"):
		return usage("give both; without a --run-id each run is a new one", "--again needs --run-id")
	}
	p.startLog(c)
	file, err := jobFile(c)
	if err != nil {
		return err
	}
	t, err := p.tonight(c, file)
	if err != nil {
		return err
	}
	conn, err := t.connection("")
	if err != nil {
		return err
	}
	book, err := p.openLedger(c, conn.Ledger)
	if err != nil {
		return err
	}
	defer book.Close()
	return p.perform(c, t, p.tenantsOf(t.connection), book, c.String("report"))
}

// perform makes a run and tells how it ended. page is where its report is written too, if
// not empty.
func (p *Program) perform(c *cli.Context, t *tonight, tenants *tenants, book *book, page string) error {
	// Whoever reads our lines may go away: what has been started is watched all the same.
	signal.Ignore(syscall.SIGPIPE)
	p.log.Infof("ledger: %s", book.Where())
	p.warn(t)
	if told, err := p.recorded(c, book, t); told || err != nil {
		return err
	}
	ctx, done := p.stoppable(c.Context)
	defer done()
	defer func() { tenants.closeWithin(logoutLimit(ctx)) }()
	last, cancel := outlive(ctx, lastWords)
	defer cancel()
	runner := &jobs.Runner{Ledger: book, Connect: tenants.Connect, Dir: book.Folder, Log: p.log, Watch: p.watch(c), Now: p.Now,
		Version: Version(), Poll: p.poll(t)}
	state, err := runner.Run(ctx, jobs.Request{ID: t.id, Plan: t.plan, Params: t.params, Date: t.date, Runner: thisRunner()})
	if state.Created.ID == (ledger.ID{}) {
		if recorded, lost := book.state(c.Context, t.id); errors.Is(err, ledger.ErrConflict) && lost == nil {
			return p.tellRecorded(c, book, recorded) // another runner was a moment earlier
		}
		return err
	}
	return p.conclude(last, c, t, book, page, state, err)
}

// poll is how often tasks are polled: as Anaplan wants it, unless every connection of the
// job leads to a simulator.
func (p *Program) poll(t *tonight) func(time.Duration) time.Duration {
	names := []string{""}
	for _, s := range t.job.Steps {
		names = append(names, s.Connection)
	}
	speed := 0.0
	for _, name := range names {
		conn, err := t.connection(name)
		if err != nil {
			return nil
		}
		hosts, err := hostsOf(conn)
		if err != nil {
			return nil
		}
		if s := p.simulatorSpeed(hostOf(hosts.API)); speed == 0 || s < speed {
			speed = s
		}
	}
	if speed <= 1 {
		return nil
	}
	return func(age time.Duration) time.Duration {
		return time.Duration(float64(jobs.PollEvery(time.Duration(float64(age)*speed))) / speed)
	}
}

// conclude tells how a run ended: the report beside the ledger, the program that wants to
// be told, the result. lost is the error of a ledger that failed on the way. ctx ends when
// there is just the time left to write the result.
func (p *Program) conclude(ctx context.Context, c *cli.Context, t *tonight, book *book, page string, state ledger.State, lost error) error {
	p.endScreen()
	r := book.report(state)
	if lost != nil {
		r = withLostLedger(r, lost)
	}
	p.writeReports(book, r, page)
	code := *r.Code
	if r.Verdict == ledger.Skipped {
		code = c.Int("skip-code")
		r.Code = &code
	}
	var result bytes.Buffer
	if err := report.JSON(&result, r); err != nil {
		return err
	}
	if t.job.OnEnd != nil {
		ctx, cancel := context.WithTimeout(ctx, onEndLimit(r))
		defer cancel()
		if started, err := jobs.RunOnEnd(ctx, t.job.OnEnd, r.Verdict, result.Bytes(), t.job.Dir, p.Err); err != nil {
			p.log.Error(err)
		} else if started {
			p.log.Infof("on_end: %s was told", t.job.OnEnd.Command[0])
		}
	}
	return p.tell(c, code, r)
}

// logoutLimit is how long the logout may take: a token ends by itself, and a run that was
// stopped has to be gone soon.
func logoutLimit(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return 400 * time.Millisecond
	}
	return logoutPatience
}

// onEndLimit is how long the program that is told of a run's end may take: a stopped run
// has to be gone soon.
func onEndLimit(r report.Report) time.Duration {
	if r.Stopped != "" {
		return time.Second
	}
	return time.Minute
}

// tell is the result of a run: text or JSON.
func (p *Program) tell(c *cli.Context, code int, r report.Report) error {
	return p.finish(c, code, r, func(w io.Writer) error {
		return report.Text(w, r, report.TextOptions{Width: width(p.Out), Colour: p.colour(p.Out)})
	})
}

// withLostLedger is the report of a run whose ledger failed before its end.
func withLostLedger(r report.Report, lost error) report.Report {
	if r.Code == nil || *r.Code == ledger.CodeOK {
		code := ledger.CodeInternal
		r.Verdict, r.Cause, r.Code = ledger.Failed, ledger.CauseInternal, &code
	}
	r.Message = "the ledger failed, so nothing more was started: " + lost.Error()
	r.Next = "see that its disk has room and can be written; look at the tasks that are listed before you run the job again"
	return r
}

// writeReports writes the HTML page beside the ledger, and to page if that is not empty.
// That it cannot be written changes no verdict.
func (p *Program) writeReports(book *book, r report.Report, page string) {
	dir := book.dirOf(r)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.log.Errorf("write the report: %v", err)
	} else {
		p.writeReport(filepath.Join(dir, "report.html"), r)
	}
	if page != "" {
		p.writeReport(page, r)
	}
}

func (p *Program) writeReport(path string, r report.Report) {
	err := transfer.Place(path, 0o600, func(f *os.File) error { return report.HTML(f, r) })
	if err != nil {
		p.log.Errorf("write the report %s: %v", path, err)
		return
	}
	p.log.Infof("report: %s", path)
}

// recorded looks whether a run of this id is in the ledger. It tells what is known of it
// then, and starts nothing.
func (p *Program) recorded(c *cli.Context, book *book, t *tonight) (told bool, err error) {
	if !c.IsSet("run-id") {
		return false, nil
	}
	for n := 1; ; n++ {
		id := t.id
		if n > 1 {
			id.Run = fmt.Sprintf("%s#%d", t.id.Run, n)
		}
		state, err := book.state(c.Context, id)
		if errors.Is(err, ledger.ErrNoRun) {
			if n > 1 {
				p.log.Infof("run %q is closed; this one is %q", t.id.Run, id.Run)
			}
			t.id = id
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if c.Bool("again") && state.Closed() {
			continue
		}
		return true, p.tellRecorded(c, book, state)
	}
}

// tellRecorded tells what the ledger knows of a run that is not started again.
func (p *Program) tellRecorded(c *cli.Context, book *book, state ledger.State) error {
	r := book.report(state)
	code := ledger.CodeUnsure
	switch {
	case state.End != nil && state.Closed():
		p.log.Warnf("run %q of job %q is closed: nothing was started. --again runs it once more", r.Run, r.Job)
		code = state.End.Code
		if r.Verdict == ledger.Skipped {
			code = c.Int("skip-code")
		}
	case state.End != nil:
		p.log.Warnf("run %q of job %q has ended %s: nothing was started. Continuing a run is not there yet; give another --run-id for a new one", r.Run, r.Job, r.Verdict)
		code = state.End.Code
	default:
		alive := ""
		if runner := state.Created.Runner; runner.Host == thisRunner().Host {
			alive = fmt.Sprintf(" by process %d on this machine", runner.PID)
		}
		r.Verdict, r.Cause = ledger.Unsure, ledger.CauseStartUnknown
		r.Message = fmt.Sprintf("the run was begun%s and has no end: it still runs, or its runner died; nothing was started now", alive)
		r.Next = "look at the tasks that are listed (" + name + " tasks VERB NAME); then run the job with another --run-id"
	}
	r.Code = &code
	return p.tell(c, code, r)
}

// thisRunner says who runs, for the record.
func thisRunner() ledger.Runner {
	r := ledger.Runner{PID: os.Getpid()}
	r.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		r.User = u.Username
	}
	return r
}
