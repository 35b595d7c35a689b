package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// Certificates logs in with one of several certificates of the same user, so that they can be renewed without a gap. The order is that
// of [Choose]. One that Anaplan refuses is not tried again; the [Source] goes on to the next after its pause. When all are refused they
// are fetched once more, and those of this user that were not there before are tried. The one that logged in is kept to as long as it does.
// It must not be copied once used.
type Certificates struct {
	// Fetch returns the identities. Fresh asks for them as they are now, not for what an earlier call found; else it is called once.
	Fetch   func(ctx context.Context, fresh bool) ([]*keystore.Identity, error)
	Message Format     // zero: V2
	Header  HeaderForm // zero: HeaderPEM

	ids     []*keystore.Identity
	using   *keystore.Identity // tried last
	worked  *keystore.Identity // logged in last
	refused []refusal
	again   bool  // fetched afresh since the last login that worked
	lost    error // of fetching afresh
}

type refusal struct {
	id     *keystore.Identity
	err    *LoginError
	worked bool // it had logged in before
}

// A RefusedError says that the auth host refused every certificate. It Is ErrRefused.
type RefusedError struct {
	Refused []*LoginError     // at least one, in the order they were tried
	Names   []CertificateInfo // of the same length
	Again   error             // why the certificates could not be fetched afresh after that; nil when they could
}

// Error lists each certificate with what Anaplan answered.
func (e *RefusedError) Error() string {
	var texts []string
	for i, r := range e.Refused {
		texts = append(texts, fmt.Sprintf("%s: %s", e.Names[i], r.answer()))
	}
	text := fmt.Sprintf("logging in: each of %d certificates was refused: %s", len(texts), strings.Join(texts, "; "))
	if len(texts) == 1 {
		text = e.Refused[0].Error()
	}
	if e.Again != nil {
		text += "; and fetching certificates afresh failed: " + e.Again.Error()
	}
	return text
}

// Unwrap returns the refusals.
func (e *RefusedError) Unwrap() []error {
	var all []error
	for _, r := range e.Refused {
		all = append(all, r)
	}
	return all
}

// Login implements [Login].
func (c *Certificates) Login(ctx context.Context, hc *http.Client, base string, serverNow func() time.Time) (Grant, error) {
	if c.Fetch == nil {
		return Grant{}, errors.New("logging in: no certificate is given")
	}
	if c.ids == nil {
		ids, err := c.Fetch(ctx, false)
		if err != nil {
			return Grant{}, err
		}
		c.ids = ids
	}
	c.using = nil
	id, err := c.next(serverNow())
	if err != nil && c.fetchAgain(ctx) {
		id, err = c.next(serverNow())
	}
	if err != nil && c.lost != nil && !errors.Is(err, ErrRefused) {
		c.again = false // what was renewed may be had at the next try, so that all that is at hand cannot be used is not final
		return Grant{}, fmt.Errorf("%v; and fetching certificates afresh failed: %w", err, c.lost)
	}
	if err != nil {
		return Grant{}, err
	}
	c.using = id
	one := Certificate{Identity: id, Message: c.Message, Header: c.Header}
	if len(c.ids) > 1 {
		one.as = About(id).String()
	}
	grant, err := one.Login(ctx, hc, base, serverNow)
	if err == nil {
		c.worked, c.again, c.lost = id, false, nil
	}
	return grant, err
}

// Describe implements [Login].
func (c *Certificates) Describe() string {
	if c.using == nil {
		return "a certificate"
	}
	return Certificate{Identity: c.using}.Describe()
}

// next is the identity to log in with.
func (c *Certificates) next(now time.Time) (*keystore.Identity, error) {
	usable, err := Choose(c.ids, now)
	if err != nil {
		return nil, err
	}
	usable = slices.DeleteFunc(usable, func(id *keystore.Identity) bool { return c.refusal(id) != nil })
	if c.worked != nil {
		if i := slices.IndexFunc(usable, func(id *keystore.Identity) bool { return fingerprint(id) == fingerprint(c.worked) }); i >= 0 {
			return usable[i], nil
		}
	}
	if len(usable) == 0 {
		return nil, c.refusedAll()
	}
	return usable[0], nil
}

func (c *Certificates) refusal(id *keystore.Identity) *refusal {
	for i := range c.refused {
		if fingerprint(c.refused[i].id) == fingerprint(id) {
			return &c.refused[i]
		}
	}
	return nil
}

// fetchAgain fetches afresh, once between two logins that worked, and reports whether there is anything new.
func (c *Certificates) fetchAgain(ctx context.Context) bool {
	if c.again {
		return false
	}
	c.again = true
	ids, err := c.Fetch(ctx, true)
	c.lost = err
	if err != nil {
		return false
	}
	if c.worked != nil && len(c.worked.Emails()) > 0 { // else the run would go on as somebody else
		ids = slices.DeleteFunc(slices.Clone(ids), func(id *keystore.Identity) bool { return len(id.Emails()) > 0 && !sameUser(c.worked, id) })
	}
	changed := slices.ContainsFunc(ids, func(id *keystore.Identity) bool {
		return !slices.ContainsFunc(c.ids, func(old *keystore.Identity) bool { return fingerprint(old) == fingerprint(id) })
	})
	if changed {
		c.ids = ids
	}
	return changed
}

// another implements rotating.
func (c *Certificates) another(ctx context.Context, err error, now time.Time) (bool, error) {
	e, ok := errors.AsType[*LoginError](err)
	if !ok || !e.ofCredential() || c.using == nil {
		return false, err
	}
	c.refused = append(c.refused, refusal{id: c.using, err: e, worked: c.worked == c.using})
	_, err = c.next(now)
	if err != nil && c.fetchAgain(ctx) {
		_, err = c.next(now)
	}
	if err != nil {
		return false, c.refusedAll()
	}
	return true, nil
}

func (c *Certificates) refusedAll() error {
	out := RefusedError{Again: c.lost}
	for _, r := range c.refused {
		out.Refused, out.Names = append(out.Refused, r.err), append(out.Names, About(r.id))
	}
	if len(c.refused) == 1 && c.lost == nil {
		return c.refused[0].err
	}
	return &out
}

// certificate implements certified.
func (c *Certificates) certificate() *keystore.Identity { return c.using }

// outlook implements certified.
func (c *Certificates) outlook(now time.Time) (warnings []string, ending string) {
	if c.worked == nil {
		return nil, ""
	}
	used := About(c.worked)
	newer := ""
	for _, r := range c.refused {
		if !r.worked && !r.id.Leaf.NotAfter.After(c.worked.Leaf.NotAfter) {
			continue
		}
		why := "it is not uploaded to Anaplan yet, it seems: a tenant security administrator does that under Administration > Security > Certificates"
		if r.worked {
			why = "it had logged in before: it was removed from Anaplan or revoked, it seems; look under Administration > Security > Certificates, and take its file away if that was meant"
		} else {
			newer = "a newer one, which ends " + r.id.Leaf.NotAfter.UTC().Format(time.DateOnly) + ", is at hand: have it uploaded before then"
		}
		warnings = append(warnings, fmt.Sprintf("%s was refused, and %s logged in instead: %s (%s)", About(r.id), used, why, r.err.answer()))
	}
	for _, id := range c.ids {
		if newer == "" && now.Before(id.Leaf.NotBefore) && id.Leaf.NotAfter.After(c.worked.Leaf.NotAfter) {
			newer = "a newer one, which begins " + id.Leaf.NotBefore.UTC().Format(time.DateOnly) + ", is at hand: see that it is uploaded to Anaplan by then (Administration > Security > Certificates)"
		}
	}
	return warnings, Expiry(used, now, newer)
}
