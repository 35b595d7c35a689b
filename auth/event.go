package auth

import (
	"context"
	"errors"
	"time"
)

// An EventKind is something that happened to the token.
type EventKind string

// The kinds of events.
const (
	LoggedIn      EventKind = "login"
	LoginFailed   EventKind = "login failed"
	Refreshed     EventKind = "refresh"
	RefreshFailed EventKind = "refresh failed"
	LoggedOut     EventKind = "logout"
)

// An Event tells what happened to the token, without the token.
type Event struct {
	Kind       EventKind
	At         time.Time     // on our wall clock
	Generation uint64        // of the token it made; of the one that was to be refreshed or was logged out; else 0
	Life       time.Duration // of the token it made
	Err        error         // of a failure, of a logout too

	Certificate *CertificateInfo // that logged in or was refused; nil for what has to do with none
	Warnings    []string         // of a login: what a person should know of certificates that were refused before it
	Ending      string           // of a login: that its certificate ends within 60 days; see Expiry
}

// loginEvent is an event of a login, with its certificate.
func (s *Source) loginEvent(e Event) Event {
	by, ok := s.o.Login.(certified)
	if !ok || by.certificate() == nil {
		return e
	}
	about := About(by.certificate())
	e.Certificate = &about
	if e.Kind == LoggedIn {
		e.Warnings, e.Ending = by.outlook(s.serverNow())
	}
	return e
}

func (s *Source) tell(e Event) {
	if s.o.Event == nil {
		return
	}
	e.At = s.clock.now().wall
	s.telling.Lock()
	defer s.telling.Unlock()
	s.o.Event(e)
}

// learn takes the server's clock from the Date of an answer to what was asked at the time asked.
func (s *Source) learn(date time.Time, asked instant) {
	if date.IsZero() {
		return
	}
	received := s.clock.now()
	s.mu.Lock()
	s.server.date, s.server.seen = date, received
	d := off(date, asked, received)
	s.server.off = d
	warn := s.o.Warn != nil && !s.warned && d.Abs() > tolerance
	s.warned = s.warned || warn
	s.mu.Unlock()
	if warn {
		s.telling.Lock()
		defer s.telling.Unlock()
		s.o.Warn(clockWarning(d, date))
	}
}

func (s *Source) serverNow() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.now()
}

func (s *Source) leftOf(h *held) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left(h)
}

func (s *Source) send(ctx context.Context, c call) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return c.send(ctx, s.o.Client, s.o.Base)
}

// dateOf is the server's clock, from a grant or from a refusal.
func dateOf(g Grant, err error) time.Time {
	if e, ok := errors.AsType[*LoginError](err); ok {
		return e.Date
	}
	return g.Date
}

func authorization(t Token) string { return "AnaplanAuthToken " + t.Value.RevealString() }
