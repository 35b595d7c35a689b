package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
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

	matched bool // of several files, or a folder: keys belong to the certificates that they fit
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

// connection looks at each certificate of a connection, or of a file that stands for one.
func (k *checking) connection(conn checkedConnection) {
	at := inventory.Place{Connection: conn.Name, Owner: conn.Owner, Note: conn.Note, Defined: absolute(conn.File), Jobs: k.uses[loginOfPlace(conn.Connection)]}
	l := &loading{p: k.p, conn: conn.Connection, quiet: true, most: mostFiles}
	found, err := l.spread(conn.Certificates)
	given, keysErr := l.spread(conn.PrivateKeys)
	if err == nil {
		err = keysErr
	}
	if err != nil {
		f := explain(err)
		at.File, at.Key, at.Problem, at.Next = conn.Certificates.First(), inventory.KeyFailed, f.what, f.next
		k.b.Add(nil, at)
		return
	}
	ofFolders := slices.DeleteFunc(slices.Clone(found), func(m material) bool { return !m.folder })
	certificates, keys := thatHold(found, holdsCertificate), thatHold(slices.Concat(given, ofFolders), holdsKey) // a folder of certificates has keys, too
	if len(certificates) == 0 {
		at.File, at.Key = or(conn.Certificates...), inventory.KeyFailed
		at.Problem, at.Next = fmt.Sprintf("folder %s holds no certificate", at.File), "put the certificate there, or name its file"
		k.b.Add(nil, at)
	}
	conn.matched = len(ofFolders) > 0 || len(certificates) > 1 || len(keys) > 1
	for _, certificate := range certificates {
		place := at
		place.File = certificate
		if !isReference(certificate) {
			place.File = pathOf(conn.Dir, certificate)
		}
		k.pair(conn, certificate, keys, place)
	}
}

func holdsCertificate(c inventory.Content) bool { return len(c.Certificates) > 0 || c.Store }

func holdsKey(c inventory.Content) bool { return len(c.Keys) > 0 || c.Encrypted > 0 }

// thatHold are the files that are named, and those of folders that hold what is wanted.
func thatHold(all []material, wanted func(inventory.Content) bool) []string {
	var texts []string
	for _, m := range all {
		if m.folder {
			if content, ok := lookInto(m.text); !ok || !wanted(content) {
				continue
			}
		}
		texts = append(texts, m.text)
	}
	return texts
}

// pair looks at one certificate, with the key that fits.
func (k *checking) pair(conn checkedConnection, certificate string, keys []string, place inventory.Place) {
	place.Key = inventory.KeyMatches
	if conn.met && needsMore(certificate) {
		place.Key, place.Locked, place.Problem = inventory.KeyNotGiven, true, "it is not fetched, for its connection was met in a folder"
		place.Next = "name the file of the connection: auth check " + conn.File
		k.b.Add(nil, place)
		return
	}
	if k.entries(conn, certificate, keys, place) {
		return
	}
	withheld, ownPassword := false, false // a key, and a key's own password, that are not fetched
	if conn.met {
		ownPassword = needsMore(conn.KeyPassphrase)
		keys, withheld = conn.unasked(keys)
	}
	id, key, err := k.match(conn, certificate, keys)
	place.KeyFile = key
	named := conn.Name == "" && conn.File == ""
	switch {
	case (named || conn.met) && len(keys) == 0 && errors.Is(err, keystore.NoKey), withheld && errors.Is(err, keystore.Mismatch):
		place.Key, err = inventory.KeyNotGiven, nil // a file alone may well be without its key
	case ownPassword && errors.Is(err, keystore.WrongPassphrase):
		err = keystore.PassphraseMissing
	}
	if id == nil {
		var certificateErr error
		id, certificateErr = k.certificateAlone(conn.Connection, certificate)
		if err == nil {
			err = certificateErr
		}
	}
	switch {
	case err == nil:
	case conn.met && errors.Is(err, keystore.PassphraseMissing):
		place.Key, place.Locked, err = inventory.KeyEncrypted, id == nil, nil
		if place.Locked {
			place.Problem, place.Next = "it cannot be looked into without a passphrase", "name the file, and give --passphrase"
		}
	default:
		f := explain(err)
		place.Key, place.Problem, place.Next, place.Temporary = inventory.KeyFailed, f.what, f.next, f.code == ledger.CodeTemporary
	}
	if id != nil {
		place.Alias = id.Alias
	}
	if k.c.Bool("online") && !conn.met && err == nil && id != nil && place.Defined != "" && id.Check(k.b.Now) == nil && place.Key == inventory.KeyMatches {
		place.Online = k.login(conn.Connection, certificate, place.KeyFile, or(append(id.Emails(), keystore.Name(id.Leaf))...))
	}
	k.b.Add(id, place)
	if named && id != nil && id.Signer == nil {
		for _, other := range id.Chain { // a file of several certificates
			if !other.IsCA {
				k.b.Add(&keystore.Identity{Leaf: other}, place)
			}
		}
	}
}

// entries looks at a key store that is named, and has several keys of which none is chosen; false: it is something else.
func (k *checking) entries(conn checkedConnection, certificate string, keys []string, place inventory.Place) bool {
	if conn.Name != "" || conn.File != "" || len(keys) > 0 || conn.Alias != "" {
		return false
	}
	files, err := k.p.files(conn.Connection, certificate, "")
	if err != nil {
		return false
	}
	all, err := files.LoadAll()
	if len(all) < 2 {
		return false
	}
	for _, id := range all {
		place.Alias = id.Alias
		k.b.Add(id, place)
	}
	if err != nil {
		f := explain(err)
		k.b.Add(nil, inventory.Place{File: place.File, Key: inventory.KeyFailed, Problem: f.what, Next: f.next})
	}
	return true
}

// unasked leaves out passwords for which a program is run or a vault asked, and returns the keys without such; withheld if there were.
func (c *checkedConnection) unasked(keys []string) (left []string, withheld bool) {
	for _, password := range []*string{&c.Passphrase, &c.KeyPassphrase} {
		if needsMore(*password) {
			*password = ""
		}
	}
	left = slices.DeleteFunc(slices.Clone(keys), needsMore)
	return left, len(left) < len(keys)
}

// match loads a certificate with the key that fits. Of several files it is the one of the certificate's own file, if it has one.
func (k *checking) match(conn checkedConnection, certificate string, keys []string) (id *keystore.Identity, key string, err error) {
	if conn.matched || len(keys) == 0 {
		id, err = k.load(conn, certificate, "")
		if len(keys) == 0 || !errors.Is(err, keystore.NoKey) {
			return id, "", err
		}
	}
	for i, key := range keys {
		id, e := k.load(conn, certificate, key)
		if e == nil {
			return id, key, nil
		}
		if i == 0 || !errors.Is(e, keystore.Mismatch) {
			err = e
		}
	}
	return nil, "", err
}

// load loads one certificate with its key. For a connection that was only met, nobody is asked for a passphrase.
func (k *checking) load(conn checkedConnection, certificate, key string) (*keystore.Identity, error) {
	files, err := k.p.files(conn.Connection, certificate, key)
	if err != nil {
		return nil, err
	}
	if conn.met && conn.Passphrase == "" {
		files.Passphrase = nil
	}
	return files.Load()
}

// needsMore reports whether a program is run, or a vault asked, to have what a text means.
func needsMore(text string) bool {
	ref, err := secret.ParseRef(text)
	return err == nil && (ref.Scheme == secret.Cmd || ref.Scheme == secret.Vault)
}

// certificateAlone reads a certificate without its key.
func (k *checking) certificateAlone(conn configs.Connection, certificate string) (*keystore.Identity, error) {
	path, content, err := k.p.material(conn, "certificate", certificate)
	if err != nil {
		return nil, err
	}
	return keystore.Files{CertificatePath: path, Certificate: content}.LoadCertificate()
}

// authorityOnly says that a certificate of a folder is none that logs in: an authority's, with no address.
func authorityOnly(c *x509.Certificate) bool {
	return c.IsCA && len((&keystore.Identity{Leaf: c}).Emails()) == 0
}
