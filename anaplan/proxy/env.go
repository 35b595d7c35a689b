package proxy

import (
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// defaultPorts are those of proxies that are written without one.
var defaultPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// Parse reads the address of a proxy: http://, https://, socks5:// or socks5h://HOST:PORT. Both of SOCKS let the proxy look
// hosts up. Its errors are *Error, of the kind Misconfigured, and repeat no user part.
func Parse(address string) (*url.URL, error) {
	const form = "write it as in http://proxy.example.com:8080"
	wrong := func(text, next string) (*url.URL, error) {
		return nil, &Error{Kind: Misconfigured, Text: "the address of the proxy " + text, Advice: next}
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return wrong("is none", form)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	port, known := defaultPorts[u.Scheme]
	switch {
	case !known:
		return wrong("begins with "+u.Scheme+"://", "write http://, https:// or socks5://")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return wrong("has more than a host and a port", form)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	u.Path = ""
	return u, nil
}

// Name is an address as messages have it, without user and password.
func Name(u *url.URL) string { return u.Scheme + "://" + u.Host }

// environment is the choice that the environment makes.
func environment(getenv func(string) string) func(*url.URL) (*url.URL, error) {
	get := func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return getenv(strings.ToLower(name))
	}
	all := get("ALL_PROXY")
	first := func(name string) string {
		if v := get(name); v != "" {
			return v
		}
		return all
	}
	c := httpproxy.Config{HTTPProxy: withScheme(first("HTTP_PROXY")), HTTPSProxy: withScheme(first("HTTPS_PROXY")), NoProxy: get("NO_PROXY")}
	wanted := map[string]string{"http": c.HTTPProxy, "https": c.HTTPSProxy}
	// The choice is made with a name of ours instead of the addresses, which its errors would repeat.
	for _, text := range []*string{&c.HTTPProxy, &c.HTTPSProxy} {
		if *text != "" {
			*text = "http://proxy"
		}
	}
	choose := c.ProxyFunc()
	return func(u *url.URL) (*url.URL, error) {
		chosen, err := choose(u)
		if err != nil || chosen == nil {
			return nil, err
		}
		via, err := Parse(wanted[u.Scheme])
		if e, ok := err.(*Error); ok {
			e.Text += ", in the environment (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY)"
		}
		return via, err
	}
}

// withScheme is an address that may have none, as curl allows.
func withScheme(address string) string {
	if address == "" || strings.Contains(address, "://") {
		return address
	}
	return "http://" + address
}
