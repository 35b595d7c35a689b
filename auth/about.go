package auth

import (
	"fmt"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

// A CertificateInfo names a certificate to people.
type CertificateInfo struct {
	User    string // whom it logs in: the first email address; "" when it has none
	Subject string
	Serial  string // hexadecimal
	From    time.Time
	Until   time.Time
}

// About returns what is said of an identity.
func About(id *keystore.Identity) CertificateInfo {
	c := id.Leaf
	i := CertificateInfo{Subject: c.Subject.String(), Serial: fmt.Sprintf("%x", c.SerialNumber), From: c.NotBefore.UTC(), Until: c.NotAfter.UTC()}
	if emails := id.Emails(); len(emails) > 0 {
		i.User = emails[0]
	}
	return i
}

// String is "the certificate of batch@example.com that ends 2027-03-01 (serial 1f2e)".
func (c CertificateInfo) String() string {
	of := "the certificate of " + c.User
	if c.User == "" {
		of = fmt.Sprintf("the certificate %q", c.Subject)
	}
	return fmt.Sprintf("%s that ends %s (serial %s)", of, c.Until.Format(time.DateOnly), c.Serial)
}

// A stage is how near the end of a certificate is.
type stage struct {
	days  int
	begin string // of the warning
}

// The stages in which every run warns.
var stages = []stage{{7, "urgent: "}, {14, "urgent: "}, {30, ""}, {60, "notice: "}}

// Expiry warns of a certificate that ends within 60 days of now; "" when it does not. The words grow stronger at 30, 14 and 7 days.
// Newer says what is at hand to follow it, "" when nothing is.
func Expiry(c CertificateInfo, now time.Time, newer string) string {
	left := c.Until.Sub(now)
	days := int(left.Hours() / 24)
	for _, s := range stages {
		if left > time.Duration(s.days)*24*time.Hour {
			continue
		}
		end := fmt.Sprintf("ends in %d days (%s)", days, c.Until.Format(time.DateOnly))
		switch {
		case left < 24*time.Hour:
			end = "ends within a day (" + c.Until.Format(time.RFC3339) + ")"
		case days == 1:
			end = "ends in 1 day (" + c.Until.Format(time.RFC3339) + ")"
		}
		whose := "the certificate of " + c.User
		if c.User == "" {
			whose = fmt.Sprintf("the certificate %q", c.Subject)
		}
		if s.days == stages[0].days {
			end += ", and nothing logs in with it from then on"
		}
		if newer != "" {
			return fmt.Sprintf("%s%s (serial %s) %s: %s", s.begin, whose, c.Serial, end, newer)
		}
		return fmt.Sprintf("%s%s (serial %s) %s: renew it: anaplan-runner auth request makes a key and a request for the next one", s.begin, whose, c.Serial, end)
	}
	return ""
}
