package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/report"
)

func (p *Program) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "shows what runs now, what it waits for, and who holds what", ArgsUsage: "[RUN]",
		Description: "Lists the runs of the ledger that are under way, those whose runner is gone, and those of whose tasks it is not\n" +
			"known how they ended. With RUN it shows that run, whatever became of it. --online also asks Anaplan for the\n" +
			"state of the models and tasks; what it does not answer is told, and changes no exit code.",
		Flags: flags(recordPlaceFlags(), []cli.Flag{
			jobOfRunFlag(),
			&cli.BoolFlag{Name: "online", Usage: "also ask Anaplan for the state of models and tasks", Category: "Record:"},
		}, outputFlags(), logFlags()),
		Action: p.doStatus, BashComplete: p.completeRuns,
	}
}

// statusResult is the result of status.
type statusResult struct {
	Schema int         `json:"schema"`
	Ledger string      `json:"ledger"`
	Runs   []runStatus `json:"runs"` // not null
	// Open counts the runs that have ended, can be continued, and are not among Runs.
	Open int `json:"ended_open"`
}

// runStatus is how a run stands.
type runStatus struct {
	Job     string         `json:"job"`
	Run     string         `json:"run"`
	State   string         `json:"state"`   // running, gone, ended, closed
	Verdict ledger.Verdict `json:"verdict"` // "" until it has ended
	Started report.Time    `json:"started"`
	Updated report.Time    `json:"updated"` // of the last event
	Holder  *shownHolder   `json:"holder"`  // who runs it; null: nobody
	Runner  ledger.Runner  `json:"runner"`  // who runs it, or did so last
	Wish    *shownWish     `json:"wish"`    // that somebody left for its runner; null: none
	Steps   []stepStatus   `json:"steps"`   // under way, or with a start of which the end is not known; not null
	Next    string         `json:"next"`
}

// shownHolder is who has a lease.
type shownHolder struct {
	Runner ledger.Runner `json:"runner"`
	Job    string        `json:"job"`
	Run    string        `json:"run"`
	Step   string        `json:"step"`
	Since  report.Time   `json:"since"`
}

type shownWish struct {
	What string      `json:"what"`
	By   string      `json:"by"`
	At   report.Time `json:"at"`
}

// stepStatus is a step that is under way, or whose start is not settled.
type stepStatus struct {
	Name   string           `json:"name"`
	Verb   string           `json:"verb"`
	Object ledger.ObjectRef `json:"object"`
	Model  shownModel       `json:"model"`
	// Doing is working, waiting, begun (its runner is gone, and nothing of it runs), left (its
	// runner is gone, and its program may run), starting (the answer is awaited, or lost with
	// its runner), queued, running or unknown (the answer was lost).
	Doing     string       `json:"doing"`
	Since     report.Time  `json:"since"`
	Task      string       `json:"task"`
	TaskState string       `json:"task_state"` // Anaplan's, as it was last seen
	TaskStep  string       `json:"task_step"`
	Wait      *shownWait   `json:"wait"`         // null: it waits for nothing
	ModelHeld *shownHolder `json:"model_holder"` // who holds the model; null: nobody
	Online    *online      `json:"online"`       // null without --online
}

type shownModel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type shownWait struct {
	Reason string      `json:"reason"`
	Text   string      `json:"text"`
	Since  report.Time `json:"since"`
}

// online is what Anaplan says now.
type online struct {
	ModelStep   string `json:"model_step"`  // "Open", or what the model does
	ModelText   string `json:"model_text"`  // who does it
	TaskState   string `json:"task_state"`  // "" without a task
	TaskStep    string `json:"task_step"`   //
	ModelFailed string `json:"model_error"` // why Anaplan could not be asked
	TaskFailed  string `json:"task_error"`
}

func (p *Program) doStatus(c *cli.Context) error {
	p.startLog(c)
	one := c.Args().Len() > 0
	if !one && c.IsSet("job") {
		return usage("give a RUN too", "--job says of which job RUN is")
	}
	book, err := p.readLedger(c)
	if err != nil {
		return err
	}
	defer book.Close()
	return p.interruptible(c, func(ctx context.Context) error {
		var states []ledger.State
		if one {
			state, err := p.findRun(c, book, c.String("job"))
			if err != nil {
				return err
			}
			states = []ledger.State{state}
		} else if states, err = book.openStates(ctx); err != nil {
			return err
		}
		r := statusResult{Schema: 1, Ledger: book.Where(), Runs: []runStatus{}}
		for _, state := range states {
			s, err := p.statusOf(ctx, c, book, state)
			if err != nil {
				return err
			}
			if !one && s.State == "ended" && len(s.Steps) == 0 {
				r.Open++
				continue
			}
			if c.Bool("online") && len(s.Steps) > 0 {
				p.askAnaplan(ctx, c, state, &s)
			}
			r.Runs = append(r.Runs, s)
		}
		return p.finish(c, ledger.CodeOK, r, func(w io.Writer) error { return r.text(w, p.Now()) })
	})
}

// everyRun is a limit that lists all.
const everyRun = 1 << 30

// openStates are the runs in which something is left to do, the latest first.
func (b *book) openStates(ctx context.Context) ([]ledger.State, error) {
	found, err := b.Runs(ctx, ledger.Query{Open: true, Limit: everyRun})
	if err != nil {
		return nil, err
	}
	var states []ledger.State
	for _, s := range found {
		state, err := b.state(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	return states, nil
}

// statusOf is how a run stands by the ledger.
func (p *Program) statusOf(ctx context.Context, c *cli.Context, book *book, state ledger.State) (runStatus, error) {
	id := state.Created.ID
	s := runStatus{Job: id.Job, Run: id.Run, Started: report.Time{Time: state.Started}, Updated: report.Time{Time: state.Updated},
		Runner: state.Runner, Steps: []stepStatus{}}
	holder, err := book.Holder(ctx, ledger.RunKey(id))
	if err != nil {
		return s, err
	}
	s.Holder = shown(holder)
	wish, err := book.Asked(ctx, id)
	if err != nil {
		return s, err
	}
	if wish != nil && holder != nil {
		s.Wish = &shownWish{wish.What, wish.By, report.Time{Time: wish.At}}
	}
	switch {
	case state.End != nil:
		s.State, s.Verdict = "ended", state.End.Verdict
		if state.Closed() {
			s.State = "closed"
		}
	case holder != nil:
		s.State = "running"
	default:
		s.State = "gone"
	}
	for _, t := range state.Steps {
		if one := stepStatusOf(t); one != nil {
			if idle := one.Doing == "working" || one.Doing == "waiting"; idle && state.End != nil {
				continue
			} else if idle && holder == nil {
				one.Doing, one.Since.Time = "begun", t.Started
				if n := len(t.Commands); n > 0 && t.Commands[n-1].End == nil {
					one.Doing, one.Since.Time = "left", t.Commands[n-1].At
				}
			}
			if holder == nil {
				one.Wait = nil // nobody waits
			}
			if t.Model.ID != "" {
				held, err := book.Holder(ctx, ledger.ModelKey(t.Model))
				if err != nil {
					return s, err
				}
				one.ModelHeld = shown(held)
			}
			s.Steps = append(s.Steps, *one)
		}
	}
	switch s.State {
	case "gone":
		s.Next = "its runner is gone: " + about(book, "resume", id)
	case "ended":
		s.Next = "to continue: " + about(book, "resume", id)
	}
	return s, nil
}

func shown(h *ledger.Holder) *shownHolder {
	if h == nil {
		return nil
	}
	return &shownHolder{h.Runner, h.Run.Job, h.Run.Run, h.Step, report.Time{Time: h.Since}}
}

// stepStatusOf is how a step stands; nil if nothing of it is under way.
func stepStatusOf(t ledger.StepState) *stepStatus {
	last := lastStart(t)
	unsettled := last != nil && last.Unsettled()
	if (t.End != nil || len(t.Tries) == 0) && !unsettled {
		return nil
	}
	s := &stepStatus{Name: t.Plan.Name, Verb: t.Plan.Verb, Object: t.Object, Model: shownModel{t.Model.ID, or(t.Model.Name, t.Plan.Model)}}
	s.Object.Name = or(s.Object.Name, t.Plan.Label)
	s.Doing, s.Since = "working", report.Time{Time: t.Started}
	if n := len(t.Tries); n > 0 {
		s.Since.Time = t.Tries[n-1].Started
	}
	if unsettled {
		s.Task, s.TaskState, s.TaskStep = last.Task, last.State, last.Step
		s.Since.Time = last.At
		switch {
		case last.Outcome == ledger.IntentPending:
			s.Doing = "starting"
		case last.Outcome == ledger.IntentOpen:
			s.Doing = "unknown"
		case last.Began.IsZero():
			s.Doing = "queued"
		default:
			s.Doing, s.Since.Time = "running", last.Began
		}
	}
	if w := currentWait(t); w != nil {
		s.Wait = &shownWait{w.Reason, w.Text, report.Time{Time: w.Since}}
		if s.Doing == "working" {
			s.Doing, s.Since.Time = "waiting", w.Since
		}
	}
	return s
}

// currentWait is what a step waits for now; nil if it has done something since, or ended.
func currentWait(t ledger.StepState) *ledger.WaitState {
	if len(t.Waits) == 0 || t.End != nil {
		return nil
	}
	w := &t.Waits[len(t.Waits)-1]
	later := func(at time.Time) bool { return at.After(w.Since) }
	if slices.ContainsFunc(t.Tries, func(try ledger.Try) bool { return later(try.Started) }) ||
		slices.ContainsFunc(t.Uploads, func(u ledger.UploadState) bool { return later(u.At) }) ||
		slices.ContainsFunc(t.Dumps, func(d ledger.DumpState) bool { return later(d.At) }) ||
		slices.ContainsFunc(t.Targets, func(f ledger.TargetState) bool { return later(f.At) }) ||
		slices.ContainsFunc(t.Intents, func(i ledger.IntentState) bool {
			return later(i.At) || later(i.Began) || later(i.Ended) || i.Settled != nil && later(i.Settled.At)
		}) {
		return nil
	}
	return w
}

// askAnaplan adds what Anaplan says of the models and tasks of a run.
func (p *Program) askAnaplan(ctx context.Context, c *cli.Context, state ledger.State, s *runStatus) {
	failed := func(err error) {
		for i := range s.Steps {
			s.Steps[i].Online = &online{ModelFailed: explain(err).Error()}
		}
	}
	t, err := p.fromRecord(c, state)
	if err != nil {
		failed(err)
		return
	}
	tenants := p.tenantsOf(t.connection)
	defer tenants.Close()
	for i := range s.Steps {
		one := &s.Steps[i]
		at := slices.IndexFunc(state.Steps, func(t ledger.StepState) bool { return t.Plan.Name == one.Name })
		one.Online = askOne(ctx, tenants.Connect, t.job, state.Steps[at], one.Task)
	}
}

func askOne(ctx context.Context, connect jobs.Connect, job *configs.Job, t ledger.StepState, task string) *online {
	o := &online{}
	connection := ""
	if at := slices.IndexFunc(job.Steps, func(s configs.Step) bool { return s.Name == t.Plan.Name }); at >= 0 {
		connection = job.Steps[at].Connection
	}
	tenant, err := connect(ctx, connection)
	if err == nil && t.Model.ID == "" {
		err = fmt.Errorf("the names of the run were not resolved")
	}
	if err != nil {
		o.ModelFailed = explain(err).Error()
		return o
	}
	m := anaplan.ModelRef{Workspace: t.Model.Workspace, Model: t.Model.ID}
	if status, err := tenant.Client.Status(ctx, m); err != nil {
		o.ModelFailed = explain(err).Error()
	} else {
		o.ModelStep, o.ModelText = status.CurrentStep, status.Tooltip
	}
	if task == "" {
		return o
	}
	found, err := tenant.Client.Task(ctx, anaplan.Object{Model: m, Kind: anaplan.Kind(t.Plan.Verb), ID: t.Object.ID}, task)
	if err != nil {
		o.TaskFailed = explain(err).Error()
		return o
	}
	o.TaskState, o.TaskStep = string(found.State), found.CurrentStep
	return o
}
