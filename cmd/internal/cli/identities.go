package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// mostFiles is how many files a folder of certificates may hold.
const mostFiles = 10_000

// storeEndings are those of files that hold certificates and keys.
var storeEndings = []string{".pem", ".crt", ".cer", ".key", ".p12", ".pfx", ".jks"}

// identities loads the certificates of a connection, each with its key. What is wrong with
// some of them is told, if there are others; else it is the error. Nil tell: nothing is
// told, as when they are loaded again.
func (p *Program) identities(conn configs.Connection, tell func(string)) ([]*keystore.Identity, error) {
	l := &loading{p: p, conn: conn, quiet: tell == nil, most: mostFiles}
	certificates, keys, err := l.files()
	if err != nil {
		return nil, err
	}
	l.pair(certificates, keys)
	if len(l.found) == 0 {
		return nil, l.nothing()
	}
	ids := l.identities()
	if l.quiet {
		return ids, nil
	}
	var texts []string
	for _, one := range l.problems {
		texts = append(texts, passedOver(one.err))
	}
	for _, one := range l.others {
		if !p.Now().After(one.Leaf.NotAfter) {
			texts = append(texts, passedOver(one.ofAnother()))
		}
	}
	for _, id := range ids {
		texts = append(texts, id.Warnings...)
	}
	for i, text := range texts {
		if !slices.Contains(texts[:i], text) { // several certificates of one file have the same
			tell(text)
		}
	}
	return ids, nil
}

func passedOver(err error) string {
	text := "passed over: " + err.Error()
	if f := explain(err); f.next != "" {
		text += "; " + f.next
	}
	return text
}

// identity is the one that a connection would log in with now, by this machine's clock; of those that
// cannot, the one that ends last.
func (p *Program) identity(conn configs.Connection) (*keystore.Identity, error) {
	ids, err := p.identities(conn, func(text string) { p.log.Warn(text) })
	if err != nil {
		return nil, err
	}
	return foremost(ids, p), nil
}

func foremost(ids []*keystore.Identity, p *Program) *keystore.Identity {
	if usable, err := auth.Choose(ids, p.Now()); err == nil {
		return usable[0]
	}
	return slices.MaxFunc(ids, func(a, b *keystore.Identity) int { return a.Leaf.NotAfter.Compare(b.Leaf.NotAfter) })
}

// material is a file or a reference that may hold a certificate or a key.
type material struct {
	text   string
	folder bool // it was found in a folder, and may be anything
}

func (m material) stem() string {
	base := filepath.Base(m.text)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// loading finds the certificates that a connection may log in with, for a run and for who
// looks at them. Keys are matched to certificates by what they are, not by their order, so
// that a wrong order cannot make a wrong pair; of one key there may be several certificates,
// also in one file.
type loading struct {
	p        *Program
	conn     configs.Connection
	quiet    bool
	unasked  bool // nobody is asked for a passphrase
	most     int  // files in a folder
	found    []pairing
	others   []pairing          // in files with one of the same key for another user, which is found
	bare     []*bareCertificate // without keys of their own
	perhaps  []material         // no certificates, found among them: keys, perhaps
	why      []error            // why each of these is no certificate
	unpaired int                // keys
	over     []material         // certificates that have ended, without keys: they may well lie about
	problems []problem
}

// pairing is a certificate with its key, and where both were found.
type pairing struct {
	*keystore.Identity
	certificate, key string // files or references; no key: it is in the certificate's
}

// problem is what is wrong with a file.
type problem struct {
	material
	key bool // it is one of the keys
	err error
}

func (l *loading) identities() []*keystore.Identity {
	var all []*keystore.Identity
	for _, one := range l.found {
		all = append(all, one.Identity)
	}
	return all
}

// files are those of the connection, with those of its folders.
func (l *loading) files() (certificates, keys []material, err error) {
	if certificates, err = l.spread(l.conn.Certificates); err == nil {
		keys, err = l.spread(l.conn.PrivateKeys)
	}
	return certificates, keys, err
}

// pair finds the pairs among files. One certificate and one key that are named must belong together.
func (l *loading) pair(certificates, keys []material) {
	if len(certificates) == 1 && len(keys) < 2 && !certificates[0].folder {
		key := ""
		if len(keys) == 1 {
			key = keys[0].text
		}
		if err := l.load(certificates[0].text, key); err != nil {
			l.problems = append(l.problems, problem{material: certificates[0], err: err})
		}
		return
	}
	l.certificates(certificates)
	l.keys(slices.DeleteFunc(keys, func(k material) bool {
		return slices.ContainsFunc(certificates, func(c material) bool { return c.text == k.text })
	}))
	l.lonely()
}

// of names a certificate and its key for the keystore.
func (l *loading) of(certificate, key string) (keystore.Files, error) {
	files, err := l.p.files(l.conn, certificate, key)
	if l.unasked && l.conn.Passphrase == "" {
		files.Passphrase = nil
	}
	return files, err
}

// load takes in a certificate with its key, and the others of that key in its file.
func (l *loading) load(certificate, key string) error {
	files, err := l.of(certificate, key)
	if err != nil {
		return err
	}
	ids, err := files.LoadEach()
	l.take(ids, certificate, key)
	return err
}

// take takes in the certificates of one key in one file: those of one user.
func (l *loading) take(ids []*keystore.Identity, certificate, key string) {
	same, others := auth.OfOneUser(ids, l.p.Now())
	for _, id := range same {
		l.found = append(l.found, pairing{id, certificate, key})
	}
	for _, id := range others {
		l.others = append(l.others, pairing{id, certificate, key})
	}
}

// ofAnother is why a certificate is passed over.
func (o pairing) ofAnother() error {
	return &keystore.CertificateError{Problem: keystore.SeveralUsers, What: fmt.Sprintf("%s, in %s, for its key has a certificate of another user there", auth.About(o.Identity), o.certificate),
		Next: "leave the certificates of one user in the file"}
}

// alone are the certificates of a file without its key: all but those of authorities. Of a
// key store that has several keys they are those of each of them.
func (l *loading) alone(certificate string) ([]*keystore.Identity, error) {
	files, err := l.of(certificate, "")
	if err != nil {
		return nil, err
	}
	id, err := files.LoadCertificate()
	if errors.Is(err, keystore.SeveralKeys) {
		if all, err := files.LoadAll(); len(all) > 0 {
			return all, err
		}
	}
	if err != nil {
		return nil, err
	}
	all := []*keystore.Identity{id}
	for _, other := range id.Chain {
		if !other.IsCA {
			all = append(all, &keystore.Identity{Leaf: other})
		}
	}
	return all, nil
}

// spread puts the files of a folder in its place, sorted by name.
func (l *loading) spread(texts []string) ([]material, error) {
	var all []material
	for _, text := range texts {
		path := text
		if ref, err := secret.ParseRef(text); err == nil {
			if ref.Scheme != secret.File {
				all = append(all, material{text: text})
				continue
			}
			path = ref.Rest
		}
		path = inDir(l.conn.Dir, path)
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			all = append(all, material{text: text}) // what is wrong with a file is said when it is read
			continue
		}
		files, err := l.folder(path)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}

func (l *loading) folder(path string) ([]material, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, &keystore.CertificateError{Problem: keystore.Unreadable, What: "the folder " + path + " cannot be read", Next: "check who may read it", Err: err}
	}
	if len(entries) > l.most {
		return nil, &keystore.CertificateError{Problem: keystore.Unreadable, What: fmt.Sprintf("the folder %s holds %d files, and may hold %d", path, len(entries), l.most),
			Next: "name a folder with the certificates of this connection alone"}
	}
	var files []material
	var others []string
	for _, e := range entries {
		base := e.Name()
		switch full := filepath.Join(path, base); {
		case special(full, e):
			l.p.log.Debugf("%s is passed over: it is no file", full)
		case e.IsDir() || strings.HasPrefix(base, ".") || strings.HasSuffix(base, "~") || strings.EqualFold(filepath.Ext(base), ".bak"):
			l.p.log.Debugf("%s is passed over: a hidden file, a copy or a folder", full)
		case !slices.Contains(storeEndings, strings.ToLower(filepath.Ext(base))):
			others = append(others, base)
		default:
			files = append(files, material{text: full, folder: true})
		}
	}
	if len(others) > 0 && !l.quiet {
		l.p.log.Infof("%s: %s passed over, for certificates and keys end in %s", path, fewOf(others), strings.Join(storeEndings, ", "))
	}
	if len(files) == 0 {
		return nil, &keystore.CertificateError{Problem: keystore.NoCertificate, What: "the folder " + path + " holds no file that ends in " + strings.Join(storeEndings, ", "),
			Next: "put the certificates and their keys there, or name another folder"}
	}
	return files, nil
}

// special reports what is neither a file nor a link to one: a pipe, say, that nobody writes to.
func special(path string, e fs.DirEntry) bool {
	mode := e.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		if err != nil {
			return false // said when it is read
		}
		mode = info.Mode()
	}
	return !mode.IsRegular() && !e.IsDir()
}

// fewOf names some of many.
func fewOf(names []string) string {
	const few = 5
	if n := len(names) - few; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), n)
	}
	return strings.Join(names, ", ")
}

// nothing is the error of a connection without a single pair.
func (l *loading) nothing() error {
	if len(l.bare) == 0 && len(l.problems) == l.unpaired && l.unpaired > 0 {
		return &keystore.CertificateError{Problem: keystore.NoCertificate, What: fmt.Sprintf("there is no certificate in %s, only %s", strings.Join(l.conn.Certificates, ", "), count(l.unpaired, "private key")),
			Next: "put the certificates beside their keys, or name them as certificate"}
	}
	if len(l.problems) == 1 {
		return l.problems[0].err
	}
	if len(l.problems) == 0 {
		return &keystore.CertificateError{Problem: keystore.Missing, What: "there is no certificate in " + strings.Join(l.conn.Certificates, ", "), Next: "name the files of a certificate and its key"}
	}
	const few = 5
	var texts []string
	for _, one := range l.problems[:min(few, len(l.problems))] {
		texts = append(texts, one.err.Error())
	}
	if n := len(l.problems) - few; n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	out := &keystore.CertificateError{Problem: keystore.Missing, What: "no certificate has its private key: " + strings.Join(texts, "; "), Next: explain(l.problems[0].err).next}
	if e, ok := errors.AsType[*keystore.CertificateError](l.problems[0].err); ok {
		out.Problem = e.Problem
	}
	return out
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
