package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const (
	name = "anaplan-runner"
)

// Main runs the command with its arguments, without the program's name, and returns the
// exit code. The result has been written when it returns.
func (p *Program) Main(args []string) (code int) {
	defer p.guardOutput()()
	p.log = newLog(p.Err)
	app := p.app()
	words := permute(app, args)
	defer p.endSecrets()
	defer func() {
		if r := recover(); r != nil {
			p.endScreen()
			// Not the value: it may hold anything. The stack has no values.
			stack := debug.Stack()
			if crash, ok := r.(*jobs.Crash); ok {
				stack, r = crash.Stack, crash.Value
			}
			fmt.Fprintf(p.Err, "%s", stack)
			code = p.report(&failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: fmt.Sprintf("internal error (%T)", r),
				next: "please report it with the lines above"}, words)
		}
	}()
	if len(args) > 0 && args[0] == completionCall {
		p.suggest(app, args[1:])
		return ledger.CodeOK
	}
	err := app.RunContext(context.Background(), append([]string{name}, words...))
	if err == nil {
		return ledger.CodeOK
	}
	p.endScreen()
	if e, ok := errors.AsType[exitCode](err); ok {
		return int(e)
	}
	return p.report(explain(err), words)
}

// exitCode is the error of a command that has printed its result already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exit is the error with which a command ends that has printed its result.
func exit(code int) error {
	if code == ledger.CodeOK {
		return nil
	}
	return exitCode(code)
}

func (p *Program) app() *cli.App {
	app := &cli.App{
		Name:      name,
		Usage:     "runs imports, exports, processes and actions in Anaplan, and says truthfully what happened",
		UsageText: name + " COMMAND [ARGUMENTS] [OPTIONS]\n" + name + " COMMAND --help",
		Description: "A job file in TOML names a model and its steps. Start with `" + name + " demo`: it runs a whole night against a\n" +
			"simulated Anaplan, and leaves its files for you to look at.",
		Version:                Version(),
		Reader:                 p.In,
		Writer:                 p.Out,
		ErrWriter:              p.Err,
		HideHelpCommand:        true,
		Action:                 p.noCommand,
		OnUsageError:           usageError,
		ExitErrHandler:         func(*cli.Context, error) {}, // Main says what happened
		CustomAppHelpTemplate:  appHelp,
		UseShortOptionHandling: false,
		// Names and values hold commas; what may be given several times is repeated.
		DisableSliceFlagSeparator: true,
		Commands:                  p.commands(),
	}
	p.complete(app.Commands)
	return app
}

// complete gives every command what all have.
func (p *Program) complete(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		c.HideHelpCommand = true
		c.CustomHelpTemplate = commandHelp
		for _, f := range c.Flags {
			if b, ok := f.(*cli.BoolFlag); ok {
				b.DisableDefaultText = true
			}
		}
		if len(c.Subcommands) > 0 {
			c.CustomHelpTemplate = groupHelp
			if c.Action == nil {
				c.Action = p.noCommand
			}
		}
		p.complete(c.Subcommands)
	}
}

// noCommand is what happens without a command, or with one that is not there. It is wrong
// usage, so that a schedule that lost its arguments does not look well.
func (p *Program) noCommand(c *cli.Context) error {
	commands := c.App.Commands
	what := name
	if c.Command != nil && len(c.Command.Subcommands) > 0 {
		commands = c.Command.Subcommands
		what = c.Command.HelpName
	}
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	if c.Args().Len() == 0 {
		return usage("one of "+strings.Join(names, ", ")+"; see "+what+" --help", "%s: no command is given", what)
	}
	given := c.Args().First()
	next := "the commands are " + strings.Join(names, ", ")
	if near := configs.Nearest(given, names); near != "" {
		next = fmt.Sprintf("did you mean %q? ", near) + next
	}
	return usage(next, "%s has no command %q", what, given)
}

func usageError(c *cli.Context, err error, _ bool) error {
	text := err.Error()
	what := name
	if c.Command != nil && c.Command.HelpName != "" {
		what = c.Command.HelpName
	}
	if flag, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		flag = strings.TrimLeft(flag, "-")
		next := "see " + what + " --help"
		if c.Command != nil {
			if near := configs.Nearest(flag, flagNames(c.Command.Flags)); near != "" {
				next = fmt.Sprintf("did you mean --%s? see %s --help", near, what)
			}
		}
		return usage(next, "%s has no option --%s", what, flag)
	}
	return usage("see "+what+" --help", "%s: %s", what, text)
}

func flagNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	return names
}

// arguments are those of a command, as many as it has names for.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	given := c.Args().Slice()
	if len(given) < len(names) {
		return nil, usage(fmt.Sprintf("write %s %s; see %s --help", c.Command.HelpName, strings.Join(names, " "), c.Command.HelpName),
			"%s: %s is missing", c.Command.HelpName, names[len(given)])
	}
	if len(given) > len(names) {
		return nil, usage(fmt.Sprintf("quote names that hold blanks; see %s --help", c.Command.HelpName),
			"%s: there is one argument too many: %q", c.Command.HelpName, given[len(names)])
	}
	return given, nil
}
