package keystore

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The library that decrypts would take hours, or all memory, or panic, where this refuses; and it would misread a stated key length.
func TestEncryptionThatIsRefused(t *testing.T) {
	oid := func(n ...int) asn1.ObjectIdentifier { return n }
	algorithm := func(id asn1.ObjectIdentifier, parameters any) pkix.AlgorithmIdentifier {
		der, err := asn1.Marshal(parameters)
		if err != nil {
			t.Fatal(err)
		}
		return pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: der}}
	}
	type pbkdf2Parameters struct {
		Salt       []byte
		Iterations int
	}
	type pbkdf2WithLength struct {
		Salt                  []byte
		Iterations, KeyLength int
	}
	type scryptParameters struct {
		Salt    []byte
		N, R, P int
	}
	salt := []byte("saltsalt")
	pbkdf2OID, scryptOID := oid(1, 2, 840, 113549, 1, 5, 12), oid(1, 3, 6, 1, 4, 1, 11591, 4, 11)
	aes, gcm, pbes2OID := oid(2, 16, 840, 1, 101, 3, 4, 1, 42), oid(2, 16, 840, 1, 101, 3, 4, 1, 46), oid(1, 2, 840, 113549, 1, 5, 13)
	fine := algorithm(pbkdf2OID, pbkdf2Parameters{salt, 2048})
	for _, tt := range []struct {
		name   string
		kdf    pkix.AlgorithmIdentifier
		cipher pkix.AlgorithmIdentifier
		data   int
		want   string // "": accepted
	}{
		{"fine", fine, algorithm(aes, make([]byte, 16)), 32, ""},
		{"most iterations", algorithm(pbkdf2OID, pbkdf2Parameters{salt, maxIterations}), algorithm(aes, make([]byte, 16)), 32, ""},
		{"too many iterations", algorithm(pbkdf2OID, pbkdf2Parameters{salt, maxIterations + 1}), algorithm(aes, make([]byte, 16)), 32, "iterations"},
		{"no iterations", algorithm(pbkdf2OID, pbkdf2Parameters{salt, 0}), algorithm(aes, make([]byte, 16)), 32, errNotASN1.Error()},
		{"a key length", algorithm(pbkdf2OID, pbkdf2WithLength{salt, 2048, 32}), algorithm(aes, make([]byte, 16)), 32, "key length"},
		{"short start value", fine, algorithm(aes, make([]byte, 15)), 32, errNotASN1.Error()},
		{"no data", fine, algorithm(aes, make([]byte, 16)), 0, errNotASN1.Error()},
		{"part of a block", fine, algorithm(aes, make([]byte, 16)), 33, errNotASN1.Error()},
		{"another cipher", fine, algorithm(gcm, make([]byte, 16)), 32, "neither AES nor triple DES"},
		{"another derivation", algorithm(aes, salt), algorithm(aes, make([]byte, 16)), 32, "neither PBKDF2 nor scrypt"},
		{"scrypt", algorithm(scryptOID, scryptParameters{salt, 16384, 8, 1}), algorithm(aes, make([]byte, 16)), 32, ""},
		{"scrypt, much memory", algorithm(scryptOID, scryptParameters{salt, 1 << 30, 8, 1}), algorithm(aes, make([]byte, 16)), 32, "too much"},
		{"scrypt, overflowing", algorithm(scryptOID, scryptParameters{salt, 1 << 62, 1 << 62, 1}), algorithm(aes, make([]byte, 16)), 32, "too much"},
		{"scrypt, long", algorithm(scryptOID, scryptParameters{salt, 16384, 8, 1 << 20}), algorithm(aes, make([]byte, 16)), 32, "too much"},
		{"scrypt, nothing", algorithm(scryptOID, scryptParameters{salt, 0, 0, 0}), algorithm(aes, make([]byte, 16)), 32, errNotASN1.Error()},
	} {
		der, err := asn1.Marshal(encryptedInfo{algorithm(pbes2OID, pbes2{tt.kdf, tt.cipher}), make([]byte, tt.data)})
		if err != nil {
			t.Fatal(err)
		}
		err = checkEncryption(der)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if tt.want == "" {
			continue
		}
		began := time.Now()
		_, err = Files{AllowOpen: true, CertificatePath: "testdata/certificate.pem", Key: pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), Passphrase: passphrase}.Load()
		want := Unsupported
		if tt.want == errNotASN1.Error() {
			want = Damaged
		}
		e, _ := errors.AsType[*CertificateError](err)
		if e == nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(want, e.Problem); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%s: took %v", tt.name, d)
		}
	}
}
