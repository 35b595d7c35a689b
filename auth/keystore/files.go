package keystore

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Files names the certificate and private key of an identity.
type Files struct {
	// CertificatePath is the file with the certificate: alone, in a chain in any order, or together with the key.
	CertificatePath string
	// KeyPath is the file with the private key. Empty, with Key empty too: the key is in the certificate's file.
	KeyPath string
	// Certificate and Key hold the contents where they do not come from files; they come before the paths, which then only name them in errors.
	Certificate, Key []byte
	// Passphrase is called once when the key is encrypted, else never. Nil: none can be given.
	Passphrase func() (secret.Value, error)
}

// Format writes the paths, whatever the verb, and never the contents.
func (p Files) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "certificate file %q, private key file %q", p.CertificatePath, p.KeyPath)
}

// Load reads and parses both, and finds the certificate that belongs to the key. It does not look at the clock: see
// [Identity.Check]. Errors are *CertificateError, or those of Passphrase, wrapped.
func (p Files) Load() (*Identity, error) {
	certFile, err := p.certificateFile()
	if err != nil {
		return nil, err
	}
	keyFile := certFile
	keyFile.role = roleKey
	if p.KeyPath != "" || len(p.Key) > 0 {
		if keyFile, err = open(roleKey, p.KeyPath, p.Key); err != nil {
			return nil, err
		}
	}
	// Certificates first: with a wrong file for the certificate, nobody should be asked for a passphrase.
	certs, warnings, err := certFile.certificates()
	if err != nil {
		return nil, err
	}
	signer, more, err := keyFile.privateKey(p.Passphrase)
	if err != nil {
		return nil, err
	}
	id, err := match(certs, signer, certFile, keyFile)
	if err != nil {
		return nil, err
	}
	id.Warnings = slices.Concat(warnings, more, id.Warnings)
	return id, nil
}

// LoadAll reads every identity of the files, for inspection: of PEM, the one that Load finds. Those that can be read are
// returned, in the file's order, also when the error is not nil: it joins what is wrong with the others.
func (p Files) LoadAll() ([]*Identity, error) {
	id, err := p.Load()
	if err != nil {
		return nil, err
	}
	return []*Identity{id}, nil
}

// LoadCertificate reads the certificate alone, for inspection without the key: Signer is nil, Leaf the first certificate that
// is not an authority's, else the first.
func (p Files) LoadCertificate() (*Identity, error) {
	f, err := p.certificateFile()
	if err != nil {
		return nil, err
	}
	certs, warnings, err := f.certificates()
	if err != nil {
		return nil, err
	}
	i := max(0, slices.IndexFunc(certs, func(c *x509.Certificate) bool { return !c.IsCA }))
	id := identity(certs, i, nil)
	id.Warnings = warnings
	return id, nil
}

func (p Files) certificateFile() (file, error) {
	return open(roleCertificate, p.CertificatePath, p.Certificate)
}

// match finds the certificate of the key; of several, the one that ends last, which is the one renewed last.
func match(certs []*x509.Certificate, signer crypto.Signer, certFile, keyFile file) (*Identity, error) {
	pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	best, count := -1, 0
	for i, c := range certs {
		if ok && pub.Equal(c.PublicKey) {
			count++
			if best < 0 || c.NotAfter.After(certs[best].NotAfter) {
				best = i
			}
		}
	}
	if best < 0 {
		names := make([]string, len(certs))
		for i, c := range certs {
			names[i] = Name(c)
		}
		return nil, &CertificateError{Problem: Mismatch,
			What: fmt.Sprintf("%s and %s do not belong together: the key is of none of its certificates (%s)", keyFile, certFile, strings.Join(names, ", ")),
			Next: "name the key that the certificate was ordered with; these two print the same line when they belong together:\n" +
				"  openssl x509 -in " + certFile.arg("certificate.pem") + " -noout -pubkey | openssl sha256\n" +
				"  openssl pkey -in " + keyFile.arg("key.pem") + " -pubout | openssl sha256"}
	}
	id := identity(certs, best, signer)
	if count > 1 {
		id.Warnings = append(id.Warnings, fmt.Sprintf("%s holds %d certificates for this key; the one that ends last, %s, is used", certFile, count, stamp(id.Leaf.NotAfter)))
	}
	return id, nil
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
