package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/go-ntlmssp"
)

// headerMost bounds what a proxy may answer to CONNECT.
const headerMost = 256 << 10

// session is a connection to an HTTP proxy on which we ask for a tunnel.
type session struct {
	conn net.Conn
	in   *bufio.Reader
}

// connect asks an HTTP proxy for a tunnel. A connection on which it was asked in vain is used again as long as the proxy lets it
// live: NTLM is a talk on one connection.
func (t *tunnel) connect(ctx context.Context) (net.Conn, error) {
	way := t.dialer.way(Name(t.via))
	as, known, err := t.login(way)
	if err != nil {
		return nil, err
	}
	if !known {
		way = ""
	}
	c := &connecting{tunnel: t, ctx: ctx, as: as}
	defer func() {
		c.end()
		if c.done != nil {
			c.done()
		}
	}()
	for asked := 0; ; asked++ {
		answer, err := c.try(way)
		if err != nil {
			return nil, err
		}
		if c.shown && answer.StatusCode != http.StatusProxyAuthRequired {
			t.dialer.learn(c.as)
			c.done()
		}
		if answer.StatusCode/100 == 2 {
			return c.tunnelled(), nil
		}
		if answer.StatusCode != http.StatusProxyAuthRequired {
			return nil, c.refusal(answer)
		}
		offers := offered(answer.Header)
		next := choice(offers)
		switch {
		case !known:
			return nil, c.loginError(answer, "asks for a login"+list(offers)+", and none is given", "give proxy_user and proxy_password in the connection, or --proxy-user and --proxy-password")
		case way != "" && asked == 0 && t.dialer.o.Auth == "" && next != "" && next != way: // it was learned, and is another now
			c.done()
			c.shown, c.done = false, nil
		case way != "" || asked > 0:
			hint := "check proxy_user and proxy_password"
			if way == NTLM && !strings.ContainsAny(c.as.user, `\@`) {
				hint += `; for NTLM the user may need its domain, as in 'DOMAIN\user'`
			}
			if way != "" && t.dialer.o.Auth != "" && len(offers) > 0 && next != way {
				hint = "leave proxy_auth out: the proxy asks for" + list(offers) + "; " + hint
			}
			refusal := c.loginError(answer, fmt.Sprintf("refuses the login of %s by %s", c.as.user, way), hint)
			if c.shown {
				t.dialer.o.Logins.refuse(c.as, refusal)
			}
			return nil, refusal
		case next == "":
			return nil, c.loginError(answer, "asks for a login that is not supported"+list(offers), "have the proxy offer Basic or NTLM, or one without a login for this machine")
		}
		way = next
		c.settle(answer)
	}
}

// connecting is a tunnel with the connection at hand.
type connecting struct {
	*tunnel
	ctx     context.Context
	as      credential
	shown   bool     // as was sent, or for NTLM what proves that we know its password
	done    func()   // ends our turn to log in; nil: it has not come
	session *session // nil: none
	release func()
}

// end closes a connection that became no tunnel.
func (c *connecting) end() {
	if c.session != nil {
		c.release()
		c.session.conn.Close()
		c.session = nil
	}
}

// tunnelled hands the connection over.
func (c *connecting) tunnelled() net.Conn {
	s := c.session
	c.session = nil
	c.release()
	rest, _ := s.in.Peek(s.in.Buffered())
	_ = s.conn.SetDeadline(noDeadline)
	return &through{Conn: s.conn, proxy: Name(c.via), rest: slices.Clone(rest)}
}

// try asks once, by one way of logging in. The password is sent on a connection of its own: if this ends without a word, it is not
// because the proxy was done with it before.
func (c *connecting) try(way string) (answer *http.Response, err error) {
	if way == "" {
		return c.ask("")
	}
	if way == Basic {
		c.end()
	}
	c.as.way = way
	if c.as, c.done, err = c.turn(c.ctx, c.as); err != nil {
		return nil, err
	}
	if way == NTLM {
		return c.ntlm()
	}
	c.shown = true
	return c.ask("Basic " + base64.StdEncoding.EncodeToString([]byte(c.as.user+":"+c.as.password)))
}

// ntlm is the talk of three messages. What the first is answered with decides on which scheme they travel.
func (c *connecting) ntlm() (*http.Response, error) {
	hello, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		return nil, c.fail(Login, "cannot be logged in to by NTLM", err, "write proxy_auth = \"basic\" if the proxy knows that")
	}
	scheme := "NTLM "
	answer, err := c.ask(scheme + base64.StdEncoding.EncodeToString(hello))
	if err == nil && answer.StatusCode == http.StatusProxyAuthRequired && challenge(answer.Header, scheme) == nil && slices.Contains(offered(answer.Header), "Negotiate") {
		c.settle(answer)
		scheme = "Negotiate "
		answer, err = c.ask(scheme + base64.StdEncoding.EncodeToString(hello))
	}
	if err != nil || answer.StatusCode != http.StatusProxyAuthRequired {
		return answer, err
	}
	question := challenge(answer.Header, scheme)
	if question == nil {
		return answer, nil
	}
	proof, err := ntlmssp.NewAuthenticateMessage(question, c.as.user, c.as.password, nil)
	if err != nil {
		return nil, c.fail(Login, "asks for NTLM in a way that is not supported", err, "write proxy_auth = \"basic\" if the proxy knows that")
	}
	c.settle(answer)
	if c.session == nil {
		return nil, c.fail(Unreachable, "closes the connection in the middle of the NTLM login", nil, "see that nothing between here and the proxy ends connections: NTLM needs one that stays")
	}
	c.shown = true
	return c.ask(scheme + base64.StdEncoding.EncodeToString(proof))
}

// ask sends CONNECT, on the connection at hand or on a new one. With a login that was shown it is not repeated.
func (c *connecting) ask(authorization string) (*http.Response, error) {
	fresh := c.session == nil
	if fresh {
		conn, err := c.dial(c.ctx)
		if err != nil {
			return nil, err
		}
		c.session = &session{conn, bufio.NewReader(&io.LimitedReader{R: conn, N: headerMost})}
		c.release = guard(c.ctx, conn)
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: c.target}, Host: c.target, Header: http.Header{"User-Agent": {"anaplan-runner"}}}
	if authorization != "" {
		request.Header.Set("Proxy-Authorization", authorization)
	}
	err := request.Write(c.session.conn)
	var answer *http.Response
	if err == nil {
		answer, err = http.ReadResponse(c.session.in, request)
	}
	if err == nil {
		return answer, nil
	}
	if cause := context.Cause(c.ctx); errors.Is(cause, context.Canceled) {
		return nil, cause
	}
	if !fresh && c.ctx.Err() == nil && !c.shown {
		c.end() // it was closed without a word
		return c.ask(authorization)
	}
	next := "see that the proxy is well, and that its address is that of an HTTP proxy"
	if _, ok := errors.AsType[net.Error](err); !ok && !closed(err) {
		return nil, c.fail(Unreachable, "does not answer as an HTTP proxy does", errors.New("its answer to CONNECT is no HTTP"), next)
	}
	if c.shown && c.ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		e := c.fail(Unreachable, "gives no answer to the login of "+c.as.user+" by "+c.as.way, err, "see that the proxy is well, and check proxy_user and proxy_password")
		c.dialer.o.Logins.doubt(c.as, e)
		return nil, e
	}
	return nil, c.fail(Unreachable, "gives no answer to CONNECT", err, next)
}

// settle makes the connection ready for another question, or gives it up.
func (c *connecting) settle(answer *http.Response) {
	n, err := io.CopyN(io.Discard, answer.Body, 64<<10)
	if answer.Close || strings.EqualFold(answer.Header.Get("Proxy-Connection"), "close") || err != io.EOF || n == 64<<10 {
		c.end()
		return
	}
	c.session.in = bufio.NewReader(&io.LimitedReader{R: io.MultiReader(buffered(c.session.in), c.session.conn), N: headerMost})
}

func buffered(r *bufio.Reader) io.Reader {
	b, _ := r.Peek(r.Buffered())
	return strings.NewReader(string(b))
}

// refusal is an answer that is neither consent nor a question for a login.
func (c *connecting) refusal(answer *http.Response) error {
	text := fmt.Sprintf("answer %d %s%s", answer.StatusCode, http.StatusText(answer.StatusCode), c.own(answer))
	e := &Error{Proxy: Name(c.via), Host: c.target, Status: answer.StatusCode}
	switch n := answer.StatusCode; {
	case n == http.StatusForbidden || n == http.StatusUnauthorized || n == http.StatusUnavailableForLegalReasons:
		e.Kind, e.Text, e.Advice = Refused, "does not let us connect to "+c.target+": "+text, "have the proxy's administrators allow connections to "+c.target
	case n >= 500 && n != http.StatusNotImplemented, n == http.StatusRequestTimeout, n == http.StatusTooEarly, n == http.StatusTooManyRequests:
		e.Text, e.Advice = "could not connect us to "+c.target+": "+text, "try again later; if it stays, ask the proxy's administrators"
	default:
		e.Kind, e.Text, e.Advice = Misconfigured, "does not understand CONNECT: "+text, "check that its address and port are those of an HTTP proxy"
	}
	return e
}

func (c *connecting) loginError(answer *http.Response, text, next string) *Error {
	return &Error{Kind: Login, Proxy: Name(c.via), Host: c.target, Status: answer.StatusCode, Text: fmt.Sprintf("%s (answer %d)", text, answer.StatusCode), Advice: next}
}

var (
	unseen = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// own is the beginning of the proxy's own text, without markup and without our password.
func (c *connecting) own(answer *http.Response) string {
	const most = 200
	b, _ := io.ReadAll(io.LimitReader(answer.Body, 16<<10))
	s := strings.ToValidUTF8(string(b), "?")
	if c.as.password != "" {
		pair := base64.StdEncoding.EncodeToString([]byte(c.as.user + ":" + c.as.password))
		s = strings.NewReplacer(pair, "[redacted]", c.as.password, "[redacted]").Replace(s)
	}
	s = strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(unseen.ReplaceAllString(s, " "), " "))), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	if s != "" {
		s = fmt.Sprintf(": %q", s)
	}
	return s
}

// offered are the names of the logins that a proxy asks for.
func offered(h http.Header) []string {
	var all []string
	for _, value := range h.Values("Proxy-Authenticate") {
		name, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		for _, known := range []string{"Basic", "NTLM", "Negotiate", "Digest", "Bearer", "Kerberos"} {
			if strings.EqualFold(name, known) && !slices.Contains(all, known) {
				all = append(all, known)
			}
		}
	}
	return all
}

// choice is how we log in of what is offered: by NTLM, which does not show the password, before Basic.
func choice(offers []string) string {
	switch {
	case slices.Contains(offers, "NTLM"):
		return NTLM
	case slices.Contains(offers, "Basic"):
		return Basic
	case slices.Contains(offers, "Negotiate"):
		return NTLM
	}
	return ""
}

func list(offers []string) string {
	if len(offers) == 0 {
		return ""
	}
	return " (" + strings.Join(offers, ", ") + ")"
}

// challenge is the proxy's NTLM message; nil if there is none.
func challenge(h http.Header, scheme string) []byte {
	for _, value := range h.Values("Proxy-Authenticate") {
		if len(value) > len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
			if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value[len(scheme):])); err == nil && len(b) > 0 {
				return b
			}
		}
	}
	return nil
}
