package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const authCheckDescription = `Looks at certificates and their keys: whom they log in as, can they be read, do they belong together, do they
meet Anaplan's requirements, when do they end; what to do, and in which order to renew. Nothing is sent without
--online, and Anaplan may still refuse them.

   anaplan-runner auth check                            # every connection of connections.toml
   anaplan-runner auth check --connection prod
   anaplan-runner auth check certificates/*.pem         # files, each with or without its key
   anaplan-runner auth check /etc/anaplan --jobs jobs/  # folders, with all below; which jobs use what
   anaplan-runner auth check nightly.toml other/connections.toml vault:anaplan/prod#certificate
   anaplan-runner auth check --certificate batch.pem --private-key batch.key --warn 30d
   anaplan-runner auth check --all --output prom --result-file /var/lib/node_exporter/anaplan.prom

A certificate that is found in several places is one line. In a folder, a key is found beside its certificate,
links to folders are not followed, hidden ones are left out, nobody is asked for a passphrase, no program is run, no
vault is asked, and --online tries no login by what is found.
The code is 77 if one cannot be used, else 4 if one ends within --warn, else 0; one whose successor is in place is well.`

func (p *Program) authCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "says whether certificates can be used, until when, and what to do",
		ArgsUsage:   "[FILE|FOLDER|JOB.toml|CONNECTIONS.toml|vault:PATH#FIELD...]",
		Description: authCheckDescription,
		Flags: flags([]cli.Flag{
			&cli.StringFlag{Name: "warn", Value: "60d", Usage: "end with code 4 if one ends within `DAYS`; 0d: never", Category: "Check:"},
			&cli.BoolFlag{Name: "all", Usage: "every connection of the file, also if $ANAPLAN_CONNECTION or $ANAPLAN_CERTIFICATE choose one, and besides arguments", Category: "Check:"},
			&cli.StringSliceFlag{Name: "jobs", Usage: "tell which jobs in `FOLDER`, or file, use which certificate; may be repeated", Category: "Check:", TakesFile: true},
			&cli.BoolFlag{Name: "online", Usage: "also log in with the certificate of each connection, and log out", Category: "Check:"},
		}, certificateFlags(), checkOutputFlags(), logFlags()),
		Action: p.authCheck,
	}
}

// checkForms are what --output of auth check can be.
var checkForms = []string{"text", "json", "csv", "ics", "prom"}

func checkOutputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Value: "text", Usage: "form of the result on stdout: text, json (one object on one line, last), csv, ics (a calendar), or prom (Prometheus)", Category: "Output:",
			Action: func(_ *cli.Context, v string) error { return oneOf("--output", v, checkForms...) }},
		&cli.StringFlag{Name: "result-file", Usage: "also write the result to `FILE`, whole or not at all: as csv, ics or prom if --output is that, else as JSON", Category: "Output:", TakesFile: true},
	}
}

func (p *Program) authCheck(c *cli.Context) error {
	p.startLog(c)
	warn, err := days(c.String("warn"))
	if err != nil {
		return err
	}
	return p.interruptible(c, func(ctx context.Context) error {
		look := &checking{p: p, c: c, ctx: ctx, b: &inventory.Builder{Now: p.Now(), WarnDays: warn}}
		err := look.all()
		if err == nil {
			err = ctx.Err() // what was being fetched then has failed for no other reason
		}
		if err != nil {
			return err
		}
		inv := look.b.Build()
		inv.ExitCode = codeOf(inv)
		return p.finishCheck(c, inv)
	})
}

// codeOf is the worst of an inventory: one that cannot be used, one that could not be tried, one that ends.
func codeOf(inv *inventory.Inventory) int {
	code := ledger.CodeOK
	if inv.Summary.EndsSoon > 0 {
		code = ledger.CodeExpiring
	}
	for i := range inv.Certificates {
		switch c := &inv.Certificates[i]; {
		case c.Fails() && !c.Temporary():
			return ledger.CodePermission
		case c.Fails():
			code = ledger.CodeTemporary
		}
	}
	return code
}

// finishCheck writes the inventory in the form that is asked for.
func (p *Program) finishCheck(c *cli.Context, inv *inventory.Inventory) error {
	form := c.String("output")
	write := map[string]func(io.Writer) error{"csv": inv.CSV, "ics": inv.Calendar, "prom": inv.Metrics}[form]
	if write == nil {
		return p.finish(c, inv.ExitCode, inv, func(w io.Writer) error {
			return inv.Text(w, inventory.TextOptions{Width: p.tableWidth(), Colour: p.colour(p.Out)})
		})
	}
	code := inv.ExitCode
	lost := func(f *failure) {
		p.say(f, c.String("log-format") == "json")
		if code == ledger.CodeOK {
			code = f.code
		}
	}
	if path := c.String("result-file"); path != "" {
		if err := data.Place(path, 0o644, func(f *os.File) error { return p.filtered(f, write) }); err != nil {
			lost(&failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: fmt.Sprintf("--result-file %s: %v", path, err), next: elsewhere})
		}
	}
	if err := write(p.Out); err != nil {
		lost(&failure{code: ledger.CodeInternal, cause: ledger.CauseInternal, what: fmt.Sprintf("write the result: %v", err), next: "see what became of stdout"})
	}
	return exit(code)
}

// tableWidth is that of the terminal, or $COLUMNS; 0 where neither says: then nothing is cut.
func (p *Program) tableWidth() int {
	if n, err := strconv.Atoi(p.env("COLUMNS")); err == nil && n >= 40 {
		return n
	}
	if isTerminal(p.Out) {
		return width(p.Out)
	}
	return 0
}

// days reads a number of days, as "60d" or "60".
func days(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || n < 0 {
		return 0, usage("write --warn 60d", "--warn: %q is not a number of days", s)
	}
	return n, nil
}
