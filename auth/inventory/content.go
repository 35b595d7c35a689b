package inventory

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

// A KeyID tells public keys apart.
type KeyID [sha256.Size]byte

// IDOf is that of a certificate's key.
func IDOf(c *x509.Certificate) KeyID {
	if pub, ok := c.PublicKey.(*rsa.PublicKey); ok {
		return rsaID(pub.N, pub.E)
	}
	return sha256.Sum256(c.RawSubjectPublicKeyInfo)
}

func rsaID(n *big.Int, e int) KeyID {
	return sha256.Sum256(fmt.Appendf(n.Bytes(), ":%d", e))
}

// A Content is what a file holds, as far as it can be said without a passphrase.
type Content struct {
	Certificates []*x509.Certificate
	Keys         []KeyID // of the keys that are not encrypted
	Encrypted    int     // keys that are
	Damaged      string  // what of it cannot be read; "" when nothing
	Store        bool    // it may be a key store, and the rest is empty
}

// Empty reports whether there is nothing relevant.
func (c Content) Empty() bool {
	return len(c.Certificates) == 0 && len(c.Keys) == 0 && c.Encrypted == 0 && c.Damaged == "" && !c.Store
}

// Look says what a file holds: PEM, a certificate or a key in DER, or what may be a key store. Keys are not checked but for the part that is
// public.
func Look(data []byte) Content {
	var c Content
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		c.der(data)
		return c
	}
	for rest := data; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			if bytes.Contains(rest, []byte("-----BEGIN CERTIFICATE-----")) || bytes.Contains(rest, []byte("PRIVATE KEY-----")) {
				c.Damaged = "a block of it cannot be read"
			}
			return c
		}
		switch {
		case b.Type == "CERTIFICATE" || b.Type == "X509 CERTIFICATE":
			one, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				c.Damaged = "a certificate in it cannot be read: " + err.Error()
				continue
			}
			c.Certificates = append(c.Certificates, one)
		//lint:ignore SA1019 the format is met in the field
		case b.Type == "ENCRYPTED PRIVATE KEY" || strings.HasSuffix(b.Type, "PRIVATE KEY") && x509.IsEncryptedPEMBlock(b):
			c.Encrypted++
		case strings.HasSuffix(b.Type, "PRIVATE KEY"):
			if id, ok := publicPart(b.Bytes); ok {
				c.Keys = append(c.Keys, id)
			}
		}
	}
}

// der looks at a file without PEM blocks.
func (c *Content) der(data []byte) {
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}), bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		c.Store = true
		return
	case len(data) < 64 || data[0] != 0x30:
		return
	}
	if one, err := x509.ParseCertificate(data); err == nil {
		c.Certificates = append(c.Certificates, one)
		return
	}
	if id, ok := publicPart(data); ok {
		c.Keys = append(c.Keys, id)
		return
	}
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(data, &outer); err != nil {
		return
	}
	var version *big.Int
	if _, err := asn1.Unmarshal(outer.Bytes, &version); err == nil && version.IsInt64() && version.Int64() == 3 {
		c.Store = true // PFX: RFC 7292 4
	}
}

// publicPart is the modulus and exponent that stand at the beginning of an RSA key (RFC 8017 A.1.2), also within PKCS#8 (RFC 5208 5). Checking
// the key whole takes a hundred times as long.
func publicPart(der []byte) (KeyID, bool) {
	var pkcs8 struct {
		Version   int
		Algorithm asn1.RawValue
		Key       []byte
	}
	if _, err := asn1.Unmarshal(der, &pkcs8); err == nil && len(pkcs8.Key) > 0 {
		return rsaPart(pkcs8.Key)
	}
	return rsaPart(der)
}

func rsaPart(der []byte) (KeyID, bool) {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil || outer.Tag != asn1.TagSequence {
		return KeyID{}, false
	}
	var version, e int
	var n *big.Int
	rest, err := asn1.Unmarshal(outer.Bytes, &version)
	if err == nil {
		rest, err = asn1.Unmarshal(rest, &n)
	}
	if err == nil {
		_, err = asn1.Unmarshal(rest, &e)
	}
	if err != nil || n.Sign() <= 0 || n.BitLen() < 512 {
		return KeyID{}, false
	}
	return rsaID(n, e), true
}

// KeyIDOf is that of a public key, none for kinds that Anaplan does not take.
func KeyIDOf(key crypto.PublicKey) KeyID {
	if pub, ok := key.(*rsa.PublicKey); ok {
		return rsaID(pub.N, pub.E)
	}
	return KeyID{}
}
