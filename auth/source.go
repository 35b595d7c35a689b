package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// A Token is what requests carry.
type Token struct {
	Value      secret.Value
	ExpiresAt  time.Time // on our wall clock: when it was asked for, plus its life
	Generation uint64    // 1 for the first, one more for each login and each refresh
}

// A Session is what the auth host knows of a token.
type Session struct {
	User         string // userId: the email address
	UserGUID     string
	CustomerGUID string
	ExpiresAt    time.Time // on the server's clock
}

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
	Generation uint64        // of the token it made; of the one that was to be refreshed or was logged out
	Life       time.Duration // of the token it made
	Err        error         // of a failure
}

// SourceOptions are the parts of a Source. Login, Client and Base are needed.
type SourceOptions struct {
	Login  Login
	Client *http.Client     // carries no authorization of its own, repeats nothing, and has or is given time limits
	Base   string           // https://auth.anaplan.com
	Now    func() time.Time // the wall clock; nil: time.Now
	Warn   func(string)     // told once when this machine's clock is off; nil: not told
	Event  func(Event)      // called from one goroutine at a time; must not call the Source; nil: not called
}

// A Source keeps one token and renews it. It is safe for use from several goroutines.
type Source struct{ o SourceOptions }

// NewSource returns a Source that has no token yet and has sent nothing.
func NewSource(o SourceOptions) *Source { return &Source{o} }

// Token returns a live token: the one it has, else one obtained by refresh or login.
func (s *Source) Token(ctx context.Context) (Token, error) { return Token{}, ErrUnavailable }

// Invalidate tells that the token of this generation was answered with 401.
func (s *Source) Invalidate(generation uint64) {}

// Validate asks the auth host whose token this is, and until when it lives.
func (s *Source) Validate(ctx context.Context) (Session, error) { return Session{}, ErrUnavailable }

// Logout ends the token, and the Source: later calls are ErrLoggedOut.
func (s *Source) Logout(ctx context.Context) error { return nil }

// A Transport puts the token on requests.
type Transport struct {
	Source *Source
	Base   http.RoundTripper // nil: http.DefaultTransport
	// Hosts that the token may be sent to: "api.anaplan.com", "127.0.0.1:8080" or with the scheme, "https://api.anaplan.com". Requests to others are ErrForeignHost.
	Hosts []string
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) { return nil, ErrForeignHost }
