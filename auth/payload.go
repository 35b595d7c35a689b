package auth

import (
	"crypto"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// Format is the kind of message that a certificate login signs (anaplan-api.md 2.2). The zero Format is V2.
type Format string

// The formats there are.
const (
	V2 Format = "v2" // 100 bytes that begin with the time; each can be used once
	V1 Format = "v1" // random bytes; a pair once made logs in until the certificate ends
)

// HeaderForm is the encoding of the certificate in the login's header; both are in use (anaplan-api.md 2.2). The zero HeaderForm is HeaderPEM.
type HeaderForm string

// The forms there are.
const (
	HeaderPEM HeaderForm = "pem" // base64 of the PEM text
	HeaderDER HeaderForm = "der" // base64 of the DER bytes
)

const (
	v1Size = 150
	v2Size = 100
	// The unit of the time in a v2 message; anaplan-api.md 2.2 tells how seconds was decided.
	v2Unit = time.Second
)

// A Payload is what one certificate login sends. It is secret: a v2 pair logs in once, while it is fresh; a v1 pair, again and
// again until the certificate ends. Its fields are plain strings, because showing them is the purpose of `auth payload`;
// printed by accident, it is [redacted]. A curl command should read the header (--header @-) and the body (--data @-) from
// standard input or from files that only their owner can read: arguments of a process are seen by everybody.
type Payload struct {
	Header            string // value of the Authorization header: "CACertificate LS0tLS1…"
	EncodedData       string // base64 of the message
	EncodedSignedData string // base64 of its signature: RSA PKCS#1 v1.5 over SHA-512 of the message's bytes
	Format            Format // V2 or V1, never empty
}

// NewPayload makes and signs a message. A V2 message is 100 bytes: now in seconds since 1970 as 8 bytes big-endian, then
// random ones; a V1 message is 150 random bytes. Only the leaf certificate goes into the header. Nil random: crypto/rand.
func NewPayload(id *keystore.Identity, f Format, h HeaderForm, now time.Time, random io.Reader) (Payload, error) {
	if id == nil || id.Leaf == nil || id.Signer == nil {
		return Payload{}, errors.New("making a login message: no certificate with its private key")
	}
	if random == nil {
		random = rand.Reader
	}
	p := Payload{Format: f}
	switch h {
	case "", HeaderPEM:
		p.Header = "CACertificate " + base64.StdEncoding.EncodeToString(id.LeafPEM)
	case HeaderDER:
		p.Header = "CACertificate " + base64.StdEncoding.EncodeToString(id.Leaf.Raw)
	default:
		return Payload{}, fmt.Errorf("making a login message: header form %q is neither %q nor %q", h, HeaderPEM, HeaderDER)
	}
	var message []byte
	var err error
	switch f {
	case "", V2:
		p.Format = V2
		message = make([]byte, v2Size)
		binary.BigEndian.PutUint64(message, uint64(now.UnixNano()/int64(v2Unit)))
		_, err = io.ReadFull(random, message[8:])
	case V1:
		message = make([]byte, v1Size)
		_, err = io.ReadFull(random, message)
	default:
		return Payload{}, fmt.Errorf("making a login message: format %q is neither %q nor %q", f, V2, V1)
	}
	if err != nil {
		return Payload{}, fmt.Errorf("making a login message: random bytes: %w", err)
	}
	sum := sha512.Sum512(message)
	// crypto/rsa signs with PKCS#1 v1.5 when the options are a bare hash, and needs no randomness for the signature itself.
	signature, err := id.Signer.Sign(rand.Reader, sum[:], crypto.SHA512)
	if err != nil {
		return Payload{}, fmt.Errorf("signing the login message: %w", err)
	}
	p.EncodedData = base64.StdEncoding.EncodeToString(message)
	p.EncodedSignedData = base64.StdEncoding.EncodeToString(signature)
	return p, nil
}

// Body returns the JSON body of the login request, without a newline at its end. V1 has no encodedDataFormat field.
func (p Payload) Body() []byte {
	body := struct {
		Format string `json:"encodedDataFormat,omitempty"`
		Data   string `json:"encodedData"`
		Signed string `json:"encodedSignedData"`
	}{Data: p.EncodedData, Signed: p.EncodedSignedData}
	if p.Format != V1 {
		body.Format = string(V2)
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // three strings always encode
	}
	return b
}

// String returns "[redacted]".
func (p Payload) String() string { return "[redacted]" }

// GoString returns "[redacted]".
func (p Payload) GoString() string { return "[redacted]" }
