package auth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// A Report says what a certificate is, and which of Anaplan's documented requirements (anaplan-api.md 2.3) it does not meet.
type Report struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`             // hexadecimal
	Fingerprint string    `json:"fingerprint_sha256"` // of the certificate's DER, hexadecimal
	Emails      []string  `json:"emails"`             // not nil
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"`   // whole days until NotAfter; negative once it has passed
	Bits        int       `json:"bits"`        // of an RSA key, else 0
	KeyMatches  bool      `json:"key_matches"` // false when the identity was loaded without its key
	Chain       []string  `json:"chain"`       // subjects of the file's other certificates; not nil
	Problem     string    `json:"problem"`     // why no login can succeed now; "" when none is known
	Next        string    `json:"next"`        // what to do about Problem
	Warnings    []string  `json:"warnings"`    // not nil; what the documents ask for and the certificate lacks (it may work all the same), and those of loading
}

// CheckCertificate reports on an identity as it is at the time now. It asks nobody.
func CheckCertificate(id *keystore.Identity, now time.Time) Report {
	c := id.Leaf
	sum := sha256.Sum256(c.Raw)
	r := Report{
		Subject:     c.Subject.String(),
		Issuer:      c.Issuer.String(),
		Serial:      fmt.Sprintf("%x", c.SerialNumber),
		Fingerprint: hex.EncodeToString(sum[:]),
		Emails:      append([]string{}, id.Emails()...),
		NotBefore:   c.NotBefore.UTC(),
		NotAfter:    c.NotAfter.UTC(),
		DaysLeft:    int(math.Floor(c.NotAfter.Sub(now).Hours() / 24)),
		Chain:       []string{},
		Warnings:    append([]string{}, id.Warnings...),
	}
	if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
		r.Bits = pub.N.BitLen()
	}
	if id.Signer != nil {
		pub, ok := id.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
		r.KeyMatches = ok && pub.Equal(c.PublicKey)
	}
	for _, other := range id.Chain {
		r.Chain = append(r.Chain, other.Subject.String())
	}
	if e, ok := errors.AsType[*keystore.CertificateError](id.Check(now)); ok {
		r.Problem, r.Next = e.Error(), e.Next
	}
	r.Warnings = append(r.Warnings, lacks(c, r.Emails)...)
	return r
}

// lacks compares a certificate with what Anaplan's documents ask for. Nobody has seen which of it is enforced.
func lacks(c *x509.Certificate, emails []string) []string {
	var w []string
	if len(emails) == 0 {
		w = append(w, "it has no email address, neither as SubjectAltName nor in the subject: Anaplan knows the user by it")
	} else if len(c.EmailAddresses) == 0 {
		w = append(w, "its email address is in the subject only; Anaplan's documents prefer SubjectAltName")
	}
	if c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		w = append(w, "its key usage lacks digitalSignature, which Anaplan's documents ask for")
	}
	if len(c.CRLDistributionPoints) == 0 && len(c.OCSPServer) == 0 {
		w = append(w, "it names neither a CRL distribution point nor an OCSP responder; Anaplan's documents ask for one")
	}
	if serverOnly(c) {
		w = append(w, "it is for TLS servers; Anaplan's documents ask for a client (S/MIME) certificate")
	}
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		w = append(w, "it is self-signed; Anaplan's documents ask for one issued by a public authority")
	}
	if c.IsCA {
		w = append(w, "it is an authority's certificate; Anaplan's documents ask for a client (S/MIME) certificate")
	}
	return w
}

// serverOnly reports whether the extended key usages name TLS servers, and neither clients nor email nor anything.
func serverOnly(c *x509.Certificate) bool {
	server := false
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			server = true
		case x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageAny:
			return false
		}
	}
	return server
}
