package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestTLS is what can be wrong with a real connection; none of it is repeated.
func TestTLS(t *testing.T) {
	s := newServer()
	start := func(change func(*tls.Config)) *httptest.Server {
		server := httptest.NewUnstartedServer(s)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.TLS = &tls.Config{}
		if change != nil {
			change(server.TLS)
		}
		server.StartTLS()
		t.Cleanup(server.Close)
		return server
	}
	good := start(nil)
	plain := httptest.NewServer(s)
	t.Cleanup(plain.Close)
	trust := x509.NewCertPool()
	trust.AddCert(good.Certificate())
	dials := 0
	secure := func() *http.Transport {
		return &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: trust}, DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			dials++
			return net.DialTimeout(network, strings.Replace(address, "vault.invalid", "127.0.0.1", 1), 5*time.Second)
		}}
	}
	read := func(address string, roots bool) error {
		o := options(t, s, Token)
		base := secure()
		defer base.CloseIdleConnections()
		if !roots {
			base.TLSClientConfig.RootCAs = x509.NewCertPool()
		}
		o.Address, o.Transport = address, base
		_, err := New(o).Read(t.Context(), ref(t, "anaplan/prod#passphrase"))
		return err
	}
	if err := read(good.URL, true); err != nil {
		t.Error(err)
	}
	if err := read(plain.URL, true); err != nil { // an agent on this machine
		t.Error(err)
	}
	for _, tt := range []struct {
		name, address string
		roots         bool
		what, next    string
	}{
		{"an unknown authority", good.URL, false, "its certificate is not trusted: x509: certificate signed by unknown authority", "vault.ca"},
		{"another name", strings.Replace(good.URL, "127.0.0.1", "vault.invalid", 1), true, "the server's certificate is for another name: ", "the name that stands in the certificate"},
		{"no TLS", strings.Replace(plain.URL, "http", "https", 1), true, "the server does not speak TLS there", "TLS port"},
		{"TLS 1.1", start(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }).URL, true, "no TLS connection could be agreed on: ", "TLS 1.2"},
		{"a client's certificate", start(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }).URL, true, "no TLS connection could be agreed on: ", "without a client's certificate"},
		{"TLS where none is", strings.Replace(good.URL, "https", "http", 1), true, "it is no JSON (400)", "correct vault.address"},
	} {
		dials = 0
		text := told(t, read(tt.address, tt.roots))
		if what, next, _ := strings.Cut(text, "\n  → "); !strings.HasPrefix(text, "77") || !strings.Contains(what, tt.what) || !strings.Contains(next, tt.next) {
			t.Errorf("%s: %s", tt.name, text)
		}
		if dials != 1 {
			t.Errorf("%s: %d connections", tt.name, dials)
		}
	}
}
