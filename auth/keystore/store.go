package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

const roleStore = "key store"

// A store is the content of a key store, opened with the store's password; its keys may have others.
type store struct {
	file     file
	entries  []*entry            // those with a private key first come as they stand in the file, then trusted certificates
	certs    []*x509.Certificate // all that can be read, in the file's order
	warnings []string
}

// An entry is a private key with its certificates, or a trusted certificate.
type entry struct {
	alias  string
	certs  []*x509.Certificate           // its own, the leaf first as far as is known without the key; may be empty
	key    func() (crypto.Signer, error) // nil: a trusted certificate
	sealed []byte                        // the encrypted key; Java's own format only
}

// passwords gives each of the two at most once. Nothing given is an empty value.
type passwords struct {
	store func() (secret.Value, error)
	key   func() (secret.Value, error) // nil: none of its own
}

func (p Files) passwords(f file) passwords {
	once := func(what string, ask func() (secret.Value, error)) func() (secret.Value, error) {
		return sync.OnceValues(func() (secret.Value, error) {
			if ask == nil {
				return secret.Value{}, nil
			}
			v, err := ask()
			if err != nil {
				return secret.Value{}, fmt.Errorf("%s of %s: %w", what, f, err)
			}
			return v, nil
		})
	}
	all := passwords{store: once("password", p.Passphrase)}
	if p.KeyPassphrase != nil {
		all.key = once("key password", p.KeyPassphrase)
	}
	return all
}

// asStore returns the file as a key store's, if its content is one: also in base64, as stores stand in variables and vaults.
func (f file) asStore() (file, bool) {
	f.role = roleStore
	if isJava(f.data) || isPKCS12(f.data) {
		return f, true
	}
	if plain, ok := plainBase64(f.data); ok && (isJava(plain) || isPKCS12(plain)) {
		f.data = plain
		return f, true
	}
	return f, false
}

// openStore reads the store. check false leaves a Java key store's password unasked: its certificates are not encrypted.
func (f file) openStore(ask passwords, check bool) (*store, error) {
	if isJava(f.data) {
		return f.openJava(ask, check)
	}
	return f.openPKCS12(ask)
}

func (s *store) keys() []*entry {
	return slices.DeleteFunc(slices.Clone(s.entries), func(e *entry) bool { return e.key == nil })
}

// choose returns the entry of an alias, compared as Java does, without regard to case; without an alias the only one with a key.
func (s *store) choose(alias string) (*entry, error) {
	keys := s.keys()
	if len(s.entries) == 0 && len(s.certs) == 0 {
		return nil, s.file.fail(Empty, "is empty: it holds neither a key nor a certificate", "name the key store that holds the private key", nil)
	}
	if len(keys) == 0 {
		return nil, s.file.fail(NoKey, fmt.Sprintf("holds no private key, only %s", count(len(s.certs), "certificate")), "name the key store in which the key was made; a trust store has none", nil)
	}
	if alias == "" {
		if len(keys) > 1 {
			return nil, s.file.fail(SeveralKeys, "holds several private keys: "+list(keys), "say which: alias = "+fmt.Sprintf("%q", keys[0].alias)+" or another of these (--alias on the command line)", nil)
		}
		return keys[0], nil
	}
	named := slices.DeleteFunc(slices.Clone(s.entries), func(e *entry) bool { return !strings.EqualFold(e.alias, alias) })
	if exact := slices.DeleteFunc(slices.Clone(named), func(e *entry) bool { return e.alias != alias || e.key == nil }); len(exact) == 1 {
		named = exact
	}
	switch {
	case len(named) == 0:
		return nil, s.file.fail(NoAlias, fmt.Sprintf("has no entry %q; it holds %s", alias, list(keys)), "correct alias, which is one of these", nil)
	case len(named) > 1:
		return nil, s.file.fail(SeveralKeys, fmt.Sprintf("holds several entries %q: %s", alias, list(named)), "give them different aliases: keytool -changealias, or make the store again", nil)
	case named[0].key == nil:
		return nil, s.file.fail(NoKey, fmt.Sprintf("holds a trusted certificate, and no private key, as %q; its private keys are %s", named[0].alias, list(keys)), "correct alias: it must be that of a private key", nil)
	}
	return named[0], nil
}

// identities opens the entry's key and finds its certificates. Where there is one key alone they may stand anywhere in the store: a
// renewed one may have been imported beside the entry, not into it. A placeholder beside the entry is left out where its own is none.
func (s *store) identities(e *entry) ([]*Identity, error) {
	signer, err := e.key()
	if err != nil {
		return nil, err
	}
	if len(s.certs) == 0 {
		return nil, s.file.fail(NoCertificate, fmt.Sprintf("holds no certificate beside the private key %q", e.alias), "import the certificate that the authority sent into the store: keytool -importcert -alias "+e.alias+", or openssl pkcs12 -export with -in CERTIFICATE", nil)
	}
	from := e.certs
	if len(from) == 0 || len(s.keys()) == 1 {
		from = s.certs
	}
	all, err := match(from, signer, s.file, s.file)
	if errors.Is(err, Mismatch) && len(from) < len(s.certs) {
		all, err = match(s.certs, signer, s.file, s.file)
	}
	if err != nil {
		return nil, s.file.fail(Mismatch, fmt.Sprintf("holds no certificate for its private key %q, only %s", e.alias, names(s.certs)),
			"import the certificate that was issued for this key into the store", nil)
	}
	own := func(id *Identity) bool { return slices.ContainsFunc(e.certs, id.Leaf.Equal) }
	if slices.ContainsFunc(all, func(id *Identity) bool { return own(id) && !id.Placeholder() }) {
		all = slices.DeleteFunc(all, func(id *Identity) bool { return !own(id) && id.Placeholder() })
	}
	for _, id := range all {
		id.Alias, id.Chain, id.Warnings = e.alias, chainOf(id.Leaf, s.certs), slices.Clone(s.warnings)
	}
	return all, nil
}

// chainOf returns the issuers of a certificate, nearest first, as far as they are there.
func chainOf(c *x509.Certificate, all []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for !bytes.Equal(c.RawIssuer, c.RawSubject) {
		i := slices.IndexFunc(all, func(x *x509.Certificate) bool {
			return bytes.Equal(x.RawSubject, c.RawIssuer) && (len(c.AuthorityKeyId) == 0 || len(x.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, x.SubjectKeyId))
		})
		if i < 0 || slices.Contains(chain, all[i]) {
			break
		}
		c = all[i]
		chain = append(chain, c)
	}
	return chain
}

// list names entries with their certificates.
func list(entries []*entry) string {
	const most = 20
	var all []string
	for _, e := range entries {
		text := fmt.Sprintf("%q", e.alias)
		if len(e.certs) > 0 {
			text += fmt.Sprintf(" (%s, until %s)", strings.Trim(Name(e.certs[0]), `"`), e.certs[0].NotAfter.UTC().Format("2006-01-02"))
		}
		if all = append(all, text); len(all) == most && len(entries) > most {
			all = append(all, fmt.Sprintf("and %d more", len(entries)-most))
			break
		}
	}
	return strings.Join(all, ", ")
}

func names(certs []*x509.Certificate) string {
	all := make([]string, len(certs))
	for i, c := range certs {
		all[i] = Name(c)
	}
	return strings.Join(all, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

const giveStorePassword = "give the store's password as a reference: passphrase = " + references

func (f file) noStorePassword() error {
	return f.fail(PassphraseMissing, "is encrypted, and no password is given", giveStorePassword, nil)
}

// wrongStore is about a password that opens nothing.
func (f file) wrongStore() error {
	return f.fail(WrongPassphrase, "cannot be opened with this password", "check the store's password: "+f.opener()+" asks for it; if it is right, the file is damaged: copy it again, as a binary file", nil)
}

// changed is about a password that opens something, though the check sum is another.
func (f file) changed() error {
	return f.fail(Damaged, "is damaged: the password opens it, but its check sum is not that of its content", copyAgain, nil)
}

const copyAgain = "copy the file again, whole, as a binary file"

// opener is the command that shows what the store holds.
func (f file) opener() string {
	if isJava(f.data) {
		return "keytool -list -keystore " + f.arg("STORE.jks")
	}
	return "openssl pkcs12 -info -noout -in " + f.arg("STORE.p12")
}

// wrongKey is about a key whose own password is another.
func (f file) wrongKey(alias string, own bool) error {
	if own {
		return f.fail(WrongPassphrase, fmt.Sprintf("opens, but its private key %q has another password than the key password given", alias), "correct key_passphrase (--key-passphrase on the command line)", nil)
	}
	return f.fail(WrongPassphrase, fmt.Sprintf("opens, but its private key %q has another password than the store", alias), "give the key's own: key_passphrase = "+references+" (--key-passphrase on the command line)", nil)
}

// pkcs8Key parses an unencrypted key. ok false: it is none, which a wrong password may be the reason for.
func (f file) pkcs8Key(der []byte, alias string) (signer crypto.Signer, ok bool, err error) {
	if !isPKCS8(der) {
		return nil, false, nil
	}
	if len(der) > maxKey {
		return nil, true, f.tooLong()
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// The cause is not shown: it may be made from the key's bytes.
		return nil, true, f.fail(NotRSA, fmt.Sprintf("holds as %q a key that cannot be read, and Anaplan takes RSA only", alias), "name the entry with the RSA key that the certificate was ordered with", nil)
	}
	signer, can := key.(crypto.Signer)
	if !can {
		return nil, true, f.fail(NotRSA, fmt.Sprintf("holds as %q a key that cannot sign, and Anaplan takes RSA only", alias), "name the entry with the RSA key that the certificate was ordered with", nil)
	}
	return signer, true, nil
}
