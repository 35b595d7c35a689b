package auth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

var (
	// ErrRefused says that the auth host answered, and that asking again the same way will not change its answer.
	ErrRefused = errors.New("login refused")
	// ErrUnavailable says that the auth host answered, but could not serve us now: trying again later may help.
	ErrUnavailable = errors.New("login not possible now")
	// ErrLoggedOut says that the Source has been logged out.
	ErrLoggedOut = errors.New("logged out")
	// ErrForeignHost says that a request to a host not in Transport.Hosts was not sent, because it would have carried the token there.
	ErrForeignHost = errors.New("the token is not sent to this host")
)

// A LoginError is an answer of the auth host that is not what was asked for. It Is ErrRefused (final) or ErrUnavailable
// (temporary: 408, 429, 5xx, and answers that cannot be read).
type LoginError struct {
	Doing      string        // what was being done: "logging in to auth.anaplan.com with …"
	Status     int           // of the HTTP answer
	Code       string        // Anaplan's status, such as FAILURE_BAD_CREDENTIAL; "" when the answer is not Anaplan's
	Text       string        // Anaplan's statusMessage, verbatim; "" when the answer is not Anaplan's
	Next       string        // what to do about it
	Date       time.Time     // the server's clock when it answered; zero when it did not say
	Stamp      time.Time     // the time that the message we sent carried; zero when it carried none
	RetryAfter time.Duration // how long the server asked us to wait; 0 when it did not
	strange    string        // describes an answer that is not Anaplan's
}

// Error says what was being done, and what was answered.
func (e *LoginError) Error() string { return e.Doing + ": " + e.answer() }

func (e *LoginError) answer() string {
	var b strings.Builder
	fmt.Fprintf(&b, "answer %d", e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Text != "" {
		fmt.Fprintf(&b, ": %s", e.Text)
	}
	if e.strange != "" {
		fmt.Fprintf(&b, " (%s)", e.strange)
	}
	return b.String()
}

// Is reports whether target is ErrRefused or ErrUnavailable, as the answer has it.
func (e *LoginError) Is(target error) bool {
	return target == ErrRefused && !e.Temporary() || target == ErrUnavailable && e.Temporary()
}

// ofCredential reports whether Anaplan refused who logged in, and not how it was asked.
func (e *LoginError) ofCredential() bool {
	return (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) && e.Code+e.Text != ""
}

// Temporary reports whether trying again later may help.
func (e *LoginError) Temporary() bool {
	return e.Status == 408 || e.Status == 425 || e.Status == 429 || e.Status >= 500 || e.Status/100 == 2
}

// A TokenError says that a request has had no effect, for want of a token: it was not sent, or it was answered with 401 and not
// sent again. [Transport] returns it. The cause says why: errors.Is and errors.AsType find it.
type TokenError struct{ Err error }

// Error returns the cause.
func (e *TokenError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TokenError) Unwrap() error { return e.Err }

// LoginRefused returns true: by it package anaplan/retry, which does not know this one, recognises what it must not repeat. Also
// when the auth host is only unavailable: the Source has been patient already.
func (e *TokenError) LoginRefused() bool { return true }

// NoEffect returns true. Packages that do not know this one can ask for it by interface{ NoEffect() bool }.
func (e *TokenError) NoEffect() bool { return true }

// Final returns true when trying again cannot help before a person has done something: the login was refused, or its certificate, key or
// passphrase cannot be used. It is false when the auth host could not be reached, or was unavailable.
func (e *TokenError) Final() bool {
	if _, ok := errors.AsType[*keystore.CertificateError](e.Err); ok {
		return true
	}
	return errors.Is(e.Err, ErrRefused) || errors.Is(e.Err, ErrForeignHost) || errors.Is(e.Err, ErrLoggedOut)
}

// Next says what to do about it; "" when only the cause can tell.
func (e *TokenError) Next() string {
	if c, ok := errors.AsType[*keystore.CertificateError](e.Err); ok {
		return c.Next
	}
	if l, ok := errors.AsType[*LoginError](e.Err); ok {
		return l.Next
	}
	return ""
}

// clockOff reports whether the answer shows that the time in our message was off.
func (e *LoginError) clockOff() bool {
	return !e.Stamp.IsZero() && !e.Date.IsZero() && e.Date.Sub(e.Stamp).Abs() > tolerance
}
