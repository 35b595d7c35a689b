package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

const (
	maxAnswer = 1 << 20
	maxText   = 4096
)

// A call is one request to the auth host (anaplan-api.md 2).
type call struct {
	doing         string // "logging in to auth.anaplan.com with …", for errors
	method, path  string
	authorization string
	body          []byte   // nil: none
	secrets       []string // what must not stand in an error, should the answer repeat it
	next          func(status int, code string) string
}

// A reply is the answer to a call: what two of them have in common, and the parts by name.
type reply struct {
	status int
	date   time.Time
	fields map[string]json.RawMessage
}

// send sends a call once. An answer other than 2xx is a *LoginError; redirects are not followed, since what is sent logs in.
func (c call) send(ctx context.Context, hc *http.Client, base string) (reply, error) {
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, strings.TrimSuffix(base, "/")+c.path, body)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", c.doing, err)
	}
	// A login message must go out once only: without GetBody, net/http does not replay it on another connection.
	req.GetBody = nil
	req.Header.Set("Authorization", c.authorization)
	req.Header.Set("Accept", "application/json")
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	once := *hc
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := once.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", c.doing, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return reply{}, fmt.Errorf("%s: reading the answer: %w", c.doing, err)
	}
	r := reply{status: resp.StatusCode}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.date = t
	}
	isJSON := json.Unmarshal(text, &r.fields) == nil
	if resp.StatusCode/100 == 2 && (isJSON || len(text) == 0) {
		return r, nil
	}
	e := c.fail(r, "")
	e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), r.date)
	switch {
	case resp.StatusCode/100 == 3:
		e.strange = "a redirect to " + redirectHost(resp)
		e.Next = "check the region, or the urls, of the connection: the login host does not redirect"
	case e.Code == "" && e.Text == "":
		e.strange = fmt.Sprintf("not an answer of Anaplan's: %d bytes, %q", len(text), resp.Header.Get("Content-Type"))
		if !e.Temporary() {
			e.Next = "something between here and Anaplan answered, or the address is wrong: check the region, the urls and the proxy of the connection"
		}
	}
	return r, e
}

// fail makes the error of an answer; strange describes one that is not as it should be.
func (c call) fail(r reply, strange string) *LoginError {
	e := &LoginError{Doing: c.doing, Status: r.status, Date: r.date, strange: strange,
		Code: c.scrub(r.text("status")), Text: c.scrub(r.text("statusMessage"))}
	if e.Temporary() {
		e.Next = "try again later"
	} else if c.next != nil {
		e.Next = c.next(r.status, e.Code)
	}
	return e
}

// scrub takes our own secrets out of a server's text, and cuts it at 4 KiB.
func (c call) scrub(s string) string {
	for _, x := range append(c.secrets, c.authorization) {
		if x != "" {
			s = strings.ReplaceAll(s, x, "[redacted]")
		}
	}
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// text returns a field that is a string, else "".
func (r reply) text(field string) string {
	var s string
	if json.Unmarshal(r.fields[field], &s) != nil {
		return ""
	}
	return s
}

// grant reads the answer to authenticate and refresh (anaplan-api.md 2.4). What else it holds is ignored.
func (c call) grant(r reply) (Grant, error) {
	var info struct {
		ExpiresAt  json.Number `json:"expiresAt"` // milliseconds since 1970
		TokenValue string      `json:"tokenValue"`
	}
	if err := json.Unmarshal(r.fields["tokenInfo"], &info); err != nil || info.TokenValue == "" {
		return Grant{}, c.fail(r, "an answer without a token")
	}
	ms, err := info.ExpiresAt.Float64()
	if err != nil || ms <= 0 || ms > 1e15 {
		return Grant{}, c.fail(r, "a token without the time when it ends")
	}
	return Grant{Value: secret.FromString(info.TokenValue), ExpiresAt: time.UnixMilli(int64(ms)), Date: r.date}, nil
}

func redirectHost(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return u.Host
}

// hostOf names a base address in sentences.
func hostOf(base string) string {
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		return u.Host
	}
	return "the login host"
}
