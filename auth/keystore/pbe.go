package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"
	"unicode/utf16"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// A password in the forms that PKCS#12 uses: RFC 7292 B.1 for its own schemes, RFC 8018 3 for PBES2.
type password struct {
	wide  []byte // UTF-16, big-endian, with two zeros at the end
	plain []byte
}

func passwordOf(v secret.Value) password {
	p := password{plain: v.Reveal()}
	for _, c := range append(utf16.Encode([]rune(v.RevealString())), 0) {
		p.wide = append(p.wide, byte(c>>8), byte(c))
	}
	return p
}

// noPasswords are the two forms of an empty password that programs write.
var noPasswords = []password{{wide: []byte{0, 0}}, {}}

// Work counts the rounds of key derivation that a store asks for. A file can ask for any number.
type work int

const maxWork = 10_000_000 // a few seconds

func (w *work) spend(n int) error {
	if n < 1 {
		return errNotASN1
	}
	if n > maxIterations {
		return fmt.Errorf("it asks for %d iterations, and more than %d are refused", n, maxIterations)
	}
	if *w += work(n); *w > maxWork {
		return fmt.Errorf("its entries ask for more than %d iterations together", maxWork)
	}
	return nil
}

// A scheme is a way of encrypting with a password.
type scheme struct {
	iterations int
	cipher     func(password) (cipher.Block, []byte, error) // with the start value of CBC
}

// Hashes by the object identifiers of HMACs with them.
var hmacs = map[string]func() hash.Hash{
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// Hashes by their object identifiers.
var hashes = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.4": sha256.New224,
	"2.16.840.1.101.3.4.2.1": sha256.New,
	"2.16.840.1.101.3.4.2.2": sha512.New384,
	"2.16.840.1.101.3.4.2.3": sha512.New,
}

// Key sizes of the ciphers of PBES2.
var keySizes = map[string]int{
	"1.2.840.113549.3.7":      24,
	"2.16.840.1.101.3.4.1.2":  16,
	"2.16.840.1.101.3.4.1.22": 24,
	"2.16.840.1.101.3.4.1.42": 32,
}

// PKCS#12's own schemes, RFC 7292 C.
var pbes = map[string]struct {
	size  int
	block func([]byte) (cipher.Block, error)
}{
	"1.2.840.113549.1.12.1.3": {24, des.NewTripleDESCipher},
	"1.2.840.113549.1.12.1.4": {16, func(k []byte) (cipher.Block, error) { return des.NewTripleDESCipher(append(bytes.Clone(k), k[:8]...)) }},
	"1.2.840.113549.1.12.1.5": {16, newRC2},
	"1.2.840.113549.1.12.1.6": {5, newRC2},
}

// schemeOf reads the parameters of an encryption. errNotASN1: they cannot be read; else it is not supported.
func schemeOf(a pkix.AlgorithmIdentifier) (scheme, error) {
	if a.Algorithm.String() == "1.2.840.113549.1.5.13" {
		return pbes2Scheme(a.Parameters.FullBytes)
	}
	pbe, ok := pbes[a.Algorithm.String()]
	if !ok {
		return scheme{}, fmt.Errorf("the scheme %s is neither PBES2, nor triple DES, nor RC2", a.Algorithm)
	}
	var p struct {
		Salt       []byte
		Iterations int
	}
	if rest, err := asn1.Unmarshal(a.Parameters.FullBytes, &p); err != nil || len(rest) > 0 || p.Iterations < 1 {
		return scheme{}, errNotASN1
	}
	return scheme{saturated(2, p.Iterations), func(pass password) (cipher.Block, []byte, error) {
		block, err := pbe.block(pkcs12KDF(sha1.New, 1, pass.wide, p.Salt, p.Iterations, pbe.size))
		return block, pkcs12KDF(sha1.New, 2, pass.wide, p.Salt, p.Iterations, 8), err
	}}, nil
}

func pbes2Scheme(der []byte) (scheme, error) {
	var s pbes2
	if rest, err := asn1.Unmarshal(der, &s); err != nil || len(rest) > 0 {
		return scheme{}, errNotASN1
	}
	size, ok := keySizes[s.Cipher.Algorithm.String()]
	if !ok {
		return scheme{}, fmt.Errorf("the cipher %s is neither AES nor triple DES in CBC mode", s.Cipher.Algorithm)
	}
	derive, iterations, err := pbkdf2Of(s.KDF, size)
	if err != nil {
		return scheme{}, err
	}
	var iv []byte
	if _, err := asn1.Unmarshal(s.Cipher.Parameters.FullBytes, &iv); err != nil || len(iv) != ciphers[s.Cipher.Algorithm.String()] {
		return scheme{}, errNotASN1
	}
	return scheme{iterations, func(pass password) (cipher.Block, []byte, error) {
		key, err := derive(pass.plain)
		if err != nil {
			return nil, nil, err
		}
		if len(iv) == des.BlockSize {
			block, err := des.NewTripleDESCipher(key)
			return block, iv, err
		}
		block, err := aes.NewCipher(key)
		return block, iv, err
	}}, nil
}

// pbkdf2Of reads the parameters of PBKDF2; size 0 takes the length of the key from them.
func pbkdf2Of(a pkix.AlgorithmIdentifier, size int) (derive func(pass []byte) ([]byte, error), iterations int, err error) {
	if kdf := a.Algorithm.String(); kdf != "1.2.840.113549.1.5.12" {
		return nil, 0, fmt.Errorf("the key derivation %s is not PBKDF2", kdf)
	}
	var p pbkdf2Parameters
	if rest, err := asn1.Unmarshal(a.Parameters.FullBytes, &p); err != nil || len(rest) > 0 || p.Iterations < 1 {
		return nil, 0, errNotASN1
	}
	h := sha1.New
	if len(p.PRF.Algorithm) > 0 {
		if h = hmacs[p.PRF.Algorithm.String()]; h == nil {
			return nil, 0, fmt.Errorf("the hash %s is not supported", p.PRF.Algorithm)
		}
	}
	switch {
	case size == 0:
		size = p.KeyLength
	case p.KeyLength != 0 && p.KeyLength != size:
		return nil, 0, fmt.Errorf("it states a key length of %d, and the cipher has %d", p.KeyLength, size)
	}
	if size < 1 || size > 64 {
		return nil, 0, fmt.Errorf("a key length of %d is not supported", size)
	}
	rounds := (size + h().Size() - 1) / h().Size()
	return func(pass []byte) ([]byte, error) { return pbkdf2.Key(h, string(pass), p.Salt, p.Iterations, size) }, saturated(rounds, p.Iterations), nil
}

// saturated is a product that does not overflow.
func saturated(a, n int) int {
	if n > maxIterations {
		return n
	}
	return a * n
}

// decrypt returns nil if the password is wrong, as far as the padding shows.
func (s scheme) decrypt(data []byte, pass password) ([]byte, error) {
	block, iv, err := s.cipher(pass)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(data) == 0 || len(data)%size != 0 {
		return nil, errNotASN1
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	n := int(out[len(out)-1])
	if n < 1 || n > size || !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, nil
	}
	return out[:len(out)-n], nil
}

// pkcs12KDF derives bytes from a password, RFC 7292 B.2; id is 1 for a key, 2 for a start value, 3 for a MAC's key.
func pkcs12KDF(hash func() hash.Hash, id byte, pass, salt []byte, iterations, size int) []byte {
	h := hash()
	v := h.BlockSize()
	fill := func(b []byte) []byte {
		out := make([]byte, (len(b)+v-1)/v*v)
		for i := range out {
			out[i] = b[i%len(b)]
		}
		return out
	}
	sum := func(parts ...[]byte) []byte {
		h.Reset()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	d, in := bytes.Repeat([]byte{id}, v), append(fill(salt), fill(pass)...)
	var out []byte
	for {
		a := sum(d, in)
		for range iterations - 1 {
			a = sum(a)
		}
		if out = append(out, a...); len(out) >= size {
			return out[:size]
		}
		for j := 0; j < len(in); j += v {
			carry := 1
			for k := v - 1; k >= 0; k-- {
				carry += int(in[j+k]) + int(a[k%len(a)])
				in[j+k] = byte(carry)
				carry >>= 8
			}
		}
	}
}
