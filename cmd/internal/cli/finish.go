package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// outputFlags choose the form of the result.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Value: "text", Usage: "form of the result on stdout: text, or json (one object on one line, last)", Category: "Output:",
			Action: func(_ *cli.Context, v string) error {
				if v != "text" && v != "json" {
					return usage("write --output text or --output json", "--output: %q is not a form of output", v)
				}
				return nil
			}},
		&cli.StringFlag{Name: "result-file", Usage: "also write the result as JSON to `FILE`, whole or not at all", Category: "Output:", TakesFile: true},
	}
}

// finish writes the result: to stdout as text or JSON, and to the result file. It is the
// last thing that a command writes.
func (p *Program) finish(c *cli.Context, result any, text func(w io.Writer) error) error {
	p.endScreen()
	if path := c.String("result-file"); path != "" {
		if err := writeResultFile(path, result); err != nil {
			return &failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: fmt.Sprintf("--result-file %s: %v", path, err),
				next: "name a file in a folder that can be written; the work itself was done", err: err}
		}
	}
	var err error
	if c.String("output") == "json" {
		err = writeJSON(p.Out, result)
	} else {
		err = text(p.Out)
	}
	if err != nil {
		return &failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: fmt.Sprintf("write the result: %v", err), err: err}
	}
	return nil
}

// writeJSON writes one object on one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func writeResultFile(path string, result any) error {
	return transfer.Place(path, 0o644, func(f *os.File) error { return writeJSON(f, result) })
}
