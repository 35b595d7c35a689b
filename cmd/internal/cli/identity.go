package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// loginOf reads what the connection logs in with: only, if that is not nil, in place of its certificates.
func (p *Program) loginOf(conn configs.Connection, only *keystore.Identity) (auth.Login, error) {
	if conn.Method == "basic" {
		password, err := p.resolve(conn, conn.Password)
		if err != nil {
			return nil, connectionError(conn, "password", err)
		}
		return &auth.Password{User: conn.User, Fetch: func(_ context.Context, fresh bool) (secret.Value, error) {
			if !fresh {
				return password, nil
			}
			p.forgetSecrets(conn)
			return p.resolve(conn, conn.Password)
		}}, nil
	}
	ids := []*keystore.Identity{only}
	if only == nil {
		var err error
		if ids, err = p.identities(conn, func(text string) { p.log.Warn(text) }); err != nil { // now, so that what is wrong with files is said before anything begins
			return nil, err
		}
	}
	return &rotating{Certificates: auth.Certificates{Message: auth.Format(conn.Message), Header: auth.HeaderForm(conn.Header),
		Fetch: func(_ context.Context, fresh bool) ([]*keystore.Identity, error) {
			if !fresh || only != nil {
				return ids, nil
			}
			p.forgetSecrets(conn)
			return p.identities(conn, nil)
		}}, first: foremost(ids, p)}, nil
}

// rotating is the login of a connection, with the certificate that it begins with.
type rotating struct {
	auth.Certificates
	first *keystore.Identity
}

// files names one certificate with its key for the keystore. References that are not of files are fetched.
func (p *Program) files(conn configs.Connection, certificate, privateKey string) (files keystore.Files, err error) {
	if files.CertificatePath, files.Certificate, err = p.material(conn, "certificate", certificate); err != nil {
		return files, err
	}
	if files.KeyPath, files.Key, err = p.material(conn, "private_key", privateKey); err != nil {
		return files, err
	}
	files.Alias, files.AllowOpen = conn.Alias, conn.AllowOpenKeys
	files.Passphrase = func() (secret.Value, error) { return p.passphrase(conn, or(privateKey, certificate)) }
	if conn.KeyPassphrase != "" {
		files.KeyPassphrase = func() (secret.Value, error) {
			v, err := p.resolve(conn, conn.KeyPassphrase)
			if err != nil {
				return v, connectionError(conn, "key_passphrase", err)
			}
			return v, nil
		}
	}
	return files, nil
}

// material is where a certificate or a key is: a file, with its path; else what a reference
// holds, with the reference in place of the path. Base64 of a key store is unpacked.
func (p *Program) material(conn configs.Connection, key, text string) (path string, content []byte, err error) {
	ref, err := secret.ParseRef(text)
	switch {
	case text == "" || errors.Is(err, secret.ErrNoScheme):
		return pathOf(conn.Dir, text), nil, nil
	case err != nil:
		return "", nil, connectionError(conn, key, err)
	case ref.Scheme == secret.File:
		return inDir(conn.Dir, ref.Rest), nil, nil
	}
	v, err := p.resolve(conn, text)
	if err != nil {
		return "", nil, connectionError(conn, key, err)
	}
	return text, v.Unpacked(), nil
}

// passphrase is asked for on the terminal if the connection has none.
func (p *Program) passphrase(conn configs.Connection, of string) (secret.Value, error) {
	if conn.Passphrase == "" {
		return p.askOnce("Passphrase of " + of + ": ")
	}
	v, err := p.resolve(conn, conn.Passphrase)
	if err != nil {
		return v, connectionError(conn, "passphrase", err)
	}
	return v, nil
}

// connectionError says which key of which connection is wrong.
func connectionError(conn configs.Connection, key string, err error) error {
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	where := or(conn.Name, conn.Certificates.First())
	switch {
	case conn.File != "" && conn.Name != "":
		where = conn.File + ": [connection." + conn.Name + "]"
	case conn.File != "":
		where = conn.File // the login stands in the job file
	}
	f := &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: fmt.Sprintf("%s: %s: %v", where, key, err), next: "correct this key", err: err}
	switch key {
	case "certificate", "private_key", "passphrase", "key_passphrase", "password", "proxy_password":
		f.code, f.cause, f.next = ledger.CodePermission, ledger.CauseLogin, "correct this key, then try `auth check`"
	}
	if e, ok := errors.AsType[*secret.FetchError](err); ok {
		f.next = e.Next
		if e.Temporary {
			f.code, f.cause = ledger.CodeTemporary, ledger.CauseNetwork
		}
	}
	return f
}
