package sample

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// NewIdentity makes a client certificate as Anaplan asks for (anaplan-api.md 2.3): RSA with 2048 bits,
// the address as rfc822Name, digitalSignature, e-mail protection, a CRL distribution point, and signed by a
// certification authority made for the purpose. It is valid from an hour before now for a year. The key is
// PKCS#8; the authority's key is forgotten.
func NewIdentity(email string, now time.Time) (certPEM, keyPEM []byte, err error) {
	certPEM, keyPEM, _, err = NewTrustedIdentity(email, now)
	return certPEM, keyPEM, err
}

// NewTrustedIdentity is NewIdentity with the authority's certificate too, for simulator.Options.Trust.
func NewTrustedIdentity(email string, now time.Time) (certPEM, keyPEM []byte, authority *x509.Certificate, err error) {
	caKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making the authority's key: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Sample Client CA", Organization: []string{"Sample Trust"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("signing the authority's certificate: %w", err)
	}
	if authority, err = x509.ParseCertificate(caDER); err != nil {
		return nil, nil, nil, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making the key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("making a serial number: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: email, Organization: []string{"Sample Retail"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage:       x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:    []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth},
		EmailAddresses: []string{email}, CRLDistributionPoints: []string{"http://crl.example.com/client.crl"},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), caKey)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("signing the certificate: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("encoding the key: %w", err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return certPEM, keyPEM, authority, nil
}
