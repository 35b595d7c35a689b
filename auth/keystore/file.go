package keystore

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
	"unicode"
)

const (
	maxFile         = 1 << 20
	roleCertificate = "certificate"
	roleKey         = "private key"
	nextForRequest  = "send it to the authority; name the certificate that comes back as certificate, and the key that the request was made with as private key"
)

// A file is bytes, and how to speak of them.
type file struct {
	role string // roleCertificate or roleKey: what it should hold
	path string // "" when it came from memory without a name
	data []byte
	mode fs.FileMode // of a file that was read; 0 for what came from memory
}

// String is how the file is called at the beginning of a sentence about it.
func (f file) String() string {
	if f.path == "" {
		return "the " + f.role + " given"
	}
	return f.role + " file " + f.path
}

// arg is the file's name in a command to type.
func (f file) arg(otherwise string) string {
	name := f.path
	if name == "" {
		name = otherwise
	}
	return Quoted(name)
}

// Quoted is a name as one word of a shell: between '…' unless it is plain.
func Quoted(name string) string {
	plain := "_-./:@+"
	if runtime.GOOS == "windows" {
		plain += `\`
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune(plain, c)
	}) {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

func (f file) fail(p Problem, what, next string, err error) error {
	return &CertificateError{Problem: p, What: f.String() + " " + what, Next: next, Err: err}
}

// open returns the content given, else reads the path.
func open(role, path string, content []byte) (file, error) {
	f := file{role: role, path: path, data: content}
	if len(content) > 0 {
		return f, nil
	}
	if path == "" {
		return f, &CertificateError{Problem: Missing, What: "no " + role + " is given", Next: "name a PEM file or a key store with the " + role}
	}
	r, err := os.Open(path)
	if err != nil {
		return f, f.fail(Unreadable, "cannot be read", "check the path and who may read the file", err)
	}
	defer r.Close()
	if info, err := r.Stat(); err == nil {
		f.mode = info.Mode().Perm()
	}
	f.data, err = io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return f, f.fail(Unreadable, "cannot be read", "check the path and who may read the file", err)
	}
	if len(f.data) > maxFile {
		return f, f.fail(NotPEM, "is larger than 1 MiB, which no "+role+" is", "name a PEM file or a key store with the "+role, nil)
	}
	return f, nil
}

var begin = regexp.MustCompile(`(?m)^-----BEGIN `)

// blocks returns all PEM blocks, at least one.
func (f file) blocks() ([]*pem.Block, error) {
	data := bytes.TrimPrefix(f.data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, f.fail(Empty, "is empty", "name a PEM file or a key store with the "+f.role, nil)
	}
	var all []*pem.Block
	for rest := data; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return nil, f.notPEM(data)
	}
	if n := len(begin.FindAll(data, -1)); n > len(all) {
		return nil, f.fail(Damaged, fmt.Sprintf("is damaged: %d of its %d blocks cannot be read", n-len(all), n), "copy the file again, whole, as text", nil)
	}
	return all, nil
}

// certificates returns all certificates of the file, at least one. Those that cannot be parsed are warnings as long as one can:
// only the leaf is ever sent.
func (f file) certificates() ([]*x509.Certificate, []string, error) {
	blocks, err := f.blocks()
	if err != nil {
		return nil, nil, err
	}
	var certs []*x509.Certificate
	var warnings []string
	var broken error
	for i, b := range blocks {
		switch b.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
		default:
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			broken = err
			warnings = append(warnings, fmt.Sprintf("%s: block %d is no readable certificate: %v", f, i+1, err))
			continue
		}
		certs = append(certs, c)
	}
	if len(certs) > 0 {
		return certs, warnings, nil
	}
	if broken != nil {
		return nil, nil, f.fail(Damaged, "is damaged: no certificate in it can be read", "have the certificate sent again by the authority that issued it", broken)
	}
	return nil, nil, f.otherThan(NoCertificate, blocks)
}

// otherThan says what the file holds instead of what it should hold.
func (f file) otherThan(p Problem, blocks []*pem.Block) error {
	name := "name a PEM file with the " + f.role
	for _, b := range blocks {
		switch {
		case strings.HasSuffix(b.Type, "CERTIFICATE REQUEST"):
			return f.fail(Request, "is a certificate signing request, not a "+f.role, nextForRequest, nil)
		case b.Type == "TRUSTED CERTIFICATE":
			return f.fail(Unsupported, "holds an OpenSSL trusted certificate", "convert it: openssl x509 -in "+f.arg("certificate.pem")+" -out converted.pem", nil)
		case b.Type == "PKCS7" || b.Type == "CMS":
			return f.fail(PKCS7, "is PKCS#7", "convert it: openssl pkcs7 -print_certs -in "+f.arg("certificate.p7b")+" -out converted.pem", nil)
		case strings.HasSuffix(b.Type, "PUBLIC KEY"):
			return f.fail(PublicKey, "holds a public key, not a "+f.role, name, nil)
		case isKey(b):
			return f.fail(p, "holds a private key and no certificate", "name the file with the certificate here, and this one as private key", nil)
		case strings.HasSuffix(b.Type, "CERTIFICATE"):
			return f.fail(p, "holds a certificate and no private key", "name the file with the private key, the one the certificate was ordered with", nil)
		}
	}
	return f.fail(p, fmt.Sprintf("holds %q and no %s", blocks[0].Type, f.role), name, nil)
}

// guard refuses a file with a private key that its group or others may read.
func (f file) guard(allowed bool) error {
	if allowed || f.mode&0o044 == 0 || !modesMean {
		return nil
	}
	return f.fail(OpenToOthers, fmt.Sprintf("holds a private key, and others than its owner may read it (mode %04o)", f.mode),
		"chmod 600 "+f.arg("KEY")+"; or, where that cannot be (a file mounted by Kubernetes, say), write allow_open_keys = true", nil)
}
