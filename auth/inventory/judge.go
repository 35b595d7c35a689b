package inventory

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

const upload = "Administration > Security > Certificates" // anaplan-api.md 2.3

// succeed finds the successor among the user's certificates that end later, the last one first.
func (c *Certificate) succeed(later []*Certificate, now time.Time) {
	for _, s := range later {
		if !s.NotAfter.After(c.NotAfter) || s.NotAfter.Before(now) || !s.sound() {
			continue
		}
		serves := s.Usable && s.covers(c)
		if c.Successor == nil || serves {
			c.Successor = &Successor{Fingerprint: s.Fingerprint, Serial: s.Serial, NotAfter: s.NotAfter, File: s.File, InPlace: serves}
		}
		if serves {
			return // of several, one that serves already
		}
	}
}

// sound reports that nothing but time can keep the certificate from serving.
func (c *Certificate) sound() bool {
	for _, r := range c.Requirements {
		if r.Certain && !r.OK && r.Name != "validity" {
			return false
		}
	}
	return true
}

// covers reports whether c serves in every login that old is in. One that Anaplan refused serves in none of which it was refused,
// and where old is in no login, in none at all.
func (c *Certificate) covers(old *Certificate) bool {
	used := false
	for _, p := range old.Places {
		if !p.inUse() {
			continue
		}
		used = true
		if !slices.ContainsFunc(c.Places, func(o Place) bool {
			return o.inUse() && o.login() == p.login() && o.Problem == "" && !o.refused()
		}) {
			return false
		}
	}
	return used || !slices.ContainsFunc(c.Places, Place.refused)
}

// followed reports whether c, refused by Anaplan, is needed no more: its successor was accepted in every login that it is in.
func (c *Certificate) followed(group []*Certificate) bool {
	return c.Successor != nil && c.Successor.InPlace && slices.ContainsFunc(c.Places, Place.refused) && slices.ContainsFunc(group, func(s *Certificate) bool {
		return s.Fingerprint == c.Successor.Fingerprint && !slices.ContainsFunc(c.Places, func(p Place) bool {
			return p.inUse() && !slices.ContainsFunc(s.Places, func(o Place) bool { return o.inUse() && o.login() == p.login() && o.Online != nil && o.Online.Accepted })
		})
	})
}

// unused reports whether the certificate only lies about where connections log in with another.
func (c *Certificate) unused() bool {
	return slices.ContainsFunc(c.Places, func(p Place) bool { return p.Unused }) && !slices.ContainsFunc(c.Places, Place.inUse)
}

// judge gives the certificate its state and what to do. Successors are known.
func (c *Certificate) judge(group []*Certificate, now time.Time) {
	refusal := c.refusal()
	switch {
	case c.Report == nil && c.Places[0].Locked:
		c.State = NotChecked
	case c.Report == nil:
		c.State = Unreadable
	case c.unused(), c.Usable && c.followed(group):
		c.State = Replaced
	case now.After(c.NotAfter) || c.Usable && c.Expiring:
		switch {
		case c.Successor != nil && c.Successor.InPlace:
			c.State = Replaced
		case now.After(c.NotAfter):
			c.State = Ended
		default:
			c.State = EndsSoon
		}
	case now.Before(c.NotBefore) && c.sound() && c.placeProblem() == "":
		c.State = NotYetValid
		if slices.ContainsFunc(group, func(o *Certificate) bool { return o.Usable && o.covers(c) }) {
			c.Problem, c.Next = "", ""
		}
	case c.Problem != "":
		c.State = Unusable
	case refusal != nil:
		c.State = Refused
	default:
		c.State = OK
	}
	if refusal != nil && c.State != Replaced && c.Problem == "" {
		c.State, c.Problem, c.Next = Refused, refusal.Problem, refusal.Next
	}
	c.Todo = c.todo()
}

func (c *Certificate) placeProblem() string {
	for _, p := range c.Places {
		if p.Problem != "" {
			return p.Problem
		}
	}
	return ""
}

// refusal is the first login that Anaplan did not accept, nil if there is none.
func (c *Certificate) refusal() *Login {
	for _, p := range c.Places {
		if p.Online != nil && !p.Online.Accepted {
			return p.Online
		}
	}
	return nil
}

// todo is what to do now.
func (c *Certificate) todo() string {
	switch c.State {
	case Unreadable, Unusable, Refused:
		return c.Next
	case NotYetValid:
		if c.Problem == "" {
			return ""
		}
		return c.Next
	case NotChecked:
		return c.Places[0].Next
	case Replaced:
		where := "its file"
		if names := connections(c); len(names) > 0 {
			where = "it from " + strings.Join(names, ", ")
		}
		switch {
		case c.unused() && c.Key == KeyMatches:
			return "no login uses it, for another user's of its key is in its file: leave those of one user in " + c.File
		case c.Successor == nil || !c.Successor.InPlace:
			return "no login uses it: remove its file"
		case slices.ContainsFunc(c.Places, Place.refused):
			return fmt.Sprintf("Anaplan refuses it, and its successor, until %s, is in place: remove %s", day(c.Successor.NotAfter), where)
		}
		return fmt.Sprintf("its successor, until %s, is in place: after %s remove %s, and it in Anaplan", day(c.Successor.NotAfter), day(c.NotAfter), where)
	case Ended, EndsSoon:
		if c.Successor != nil {
			return fmt.Sprintf("it has a successor, until %s, in %s: have it uploaded (%s), and put it %s", day(c.Successor.NotAfter), c.Successor.File, upload, into(c))
		}
		return "renew it: " + c.request()
	}
	return ""
}

// connections are the names of those that certificates are in.
func connections(all ...*Certificate) []string {
	var names []string
	for _, c := range all {
		for _, p := range c.Places {
			name := "connection " + p.Connection
			if p.Connection == "" {
				name = "the login of " + p.Defined
			}
			if p.inUse() && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// into says where a successor goes.
func into(old ...*Certificate) string {
	names := connections(old...)
	switch {
	case len(names) == 0:
		return "where " + this(old) + " used"
	case len(old) == 1:
		return "beside this one in " + strings.Join(names, ", ")
	}
	return "beside these in " + strings.Join(names, ", ")
}

func this(old []*Certificate) string {
	if len(old) == 1 {
		return "this one is"
	}
	return "these are"
}

// request is the command that begins a renewal. It can read an old certificate in a PEM file: a key store has a password.
func (c *Certificate) request() string {
	old := c.File
	store := slices.Contains([]string{".p12", ".pfx", ".jks", ".keystore"}, strings.ToLower(filepath.Ext(old))) || slices.ContainsFunc(c.Places, func(p Place) bool { return p.File == old && p.Alias != "" })
	if store || strings.HasPrefix(old, "vault:") || strings.HasPrefix(old, "env:") || strings.HasPrefix(old, "cmd:") {
		return fmt.Sprintf("anaplan-runner auth request --email %s --out NAME", keystore.Quoted(c.User))
	}
	return fmt.Sprintf("anaplan-runner auth request --renew %s --out NAME", keystore.Quoted(old))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
