package auth

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/retry"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

const (
	// Renewal begins when this part of a token's life is left, and not more than earliest before its end.
	renewalPart = 7
	earliest    = 5 * time.Minute
	loginEvery  = 10 * time.Second
	// A Date leaves out up to a second, and a request takes time to arrive: so close to its end a token counts as dead.
	margin = time.Second
	// One call to the auth host takes no longer than this.
	callLimit = time.Minute
)

// A Token is what requests carry.
type Token struct {
	Value      secret.Value
	ExpiresAt  time.Time // on our wall clock: when it was asked for, plus its life
	Generation uint64    // 1 for the first, one more for each login and each refresh
}

// SourceOptions are the parts of a Source. Login and Base are needed.
type SourceOptions struct {
	Login  Login
	Client *http.Client     // must add no authorization of its own, and repeat nothing; nil: net/http's defaults
	Base   string           // https://auth.anaplan.com
	Now    func() time.Time // the wall clock; nil: time.Now
	Retry  retry.Policy     // of what fails for the time being
	Every  time.Duration    // at most one login is sent in this time; 0: 10 seconds, and no less towards Anaplan
	Warn   func(string)     // told once when this machine's clock is off; nil: not told
	Event  func(Event)      // called for one event at a time; must not call the Source; nil: not called
}

// A Source keeps one token and renews it. It is safe for use from several goroutines, and sends nothing before it is asked.
//
// Renewal begins with the first call of Token when a seventh of the token's life is left, at most 5 minutes: a refresh, or, if
// that fails or the token is dead, a login. A token's life is its expiresAt less the Date of the same answer, counted from
// before it was asked for, on the wall clock and the monotonic one, whichever has gone further; in its last second it is not
// used any more. At most one login is sent in 10 seconds. A login that was refused, or a certificate that cannot be used, is
// final: once the token at hand has ended, every call gets the same error, and nothing is sent any more.
type Source struct {
	o     SourceOptions
	clock clock

	mu        sync.Mutex // guards what follows
	held      *held      // nil: no token
	last      uint64     // generation
	renewal   *renewal   // the one on its way, or nil
	final     error      // the refusal
	closed    bool
	server    serverClock
	warned    bool
	lastLogin instant // when the latest login was sent; zero: never

	telling sync.Mutex // held while Warn or Event are called
}

// held is the token we have.
type held struct {
	Token
	asked  instant
	life   time.Duration
	since  uint64        // the first generation with this value
	dead   bool          // a 401 was seen
	resume instant       // no renewal until pause after this, because one failed for the time being
	pause  time.Duration // 0: no such failure
}

// A renewal is one attempt to get a newer token, shared by all who wait for it.
type renewal struct {
	done   chan struct{} // closed at its end; token and err may be read then
	cancel context.CancelFunc
	token  Token
	err    error
}

// NewSource returns a Source that has no token yet and has sent nothing.
func NewSource(o SourceOptions) *Source {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{}
	}
	if o.Every <= 0 {
		o.Every = loginEvery
	}
	if o.Retry.Tries <= 0 {
		o.Retry.Tries = defaultTries
	}
	c := clock{o.Now}
	return &Source{o: o, clock: c, server: serverClock{clock: c}}
}

// Token returns a live token: the one it has, else one obtained by refresh or login. When ctx ends, the call returns, and the
// renewal goes on for others. Errors: *LoginError, *keystore.CertificateError, errors of the network, ErrLoggedOut, ctx's.
func (s *Source) Token(ctx context.Context) (Token, error) {
	if err := ctx.Err(); err != nil {
		return Token{}, fmt.Errorf("getting a token: %w", err)
	}
	for {
		token, r, err := s.tokenOrRenewal()
		if r == nil {
			return token, err
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return Token{}, fmt.Errorf("waiting for a token: %w", ctx.Err())
		}
		// A 401 may have come in meanwhile for the very value that was being refreshed.
		if r.err != nil || !s.isDead(r.token) {
			return r.token, r.err
		}
	}
}

// tokenOrRenewal returns the token or the error that is at hand, else the renewal to wait for.
func (s *Source) tokenOrRenewal() (Token, *renewal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Token{}, nil, ErrLoggedOut
	}
	if h := s.held; h != nil && s.left(h) > 0 && (!s.due(h) || s.final != nil) {
		return h.Token, nil, nil
	}
	if s.final != nil {
		return Token{}, nil, s.final
	}
	if s.renewal == nil {
		// Nothing of the caller's context: it may be impatient while others wait, and an httptrace in it, by which the caller
		// learns whether its own request was sent, must not see the login. Every step of a renewal has its own limit.
		inner, cancel := context.WithCancel(context.Background())
		s.renewal = &renewal{done: make(chan struct{}), cancel: cancel}
		go s.run(inner, s.renewal)
	}
	return Token{}, s.renewal, nil
}

func (s *Source) isDead(t Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held != nil && s.held.Generation == t.Generation && s.held.dead
}

// Invalidate tells that a request with the token of this generation was answered with 401: that value is not used any more, and the
// next call of Token logs in. Nothing happens when the value has been replaced meanwhile.
func (s *Source) Invalidate(generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held; h != nil && h.since <= generation && generation <= h.Generation {
		h.dead = true
	}
}

// left is how long the token can still be used; 0 or less: it is dead. It stops short of the token's end by a margin.
func (s *Source) left(h *held) time.Duration {
	if h.dead {
		return 0
	}
	return h.life - min(margin, h.life/renewalPart/2) - s.clock.since(h.asked)
}

// due reports whether it is time to renew.
func (s *Source) due(h *held) bool {
	if h.pause > 0 && s.clock.since(h.resume) < h.pause {
		return false
	}
	return h.dead || h.life-s.clock.since(h.asked) <= min(h.life/renewalPart, earliest)
}
