package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Password logs in like [Basic], with a password that may be changed where it is kept. When Anaplan refuses it, it is fetched once
// more, and tried if it is another one by now: the same one is never sent twice, so that no account is locked by persistence.
// It must not be copied once used.
type Password struct {
	User string
	// Fetch returns the password. Fresh asks for it as it is now, not for what an earlier call found; else it is called once.
	Fetch func(ctx context.Context, fresh bool) (secret.Value, error)

	value secret.Value
	again bool // fetched afresh since the last login that worked
}

// Login implements [Login].
func (p *Password) Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error) {
	if p.value.Empty() {
		v, err := p.Fetch(ctx, false)
		if err != nil {
			return Grant{}, err
		}
		p.value = v
	}
	grant, err := Basic{User: p.User, Password: p.value}.Login(ctx, hc, base, serverNow)
	if err == nil {
		p.again = false
	}
	return grant, err
}

// Describe implements [Login].
func (p *Password) Describe() string { return Basic{User: p.User}.Describe() }

// another implements rotating.
func (p *Password) another(ctx context.Context, err error, _ time.Time) (bool, error) {
	e, ok := errors.AsType[*LoginError](err)
	if !ok || !e.ofCredential() || p.again {
		return false, err
	}
	p.again = true
	v, failed := p.Fetch(ctx, true)
	switch {
	case failed != nil:
		return false, fmt.Errorf("%w; and fetching the password afresh failed: %w", err, failed)
	case v.Equal(p.value):
		return false, err
	}
	p.value = v
	return true, nil
}
