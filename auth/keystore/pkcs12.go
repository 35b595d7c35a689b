package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// The structures of RFC 7292.
type (
	pfx struct {
		Version int
		Safe    contentInfo
		MAC     macData `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Digest struct {
			Algorithm pkix.AlgorithmIdentifier
			Value     []byte
		}
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	encryptedData struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte `asn1:"tag:0,optional"`
		}
	}
	bag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue  `asn1:"tag:0,explicit"`
		Attributes []bagAttribute `asn1:"set,optional"`
	}
	bagAttribute struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue `asn1:"set"`
	}
	certBag struct {
		Type asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}
)

const (
	oidData          = "1.2.840.113549.1.7.1"
	oidEncryptedData = "1.2.840.113549.1.7.6"
	oidPBMAC1        = "1.2.840.113549.1.5.14"
	oidKeyBag        = "1.2.840.113549.1.12.10.1.1"
	oidShroudedKey   = "1.2.840.113549.1.12.10.1.2"
	oidCertBag       = "1.2.840.113549.1.12.10.1.3"
	oidX509          = "1.2.840.113549.1.9.22.1"
	oidFriendlyName  = "1.2.840.113549.1.9.20"
	oidLocalKeyID    = "1.2.840.113549.1.9.21"
)

// isPKCS12 reports whether this begins as a PKCS#12 file does, whole or not: a sequence, in it the version 3, and a sequence.
func isPKCS12(b []byte) bool {
	if len(b) < 6 || b[0] != 0x30 {
		return false
	}
	head := 2
	if b[1] > 0x80 && b[1] <= 0x84 {
		head += int(b[1] & 0x7f)
	}
	return bytes.HasPrefix(b[min(head, len(b)):], []byte{2, 1, 3, 0x30})
}

// opening is what reading one PKCS#12 file goes through.
type opening struct {
	file file
	ask  passwords
	work work
	pass *password // what opened the store so far; nil before
	own  bool      // pass was given, not empty
}

// safeBag is a bag with its attributes read.
type safeBag struct {
	bag
	alias string
	named bool
	id    []byte
}

// openPKCS12 reads a store. Passwords are asked for when something encrypted with one is met that an empty one does not open.
func (f file) openPKCS12(ask passwords) (*store, error) {
	o := &opening{file: f, ask: ask}
	var p pfx
	der, rest, err := derOf(f.data)
	if err == nil {
		_, err = asn1.Unmarshal(der, &p)
	}
	if err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, o.damaged("it is cut off, or not the structure of PKCS#12")
	}
	if p.Safe.Type.String() != oidData {
		return nil, f.fail(Unsupported, "is PKCS#12 sealed with a key in place of a password, which is not supported", "make it again: openssl pkcs12 -export, with a password", nil)
	}
	safe, err := octets(p.Safe.Content.Bytes)
	if err != nil {
		return nil, o.damaged("its content cannot be read")
	}
	var contents []contentInfo
	if !readBER(safe, &contents) {
		return nil, o.damaged("its list of contents cannot be read")
	}
	if len(p.MAC.Digest.Algorithm.Algorithm) > 0 {
		if err := o.checkMAC(p.MAC, safe, contents); err != nil {
			return nil, err
		}
	}
	var bags []safeBag
	for _, c := range contents {
		more, err := o.bags(c)
		if err != nil {
			return nil, err
		}
		bags = append(bags, more...)
	}
	return o.store(bags), nil
}

func (o *opening) damaged(why string) error {
	return o.file.fail(Damaged, "is damaged: "+why, copyAgain, nil)
}

// trouble is about parameters that cannot be read or are not supported.
func (o *opening) trouble(what string, err error) error {
	if errors.Is(err, errNotASN1) {
		return o.damaged(what + " cannot be read")
	}
	return o.file.fail(Unsupported, "is PKCS#12 in a form that is not supported: of "+what, "make it again: openssl pkcs12 -in "+o.file.arg("STORE.p12")+" -out converted.pem (with -legacy for old files); converted.pem then holds both certificate and encrypted key", err)
}

func octets(der []byte) ([]byte, error) {
	var b []byte
	rest, err := asn1.Unmarshal(der, &b)
	if err == nil && len(rest) > 0 {
		err = errNotASN1
	}
	return b, err
}

// given asks for the store's password; an error if there is none.
func (o *opening) given() (password, error) {
	v, err := o.ask.store()
	if err != nil {
		return password{}, err
	}
	if v.Empty() {
		return password{}, o.file.noStorePassword()
	}
	return passwordOf(v), nil
}

// bags returns what one content holds, decrypted if need be.
func (o *opening) bags(c contentInfo) ([]safeBag, error) {
	var data []byte
	switch c.Type.String() {
	case oidData:
		var err error
		if data, err = octets(c.Content.Bytes); err != nil {
			return nil, o.damaged("one of its contents cannot be read")
		}
	case oidEncryptedData:
		var e encryptedData
		if rest, err := asn1.Unmarshal(c.Content.Bytes, &e); err != nil || len(rest) > 0 {
			return nil, o.damaged("one of its contents cannot be read")
		}
		s, err := schemeOf(e.Info.Algorithm)
		if err != nil {
			return nil, o.trouble("the encryption of its certificates", err)
		}
		if data, err = o.decrypt(s, e.Info.Data); err != nil {
			return nil, err
		}
	default:
		return nil, o.trouble("its contents", fmt.Errorf("the kind %s is neither plain nor encrypted with a password", c.Type))
	}
	var raw []bag
	if !readBER(data, &raw) {
		return nil, o.damaged("the entries in it cannot be read")
	}
	all := make([]safeBag, len(raw))
	for i, b := range raw {
		all[i] = safeBag{bag: b}
		all[i].readAttributes()
	}
	return all, nil
}

// decrypt opens one of the contents with the store's password.
func (o *opening) decrypt(s scheme, data []byte) ([]byte, error) {
	try := func(p password) ([]byte, error) {
		if err := o.work.spend(s.iterations); err != nil {
			return nil, o.trouble("the encryption of its certificates", err)
		}
		out, err := s.decrypt(data, p)
		if err != nil {
			return nil, o.damaged("an encrypted part of it cannot be read")
		}
		if !readBER(out, new([]asn1.RawValue)) { // a wrong password
			return nil, nil
		}
		return out, nil
	}
	if o.pass == nil { // nothing in the file says which password is right
		p, err := o.given()
		if errors.Is(err, PassphraseMissing) {
			for _, empty := range noPasswords {
				if out, err := try(empty); out != nil || err != nil {
					o.pass = &empty
					return out, err
				}
			}
		}
		if err != nil {
			return nil, err
		}
		o.pass, o.own = &p, true
	}
	out, err := try(*o.pass)
	if err == nil && out == nil {
		return nil, o.file.wrongStore()
	}
	return out, err
}

// readBER reads a structure that is the whole of b, in BER or DER, and reports whether it could.
func readBER(b []byte, into any) bool {
	der, rest, err := derOf(b)
	if err != nil || len(rest) > 0 {
		return false
	}
	_, err = asn1.Unmarshal(der, into)
	return err == nil
}

// isPKCS8 reports whether this has the structure of an unencrypted key, of any kind.
func isPKCS8(der []byte) bool {
	var k struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	_, err := asn1.Unmarshal(der, &k)
	return err == nil
}

// readAttributes takes name and key id. One that cannot be read is as if it were not there.
func (b *safeBag) readAttributes() {
	for _, a := range b.Attributes {
		var v asn1.RawValue
		if _, err := asn1.Unmarshal(a.Values.Bytes, &v); err != nil {
			continue
		}
		switch a.Type.String() {
		case oidFriendlyName:
			var u []uint16
			for i := 0; i+1 < len(v.Bytes); i += 2 {
				u = append(u, uint16(v.Bytes[i])<<8|uint16(v.Bytes[i+1]))
			}
			b.alias, b.named = string(utf16.Decode(u)), true
		case oidLocalKeyID:
			b.id = v.Bytes
		}
	}
}

// store puts keys and certificates together: by the key's id, else by the name. Keys without a name are numbered, as Java does.
func (o *opening) store(bags []safeBag) *store {
	s := &store{file: o.file}
	type certificate struct {
		safeBag
		*x509.Certificate
		used bool
	}
	var certs []*certificate
	var keys []safeBag
	for i, b := range bags {
		switch b.Type.String() {
		case oidKeyBag, oidShroudedKey:
			keys = append(keys, b)
		case oidCertBag:
			var c certBag
			if _, err := asn1.Unmarshal(b.Value.Bytes, &c); err != nil || c.Type.String() != oidX509 {
				s.warnings = append(s.warnings, fmt.Sprintf("%s: entry %d is no X.509 certificate", s.file, i+1))
				continue
			}
			x, err := x509.ParseCertificate(c.Data)
			if err != nil {
				s.warnings = append(s.warnings, fmt.Sprintf("%s: entry %d is no readable certificate: %v", s.file, i+1, err))
				continue
			}
			certs, s.certs = append(certs, &certificate{b, x, false}), append(s.certs, x)
		}
	}
	unnamed := 0
	for _, k := range keys {
		e := &entry{alias: k.alias}
		if !k.named {
			unnamed++
			e.alias = strconv.Itoa(unnamed)
		}
		for _, c := range certs {
			if len(k.id) > 0 && bytes.Equal(c.id, k.id) || len(k.id) == 0 && k.named && c.named && c.alias == k.alias {
				e.certs, c.used = append(e.certs, c.Certificate), true
			}
		}
		e.key = func() (crypto.Signer, error) { return o.key(k, e.alias) }
		s.entries = append(s.entries, e)
	}
	for _, c := range certs {
		if !c.used && c.named {
			s.entries = append(s.entries, &entry{alias: c.alias, certs: []*x509.Certificate{c.Certificate}})
		}
	}
	return s
}

// sealed returns how a key is encrypted, and what.
func (o *opening) sealed(b safeBag) (scheme, []byte, error) {
	var info encryptedInfo
	if rest, err := asn1.Unmarshal(b.Value.Bytes, &info); err != nil || len(rest) > 0 {
		return scheme{}, nil, errNotASN1
	}
	s, err := schemeOf(info.Algorithm)
	if err == nil {
		err = o.work.spend(s.iterations)
	}
	return s, info.Data, err
}

// key opens a key: with its own password if one is given, else with the store's.
func (o *opening) key(b safeBag, alias string) (crypto.Signer, error) {
	what := fmt.Sprintf("the encryption of its private key %q", alias)
	if b.Type.String() == oidKeyBag {
		signer, ok, err := o.file.pkcs8Key(b.Value.Bytes, alias)
		if !ok {
			return nil, o.damaged(fmt.Sprintf("the private key %q in it cannot be read", alias))
		}
		return signer, err
	}
	s, data, err := o.sealed(b)
	if err != nil {
		return nil, o.trouble(what, err)
	}
	try := func(p password) (crypto.Signer, bool, error) {
		der, err := s.decrypt(data, p)
		if err != nil {
			return nil, true, o.damaged(fmt.Sprintf("the private key %q in it cannot be read", alias))
		}
		return o.file.pkcs8Key(der, alias)
	}
	given := false
	for _, from := range []func() (secret.Value, error){o.ask.key, o.ask.store} {
		if from == nil {
			continue
		}
		if o.pass != nil && !o.own { // an empty password opened the store: it may open the key, too
			if signer, ok, err := try(*o.pass); ok {
				return signer, err
			}
		}
		v, err := from()
		if err != nil {
			return nil, err
		}
		if v.Empty() {
			continue
		}
		given = true
		if signer, ok, err := try(passwordOf(v)); ok {
			return signer, err
		}
	}
	switch {
	case given && o.pass == nil && o.ask.key == nil:
		return nil, o.file.wrongStore() // nothing else was encrypted
	case given:
		return nil, o.file.wrongKey(alias, o.ask.key != nil)
	}
	for _, p := range noPasswords {
		if signer, ok, err := try(p); ok {
			return signer, err
		}
	}
	return nil, o.file.noStorePassword()
}
