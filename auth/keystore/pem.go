package keystore

import "github.com/anaplan-runner/anaplan-runner/auth/secret"

// PEM names the certificate and private key of an identity.
type PEM struct {
	// CertificatePath is the file with the certificate: alone, in a chain in any order, or together with the key.
	CertificatePath string
	// KeyPath is the file with the private key. Empty, with Key empty too: the key is in the certificate's file.
	KeyPath string
	// Certificate and Key hold the contents where they do not come from files; they come before the paths, which then only name them in errors.
	Certificate, Key []byte
	// Passphrase is called once when the key is encrypted, else never. Nil: none can be given.
	Passphrase func() (secret.Value, error)
}

// Load reads and parses both, and finds the certificate that belongs to the key. It does not look at the clock: see
// [Identity.Check]. Errors are *CertificateError, or those of Passphrase, wrapped.
func (p PEM) Load() (*Identity, error) {
	return nil, &CertificateError{Problem: Unsupported, What: "keystore: loading is being written"}
}

// LoadCertificate reads the certificate alone, for inspection without the key: Signer is nil, Leaf the first certificate that
// is not an authority's, else the first.
func (p PEM) LoadCertificate() (*Identity, error) {
	return nil, &CertificateError{Problem: Unsupported, What: "keystore: loading is being written"}
}
