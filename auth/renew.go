package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

const (
	refreshTries = 2
	// How long a token that could not be renewed for the time being is used before the next renewal.
	pauseAfterFailure = 30 * time.Second
)

// run carries out a renewal and publishes its outcome.
func (s *Source) run(ctx context.Context, r *renewal) {
	defer r.cancel()
	token, err := s.renew(ctx)
	s.mu.Lock()
	if err != nil && s.closed {
		err = ErrLoggedOut
	}
	r.token, r.err = token, err
	s.renewal = nil
	s.mu.Unlock()
	close(r.done)
}

// renew refreshes, else logs in. While the old token lives, both are tried briefly, and if they fail for the time being, the old
// token is returned and used for a while; also after a refusal, until its end.
func (s *Source) renew(ctx context.Context) (Token, error) {
	s.mu.Lock()
	old := s.held
	s.mu.Unlock()
	tries := s.o.Retry.Tries
	if old != nil && s.leftOf(old) > 0 {
		if token, err := s.refresh(ctx, old); err == nil {
			return token, nil
		}
		if s.leftOf(old) > 0 {
			tries = 1
		}
	}
	token, err := s.login(ctx, tries)
	if err == nil {
		return token, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if isFinal(err) {
		s.final = err
	}
	if old == nil || s.left(old) <= 0 {
		return Token{}, err
	}
	old.resume, old.pause = s.clock.now(), min(pauseAfterFailure, s.left(old)/2)
	return old.Token, nil
}

// isFinal reports whether a login must not be sent again: it was refused, also by a proxy, or the certificate cannot be used.
func isFinal(err error) bool {
	_, unusable := errors.AsType[*keystore.CertificateError](err)
	return unusable || errors.Is(err, ErrRefused) || refusedOnTheWay(err)
}

// refresh prolongs the token (anaplan-api.md 2.5), trying again only while it lives.
func (s *Source) refresh(ctx context.Context, old *held) (Token, error) {
	c := call{
		doing:         "refreshing the token at " + hostOf(s.o.Base),
		method:        http.MethodPost,
		path:          "/token/refresh",
		authorization: authorization(old.Token),
		secrets:       []string{old.Value.RevealString()},
	}
	for try := 1; ; try++ {
		asked := s.clock.now()
		r, err := s.send(ctx, c)
		var g Grant
		if err == nil {
			g, err = c.grant(r)
		}
		s.learn(dateOf(g, err), asked)
		if err == nil {
			var token Token
			if token, err = s.take(c, g, asked, old); err == nil {
				return token, nil
			}
		}
		s.tell(Event{Kind: RefreshFailed, Generation: old.Generation, Err: err})
		if e, ok := errors.AsType[*LoginError](err); ok && e.Status == http.StatusUnauthorized {
			s.Invalidate(old.Generation)
		}
		wait, ok := pause(s.o.Retry, try, err)
		if !ok || try == refreshTries || wait >= s.leftOf(old) {
			return Token{}, err
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return Token{}, err
		}
	}
}

// login sends up to the given number of logins, never two within SourceOptions.Every, and one more if the first message was refused because
// of our clock: if it carried a time that is far from the Date of the answer.
func (s *Source) login(ctx context.Context, tries int) (Token, error) {
	corrected := false
	for try := 1; ; try++ {
		if err := s.waitTurn(ctx); err != nil {
			return Token{}, err
		}
		asked := s.clock.now()
		limited, cancel := context.WithTimeout(ctx, callLimit)
		g, err := s.o.Login.Login(limited, s.o.Client, s.o.Base, s.serverNow)
		cancel()
		s.learn(dateOf(g, err), asked)
		if err == nil {
			var token Token
			if token, err = s.take(call{doing: "logging in to " + hostOf(s.o.Base)}, g, asked, nil); err == nil {
				return token, nil
			}
		}
		s.tell(s.loginEvent(Event{Kind: LoginFailed, Err: err}))
		if e, ok := errors.AsType[*LoginError](err); ok && !corrected && e.clockOff() && errors.Is(err, ErrRefused) {
			corrected = true
			try--
			continue
		}
		if l, ok := s.o.Login.(rotating); ok {
			var another bool
			if another, err = l.another(ctx, err, s.serverNow()); another {
				try--
				continue
			}
		}
		wait, ok := pause(s.o.Retry, try, err)
		if !ok || try >= tries || ctx.Err() != nil {
			return Token{}, err
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return Token{}, err
		}
	}
}

// waitTurn waits until a login may be sent, and counts it.
func (s *Source) waitTurn(ctx context.Context) error {
	for {
		s.mu.Lock()
		wait := time.Duration(0)
		if s.lastLogin != (instant{}) {
			wait = s.o.Every - s.clock.now().mono.Sub(s.lastLogin.mono)
		}
		if wait <= 0 {
			s.lastLogin = s.clock.now()
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		if err := retry.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// take makes a granted token the one we hold. from is the token that was refreshed, nil after a login.
func (s *Source) take(c call, g Grant, asked instant, from *held) (Token, error) {
	s.mu.Lock()
	date := g.Date
	if date.IsZero() {
		date = s.server.now()
	}
	life := g.ExpiresAt.Sub(date)
	if life <= 0 {
		s.mu.Unlock()
		return Token{}, c.fail(reply{status: http.StatusOK, date: g.Date}, "a token that has already ended")
	}
	s.last++
	h := &held{asked: asked, life: life, since: s.last}
	h.Token = Token{Value: g.Value, ExpiresAt: asked.wall.Add(life), Generation: s.last}
	kind := LoggedIn
	if from != nil {
		kind = Refreshed
		if from.Value.Equal(g.Value) {
			h.since = from.since
			// A 401 that came in meanwhile was for this very value.
			h.dead = from.dead
		}
	}
	s.held = h
	s.mu.Unlock()
	e := Event{Kind: kind, Generation: h.Generation, Life: life}
	if kind == LoggedIn {
		e = s.loginEvent(e)
	}
	s.tell(e)
	return h.Token, nil
}
