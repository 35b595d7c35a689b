package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// A rotation is a Source with several certificates at a simulator that knows some of them, and what happened.
type rotation struct {
	t          *testing.T
	sim        *simulator.Simulator
	source     *Source
	registered []*keystore.Identity
	there      []*keystore.Identity // what Fetch finds
	lost       error                // of fetching afresh
	fetched    []bool
	told       []string
	warnings   []string
	refused    func()
	began      time.Time
}

func newRotation(t *testing.T, o simulator.Options, there ...*keystore.Identity) *rotation {
	r := &rotation{t: t, there: there, began: time.Now()}
	o.Registry = func() []*x509.Certificate {
		var all []*x509.Certificate
		for _, id := range r.registered {
			all = append(all, id.Leaf)
		}
		return all
	}
	r.sim = tenant(t, o)
	login := &Certificates{Fetch: func(_ context.Context, fresh bool) ([]*keystore.Identity, error) {
		r.fetched = append(r.fetched, fresh)
		if fresh && r.lost != nil {
			return nil, r.lost
		}
		return r.there, nil
	}}
	r.source = NewSource(SourceOptions{Login: login, Client: &http.Client{Transport: r.sim.Transport()}, Base: "https://auth.anaplan.com",
		Event: func(e Event) {
			who := ""
			if e.Certificate != nil {
				who = " " + e.Certificate.Serial
			}
			r.told = append(r.told, fmt.Sprintf("%s %s%s", time.Since(r.began).Round(time.Second), e.Kind, who))
			r.warnings = append(r.warnings, e.Warnings...)
			if e.Ending != "" {
				r.warnings = append(r.warnings, e.Ending)
			}
			if e.Kind == LoginFailed && r.refused != nil {
				r.refused()
			}
		}})
	return r
}

// end checks what was told, and that nothing was used wrongly.
func (r *rotation) end(told, warnings []string, fetched ...bool) {
	r.t.Helper()
	if d := cmp.Diff(told, r.told); d != "" {
		r.t.Error(d)
	}
	if d := cmp.Diff(warnings, r.warnings); d != "" {
		r.t.Error(d)
	}
	if d := cmp.Diff(fetched, r.fetched); d != "" {
		r.t.Error(d)
	}
	if err := r.source.Logout(r.t.Context()); err != nil {
		r.t.Error(err)
	}
	for _, m := range r.sim.Misuse() {
		r.t.Error("misuse:", m)
	}
	r.sim.Close()
}

func (r *rotation) login() error {
	_, err := r.source.Token(r.t.Context())
	return err
}

// dead ends the token, as a 401 tells it.
func (r *rotation) dead() {
	token, err := r.source.Token(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.sim.ExpireTokens()
	r.source.Invalidate(token.Generation)
}

// inBubble gives the test two certificates of the year 2000, the old one with 100 days left.
func inBubble(t *testing.T, f func(t *testing.T, older, newer *keystore.Identity)) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		f(t, ofThen(now, batch, 0xa1, -265, 100), ofThen(now, batch, 0xb2, -1, 364))
	})
}

const (
	oldOne  = "the certificate of batch@example.com that ends 2000-04-10 (serial a1)"
	newOne  = "the certificate of batch@example.com that ends 2000-12-30 (serial b2)"
	unknown = "answer 401 FAILURE_BAD_CREDENTIAL: Invalid credential. The certificate is not registered."
	upload  = "it is not uploaded to Anaplan yet, it seems: a tenant security administrator does that under Administration > Security > Certificates"
)

func TestTheNewerCertificateLogsIn(t *testing.T) {
	inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older, newer)
		r.registered = []*keystore.Identity{older, newer}
		if err := r.login(); err != nil {
			t.Error(err)
		}
		r.end([]string{"0s login b2"}, nil, false)
	})
}

func TestTheOlderCertificateLogsInUntilTheNewerIsUploaded(t *testing.T) {
	inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older, newer)
		r.registered = []*keystore.Identity{older}
		for range 2 {
			if err := r.login(); err != nil {
				t.Fatal(err)
			}
		}
		// What worked is kept to, and what was refused is not asked for again.
		r.dead()
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		text := newOne + " was refused, and " + oldOne + " logged in instead: " + upload + " (" + unknown + ")"
		r.end([]string{"0s login failed b2", "10s login a1", "20s login a1"}, []string{text, text}, false)
	})
}

func TestARevokedCertificateLeavesTheRunToTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older, newer)
		r.registered = []*keystore.Identity{older, newer}
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		r.registered = []*keystore.Identity{older}
		r.dead()
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		r.end([]string{"0s login b2", "10s login failed b2", "20s login a1"}, []string{newOne + " was refused, and " + oldOne +
			" logged in instead: it had logged in before: it was removed from Anaplan or revoked, it seems; look under Administration > Security > Certificates, and take its file away if that was meant (" + unknown + ")"}, false)
	})
}

func TestEveryCertificateRefusedIsFinal(t *testing.T) {
	inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older, newer)
		for range 3 {
			err := r.login()
			if !errors.Is(err, ErrRefused) || !(&TokenError{err}).Final() || !strings.Contains((&TokenError{err}).Next(), "is registered in Anaplan") {
				t.Errorf("got %v", err)
			}
			if d := cmp.Diff("logging in: each of 2 certificates was refused: "+newOne+": "+unknown+"; "+oldOne+": "+unknown, err.Error()); d != "" {
				t.Error(d)
			}
		}
		r.end([]string{"0s login failed b2", "10s login failed a1"}, nil, false, true)
	})
}

func TestCertificatesAreFetchedAfreshOnceWhenAllAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older)
		r.registered = []*keystore.Identity{newer}
		r.refused = func() { r.there = []*keystore.Identity{older, newer} } // it is renewed while the run logs in
		if err := r.login(); err != nil {
			t.Error(err)
		}
		r.end([]string{"0s login failed a1", "10s login b2"}, nil, false, true)
	})
}

func TestFetchingAfreshThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T, older, _ *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older)
		r.lost = errors.New("the vault is sealed")
		err := r.login()
		want := "logging in to auth.anaplan.com with the certificate of batch@example.com: " + unknown + "; and fetching certificates afresh failed: the vault is sealed"
		if !errors.Is(err, ErrRefused) || err.Error() != want {
			t.Errorf("got %v", err)
		}
		r.end([]string{"0s login failed a1"}, nil, false, true)
	})
}

// TestAllHaveEndedAndTheVaultIsAway: what was renewed may lie there, so it is looked for until it can be had.
func TestAllHaveEndedAndTheVaultIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
		r := newRotation(t, simulator.Options{}, older)
		r.registered = []*keystore.Identity{older, newer}
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(101 * 24 * time.Hour)
		r.lost, r.there = errors.New("the vault is sealed"), []*keystore.Identity{newer}
		if err := r.login(); !errors.Is(err, r.lost) || isFinal(err) || !strings.Contains(err.Error(), "ended") {
			t.Errorf("got %v, final %v", err, isFinal(err))
		}
		r.lost = nil
		if err := r.login(); err != nil {
			t.Error(err)
		}
		if n := len(r.fetched); n < 3 || r.fetched[n-1] != true {
			t.Errorf("fetched: %v", r.fetched)
		}
		_ = r.source.Logout(t.Context())
		r.sim.Close()
	})
}

// An auth host that is down, a proxy's page or a wrong clock say nothing about a certificate.
func TestOnlyARefusalLeadsToAnotherCertificate(t *testing.T) {
	for name, test := range map[string]struct {
		o    simulator.Options
		told []string
		fail bool
	}{
		"an answer 503": {o: simulator.Options{Faults: []simulator.Fault{{Path: "/token/authenticate", Status: 503}}}, told: []string{"0s login failed b2", "10s login b2"}},
		"a lost answer": {o: simulator.Options{Faults: []simulator.Fault{{Path: "/token/authenticate", Drop: "before"}}}, told: []string{"0s login failed b2", "10s login b2"}},
		"a proxy's 403": {o: simulator.Options{Faults: []simulator.Fault{{Path: "/token/authenticate", Status: 403, Body: "html"}}}, told: []string{"0s login failed b2"}, fail: true},
		"a wrong clock": {o: simulator.Options{Now: func() time.Time { return time.Now().Add(time.Hour) }}, told: []string{"0s login failed b2", "10s login b2"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, older, newer *keystore.Identity) {
				r := newRotation(t, test.o, older, newer)
				r.registered = []*keystore.Identity{older, newer}
				if err := r.login(); (err != nil) != test.fail {
					t.Error(err)
				}
				r.end(test.told, nil, false)
			})
		})
	}
}

func TestACertificateThatEndsInTheRunIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := ofThen(time.Now(), batch, 1, -300, 1), ofThen(time.Now(), batch, 2, 0, 300)
		second.Leaf.NotBefore = time.Now().Add(12 * time.Hour) // this one is handed in early
		r := newRotation(t, simulator.Options{}, first, second)
		r.registered = []*keystore.Identity{first, second}
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		r.end([]string{"0s login 1", "25h0m0s login 2"}, []string{"urgent: the certificate of batch@example.com (serial 1) ends in 1 day (2000-01-02T00:00:00Z), and nothing logs in with it from then on: " +
			"a newer one, which begins 2000-01-01, is at hand: see that it is uploaded to Anaplan by then (Administration > Security > Certificates)"}, false)
	})
}

// A run never goes on as somebody else, also not when its certificate has ended and another user's is there instead.
func TestAnotherUsersCertificateIsNotGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, other := ofThen(time.Now(), batch, 1, -300, 1), ofThen(time.Now(), "renamed@example.com", 2, -1, 300)
		r := newRotation(t, simulator.Options{}, first)
		r.registered = []*keystore.Identity{first, other}
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		r.there = []*keystore.Identity{other}
		time.Sleep(25 * time.Hour)
		if err := r.login(); !errors.Is(err, keystore.Expired) {
			t.Error(err)
		}
		r.end([]string{"0s login 1", "25h0m0s login failed"}, []string{"urgent: the certificate of batch@example.com (serial 1) ends in 1 day (2000-01-02T00:00:00Z), and nothing logs in with it from then on: " +
			"renew it: anaplan-runner auth request makes a key and a request for the next one"}, false, true)
	})
}

func TestAWarningNamesTheNewerCertificateAtHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		older, newer := ofThen(time.Now(), batch, 1, -300, 29), ofThen(time.Now(), batch, 2, -1, 300)
		r := newRotation(t, simulator.Options{}, newer, older)
		r.registered = []*keystore.Identity{older}
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		if len(r.warnings) != 2 || r.warnings[1] != "the certificate of batch@example.com (serial 1) ends in 28 days (2000-01-30): a newer one, which ends 2000-10-27, is at hand: have it uploaded before then" {
			t.Errorf("%q", r.warnings)
		}
		r.warnings = nil
		r.end([]string{"0s login failed 2", "10s login 1"}, nil, false)
	})
}

// Nothing logs in any more, and what was refused before is not asked for again.
func TestNoCertificateIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		older, newer := ofThen(time.Now(), batch, 1, -300, 1), ofThen(time.Now(), batch, 2, -1, 300)
		r := newRotation(t, simulator.Options{}, newer, older)
		r.registered = []*keystore.Identity{older}
		if err := r.login(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		r.warnings = nil
		if err := r.login(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "(serial 2): "+unknown) {
			t.Errorf("got %v", err)
		}
		r.end([]string{"0s login failed 2", "10s login 1", "25h0m10s login failed"}, nil, false, true)
	})
}

// More than the tries that a login has, and the pause before each.
func TestEachOfManyCertificatesIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []*keystore.Identity
		for i := range 8 {
			all = append(all, ofThen(time.Now(), batch, int64(i), -10, 200-i))
		}
		r := newRotation(t, simulator.Options{}, all...)
		r.registered = all[7:]
		if err := r.login(); err != nil {
			t.Error(err)
		}
		if len(r.warnings) != 7 {
			t.Errorf("%q", r.warnings)
		}
		r.warnings = nil
		r.end([]string{"0s login failed 0", "10s login failed 1", "20s login failed 2", "30s login failed 3", "40s login failed 4", "50s login failed 5", "1m0s login failed 6", "1m10s login 7"}, nil, false)
	})
}

// A store that gives another certificate each time does not keep a run for ever.
func TestCertificatesAreFetchedAfreshOnceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotation(t, simulator.Options{}, ofThen(time.Now(), batch, 1, -1, 100))
		n := int64(1)
		r.refused = func() {
			n++
			r.there = []*keystore.Identity{ofThen(time.Now(), batch, n, -1, 100)}
		}
		if err := r.login(); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "each of 2 certificates") {
			t.Error(err)
		}
		r.end([]string{"0s login failed 1", "10s login failed 2"}, nil, false, true)
	})
}
