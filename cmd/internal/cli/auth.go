package cli

import (
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

func (p *Program) authCommand() *cli.Command {
	return &cli.Command{
		Name: "auth", Usage: "checks and requests certificates, tries logins, makes login payloads",
		Subcommands: []*cli.Command{p.payloadCommand(), p.authCheckCommand(), p.requestCommand(), p.tokenCommand()},
	}
}

// certificateFlags choose a certificate with its key, for commands that need no login.
func certificateFlags() []cli.Flag {
	text := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage + " [$" + variable(name) + "]", Category: "Login:"}
	}
	return []cli.Flag{
		connectionsFlag(),
		text("connection", "`NAME` of the connection whose certificate it is; not needed with --certificate"),
		text("certificate", "`FILE` with the CA certificate (PEM)"),
		text("private-key", "`FILE` with its private key (PEM), or a reference; not needed if the certificate's file holds it, too"),
		&cli.StringFlag{Name: "passphrase", Usage: "`REFERENCE` to the key's passphrase: file:PATH, env:NAME or cmd:COMMAND; " +
			"default: it is asked for on the terminal [the passphrase itself in $ANAPLAN_PASSPHRASE]", Category: "Login:"},
		text("region", "`CODE` of the tenant's region, such as us1 or eu3"),
		text("auth-url", "`URL` of the login host instead of a region's"),
	}
}

// certificateConnection is the connection of a command that needs a certificate, and no
// login. If the certificate is given and no connection is named, no file is looked for.
func (p *Program) certificateConnection(c *cli.Context) (conn configs.Connection, err error) {
	if p.setting(c, "certificate") == "" || p.setting(c, "connection") != "" || c.IsSet("connections") {
		conn, err = p.savedConnection(c)
	} else {
		conn.Name = "command line"
		conn.Dir, err = filepath.Abs(".")
	}
	if err != nil {
		return conn, err
	}
	conn.Method = "certificate"
	if region := p.setting(c, "region"); region != "" {
		conn.Region, conn.APIURL, conn.AuthURL = region, "", ""
	}
	if v := p.setting(c, "auth-url"); v != "" {
		conn.AuthURL = v
	}
	if err := p.certificateSettings(c, &conn); err != nil {
		return conn, err
	}
	if conn.Certificate == "" {
		return conn, usage("give --certificate and --private-key, or --connection NAME of a connections.toml", "no certificate is given")
	}
	return conn, nil
}

// certificateSettings puts the certificate, key and passphrase of the command line, else
// of the variables, over those of a connection. Their paths begin here, not where the
// connection's file lies.
func (p *Program) certificateSettings(c *cli.Context, conn *configs.Connection) error {
	if v := p.setting(c, "certificate"); v != "" {
		conn.Certificate = here(v)
		if p.setting(c, "private-key") == "" {
			conn.PrivateKey = "" // another certificate's key is no use
		}
	}
	if v := p.setting(c, "private-key"); v != "" {
		conn.PrivateKey = here(v)
	}
	return p.secretSetting(c, "passphrase", &conn.Passphrase)
}

// here makes a relative path, plain or as a file: reference, one that begins in the
// working folder. Other references stay.
func here(path string) string {
	dir, err := filepath.Abs(".")
	if err != nil {
		return path
	}
	return whole(dir, path)
}
