package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func (p *Program) tasksCommand() *cli.Command {
	command := &cli.Command{Name: "tasks", Usage: "shows the tasks of an import, export, process or action, whoever started them",
		Description: "With the id of a task it shows what Anaplan says of its result.\n\n" +
			"   " + name + " tasks import \"Load Sales\" --connection prod\n" +
			"   " + name + " tasks process Nightly 2846A3B0C1D24E5F8091A2B3C4D5E6F7 --connection prod\n\n" +
			"Anaplan forgets tasks after a time, and does not say who started one."}
	for _, verb := range []configs.Verb{configs.Import, configs.Export, configs.Process, configs.Action} {
		command.Subcommands = append(command.Subcommands, &cli.Command{
			Name: string(verb), Usage: "shows the tasks of an " + string(verb), ArgsUsage: "NAME [TASK]",
			Flags: flags([]cli.Flag{
				&cli.IntFlag{Name: "limit", Value: 20, Usage: "show the latest `N`", Category: "Tasks:"},
				&cli.BoolFlag{Name: "results", Usage: "ask for the result of each, too", Category: "Tasks:"},
			}, placeFlags(), loginFlags(), outputFlags(), logFlags()),
			Action: func(c *cli.Context) error { return p.tasks(c, verb) },
		})
	}
	command.Subcommands[2].Usage = "shows the tasks of a process"
	return command
}

// tasksResult is the result of tasks.
type tasksResult struct {
	Schema int              `json:"schema"`
	Verb   configs.Verb     `json:"verb"`
	Object ledger.ObjectRef `json:"object"`
	Model  ledger.ModelRef  `json:"model"`
	Total  int              `json:"total"` // of which tasks are the latest
	Tasks  []shownTask      `json:"tasks"` // newest first; not null
}

// shownTask is one task. Result is nil unless it was asked for and the task has ended.
type shownTask struct {
	Task    string       `json:"task"`
	State   string       `json:"state"`
	Step    string       `json:"step,omitempty"`
	Created *time.Time   `json:"created"` // null: Anaplan does not say
	Result  *shownResult `json:"result,omitempty"`
}

// shownResult is what Anaplan says of a task, or of one action in a process.
type shownResult struct {
	Object     string        `json:"object,omitempty"`
	Successful bool          `json:"successful"`
	Dump       bool          `json:"failure_dump"`
	Rows       ledger.Rows   `json:"rows"`
	Seconds    float64       `json:"seconds,omitempty"`
	Details    []shownDetail `json:"details"` // not null
	Actions    []shownResult `json:"actions,omitempty"`
}

// shownDetail is one statement in Anaplan's own words.
type shownDetail struct {
	Type        string `json:"type"`
	Text        string `json:"text,omitempty"`
	Occurrences int64  `json:"occurrences,omitempty"`
}

func (p *Program) tasks(c *cli.Context, verb configs.Verb) error {
	p.startLog(c)
	names := []string{"NAME", "TASK"}
	args, err := arguments(c, names[:max(1, min(c.Args().Len(), 2))]...)
	if err != nil {
		return err
	}
	if c.Int("limit") < 1 {
		return usage("write --limit 20", "--limit has to be 1 or more")
	}
	conn, err := p.login(c)
	if err != nil {
		return err
	}
	return p.interruptible(c, func(ctx context.Context) error {
		t := p.tenantsAt(conn)
		defer t.Close()
		one, err := t.tenant("")
		if err != nil {
			return err
		}
		m, err := p.locate(ctx, c, conn, t)
		if err != nil {
			return err
		}
		object, err := jobs.LocateObject(ctx, t.Connect, m, verb, configs.Ref{Name: args[0]})
		if err != nil {
			return err
		}
		r := tasksResult{Schema: 1, Verb: verb, Object: object, Model: m, Tasks: []shownTask{}}
		of := anaplan.Object{Model: anaplan.ModelRef{Workspace: m.Workspace, Model: m.ID}, Kind: anaplan.Kind(verb), ID: object.ID}
		if len(args) == 2 {
			err = r.one(ctx, one.Client, of, args[1])
		} else {
			err = r.read(ctx, one.Client, of, c.Int("limit"), c.Bool("results"))
		}
		if err != nil {
			return err
		}
		if len(args) == 2 {
			return p.finish(c, ledger.CodeOK, r, r.result)
		}
		return p.finish(c, ledger.CodeOK, r, r.text)
	})
}

// one reads one task with its result.
func (r *tasksResult) one(ctx context.Context, c *anaplan.Client, of anaplan.Object, id string) error {
	task, err := c.Task(ctx, of, id)
	if err != nil {
		return fmt.Errorf("task %s of %s %q: %w", id, of.Kind, r.Object.Name, err)
	}
	r.Total, r.Tasks = 1, []shownTask{r.show(task)}
	return nil
}

// read reads the latest tasks. Anaplan's order is not to be relied on (anaplan-api.md 19).
func (r *tasksResult) read(ctx context.Context, c *anaplan.Client, of anaplan.Object, limit int, results bool) error {
	var all []anaplan.Task
	for task, err := range c.Tasks(ctx, of) {
		if err != nil {
			return err
		}
		all = append(all, task)
	}
	r.Total = len(all)
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b anaplan.Task) int {
		return cmp.Compare(b.CreationTime.UnixMilli(), a.CreationTime.UnixMilli())
	})
	for _, task := range all[:min(len(all), limit)] {
		if results && task.State.Terminal() && task.Result == nil {
			whole, err := c.Task(ctx, of, task.ID)
			if err != nil {
				return err
			}
			task.Result = whole.Result
		}
		r.Tasks = append(r.Tasks, r.show(task))
	}
	return nil
}

func (r *tasksResult) show(t anaplan.Task) shownTask {
	s := shownTask{Task: t.ID, State: string(t.State), Step: t.CurrentStep}
	if !t.CreationTime.IsZero() {
		created := t.CreationTime.UTC()
		s.Created = &created
	}
	if t.Result != nil {
		result := showResult(*t.Result)
		result.Object = r.Object.Name // Anaplan leaves it out at times
		s.Result = &result
	}
	return s
}

func showResult(r anaplan.Result) shownResult {
	s := shownResult{Object: or(r.ObjectName, r.ObjectID), Successful: r.Successful, Dump: r.FailureDumpAvailable, Rows: ledger.Rows(r.Counts()),
		Seconds: r.Duration.Seconds(), Details: []shownDetail{}}
	for _, d := range r.Details {
		s.Details = append(s.Details, shownDetail{d.Type, d.Text, d.Occurrences})
	}
	for _, n := range r.Nested {
		s.Actions = append(s.Actions, showResult(n))
	}
	return s
}

func (r tasksResult) text(w io.Writer) error {
	if len(r.Tasks) == 0 {
		_, err := fmt.Fprintf(w, "Anaplan lists no task of %s %q\n", r.Verb, r.Object.Name)
		return err
	}
	rows := [][]string{{"TASK", "STATE", "CREATED", "RESULT"}}
	for _, t := range r.Tasks {
		rows = append(rows, []string{t.Task, t.State, t.created(), t.Result.summary()})
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	if r.Total > len(r.Tasks) {
		_, err := fmt.Fprintf(w, "%d more; --limit %d shows them\n", r.Total-len(r.Tasks), r.Total)
		return err
	}
	return nil
}

// result is the text for one task.
func (r tasksResult) result(w io.Writer) error {
	t := r.Tasks[0]
	var b strings.Builder
	fmt.Fprintf(&b, "task     %s of %s %q\nstate    %s %s\ncreated  %s\n", t.Task, r.Verb, printable(r.Object.Name), t.State, printable(t.Step), t.created())
	if t.Result != nil {
		t.Result.write(&b, "result   ", "  ")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *shownResult) write(b *strings.Builder, title, indent string) {
	fmt.Fprintf(b, "%s%s\n", title, r.summary())
	for _, d := range r.Details {
		fmt.Fprintf(b, "%s%s\n", indent, printable(or(d.Text, d.Type)))
	}
	for _, a := range r.Actions {
		a.write(b, indent+printable(a.Object)+": ", indent+"  ")
	}
}

// summary says in one line how it ended.
func (r *shownResult) summary() string {
	if r == nil {
		return "-"
	}
	words := []string{"not successful"}
	if r.Successful {
		words[0] = "successful"
	}
	for _, n := range []struct {
		what  string
		count *int64
	}{{"rows", r.Rows.Total}, {"ok", r.Rows.OK}, {"ignored", r.Rows.Ignored}, {"with warnings", r.Rows.Warnings}, {"failed", r.Rows.Failed}} {
		if n.count != nil && (*n.count > 0 || n.what == "rows") {
			words = append(words, strconv.FormatInt(*n.count, 10)+" "+n.what)
		}
	}
	if r.Dump {
		words = append(words, "with a failure dump")
	}
	return strings.Join(words, ", ")
}

func (t shownTask) created() string {
	if t.Created == nil {
		return "-"
	}
	return t.Created.Format(time.RFC3339)
}
