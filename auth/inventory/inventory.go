package inventory

import (
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth"
)

// A Key is what is known of the private key of a certificate at one place.
type Key string

// What can be known of a key.
const (
	KeyMatches   Key = "matches"   // it is there, and belongs to the certificate
	KeyNotGiven  Key = "not given" // there is none
	KeyEncrypted Key = "encrypted" // there are keys that could not be looked at without a passphrase
	KeyFailed    Key = "failed"    // the place's problem says why
)

// A State is what a certificate is good for.
type State string

// The states, most urgent first.
const (
	Unreadable  State = "cannot be read"
	Unusable    State = "cannot be used"
	Refused     State = "refused" // by Anaplan, when asked
	Ended       State = "ended"
	NotYetValid State = "not yet valid"
	EndsSoon    State = "ends soon"
	NotChecked  State = "not checked" // it could not be looked into without a passphrase
	OK          State = "ok"
	Replaced    State = "replaced" // it ends soon, has ended or is refused, and its successor is in place, or another logs in wherever it was found
)

// A Place is where a certificate was found.
type Place struct {
	Connection string   `json:"connection,omitempty"`       // its name
	Defined    string   `json:"connections_file,omitempty"` // the file that the connection, or the job's own login, stands in
	File       string   `json:"file"`                       // or a reference, such as vault:PATH#FIELD
	Alias      string   `json:"alias,omitempty"`            // in a key store
	Key        Key      `json:"key"`
	KeyFile    string   `json:"key_file,omitempty"`
	Problem    string   `json:"problem,omitempty"` // of this place: a key that does not match, say
	Next       string   `json:"next,omitempty"`
	Locked     bool     `json:"locked,omitempty"` // nothing can be said without a passphrase, or what is not asked for in a folder; no fault
	Owner      string   `json:"owner,omitempty"`
	Note       string   `json:"note,omitempty"`
	Jobs       []string `json:"jobs,omitempty"`      // that log in by this connection
	Temporary  bool     `json:"temporary,omitempty"` // the problem may pass by itself
	Online     *Login   `json:"online,omitempty"`    // what a login by it gave; nil: none was tried
	Unused     bool     `json:"unused,omitempty"`    // the connection logs in with another: it has ended and its key is not there, or its file has one of the same key for another user
}

// inUse reports whether the place is one that logs in.
func (p Place) inUse() bool { return (p.Defined != "" || p.Connection != "") && !p.Unused }

// refused reports whether Anaplan did not accept a login by it.
func (p Place) refused() bool { return p.Online != nil && !p.Online.Accepted && !p.Online.Temporary }

func (p Place) login() string { return p.Defined + "\x00" + p.Connection }

// A Login is Anaplan's answer to a login with the certificate.
type Login struct {
	Accepted bool   `json:"accepted"`
	User     string `json:"user,omitempty"` // who it made us
	Problem  string `json:"problem,omitempty"`
	Next     string `json:"next,omitempty"`

	Temporary bool `json:"temporary,omitempty"` // it could not be tried now
}

// A Successor is the certificate of the same user that ends last.
type Successor struct {
	Fingerprint string    `json:"fingerprint_sha256"`
	Serial      string    `json:"serial"`
	NotAfter    time.Time `json:"not_after"`
	File        string    `json:"file"`
	InPlace     bool      `json:"in_place"` // it is valid, and is in every connection that the old one is in
}

// A Certificate is one entry, wherever it was found. Without a Report it is a place where none could be read.
type Certificate struct {
	Connection string `json:"connection,omitempty"` // of the first place in use
	File       string `json:"file"`                 // of the same place, else of the first
	KeyChecked bool   `json:"key_checked"`          // a private key was given, and looked at
	Usable     bool   `json:"usable"`               // no problem is known
	Expiring   bool   `json:"expiring"`             // it ends within the days of warning
	*auth.Report
	Problem   string     `json:"problem"` // why no login can succeed, at least at one place; "" when none is known
	Next      string     `json:"next"`    // what to do about Problem
	User      string     `json:"user"`    // whom it logs in as: email address, else subject; "" without a Report
	State     State      `json:"state"`
	Key       Key        `json:"key"`
	Places    []Place    `json:"places"`
	Jobs      []string   `json:"jobs"`
	Owner     string     `json:"owner"`
	Note      string     `json:"note"`
	Successor *Successor `json:"successor,omitempty"`
	Todo      string     `json:"todo"` // what to do now; "" when nothing

	users []string // by which Anaplan knows the user, in small letters
	group string   // the user, in small letters
}

// Fails reports whether somebody's login does not work, or will not be known to.
func (c *Certificate) Fails() bool {
	switch c.State {
	case Unreadable, Unusable, Refused, Ended, NotYetValid:
		return !c.spare()
	}
	return false
}

// Temporary reports whether what keeps the certificate from serving may pass by itself: a vault or a login host that could not be asked.
func (c *Certificate) Temporary() bool {
	temporary := false
	for _, p := range c.Places {
		switch {
		case p.Problem != "" && !p.Temporary, p.Online != nil && !p.Online.Accepted && !p.Online.Temporary:
			return false
		case p.Temporary, p.Online != nil && p.Online.Temporary:
			temporary = true
		}
	}
	return temporary && (c.Report == nil || c.Report.Problem == "")
}

// spare reports that the certificate is not valid yet and another serves until then.
func (c *Certificate) spare() bool { return c.State == NotYetValid && c.Problem == "" }

// A Renewal is one step of the plan: what is to be done in order for the certificates of one user that need it.
type Renewal struct {
	User        string    `json:"user"`
	Fingerprint string    `json:"fingerprint_sha256"` // of the one that ends first
	NotAfter    time.Time `json:"not_after"`          // its end: by then it must be done
	DaysLeft    int       `json:"days_left"`
	Owner       string    `json:"owner"`
	Note        string    `json:"note"`
	Jobs        []string  `json:"jobs"`
	Connections []string  `json:"connections"`
	Request     bool      `json:"request"` // a new one has to be issued; else it is there already
	Steps       []string  `json:"steps"`
}

// A Summary counts.
type Summary struct {
	Certificates int `json:"certificates"`
	Users        int `json:"users"`
	Failing      int `json:"failing"`
	EndsSoon     int `json:"ends_soon"`
	NotChecked   int `json:"not_checked"`
	OK           int `json:"ok"`
	Replaced     int `json:"replaced"`
	Files        int `json:"files"`       // looked at in folders
	OtherFiles   int `json:"other_files"` // of these, without anything relevant
	Jobs         int `json:"jobs"`        // looked at
}

// An Inventory is the result. Nothing in it is secret.
type Inventory struct {
	Schema       int           `json:"schema"`
	ExitCode     int           `json:"exit_code"`
	WarnDays     int           `json:"warn_days"`
	At           time.Time     `json:"at"`
	Summary      Summary       `json:"summary"`
	Certificates []Certificate `json:"certificates"` // most urgent first
	Plan         []Renewal     `json:"plan"`         // in the order to renew
}
