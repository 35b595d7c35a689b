package cli

import (
	"crypto/x509"
	"errors"
	"slices"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// looked is a connection, or a file that stands for one, while its certificates are looked at.
type looked struct {
	*loading
	k     *checking
	conn  checkedConnection
	at    inventory.Place
	named bool // files of the command line
	// keyless: no key is given. In a file that is named, or met, none need be.
	keyless bool
	// Of one that was met: certificates, keys, and a key's own password, that are not fetched.
	lockedUp, withheld, ownPassword bool
}

// connection looks at each certificate that a connection may log in with, or a file that
// stands for one. What belongs together is found as a run finds it.
func (k *checking) connection(conn checkedConnection) {
	o := &looked{k: k, conn: conn, named: conn.Name == "" && conn.File == "",
		at:      inventory.Place{Connection: conn.Name, Owner: conn.Owner, Note: conn.Note, Defined: absolute(conn.File), Jobs: k.uses[loginOfPlace(conn.Connection)]},
		loading: &loading{p: k.p, conn: conn.Connection, quiet: true, most: mostFiles, unasked: conn.met}}
	certificates, keys, err := o.files()
	if err != nil {
		o.fails(conn.Certificates.First(), err)
		return
	}
	if conn.met {
		certificates, keys = o.lockUp(certificates, keys)
	}
	o.keyless = !slices.ContainsFunc(slices.Concat(keys, inFolders(certificates)), func(m material) bool { return m.may(holdsKey) })
	o.pair(certificates, keys)
	o.pairs()
	o.troubles()
	for _, m := range o.over {
		ids, _ := o.alone(m.text)
		for _, id := range ids {
			place := o.place(m.text)
			place.Key, place.Unused = inventory.KeyNotGiven, true
			k.b.Add(id, place)
		}
	}
}

// lockUp leaves out what a program is run or a vault asked for.
func (o *looked) lockUp(certificates, keys []material) (left, leftKeys []material) {
	for _, m := range certificates {
		if !needsMore(m.text) {
			left = append(left, m)
			continue
		}
		place := o.place(m.text)
		place.Key, place.Locked, place.Problem = inventory.KeyNotGiven, true, "it is not fetched, for its connection was met in a folder"
		place.Next = "name the file of the connection: auth check " + o.conn.File
		o.k.b.Add(nil, place)
		o.lockedUp = true
	}
	leftKeys = slices.DeleteFunc(slices.Clone(keys), func(m material) bool { return needsMore(m.text) })
	o.withheld, o.ownPassword = len(leftKeys) < len(keys), needsMore(o.conn.KeyPassphrase)
	for _, password := range []*string{&o.loading.conn.Passphrase, &o.loading.conn.KeyPassphrase} {
		if needsMore(*password) {
			*password = ""
		}
	}
	return left, leftKeys
}

// needsMore reports whether a program is run, or a vault asked, to have what a text means.
func needsMore(text string) bool {
	ref, err := secret.ParseRef(text)
	return err == nil && (ref.Scheme == secret.Cmd || ref.Scheme == secret.Vault)
}

func inFolders(all []material) []material {
	return slices.DeleteFunc(slices.Clone(all), func(m material) bool { return !m.folder })
}

// may reports whether a file may hold what is wanted: one that is named, or one of a folder that does.
func (m material) may(hold func(inventory.Content) bool) bool {
	if !m.folder {
		return true
	}
	content, ok := lookInto(m.text)
	return ok && hold(content)
}

func holdsCertificate(c inventory.Content) bool { return len(c.Certificates) > 0 || c.Store }

func holdsKey(c inventory.Content) bool { return len(c.Keys) > 0 || c.Encrypted > 0 }

// place is that of a file or a reference.
func (o *looked) place(text string) inventory.Place {
	place := o.at
	place.File = text
	if !isReference(text) {
		place.File = pathOf(o.conn.Dir, text)
	}
	return place
}

// pairs shows the certificates that may log in, and tries them if that is wanted.
func (o *looked) pairs() {
	now := o.k.b.Now
	_, users := auth.Choose(o.identities(), now)
	for _, one := range o.found {
		place := o.place(one.certificate)
		place.Key, place.KeyFile, place.Alias = inventory.KeyMatches, one.key, one.Alias
		switch {
		case errors.Is(users, keystore.SeveralUsers) && !now.After(one.Leaf.NotAfter):
			f := explain(users)
			place.Problem, place.Next = f.what, f.next
		case o.k.c.Bool("online") && !o.conn.met && place.Defined != "" && one.Check(now) == nil:
			place.Online = o.k.login(o.conn.Connection, one.Identity)
		}
		o.k.b.Add(one.Identity, place)
	}
	for _, one := range o.others {
		place := o.place(one.certificate)
		place.Key, place.KeyFile, place.Alias, place.Unused = inventory.KeyMatches, one.key, one.Alias, true
		o.k.b.Add(one.Identity, place)
	}
}

// troubles shows what is wrong with files. What is wrong with keys is said of the
// certificates that lack theirs; where none does, it is only told, as a run tells it.
func (o *looked) troubles() {
	var ofKeys error
	var over []error
	for _, one := range o.problems {
		switch {
		case !one.key:
		case ofKeys == nil && !errors.Is(one.err, keystore.Mismatch):
			ofKeys = one.err
		default:
			over = append(over, one.err)
		}
	}
	shown, lonely := len(o.found) > 0 || o.lockedUp, false
	for _, one := range o.problems {
		err := one.err
		switch {
		case one.key:
			continue
		case !one.may(holdsCertificate):
			over = append(over, err)
			continue
		case ofKeys != nil && errors.Is(err, keystore.NoKey):
			err, lonely = ofKeys, true
		}
		o.trouble(one.text, err)
		shown = true
	}
	if ofKeys != nil && !lonely {
		over = append(over, ofKeys)
	}
	if !shown {
		o.fails(o.conn.Certificates.First(), o.nothing())
		return
	}
	for _, err := range over {
		if !o.conn.met { // of that little can be known
			o.k.p.log.Warn(passedOver(err))
		}
	}
}

// trouble shows the certificates of a file with which something is wrong.
func (o *looked) trouble(certificate string, err error) {
	place := o.place(certificate)
	place.Key = inventory.KeyNotGiven
	ids, aloneErr := o.alone(certificate)
	lone := errors.Is(err, keystore.NoKey)
	switch {
	case lone && o.keyless && (o.named || o.conn.met), o.withheld && (lone || errors.Is(err, keystore.Mismatch)):
		err = nil // a file alone may well be without its key
	case o.named && errors.Is(err, keystore.SeveralKeys) && len(ids) > 0:
		err = nil // nobody logs in with all of them
	case o.ownPassword && errors.Is(err, keystore.WrongPassphrase):
		err = keystore.PassphraseMissing
	}
	if err == nil && len(ids) == 0 {
		err = aloneErr
	}
	switch {
	case err == nil:
	case o.conn.met && errors.Is(err, keystore.PassphraseMissing):
		place.Key, place.Locked = inventory.KeyEncrypted, len(ids) == 0
		if place.Locked {
			place.Problem, place.Next = "it cannot be looked into without a passphrase", "name the file, and give --passphrase"
		}
	default:
		place = failedPlace(place, err)
	}
	for _, id := range ids {
		one := place
		if one.Alias = id.Alias; id.Signer != nil {
			one.Key = inventory.KeyMatches
		}
		o.k.b.Add(id, one)
	}
	switch {
	case len(ids) == 0:
		o.k.b.Add(nil, place)
	case aloneErr != nil: // one entry of several
		o.fails(certificate, aloneErr)
	}
}

// fails shows a file of which nothing can be read.
func (o *looked) fails(certificate string, err error) {
	o.k.b.Add(nil, failedPlace(o.place(certificate), err))
}

// failedPlace is a place with what is wrong with it.
func failedPlace(place inventory.Place, err error) inventory.Place {
	f := explain(err)
	place.Key, place.Problem, place.Next, place.Temporary = inventory.KeyFailed, f.what, f.next, f.code == ledger.CodeTemporary
	return place
}

// authorityOnly says that a certificate of a folder is none that logs in: an authority's, with no address.
func authorityOnly(c *x509.Certificate) bool {
	return c.IsCA && len((&keystore.Identity{Leaf: c}).Emails()) == 0
}
