package cli

import (
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// commands are all commands, in the order of the help.
func (p *Program) commands() []*cli.Command {
	return []*cli.Command{
		p.demoCommand(),
		p.runCommand(),
		p.checkCommand(),
		p.planCommand(),
		p.execCommand(),
		p.resumeCommand(),
		p.statusCommand(),
		p.cancelCommand(),
		p.runsCommand(),
		p.uploadCommand(),
		p.downloadCommand(),
		p.listCommand(),
		p.tasksCommand(),
		p.authCommand(),
		p.simulateCommand(),
		p.schemaCommand(),
		p.completionCommand(),
		p.versionCommand(),
	}
}

func (p *Program) versionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "says which version this is", Flags: outputFlags(), Action: func(c *cli.Context) error {
		if _, err := arguments(c); err != nil {
			return err
		}
		v := struct {
			Schema  int    `json:"schema"`
			Version string `json:"version"`
			Go      string `json:"go"`
			System  string `json:"system"`
		}{1, Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		return p.finish(c, ledger.CodeOK, v, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s %s, %s, %s\n", name, v.Version, v.Go, v.System)
			return err
		})
	}}
}

// flags joins groups of flags.
func flags(groups ...[]cli.Flag) []cli.Flag { return slices.Concat(groups...) }
