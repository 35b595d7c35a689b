package keystore

import (
	"crypto/hmac"
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// checkMAC finds the store's password: empty, else the one given.
func (o *opening) checkMAC(m macData, message []byte, contents []contentInfo) error {
	sum, cost, err := m.sum()
	if err == nil {
		err = o.work.spend(cost)
	}
	if err != nil {
		return o.trouble("its check sum", err)
	}
	fits := func(p password) (bool, error) {
		got, err := sum(p, message)
		return err == nil && subtle.ConstantTimeCompare(got, m.Digest.Value) == 1, err
	}
	for _, p := range noPasswords {
		if ok, err := fits(p); ok || err != nil {
			o.pass = &p
			return err
		}
	}
	p, err := o.given()
	if err != nil {
		return err
	}
	ok, err := fits(p)
	switch {
	case err != nil:
		return o.trouble("its check sum", err)
	case ok:
		o.pass, o.own = &p, true
		return nil
	case o.opensAny(p, contents):
		return o.file.changed()
	}
	return o.file.wrongStore()
}

// opensAny reports whether a password decrypts one of the contents, or a key.
func (o *opening) opensAny(p password, contents []contentInfo) bool {
	try := &opening{file: o.file, work: o.work, pass: &p, own: true}
	for _, c := range contents {
		bags, err := try.bags(c)
		if err != nil {
			continue
		}
		if c.Type.String() == oidEncryptedData {
			return true
		}
		for _, b := range bags {
			if b.Type.String() != oidShroudedKey {
				continue
			}
			if s, data, err := try.sealed(b); err == nil {
				if der, err := s.decrypt(data, p); err == nil && isPKCS8(der) {
					return true
				}
			}
		}
	}
	return false
}

// sum returns the function that makes the check sum, and the iterations it takes.
func (m macData) sum() (func(password, []byte) ([]byte, error), int, error) {
	if m.Digest.Algorithm.Algorithm.String() == oidPBMAC1 {
		return pbmac1(m.Digest.Algorithm.Parameters.FullBytes)
	}
	h := hashes[m.Digest.Algorithm.Algorithm.String()]
	if h == nil {
		return nil, 0, fmt.Errorf("the hash %s is not supported", m.Digest.Algorithm.Algorithm)
	}
	if m.Iterations < 1 {
		return nil, 0, errNotASN1
	}
	return func(p password, message []byte) ([]byte, error) {
		mac := hmac.New(h, pkcs12KDF(h, 3, p.wide, m.Salt, m.Iterations, h().Size()))
		mac.Write(message)
		return mac.Sum(nil), nil
	}, m.Iterations, nil
}

// pbmac1 is the check sum of RFC 9579.
func pbmac1(der []byte) (func(password, []byte) ([]byte, error), int, error) {
	var p struct{ KDF, MAC pkix.AlgorithmIdentifier }
	if rest, err := asn1.Unmarshal(der, &p); err != nil || len(rest) > 0 {
		return nil, 0, errNotASN1
	}
	h := hmacs[p.MAC.Algorithm.String()]
	if h == nil {
		return nil, 0, fmt.Errorf("the hash %s is not supported", p.MAC.Algorithm)
	}
	derive, cost, err := pbkdf2Of(p.KDF, 0)
	return func(pass password, message []byte) ([]byte, error) {
		key, err := derive(pass.plain)
		if err != nil {
			return nil, err
		}
		mac := hmac.New(h, key)
		mac.Write(message)
		return mac.Sum(nil), nil
	}, cost, err
}
