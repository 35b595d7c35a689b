package keystore

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const minBits = 2048

// An Identity is what a certificate login needs. It is read-only and may be shared between goroutines.
type Identity struct {
	Leaf     *x509.Certificate
	LeafPEM  []byte              // the leaf alone as one PEM block, with lines of 64 and a newline at the end
	Chain    []*x509.Certificate // of PEM the other certificates of the file, in its order; of a key store the leaf's issuers, nearest first
	Signer   crypto.Signer       // belongs to Leaf; nil after [Files.LoadCertificate]
	Alias    string              // the entry in its key store; "" for PEM
	Warnings []string            // what works but should be changed, each with how
}

// Format writes the certificate's name, whatever the verb: a printed Identity would else show the key of its Signer.
func (id Identity) Format(f fmt.State, _ rune) { io.WriteString(f, id.name()) }

// MarshalText returns the certificate's name, for the same reason; JSON uses it.
func (id Identity) MarshalText() ([]byte, error) { return []byte(id.name()), nil }

func (id Identity) name() string {
	if id.Leaf == nil {
		return "no certificate"
	}
	return "certificate " + Name(id.Leaf)
}

// Check says whether Anaplan can accept the identity at the time now: an RSA key of 2048 bits or more (anaplan-api.md 2.3), and
// a certificate that is valid then. The error is a *CertificateError: NotRSA, WeakKey, NotYetValid or Expired. The
// certificate's last second is still valid.
func (id *Identity) Check(now time.Time) error {
	name := Name(id.Leaf)
	pub, ok := id.Leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return &CertificateError{Problem: NotRSA,
			What: fmt.Sprintf("the key of certificate %s is %s, and Anaplan takes RSA only", name, id.Leaf.PublicKeyAlgorithm),
			Next: "order a certificate for an RSA key of 2048 bits or more"}
	}
	if bits := pub.N.BitLen(); bits < minBits {
		return &CertificateError{Problem: WeakKey,
			What: fmt.Sprintf("the key of certificate %s has %d bits, and Anaplan wants %d or more", name, bits, minBits),
			Next: "order a certificate for an RSA key of 2048 bits or more"}
	}
	if now.Before(id.Leaf.NotBefore) {
		return &CertificateError{Problem: NotYetValid,
			What: fmt.Sprintf("certificate %s is valid from %s on, and now it is %s", name, stamp(id.Leaf.NotBefore), stamp(now)),
			Next: "use the certificate that is valid today, or set this machine's clock if it is wrong"}
	}
	if now.After(id.Leaf.NotAfter) {
		return &CertificateError{Problem: Expired,
			What: fmt.Sprintf("certificate %s ended %s, and now it is %s", name, stamp(id.Leaf.NotAfter), stamp(now)),
			Next: "renew it at the authority that issued it, have the new one registered in Anaplan (Administration > Security > Certificates), and name its file here"}
	}
	return nil
}

// Emails returns the addresses that Anaplan may take for the user's: those of SubjectAltName first, then those of the subject's
// emailAddress (anaplan-api.md 2.3), each once.
func (id *Identity) Emails() []string {
	emails := slices.Clone(id.Leaf.EmailAddresses)
	for _, n := range id.Leaf.Subject.Names {
		if s, ok := n.Value.(string); ok && n.Type.String() == "1.2.840.113549.1.9.1" && !slices.Contains(emails, s) {
			emails = append(emails, s)
		}
	}
	return emails
}

// LoginAddresses returns, in lower case, the addresses by which certificates are told to be of the same user: those of SubjectAltName,
// which Anaplan prefers, and those of the subject only where there is none (anaplan-api.md 2.3). In a subject the address of a whole
// team may stand.
func (id *Identity) LoginAddresses() []string {
	addresses := slices.Clone(id.Leaf.EmailAddresses)
	if len(addresses) == 0 {
		addresses = id.Emails()
	}
	for i, a := range addresses {
		addresses[i] = strings.ToLower(a)
	}
	return addresses
}

// Placeholder reports whether the certificate names no user or is self-signed, as the one is that keytool makes with a key, and that
// waits for the authority's.
func (id *Identity) Placeholder() bool {
	return len(id.Emails()) == 0 || bytes.Equal(id.Leaf.RawIssuer, id.Leaf.RawSubject)
}

// Name returns a certificate's subject as people know it: the common name, else the whole subject, else the serial number.
func Name(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return fmt.Sprintf("%q", c.Subject.CommonName)
	}
	if s := c.Subject.String(); s != "" {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("with serial number %x", c.SerialNumber)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
