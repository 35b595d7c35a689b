package keystore

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Java's own format, as sun.security.provider.JavaKeyStore writes it: a magic number, the version, the number of entries, the
// entries, and the SHA-1 of the store's password and all of this. Numbers are big-endian. Only keys are encrypted.
const (
	magicJava  = 0xfeedfeed
	magicJCEKS = 0xcececece
	tagKey     = 1
	tagTrusted = 2
)

var errCutOff = errors.New("it ends within an entry")

func isJava(b []byte) bool {
	return len(b) >= 4 && (binary.BigEndian.Uint32(b) == magicJava || binary.BigEndian.Uint32(b) == magicJCEKS)
}

// A javaReader takes pieces from the front of what is left. After the end everything is empty, and err is set.
type javaReader struct {
	left []byte
	err  error
}

func (r *javaReader) take(n uint32) []byte {
	if uint64(n) > uint64(len(r.left)) {
		r.err, r.left = errCutOff, nil
		return nil
	}
	b := r.left[:n:n]
	r.left = r.left[n:]
	return b
}

func (r *javaReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *javaReader) text() string {
	if b := r.take(2); b != nil {
		return string(r.take(uint32(binary.BigEndian.Uint16(b))))
	}
	return ""
}

func (r *javaReader) certificate(version uint32) []byte {
	if version == 2 {
		_ = r.text() // its type, always X.509
	}
	return r.take(r.uint32())
}

// openJava reads a store of type JKS.
func (f file) openJava(ask passwords, check bool) (*store, error) {
	if binary.BigEndian.Uint32(f.data) == magicJCEKS {
		return nil, f.fail(Unsupported, "is a Java key store of type JCEKS, which is not supported",
			"convert it: keytool -importkeystore -srcstoretype JCEKS -srckeystore "+f.arg("STORE.jceks")+" -destkeystore converted.p12 -deststoretype PKCS12", nil)
	}
	s := &store{file: f}
	body, sum := f.data, []byte(nil)
	if n := len(f.data) - sha1.Size; n > 0 {
		body, sum = f.data[:n], f.data[n:]
	}
	r := &javaReader{left: body}
	r.uint32()
	version, entries := r.uint32(), r.uint32()
	if r.err == nil && version != 1 && version != 2 {
		return nil, f.fail(Damaged, fmt.Sprintf("is damaged: a Java key store has version 1 or 2, and this %d", version), copyAgain, nil)
	}
	for i := uint32(0); i < entries && r.err == nil; i++ {
		tag := r.uint32()
		e := &entry{alias: r.text()}
		r.take(8) // when it was made
		switch {
		case r.err != nil:
		case tag == tagKey:
			e.sealed = r.take(r.uint32())
			for n := r.uint32(); n > 0 && r.err == nil; n-- {
				s.add(e, r.certificate(version))
			}
			e.key = func() (crypto.Signer, error) { return f.javaKey(e.alias, e.sealed, ask) }
		case tag == tagTrusted:
			s.add(e, r.certificate(version))
		default:
			return nil, f.fail(Damaged, fmt.Sprintf("is damaged: its entry %d is of kind %d, which does not exist", i+1, tag), copyAgain, nil)
		}
		s.entries = append(s.entries, e)
	}
	if r.err == nil && len(r.left) > 0 {
		r.err = errors.New("more stands after its last entry")
	}
	if r.err != nil {
		return nil, f.fail(Damaged, "is damaged", copyAgain, r.err)
	}
	if !check {
		return s, nil
	}
	return s, s.checkJava(body, sum, ask)
}

// add takes a certificate; one that cannot be read is a warning.
func (s *store) add(e *entry, der []byte) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		s.warnings = append(s.warnings, fmt.Sprintf("%s: a certificate of entry %q cannot be read: %v", s.file, e.alias, err))
		return
	}
	e.certs, s.certs = append(e.certs, c), append(s.certs, c)
}

// checkJava compares the check sum, for which the store's password is needed.
func (s *store) checkJava(body, sum []byte, ask passwords) error {
	pass, err := ask.store()
	if err != nil {
		return err
	}
	if pass.Empty() {
		return s.file.noStorePassword()
	}
	h := sha1.New()
	h.Write(javaPassword(pass))
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(body)
	if subtle.ConstantTimeCompare(h.Sum(nil), sum) == 1 {
		return nil
	}
	// A password that opens a key is not wrong.
	for _, e := range s.keys() {
		if unsealJava(e.sealed, pass) != nil {
			return s.file.changed()
		}
	}
	return s.file.wrongStore()
}

// javaKey opens a key, with its own password if there is one, else with the store's.
func (f file) javaKey(alias string, sealed []byte, ask passwords) (crypto.Signer, error) {
	var info encryptedInfo
	if rest, err := asn1.Unmarshal(sealed, &info); err != nil || len(rest) > 0 {
		return nil, f.fail(Damaged, fmt.Sprintf("is damaged: the private key %q in it cannot be read", alias), copyAgain, nil)
	}
	if !info.Algorithm.Algorithm.Equal(oidJavaKey) || len(info.Data) < 2*sha1.Size {
		return nil, f.fail(Unsupported, fmt.Sprintf("holds the private key %q encrypted in a way that is not supported", alias),
			"convert it: keytool -importkeystore -srckeystore "+f.arg("STORE.jks")+" -destkeystore converted.p12 -deststoretype PKCS12", fmt.Errorf("the scheme is %s", info.Algorithm.Algorithm))
	}
	given := false
	for _, from := range []func() (secret.Value, error){ask.key, ask.store} {
		if from == nil {
			continue
		}
		pass, err := from()
		if err != nil {
			return nil, err
		}
		given = given || !pass.Empty()
		der := unsealJava(sealed, pass)
		if der == nil {
			continue
		}
		signer, ok, err := f.pkcs8Key(der, alias)
		if !ok {
			return nil, f.fail(Damaged, fmt.Sprintf("is damaged: the private key %q in it is none", alias), copyAgain, nil)
		}
		return signer, err
	}
	if !given {
		return nil, f.noStorePassword()
	}
	return nil, f.wrongKey(alias, ask.key != nil)
}

var oidJavaKey = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}

// unsealJava decrypts a key as sun.security.provider.KeyProtector does; nil if this is not its password. The key is masked with
// a chain of SHA-1 over password and salt, and followed by the SHA-1 of password and key.
func unsealJava(sealed []byte, pass secret.Value) []byte {
	var info encryptedInfo
	if _, err := asn1.Unmarshal(sealed, &info); err != nil || len(info.Data) < 2*sha1.Size {
		return nil
	}
	password := javaPassword(pass)
	digest, rest := info.Data[:sha1.Size], info.Data[sha1.Size:]
	key := bytes.Clone(rest[:len(rest)-sha1.Size])
	for i := 0; i < len(key); i += sha1.Size {
		sum := sha1.Sum(append(bytes.Clone(password), digest...))
		digest = sum[:]
		subtle.XORBytes(key[i:], key[i:], digest)
	}
	if sum := sha1.Sum(append(bytes.Clone(password), key...)); subtle.ConstantTimeCompare(sum[:], rest[len(rest)-sha1.Size:]) != 1 {
		return nil
	}
	return key
}

// javaPassword is a password as Java's characters, big-endian.
func javaPassword(v secret.Value) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(v.RevealString())) {
		b = binary.BigEndian.AppendUint16(b, c)
	}
	return b
}
