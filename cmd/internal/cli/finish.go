package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// outputFlags choose the form of the result.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Value: "text", Usage: "form of the result on stdout: text, or json (one object on one line, last)", Category: "Output:",
			Action: func(_ *cli.Context, v string) error {
				return oneOf("--output", v, "text", "json")
			}},
		&cli.StringFlag{Name: "result-file", Usage: "also write the result as JSON to `FILE`, whole or not at all", Category: "Output:", TakesFile: true},
	}
}

// elsewhere is what can be done about a file of the result that cannot be written.
const elsewhere = "name a file in a folder that can be written, on a disk with room; the work itself was done"

// finish writes the result: to the result file, and to stdout as text or JSON. It is the
// last thing that a command writes, and returns the error with which the command ends. A
// result that cannot be written changes only the code of what was well.
func (p *Program) finish(c *cli.Context, code int, result any, text func(w io.Writer) error) error {
	p.endScreen()
	lost := func(code int, cause ledger.Cause, next, format string, args ...any) int {
		p.say(&failure{code: code, cause: cause, what: fmt.Sprintf(format, args...), next: next}, c.String("log-format") == "json")
		return code
	}
	worse := ledger.CodeOK
	if path := c.String("result-file"); path != "" {
		if err := p.writeResultFile(path, result); err != nil {
			worse = lost(ledger.CodeInput, ledger.CauseInput, elsewhere,
				"--result-file %s: %v", path, err)
		}
	}
	var err error
	if c.String("output") == "json" {
		err = p.writeClean(p.Out, result)
	} else {
		err = text(p.Out)
	}
	if err != nil {
		worse = lost(ledger.CodeInternal, ledger.CauseInternal, "see what became of stdout; the work itself was done", "write the result: %v", err)
	}
	if code == ledger.CodeOK {
		code = worse
	}
	return exit(code)
}

// writeJSON writes one object on one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeClean writes one object on one line, without what the filter knows.
func (p *Program) writeClean(w io.Writer, v any) error {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return err
	}
	if f, ok := w.(*secret.FilterWriter); ok { // which would take our names away
		if err := f.Flush(); err != nil {
			return err
		}
		w = f.Unwrap()
	}
	_, err := w.Write(cleanJSON(p.filter, b.Bytes()))
	return err
}

func (p *Program) writeResultFile(path string, result any) error {
	return data.Place(path, 0o644, func(f *os.File) error {
		return p.writeClean(f, result)
	})
}

// filtered writes a file without what the filter knows.
func (p *Program) filtered(w io.Writer, write func(io.Writer) error) error {
	clean := p.filter.Writer(w)
	if err := write(clean); err != nil {
		return err
	}
	return clean.Flush()
}
