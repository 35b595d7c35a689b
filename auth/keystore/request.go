package keystore

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"

	"github.com/youmark/pkcs8"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// DefaultBits is the size of a new key: more than Anaplan's least (anaplan-api.md 2.3), and what authorities ask for.
const DefaultBits = 3072

// Iterations that derive the key of a new key file from its passphrase, with SHA-256: about a tenth of a second.
const iterations = 600_000

// A RequestOptions says for whom a certificate is requested.
type RequestOptions struct {
	Email      string    // of the Anaplan user; goes into SubjectAltName
	Subject    pkix.Name // taken when RawSubject is empty
	RawSubject []byte    // DER, such as an old certificate's; nil: Subject
}

// NewKey makes an RSA key of so many bits, 2048 to 8192.
func NewKey(bits int) (crypto.Signer, error) {
	if bits < minBits || bits > 8192 {
		return nil, fmt.Errorf("a key of %d bits is not made: Anaplan wants %d or more, and more than 8192 make every login slow", bits, minBits)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// EncodeKey returns a key as one PEM block of PKCS#8: encrypted (PBES2 with PBKDF2, SHA-256 and AES-256) unless the passphrase is
// empty.
func EncodeKey(key crypto.Signer, passphrase secret.Value) ([]byte, error) {
	if passphrase.Empty() {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encoding the private key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	der, err := pkcs8.MarshalPrivateKey(key, passphrase.Reveal(), &pkcs8.Opts{Cipher: pkcs8.AES256CBC,
		KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: iterations, HMACHash: crypto.SHA256}})
	if err != nil {
		return nil, errors.New("encrypting the private key failed") // the cause may hold parts of it
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}

// LoadKey reads the private key alone, to request for: that of a PEM file, or of a store the one that Alias, or the lack of others,
// chooses. What works but should be changed is a warning. Errors are *CertificateError, or those of Passphrase and KeyPassphrase,
// wrapped.
func (p Files) LoadKey() (signer crypto.Signer, warnings []string, err error) {
	f, err := open(roleKey, p.KeyPath, p.Key)
	if err != nil {
		return nil, nil, err
	}
	if signer, _, warnings, err = p.signer(f); err != nil {
		return nil, nil, err
	}
	pub, ok := signer.Public().(*rsa.PublicKey)
	if !ok {
		return nil, nil, f.fail(NotRSA, "holds a key that is not RSA, and Anaplan takes RSA only", "name an RSA key of 2048 bits or more, or have a new one made", nil)
	}
	if bits := pub.N.BitLen(); bits < minBits {
		return nil, nil, f.fail(WeakKey, fmt.Sprintf("holds a key of %d bits, and Anaplan wants %d or more", bits, minBits), "name an RSA key of 2048 bits or more, or have a new one made", nil)
	}
	return signer, warnings, nil
}

var (
	oidKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidClientAuth  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	oidEmail       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4}
)

// NewRequest returns a signing request (PKCS#10) as PEM for a certificate that meets what can be asked for of
// anaplan-api.md 2.3: the email address as SubjectAltName, key usage digitalSignature, and the purposes email protection and client
// authentication. The authority decides what it grants. The email must be one that [CheckEmail] accepts.
func NewRequest(key crypto.Signer, o RequestOptions) ([]byte, error) {
	if err := CheckEmail(o.Email); err != nil {
		return nil, err
	}
	// The first bit of the string is digitalSignature (RFC 5280 4.2.1.3).
	usage, err := asn1.Marshal(asn1.BitString{Bytes: []byte{0x80}, BitLength: 1})
	if err != nil {
		return nil, err
	}
	purposes, err := asn1.Marshal([]asn1.ObjectIdentifier{oidEmail, oidClientAuth})
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		RawSubject:         o.RawSubject,
		Subject:            o.Subject,
		SignatureAlgorithm: x509.SHA256WithRSA,
		EmailAddresses:     []string{o.Email},
		ExtraExtensions:    []pkix.Extension{{Id: oidKeyUsage, Critical: true, Value: usage}, {Id: oidExtKeyUsage, Value: purposes}},
	}, key)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// CheckEmail says what keeps a text from being an address in a certificate: it is a bare one, in ASCII (RFC 5280 4.2.1.6).
func CheckEmail(s string) error {
	if s == "" {
		return errors.New("no email address is given")
	}
	for _, r := range s {
		if r > '~' || r < '!' {
			return fmt.Errorf("%q has a character that an address in a certificate cannot have", s)
		}
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return fmt.Errorf("%q is not an email address", s)
	}
	if _, host, _ := strings.Cut(s, "@"); !strings.Contains(host, ".") || strings.ContainsAny(host, "[]") {
		return fmt.Errorf("%q is not an email address: its domain is not whole", s)
	}
	return nil
}

// ParseSubject reads a subject as "CN=Batch User,O=Example\, Inc.,C=GB": attributes CN, O, OU, L, ST and C, each at most once; a
// backslash before a comma keeps it in the value.
func ParseSubject(s string) (pkix.Name, error) {
	var n pkix.Name
	if strings.HasPrefix(strings.TrimSpace(s), "/") {
		return n, errors.New("the subject begins with a slash: write it with commas, as in CN=Batch User,O=Example,C=GB")
	}
	seen := map[string]bool{}
	for _, part := range splitSubject(s) {
		key, value, ok := strings.Cut(part, "=")
		key, value = strings.ToUpper(strings.TrimSpace(key)), strings.TrimSpace(value)
		if !ok || value == "" {
			return n, fmt.Errorf("the subject has %q where NAME=VALUE should stand", strings.TrimSpace(part))
		}
		if seen[key] {
			return n, fmt.Errorf("the subject has %s twice", key)
		}
		seen[key] = true
		if err := set(&n, key, value); err != nil {
			return n, err
		}
	}
	return n, nil
}

func set(n *pkix.Name, key, value string) error {
	switch key {
	case "CN":
		n.CommonName = value
	case "O":
		n.Organization = []string{value}
	case "OU":
		n.OrganizationalUnit = []string{value}
	case "L":
		n.Locality = []string{value}
	case "ST":
		n.Province = []string{value}
	case "C":
		if err := CheckCountry(value); err != nil {
			return err
		}
		n.Country = []string{value}
	case "EMAILADDRESS", "E":
		return errors.New("the email address does not stand in the subject: it goes into SubjectAltName, which Anaplan prefers")
	default:
		return fmt.Errorf("the subject has the attribute %q, and CN, O, OU, L, ST and C are known", key)
	}
	return nil
}

// CheckCountry says what keeps a text from being a country's code.
func CheckCountry(s string) error {
	if len(s) != 2 || s[0] < 'A' || s[0] > 'Z' || s[1] < 'A' || s[1] > 'Z' {
		return fmt.Errorf("the country %q is not a code of two capital letters, such as GB", s)
	}
	return nil
}

func splitSubject(s string) []string {
	var parts []string
	var b strings.Builder
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	return append(parts, b.String())
}

var emailAttribute = regexp.MustCompile(`1\.2\.840\.113549\.1\.9\.1=#[0-9a-f]+`)

// Subject returns a name as text, with its email addresses readable: CN=Batch,emailAddress=batch@example.com.
func Subject(n pkix.Name) string {
	var emails []string
	for _, a := range n.Names {
		if s, ok := a.Value.(string); ok && a.Type.String() == "1.2.840.113549.1.9.1" {
			emails = append(emails, s)
		}
	}
	return emailAttribute.ReplaceAllStringFunc(n.String(), func(raw string) string {
		if len(emails) == 0 {
			return raw
		}
		first := emails[0]
		emails = emails[1:]
		return "emailAddress=" + first
	})
}
