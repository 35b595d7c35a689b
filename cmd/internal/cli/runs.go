package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func (p *Program) runsCommand() *cli.Command {
	return &cli.Command{
		Name: "runs", Usage: "tells what happened: lists runs, shows one, finds its failure dumps",
		Flags: flags(recordPlaceFlags(), []cli.Flag{
			&cli.StringFlag{Name: "job", Usage: "only runs of the job `NAME`", Category: "Record:"},
			spanFlag("since", 0, "only runs begun within `TIME`, such as 7d or 48h", "Record:"),
			&cli.BoolFlag{Name: "open", Usage: "only runs in which something is left to do", Category: "Record:"},
			&cli.IntFlag{Name: "limit", Value: 50, Usage: "at most `N`, the latest first", Category: "Record:"},
		}, outputFlags(), logFlags()),
		Action: func(c *cli.Context) error {
			if c.Args().Len() > 0 {
				return p.noCommand(c)
			}
			return p.doRuns(c)
		},
		Subcommands: []*cli.Command{
			{
				Name: "show", Usage: "shows the report of a run", ArgsUsage: "RUN",
				Flags: flags(recordPlaceFlags(), []cli.Flag{
					jobOfRunFlag(),
					&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "tell each event until the run has ended", Category: "Record:"},
					&cli.StringFlag{Name: "output", Value: "text", Usage: "form of the report on stdout: text, json or html", Category: "Output:"},
					&cli.StringFlag{Name: "result-file", Usage: "also write the report as JSON to `FILE`", Category: "Output:", TakesFile: true},
				}, logFlags()),
				Action: p.doRunsShow, BashComplete: p.completeRuns,
			},
			{
				Name: "dumps", Usage: "lists the failure dumps of a run: the rows that Anaplan rejected", ArgsUsage: "RUN",
				Flags: flags(recordPlaceFlags(), []cli.Flag{
					jobOfRunFlag(),
					&cli.StringFlag{Name: "step", Usage: "only those of the step `NAME`", Category: "Record:"},
					&cli.StringFlag{Name: "copy-to", Usage: "copy them into the folder `DIR`", Category: "Record:"},
				}, outputFlags(), logFlags()),
				Action: p.doRunsDumps, BashComplete: p.completeRuns,
			},
			p.runsPruneCommand(),
		},
	}
}

func jobOfRunFlag() cli.Flag {
	return &cli.StringFlag{Name: "job", Aliases: []string{"job-name"}, Usage: "`NAME` of the job, where several jobs have a run of this id", Category: "Record:"}
}

// listedRuns is the JSON of `runs`.
type listedRuns struct {
	Schema int         `json:"schema"`
	Ledger string      `json:"ledger"`
	Runs   []listedRun `json:"runs"`
}

type listedRun struct {
	Job      string         `json:"job"`
	Run      string         `json:"run"`
	Verdict  ledger.Verdict `json:"verdict"` // "" while it runs, or if its runner died
	Cause    ledger.Cause   `json:"cause"`
	ExitCode *int           `json:"exit_code"`
	Started  report.Time    `json:"started"`
	Ended    report.Time    `json:"ended"`
	Steps    int            `json:"steps"`
	Done     int            `json:"steps_ended"`
	Closed   bool           `json:"closed"`
}

func (p *Program) doRuns(c *cli.Context) error {
	p.startLog(c)
	book, err := p.readLedger(c)
	if err != nil {
		return err
	}
	defer book.Close()
	q := ledger.Query{Job: c.String("job"), Open: c.Bool("open"), Limit: c.Int("limit")}
	if d := length(c, "since"); d > 0 {
		q.Since = p.Now().Add(-d)
	}
	found, err := book.Runs(c.Context, q)
	if err != nil {
		return err
	}
	list := listedRuns{Schema: 1, Ledger: book.Where(), Runs: []listedRun{}}
	for _, s := range found {
		r := listedRun{Job: s.ID.Job, Run: s.ID.Run, Verdict: s.Verdict, Cause: s.Cause, Started: report.Time{Time: s.Started},
			Ended: report.Time{Time: s.Ended}, Steps: s.Steps, Done: s.Done, Closed: s.Closed}
		if !s.Ended.IsZero() {
			r.ExitCode = &s.Code
		}
		list.Runs = append(list.Runs, r)
	}
	return p.finish(c, ledger.CodeOK, list, list.text)
}

func (l listedRuns) text(w io.Writer) error {
	if len(l.Runs) == 0 {
		_, err := fmt.Fprintf(w, "no runs in ledger %s\n", l.Ledger)
		return err
	}
	rows := [][]string{{"STARTED", "JOB", "RUN", "VERDICT", "CODE", "STEPS", "TOOK"}}
	for _, r := range l.Runs {
		verdict, code, took := "no end", "", ""
		if r.Verdict != "" {
			verdict = string(r.Verdict)
		}
		if r.ExitCode != nil {
			code = fmt.Sprint(*r.ExitCode)
			took = r.Ended.Sub(r.Started.Time).Round(time.Second).String()
		}
		rows = append(rows, []string{r.Started.Local().Format("2006-01-02 15:04:05"), r.Job, r.Run, verdict, code,
			fmt.Sprintf("%d/%d", r.Done, r.Steps), took})
	}
	return writeTable(w, rows)
}

// openRun opens the ledger to look into it, and finds the run that a person means by its id.
func (p *Program) openRun(c *cli.Context, job string) (*book, ledger.State, error) {
	book, err := p.readLedger(c)
	if err != nil {
		return nil, ledger.State{}, err
	}
	state, err := p.findRun(c, book, job)
	if err != nil {
		book.Close()
		return nil, ledger.State{}, err
	}
	return book, state, nil
}

// findRun finds the run that a person means by its id.
func (p *Program) findRun(c *cli.Context, book *book, job string) (ledger.State, error) {
	args, err := arguments(c, "RUN")
	if err != nil {
		return ledger.State{}, err
	}
	if args[0] == "" { // a variable that is not set; a query would find every run
		return ledger.State{}, usage("`"+name+" runs` lists the runs", "RUN is empty")
	}
	found, err := book.Runs(c.Context, ledger.Query{Job: job, Run: args[0]})
	if err != nil {
		return ledger.State{}, err
	}
	switch len(found) {
	case 0:
		return ledger.State{}, usage("`"+name+" runs` lists them; --ledger names another ledger", "there is no run %q in ledger %s", args[0], book.Where())
	case 1:
		return book.state(c.Context, found[0].ID)
	}
	var of []string
	for _, s := range found {
		of = append(of, fmt.Sprintf("%q", s.ID.Job))
	}
	flag := "--job"
	if c.Command.Name == "resume" {
		flag = "--job-name"
	}
	return ledger.State{}, usage("say which with "+flag+": "+strings.Join(of, ", "), "%d jobs have a run %q", len(found), args[0])
}

func (p *Program) doRunsShow(c *cli.Context) error {
	form := c.String("output")
	if err := oneOf("--output", form, "text", "json", "html"); err != nil {
		return err
	}
	p.startLog(c)
	book, state, err := p.openRun(c, c.String("job"))
	if err != nil {
		return err
	}
	defer book.Close()
	if c.Bool("follow") {
		if state, err = p.follow(c, book, state); err != nil {
			return err
		}
	}
	r := book.report(state)
	if form == "html" {
		return p.finish(c, ledger.CodeOK, r, func(w io.Writer) error { return report.HTML(w, r) })
	}
	return p.tell(c, ledger.CodeOK, r)
}

// followEvery is how often a ledger is looked at for something new.
const followEvery = time.Second

// follow tells the events of a run, until it has ended or somebody stops it.
func (p *Program) follow(c *cli.Context, book *book, state ledger.State) (ledger.State, error) {
	ctx, done := p.stoppable(c.Context)
	defer done()
	for state.End == nil {
		select {
		case <-ctx.Done():
			return state, nil
		case <-time.After(followEvery):
		}
		news, err := p.news(ctx, book, state)
		switch {
		case ctx.Err() != nil:
			return state, nil
		case err != nil:
			return state, err
		}
		state = news
	}
	return state, nil
}

// news takes in what has been recorded of a run since, and tells it, as far as its first end:
// it may have been continued since.
func (p *Program) news(ctx context.Context, book *book, state ledger.State) (ledger.State, error) {
	events, err := book.Events(ctx, state.Created.ID, state.Seq)
	if err != nil {
		return state, err
	}
	for _, e := range events {
		if state.End != nil {
			break
		}
		if err := state.Apply(e); err != nil {
			return state, err
		}
		p.logEvent(e)
	}
	return state, nil
}

// listedDumps is the JSON of `runs dumps`.
type listedDumps struct {
	Schema int          `json:"schema"`
	Job    string       `json:"job"`
	Run    string       `json:"run"`
	Dumps  []listedDump `json:"dumps"`
}

type listedDump struct {
	Step     string           `json:"step"`
	Of       ledger.ObjectRef `json:"of"`
	Path     string           `json:"path"`
	Bytes    int64            `json:"bytes"`
	Rejected int64            `json:"rejected"`
	Warned   int64            `json:"warned"`
	Reasons  []ledger.Reason  `json:"reasons"`
	Error    string           `json:"error"`
}

func (p *Program) doRunsDumps(c *cli.Context) error {
	p.startLog(c)
	book, state, err := p.openRun(c, c.String("job"))
	if err != nil {
		return err
	}
	defer book.Close()
	list := listedDumps{Schema: 1, Job: state.Created.ID.Job, Run: state.Created.ID.Run, Dumps: []listedDump{}}
	known := false
	for _, s := range state.Steps {
		if only := c.String("step"); only != "" && only != s.Plan.Name {
			continue
		}
		known = true
		for _, d := range s.Dumps {
			one := listedDump{Step: s.Plan.Name, Of: d.Of, Path: d.Path, Bytes: d.Bytes, Rejected: d.Dump.Rejected, Warned: d.Dump.Warned,
				Reasons: append([]ledger.Reason{}, d.Dump.Reasons...), Error: d.Error}
			if to := c.String("copy-to"); to != "" && d.Path != "" {
				if one.Path, err = copyDump(d.Path, to); err != nil {
					return &failure{code: ledger.CodeInput, cause: ledger.CauseInput, err: err, what: fmt.Sprintf("copy %s to %s: %v", d.Path, to, err),
						next: "see that the dump is still there and the folder can be written"}
				}
			}
			list.Dumps = append(list.Dumps, one)
		}
	}
	if !known {
		return usage("`"+name+" runs show RUN` lists its steps", "run %q has no step %q", list.Run, c.String("step"))
	}
	return p.finish(c, ledger.CodeOK, list, list.text)
}

// copyDump copies a dump for its owner only: rejected rows are people's data.
func copyDump(path, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	to := filepath.Join(dir, filepath.Base(path))
	return to, data.Place(to, 0o600, func(out *os.File) error {
		_, err := io.Copy(out, f)
		return err
	})
}

func (l listedDumps) text(w io.Writer) error {
	if len(l.Dumps) == 0 {
		_, err := fmt.Fprintf(w, "run %s has no failure dumps\n", l.Run)
		return err
	}
	for _, d := range l.Dumps {
		where := d.Path
		if d.Error != "" {
			where = "could not be had: " + d.Error
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %d rejected, %d with warnings\n  %s\n", d.Step, nameOf(d.Of), d.Rejected, d.Warned, where); err != nil {
			return err
		}
		for _, reason := range d.Reasons {
			if _, err := fmt.Fprintf(w, "  %6d  %s\n", reason.Count, reason.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
