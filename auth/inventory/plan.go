package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// renewal is what is to be done for a user whose certificates are given, the one that ends last first. It is due when the first of
// those that need it ends, since then the first login fails; one new certificate follows all of them.
func renewal(group []*Certificate) (Renewal, bool) {
	var old []*Certificate
	for _, c := range group {
		if c.needsRenewal(group) {
			old = append(old, c)
		}
	}
	if len(old) == 0 {
		return Renewal{}, false
	}
	due := old[len(old)-1]
	r := Renewal{User: due.User, Fingerprint: due.Fingerprint, NotAfter: due.NotAfter, DaysLeft: due.DaysLeft, Request: old[0].Successor == nil,
		Jobs: []string{}, Connections: []string{}, Steps: steps(old)}
	var owners, notes []string
	for _, c := range old {
		owners, notes = append(owners, c.Owner), append(notes, c.Note)
		r.Jobs = append(r.Jobs, c.Jobs...)
		for _, p := range c.Places {
			if name := or(p.Connection, p.Defined); p.inUse() && !slices.Contains(r.Connections, name) {
				r.Connections = append(r.Connections, name)
			}
		}
	}
	slices.Sort(r.Jobs)
	r.Jobs = slices.Compact(r.Jobs)
	r.Owner, r.Note = distinct(owners), distinct(notes)
	return r, true
}

// needsRenewal reports whether something is to be done lest a login fail for want of the certificate.
func (c *Certificate) needsRenewal(group []*Certificate) bool {
	switch c.State {
	case EndsSoon:
		return true
	case Ended:
		leftover := c.Successor == nil && len(connections(c)) == 0 && serves(group)
		return !leftover
	case Unusable:
		return !c.sound() && (c.Successor == nil || !c.Successor.InPlace)
	}
	return false
}

// serves reports whether one of them is good for a login.
func serves(group []*Certificate) bool {
	for _, c := range group {
		if c.State == OK || c.State == EndsSoon {
			return true
		}
	}
	return false
}

// steps are the way to a new certificate without a gap, for those of one user that need it, the one that ends last first.
func steps(old []*Certificate) []string {
	var steps, ends []string
	last, fresh := old[0], "the new certificate"
	if last.Successor == nil {
		steps = append(steps, "make a key and a request: "+last.request(), "have the certificate issued by a public authority that Anaplan supports, and look at it: anaplan-runner auth check CERTIFICATE")
	} else {
		fresh = last.Successor.File
	}
	for _, c := range slices.Backward(old) {
		ends = append(ends, day(c.NotAfter))
	}
	one := "one"
	if len(old) > 1 {
		one = "ones"
	}
	return append(steps,
		fmt.Sprintf("have %s uploaded by a tenant security administrator: %s", fresh, upload),
		fmt.Sprintf("overlap: put it %s, as a list; the one that ends last is used, and the other while Anaplan refuses it", into(old...)),
		"switch: anaplan-runner auth check --online says when the new one is accepted",
		fmt.Sprintf("remove the old %s, until %s, there and in Anaplan", one, strings.Join(ends, " and ")))
}

// compareRenewals puts first what a login uses, then what is due first; of those due together what jobs use, then who has no
// successor, for that takes longer.
func compareRenewals(x, y Renewal) int {
	return cmp.Or(trueFirst(x.used(), y.used()), x.NotAfter.Compare(y.NotAfter), trueFirst(len(x.Jobs) > 0, len(y.Jobs) > 0),
		trueFirst(x.Request, y.Request), cmp.Compare(x.User, y.User))
}

func (r Renewal) used() bool { return len(r.Jobs)+len(r.Connections) > 0 }

func trueFirst(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}
