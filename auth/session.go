package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
)

// A Session is what the auth host knows of a token (anaplan-api.md 2.6).
type Session struct {
	User         string    // userId: the email address
	UserGUID     string    // 32 hex digits
	CustomerGUID string    // 32 hex digits
	ExpiresAt    time.Time // on the server's clock; zero when it did not say
}

// Validate asks the auth host whose token this is, and until when it lives. A token that turns out to be dead is replaced once.
func (s *Source) Validate(ctx context.Context) (Session, error) {
	replaced := false
	for try := 1; ; try++ {
		token, err := s.Token(ctx)
		if err != nil {
			return Session{}, err
		}
		c := call{
			doing:         "asking " + hostOf(s.o.Base) + " whose token this is",
			method:        http.MethodGet,
			path:          "/token/validate",
			authorization: authorization(token),
			secrets:       []string{token.Value.RevealString()},
			next: func(int, string) string {
				return "the login host does not know the token it gave: check that the region, or the urls, of the connection belong together"
			},
		}
		asked := s.clock.now()
		r, err := s.send(ctx, c)
		s.learn(r.date, asked)
		if err == nil {
			return session(r), nil
		}
		if e, ok := errors.AsType[*LoginError](err); ok && e.Status == http.StatusUnauthorized && !replaced {
			replaced = true
			s.Invalidate(token.Generation)
			continue
		}
		wait, ok := pause(s.o.Retry, try, err)
		if !ok || try >= s.o.Retry.Tries {
			return Session{}, err
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return Session{}, err
		}
	}
}

func session(r reply) Session {
	var token struct {
		ExpiresAt json.Number `json:"expiresAt"`
	}
	var user struct {
		UserGUID     string `json:"userGuid"`
		UserID       string `json:"userId"`
		CustomerGUID string `json:"customerGuid"`
	}
	// What cannot be read stays empty: the answer 200 is what counts.
	_ = json.Unmarshal(r.fields["tokenInfo"], &token)
	_ = json.Unmarshal(r.fields["userInfo"], &user)
	s := Session{User: user.UserID, UserGUID: user.UserGUID, CustomerGUID: user.CustomerGUID}
	if ms, err := token.ExpiresAt.Int64(); err == nil && ms > 0 {
		s.ExpiresAt = time.UnixMilli(ms)
	}
	return s
}

// Logout stops a renewal on its way, ends the token at the auth host (anaplan-api.md 2.7), and the Source with it: later calls of
// Token are ErrLoggedOut, later ones of Logout do nothing. There is nothing to do about an error but to mention it: the
// token ends by itself.
func (s *Source) Logout(ctx context.Context) error {
	s.mu.Lock()
	done := s.closed
	s.closed = true
	r := s.renewal
	s.mu.Unlock()
	if done {
		return nil
	}
	if r != nil {
		r.cancel()
		select {
		case <-r.done:
		case <-ctx.Done(): // a signer, say, that knows no time limit
		}
	}
	s.mu.Lock()
	h := s.held
	s.held = nil
	s.mu.Unlock()
	if h == nil || s.leftOf(h) <= 0 {
		return nil
	}
	_, err := s.send(ctx, call{
		doing:         "logging out of " + hostOf(s.o.Base),
		method:        http.MethodPost,
		path:          "/token/logout",
		authorization: authorization(h.Token),
		secrets:       []string{h.Value.RevealString()},
	})
	s.tell(Event{Kind: LoggedOut, Generation: h.Generation, Err: err})
	return err
}
