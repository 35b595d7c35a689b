package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func (p *Program) resumeCommand() *cli.Command {
	return &cli.Command{
		Name: "resume", Usage: "continues a run that was stopped, failed, or lost its runner", ArgsUsage: "RUN",
		Description: "Goes on at the first step that is not done, with the values that were recorded when the run was created. What\n" +
			"Anaplan ran is not run again, unless the job file or a person says so; what is still under way is watched to its\n" +
			"end; where the answer to a start was lost, it is found out what became of it.\n\n" +
			"Where that cannot be found out the run is unsure (76), and a person decides: --adopt TASK says that this task is\n" +
			"the one, --again STEP that the step is to be done again, --accept STEP that it is done. Who decided is recorded.\n\n" +
			"The exit code is that of the whole run, as of `run`. A run that has nothing left to do is told again with its\n" +
			"code; one that is under way is 75.",
		Flags: flags([]cli.Flag{
			&cli.StringSliceFlag{Name: "again", Usage: "do the step `NAME` again, whatever its task did, or may have done; may be repeated", Category: "Decide:"},
			&cli.StringSliceFlag{Name: "adopt", Usage: "the task with the id `TASK` is that of the start whose answer was lost; may be repeated", Category: "Decide:"},
			&cli.StringSliceFlag{Name: "accept", Usage: "take the step `NAME` for done; may be repeated", Category: "Decide:"},
			&cli.BoolFlag{Name: "late", Usage: "the job's not_after and deadline do not count", Category: "Decide:"},
			&cli.StringFlag{Name: "job", Usage: "a repaired job `FILE` for the steps that are not done", Category: "Job:", TakesFile: true},
			&cli.StringFlag{Name: "job-name", Usage: "`NAME` of the job, where several jobs have a run of this id", Category: "Record:"},
		}, recordPlaceFlags(), resultFlags(), outputFlags(), logFlags()),
		Action: p.doResume, BashComplete: p.completeOpenRuns,
	}
}

func (p *Program) doResume(c *cli.Context) error {
	p.startLog(c)
	book, state, err := p.openRun(c, c.String("job-name"))
	if err != nil {
		return err
	}
	defer book.Close()
	t, err := p.fromRecord(c, state)
	if err != nil {
		return err
	}
	then := jobs.Continuation{ID: t.id, Runner: thisRunner(), By: decider(),
		Again: c.StringSlice("again"), Accept: c.StringSlice("accept"), Adopt: c.StringSlice("adopt"), Late: c.Bool("late")}
	if err := tooLate(state, then); err != nil {
		return err
	}
	if file := c.String("job"); file != "" {
		job, err := configs.Load(file)
		if err != nil {
			return err
		}
		if then.Repair, err = p.repairOf(state, job); err != nil {
			return err
		}
		t.job = then.Repair.Job
	}
	p.begin(book, t)
	return p.goOn(c, t, p.tenantsOf(t.connection), book, c.String("report"), state, then)
}

// tooLate refuses decisions on a run that is closed. What is so already is no decision:
// whoever says it again is told the record.
func tooLate(state ledger.State, then jobs.Continuation) error {
	if !done(state) {
		return nil
	}
	refuse := func(flag, value, why string) error {
		return usage(fmt.Sprintf("leave it out; `%s run JOB-FILE --run-id %s --again` runs the whole job once more", name, word(state.Created.ID.Run)),
			"%s %s: run %q of job %q is closed, and %s; nothing was started", flag, value, state.Created.ID.Run, state.Created.ID.Job, why)
	}
	for _, step := range then.Again {
		return refuse("--again", step, "no step of it is done again")
	}
	for _, step := range then.Accept {
		if !slices.ContainsFunc(state.Steps, func(t ledger.StepState) bool { return t.Plan.Name == step }) {
			return refuse("--accept", step, "has no such step")
		}
	}
	for _, task := range then.Adopt {
		if !slices.ContainsFunc(state.Steps, func(t ledger.StepState) bool {
			return slices.ContainsFunc(t.Intents, func(i ledger.IntentState) bool { return i.Task == task })
		}) {
			return refuse("--adopt", task, "this is none of its tasks")
		}
	}
	return nil
}

// decider names who makes a decision, for the record.
func decider() string {
	r := thisRunner()
	return or(r.User, "somebody") + "@" + or(r.Host, "somewhere")
}

// fromRecord is a job as a run has recorded it, with the login that it names: of the
// connections beside the job file of then, or of the options and variables for a run of
// exec, which had none.
func (p *Program) fromRecord(c *cli.Context, state ledger.State) (*tonight, error) {
	job, err := jobs.DecodeJob(state.Created.Job)
	if err != nil {
		return nil, unreadable(state, err)
	}
	t := &tonight{job: job, params: state.Created.Params, id: state.Created.ID}
	if job.File == execFile {
		conn, err := p.login(c)
		if err != nil {
			return nil, err
		}
		t.connection = func(string) (configs.Connection, error) { return conn, nil }
		return t, nil
	}
	t.warnings = p.ignoredVariables()
	saved, err := configs.LoadConnections(c.String("connections"), filepath.Join(job.Dir, filepath.Base(job.File)), p.env)
	if err != nil {
		return nil, err
	}
	t.connection = func(name string) (configs.Connection, error) {
		return t.job.ConnectionFor(configs.Step{Connection: name}, saved)
	}
	return t, nil
}

// unreadable is a run whose job this program cannot read.
func unreadable(state ledger.State, err error) error {
	return &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, err: err,
		what: fmt.Sprintf("run %q of job %q: %v", state.Created.ID.Run, state.Created.ID.Job, err),
		next: "continue it with the program that began it, version " + state.Created.Version}
}

// repairOf plans a job file for a run that is recorded: with the values of the run, not
// those of today.
func (p *Program) repairOf(state ledger.State, job *configs.Job) (*jobs.Plan, error) {
	c := state.Created
	if job.Name != c.ID.Job {
		return nil, configs.Problems{{File: job.File, Line: job.Positions["name"].Line, Key: "name",
			What: fmt.Sprintf("this is the job %q, and the run is of the job %q", job.Name, c.ID.Job), Instead: "give the job file that was repaired"}}
	}
	zone, err := zoneOf(c.Timezone)
	if err != nil {
		return nil, err
	}
	date, err := time.ParseInLocation(time.DateOnly, c.Date, zone)
	if err != nil {
		return nil, unreadable(state, err)
	}
	recorded := map[string]string{}
	for _, param := range job.Params {
		if v, ok := c.Params[param.Name]; ok {
			recorded[param.Name] = v
		}
	}
	params, err := job.ParamValues(recorded)
	if err != nil {
		return nil, &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: fmt.Sprintf("%s does not take the values of the run: %v", job.File, err),
			next: "let the file take them: a continued run keeps its values", err: err}
	}
	expanded, err := job.Expand(configs.Values{Params: params, Env: p.Getenv, RunID: c.ID.Run, Date: date})
	if err != nil {
		return nil, err
	}
	return jobs.NewPlan(expanded, jobs.Selection{Only: c.Only, From: c.From})
}

// sameValues refuses to continue a run with other values than it was begun with.
func sameValues(c *cli.Context, state ledger.State) error {
	recorded := state.Created
	var differ []string
	add := func(flag, was, is string) {
		if was != is {
			differ = append(differ, fmt.Sprintf("%s: the run has %q, and %q is given", flag, was, is))
		}
	}
	if c.IsSet("date") {
		add("--date", recorded.Date, c.String("date"))
	}
	given, err := params(c.StringSlice("param"))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		add("--param "+name, recorded.Params[name], given[name])
	}
	if c.IsSet("only") {
		add("--only", strings.Join(recorded.Only, ", "), strings.Join(c.StringSlice("only"), ", "))
	}
	if c.IsSet("from") {
		add("--from", recorded.From, c.String("from"))
	}
	if differ == nil {
		return nil
	}
	return &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, problems: differ,
		what: fmt.Sprintf("run %q of job %q was begun with other values; nothing was started", recorded.ID.Run, recorded.ID.Job),
		next: "leave out what differs, for a continued run keeps its values; or give another --run-id for a new run"}
}

// goOn continues a run, and tells how it ended.
func (p *Program) goOn(c *cli.Context, t *tonight, tenants *tenants, book *book, page string, state ledger.State, then jobs.Continuation) error {
	if done(state) {
		return p.tellRecorded(c, book, state)
	}
	p.sayWhatIsLeft(state)
	return p.work(c, t, tenants, book, page, func(ctx context.Context, runner *jobs.Runner) (ledger.State, error) {
		return runner.Continue(ctx, then)
	})
}

// done says whether a run has ended and nothing is left to do.
func done(state ledger.State) bool { return state.End != nil && state.Closed() }

// sayWhatIsLeft tells which steps of a run are done, and what it goes on with.
func (p *Program) sayWhatIsLeft(state ledger.State) {
	var finished, left []string
	for _, t := range state.Steps {
		if t.End != nil && t.Plan.Satisfied(*t.End) {
			finished = append(finished, fmt.Sprintf("%q", t.Plan.Name))
			continue
		}
		left = append(left, fmt.Sprintf("%q (%s)", t.Plan.Name, standing(t)))
	}
	p.log.Infof("run %q of job %q: %d of %d steps are done%s", state.Created.ID.Run, state.Created.ID.Job, len(finished), len(state.Steps), named(finished))
	p.log.Infof("it goes on with %s", strings.Join(left, ", "))
}

func named(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

// standing says in few words how far a step is.
func standing(t ledger.StepState) string {
	switch last := lastStart(t); {
	case last != nil && (last.Outcome == ledger.IntentPending || last.Outcome == ledger.IntentOpen):
		return "it is not known whether it was started"
	case last != nil && last.Outcome == ledger.IntentStarted && last.Ended.IsZero():
		return "task " + last.Task + " was under way"
	case t.End != nil && t.End.Verdict != ledger.Blocked:
		return "it ended " + string(t.End.Verdict)
	case len(t.Tries) > 0:
		return "it was begun"
	}
	return "not begun"
}

// lastStart is the latest start of a step since it was begun anew; nil if there is none.
func lastStart(t ledger.StepState) *ledger.IntentState {
	life := t.Life()
	if len(life) == 0 {
		return nil
	}
	return &life[len(life)-1]
}

// undecided says whether it is not known what became of a step's last start.
func undecided(t ledger.StepState) bool {
	last := lastStart(t)
	return last != nil && (last.Outcome == ledger.IntentPending || last.Outcome == ledger.IntentOpen)
}

// heldFailure is a run that cannot be made since somebody else is at it.
func heldFailure(id ledger.ID, held *ledger.HeldError) *failure {
	what := fmt.Sprintf("job %q already runs: %s; nothing was started", id.Job, held.By)
	if held.By.Run == id {
		what = fmt.Sprintf("the run is under way: %s; nothing was started", held.By)
	}
	return &failure{code: ledger.CodeTemporary, cause: ledger.CauseBusy, what: what, err: held,
		next: "wait until it has ended (`" + name + " status` shows it); overlap = \"wait\" or \"skip\" in the job file says otherwise"}
}

// skippedRun is the result of a call that made no run, since the job already runs and its
// overlap says skip.
type skippedRun struct {
	Schema   int            `json:"schema"`
	Job      string         `json:"job"`
	Run      string         `json:"run"`
	Verdict  ledger.Verdict `json:"verdict"` // skipped
	Cause    ledger.Cause   `json:"cause"`   // ""
	ExitCode int            `json:"exit_code"`
	Ledger   string         `json:"ledger"`
	Message  string         `json:"message"`
	Next     string         `json:"next"` // ""
}

// decisionFailure gives what Continue refuses to do its code.
func decisionFailure(err error) *failure {
	if e, ok := errors.AsType[*jobs.DecisionError](err); ok {
		return &failure{code: ledger.CodeUsage, cause: ledger.CauseConfig, what: e.Error(), next: e.Instead, err: err}
	}
	if e, ok := errors.AsType[*jobs.RepairError](err); ok {
		return &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: e.Error(), problems: e.Changes, err: err,
			next: "what is done stays done: undo what is listed, or give the job another --run-id to run it anew"}
	}
	return nil
}

// stepsLeft are the names of the steps of a run that are not done.
func (p *Program) stepsLeft(c *cli.Context) []string {
	book, state, err := p.openRun(c, c.String("job-name"))
	if err != nil {
		return nil
	}
	defer book.Close()
	var names []string
	for _, t := range state.Steps {
		if t.End == nil || !t.Plan.Satisfied(*t.End) {
			names = append(names, t.Plan.Name)
		}
	}
	return names
}

// completeOpenRuns completes the ids of runs in which something is left to do.
func (p *Program) completeOpenRuns(c *cli.Context) {
	p.completeFrom(c, ledger.Query{Open: true, Limit: 20})
}
