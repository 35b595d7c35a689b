package cli

import (
	"context"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// login logs in with one certificate of a connection, asks who that is, and logs out.
func (k *checking) login(conn configs.Connection, id *keystore.Identity) *inventory.Login {
	t := k.p.tenantsAt(conn)
	t.asked, t.unending, t.only = true, true, id // the result says the first two
	defer t.Close()
	var session auth.Session
	one, err := t.tenant("")
	if err == nil {
		err = k.space(one.Host, or(append(id.Emails(), keystore.Name(id.Leaf))...))
	}
	if err == nil {
		session, err = one.Source.Validate(k.ctx)
	}
	if err == nil {
		return &inventory.Login{Accepted: true, User: session.User}
	}
	f := explain(err)
	if f.code == ledger.CodeTemporary {
		return &inventory.Login{Temporary: true, Problem: "it could not be tried: " + f.what, Next: or(f.next, "try again later")}
	}
	return &inventory.Login{Problem: strings.TrimSpace(f.what), Next: f.next}
}

// betweenLogins is how far apart logins of one user are, as those of one run are.
const betweenLogins = 10 * time.Second

// space waits until a user may log in again: each certificate here has a login of its own, which does not know of the others.
func (k *checking) space(host, user string) error {
	who := host + " " + user
	if last, ok := k.logins[who]; ok {
		wait := time.Duration(float64(betweenLogins)/k.p.simulatorSpeed(host)) - time.Since(last)
		select {
		case <-time.After(wait):
		case <-k.ctx.Done():
			return context.Cause(k.ctx)
		}
	}
	k.logins[who] = time.Now()
	return nil
}
