package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// execCommand runs one thing on demand. It writes the job file that would do the same,
// and runs that: what is checked in a job file is checked here, and --print-job gives it
// to whoever wants it every night.
func (p *Program) execCommand() *cli.Command {
	verbs := []struct {
		verb  configs.Verb
		usage string
		flags []cli.Flag
	}{
		{configs.Import, "uploads a file and imports it", flags(sourceFlags(), promptFlags(), acceptFlags())},
		{configs.Export, "runs an export and downloads its output", []cli.Flag{
			&cli.StringSliceFlag{Name: "target", Aliases: []string{"t"}, Usage: "`FILE` or URL to write the output to, compressed if it ends in .gz, .zst or .zip; may be repeated", Category: "Data:", TakesFile: true},
			&cli.StringFlag{Name: "min-rows", Usage: "refuse an output with fewer rows than `N`; a file that is there stays", Category: "Data:"},
		}},
		{configs.Process, "runs a process, with the files of its imports", flags([]cli.Flag{
			&cli.StringSliceFlag{Name: "file", Aliases: []string{"f"}, Usage: "`SERVERFILE=FILE` to upload before; FILE may be the word server; may be repeated", Category: "Data:"},
		}, promptFlags(), acceptFlags())},
		{configs.Action, "runs another action, such as a delete action", []cli.Flag{
			&cli.BoolFlag{Name: "delete", Usage: "yes, it may be an action that deletes", Category: "Data:"},
		}},
	}
	command := &cli.Command{Name: "exec", Usage: "runs one import, export, process or action, without a job file",
		Description: "It is a run like any other: it is recorded, its rejected rows are kept, its exit code says what happened.\n" +
			"Login and model come from the options, else from $ANAPLAN_ variables, else from the connection."}
	for _, v := range verbs {
		command.Subcommands = append(command.Subcommands, &cli.Command{
			Name: string(v.verb), Usage: v.usage, ArgsUsage: "NAME",
			Flags: flags(v.flags, placeFlags(), []cli.Flag{
				&cli.StringFlag{Name: "timeout", Usage: "`TIME` that Anaplan may take once it has begun, such as 90m", Category: "Data:"},
				&cli.StringFlag{Name: "run-id", Usage: "`ID` of the run, of 1 to 250 characters; default: made from the time", Category: "Record:"},
				&cli.StringFlag{Name: "date", Usage: "run.date of the record as `YYYY-MM-DD`; default: today", Category: "Record:"},
				&cli.BoolFlag{Name: "print-job", Usage: "run nothing, print the job file that does the same", Category: "Record:"},
			}, recordFlags(), loginFlags(), outputFlags(), logFlags()),
			Action: func(c *cli.Context) error { return p.doExec(c, v.verb) },
		})
	}
	return command
}

func sourceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "source", Aliases: []string{"s"}, Usage: "`FILE`, pattern or URL to upload, also packed; - is stdin; the word server takes what the model already holds", Category: "Data:", TakesFile: true},
		&cli.StringFlag{Name: "min-rows", Usage: "refuse a source with fewer rows than `N`", Category: "Data:"},
		&cli.StringFlag{Name: "max-rows", Usage: "refuse a source with more rows than `N`", Category: "Data:"},
		&cli.StringFlag{Name: "max-age", Usage: "refuse a source older than `TIME`, such as 26h", Category: "Data:"},
		&cli.BoolFlag{Name: "check-header", Usage: "refuse a source without the header that Anaplan expects", Category: "Data:"},
	}
}

func promptFlags() []cli.Flag {
	return []cli.Flag{&cli.StringSliceFlag{Name: "prompt", Usage: "`DIMENSION=ITEM` for an import that prompts; may be repeated", Category: "Data:"}}
}

func acceptFlags() []cli.Flag {
	return []cli.Flag{&cli.StringSliceFlag{Name: "accept",
		Usage: "`WHAT=LIMIT` that is still ok: failed=100, warnings=5, ignored=2%, min_loaded=0; may be repeated or joined by commas", Category: "Data:"}}
}

// execFile is the name of the job file that exec makes up.
const execFile = "command line"

func (p *Program) doExec(c *cli.Context, verb configs.Verb) error {
	p.startLog(c)
	args, err := arguments(c, "NAME")
	if err != nil {
		return err
	}
	conn, err := p.login(c)
	if err != nil {
		return err
	}
	workspace, model, err := p.place(c, conn)
	if err != nil {
		return err
	}
	source := c.String("source")
	switch {
	case source == "-" && c.Bool("print-job"):
		return usage("write --source FILE", "--print-job with --source -: a job file cannot read stdin")
	case source == "-":
		var spooled string
		err := p.interruptible(c, func(ctx context.Context) (err error) {
			spooled, err = p.spool(ctx)
			return err
		})
		if err != nil {
			return err
		}
		defer os.Remove(spooled)
		source = spooled
	}
	job, err := execJobOf(c, verb, args[0], workspace, model, source)
	if err != nil {
		return err
	}
	job.Connection = conn.Name
	if c.Bool("print-job") {
		if p.ownLogin(c, conn) {
			job.writeLogin(conn)
		}
		text, err := job.encode()
		if err == nil {
			_, err = p.Out.Write(text)
		}
		return err
	}
	text, err := job.encode()
	if err != nil {
		return err
	}
	parsed, err := configs.Parse(execFile, text)
	if err != nil {
		return err
	}
	t, err := p.plan(c, parsed)
	if err != nil {
		return err
	}
	book, err := p.openLedger(c, conn.Ledger)
	if err != nil {
		return err
	}
	defer book.Close()
	t.connection = func(string) (configs.Connection, error) { return conn, nil }
	return p.perform(c, t, p.tenantsAt(conn), book, c.String("report"))
}

// spool keeps stdin in a file that only we can read: a source is read more than once. The
// file is gone when it returns an error, that of ctx too.
func (p *Program) spool(ctx context.Context) (string, error) {
	f, err := os.CreateTemp("", "anaplan-runner-stdin-*")
	if err != nil {
		return "", fmt.Errorf("keep stdin in a file: %w", err)
	}
	copied := make(chan error, 1)
	go func() { // a read of stdin cannot be ended: it ends with the process
		_, err := io.Copy(f, p.In)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("keep stdin in file %s: %w", f.Name(), err)
	}
	return f.Name(), nil
}

// execJob is a job file of one step.
type execJob struct {
	Name       string     `toml:"name"`
	Connection string     `toml:"connection,omitempty"`
	Anaplan    execPlace  `toml:"anaplan"`
	Auth       *execLogin `toml:"auth,omitempty"`
	Step       []execStep `toml:"step"`
}

type execStep struct {
	Name    string            `toml:"name"`
	Import  string            `toml:"import,omitempty"`
	Export  string            `toml:"export,omitempty"`
	Process string            `toml:"process,omitempty"`
	Action  string            `toml:"action,omitempty"`
	Delete  bool              `toml:"delete,omitempty"`
	Source  string            `toml:"source,omitempty"`
	Target  any               `toml:"target,omitempty"`
	Timeout string            `toml:"timeout,omitempty"`
	Prompts map[string]string `toml:"prompts,omitempty"`
	Guard   map[string]any    `toml:"guard,omitempty"`
	Accept  map[string]any    `toml:"accept,omitempty"`
	Files   map[string]string `toml:"files,omitempty"`
}

// execJobOf is the job that does what the command line says, but for its login.
func execJobOf(c *cli.Context, verb configs.Verb, object string, workspace, model configs.Ref, source string) (*execJob, error) {
	// "$" is plain in arguments, and begins a value in a job file.
	plain := func(s string) string { return strings.ReplaceAll(s, "${", "$${") }
	// A step's name has no values, and brackets only for for_each.
	name := strings.NewReplacer("${", "{", "[", "(", "]", ")").Replace(object)
	step := execStep{Name: name, Delete: c.Bool("delete"), Source: plain(source), Guard: map[string]any{}}
	switch verb {
	case configs.Import:
		step.Import = plain(object)
	case configs.Export:
		step.Export = plain(object)
	case configs.Process:
		step.Process = plain(object)
	case configs.Action:
		step.Action = plain(object)
	}
	step.Timeout = c.String("timeout")
	for key, flag := range map[string]string{"min_rows": "min-rows", "max_rows": "max-rows"} {
		if c.IsSet(flag) {
			step.Guard[key] = scalar(c.String(flag))
		}
	}
	if c.IsSet("max-age") {
		step.Guard["max_age"] = c.String("max-age")
	}
	if c.Bool("check-header") {
		step.Guard["header"] = true
	}
	var err error
	if step.Prompts, err = pairs(c, "prompt", plain); err != nil {
		return nil, err
	}
	if step.Files, err = pairs(c, "file", plain); err != nil {
		return nil, err
	}
	if step.Accept, err = accepted(c.StringSlice("accept")); err != nil {
		return nil, err
	}
	job := &execJob{Name: "exec " + string(verb) + " " + name, Anaplan: execPlace{Workspace: written(workspace), Model: written(model)}}
	switch targets := c.StringSlice("target"); len(targets) {
	case 0:
	case 1:
		step.Target = plain(targets[0])
	default:
		var tables []map[string]string
		for _, target := range targets {
			tables = append(tables, map[string]string{"path": plain(target)})
		}
		step.Target = tables
	}
	job.Step = []execStep{step}
	return job, nil
}

// encode writes the job as a job file.
func (job *execJob) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(job); err != nil {
		return nil, fmt.Errorf("write the job: %w", err)
	}
	return b.Bytes(), nil
}

// written is a reference as a job file has it.
func written(r configs.Ref) any {
	switch {
	case r.ID == "":
		return r.Name
	case r.Name == "":
		return r.ID
	}
	return map[string]string{"id": r.ID, "name": r.Name}
}

// pairs reads KEY=VALUE flags.
func pairs(c *cli.Context, flag string, plain func(string) string) (map[string]string, error) {
	all := map[string]string{}
	for _, given := range c.StringSlice(flag) {
		key, value, ok := strings.Cut(given, "=")
		if !ok || key == "" || value == "" {
			return nil, usage("write --"+flag+" NAME=VALUE", "--%s: %q is not NAME=VALUE", flag, given)
		}
		if _, twice := all[key]; twice {
			return nil, usage("give it once", "--%s: %q is given twice", flag, key)
		}
		all[key] = plain(value)
	}
	return all, nil
}

// accepted reads --accept; what the keys may be is the job file's to say.
func accepted(given []string) (map[string]any, error) {
	all := map[string]any{}
	for _, g := range given {
		for _, one := range strings.Split(g, ",") {
			key, value, ok := strings.Cut(strings.TrimSpace(one), "=")
			if !ok {
				return nil, usage("write --accept failed=100,ignored=2%", "--accept: %q is not WHAT=LIMIT", one)
			}
			all[key] = scalar(value)
		}
	}
	return all, nil
}

// scalar is a value as a job file would have it; what it may be is the job file's to say.
func scalar(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if s == "true" || s == "false" {
		return s == "true"
	}
	return s
}
