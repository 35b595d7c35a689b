package proxy

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"
)

// credential is a login at a proxy.
type credential struct{ proxy, user, password string }

// Logins keep a wrong password from being sent more than once, for a proxy may lock the user after a few: one that has not worked
// just now is tried by one connection at a time, and the others wait for what becomes of it; one that was refused is not sent again.
// The zero Logins know nothing. They may be shared by several Dialers, and used by several goroutines. They must not be copied.
type Logins struct {
	mu    sync.Mutex
	known map[credential]*standing
}

// justNow is how long a login that worked is taken to work still: the password may be changed at any time.
const justNow = 10 * time.Second

// standing is what is known of a login. The zero one: nothing.
type standing struct {
	worked  time.Time     // when it did last
	refused *Error        // what was answered when it did not
	trying  chan struct{} // closed when who tries it is done; nil: nobody does
}

// of is what is known of a login. mu is held.
func (l *Logins) of(as credential) *standing {
	s := l.known[as]
	if s == nil {
		s = &standing{}
		if l.known == nil {
			l.known = map[credential]*standing{}
		}
		l.known[as] = s
	}
	return s
}

func (l *Logins) accept(as credential) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(as)
	s.worked, s.refused = time.Now(), nil
}

func (l *Logins) refuse(as credential, answer *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(as).refused = answer
}

// refusal is what a proxy answered to a login that it refused, else nil.
func (l *Logins) refusal(as credential) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(as).refused
}

// turn waits until a login may be sent. If done is not nil it may, and done must be called, once or more, when the answer was told
// by accept or refuse, or there is none; else it was refused. The error is ctx's.
func (l *Logins) turn(ctx context.Context, as credential) (done func(), err error) {
	for {
		l.mu.Lock()
		s := l.of(as)
		wait := s.trying
		switch {
		case s.refused != nil:
			l.mu.Unlock()
			return nil, nil
		case !s.worked.IsZero() && time.Since(s.worked) < justNow:
			l.mu.Unlock()
			return func() {}, nil
		case wait == nil:
			s.trying = make(chan struct{})
			l.mu.Unlock()
			return sync.OnceFunc(func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				close(s.trying)
				s.trying = nil
			}), nil
		}
		l.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// login is who we are to a proxy; ok is false if nobody. Its error is that of Options.Password.
func (d *Dialer) login(via *url.URL) (as credential, ok bool, err error) {
	as.proxy = Name(via)
	if d.o.User == "" {
		if via.User == nil || via.User.Username() == "" {
			return as, false, nil
		}
		as.user = via.User.Username()
		as.password, _ = via.User.Password()
		return as, true, nil
	}
	as.user = d.o.User
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.password == nil && d.o.Password != nil {
		word, err := d.o.Password()
		if err != nil {
			return as, false, err
		}
		d.password = &word
	}
	if d.password != nil {
		as.password = *d.password
	}
	return as, true, nil
}

// login is who we are to the proxy; known is false if nobody. For one that was refused, its error is returned until there is another
// password.
func (t *tunnel) login() (as credential, known bool, err error) {
	for range 2 {
		if as, known, err = t.dialer.login(t.via); err != nil {
			return as, false, t.fail(Login, "needs a password, which cannot be had", err, "correct proxy_password")
		}
		before := t.dialer.o.Logins.refusal(as)
		if !known || before == nil {
			return as, known, nil
		}
		e := *before
		e.Host, err = t.target, &e
		t.dialer.afresh()
	}
	return as, false, err
}

// turn waits until we may log in, with another password if this one is refused meanwhile. done must be called when it is known what
// became of it.
func (t *tunnel) turn(ctx context.Context, as credential) (_ credential, done func(), err error) {
	for {
		done, err = t.dialer.o.Logins.turn(ctx, as)
		switch {
		case errors.Is(err, context.Canceled):
			return as, nil, err
		case err != nil:
			return as, nil, t.fail(Unreachable, "has not answered another login of "+as.user+" yet, for which this one waits", err, "see that the proxy is well")
		case done != nil:
			return as, done, nil
		}
		if as, _, err = t.login(); err != nil {
			return as, nil, err
		}
	}
}

// afresh makes the next login fetch the password again, once between two that worked.
func (d *Dialer) afresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.again && d.o.Password != nil {
		d.again, d.password = true, nil
	}
}

// way is how a proxy wants us to log in, as far as is known: "" not yet.
func (d *Dialer) way(proxy string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.o.Auth != "" {
		return d.o.Auth
	}
	return d.learned[proxy]
}

// learn notes that a login worked.
func (d *Dialer) learn(as credential, way string) {
	d.o.Logins.accept(as)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learned[as.proxy], d.again = way, false
}
