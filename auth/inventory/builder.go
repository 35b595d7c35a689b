package inventory

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// A Builder collects what was found. Its fields are set before the first Add. It is for one goroutine.
type Builder struct {
	Now      time.Time
	WarnDays int // certificates that end in fewer days need attention

	Files, OtherFiles, Jobs int // for the summary

	entries []*Certificate
	known   map[string]*Certificate // by fingerprint
}

// Add tells of a certificate at a place, or with a nil identity of a place where none could be read: then it has a problem, or is
// locked. The identity is not kept.
func (b *Builder) Add(id *keystore.Identity, place Place) {
	if id == nil {
		b.entries = append(b.entries, &Certificate{Places: []Place{place}})
		return
	}
	r := auth.CheckCertificate(id, b.Now)
	c := b.known[r.Fingerprint]
	if c == nil {
		r.Subject, r.Issuer = keystore.Subject(id.Leaf.Subject), keystore.Subject(id.Leaf.Issuer)
		c = &Certificate{Report: &r, User: r.Subject, users: id.LoginAddresses()}
		if len(r.Emails) > 0 {
			c.User = r.Emails[0]
		}
		if b.known == nil {
			b.known = map[string]*Certificate{}
		}
		b.known[r.Fingerprint] = c
		b.entries = append(b.entries, c)
	}
	for _, w := range id.Warnings {
		if !slices.Contains(c.Warnings, w) {
			c.Warnings = append(c.Warnings, w)
		}
	}
	if !slices.ContainsFunc(c.Places, func(o Place) bool {
		return o.File == place.File && o.login() == place.login() && o.Alias == place.Alias
	}) {
		c.Places = append(c.Places, place)
	}
}

// Len is how many entries there are.
func (b *Builder) Len() int { return len(b.entries) }

// Build returns what was found, in order. It may be called once.
func (b *Builder) Build() *Inventory {
	inv := &Inventory{Schema: 1, WarnDays: b.WarnDays, At: b.Now.UTC(), Certificates: []Certificate{}, Plan: []Renewal{},
		Summary: Summary{Files: b.Files, OtherFiles: b.OtherFiles, Jobs: b.Jobs}}
	users, named := map[string][]*Certificate{}, map[string]string{}
	for _, c := range b.entries {
		c.gather(b.WarnDays)
		if c.Report != nil {
			inv.Summary.Certificates++
			c.group = c.groupIn(named)
			users[c.group] = append(users[c.group], c)
		}
	}
	inv.Summary.Users = len(users)
	for _, group := range users {
		// The one that ends last first; equal ends in a fixed order.
		slices.SortFunc(group, func(x, y *Certificate) int {
			return cmp.Or(y.NotAfter.Compare(x.NotAfter), cmp.Compare(x.Fingerprint, y.Fingerprint))
		})
		for i, c := range group {
			c.succeed(group[:i], b.Now)
		}
	}
	for _, c := range b.entries {
		c.judge(users[c.group], b.Now)
		inv.count(c)
	}
	for _, group := range users {
		if r, ok := renewal(group); ok {
			inv.Plan = append(inv.Plan, r)
		}
	}
	slices.SortFunc(inv.Plan, compareRenewals)
	slices.SortStableFunc(b.entries, compareUrgency)
	for _, c := range b.entries {
		inv.Certificates = append(inv.Certificates, *c)
	}
	return inv
}

// groupIn is the user whose certificate it is: of the same addresses, in whatever order, it is the same.
func (c *Certificate) groupIn(named map[string]string) string {
	all := strings.Join(slices.Compact(slices.Sorted(slices.Values(c.users))), "\x00")
	if all == "" {
		return strings.ToLower(c.User)
	}
	if named[all] == "" {
		named[all] = strings.ToLower(c.User)
	}
	return named[all]
}

func (inv *Inventory) count(c *Certificate) {
	switch {
	case c.Fails():
		inv.Summary.Failing++
	case c.State == EndsSoon:
		inv.Summary.EndsSoon++
	case c.State == NotChecked:
		inv.Summary.NotChecked++
	case c.State == Replaced:
		inv.Summary.Replaced++
	default:
		inv.Summary.OK++
	}
}

// gather takes from the places what holds for the whole.
func (c *Certificate) gather(warn int) {
	c.Key, c.Jobs = KeyNotGiven, []string{}
	first := c.Places[max(0, slices.IndexFunc(c.Places, Place.inUse))]
	c.Connection, c.File = first.Connection, first.File
	var owners, notes []string
	rank := []Key{KeyNotGiven, KeyEncrypted, KeyMatches, KeyFailed}
	for i := range c.Places {
		p := &c.Places[i]
		if p.Key == "" {
			p.Key = KeyNotGiven
		}
		if slices.Index(rank, p.Key) > slices.Index(rank, c.Key) {
			c.Key = p.Key
		}
		if c.Problem == "" && p.Problem != "" {
			c.Problem, c.Next = p.Problem, p.Next
		}
		c.Jobs = append(c.Jobs, p.Jobs...)
		owners, notes = append(owners, p.Owner), append(notes, p.Note)
	}
	slices.Sort(c.Jobs)
	c.Jobs = slices.Compact(c.Jobs)
	c.Owner, c.Note = distinct(owners), distinct(notes)
	c.KeyChecked = c.Key == KeyMatches || c.Key == KeyFailed && c.Report == nil
	if c.Report != nil {
		c.Report.KeyMatches = c.Key == KeyMatches
		c.Expiring = c.DaysLeft < warn
		if c.Report.Problem != "" {
			c.Problem, c.Next = c.Report.Problem, c.Report.Next
		}
	}
	c.Usable = c.Problem == "" && c.Report != nil
}

func distinct(texts []string) string {
	var all []string
	for _, t := range texts {
		if t != "" && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return strings.Join(all, "; ")
}

// compareUrgency puts what needs attention first, then what ends first.
func compareUrgency(x, y *Certificate) int {
	if d := cmp.Compare(x.rank(), y.rank()); d != 0 {
		return d
	}
	if x.Report == nil || y.Report == nil {
		return cmp.Or(cmp.Compare(reported(x), reported(y)), cmp.Compare(x.File, y.File))
	}
	return cmp.Or(x.NotAfter.Compare(y.NotAfter), cmp.Compare(x.User, y.User), cmp.Compare(x.Fingerprint, y.Fingerprint))
}

func (c *Certificate) rank() int {
	switch {
	case c.Fails():
		return 0
	case c.State == EndsSoon:
		return 1
	case c.State == NotChecked:
		return 2
	case c.State == Replaced:
		return 4
	}
	return 3
}

func reported(c *Certificate) int {
	if c.Report == nil {
		return 0
	}
	return 1
}
