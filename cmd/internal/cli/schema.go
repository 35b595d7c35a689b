package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const schemaDescription = `Prints the JSON Schema (draft 2020-12) of job files or of connections.toml. With it an editor completes
keys, explains them, and marks mistakes while one types. Editors whose TOML support is built on Taplo find
the file by the first line of a job:

   #:schema ./job.schema.json

Write it with --out: a redirection in some shells of Windows changes the file's encoding.`

func (p *Program) schemaCommand() *cli.Command {
	of := func(what, file string, schema func() []byte) *cli.Command {
		return &cli.Command{
			Name: what, Usage: "prints the schema of " + file, Description: schemaDescription,
			Flags: []cli.Flag{&cli.StringFlag{Name: "out", Usage: "write it to `FILE` instead of stdout", TakesFile: true}},
			Action: func(c *cli.Context) error {
				if _, err := arguments(c); err != nil {
					return err
				}
				return p.writeSchema(c.String("out"), schema())
			},
		}
	}
	return &cli.Command{
		Name: "schema", Usage: "prints the JSON Schema of job files or connections, for editors", Description: schemaDescription,
		Subcommands: []*cli.Command{of("job", "job files", configs.Schema), of("connections", "connections.toml", configs.ConnectionsSchema)},
	}
}

func (p *Program) writeSchema(out string, schema []byte) error {
	if out == "" {
		_, err := p.Out.Write(schema)
		return err
	}
	if err := placeBytes(out, 0o644, schema); err != nil {
		return &failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: fmt.Sprintf("--out %s: %v", out, err),
			next: "name a file in a folder that can be written", err: err}
	}
	return nil
}
