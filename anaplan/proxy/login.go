package proxy

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"
)

// credential is a login at a proxy. way is that of Options.Auth by which the password is shown; "" where there is only one.
type credential struct{ proxy, user, password, way string }

// Logins keep a wrong password from being sent again and again, for a proxy may lock the user after a few: one that has not worked
// just now is tried by one connection at a time, and the others wait for what becomes of it; one that was refused is not sent again.
// They do not wait for ever, since a proxy that reaches out to a dead host is silent, too: where it takes seconds to refuse a
// password, this may be sent a few times. The zero Logins know nothing. They may be shared by several Dialers, and used by several
// goroutines. They must not be copied. Connections that are made by other means are unknown to them.
type Logins struct {
	mu    sync.Mutex
	known map[credential]*standing
}

const (
	// justNow is how long a login that worked is taken to work still: the password may be changed at any time. And it is how long one
	// is not sent that a proxy ended the connection on.
	justNow = 10 * time.Second
	// patience is how long one connection tries a login that never worked before it is another's turn: most proxies refuse at once.
	patience = 5 * time.Second
	// moment is the same for a login that did work, or was met with silence already.
	moment = time.Second
	// waitMost is how long one connection waits for its turn with a login that never worked. If it did, that is a moment.
	waitMost = 10 * time.Second
)

// standing is what is known of a login. The zero one: nothing.
type standing struct {
	worked  time.Time     // when it did last
	refused *Error        // what was answered when it did not
	ended   *Error        // it was answered by the end of the connection, and has never worked
	endedAt time.Time     // when
	trying  chan struct{} // closed when who tries it is done; nil: nobody does
	since   time.Time     // when that one began
	silent  bool          // one that tried it had no answer in time
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
	s.worked, s.refused, s.ended = time.Now(), nil, nil
}

func (l *Logins) refuse(as credential, answer *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(as).refused = answer
}

// worked says whether a login ever did.
func (l *Logins) worked(as credential) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.of(as).worked.IsZero()
}

// doubt notes that a proxy ended the connection on a login, which some do instead of refusing it.
func (l *Logins) doubt(as credential, e *Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.of(as); s.worked.IsZero() {
		s.ended, s.endedAt = e, time.Now()
	}
}

// refusal is what a proxy answered to a login that it refused, else nil.
func (l *Logins) refusal(as credential) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(as).refused
}

// turn waits until a login may be sent. If done is not nil it may, and done must be called, once or more, when the answer was told
// by accept, refuse or doubt, or there is none; else it was refused. The error is ctx's, or that of a login in doubt.
func (l *Logins) turn(ctx context.Context, as credential) (done func(), err error) {
	began := time.Now()
	for {
		wait, left, done, err := l.next(as, time.Since(began))
		if wait == nil {
			return done, err
		}
		select {
		case <-wait:
		case <-time.After(left):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// next is what turn returns to who waited that long, or what it waits for, and how long.
func (l *Logins) next(as credential, waited time.Duration) (wait <-chan struct{}, left time.Duration, done func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(as)
	lasts, most := patience, waitMost
	if s.silent {
		lasts = moment
	}
	if !s.worked.IsZero() {
		lasts, most = moment, moment
	}
	switch {
	case s.refused != nil:
		return nil, 0, nil, nil
	case s.ended != nil && time.Since(s.endedAt) < justNow:
		return nil, 0, nil, s.ended
	case !s.worked.IsZero() && time.Since(s.worked) < justNow, s.trying != nil && waited >= most:
		return nil, 0, func() {}, nil
	case s.trying != nil && time.Since(s.since) < lasts:
		return s.trying, min(lasts-time.Since(s.since), most-waited), nil, nil
	}
	mine := make(chan struct{})
	s.silent = s.silent || s.trying != nil
	s.trying, s.since = mine, time.Now()
	return nil, 0, sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(mine)
		if s.trying == mine {
			s.trying = nil
		}
	}), nil
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

// login is who we are to the proxy, by a way of logging in; known is false if nobody. For one that was refused, its error is returned
// until there is another password.
func (t *tunnel) login(way string) (as credential, known bool, err error) {
	for range 2 {
		if as, known, err = t.dialer.login(t.via); err != nil {
			return as, false, t.fail(Login, "needs a password, which cannot be had", err, "correct proxy_password")
		}
		as.way = way
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
		ended, inDoubt := errors.AsType[*Error](err)
		switch {
		case inDoubt:
			e := *ended
			e.Host = t.target
			return as, nil, &e
		case errors.Is(err, context.Canceled):
			return as, nil, err
		case err != nil:
			return as, nil, t.fail(Unreachable, "has not answered another login of "+as.user+" yet, for which this one waits", err, "see that the proxy is well")
		case done != nil:
			return as, done, nil
		}
		if as, _, err = t.login(as.way); err != nil {
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
func (d *Dialer) learn(as credential) {
	d.o.Logins.accept(as)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learned[as.proxy], d.again = as.way, false
}
