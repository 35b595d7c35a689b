package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const authCheckDescription = `Looks at certificates and their keys: can they be read, do they belong together, are they valid, when do
they end. Nothing is sent, and Anaplan may still refuse them.

   anaplan-runner auth check                            # every connection of connections.toml
   anaplan-runner auth check --connection prod
   anaplan-runner auth check certificates/*.pem         # files, each with or without its key
   anaplan-runner auth check --certificate batch.pem --private-key batch.key --warn 30d

The code is 77 if one cannot be used, else 4 if one ends within --warn, else 0.`

func (p *Program) authCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "says whether certificates can be used, and until when",
		ArgsUsage:   "[FILE...]",
		Description: authCheckDescription,
		Flags: flags([]cli.Flag{
			&cli.StringFlag{Name: "warn", Value: "60d", Usage: "end with code 4 if one ends within `DAYS`; 0d: never", Category: "Check:"},
			&cli.BoolFlag{Name: "all", Usage: "every connection of the file, also if $ANAPLAN_CONNECTION or $ANAPLAN_CERTIFICATE choose one", Category: "Check:"},
		}, certificateFlags(), outputFlags(), logFlags()),
		Action: p.authCheck,
	}
}

// checkedCertificate is one line of the result. Problem and Next are those of the report,
// or say why there is none.
type checkedCertificate struct {
	Connection string `json:"connection,omitempty"`
	File       string `json:"file"`
	KeyChecked bool   `json:"key_checked"` // a private key was given, and looked at
	Usable     bool   `json:"usable"`
	Expiring   bool   `json:"expiring"`
	*auth.Report
	Problem string `json:"problem"`
	Next    string `json:"next"`
}

// checkedCertificates is the result of auth check.
type checkedCertificates struct {
	Schema       int                  `json:"schema"`
	ExitCode     int                  `json:"exit_code"`
	WarnDays     int                  `json:"warn_days"`
	Certificates []checkedCertificate `json:"certificates"`
}

func (p *Program) authCheck(c *cli.Context) error {
	p.startLog(c)
	warn, err := days(c.String("warn"))
	if err != nil {
		return err
	}
	connections, err := p.connectionsToCheck(c)
	if err != nil {
		return err
	}
	r := checkedCertificates{Schema: 1, WarnDays: warn}
	for _, conn := range connections {
		one := p.lookAt(conn, warn)
		switch {
		case !one.Usable:
			r.ExitCode = ledger.CodePermission
		case one.Expiring && r.ExitCode == ledger.CodeOK:
			r.ExitCode = ledger.CodeExpiring
		}
		r.Certificates = append(r.Certificates, one)
	}
	return p.finish(c, r.ExitCode, r, r.text)
}

// connectionsToCheck are the files given, else what is chosen, else all of connections.toml.
func (p *Program) connectionsToCheck(c *cli.Context) ([]configs.Connection, error) {
	paths := c.Args().Slice()
	if len(paths) > 0 {
		if c.Bool("all") || c.IsSet("certificate") || c.IsSet("connection") {
			return nil, usage("give one of them", "files, --certificate, --connection and --all are different ways to choose certificates")
		}
		if len(paths) > 1 && c.IsSet("private-key") {
			return nil, usage("check one file at a time with its key", "one --private-key does not belong to several certificates")
		}
		var all []configs.Connection
		for _, path := range paths {
			conn := configs.Connection{Certificates: []string{here(path)}}
			if c.IsSet("private-key") {
				conn.PrivateKeys = []string{here(c.StringSlice("private-key")[0])}
			}
			if err := p.storeSettings(c, &conn); err != nil {
				return nil, err
			}
			all = append(all, conn)
		}
		return all, nil
	}
	if !c.Bool("all") && (len(p.settings(c, "certificate")) > 0 || p.setting(c, "connection") != "") {
		conn, err := p.certificateConnection(c)
		if conn.File == "" {
			conn.Name = ""
		}
		return []configs.Connection{conn}, err
	}
	saved, err := p.connectionsHere(c)
	if err != nil {
		return nil, err
	}
	var all []configs.Connection
	for _, n := range saved.Names() {
		conn, err := saved.Get(n)
		if err != nil {
			return nil, err
		}
		if conn.Method == "basic" {
			p.log.Infof("connection %s: basic login, no certificate", n)
			continue
		}
		all = append(all, conn)
	}
	if len(all) == 0 {
		return nil, usage("give files, --certificate and --private-key, or --connections FILE", "there is no certificate to check")
	}
	return all, nil
}

// lookAt looks at one certificate.
func (p *Program) lookAt(conn configs.Connection, warn int) checkedCertificate {
	one := checkedCertificate{Connection: conn.Name, File: pathOf(conn.Dir, conn.Certificates.First()), KeyChecked: true}
	id, err := p.identity(conn)
	if err != nil && conn.Name == "" && len(conn.PrivateKeys) == 0 && errors.Is(err, keystore.NoKey) {
		one.KeyChecked, err = false, nil // a file alone may well be without its key
	}
	if id == nil {
		var certificateErr error
		id, certificateErr = keystore.Files{CertificatePath: one.File}.LoadCertificate()
		if err == nil {
			err = certificateErr
		}
	}
	if id != nil {
		report := auth.CheckCertificate(id, p.Now())
		one.Report, one.Problem, one.Next = &report, report.Problem, report.Next
		one.Expiring = report.DaysLeft < warn
	}
	if err != nil {
		f := explain(err)
		one.KeyChecked = one.KeyChecked && one.Report == nil
		one.Problem, one.Next = f.what, f.next
	}
	one.Usable = one.Problem == ""
	return one
}

func (r checkedCertificates) text(w io.Writer) error {
	rows := [][]string{{"CONNECTION", "CERTIFICATE", "ENDS", "DAYS", "KEY", "STATE"}}
	var more strings.Builder
	for _, c := range r.Certificates {
		row := []string{or(c.Connection, "-"), c.File, "-", "-", "-", c.state(r.WarnDays)}
		if c.Report != nil {
			row[1], row[2], row[3] = or(strings.Join(c.Emails, ", "), c.Subject), c.NotAfter.Format(time.DateOnly), strconv.Itoa(c.DaysLeft)
			switch {
			case c.KeyMatches:
				row[4] = "matches"
			case !c.KeyChecked && c.Usable:
				row[4] = "not given"
			}
		}
		rows = append(rows, row)
		if c.Problem != "" {
			fmt.Fprintf(&more, "\n%s: %s\n  → %s\n", or(c.Connection, c.File), c.Problem, c.Next)
		}
		if c.Report != nil {
			for _, text := range c.Warnings {
				fmt.Fprintf(&more, "\n%s: warning: %s\n", or(c.Connection, c.File), text)
			}
		}
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	_, err := io.WriteString(w, more.String())
	return err
}

func (c checkedCertificate) state(warn int) string {
	switch {
	case !c.Usable:
		return "cannot be used"
	case c.Expiring:
		return fmt.Sprintf("ends within %d days", warn)
	}
	return "ok"
}

// days reads a number of days, as "60d" or "60".
func days(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(s, "d"))
	if err != nil || n < 0 {
		return 0, usage("write --warn 60d", "--warn: %q is not a number of days", s)
	}
	return n, nil
}
