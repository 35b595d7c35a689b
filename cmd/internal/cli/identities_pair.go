package cli

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// bareCertificate is a file with certificates and without their key.
type bareCertificate struct {
	material
	certs  []*x509.Certificate // the leaf first
	paired bool
}

// certificates takes in files that hold certificates, with or without their keys.
func (l *loading) certificates(all []material) {
	for _, m := range all {
		err := l.load(m.text, "")
		switch {
		case err == nil:
			continue
		case errors.Is(err, keystore.NoKey):
			certs, aloneErr := l.bareCertificates(m.text)
			if aloneErr == nil {
				l.bare = append(l.bare, &bareCertificate{material: m, certs: certs})
				continue
			}
			err = aloneErr
		case m.folder:
			l.perhaps, l.why = append(l.perhaps, m), append(l.why, err)
			continue
		}
		l.problems = append(l.problems, problem{material: m, err: err})
	}
}

// bareCertificates are all of a file without a key.
func (l *loading) bareCertificates(certificate string) ([]*x509.Certificate, error) {
	files, err := l.of(certificate, "")
	if err != nil {
		return nil, err
	}
	id, err := files.LoadCertificate()
	if err != nil {
		return nil, err
	}
	return append([]*x509.Certificate{id.Leaf}, id.Chain...), nil
}

// keys pairs keys with the certificates that they belong to.
func (l *loading) keys(named []material) {
	for i, m := range l.perhaps {
		if !errors.Is(l.why[i], keystore.NoCertificate) && !errors.Is(l.why[i], keystore.DER) {
			l.problems = append(l.problems, problem{material: m, err: l.why[i]})
			continue
		}
		named = append(named, m)
	}
	for _, m := range named {
		signer, err := l.signer(m)
		switch {
		case errors.Is(err, keystore.Mismatch):
			l.unpaired++
			l.problems = append(l.problems, problem{m, true, &keystore.CertificateError{Problem: keystore.Mismatch, What: "the private key " + m.text + " belongs to none of the certificates",
				Next: "name the certificate that was ordered with it, or take the key away"}})
		case err != nil && m.folder && errors.Is(err, keystore.NoKey):
			l.p.log.Debugf("%s is passed over: it holds no private key", m.text)
		case err != nil:
			l.problems = append(l.problems, problem{m, true, err})
		default:
			l.belong(signer, m.text)
		}
	}
}

// signer reads a key, and finds a certificate for it: first that of the same name, for then no other has to be looked at.
func (l *loading) signer(m material) (crypto.Signer, error) {
	if len(l.bare) == 0 {
		return nil, keystore.Mismatch
	}
	if i := slices.IndexFunc(l.bare, func(b *bareCertificate) bool { return b.stem() == m.stem() }); i >= 0 {
		files, err := l.of(l.bare[i].text, m.text)
		if err != nil {
			return nil, err
		}
		if id, err := files.Load(); err == nil || !errors.Is(err, keystore.Mismatch) {
			return signerOf(id), err
		}
	}
	files, err := l.of("", m.text)
	if err != nil {
		return nil, err
	}
	for _, b := range l.bare {
		for _, c := range b.certs {
			files.Certificate = append(files.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
	}
	id, err := files.Load()
	return signerOf(id), err
}

func signerOf(id *keystore.Identity) crypto.Signer {
	if id == nil {
		return nil
	}
	return id.Signer
}

// belong makes pairs of a key and each certificate that is its own: a renewed one may have kept the key.
func (l *loading) belong(signer crypto.Signer, key string) {
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, b := range l.bare {
		var ids []*keystore.Identity
		for i, leaf := range b.certs {
			if !ok || !public.Equal(leaf.PublicKey) {
				continue
			}
			b.paired = true
			ids = append(ids, &keystore.Identity{Leaf: leaf, LeafPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}),
				Chain: slices.Concat(b.certs[:i], b.certs[i+1:]), Signer: signer})
		}
		l.take(ids, b.text, key)
	}
}

// lonely tells of certificates without a key. Old ones may well lie about, and those of authorities.
func (l *loading) lonely() {
	for _, b := range l.bare {
		about := auth.About(&keystore.Identity{Leaf: b.last()})
		switch {
		case b.paired:
		case len(l.found) > 0 && l.p.Now().After(about.Until):
			l.p.log.Debugf("%s is passed over: %s has no private key here", b.text, about)
			l.over = append(l.over, b.material)
		case len(l.found) > 0 && b.folder && authorityOnly(b.last()):
			l.p.log.Debugf("%s is passed over: it is an authority's", b.text)
		default:
			l.problems = append(l.problems, problem{material: b.material, err: &keystore.CertificateError{Problem: keystore.NoKey, What: fmt.Sprintf("no private key is there for %s, in %s", about, b.text),
				Next: "name the key that the certificate was ordered with"}})
		}
	}
}

// last is the certificate that ends last, one of an authority only if there is no other.
func (b *bareCertificate) last() *x509.Certificate {
	last := b.certs[0]
	for _, c := range b.certs[1:] {
		if !c.IsCA && c.NotAfter.After(last.NotAfter) {
			last = c
		}
	}
	return last
}
