package auth

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// A Login obtains tokens. Implementations may be used again and again, by one goroutine at a time.
type Login interface {
	// Login asks the auth host at base (https://auth.anaplan.com) once. Whatever must carry the time takes it from serverNow.
	// An answer that is not a token is a *LoginError; a *keystore.CertificateError is found before anything is sent; anything
	// else is an error of the network, or of the signer.
	Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error)
	// Describe says who logs in how, for people: "the certificate of batch@example.com".
	Describe() string
}

// A Grant is the auth host's answer to a login or a refresh.
type Grant struct {
	Value     secret.Value
	ExpiresAt time.Time // on the server's clock
	Date      time.Time // the server's clock when it answered, whole seconds; zero when it did not say
}

// Certificate logs in with a certificate and its private key (anaplan-api.md 2.2).
type Certificate struct {
	Identity *keystore.Identity
	Message  Format     // zero: V2
	Header   HeaderForm // zero: HeaderPEM

	as string // what errors call it; "": as Describe does
}

// A rotating Login has several ways to log in.
type rotating interface {
	// another takes in the refusal of the way that was tried last, and reports whether there is another one to try. If not, it
	// returns the error to give back.
	another(ctx context.Context, refused error, now time.Time) (bool, error)
}

// A certified Login logs in with a certificate.
type certified interface {
	certificate() *keystore.Identity                          // the one tried last; nil before
	outlook(now time.Time) (warnings []string, ending string) // what a person should know after a login
}

func (c Certificate) certificate() *keystore.Identity { return c.Identity }

func (c Certificate) outlook(now time.Time) (warnings []string, ending string) {
	return nil, Expiry(About(c.Identity), now, "")
}

// Login implements [Login]. Each call signs a fresh message.
func (c Certificate) Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error) {
	if c.Identity == nil {
		return Grant{}, errors.New("logging in: no certificate is given")
	}
	now := serverNow()
	if err := c.Identity.Check(now); err != nil {
		return Grant{}, err
	}
	p, err := NewPayload(c.Identity, c.Message, c.Header, now, nil)
	if err != nil {
		return Grant{}, err
	}
	_, bare, _ := strings.Cut(p.Header, " ")
	grant, err := authenticate(ctx, hc, base, call{
		doing:         "logging in to " + hostOf(base) + " with " + cmp.Or(c.as, c.Describe()),
		authorization: p.Header,
		body:          p.Body(),
		secrets:       []string{p.EncodedData, p.EncodedSignedData, bare},
		next: func(status int, code string) string {
			s := "check that this certificate is registered in Anaplan (Administration > Security > Certificates), that its email address is that of the Anaplan user, and that the region is the tenant's"
			if code == "FAILURE_BAD_HEADER" {
				s += "; or try the other form of the header (header = \"pem\" or \"der\")"
			}
			return s
		},
	})
	if e, ok := errors.AsType[*LoginError](err); ok && p.Format == V2 {
		e.Stamp = now
	}
	return grant, err
}

// Describe implements [Login].
func (c Certificate) Describe() string {
	if c.Identity == nil || c.Identity.Leaf == nil {
		return "a certificate"
	}
	if emails := c.Identity.Emails(); len(emails) > 0 {
		return "the certificate of " + emails[0]
	}
	return "certificate " + keystore.Name(c.Identity.Leaf)
}

// Basic logs in with a user's name and password (anaplan-api.md 2.1).
type Basic struct {
	User     string
	Password secret.Value
}

// Login implements [Login].
func (b Basic) Login(ctx context.Context, hc *http.Client, base string, _ func() time.Time) (Grant, error) {
	if b.User == "" || b.Password.Empty() {
		return Grant{}, errors.New("logging in: user or password is not given")
	}
	if strings.Contains(b.User, ":") {
		return Grant{}, fmt.Errorf("logging in: the user name %q has a colon, which a basic login cannot carry", b.User)
	}
	pair := base64.StdEncoding.EncodeToString([]byte(b.User + ":" + b.Password.RevealString()))
	return authenticate(ctx, hc, base, call{
		doing:         "logging in to " + hostOf(base) + " with " + b.Describe(),
		authorization: "Basic " + pair,
		secrets:       []string{b.Password.RevealString(), pair},
		next: func(int, string) string {
			return "check user, password and region; where the company uses single sign-on, the user must be an Exception User of the workspace, or log in with a certificate"
		},
	})
}

// Describe implements [Login].
func (b Basic) Describe() string { return "the password of " + b.User }

func authenticate(ctx context.Context, hc *http.Client, base string, c call) (Grant, error) {
	c.method, c.path = http.MethodPost, "/token/authenticate"
	r, err := c.send(ctx, hc, base)
	if err != nil {
		return Grant{}, err
	}
	return c.grant(r)
}
