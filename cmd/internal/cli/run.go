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
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func (p *Program) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "runs a job", ArgsUsage: "JOB.toml",
		Description: "Logs in, finds every name of the job file, looks at every source, and only then starts anything.\n" +
			"What happened is recorded in the ledger, step by step; the exit code says it too.\n\n" +
			"With --run-id a call that is repeated does not repeat the run: one that was stopped, or failed, is continued at\n" +
			"the first step that is not done; one that is closed, or unsure, is told again with its code.",
		Flags: flags(jobFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "start and upload nothing: it is a check", Category: "Job:"},
			&cli.BoolFlag{Name: "again", Usage: "run a closed run id once more, as ID#2", Category: "Job:"},
		}, recordFlags(), outputFlags(), logFlags()),
		Action: p.doRun,
	}
}

// resultFlags say what is made of a run.
func resultFlags() []cli.Flag {
	return []cli.Flag{
		memoryFlag(),
		&cli.StringFlag{Name: "report", Usage: "also write the report as one HTML page to `FILE`", Category: "Record:", TakesFile: true},
		&cli.IntFlag{Name: "skip-code", Usage: "exit code when every step was skipped, such as 99 for Airflow's skip_on_exit_code", Category: "Record:",
			Action: func(_ *cli.Context, code int) error {
				if code < 0 || code > 255 {
					return usage("write --skip-code 99", "--skip-code: %d is no exit code", code)
				}
				return nil
			}},
	}
}

// recordFlags say where a run is recorded and what is made of it.
func recordFlags() []cli.Flag {
	return flags([]cli.Flag{ledgerFlag()}, resultFlags(), []cli.Flag{
		&cli.IntFlag{Name: "try", Usage: "this is try `N` of the caller's, so the record of the first must be here [$AIRFLOW_CTX_TRY_NUMBER]", Category: "Record:"},
	})
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
	p.begin(book, t)
	for {
		state, there, err := p.recorded(c, book, t)
		if err != nil {
			return err
		}
		if there {
			return p.repeat(c, t, tenants, book, page, state)
		}
		err = p.work(c, t, tenants, book, page, func(ctx context.Context, runner *jobs.Runner) (ledger.State, error) {
			return runner.Run(ctx, jobs.Request{ID: t.id, Plan: t.plan, Params: t.params, Date: t.date, Runner: thisRunner()})
		})
		if !errors.Is(err, ledger.ErrConflict) || !c.IsSet("run-id") {
			return err
		}
		// Another runner was a moment earlier, and has ended since.
	}
}

// begin says first what a person must know of a run, whatever becomes of it.
func (p *Program) begin(book *book, t *tonight) {
	// Whoever reads our lines may go away: what has been started is watched all the same.
	signal.Ignore(syscall.SIGPIPE)
	p.log.Infof("ledger: %s", book.Where())
	if !strings.HasPrefix(book.Folder, book.Where()) {
		p.log.Infof("failure dumps and reports: %s", book.Folder)
	}
	p.warn(t)
}

// repeat is a call with the id of a run that is recorded: it goes on with what is left.
func (p *Program) repeat(c *cli.Context, t *tonight, tenants *tenants, book *book, page string, state ledger.State) error {
	if err := sameValues(c, state); err != nil {
		return err
	}
	if done(state) || state.End != nil && state.End.Verdict == ledger.Unsure {
		return p.tellRecorded(c, book, state)
	}
	then := jobs.Continuation{ID: state.Created.ID, Runner: thisRunner(), By: decider(), Overlap: t.job.Overlap}
	if t.source.Digest != state.Created.JobDigest {
		repair, err := p.repairOf(state, t.source)
		if err != nil {
			return err
		}
		then.Repair, t.job = repair, repair.Job
	} else {
		job, err := jobs.DecodeJob(state.Created.Job)
		if err != nil {
			return unreadable(state, err)
		}
		t.job = job
	}
	return p.goOn(c, t, tenants, book, page, state, then)
}

// work calls the engine, lets signals stop it, and tells how the run ended.
func (p *Program) work(c *cli.Context, t *tonight, tenants *tenants, book *book, page string,
	call func(context.Context, *jobs.Runner) (ledger.State, error)) error {
	if t.exit == nil { // cancel starts nothing
		if err := book.room(); err != nil {
			return err
		}
	}
	ctx, done := p.stoppable(c.Context)
	defer done()
	defer func() { tenants.closeWithin(logoutLimit(ctx)) }()
	last, cancel := outlive(ctx, lastWords)
	defer cancel()
	tenants.shareBy(book.Ledger)
	tenants.asked = true
	memory, err := memoryOf(c)
	if err != nil {
		return err
	}
	runner := &jobs.Runner{Ledger: book, Memory: memory, Connect: tenants.Connect, Warnings: tenants.certificateWarnings, Dir: book.Folder, Log: p.log, Watch: p.watch(c), Now: p.Now,
		Version: Version(), Speed: p.speed(t), Secrets: secretNames(t), Stores: p.stores()}
	state, err := call(ctx, runner)
	held, ok := errors.AsType[*ledger.HeldError](err)
	switch {
	case errors.Is(err, jobs.ErrClosed) && t.exit != nil:
		return p.tell(c, t.exit(state), book.report(state))
	case errors.Is(err, jobs.ErrClosed):
		return p.tellRecorded(c, book, state)
	case state.Created.ID != (ledger.ID{}):
		return p.conclude(last, c, t, book, page, state, err)
	case ok && t.job.Overlap == configs.OverlapSkip && c.Command.Name != "resume":
		return p.skip(c, t, book, held)
	case ok:
		return heldFailure(t.id, held)
	}
	return interrupted(ctx, err)
}

// secretNames are the environment variables from which the job's connections take secrets.
func secretNames(t *tonight) []string {
	var names []string
	for _, s := range append([]configs.Step{{}}, t.job.Steps...) {
		conn, err := t.connection(s.Connection)
		if err != nil {
			continue // told where it is used
		}
		for _, name := range variablesOf(conn) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// variablesOf are the environment variables from which one connection takes secrets.
func variablesOf(conn configs.Connection) []string {
	var names []string
	for _, text := range slices.Concat(conn.PrivateKeys, conn.Certificates,
		[]string{conn.Passphrase, conn.KeyPassphrase, conn.Password, conn.ProxyPassword, conn.Vault.Token, conn.Vault.SecretID}) {
		if ref, err := secret.ParseRef(text); err == nil && ref.Scheme == secret.Env {
			names = append(names, ref.Rest)
		}
	}
	return names
}

// skip is the end of a call that makes no run, for the job already runs.
func (p *Program) skip(c *cli.Context, t *tonight, book *book, held *ledger.HeldError) error {
	r := skippedRun{Schema: 1, Job: t.id.Job, Run: t.id.Run, Verdict: ledger.Skipped, ExitCode: c.Int("skip-code"), Ledger: book.Where(),
		Message: fmt.Sprintf("the job already runs, and overlap = \"skip\": %s", held.By)}
	return p.finish(c, r.ExitCode, r, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s skipped: %s; exit code %d\n", printable(r.Job), printable(r.Message), r.ExitCode)
		return err
	})
}

// speed is that of the simulator to which every connection of the job leads; 0 when one
// leads to Anaplan.
func (p *Program) speed(t *tonight) float64 {
	names := []string{""}
	for _, s := range t.job.Steps {
		names = append(names, s.Connection)
	}
	speed := 0.0
	for _, name := range names {
		conn, err := t.connection(name)
		if err != nil {
			return 0
		}
		hosts, err := hostsOf(conn)
		if err != nil {
			return 0
		}
		if s := p.simulatorSpeed(hostOf(hosts.API)); speed == 0 || s < speed {
			speed = s
		}
	}
	return speed
}

// conclude tells how a run ended: the report beside the ledger, the program that wants to
// be told, the result. lost is the error of a ledger that failed on the way. ctx ends when
// there is just the time left to write the result.
func (p *Program) conclude(ctx context.Context, c *cli.Context, t *tonight, book *book, page string, state ledger.State, lost error) error {
	p.endScreen()
	r := book.report(state)
	if lost != nil {
		r = withLostLedger(r, lost, about(book, "resume", state.Created.ID), about(book, "status", state.Created.ID))
	}
	noPage := p.writeReports(book, r, page)
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
		if started, err := jobs.RunOnEnd(ctx, t.job.OnEnd, r.Verdict, cleanJSON(p.filter, result.Bytes()), t.job.Dir, p.plainErr, secretNames(t)...); err != nil {
			p.log.Error(err)
		} else if started {
			p.log.Infof("on_end: %s was told", t.job.OnEnd.Command[0])
		}
	}
	if t.exit != nil {
		code = t.exit(state)
	}
	if noPage != nil {
		p.say(&failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: fmt.Sprintf("--report %s: %v", page, noPage), next: elsewhere}, c.String("log-format") == "json")
		if code == ledger.CodeOK {
			code = ledger.CodeInput
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

// withLostLedger is the report of a run whose ledger failed before its end; resume and
// status are the commands about it.
func withLostLedger(r report.Report, lost error, resume, status string) report.Report {
	if r.Code == nil || *r.Code == ledger.CodeOK {
		code := ledger.CodeInternal
		r.Verdict, r.Cause, r.Code = ledger.Failed, ledger.CauseInternal, &code
	}
	r.Message = "the ledger failed, so nothing more was started: " + lost.Error()
	r.Next = "put that right, then continue the run, which looks at what was started: " + resume
	if errors.Is(lost, ledger.ErrConflict) {
		r.Next = "another runner goes on with it: " + status
	}
	return r
}

// writeReports writes the HTML page beside the ledger, and to page if that is not empty. Its
// error is of the latter. That they cannot be written changes no verdict.
func (p *Program) writeReports(book *book, r report.Report, page string) error {
	dir := book.dirOf(r)
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = p.writeReport(filepath.Join(dir, "report.html"), r)
	}
	if err != nil {
		p.log.Errorf("write the report: %v", err)
	}
	if page == "" {
		return nil
	}
	return p.writeReport(page, r)
}

func (p *Program) writeReport(path string, r report.Report) error {
	err := data.Place(path, 0o600, func(f *os.File) error { return p.filtered(f, func(w io.Writer) error { return report.HTML(w, r) }) })
	if err == nil {
		p.log.Infof("report: %s", path)
	}
	return err
}

// recorded looks for the run of this id in the ledger; of the closed ones of an id with
// --again, for the one after them.
func (p *Program) recorded(c *cli.Context, book *book, t *tonight) (state ledger.State, there bool, err error) {
	if !c.IsSet("run-id") {
		return state, false, nil
	}
	first := t.id.Run
	for n := 1; ; n++ {
		if n > 1 {
			t.id.Run = fmt.Sprintf("%s#%d", first, n)
		}
		state, err := book.state(c.Context, t.id)
		if errors.Is(err, ledger.ErrNoRun) {
			if n > 1 {
				p.log.Infof("run %q is closed; this one is %q", first, t.id.Run)
			}
			return ledger.State{}, false, nil
		}
		if err != nil {
			return ledger.State{}, false, err
		}
		if !c.Bool("again") || !done(state) {
			return state, true, nil
		}
	}
}

// tellRecorded tells what the ledger knows of a run that has ended, and is not continued:
// it is closed, or a person has to decide.
func (p *Program) tellRecorded(c *cli.Context, book *book, state ledger.State) error {
	r := book.report(state)
	code := ledger.CodeOK
	if state.End != nil {
		code = state.End.Code
	}
	if state.Closed() {
		hint := ""
		if c.Command.Name == "run" {
			hint = "; --again runs it once more"
		}
		p.log.Warnf("run %q of job %q is closed: nothing was started%s", r.Run, r.Job, hint)
		if r.Verdict == ledger.Skipped {
			code = c.Int("skip-code")
		}
	} else {
		p.log.Warnf("run %q of job %q has ended %s: nothing was started; a person decides: %s with --adopt TASK, --again STEP or --accept STEP",
			r.Run, r.Job, r.Verdict, about(book, "resume", state.Created.ID))
	}
	r.Code = &code
	return p.tell(c, code, r)
}

// about is the call of a command about a run, as it can be pasted into a shell.
func about(book *book, command string, id ledger.ID) string {
	call := name + " " + command
	run := " " + word(id.Run)
	if strings.HasPrefix(id.Run, "-") { // else it is an option
		return call + book.option + " --" + run
	}
	return call + run + book.option
}

// word is a word of a shell's line.
func word(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:+@%,", r))
	}) {
		return s
	}
	if runtime.GOOS == "windows" {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
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
