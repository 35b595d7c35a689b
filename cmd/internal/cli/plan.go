package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func (p *Program) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "tells what a run would do, in order, and what waits for what", ArgsUsage: "JOB.toml",
		Description: "Nothing is uploaded or started. With --offline there is no login either, and the output is\n" +
			"the same, byte for byte, for the same job, date and parameters.",
		Flags: flags(jobFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "offline", Usage: "do not log in: names stay names", Category: "Job:"},
		}, outputFlags(), logFlags()),
		Action: p.doPlan,
	}
}

func (p *Program) doPlan(c *cli.Context) error {
	p.startLog(c)
	file, err := jobFile(c)
	if err != nil {
		return err
	}
	t, err := p.tonight(c, file)
	if err != nil {
		return err
	}
	p.warn(t)
	var bound *jobs.Bound
	if !c.Bool("offline") {
		ctx, done := p.stoppable(c.Context)
		defer done()
		tenants := p.tenantsOf(t.connection)
		defer tenants.Close()
		if bound, err = jobs.Bind(ctx, t.plan, tenants.Connect); err != nil {
			return interrupted(ctx, err)
		}
		for _, w := range bound.Warnings {
			p.log.Warn(w)
		}
	}
	planned := describe(t, bound)
	return p.finish(c, ledger.CodeOK, planned, planned.text)
}

// plannedRun is the JSON of `plan`.
type plannedRun struct {
	Schema   int           `json:"schema"`
	Job      string        `json:"job"`
	File     string        `json:"file"`
	Date     string        `json:"date"`
	Timezone string        `json:"timezone"`
	Offline  bool          `json:"offline"`
	Steps    []plannedStep `json:"steps"` // in the order in which they may start
}

type plannedStep struct {
	Name      string           `json:"name"`
	Verb      configs.Verb     `json:"verb"`
	Object    ledger.ObjectRef `json:"object"`
	Command   []string         `json:"command,omitempty"` // of the verb command: the program and its arguments
	Model     ledger.ObjectRef `json:"model"`
	Workspace ledger.ObjectRef `json:"workspace"`
	WaitsFor  []string         `json:"waits_for"`
	Skipped   string           `json:"skipped,omitempty"` // why
	When      configs.When     `json:"when"`
	Sources   []plannedSource  `json:"sources"`
	Targets   []string         `json:"targets"`
	Prompts   []string         `json:"prompts"`
	Actions   []string         `json:"actions"` // of a process; only with a login
	Accept    []string         `json:"accept"`
	Ahead     *bool            `json:"ahead,omitempty"`     // its uploads are made before earlier steps; only with a login, and with uploads
	NotAhead  string           `json:"not_ahead,omitempty"` // why not
	OnFailure string           `json:"on_failure"`
	OnPartial string           `json:"on_partial"`
}

type plannedSource struct {
	File  string   `json:"file"` // the server file; empty: the one that the import reads
	Path  string   `json:"path"` // empty: what the model already holds
	Guard []string `json:"guard"`
}

// describe is the plan in words, with the ids of bound where there is one.
func describe(t *tonight, bound *jobs.Bound) plannedRun {
	run := plannedRun{Schema: 1, Job: t.job.Name, File: t.job.File, Date: t.date.Format(time.DateOnly), Timezone: t.date.Location().String(), Offline: bound == nil}
	for _, i := range t.plan.Order() {
		s := t.plan.Steps[i]
		step := plannedStep{Name: s.Name, Verb: s.Verb, Object: ledger.ObjectRef(s.Object), Command: s.Argv,
			WaitsFor: []string{}, Skipped: s.SkipText, When: s.When, Sources: sourcesOf(s.Step), Targets: []string{}, Prompts: []string{}, Actions: []string{},
			Accept: acceptWords(s.Accept), OnFailure: string(s.OnFailure), OnPartial: string(s.OnPartial)}
		if s.Verb != configs.Command { // a program runs in no model
			step.Model, step.Workspace = ledger.ObjectRef(first(s.Model, t.job.Model)), ledger.ObjectRef(first(s.Workspace, t.job.Workspace))
		}
		for _, w := range s.Waits {
			step.WaitsFor = append(step.WaitsFor, t.plan.Steps[w].Name)
		}
		for _, target := range s.Targets {
			step.Targets = append(step.Targets, target.Path)
		}
		for _, f := range s.Files {
			for _, target := range f.Targets {
				step.Targets = append(step.Targets, nameOf(ledger.ObjectRef(f.File))+" → "+target.Path)
			}
		}
		for _, a := range s.Prompts {
			step.Prompts = append(step.Prompts, a.Dimension+" = "+a.Item)
		}
		if bound != nil && !s.Skip && s.Verb != configs.Command {
			b := bound.Steps[i]
			step.Object, step.Model = b.Object, ledger.ObjectRef{ID: b.Model.ID, Name: b.Model.Name}
			step.Workspace.ID = b.Model.Workspace
			for _, a := range b.Actions {
				step.Actions = append(step.Actions, a.Name)
			}
			if ahead := jobs.AheadOf(bound, i); !ahead.None {
				step.NotAhead = ahead.Why
				step.Ahead = new(bool)
				*step.Ahead = ahead.Why == ""
			}
		}
		run.Steps = append(run.Steps, step)
	}
	return run
}

func first(own, jobs configs.Ref) configs.Ref {
	if own.Zero() {
		return jobs
	}
	return own
}

// sourcesOf lists what a step uploads.
func sourcesOf(s configs.Step) []plannedSource {
	list := []plannedSource{}
	if s.Source != nil {
		list = append(list, plannedSource{Path: s.Source.Path, Guard: guardWords(s.Guard)})
	}
	for _, f := range s.Files {
		if len(f.Targets) > 0 {
			continue // it is an output
		}
		list = append(list, plannedSource{File: nameOf(ledger.ObjectRef(f.File)), Path: f.Source.Path, Guard: guardWords(f.Guard)})
	}
	return list
}

func guardWords(g configs.Guard) []string {
	words := []string{}
	if g.MinRows != nil {
		words = append(words, fmt.Sprintf("at least %d rows", *g.MinRows))
	}
	if g.MaxRows != nil {
		words = append(words, fmt.Sprintf("at most %d rows", *g.MaxRows))
	}
	if g.MaxAge != nil {
		words = append(words, fmt.Sprintf("not older than %s", *g.MaxAge))
	}
	if g.Header != nil && *g.Header {
		words = append(words, "with the header that Anaplan expects")
	}
	if len(g.Names) > 0 {
		words = append(words, "with the header "+strings.Join(g.Names, ", "))
	}
	if g.MinSize != nil {
		words = append(words, fmt.Sprintf("at least %d bytes", *g.MinSize))
	}
	if g.Fields > 0 {
		words = append(words, fmt.Sprintf("%d columns in every row", g.Fields))
	}
	if len(g.Columns) > 0 {
		words = append(words, "with the columns "+strings.Join(g.Columns, ", "))
	}
	if g.Unchanged != "" {
		words = append(words, fmt.Sprintf("unchanged since the last good run: %s", g.Unchanged))
	}
	if g.CompareLast != nil {
		words = append(words, fmt.Sprintf("rows within %g%% of the last good run's", *g.CompareLast))
	}
	if g.Control != nil {
		words = append(words, "as "+g.Control.Path+" says")
	}
	if g.Command != nil {
		words = append(words, "if "+strings.Join(g.Command.Argv, " ")+" passes it")
	}
	return words
}

func acceptWords(a configs.Accept) []string {
	words := []string{}
	limit := func(name string, l *configs.Limit) {
		switch {
		case l == nil:
		case l.Share:
			words = append(words, fmt.Sprintf("%s up to %g%%", name, l.Percent))
		default:
			words = append(words, fmt.Sprintf("%s up to %d", name, l.Rows))
		}
	}
	limit("failed", a.Failed)
	limit("warnings", a.Warnings)
	limit("ignored", a.Ignored)
	if a.MinLoaded != nil {
		words = append(words, fmt.Sprintf("loaded at least %d", *a.MinLoaded))
	}
	if a.Unexplained != nil && *a.Unexplained {
		words = append(words, "unexplained failures of a process")
	}
	return words
}

func nameOf(r ledger.ObjectRef) string {
	switch {
	case r.Name == "":
		return r.ID
	case r.ID == "":
		return fmt.Sprintf("%q", r.Name)
	}
	return fmt.Sprintf("%q (%s)", r.Name, r.ID)
}

// text writes the plan for people.
func (r plannedRun) text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Job %s (%s), date %s, time zone %s\n", r.Job, r.File, r.Date, r.Timezone)
	for n, s := range r.Steps {
		fmt.Fprintf(&b, "\n%2d. %s\n", n+1, s.Name)
		if s.Verb == configs.Command {
			fmt.Fprintf(&b, "    %-8s %s\n", s.Verb, strings.Join(s.Command, " "))
		} else {
			fmt.Fprintf(&b, "    %-8s %s\n", s.Verb, nameOf(s.Object))
			fmt.Fprintf(&b, "    in       %s, workspace %s\n", nameOf(s.Model), nameOf(s.Workspace))
		}
		if s.Skipped != "" {
			fmt.Fprintf(&b, "    skipped: %s\n", s.Skipped)
			continue
		}
		if len(s.WaitsFor) > 0 {
			fmt.Fprintf(&b, "    after    %s\n", strings.Join(s.WaitsFor, ", "))
		} else {
			b.WriteString("    after    nothing: it may start at once\n")
		}
		if s.When != configs.WhenOK && s.When != "" {
			fmt.Fprintf(&b, "    when     %s\n", s.When)
		}
		for _, src := range s.Sources {
			from := src.Path
			if from == "" {
				from = "what the model already holds"
			}
			if src.File != "" {
				from += " → " + src.File
			}
			if len(src.Guard) > 0 {
				from += " (" + strings.Join(src.Guard, ", ") + ")"
			}
			fmt.Fprintf(&b, "    source   %s\n", from)
		}
		switch {
		case s.Ahead == nil:
		case *s.Ahead:
			b.WriteString("    ahead    uploaded before the first step in this model begins\n")
		default:
			fmt.Fprintf(&b, "    ahead    no: %s\n", s.NotAhead)
		}
		for _, a := range s.Actions {
			fmt.Fprintf(&b, "    action   %s\n", a)
		}
		for _, a := range s.Prompts {
			fmt.Fprintf(&b, "    prompt   %s\n", a)
		}
		for _, target := range s.Targets {
			fmt.Fprintf(&b, "    target   %s\n", target)
		}
		if len(s.Accept) > 0 {
			fmt.Fprintf(&b, "    accepts  %s\n", strings.Join(s.Accept, ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
