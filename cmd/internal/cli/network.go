package cli

import (
	"crypto/x509"
	"net/http"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// caFlag names authorities; --ca is what it was called first.
func caFlag() cli.Flag {
	return &cli.StringFlag{Name: "ca-file", Aliases: []string{"ca"}, Category: "Login:", TakesFile: true,
		Usage: "`FILE` with further certificate authorities for TLS (PEM), such as that of a proxy that inspects TLS [$ANAPLAN_CA_FILE]"}
}

// caSetting is the file of authorities, by its name now or by its first one.
func (p *Program) caSetting(c *cli.Context) string {
	return or(p.setting(c, "ca-file"), p.env(variable("ca")))
}

// proxySettings takes the proxy from the flags, else from the variables. A proxy that is
// given here has nothing of the login that the connection has for its own.
func (p *Program) proxySettings(c *cli.Context, conn *configs.Connection) error {
	if v := p.setting(c, "proxy"); v != "" && v != conn.Proxy {
		if what, instead := configs.CheckProxy(v); what != "" {
			return usage(instead, "%s: it %s", origin(c, "proxy"), what)
		}
		conn.Proxy, conn.ProxyUser, conn.ProxyPassword, conn.ProxyAuth = v, "", "", ""
	}
	if v := p.setting(c, "proxy-user"); v != "" {
		conn.ProxyUser = v
	}
	if err := p.secretSetting(c, "proxy-password", &conn.ProxyPassword); err != nil {
		return err
	}
	switch {
	case conn.ProxyUser == "" && conn.ProxyPassword != "":
		return usage("give it, too: --proxy-user USER, or "+variable("proxy-user"), "a password for the proxy is given, and no user")
	case conn.ProxyUser != "" && conn.ProxyPassword == "":
		return usage("give it, too: --proxy-password REFERENCE, or the password itself in "+variable("proxy-password"), "a user for the proxy is given, and no password")
	}
	return nil
}

// network is the way to the hosts of a connection. Nothing is called, and the password of
// a proxy is fetched when the first wants it.
func (p *Program) network(conn configs.Connection, roots *x509.CertPool) (http.RoundTripper, error) {
	o := anaplan.BaseOptions{Proxy: conn.Proxy, ProxyUser: conn.ProxyUser, ProxyAuth: conn.ProxyAuth, Getenv: p.env, RootCAs: roots, ProxyLogins: &p.proxies}
	if conn.ProxyPassword != "" {
		asked := false
		o.ProxyPassword = func() (string, error) { // never twice at a time
			if asked {
				p.forgetSecrets(conn) // the proxy refused it: it may have been changed since
			}
			asked = true
			v, err := p.resolve(conn, conn.ProxyPassword)
			if err != nil {
				return "", connectionError(conn, "proxy_password", err)
			}
			return v.RevealString(), nil
		}
	}
	base, err := anaplan.BaseTransport(o)
	if err != nil {
		return nil, connectionError(conn, "proxy", err)
	}
	if conn.Proxy == "" && (loopback(hostOf(conn.AuthURL)) || loopback(hostOf(conn.APIURL))) {
		p.knock(base, conn)
	}
	return knowing{p: p, base: base}, nil
}
