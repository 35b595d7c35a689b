package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// A Login obtains tokens. Implementations may be used again and again, by one goroutine at a time.
type Login interface {
	// Login asks the auth host at base (https://auth.anaplan.com) once. Whatever must carry the time takes it from serverNow.
	// An answer that is not a token is a *LoginError, anything else an error of the network.
	Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error)
	// Describe says who logs in how, for people: "certificate of batch@example.com".
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
}

// Basic logs in with a user's name and password (anaplan-api.md 2.1).
type Basic struct {
	User     string
	Password secret.Value
}

// Login implements [Login].
func (c Certificate) Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error) {
	return Grant{}, ErrUnavailable
}

// Describe implements [Login].
func (c Certificate) Describe() string { return "certificate" }

// Login implements [Login].
func (b Basic) Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error) {
	return Grant{}, ErrUnavailable
}

// Describe implements [Login].
func (b Basic) Describe() string { return "password of " + b.User }
