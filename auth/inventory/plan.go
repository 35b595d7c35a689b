package inventory

import (
	"cmp"
	"fmt"
)

// renewal is what is to be done for a user whose certificates are given, the one that ends last first.
func renewal(group []*Certificate) (Renewal, bool) {
	for _, c := range group {
		bad := c.State == Unusable && !c.sound()
		if c.State != Ended && c.State != EndsSoon && !bad {
			continue
		}
		if bad && c.Successor != nil && c.Successor.InPlace {
			continue
		}
		r := Renewal{User: c.User, Fingerprint: c.Fingerprint, NotAfter: c.NotAfter, DaysLeft: c.DaysLeft, Owner: c.Owner, Note: c.Note, Jobs: c.Jobs,
			Connections: c.names(), Request: c.Successor == nil}
		if r.Request && c.State == Ended && len(r.Connections) == 0 && serves(group) {
			continue // a leftover
		}
		r.Steps = c.steps()
		return r, true
	}
	return Renewal{}, false
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

// steps are the way to a new certificate without a gap.
func (c *Certificate) steps() []string {
	var steps []string
	fresh := "the new certificate"
	if c.Successor == nil {
		steps = append(steps, "make a key and a request: "+c.request(), "have the certificate issued by a public authority that Anaplan supports, and look at it: anaplan-runner auth check CERTIFICATE")
	} else {
		fresh = c.Successor.File
	}
	steps = append(steps,
		fmt.Sprintf("have %s uploaded by a tenant security administrator: %s", fresh, upload),
		fmt.Sprintf("overlap: put it %s, as a list; the one that ends last is used, and the other while Anaplan refuses it", c.into()),
		"switch: anaplan-runner auth check --online says when the new one is accepted")
	return append(steps, fmt.Sprintf("remove the old one, until %s, there and in Anaplan", day(c.NotAfter)))
}

// compareRenewals puts first who has no successor, then what jobs use, then what ends first.
func compareRenewals(x, y Renewal) int {
	return cmp.Or(falseFirst(!x.Request, !y.Request), falseFirst(len(x.Jobs) == 0, len(y.Jobs) == 0), x.NotAfter.Compare(y.NotAfter), cmp.Compare(x.User, y.User))
}

func falseFirst(x, y bool) int {
	switch {
	case x == y:
		return 0
	case y:
		return -1
	}
	return 1
}
