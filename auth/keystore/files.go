package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Files names the certificate and private key of an identity: in PEM, in a PKCS#12 file, or in a Java key store of type JKS. What
// a file is, its content tells, not its name: many a .jks is PKCS#12. A store given in memory, or in a file, may also be base64.
type Files struct {
	// CertificatePath is the file with the certificate: alone, in a chain in any order, or together with the key.
	CertificatePath string
	// KeyPath is the file with the private key. Empty, with Key empty too: the key is in the certificate's file.
	KeyPath string
	// Certificate and Key hold the contents where they do not come from files; they come before the paths, which then only name them in errors.
	Certificate, Key []byte
	// Passphrase is that of a key in PEM, or the password of a store. It is called once when one is needed, else never; a store
	// that opens with an empty password needs none. Nil: none can be given.
	Passphrase func() (secret.Value, error)
	// Alias is the entry of a store to use, in upper or lower case; keys without a name have the numbers that Java gives them,
	// "1" and so on. Empty: the only private key there is.
	Alias string
	// KeyPassphrase is the password of the key in a store. Nil: the store's; that is also tried when this one does not open the
	// key, because keytool ignores -keypass for PKCS#12. It is called at most once, and never for PEM.
	KeyPassphrase func() (secret.Value, error)
	// AllowOpen takes files with a private key, encrypted or not, that their group or others may read. Else they are refused
	// as OpenToOthers, whoever owns them and however they came to be so: a secret mounted by Kubernetes wants defaultMode
	// 0400, or this. A file that holds no key may be open, and what is given in memory is not looked at. On Windows nothing
	// is: its access lists are the administrator's care.
	AllowOpen bool
}

// Format writes the paths, whatever the verb, and never the contents.
func (p Files) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "certificate file %q, private key file %q", p.CertificatePath, p.KeyPath)
}

// Load reads and parses both, and finds the certificate that belongs to the key, of several the one that ends last. It does not
// look at the clock: see [Identity.Check]. Errors are *CertificateError, or those of Passphrase and KeyPassphrase, wrapped.
func (p Files) Load() (*Identity, error) {
	all, err := p.LoadEach()
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// LoadEach is Load for whoever can choose among the certificates of the key, for a renewed one may have kept it: all that the file
// holds, or of a store with several keys those of the entry, each once, the one that ends last first. There is at least one, or an
// error.
func (p Files) LoadEach() ([]*Identity, error) {
	certFile, keyFile, err := p.open()
	if err != nil {
		return nil, err
	}
	if s, ok := certFile.asStore(); ok && keyFile == nil {
		return p.loadStore(s)
	}
	// Certificates first: with a wrong file for the certificate, nobody should be asked for a passphrase.
	certs, warnings, err := p.certificates(certFile)
	if err != nil {
		return nil, err
	}
	if keyFile == nil {
		keyFile = &certFile
	}
	signer, alias, more, err := p.signer(*keyFile)
	if err != nil {
		return nil, err
	}
	all, err := match(certs, signer, certFile, *keyFile)
	if err != nil {
		return nil, err
	}
	for _, id := range all {
		id.Alias, id.Warnings = alias, slices.Concat(warnings, more)
	}
	return all, nil
}

// open reads the files; the key's is nil if it is the certificate's.
func (p Files) open() (certFile file, keyFile *file, err error) {
	if certFile, err = p.certificateFile(); err != nil || p.KeyPath == "" && len(p.Key) == 0 {
		return certFile, nil, err
	}
	k, err := open(roleKey, p.KeyPath, p.Key)
	if err == nil && bytes.Equal(k.data, certFile.data) {
		if _, ok := k.asStore(); ok {
			return certFile, nil, nil // one store, named twice
		}
	}
	return certFile, &k, err
}

// loadStore loads the entry of one store.
func (p Files) loadStore(f file) ([]*Identity, error) {
	s, err := f.openStore(p.passwords(f), true)
	if err != nil {
		return nil, err
	}
	e, err := s.choose(p.Alias)
	if err != nil {
		return nil, err
	}
	if err := f.guard(p.AllowOpen); err != nil {
		return nil, err
	}
	return s.identities(e)
}

// certificates are those of a file beside the key's: all of a store.
func (p Files) certificates(f file) ([]*x509.Certificate, []string, error) {
	in, ok := f.asStore()
	if !ok {
		certs, warnings, err := f.certificates()
		if err == nil && f.holdsKey() {
			err = f.guard(p.AllowOpen)
		}
		return certs, warnings, err
	}
	s, err := in.openStore(p.passwords(in), true)
	if err != nil {
		return nil, nil, err
	}
	if len(s.keys()) > 0 {
		err = in.guard(p.AllowOpen)
	}
	if err == nil && len(s.certs) == 0 {
		err = in.fail(NoCertificate, "holds no certificate", "name the file with the certificate", nil)
	}
	return s.certs, s.warnings, err
}

// signer is the key of a file beside the certificate's.
func (p Files) signer(f file) (signer crypto.Signer, alias string, warnings []string, err error) {
	f.role = roleKey
	in, ok := f.asStore()
	if !ok {
		if p.Alias != "" {
			warnings = []string{fmt.Sprintf("%s is PEM, which has no aliases: alias %q is not looked at; leave it out", f, p.Alias)}
		}
		if f.holdsKey() {
			if err := f.guard(p.AllowOpen); err != nil {
				return nil, "", nil, err
			}
		}
		signer, more, err := f.privateKey(p.Passphrase)
		return signer, "", slices.Concat(warnings, more), err
	}
	s, err := in.openStore(p.passwords(in), true)
	if err != nil {
		return nil, "", nil, err
	}
	e, err := s.choose(p.Alias)
	if err == nil {
		err = in.guard(p.AllowOpen)
	}
	if err == nil {
		signer, err = e.key()
	}
	if err != nil {
		return nil, "", nil, err
	}
	return signer, e.alias, s.warnings, nil
}

// LoadAll reads every identity of the files, for inspection: of a store that Alias does not choose from, those of each private
// key, in the file's order; else those that LoadEach finds. Those that can be read are returned also when the error is not nil:
// it joins what is wrong with the others.
func (p Files) LoadAll() ([]*Identity, error) {
	certFile, keyFile, err := p.open()
	if err != nil {
		return nil, err
	}
	f, ok := certFile.asStore()
	if !ok || keyFile != nil || p.Alias != "" {
		return p.LoadEach()
	}
	s, err := f.openStore(p.passwords(f), true)
	if err != nil {
		return nil, err
	}
	keys := s.keys()
	if len(keys) == 0 {
		_, err := s.choose("")
		return nil, err
	}
	if err := f.guard(p.AllowOpen); err != nil {
		return nil, err
	}
	var all []*Identity
	var wrong []error
	for _, e := range keys {
		ids, err := s.identities(e)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		all = append(all, ids...)
	}
	return all, errors.Join(wrong...)
}

// LoadCertificate reads the certificate alone, for inspection without the key: Signer is nil, Leaf the first certificate that
// is not an authority's, else the first; of a store with private keys that of the entry that Alias, or the lack of others,
// chooses. A store of PKCS#12 needs its password all the same; a Java key store does not, and its check sum is then not looked
// at. Nothing is refused because others may read it.
func (p Files) LoadCertificate() (*Identity, error) {
	f, err := p.certificateFile()
	if err != nil {
		return nil, err
	}
	in, ok := f.asStore()
	if !ok {
		certs, warnings, err := f.certificates()
		if err != nil {
			return nil, err
		}
		id := identity(certs, leafOf(certs), nil)
		id.Warnings = warnings
		return id, nil
	}
	s, err := in.openStore(p.passwords(in), false)
	if err != nil {
		return nil, err
	}
	certs, alias := s.certs, ""
	if len(s.keys()) > 0 {
		e, err := s.choose(p.Alias)
		if err != nil {
			return nil, err
		}
		if alias = e.alias; len(e.certs) > 0 {
			certs = e.certs
		}
	}
	if len(certs) == 0 {
		return nil, in.fail(NoCertificate, "holds no certificate", "name the file with the certificate", nil)
	}
	id := identity(certs, leafOf(certs), nil)
	id.Alias, id.Chain, id.Warnings = alias, chainOf(id.Leaf, s.certs), s.warnings
	return id, nil
}

func leafOf(certs []*x509.Certificate) int {
	return max(0, slices.IndexFunc(certs, func(c *x509.Certificate) bool { return !c.IsCA }))
}

func (p Files) certificateFile() (file, error) {
	return open(roleCertificate, p.CertificatePath, p.Certificate)
}

// match finds the certificates of the key, each once, the one that ends last first: it is the one renewed last.
func match(certs []*x509.Certificate, signer crypto.Signer, certFile, keyFile file) ([]*Identity, error) {
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	var all []*Identity
	for i, c := range certs {
		if ok && pub.Equal(c.PublicKey) && !slices.ContainsFunc(all, func(id *Identity) bool { return id.Leaf.Equal(c) }) {
			all = append(all, identity(certs, i, signer))
		}
	}
	if len(all) == 0 {
		next := "name the key that the certificate was ordered with"
		_, certStore := certFile.asStore()
		if _, keyStore := keyFile.asStore(); !certStore && !keyStore {
			next += "; these two print the same line when they belong together:\n" +
				"  openssl x509 -in " + certFile.arg("certificate.pem") + " -noout -pubkey | openssl sha256\n" +
				"  openssl pkey -in " + keyFile.arg("key.pem") + " -pubout | openssl sha256"
		}
		return nil, &CertificateError{Problem: Mismatch, Next: next,
			What: fmt.Sprintf("%s and %s do not belong together: the key is of none of its certificates (%s)", keyFile, certFile, names(certs))}
	}
	slices.SortStableFunc(all, func(a, b *Identity) int { return b.Leaf.NotAfter.Compare(a.Leaf.NotAfter) })
	return all, nil
}

func identity(certs []*x509.Certificate, leaf int, signer crypto.Signer) *Identity {
	c := certs[leaf]
	return &Identity{
		Leaf:    c,
		LeafPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}),
		Chain:   slices.Concat(certs[:leaf], certs[leaf+1:]),
		Signer:  signer,
	}
}
