package cli

import (
	"slices"

	"github.com/urfave/cli/v2"
)

// commands are all commands, in the order of the help.
func (p *Program) commands() []*cli.Command {
	return []*cli.Command{
		p.demoCommand(),
		p.runCommand(),
		p.checkCommand(),
		p.planCommand(),
		p.execCommand(),
		p.runsCommand(),
		p.listCommand(),
		p.tasksCommand(),
		p.authCommand(),
		p.simulateCommand(),
		p.versionCommand(),
	}
}

func (p *Program) versionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "says which version this is", Action: func(c *cli.Context) error {
		return nil
	}}
}

// flags joins groups of flags.
func flags(groups ...[]cli.Flag) []cli.Flag { return slices.Concat(groups...) }
