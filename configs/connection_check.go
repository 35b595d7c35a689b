package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// The functions below return what is wrong with one value of a connection, nil when
// nothing is. None repeats a value that may be a secret.

var regionForm = regexp.MustCompile(`^[a-z]{2}[0-9]`)

func checkRegion(v string) *fault {
	low := strings.ToLower(v)
	for _, r := range regions {
		if low == r {
			return nil
		}
	}
	f := &fault{fmt.Sprintf("there is no region %q", v), "there is " + strings.Join(slices.Sorted(slices.Values(regions)), ", ")}
	switch {
	case strings.Contains(v, "/") || strings.Contains(v, ".anaplan"):
		f.what, f.instead = "a region is a short code, not an address", `write the code, such as region = "us1", or urls = { api = "…", auth = "…" }`
	case len(low) == 4 && regionForm.MatchString(low) && oneOfCodes(low[:3]):
		f.instead = "write " + low[:3] // us1a, as the browser's address has it
	}
	return f
}

func oneOfCodes(s string) bool { return checkRegion(s) == nil }

// checkURL looks at an address that is called with a token or a login.
func checkURL(v string) (*url.URL, *fault) {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, &fault{"is not an address", `write it as in "https://api.anaplan.com/2/0"`}
	case u.User != nil:
		return nil, &fault{"holds a user or a password", "take them out of the address; the login has keys of its own"}
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, &fault{"has a ? or a # in it", "end it with the path"}
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, &fault{"is http, and would send the login in clear", "write https://" + u.Host + u.Path}
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, &fault{fmt.Sprintf("begins with %s://", u.Scheme), "write https://"}
	}
	return u, nil
}

// CheckURL says what is wrong with an address that is called with a token or a login, and what to write instead; "" twice
// when nothing is.
func CheckURL(v string) (what, instead string) {
	if _, f := checkURL(v); f != nil {
		return f.what, f.instead
	}
	return "", ""
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkAPI looks at the address of the integration API (anaplan-api.md 1.1).
func checkAPI(v string) *fault {
	u, f := checkURL(v)
	if f != nil {
		return f
	}
	if p := strings.TrimRight(u.Path, "/"); p != "" && !strings.HasSuffix(p, "/2/0") {
		return &fault{fmt.Sprintf("its path %s is not that of this API, /2/0", u.Path), fmt.Sprintf("write %s://%s/2/0", u.Scheme, u.Host)}
	}
	return nil
}

// checkAuth looks at the address of the authentication service.
func checkAuth(v string) *fault {
	u, f := checkURL(v)
	if f != nil {
		return f
	}
	if before, _, found := strings.Cut(u.Path, "/token"); found {
		return &fault{"goes too far: /token/… is added to it", fmt.Sprintf("write %s://%s%s", u.Scheme, u.Host, before)}
	}
	if strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/2/0") {
		return &fault{"looks like the address of the API, since it ends with /2/0", `write it as in "https://auth.anaplan.com"`}
	}
	return nil
}

// apiAddress and authAddress are addresses as the client wants them.
func apiAddress(v string) string {
	v = strings.TrimRight(v, "/")
	if v != "" && !strings.HasSuffix(v, "/2/0") {
		v += "/2/0"
	}
	return v
}

func authAddress(v string) string { return strings.TrimRight(v, "/") }

func checkProxy(v string) *fault {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "":
		return &fault{"is not an address", `write it as in "http://proxy.example.com:8080"`}
	case u.User != nil:
		return &fault{"holds a user or a password", "take them out of it, and write proxy_user and proxy_password"}
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" && u.Scheme != "socks5h":
		return &fault{fmt.Sprintf("begins with %s://", u.Scheme), "write http://, https:// or socks5://"}
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return &fault{"has more than a host and a port", fmt.Sprintf("write %s://%s", u.Scheme, u.Host)}
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return &fault{"has no port", fmt.Sprintf("write it as in %s://%s:8080", u.Scheme, u.Hostname())}
	}
	return nil
}

// CheckProxy says what is wrong with the address of a proxy, and what to write instead; "" twice when nothing is. It
// repeats no user and no password.
func CheckProxy(v string) (what, instead string) {
	if f := checkProxy(v); f != nil {
		return f.what, f.instead
	}
	return "", ""
}

func checkProxyUser(v string) *fault {
	switch {
	case strings.ContainsFunc(v, unicode.IsControl):
		return &fault{`holds a control character: in "…" a backslash begins an escape such as \t`, `put the user between '…', as in 'DOMAIN\user'`}
	case strings.ContainsAny(v, ":"):
		return &fault{"has a colon in it", `write the user alone, as in 'DOMAIN\user'; the password is proxy_password`}
	case strings.Count(v, `\`) > 1 || strings.HasPrefix(v, `\`) || strings.HasSuffix(v, `\`):
		return &fault{"is not a user", `write it as in 'DOMAIN\user': between '…' one backslash is one`}
	}
	return nil
}

// proxyLogin says what does not fit together in the login at a proxy, and in which key.
func (c *Connection) proxyLogin() (key string, f *fault) {
	const where = "write where it is: file:PATH, env:NAME or cmd:COMMAND"
	socks := strings.HasPrefix(c.Proxy, "socks5")
	switch {
	case c.ProxyUser == "" && c.ProxyPassword != "":
		return "proxy_user", &fault{"is missing, and there is a proxy_password", `write the user, for NTLM as 'DOMAIN\user'`}
	case c.ProxyUser != "" && c.ProxyPassword == "":
		return "proxy_password", &fault{"is missing, and there is a proxy_user", where}
	case c.ProxyUser == "" && c.ProxyAuth != "" && c.Proxy != "":
		return "proxy_user", &fault{"is missing, and there is a proxy_auth", `write the user, for NTLM as 'DOMAIN\user', and proxy_password`}
	case socks && c.ProxyAuth != "":
		return "proxy_auth", &fault{"means nothing to a SOCKS proxy, which has a login of its own", "leave it out"}
	}
	return "", nil
}

// checkSecret looks at a value that must be a reference.
func checkSecret(v string) *fault {
	_, err := secret.ParseRef(v)
	switch {
	case errors.Is(err, secret.ErrNoScheme):
		return &fault{"is not a reference, and secrets do not stand in files like this one", "write file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD"}
	case err != nil:
		return &fault{err.Error(), "write file:PATH, env:NAME, cmd:COMMAND or vault:PATH#FIELD"}
	}
	return nil
}

// checkKeyFile looks at a private key: a path, or a reference.
func checkKeyFile(v string) *fault {
	ref, err := secret.ParseRef(v)
	if err == nil && ref.Scheme != secret.File {
		if hasValue(v) {
			return &fault{"a reference to a secret holds no ${…}", "write it as it is"}
		}
		return nil
	}
	if !errors.Is(err, secret.ErrNoScheme) {
		return checkSecret(v)
	}
	return nil
}

// checkCertificate looks at a certificate: a path, or a reference.
func checkCertificate(v string) *fault { return checkKeyFile(v) }

func checkLedger(v string) *fault {
	m := scheme.FindStringSubmatch(v)
	if m == nil {
		return nil
	}
	if m[1] != "postgres" && m[1] != "postgresql" {
		return &fault{m[1] + ":// is no ledger", "write the path of a SQLite file, or postgres://USER@HOST/DATABASE"}
	}
	u, err := url.Parse(v)
	if err != nil { // it may hold a password, also in the error
		return &fault{"is no address", "write it as in postgres://USER@HOST:5432/DATABASE"}
	}
	if _, secret := u.User.Password(); secret || u.Query().Has("password") {
		return &fault{"a password stands in it", "leave it out: it is taken from PGPASSWORD or ~/.pgpass"}
	}
	return nil
}
