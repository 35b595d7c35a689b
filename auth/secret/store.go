package secret

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
)

// Unpacked returns the bytes of a key store, certificate or key that came by a reference. Vaults and environment variables hold
// text: base64 of something binary, which is DER (PKCS#12 is) or a Java key store, is decoded; line ends in it do not matter.
// Everything else, PEM above all, comes back as it is. It is not for passphrases, which mean themselves.
func (v Value) Unpacked() []byte {
	b := v.Reveal()
	if bytes.Contains(b, []byte("-----BEGIN ")) {
		return b
	}
	plain, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(b), nil)))
	if err != nil || !binaryStore(plain) {
		return b
	}
	return plain
}

func binaryStore(b []byte) bool {
	for _, magic := range []string{"\xfe\xed\xfe\xed", "\xce\xce\xce\xce"} { // JKS, JCEKS
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	// Java writes PKCS#12 with an indefinite length now and then.
	if bytes.HasPrefix(b, []byte{0x30, 0x80}) && bytes.HasSuffix(b, []byte{0, 0}) {
		return true
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(b, &outer)
	return err == nil && len(rest) == 0 && outer.Class == asn1.ClassUniversal && outer.Tag == asn1.TagSequence && outer.IsCompound
}
