package cli

import (
	"crypto/rand"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// jobFlags say how a job file is to be read, for the commands that take one.
func jobFlags() []cli.Flag {
	return []cli.Flag{
		connectionsFlag(),
		&cli.StringSliceFlag{Name: "param", Aliases: []string{"p"}, Usage: "`NAME=VALUE` of a parameter of the job; may be repeated", Category: "Job:"},
		&cli.StringFlag{Name: "date", Usage: "run.date as `YYYY-MM-DD`; default: today in the job's time zone", Category: "Job:"},
		&cli.StringFlag{Name: "run-id", Usage: "`ID` of the run, of 1 to 250 characters; default: made from the time", Category: "Job:"},
		&cli.StringSliceFlag{Name: "only", Usage: "run only the step `NAME`; may be repeated; the others are skipped", Category: "Job:"},
		&cli.StringFlag{Name: "from", Usage: "begin at the step `NAME`; those above it are skipped", Category: "Job:"},
	}
}

// tonight is a job as it would run now.
type tonight struct {
	source     *configs.Job // as written; nil if it comes from a run's record
	job        *configs.Job // expanded
	plan       *jobs.Plan
	params     map[string]string
	date       time.Time
	id         ledger.ID
	warnings   []string                                      // for people, to be told by [Program.warn]
	connection func(name string) (configs.Connection, error) // by the name in the job, "" for the job's own
	exit       func(ledger.State) int                        // the exit code of a command that does not end with the run's; else nil
}

// tonight reads a job file and plans it. Nothing is sent.
func (p *Program) tonight(c *cli.Context, file string) (*tonight, error) {
	job, err := configs.Load(file)
	if err != nil {
		return nil, err
	}
	saved, err := configs.LoadConnections(c.String("connections"), job.File, p.env)
	if err != nil {
		return nil, err
	}
	t, err := p.plan(c, job)
	if err != nil {
		return nil, err
	}
	t.warnings = append(p.ignoredVariables(), t.warnings...)
	t.connection = func(name string) (configs.Connection, error) {
		return t.job.ConnectionFor(configs.Step{Connection: name}, saved)
	}
	return t, nil
}

// plan makes a run of a job, with the parameters, date and id of the flags.
func (p *Program) plan(c *cli.Context, job *configs.Job) (*tonight, error) {
	t := &tonight{source: job, id: ledger.ID{Job: job.Name}}
	given, err := params(c.StringSlice("param"))
	if err != nil {
		return nil, err
	}
	if t.params, err = job.ParamValues(given); err != nil {
		return nil, err
	}
	if t.date, err = p.date(c, job.Timezone); err != nil {
		return nil, err
	}
	if t.id.Run, err = p.runID(c); err != nil {
		return nil, err
	}
	t.job, err = job.Expand(configs.Values{Params: t.params, Env: p.Getenv, RunID: t.id.Run, Date: t.date})
	if err != nil {
		return nil, err
	}
	for _, w := range t.job.Warnings {
		t.warnings = append(t.warnings, w.String())
	}
	t.plan, err = jobs.NewPlan(t.job, jobs.Selection{Only: c.StringSlice("only"), From: c.String("from")})
	if err != nil {
		return nil, selectionError(err)
	}
	return t, nil
}

// warn tells what there is to be warned of: of a run not before its ledger is named.
func (p *Program) warn(t *tonight) {
	for _, w := range t.warnings {
		p.log.Warn(w)
	}
}

// jobFile is the argument of commands that take a job file.
func jobFile(c *cli.Context) (string, error) {
	args, err := arguments(c, "JOB.toml")
	if err != nil {
		return "", err
	}
	return args[0], nil
}

// selectionError makes what is wrong with --only and --from wrong usage.
func selectionError(err error) error {
	problems := problemsOf(err)
	for _, p := range problems {
		if !strings.HasPrefix(p.Key, "--") {
			return err
		}
	}
	if len(problems) == 0 {
		return err
	}
	return usage(problems[0].Instead, "%s: %s", problems[0].Key, problems[0].What)
}

func params(given []string) (map[string]string, error) {
	values := map[string]string{}
	for _, g := range given {
		key, value, ok := strings.Cut(g, "=")
		if !ok || key == "" {
			return nil, usage("write --param NAME=VALUE", "--param: %q has no value", g)
		}
		if _, twice := values[key]; twice {
			return nil, usage("give it once", "--param: %q is given twice", key)
		}
		values[key] = value
	}
	return values, nil
}

// date is run.date, in the job's time zone.
func (p *Program) date(c *cli.Context, timezone string) (time.Time, error) {
	zone, err := zoneOf(timezone)
	if err != nil {
		return time.Time{}, err
	}
	given := c.String("date")
	if given == "" {
		return p.Now().In(zone), nil
	}
	date, err := time.ParseInLocation(time.DateOnly, given, zone)
	if err != nil {
		return time.Time{}, usage("write --date "+p.Now().In(zone).Format(time.DateOnly), "--date: %q is not a date", given)
	}
	return date, nil
}

// runID is that of the flag, or a new one.
func (p *Program) runID(c *cli.Context) (string, error) {
	if !c.IsSet("run-id") {
		return p.Now().UTC().Format("20060102T150405Z") + "-" + strings.ToLower(rand.Text()[:4]), nil
	}
	id := c.String("run-id")
	if n := len([]rune(id)); n < 1 || n > 250 {
		return "", usage("give 1 to 250 characters", "--run-id has %d characters", n)
	}
	if !utf8.ValidString(id) {
		return "", usage("give it in UTF-8", "--run-id %q is not UTF-8", id)
	}
	return id, nil
}
