package simulator

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A token lives until it expires, is logged out, or is killed from outside.
type token struct {
	value, id, refreshID string
	user                 *user
	expires              time.Time
	loggedOut, killed    bool
}

func (t *token) kill()                    { t.killed = true }
func (t *token) alive(now time.Time) bool { return !t.killed && !t.loggedOut && now.Before(t.expires) }

// authError is the two-field error of the authentication service (anaplan-api.md 2.9).
func authError(status int, code, text string) answer {
	return jsonAnswer(status, object{"status": code, "statusMessage": text})
}

func badHeader(status int) answer {
	return authError(status, "FAILURE_BAD_HEADER", "Invalid header. Verify the header.")
}

func badCredential(text string) answer {
	return authError(http.StatusUnauthorized, "FAILURE_BAD_CREDENTIAL", text)
}

// authService answers /token/....
func (s *Simulator) authService(c *call) answer {
	want := map[string]string{
		"/token/authenticate": http.MethodPost, "/token/refresh": http.MethodPost,
		"/token/validate": http.MethodGet, "/token/logout": http.MethodPost,
	}[c.path]
	if want == "" {
		s.misused(c, "there is no such call")
		return s.notFound(c)
	}
	if want != c.method {
		s.misused(c, "the method is %s", want)
		return s.refuse(c, http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if c.path == "/token/authenticate" {
		return s.authenticate(c)
	}
	value, ok := strings.CutPrefix(c.header.Get("Authorization"), "AnaplanAuthToken ")
	if !ok {
		s.misused(c, "the header is not AnaplanAuthToken")
		if c.path == "/token/logout" {
			return badHeader(http.StatusUnauthorized)
		}
		return badHeader(http.StatusBadRequest)
	}
	t := s.token(c, value)
	if t == nil {
		return authError(http.StatusUnauthorized, "FAILURE_BAD_CREDENTIAL", "Invalid token. Authenticate again.")
	}
	switch c.path {
	case "/token/refresh":
		return s.refresh(c, t)
	case "/token/validate":
		return jsonAnswer(http.StatusOK, object{
			"meta": c.validation(), "status": "SUCCESS", "statusMessage": "Token validated",
			"tokenInfo": object{"expiresAt": t.expires.UnixMilli(), "tokenId": t.id},
			"userInfo":  object{"userGuid": t.user.id, "userId": t.user.email, "customerGuid": s.customer},
		})
	}
	t.loggedOut = true
	return empty(http.StatusNoContent)
}

func (c *call) validation() object { return object{"validationUrl": c.base + "/token/validate"} }

func (s *Simulator) authenticate(c *call) answer {
	scheme, value, _ := strings.Cut(c.header.Get("Authorization"), " ")
	var u *user
	var problem string
	switch scheme {
	case "Basic":
		u, problem = s.basic(value)
	case "CACertificate":
		u, problem = s.certificate(value, c.body)
	default:
		s.misused(c, "the header is neither Basic nor CACertificate")
		return badHeader(http.StatusUnauthorized)
	}
	if problem != "" {
		if last, ok := s.refusedLogin(value); ok && s.t.Sub(last) < 10*time.Second {
			s.misused(c, "logged in again %s after a refusal", s.t.Sub(last))
		}
		s.messages["refused "+value] = s.t
		return badCredential(problem)
	}
	c.user = u
	if last := u.token; last != nil && last.alive(s.t) && s.t.Sub(u.loggedIn) < 10*time.Second && !u.disturbed {
		s.misused(c, "%s logged in again after %s while the token is alive", u.email, s.t.Sub(u.loggedIn))
	}
	t := &token{value: s.tokenValue(), id: s.uuid(), refreshID: s.uuid(), user: u}
	s.tokens = append(s.tokens, t)
	u.token, u.loggedIn, u.disturbed = t, s.t, c.faulted
	return s.tokenAnswer(c, http.StatusCreated, "Login successful", t)
}

func (s *Simulator) refusedLogin(value string) (time.Time, bool) {
	t, ok := s.messages["refused "+value]
	return t, ok
}

func (s *Simulator) refresh(c *call, t *token) answer {
	if s.switches.RefreshNewValue {
		next := &token{value: s.tokenValue(), id: t.id, refreshID: s.uuid(), user: t.user}
		s.tokens = append(s.tokens, next)
		t.user.token = next
		t = next
	}
	return s.tokenAnswer(c, http.StatusOK, "Token refreshed", t)
}

func (s *Simulator) tokenAnswer(c *call, status int, text string, t *token) answer {
	t.expires = s.t.Add(s.options.TokenLife).Truncate(time.Millisecond)
	return jsonAnswer(status, object{
		"meta": c.validation(), "status": "SUCCESS", "statusMessage": text,
		"tokenInfo": object{
			"expiresAt": t.expires.UnixMilli(), "tokenId": t.id,
			"tokenValue": t.value, "refreshTokenId": t.refreshID,
		},
	})
}

// token finds a living token. Using a dead one is misuse, unless it was killed from outside.
func (s *Simulator) token(c *call, value string) *token {
	for _, t := range s.tokens {
		if t.value != value {
			continue
		}
		c.user = t.user
		switch {
		case t.alive(s.t):
			return t
		case t.killed:
		case t.loggedOut:
			s.misused(c, "the token was logged out")
		default:
			s.misused(c, "the token expired %s ago", s.t.Sub(t.expires))
		}
		return nil
	}
	s.misused(c, "the token was never issued")
	return nil
}

func (s *Simulator) basic(value string) (*user, string) {
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, "Invalid credential. The header is not base64."
	}
	email, password, _ := strings.Cut(string(text), ":")
	for _, u := range s.users {
		if strings.EqualFold(u.email, email) && u.password != "" && u.password == password {
			return u, ""
		}
	}
	return nil, "Invalid credential. Verify the credential."
}

// tokenValue looks like the documented samples: three parts of base64 with dots between (2.4).
func (s *Simulator) tokenValue() string {
	part := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(s.rng.Uint32())
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	return part(16) + "." + part(200) + "." + part(16)
}

func (s *Simulator) uuid() string {
	return fmt.Sprintf("%08x-%04x-11f1-%04x-%012x", s.rng.Uint32(), s.rng.Uint32()>>16, 0x8000|s.rng.Uint32()>>18, s.rng.Uint64()>>16)
}
