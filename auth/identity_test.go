package auth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

var (
	testKey = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	// In virtual time it is the year 2000; the certificate covers that too.
	testIdentity = sync.OnceValue(func() *keystore.Identity {
		return issue(x509.Certificate{
			Subject:        pkix.Name{CommonName: "Batch User"},
			EmailAddresses: []string{"batch@example.com"},
		}, testKey())
	})
)

// issue makes a self-signed identity.
func issue(c x509.Certificate, key crypto.Signer) *keystore.Identity {
	c.SerialNumber = big.NewInt(4711)
	if c.NotBefore.IsZero() {
		c.NotBefore, c.NotAfter = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &keystore.Identity{Leaf: leaf, LeafPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Signer: key}
}
