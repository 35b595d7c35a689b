package auth

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// Choose returns the identities that can log in at the time now, in the order in which they should: those that name a user and were
// issued by another first, for a placeholder, as a key is made with in a store, may be valid for long; of these the one that ends last;
// of those that end together, the one that began last; then by fingerprint. Each is there once. It is pure.
//
// The error is a *keystore.CertificateError, and no identity is returned with it: when none can log in, and when those that have not
// ended yet would log in as several users.
func Choose(ids []*keystore.Identity, now time.Time) ([]*keystore.Identity, error) {
	all := slices.Clone(ids)
	slices.SortFunc(all, byUse)
	all = slices.CompactFunc(all, func(a, b *keystore.Identity) bool { return bytes.Equal(a.Leaf.Raw, b.Leaf.Raw) })
	if len(all) == 0 {
		return nil, &keystore.CertificateError{Problem: keystore.Missing, What: "no certificate with its private key is given", Next: "name the files of both"}
	}
	if err := oneUser(all, now); err != nil {
		return nil, err
	}
	var usable []*keystore.Identity
	var why []error
	for _, id := range all {
		if err := id.Check(now); err != nil {
			why = append(why, err)
			continue
		}
		usable = append(usable, id)
	}
	if len(usable) == 0 {
		return nil, noneUsable(why)
	}
	return usable, nil
}

// OfOneUser parts the certificates of one key in one file, where an old one of a user of another name may still stand: those of the user
// of the one that Choose would put first at the time now, or if none can log in then, that is to be used first, with those that name
// nobody; and the others.
func OfOneUser(ids []*keystore.Identity, now time.Time) (same, others []*keystore.Identity) {
	if len(ids) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(ids, func(a, b *keystore.Identity) int {
		return cmp.Or(cmp.Compare(unfit(a, now), unfit(b, now)), byUse(a, b))
	})
	for _, id := range ids {
		if id == first || len(first.Emails()) == 0 || len(id.Emails()) == 0 || sameUser(first, id) {
			same = append(same, id)
		} else {
			others = append(others, id)
		}
	}
	return same, others
}

func unfit(id *keystore.Identity, now time.Time) int {
	if id.Check(now) != nil {
		return 1
	}
	return 0
}

func byUse(a, b *keystore.Identity) int {
	return cmp.Or(cmp.Compare(lacks(a), lacks(b)), b.Leaf.NotAfter.Compare(a.Leaf.NotAfter), b.Leaf.NotBefore.Compare(a.Leaf.NotBefore), fingerprint(a).compare(fingerprint(b)))
}

// lacks is how unlikely it is that Anaplan knows a certificate: without an address most, then one that is self-signed.
func lacks(id *keystore.Identity) int {
	switch {
	case len(id.Emails()) == 0:
		return 2
	case id.Placeholder():
		return 1
	}
	return 0
}

// A sum is the fingerprint of a certificate.
type sum [sha256.Size]byte

func fingerprint(id *keystore.Identity) sum { return sha256.Sum256(id.Leaf.Raw) }

func (s sum) compare(o sum) int { return bytes.Compare(s[:], o[:]) }

// oneUser refuses certificates of several users: a run would go on as somebody else when one of them ends, without the files that it
// uploaded, which are private to their user. What has ended logs nobody in, and what names nobody is refused by Anaplan anyway.
func oneUser(ids []*keystore.Identity, now time.Time) error {
	var first *keystore.Identity
	for _, id := range ids {
		switch {
		case len(id.Emails()) == 0 || now.After(id.Leaf.NotAfter):
		case first == nil:
			first = id
		case !sameUser(first, id):
			return &keystore.CertificateError{Problem: keystore.SeveralUsers,
				What: fmt.Sprintf("the certificates of one connection would log in as several users: %s and %s", About(first), About(id)),
				Next: "leave the certificates of one user here, and give the other user a connection of its own: no run may go on as somebody else when a certificate is renewed"}
		}
	}
	return nil
}

// sameUser reports whether certificates name the same user first, or the same addresses in another order, as a renewed one may. One
// address that both have does not do: which of several Anaplan takes is not known.
func sameUser(a, b *keystore.Identity) bool {
	x, y := a.LoginAddresses(), b.LoginAddresses()
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	if x[0] == y[0] {
		return true
	}
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

const mostNamed = 5

// noneUsable is the error of certificates none of which can log in: what is wrong with each, what to do about the first.
func noneUsable(why []error) error {
	if len(why) == 1 {
		return why[0]
	}
	out := keystore.CertificateError{Problem: keystore.Missing}
	var texts []string
	for i, err := range why {
		if e, ok := err.(*keystore.CertificateError); ok && i == 0 {
			out.Problem, out.Next = e.Problem, e.Next
		}
		if i < mostNamed {
			texts = append(texts, err.Error())
		}
	}
	if n := len(why) - mostNamed; n > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", n))
	}
	out.What = fmt.Sprintf("none of %d certificates can log in: %s", len(why), strings.Join(texts, "; "))
	return &out
}
