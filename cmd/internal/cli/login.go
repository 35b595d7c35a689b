package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// connectionsFlag names the file of connections.
func connectionsFlag() cli.Flag {
	return &cli.StringFlag{Name: "connections", Usage: "`FILE` with the connections; default: connections.toml beside the job, or here where there is no job, then the machine's", Category: "Login:", TakesFile: true}
}

// loginFlags say who logs in, and where, for commands without a job file. Each has a
// variable; what neither says comes from the connection.
func loginFlags() []cli.Flag {
	text := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage + " [$" + variable(name) + "]", Category: "Login:"}
	}
	return []cli.Flag{
		connectionsFlag(),
		text("connection", "`NAME` of the connection in the file of connections; default: the only one"),
		text("region", "`CODE` of the tenant's region, such as us1 or eu3"),
		text("api-url", "`URL` of the API instead of a region's"),
		text("auth-url", "`URL` of the login host instead of a region's"),
		several("certificate", "`FILE` with the CA certificate: PEM, PKCS#12 or a Java key store; or a folder; may be repeated"),
		several("private-key", "`FILE` with its private key, a folder, or a reference; may be repeated"),
		&cli.StringFlag{Name: "passphrase", Usage: "`REFERENCE` to the key's passphrase, or the key store's: file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD [the passphrase itself in $ANAPLAN_PASSPHRASE]", Category: "Login:"},
		aliasFlag(), keyPassphraseFlag(),
		text("message", "`FORMAT` of the login message: v2 or v1"),
		text("header", "`FORM` of the login header: pem or der"),
		text("user", "`EMAIL` for basic login"),
		&cli.StringFlag{Name: "password", Usage: "`REFERENCE` to the password [the password itself in $ANAPLAN_PASSWORD]", Category: "Login:"},
		text("proxy", "`URL` of the proxy: http://, https:// or socks5://; default: the environment's HTTPS_PROXY"),
		text("proxy-user", "`USER` of the proxy, for NTLM DOMAIN\\user"),
		&cli.StringFlag{Name: "proxy-password", Usage: "`REFERENCE` to the password of the proxy's user [the password itself in $ANAPLAN_PROXY_PASSWORD]", Category: "Login:"},
		caFlag(),
	}
}

// aliasFlag and keyPassphraseFlag are for key stores.
func aliasFlag() cli.Flag {
	return &cli.StringFlag{Name: "alias", Usage: "`NAME` of the entry in the key store; default: the only private key [$ANAPLAN_ALIAS]", Category: "Login:"}
}

func keyPassphraseFlag() cli.Flag {
	return &cli.StringFlag{Name: "key-passphrase", Usage: "`REFERENCE` to the password of the key in the key store: file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD; default: the store's [the password itself in $ANAPLAN_KEY_PASSPHRASE]", Category: "Login:"}
}

// placeFlags say in which model.
func placeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "workspace", Aliases: []string{"w"}, Usage: "`NAME` or id of the workspace [$ANAPLAN_WORKSPACE]", Category: "Where:"},
		&cli.StringFlag{Name: "model", Aliases: []string{"m"}, Usage: "`NAME` or id of the model [$ANAPLAN_MODEL]", Category: "Where:"},
	}
}

// several is a flag that may be repeated; its variable holds one value.
func several(name, usage string) cli.Flag {
	return &cli.StringSliceFlag{Name: name, Usage: usage + " [$" + variable(name) + "]", Category: "Login:", TakesFile: true}
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "ANAPLAN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setting is what a flag says, else its variable.
func (p *Program) setting(c *cli.Context, flag string) string {
	if c.IsSet(flag) {
		return c.String(flag)
	}
	return p.env(variable(flag))
}

// settings is what a flag that may be repeated says, else its variable, without what is empty.
func (p *Program) settings(c *cli.Context, flag string) []string {
	all := []string{p.env(variable(flag))}
	if c.IsSet(flag) {
		all = c.StringSlice(flag)
	}
	return slices.DeleteFunc(slices.Clone(all), func(v string) bool { return v == "" })
}

// origin is where a setting comes from, for messages.
func origin(c *cli.Context, flag string) string {
	if c.IsSet(flag) {
		return "--" + flag
	}
	return variable(flag)
}

// jobVariables are those that commands with a job file do not look at.
var jobVariables = []string{"connection", "region", "api-url", "auth-url", "certificate", "private-key", "passphrase", "alias", "key-passphrase", "message", "header",
	"user", "password", "proxy", "proxy-user", "proxy-password", "ca-file", "ca", "workspace", "model"}

// ignoredVariables says which variables a command with a job file takes no notice of;
// nothing if none is set.
func (p *Program) ignoredVariables() []string {
	var set []string
	for _, flag := range jobVariables {
		if p.env(variable(flag)) != "" {
			set = append(set, variable(flag))
		}
	}
	if len(set) == 0 {
		return nil
	}
	return []string{strings.Join(set, ", ") + " set in the environment; a job takes its login and target from its file alone"}
}

// login is the connection that a command without a job file uses: the flags, else the
// variables, else the connection of the file.
func (p *Program) login(c *cli.Context) (configs.Connection, error) {
	err := errors.Join(oneOf(origin(c, "message"), p.setting(c, "message"), "v2", "v1"), oneOf(origin(c, "header"), p.setting(c, "header"), "pem", "der"),
		p.knownRegion(c))
	if err != nil {
		return configs.Connection{}, err
	}
	conn, err := p.savedConnection(c)
	if err != nil {
		return configs.Connection{}, err
	}
	over := func(flag string, to *string) {
		if v := p.setting(c, flag); v != "" {
			*to = v
		}
	}
	if err := p.addressSettings(c, &conn); err != nil {
		return configs.Connection{}, err
	}
	if v := p.caSetting(c); v != "" {
		conn.CA = here(v)
	}
	if err := p.proxySettings(c, &conn); err != nil {
		return configs.Connection{}, err
	}
	over("message", &conn.Message)
	over("header", &conn.Header)
	certificates, user := p.settings(c, "certificate"), p.setting(c, "user")
	if c.IsSet("certificate") && c.IsSet("user") {
		return configs.Connection{}, usage("give one of them", "--certificate and --user are two ways to log in")
	}
	switch {
	case len(certificates) > 0 && !c.IsSet("user"):
		conn.Method = "certificate"
	case user != "":
		conn.Method = "basic"
	}
	over("user", &conn.User)
	if err := p.certificateSettings(c, &conn); err != nil {
		return configs.Connection{}, err
	}
	if err := p.secretSetting(c, "password", &conn.Password); err != nil {
		return configs.Connection{}, err
	}
	return conn, complete(conn)
}

// addressSettings puts the region and the addresses of the command line, else of the
// variables, over those of a connection. They are held to what a connection's are.
func (p *Program) addressSettings(c *cli.Context, conn *configs.Connection) error {
	if region := p.setting(c, "region"); region != "" {
		conn.Region, conn.APIURL, conn.AuthURL = region, "", ""
	}
	for flag, to := range map[string]*string{"api-url": &conn.APIURL, "auth-url": &conn.AuthURL} {
		v := p.setting(c, flag)
		if v == "" {
			continue
		}
		if what, instead := configs.CheckURL(v); what != "" {
			return usage(instead, "%s: it %s", origin(c, flag), what)
		}
		*to = v
	}
	return nil
}

// knownRegion refuses a region that does not exist.
func (p *Program) knownRegion(c *cli.Context) error {
	region := p.setting(c, "region")
	if _, ok := anaplan.Region(region); ok || region == "" {
		return nil
	}
	next := "the regions are " + strings.Join(anaplan.Regions(), ", ") + "; --api-url and --auth-url give addresses that are none of theirs"
	if near := configs.Nearest(region, anaplan.Regions()); near != "" {
		next = fmt.Sprintf("did you mean %s? ", near) + next
	}
	return usage(next, "%s: there is no region %q", origin(c, "region"), region)
}

// secretSetting takes a secret's reference from the flag, else the secret itself from the
// variable, by a reference to the variable.
func (p *Program) secretSetting(c *cli.Context, flag string, to *string) error {
	if c.IsSet(flag) {
		if _, err := secret.ParseRef(c.String(flag)); err != nil {
			return usage("arguments can be seen by everybody on the machine: write --"+flag+" file:PATH, or set "+variable(flag), "--%s: %v", flag, err)
		}
		*to = here(c.String(flag))
		return nil
	}
	if p.env(variable(flag)) != "" {
		*to = "env:" + variable(flag)
	}
	return nil
}

// savedConnection is the connection of the file that the caller names, or the only one;
// one without a login if there is no file.
func (p *Program) savedConnection(c *cli.Context) (configs.Connection, error) {
	saved, err := p.connectionsHere(c)
	if err != nil {
		return configs.Connection{}, err
	}
	chosen := p.setting(c, "connection")
	if names := saved.Names(); chosen == "" && len(names) > 0 {
		switch {
		case len(names) == 1:
			chosen = names[0]
		case len(p.settings(c, "certificate")) == 0 && p.setting(c, "user") == "":
			return configs.Connection{}, usage("give --connection NAME, one of "+strings.Join(names, ", "), "%s holds several connections", saved.File)
		}
	}
	if chosen != "" {
		return saved.Get(chosen)
	}
	dir, err := filepath.Abs(".")
	return configs.Connection{Name: "command line", Dir: dir}, err
}

// connectionsHere are those of a command without a job file: beside a job means here then.
func (p *Program) connectionsHere(c *cli.Context) (*configs.Connections, error) {
	return configs.LoadConnections(c.String("connections"), "."+string(filepath.Separator)+name, p.env)
}

// complete says what is missing for a login.
func complete(conn configs.Connection) error {
	const ways = "give --certificate and --private-key (or $ANAPLAN_CERTIFICATE and $ANAPLAN_PRIVATE_KEY), --user and --password, or --connection NAME of a connections.toml"
	if conn.Method == "basic" {
		if conn.User == "" || conn.Password == "" {
			return usage(ways, "no password is given for the basic login")
		}
		return nil
	}
	if len(conn.Certificates) == 0 {
		return usage(ways, "no login is given")
	}
	return nil
}

// place is the workspace and model of a command without a job file.
func (p *Program) place(c *cli.Context, conn configs.Connection) (workspace, model configs.Ref, err error) {
	workspace, model = conn.Workspace, conn.Model
	if v := p.setting(c, "workspace"); v != "" {
		workspace = configs.Ref{Name: v}
	}
	if v := p.setting(c, "model"); v != "" {
		model = configs.Ref{Name: v}
	}
	if workspace.Zero() || model.Zero() {
		missing := "workspace"
		if !workspace.Zero() {
			missing = "model"
		}
		return workspace, model, usage(fmt.Sprintf("give --%s NAME, or set %s", missing, variable(missing)), "no %s is given", missing)
	}
	return workspace, model, nil
}
