package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// environmentSecrets are variables that hold a secret itself, for us or for a library.
var environmentSecrets = []string{"ANAPLAN_PASSPHRASE", "ANAPLAN_PASSWORD", "ANAPLAN_PROXY_PASSWORD", "PGPASSWORD", "VAULT_TOKEN", "BAO_TOKEN",
	"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET"}

// environmentAddresses are variables that hold an address in which a password may stand.
var environmentAddresses = []string{"ANAPLAN_LEDGER", "ANAPLAN_PROXY", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "DATABASE_URL"}

// guardOutput puts the last filter before both streams. The bytes of files that a command
// moves to stdout are data, not messages, and pass it by, as a payload does: see plainOut.
func (p *Program) guardOutput() (flush func()) {
	p.filter = &secret.Filter{}
	for _, name := range environmentSecrets {
		p.filter.Add(secret.FromString(p.env(name)))
	}
	for _, name := range environmentAddresses {
		text := p.env(name)
		if text != "" && !strings.Contains(text, "://") {
			text = "http://" + text
		}
		if u, err := url.Parse(text); err == nil {
			p.knowAddress(u)
		}
	}
	p.plainOut, p.plainErr = p.Out, p.Err
	out, errs := p.filter.Writer(p.Out), p.filter.Writer(p.Err)
	p.Out, p.Err = out, errs
	return func() {
		_ = out.Flush()
		_ = errs.Flush()
		p.Out, p.Err = p.plainOut, p.plainErr
	}
}

// unwrapped is the stream behind the filter: what is known of a terminal, or given to a
// program that we start.
func unwrapped(stream any) any {
	if w, ok := stream.(*secret.FilterWriter); ok {
		return w.Unwrap()
	}
	return stream
}

// knowAddress makes known what is secret in an address: its password, and those values of
// its query whose names say so.
func (p *Program) knowAddress(u *url.URL) {
	if password, ok := u.User.Password(); ok {
		p.filter.Add(secret.FromString(password))
	}
	for name, values := range u.Query() {
		if secretName(name) {
			for _, v := range values {
				p.filter.Add(secret.FromString(v))
			}
		}
	}
}

// secretName reports whether a part of a query holds a secret by its name, such as
// access_token, apiKey or X-Amz-Signature; keyword and design are none.
func secretName(name string) bool {
	words := strings.FieldsFunc(camel.ReplaceAllString(name, "$1 $2"), func(c rune) bool { return !unicode.IsLetter(c) })
	for _, word := range words {
		word = strings.ToLower(word)
		if slices.Contains([]string{"sig", "key"}, word) {
			return true
		}
		for _, end := range []string{"token", "secret", "password", "passwd", "passphrase", "signature", "credential", "credentials", "apikey", "accesskey"} {
			if strings.HasSuffix(word, end) {
				return true
			}
		}
	}
	return false
}

// cleanJSON takes secrets out of the strings of a JSON text, whose own names and form stay. A number that holds one, as digits
// alone may be, is null.
func cleanJSON(f *secret.Filter, text []byte) []byte {
	var clean bytes.Buffer
	clean.Grow(len(text))
	for rest := string(text); rest != ""; {
		from, to := jsonToken(rest)
		clean.WriteString(rest[:from])
		token := rest[from:to]
		if rest = rest[to:]; token == "" || isName(rest) {
			clean.WriteString(token)
			continue
		}
		found := f.Text(token) != token
		switch {
		case !found && strings.IndexByte(token, '\\') < 0:
			clean.WriteString(token)
		case token[0] != '"':
			clean.WriteString("null")
		default:
			clean.WriteString(cleanString(f, token, found))
		}
	}
	return clean.Bytes()
}

// cleanString is cleanJSON of a string, which is found to hold a secret as it is written, or may hold one behind escapes.
func cleanString(f *secret.Filter, token string, found bool) string {
	var said string
	if json.Unmarshal([]byte(token), &said) != nil {
		return token
	}
	text := f.Text(said)
	switch {
	case text == said && !found:
		return token
	case text == said: // it is what stands for it here
		text = "[redacted]"
	}
	var b strings.Builder
	_ = writeJSON(&b, text) // of a string, into memory
	return strings.TrimSpace(b.String())
}

// jsonToken finds the first string or number in a JSON text; both are its length if there is none.
func jsonToken(text string) (from, to int) {
	for ; from < len(text); from++ {
		switch c := text[from]; {
		case c == '"':
			for to = from + 1; to < len(text) && text[to] != '"'; to++ {
				if text[to] == '\\' {
					to++
				}
			}
			if to < len(text) {
				return from, to + 1
			}
		case digit(c) || c == '-' && from+1 < len(text) && digit(text[from+1]):
			for to = from + 1; to < len(text) && (digit(text[to]) || strings.IndexByte(".eE+-", text[to]) >= 0); to++ {
			}
			return from, to
		}
	}
	return from, from
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// isName says whether what follows a string makes it a name.
func isName(rest string) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(rest, unicode.IsSpace), ":")
}

// camel is where a word begins within a name such as accessToken.
var camel = regexp.MustCompile(`([a-z])([A-Z])`)

// knowing makes known to the filter what passes it on the wire: authorizations, the messages
// of logins, and the tokens that they are answered with.
type knowing struct {
	p    *Program
	base http.RoundTripper
	data bool // what is fetched is data: no login, whatever its address looks like
}

func (k knowing) RoundTrip(r *http.Request) (*http.Response, error) {
	k.p.knowAddress(r.URL)
	// A certificate is no secret.
	if scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " "); scheme != "CACertificate" {
		k.p.filter.Add(secret.FromString(value))
		if _, password, ok := r.BasicAuth(); ok {
			k.p.filter.Add(secret.FromString(password))
		}
	}
	k.p.filter.Add(secret.FromString(r.Header.Get("X-Vault-Token")))
	login := !k.data && strings.Contains(r.URL.Path, "/token/")
	if login && r.Body != nil && r.GetBody == nil {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		var message struct{ EncodedData, EncodedSignedData string }
		if json.Unmarshal(body, &message) == nil {
			k.p.filter.Add(secret.FromString(message.EncodedData))
			k.p.filter.Add(secret.FromString(message.EncodedSignedData))
		}
	}
	answer, err := k.base.RoundTrip(r)
	if err != nil || !login {
		return answer, err
	}
	const most = 1 << 20
	body, readErr := io.ReadAll(io.LimitReader(answer.Body, most))
	var granted struct {
		TokenInfo struct{ TokenValue, RefreshToken any }
	}
	if json.Unmarshal(body, &granted) == nil {
		for _, v := range []any{granted.TokenInfo.TokenValue, granted.TokenInfo.RefreshToken} {
			if s, ok := v.(string); ok {
				k.p.filter.Add(secret.FromString(s))
			}
		}
	}
	rest := io.Reader(answer.Body)
	if readErr != nil {
		rest = failing{readErr}
	}
	answer.Body = &replayed{io.MultiReader(bytes.NewReader(body), rest), answer.Body}
	return answer, nil
}

// CloseIdleConnections passes the wish on.
func (k knowing) CloseIdleConnections() {
	if c, ok := k.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// replayed is an answer's body that was read ahead.
type replayed struct {
	io.Reader
	io.Closer
}

// failing ends a body as it ended when it was read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
