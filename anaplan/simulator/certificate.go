package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"time"
)

// certificate checks a CA certificate login (anaplan-api.md 2.2, 2.3): the header's value, the message
// and its signature. The texts say more than Anaplan would.
func (s *Simulator) certificate(value string, body []byte) (*user, string) {
	der, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, "Invalid credential. The certificate is not one line of standard base64."
	}
	if strings.HasPrefix(string(der), "-----BEGIN") {
		block, rest := pem.Decode(der)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, "Invalid credential. The header holds PEM without a certificate in front."
		}
		if more, _ := pem.Decode(rest); more != nil {
			return nil, "Invalid credential. The header holds more than one PEM block; send the leaf certificate alone."
		}
		der = block.Bytes
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, "Invalid credential. The header holds no certificate: " + err.Error()
	}
	if problem := s.acceptable(cert); problem != "" {
		return nil, "Invalid credential. " + problem
	}
	var payload struct {
		Format    string `json:"encodedDataFormat"`
		Data      string `json:"encodedData"`
		Signature string `json:"encodedSignedData"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return nil, "Invalid credential. The body is not JSON."
	}
	message, err := base64.StdEncoding.DecodeString(payload.Data)
	if err != nil || payload.Data == "" {
		return nil, "Invalid credential. encodedData is missing or not standard base64."
	}
	signature, err := base64.StdEncoding.DecodeString(payload.Signature)
	if err != nil || payload.Signature == "" {
		return nil, "Invalid credential. encodedSignedData is missing or not standard base64."
	}
	if len(message) < 100 {
		return nil, fmt.Sprintf("Invalid credential. The message has %d bytes, under 100.", len(message))
	}
	digest := sha512.Sum512(message)
	if rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA512, digest[:], signature) != nil {
		return nil, "Invalid credential. The signature is not SHA-512 with RSA PKCS#1 v1.5 of the message by this certificate's key."
	}
	switch payload.Format {
	case "":
		if s.switches.RefuseV1 {
			return nil, "Invalid credential. Messages without encodedDataFormat v2 are not accepted any more."
		}
	case "v2":
		if problem := s.fresh(message); problem != "" {
			return nil, "Invalid credential. " + problem
		}
	default:
		return nil, fmt.Sprintf("Invalid credential. encodedDataFormat %q is not known.", payload.Format)
	}
	for _, email := range addresses(cert) {
		for _, u := range s.users {
			if strings.EqualFold(u.email, email) {
				return u, ""
			}
		}
	}
	return nil, "Invalid credential. No user has an e-mail address of this certificate."
}

// fresh checks the time in front of a v2 message, and that the message was not used before.
func (s *Simulator) fresh(message []byte) string {
	window := s.switches.FreshnessWindow
	if window == 0 {
		window = 5 * time.Minute
	}
	seconds := binary.BigEndian.Uint64(message)
	off := s.t.Sub(time.Unix(int64(min(seconds, 1<<40)), 0))
	switch {
	case seconds > 1<<36:
		return "The time of the message is in milliseconds; v2 takes seconds."
	case off.Abs() > window:
		return fmt.Sprintf("The time of the message is %s off; %s is allowed.", off, window)
	}
	for key, used := range s.messages {
		if !strings.HasPrefix(key, "refused ") && s.t.Sub(used) > 3*window {
			delete(s.messages, key)
		}
	}
	if _, used := s.messages[string(message)]; used {
		return "This v2 message was used before."
	}
	s.messages[string(message)] = s.t
	return ""
}

// acceptable checks the certificate by itself. With Options.Trust it must be what Anaplan asks for in
// every respect (2.3); without, only what the signature and the owner need.
func (s *Simulator) acceptable(cert *x509.Certificate) string {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return "The certificate's key is not RSA."
	case key.N.BitLen() < 2048:
		return "The certificate's key has under 2048 bits."
	case s.t.Before(cert.NotBefore) || s.t.After(cert.NotAfter):
		return "The certificate is not valid at this time."
	}
	if len(s.options.Registered) > 0 || s.options.Registry != nil {
		known, registered := false, s.options.Registered
		if s.options.Registry != nil {
			registered = s.options.Registry()
		}
		for _, r := range registered {
			known = known || r.Equal(cert)
		}
		if !known {
			return "The certificate is not registered."
		}
	}
	if s.options.Trust == nil {
		return ""
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: s.options.Trust, CurrentTime: s.t,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth},
	})
	switch {
	case err != nil:
		return "The certificate is not trusted: " + err.Error()
	case cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return "The certificate's key usage lacks digitalSignature."
	case len(cert.CRLDistributionPoints) == 0 && len(cert.OCSPServer) == 0:
		return "The certificate names neither a CRL nor an OCSP responder."
	}
	return ""
}

// addresses of a certificate: the alternative names, then EMAILADDRESS of the subject.
func addresses(cert *x509.Certificate) []string {
	emails := append([]string(nil), cert.EmailAddresses...)
	for _, name := range cert.Subject.Names {
		if name.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}) {
			emails = append(emails, fmt.Sprint(name.Value))
		}
	}
	return emails
}
