package keystore

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/youmark/pkcs8"
)

// references are the forms of a secret in a connection.
const references = `"file:PATH", "env:NAME", "cmd:COMMAND" or "vault:PATH#FIELD"`

// maxKey is how long a private key may be: one of 16,384 bits has 9,300 bytes, and to look at one takes time by the cube of its length.
const maxKey = 16 << 10

func (f file) tooLong() error {
	return f.fail(Unsupported, "holds a private key of more than 16 KiB, which is not looked at", "name the RSA key that the certificate was ordered with", nil)
}

func isKey(b *pem.Block) bool {
	return strings.HasSuffix(b.Type, "PRIVATE KEY")
}

// holdsKey reports whether a PEM file has a private key in it.
func (f file) holdsKey() bool {
	blocks, err := f.blocks()
	return err == nil && slices.ContainsFunc(blocks, isKey)
}

// privateKey returns the one private key of the file.
func (f file) privateKey(ask func() (secret.Value, error)) (crypto.Signer, []string, error) {
	blocks, err := f.blocks()
	if err != nil {
		return nil, nil, err
	}
	var key *pem.Block
	for _, b := range blocks {
		if !isKey(b) {
			continue
		}
		if key != nil {
			return nil, nil, f.fail(SeveralKeys, "holds several private keys", "leave the one that the certificate was ordered with", nil)
		}
		key = b
	}
	if key == nil {
		return nil, nil, f.otherThan(NoKey, blocks)
	}
	switch {
	case key.Type == "OPENSSH PRIVATE KEY":
		return nil, nil, f.fail(Unsupported, "holds a key in OpenSSH's own format", "copy it to converted.pem, then, which rewrites that copy: ssh-keygen -p -m PEM -f converted.pem", nil)
	case key.Type == "DSA PRIVATE KEY":
		return nil, nil, f.fail(NotRSA, "holds a DSA key, and Anaplan takes RSA only", "name the RSA key that the certificate was ordered with", nil)
	case key.Type == "ENCRYPTED PRIVATE KEY":
		signer, err := f.encrypted(key, ask)
		return signer, nil, err
	//lint:ignore SA1019 the format is old and weak, which is what the warning says
	case x509.IsEncryptedPEMBlock(key):
		signer, err := f.legacy(key, ask)
		if err != nil {
			return nil, nil, err
		}
		return signer, []string{fmt.Sprintf("%s is encrypted in the old PEM way, which is easily broken; convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in %s -out converted.pem", f, f.arg("key.pem"))}, nil
	}
	signer, err := f.parse(key.Type, key.Bytes)
	return signer, nil, err
}

func (f file) parse(kind string, der []byte) (crypto.Signer, error) {
	if len(der) > maxKey {
		return nil, f.tooLong()
	}
	var key any
	var err error
	switch kind {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(der)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(der)
	default:
		return nil, f.fail(Unsupported, fmt.Sprintf("holds %q", kind), "convert it: openssl pkey -in "+f.arg("key.pem")+" -out converted.pem", nil)
	}
	if err != nil {
		return nil, f.fail(Damaged, "is damaged: the content of its block cannot be read", "copy the file again, whole, as text", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, f.fail(NotRSA, "holds a key that cannot sign, and Anaplan takes RSA only", "name the RSA key that the certificate was ordered with", nil)
	}
	return signer, nil
}

func (f file) passphrase(ask func() (secret.Value, error)) (secret.Value, error) {
	missing := f.fail(PassphraseMissing, "is encrypted, and no passphrase is given", "give one as a reference: passphrase = "+references, nil)
	if ask == nil {
		return secret.Value{}, missing
	}
	v, err := ask()
	if err != nil {
		return secret.Value{}, fmt.Errorf("passphrase of %s: %w", f, err)
	}
	if v.Empty() {
		return secret.Value{}, missing
	}
	return v, nil
}

// encrypted decrypts PKCS#8.
func (f file) encrypted(b *pem.Block, ask func() (secret.Value, error)) (crypto.Signer, error) {
	convert := "convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in " + f.arg("key.pem") + " -out converted.pem"
	if len(b.Bytes) > maxKey {
		return nil, f.tooLong()
	}
	if err := checkEncryption(b.Bytes); err != nil {
		if errors.Is(err, errNotASN1) {
			return nil, f.fail(Damaged, "is damaged: the content of its block cannot be read", "copy the file again, whole, as text", nil)
		}
		return nil, f.fail(Unsupported, "is encrypted in a way that is not supported", convert, err)
	}
	pass, err := f.passphrase(ask)
	if err != nil {
		return nil, err
	}
	key, err := pkcs8.ParsePKCS8PrivateKey(b.Bytes, pass.Reveal())
	if err != nil {
		// With the parameters checked, what remains is content that makes no sense after decryption. The cause is not
		// shown: it may be made from decrypted bytes.
		return nil, f.wrong()
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, f.fail(NotRSA, "holds a key that cannot sign, and Anaplan takes RSA only", "name the RSA key that the certificate was ordered with", nil)
	}
	return signer, nil
}

// legacy decrypts the PEM encryption of RFC 1423.
func (f file) legacy(b *pem.Block, ask func() (secret.Value, error)) (crypto.Signer, error) {
	pass, err := f.passphrase(ask)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 see above
	der, err := x509.DecryptPEMBlock(b, pass.Reveal())
	if err != nil {
		if errors.Is(err, x509.IncorrectPasswordError) {
			return nil, f.wrong()
		}
		return nil, f.fail(Damaged, "is damaged: the content of its block cannot be read", "copy the file again, whole, as text", err)
	}
	// One wrong passphrase in 256 leaves padding that looks right, and content that is not.
	signer, err := f.parse(b.Type, der)
	if errors.Is(err, Damaged) {
		return nil, f.wrong()
	}
	return signer, err
}

func (f file) wrong() error {
	return f.fail(WrongPassphrase, "cannot be decrypted with this passphrase", "check the passphrase: openssl pkey -in "+f.arg("key.pem")+" -noout asks for it and says whether it is right", nil)
}
