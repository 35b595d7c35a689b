package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// checking is one call of auth check, while it looks.
type checking struct {
	p   *Program
	c   *cli.Context
	ctx context.Context
	b   *inventory.Builder

	connections []checkedConnection
	uses        map[string][]string  // jobs, by the login that they use
	logins      map[string]time.Time // the last of each user
}

// checkedConnection is a connection whose certificates are looked at.
type checkedConnection struct {
	configs.Connection
	met bool // in a folder, not named: then no program it names is run, no vault and nobody asked, and no login tried
}

func loginOfPlace(conn configs.Connection) string { return absolute(conn.File) + "\x00" + conn.Name }

func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// all looks at everything that is to be looked at.
func (k *checking) all() error {
	k.uses, k.logins = map[string][]string{}, map[string]time.Time{}
	given := k.c.Args().Slice()
	if err := k.p.storeSettings(k.c, &configs.Connection{}); err != nil { // also where nothing needs them
		return err
	}
	if len(given) > 0 && (k.c.IsSet("certificate") || k.c.IsSet("connection") && !slices.ContainsFunc(given, isReference)) {
		return usage("give one of them", "files, --certificate and --connection are different ways to choose certificates")
	}
	if len(given) > 1 && k.c.IsSet("private-key") {
		return usage("check one file at a time with its key", "one --private-key does not belong to several certificates")
	}
	for _, path := range k.c.StringSlice("jobs") {
		if err := k.jobsIn(path); err != nil {
			return err
		}
	}
	// Jobs before connections, which show who uses them; connections before files, which are theirs.
	var later []func() error
	for _, arg := range given {
		one, err := k.argument(arg)
		if err != nil {
			return err
		}
		later = append(later, one)
	}
	if len(given) == 0 || k.c.Bool("all") {
		chosen, err := k.chosen()
		if err != nil {
			return err
		}
		for _, conn := range chosen {
			k.connections = append(k.connections, checkedConnection{Connection: conn})
		}
		if len(given) == 0 && len(chosen) == 0 {
			return usage("give files, --certificate and --private-key, or --connections FILE", "there is no certificate to check")
		}
	}
	if k.c.Bool("online") && !slices.ContainsFunc(k.connections, func(conn checkedConnection) bool { return conn.File != "" }) {
		return usage("name one, or its file: --connection NAME, connections.toml", "--online logs in by a connection, and none is given")
	}
	seen, named := map[string]bool{}, map[string]bool{}
	for _, conn := range k.connections {
		named[loginOfPlace(conn.Connection)] = named[loginOfPlace(conn.Connection)] || !conn.met
	}
	for _, conn := range k.connections {
		conn.met = conn.met && !named[loginOfPlace(conn.Connection)]
		if key := loginOfPlace(conn.Connection); conn.File != "" {
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		if err := k.ctx.Err(); err != nil {
			return err
		}
		if conn.met && k.c.Bool("online") {
			k.p.log.Warnf("%s was met in a folder, so no login is tried: name the file, or the connection", or(conn.Name, conn.File))
		}
		k.connection(conn)
	}
	for _, one := range later {
		if err := one(); err != nil {
			return err
		}
	}
	if k.b.Len() == 0 {
		return usage("name folders or files with certificates: PEM, PKCS#12 or Java key stores", "there is no certificate in %s (%s looked at)", strings.Join(given, ", "), count(k.b.Files, "file"))
	}
	return nil
}

// chosen are the connections without arguments: what is chosen, else all of connections.toml.
func (k *checking) chosen() ([]configs.Connection, error) {
	p, c := k.p, k.c
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
	return k.withCertificates(saved)
}

// withCertificates are those of a file that log in with one.
func (k *checking) withCertificates(saved *configs.Connections) ([]configs.Connection, error) {
	var all []configs.Connection
	for _, n := range saved.Names() {
		conn, err := saved.Get(n)
		if err != nil {
			return nil, err
		}
		if conn.Method == "basic" {
			k.p.log.Infof("connection %s: basic login, no certificate", n)
			continue
		}
		all = append(all, conn)
	}
	return all, nil
}

func isReference(s string) bool {
	_, err := secret.ParseRef(s)
	return !errors.Is(err, secret.ErrNoScheme)
}

// argument takes one argument in: connections and jobs at once, and what it returns looks
// at certificates.
func (k *checking) argument(arg string) (func() error, error) {
	none := func() error { return nil }
	if isReference(arg) && !strings.HasPrefix(arg, "file:") {
		conn := configs.Connection{}
		if k.p.setting(k.c, "connection") != "" {
			saved, err := k.p.savedConnection(k.c)
			if err != nil {
				return nil, err
			}
			conn = saved
			conn.Name, conn.File = "", ""
		}
		conn.Certificates, conn.PrivateKeys = []string{arg}, nil
		return func() error { return k.file(conn) }, nil
	}
	path := strings.TrimPrefix(arg, "file:")
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		files, err := k.walk(path)
		if err != nil {
			return nil, err
		}
		return func() error { k.folders(files); return nil }, nil
	case err == nil && strings.EqualFold(filepath.Ext(path), ".toml"):
		return none, k.toml(path, true)
	}
	return func() error { return k.file(configs.Connection{Certificates: []string{here(path)}}) }, nil
}

// file looks at one that is named, with the key and passwords of the flags.
func (k *checking) file(conn configs.Connection) error {
	if k.c.IsSet("private-key") {
		conn.PrivateKeys = hereAll(k.c.StringSlice("private-key"))
	}
	if err := k.p.storeSettings(k.c, &conn); err != nil {
		return err
	}
	k.connection(checkedConnection{Connection: conn})
	return nil
}
