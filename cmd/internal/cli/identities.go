package cli

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
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

// identities loads the certificates of a connection, each with its key. Several keys are
// matched to several certificates by what they are, not by their order, so that a wrong
// order cannot make a wrong pair. What is wrong with some of them is told, if there are
// others; else it is the error. Nil tell: nothing is told, as when they are loaded again.
func (p *Program) identities(conn configs.Connection, tell func(string)) ([]*keystore.Identity, error) {
	l := &loading{p: p, conn: conn, quiet: tell == nil, most: mostFiles}
	certificates, err := l.spread(conn.Certificates)
	if err != nil {
		return nil, err
	}
	keys, err := l.spread(conn.PrivateKeys)
	if err != nil {
		return nil, err
	}
	if len(certificates) == 1 && len(keys) < 2 && !certificates[0].folder {
		key := ""
		if len(keys) == 1 {
			key = keys[0].text
		}
		id, err := p.pair(conn, certificates[0].text, key)
		if err != nil {
			return nil, err
		}
		l.found = append(l.found, id)
	} else {
		l.certificates(certificates)
		l.keys(slices.DeleteFunc(keys, func(k material) bool {
			return slices.ContainsFunc(certificates, func(c material) bool { return c.text == k.text })
		}))
		l.lonely()
	}
	if len(l.found) == 0 {
		return nil, l.nothing()
	}
	if l.quiet {
		return l.found, nil
	}
	for _, err := range l.problems {
		tell(passedOver(err))
	}
	for _, id := range l.found {
		for _, w := range id.Warnings {
			tell(w)
		}
	}
	return l.found, nil
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

// loading finds pairs.
type loading struct {
	p        *Program
	conn     configs.Connection
	quiet    bool
	most     int // files in a folder
	found    []*keystore.Identity
	bare     []*bareCertificate // without keys of their own
	perhaps  []material         // no certificates, found among them: keys, perhaps
	why      []error            // why each of these is no certificate
	unpaired int                // keys
	problems []error
}

// bareCertificate is a file with certificates and without their key.
type bareCertificate struct {
	material
	certs  []*x509.Certificate // the leaf first
	paired bool
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

// certificates takes in files that hold certificates, with or without their keys.
func (l *loading) certificates(all []material) {
	for _, m := range all {
		id, err := l.p.pair(l.conn, m.text, "")
		switch {
		case err == nil:
			l.found = append(l.found, id)
			continue
		case errors.Is(err, keystore.NoKey):
			files, filesErr := l.p.files(l.conn, m.text, "")
			if filesErr == nil {
				id, err = files.LoadCertificate()
			}
			if filesErr == nil && err == nil {
				l.bare = append(l.bare, &bareCertificate{material: m, certs: append([]*x509.Certificate{id.Leaf}, id.Chain...)})
				continue
			}
		case m.folder:
			l.perhaps, l.why = append(l.perhaps, m), append(l.why, err)
			continue
		}
		l.problems = append(l.problems, err)
	}
}

// keys pairs keys with the certificates that they belong to.
func (l *loading) keys(named []material) {
	for i, m := range l.perhaps {
		if !errors.Is(l.why[i], keystore.NoCertificate) && !errors.Is(l.why[i], keystore.DER) {
			l.problems = append(l.problems, l.why[i])
			continue
		}
		named = append(named, m)
	}
	for _, m := range named {
		signer, err := l.signer(m)
		switch {
		case errors.Is(err, keystore.Mismatch):
			l.unpaired++
			l.problems = append(l.problems, &keystore.CertificateError{Problem: keystore.Mismatch, What: "the private key " + m.text + " belongs to none of the certificates",
				Next: "name the certificate that was ordered with it, or take the key away"})
		case err != nil && m.folder && errors.Is(err, keystore.NoKey):
			l.p.log.Debugf("%s is passed over: it holds no private key", m.text)
		case err != nil:
			l.problems = append(l.problems, err)
		default:
			l.belong(signer)
		}
	}
}

// signer reads a key, and finds a certificate for it: first that of the same name, for then no other has to be looked at.
func (l *loading) signer(m material) (crypto.Signer, error) {
	if len(l.bare) == 0 {
		return nil, keystore.Mismatch
	}
	if i := slices.IndexFunc(l.bare, func(b *bareCertificate) bool { return b.stem() == m.stem() }); i >= 0 {
		if id, err := l.p.pair(l.conn, l.bare[i].text, m.text); err == nil || !errors.Is(err, keystore.Mismatch) {
			return signerOf(id), err
		}
	}
	files, err := l.p.files(l.conn, "", m.text)
	if err != nil {
		return nil, err
	}
	for _, b := range l.bare {
		for _, c := range b.certs {
			files.Certificate = append(files.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	id, err := files.Load()
	return signerOf(id), err
}

func signerOf(id *keystore.Identity) crypto.Signer {
	if id == nil {
		return nil
	}
	return id.Signer
}

// belong makes identities of a key and each certificate that is its own: a renewed one may have kept the key.
func (l *loading) belong(signer crypto.Signer) {
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, b := range l.bare {
		for i, leaf := range b.certs {
			if !ok || !public.Equal(leaf.PublicKey) {
				continue
			}
			b.paired = true
			l.found = append(l.found, &keystore.Identity{Leaf: leaf, LeafPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}),
				Chain: slices.Concat(b.certs[:i], b.certs[i+1:]), Signer: signer})
		}
	}
}

// lonely tells of certificates without a key. Old ones may well lie about.
func (l *loading) lonely() {
	for _, b := range l.bare {
		about := auth.About(&keystore.Identity{Leaf: b.certs[0]})
		switch {
		case b.paired:
		case len(l.found) > 0 && l.p.Now().After(about.Until):
			l.p.log.Debugf("%s is passed over: %s has no private key here", b.text, about)
		default:
			l.problems = append(l.problems, &keystore.CertificateError{Problem: keystore.NoKey, What: fmt.Sprintf("no private key is there for %s, in %s", about, b.text),
				Next: "name the key that the certificate was ordered with"})
		}
	}
}

// nothing is the error of a connection without a single pair.
func (l *loading) nothing() error {
	if len(l.bare) == 0 && len(l.problems) == l.unpaired && l.unpaired > 0 {
		return &keystore.CertificateError{Problem: keystore.NoCertificate, What: fmt.Sprintf("there is no certificate in %s, only %s", strings.Join(l.conn.Certificates, ", "), count(l.unpaired, "private key")),
			Next: "put the certificates beside their keys, or name them as certificate"}
	}
	if len(l.problems) == 1 {
		return l.problems[0]
	}
	if len(l.problems) == 0 {
		return &keystore.CertificateError{Problem: keystore.Missing, What: "there is no certificate in " + strings.Join(l.conn.Certificates, ", "), Next: "name the files of a certificate and its key"}
	}
	const few = 5
	var texts []string
	for _, err := range l.problems[:min(few, len(l.problems))] {
		texts = append(texts, err.Error())
	}
	if n := len(l.problems) - few; n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	out := &keystore.CertificateError{Problem: keystore.Missing, What: "no certificate has its private key: " + strings.Join(texts, "; "), Next: explain(l.problems[0]).next}
	if e, ok := errors.AsType[*keystore.CertificateError](l.problems[0]); ok {
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
