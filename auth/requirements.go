package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"
)

// A Requirement is one of what Anaplan's documents ask of a certificate (anaplan-api.md 2.3), and whether it is met.
type Requirement struct {
	Name string `json:"name"` // rsa, bits, validity, email, key_usage, revocation, issuer or client; fixed
	OK   bool   `json:"ok"`
	Text string `json:"text"` // how it is met, or what is wrong, with the facts
	// Certain is true where no login can succeed without it; of the others nobody has seen which are enforced.
	Certain bool `json:"certain"`
}

// Requirements compares a certificate with what Anaplan's documents ask for, at the time now, always in the same order. emails are
// the addresses of [keystore.Identity.Emails].
func Requirements(c *x509.Certificate, emails []string, now time.Time) []Requirement {
	bits := 0
	if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
		bits = pub.N.BitLen()
	}
	or := func(name string, certain, ok bool, met, lacks string) Requirement {
		if ok {
			return Requirement{name, true, met, certain}
		}
		return Requirement{name, false, lacks, certain}
	}
	email := or("email", false, len(emails) > 0, "", "it has no email address, neither as SubjectAltName nor in the subject: Anaplan knows the user by it")
	switch {
	case len(c.EmailAddresses) > 0:
		email.Text = "its email address is in SubjectAltName"
	case email.OK:
		email.Text = subjectOnly
	}
	client := or("client", false, !serverOnly(c), "it is not for TLS servers alone", "it is for TLS servers; Anaplan's documents ask for a client (S/MIME) certificate")
	if c.IsCA {
		client = Requirement{Name: "client", Text: "it is an authority's certificate; Anaplan's documents ask for a client (S/MIME) certificate"}
	}
	validity := Requirement{"validity", true, "it is valid until " + c.NotAfter.UTC().Format(time.RFC3339), true}
	switch {
	case now.Before(c.NotBefore):
		validity.OK, validity.Text = false, "it is valid from "+c.NotBefore.UTC().Format(time.RFC3339)+" on"
	case now.After(c.NotAfter):
		validity.OK, validity.Text = false, "it ended "+c.NotAfter.UTC().Format(time.RFC3339)
	}
	return []Requirement{
		or("rsa", true, bits > 0, "its key is RSA", fmt.Sprintf("its key is %s, and Anaplan takes RSA only", c.PublicKeyAlgorithm)),
		or("bits", true, bits >= 2048, fmt.Sprintf("its key has %d bits", bits), fmt.Sprintf("its RSA key has %d bits, and Anaplan wants 2048 or more", bits)),
		validity,
		email,
		or("key_usage", false, c.KeyUsage&x509.KeyUsageDigitalSignature != 0, "its key usage has digitalSignature",
			"its key usage lacks digitalSignature, which Anaplan's documents ask for"),
		or("revocation", false, len(c.CRLDistributionPoints) > 0 || len(c.OCSPServer) > 0, "it names a CRL distribution point or an OCSP responder",
			"it names neither a CRL distribution point nor an OCSP responder; Anaplan's documents ask for one"),
		or("issuer", false, !bytes.Equal(c.RawIssuer, c.RawSubject), "it is not self-signed", "it is self-signed; Anaplan's documents ask for one issued by a public authority"),
		client,
	}
}

const subjectOnly = "its email address is in the subject only; Anaplan's documents prefer SubjectAltName"

// warningsOf are the requirements that are not met, though logins may succeed all the same.
func warningsOf(all []Requirement) []string {
	var w []string
	for _, r := range all {
		if !r.Certain && (!r.OK || r.Text == subjectOnly) {
			w = append(w, r.Text)
		}
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
