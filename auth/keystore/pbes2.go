package keystore

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

var errNotASN1 = errors.New("not the structure of an encrypted key")

// The structures of RFC 8018, as far as they are needed to refuse what the decrypting library would misread, panic on, or take
// forever with.
type (
	encryptedInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pbes2 struct {
		KDF, Cipher pkix.AlgorithmIdentifier
	}
	pbkdf2Parameters struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	scrypt struct {
		Salt      []byte
		N, R, P   int
		KeyLength int `asn1:"optional"`
	}
)

// Block sizes of the ciphers, by object identifier.
var ciphers = map[string]int{
	"1.2.840.113549.3.7":      8,  // DES-EDE3-CBC
	"2.16.840.1.101.3.4.1.2":  16, // AES-128-CBC
	"2.16.840.1.101.3.4.1.22": 16, // AES-192-CBC
	"2.16.840.1.101.3.4.1.42": 16, // AES-256-CBC
}

const (
	maxIterations   = 2_000_000 // about a second of work; OpenSSL's default is 2048
	maxScryptMemory = 1 << 27   // OpenSSL's default takes 16 MiB
	maxScryptP      = 4
)

// checkEncryption says whether the key can be decrypted here, before anyone is asked for a passphrase.
func checkEncryption(der []byte) error {
	var info encryptedInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return errNotASN1
	}
	if oid := info.Algorithm.Algorithm.String(); oid != "1.2.840.113549.1.5.13" {
		return fmt.Errorf("the scheme %s is not PBES2", oid)
	}
	var scheme pbes2
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return errNotASN1
	}
	block, ok := ciphers[scheme.Cipher.Algorithm.String()]
	if !ok {
		return fmt.Errorf("the cipher %s is neither AES nor triple DES in CBC mode", scheme.Cipher.Algorithm)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil || len(iv) != block || len(info.Data) == 0 || len(info.Data)%block != 0 {
		return errNotASN1
	}
	switch kdf := scheme.KDF.Algorithm.String(); kdf {
	case "1.2.840.113549.1.5.12":
		return checkPBKDF2(scheme.KDF.Parameters.FullBytes)
	case "1.3.6.1.4.1.11591.4.11":
		return checkScrypt(scheme.KDF.Parameters.FullBytes)
	default:
		return fmt.Errorf("the key derivation %s is neither PBKDF2 nor scrypt", kdf)
	}
}

func checkPBKDF2(der []byte) error {
	var p pbkdf2Parameters
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.Iterations < 1 {
		return errNotASN1
	}
	if p.Iterations > maxIterations {
		return fmt.Errorf("%d iterations are more than %d", p.Iterations, maxIterations)
	}
	if p.KeyLength != 0 {
		return errors.New("it states a key length")
	}
	switch prf := p.PRF.Algorithm.String(); prf {
	case "", "1.2.840.113549.2.7", "1.2.840.113549.2.9":
		return nil
	default:
		return fmt.Errorf("its hash %s is neither SHA-1 nor SHA-256", prf)
	}
}

func checkScrypt(der []byte) error {
	var p scrypt
	if _, err := asn1.Unmarshal(der, &p); err != nil || p.N < 2 || p.R < 1 || p.P < 1 {
		return errNotASN1
	}
	if p.R > maxScryptMemory/128/p.N || p.P > maxScryptP {
		return errors.New("its scrypt parameters ask for too much memory or time")
	}
	return nil
}
