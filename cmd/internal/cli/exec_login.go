package cli

import (
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// execPlace is [anaplan] of a job that exec writes.
type execPlace struct {
	Region            string            `toml:"region,omitempty"`
	URLs              map[string]string `toml:"urls,omitempty"`
	Proxy             string            `toml:"proxy,omitempty"`
	ProxyUser         string            `toml:"proxy_user,omitempty"`
	ProxyPassword     string            `toml:"proxy_password,omitempty"`
	ProxyAuth         string            `toml:"proxy_auth,omitempty"`
	CA                string            `toml:"ca,omitempty"`
	Ledger            string            `toml:"ledger,omitempty"`
	RequestsPerMinute int               `toml:"requests_per_minute,omitzero"`
	Bandwidth         int64             `toml:"bandwidth,omitzero"`
	Workspace         any               `toml:"workspace"`
	Model             any               `toml:"model"`
}

// execLogin is its [auth]: secrets are references here too.
type execLogin struct {
	Method        string `toml:"method,omitempty"`
	Certificate   any    `toml:"certificate,omitempty"` // a text, or a list of several
	PrivateKey    any    `toml:"private_key,omitempty"`
	Passphrase    string `toml:"passphrase,omitempty"`
	Alias         string `toml:"alias,omitempty"`
	KeyPassphrase string `toml:"key_passphrase,omitempty"`
	AllowOpenKeys bool   `toml:"allow_open_keys,omitempty"`
	Message       string `toml:"message,omitempty"`
	Header        string `toml:"header,omitempty"`
	User          string `toml:"user,omitempty"`
	Password      string `toml:"password,omitempty"`

	Vault execVault `toml:"vault,omitempty"`
}

// execVault is its vault.
type execVault struct {
	Address   string `toml:"address,omitempty"`
	Namespace string `toml:"namespace,omitempty"`
	Mount     string `toml:"mount,omitempty"`
	Method    string `toml:"method,omitempty"`
	Token     string `toml:"token,omitempty"`
	TokenFile string `toml:"token_file,omitempty"`
	RoleID    string `toml:"role_id,omitempty"`
	SecretID  string `toml:"secret_id,omitempty"`
	Role      string `toml:"role,omitempty"`
	JWTFile   string `toml:"jwt_file,omitempty"`
	AuthMount string `toml:"auth_mount,omitempty"`
	CA        string `toml:"ca,omitempty"`
}

// ownLogin says whether a connection is not one of a connections.toml, as it stands there.
func (p *Program) ownLogin(c *cli.Context, conn configs.Connection) bool {
	return conn.File == "" || slices.ContainsFunc(loginFlags(), func(f cli.Flag) bool {
		name := f.Names()[0]
		return name != "connections" && name != "connection" && p.setting(c, name) != ""
	})
}

// writeLogin writes the login into the job instead of the name of a connection.
func (job *execJob) writeLogin(conn configs.Connection) {
	at := func(path string) string { return whole(conn.Dir, path) }
	job.Connection = ""
	a := &job.Anaplan
	a.Region, a.Proxy, a.CA, a.Ledger = conn.Region, conn.Proxy, at(conn.CA), conn.Ledger
	a.ProxyUser, a.ProxyPassword, a.ProxyAuth = conn.ProxyUser, at(conn.ProxyPassword), conn.ProxyAuth
	a.RequestsPerMinute, a.Bandwidth = conn.RequestsPerMinute, conn.Bandwidth
	for key, address := range map[string]string{"api": conn.APIURL, "auth": conn.AuthURL} {
		if address != "" {
			if a.URLs == nil {
				a.URLs = map[string]string{}
			}
			a.URLs[key] = address
		}
	}
	v := execVault(conn.Vault)
	for _, path := range []*string{&v.Token, &v.TokenFile, &v.SecretID, &v.JWTFile, &v.CA} {
		*path = at(*path)
	}
	if conn.Method == "basic" {
		job.Auth = &execLogin{Method: conn.Method, User: conn.User, Password: at(conn.Password), Vault: v}
		return
	}
	files := func(paths configs.Files) any {
		switch len(paths) {
		case 0:
			return nil
		case 1:
			return at(paths[0])
		}
		all := make([]string, len(paths))
		for i, path := range paths {
			all[i] = at(path)
		}
		return all
	}
	job.Auth = &execLogin{Certificate: files(conn.Certificates), PrivateKey: files(conn.PrivateKeys), Passphrase: at(conn.Passphrase),
		Alias: conn.Alias, KeyPassphrase: at(conn.KeyPassphrase), AllowOpenKeys: conn.AllowOpenKeys, Message: conn.Message, Header: conn.Header, Vault: v}
}

// whole is a path, plain or as a file: reference, that no longer depends on a folder. Other
// references stay.
func whole(dir, path string) string {
	ref, err := secret.ParseRef(path)
	switch {
	case errors.Is(err, secret.ErrNoScheme):
		return inDir(dir, path)
	case err != nil:
		return path // a reference of a wrong form, which is told when it is used
	case ref.Scheme == secret.File:
		return "file:" + inDir(dir, ref.Rest)
	}
	return path
}
