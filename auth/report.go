package auth

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
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

	Requirements []Requirement `json:"requirements"` // all of them, in a fixed order
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
	r.Requirements = Requirements(c, r.Emails, now)
	r.Warnings = append(r.Warnings, warningsOf(r.Requirements)...)
	return r
}
