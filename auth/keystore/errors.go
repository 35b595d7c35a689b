package keystore

// A Problem is a kind of fault in a certificate or key. It is an error, so that callers may write errors.Is(err, keystore.Expired).
type Problem string

// The problems there are.
const (
	Unreadable        Problem = "cannot be read"
	Empty             Problem = "is empty"
	Missing           Problem = "is not given"
	NotPEM            Problem = "is not PEM"
	DER               Problem = "is DER, not PEM"
	PKCS7             Problem = "is PKCS#7"
	UTF16             Problem = "is UTF-16 text"
	Damaged           Problem = "is damaged"
	NoCertificate     Problem = "holds no certificate"
	NoKey             Problem = "holds no private key"
	Request           Problem = "is a certificate signing request"
	PublicKey         Problem = "is a public key"
	NoAlias           Problem = "has no entry of this alias"
	SeveralKeys       Problem = "holds several private keys"
	Unsupported       Problem = "is of an unsupported kind"
	PassphraseMissing Problem = "is encrypted, and no passphrase is given"
	WrongPassphrase   Problem = "cannot be decrypted with this passphrase"
	OpenToOthers      Problem = "can be read by others"
	Mismatch          Problem = "do not belong together"
	SeveralUsers      Problem = "are of several users"
	NotRSA            Problem = "is not RSA"
	WeakKey           Problem = "is shorter than 2048 bits"
	Expired           Problem = "has expired"
	NotYetValid       Problem = "is not yet valid"
)

// Error returns the problem's words.
func (p Problem) Error() string { return string(p) }

// A CertificateError says what is wrong with a certificate or key. It never holds content of a key, or a passphrase.
type CertificateError struct {
	Problem Problem
	What    string // what is wrong with which file, with the facts: a whole sentence without a full stop
	Next    string // what to do about it, with the command where one exists
	Err     error  // the cause, nil when there is none
}

// Error returns What, and the cause.
func (e *CertificateError) Error() string {
	if e.Err != nil {
		return e.What + ": " + e.Err.Error()
	}
	return e.What
}

// Is reports whether target is this error's Problem.
func (e *CertificateError) Is(target error) bool { return target == e.Problem }

// Unwrap returns the cause.
func (e *CertificateError) Unwrap() error { return e.Err }
