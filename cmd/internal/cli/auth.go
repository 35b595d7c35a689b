package cli

import (
	"errors"
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
		several("certificate", "`FILE` with the CA certificate: PEM, PKCS#12 or a Java key store; or a folder; may be repeated"),
		several("private-key", "`FILE` with its private key, a folder, or a reference; may be repeated; not needed if the certificate's file holds it, too"),
		&cli.StringFlag{Name: "passphrase", Usage: "`REFERENCE` to the key's passphrase, or the key store's: file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD; " +
			"default: it is asked for on the terminal [the passphrase itself in $ANAPLAN_PASSPHRASE]", Category: "Login:"},
		aliasFlag(), keyPassphraseFlag(),
		text("region", "`CODE` of the tenant's region, such as us1 or eu3"),
		text("auth-url", "`URL` of the login host instead of a region's"),
	}
}

// certificateConnection is the connection of a command that needs a certificate, and no
// login. If the certificate is given and no connection is named, no file is looked for.
func (p *Program) certificateConnection(c *cli.Context) (conn configs.Connection, err error) {
	if len(p.settings(c, "certificate")) == 0 || p.setting(c, "connection") != "" || c.IsSet("connections") {
		conn, err = p.savedConnection(c)
	} else {
		conn.Name = "command line"
		conn.Dir, err = filepath.Abs(".")
	}
	if err != nil {
		return conn, err
	}
	conn.Method = "certificate"
	if err := p.addressSettings(c, &conn); err != nil {
		return conn, err
	}
	if err := p.certificateSettings(c, &conn); err != nil {
		return conn, err
	}
	if len(conn.Certificates) == 0 {
		return conn, usage("give --certificate and --private-key, or --connection NAME of a connections.toml", "no certificate is given")
	}
	return conn, nil
}

// certificateSettings puts the certificate, key and passphrase of the command line, else
// of the variables, over those of a connection. Their paths begin here, not where the
// connection's file lies.
func (p *Program) certificateSettings(c *cli.Context, conn *configs.Connection) error {
	certificates, keys := p.settings(c, "certificate"), p.settings(c, "private-key")
	if len(certificates) > 0 {
		conn.Certificates = hereAll(certificates)
		// Another certificate's key is no use, nor is its place in a store.
		conn.PrivateKeys, conn.Alias, conn.KeyPassphrase = nil, "", ""
	}
	if len(keys) > 0 {
		conn.PrivateKeys = hereAll(keys)
	}
	return p.storeSettings(c, conn)
}

// storeSettings puts the alias and passwords of the command line, else of the variables, over those of a connection.
func (p *Program) storeSettings(c *cli.Context, conn *configs.Connection) error {
	if v := p.setting(c, "alias"); v != "" {
		conn.Alias = v
	}
	return errors.Join(p.secretSetting(c, "passphrase", &conn.Passphrase), p.secretSetting(c, "key-passphrase", &conn.KeyPassphrase))
}

// hereAll does for several what here does for one.
func hereAll(paths []string) []string {
	all := make([]string, len(paths))
	for i, path := range paths {
		all[i] = here(path)
	}
	return all
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
