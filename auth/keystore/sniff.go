package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
)

// notPEM says what a file without any PEM block is, and how to make PEM of it.
func (f file) notPEM(data []byte) error {
	in := f.arg("FILE")
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("-\x00-\x00")) || bytes.HasPrefix(data, []byte("\x00-\x00-")):
		return f.fail(UTF16, "is UTF-16 text, as some Windows programs write it", "save it as UTF-8 or ASCII; in PowerShell: Get-Content "+in+" | Set-Content -Encoding ascii converted.pem", nil)
	case bytes.Contains(data, []byte("-----BEGIN ")) && bytes.Contains(data, []byte(`\n`)):
		return f.fail(Damaged, `has \n written out in place of line ends`, `put a line end in place of each \n`, nil)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return f.fail(Damaged, "is damaged: it has a BEGIN line, but no block that can be read", "copy the file again, whole, as text: the BEGIN and END lines are lines of their own, and agree", nil)
	}
	if kind, ok := derKind(data); ok {
		return f.notDER(kind, in)
	}
	if plain, ok := plainBase64(data); ok {
		if kind, ok := derKind(plain); ok {
			return f.fail(NotPEM, "is base64 of "+kind.name+" without BEGIN and END lines", "add the two lines, such as -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----, as they were in the original", nil)
		}
	}
	return f.fail(NotPEM, "is neither PEM, since it has no -----BEGIN line, nor a key store", "name a PEM file or a key store with the "+f.role, nil)
}

func (f file) notDER(kind derType, in string) error {
	what := "is " + kind.name + " in DER, not PEM"
	convert := "convert it: openssl " + kind.command + " -inform DER -in " + in + " -out converted.pem"
	switch {
	case kind.problem == PKCS7:
		return f.fail(PKCS7, "is PKCS#7", "convert it: openssl pkcs7 -inform DER -print_certs -in "+in+" -out converted.pem", nil)
	case kind.problem == Request:
		return f.fail(Request, what, nextForRequest, nil)
	case kind.problem == PublicKey:
		return f.fail(PublicKey, what, "name a PEM file with the "+f.role, nil)
	case kind.role != f.role:
		return f.fail(DER, what+", and no "+f.role, "name the "+f.role+" here; as for this file, "+convert, nil)
	}
	return f.fail(DER, what, convert, nil)
}

// A derType is a kind of DER file.
type derType struct {
	problem Problem
	name    string // with its article
	command string // of openssl, which converts it
	role    string // what such a file can be used for
}

// derKind recognises what DER file this is.
func derKind(b []byte) (derType, bool) {
	if _, err := x509.ParseCertificate(b); err == nil {
		return derType{DER, "a certificate", "x509", roleCertificate}, true
	}
	if isPrivateKey(b) {
		return derType{DER, "a private key", "pkey", roleKey}, true
	}
	if _, err := x509.ParsePKIXPublicKey(b); err == nil {
		return derType{PublicKey, "a public key", "", ""}, true
	}
	if _, err := x509.ParseCertificateRequest(b); err == nil {
		return derType{Request, "a certificate signing request", "", ""}, true
	}
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(b, &outer); err != nil || outer.Tag != asn1.TagSequence || !outer.IsCompound {
		return derType{}, false
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(outer.Bytes, &oid); err == nil && oid.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}) {
		return derType{PKCS7, "a PKCS#7 file", "", ""}, true
	}
	var enc encryptedInfo
	if _, err := asn1.Unmarshal(b, &enc); err == nil {
		return derType{DER, "an encrypted private key", "pkcs8 -topk8 -v2 aes-256-cbc", roleKey}, true
	}
	return derType{}, false
}

func isPrivateKey(b []byte) bool {
	if len(b) > maxKey {
		return false
	}
	_, pkcs8 := x509.ParsePKCS8PrivateKey(b)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(b)
	_, elliptic := x509.ParseECPrivateKey(b)
	return pkcs8 == nil || pkcs1 == nil || elliptic == nil
}

// plainBase64 decodes base64, with whatever white space in it.
func plainBase64(data []byte) ([]byte, bool) {
	plain, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(data), nil)))
	return plain, err == nil && len(plain) > 0
}
