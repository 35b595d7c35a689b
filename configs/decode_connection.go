package configs

import (
	"errors"
	"strings"
	"unicode"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// regions are the codes of anaplan-api.md 1.1.
var regions = []string{"us1", "us2", "us5", "us7", "us9", "eu1", "eu2", "eu3", "eu4", "eu5", "ap1", "gb1", "sg1", "ae1", "in1", "id1", "me1", "ca1", "au1"}

// addressKeys say where Anaplan is: [anaplan] of a job file, [connection.NAME] of
// connections.toml.
var addressKeys = []key[Connection]{
	withValues(checkedKey("region", kindEnum, checkRegion, func(c *Connection, v string) { c.Region = v }), regions),
	{name: "urls", kind: kindTable, set: setURLs},
	checkedKey("proxy", kindText, checkProxy, func(c *Connection, v string) { c.Proxy = v }),
	{name: "proxy_user", kind: kindText, set: setProxyUser},
	secretKeyOf("proxy_password", func(c *Connection) *string { return &c.ProxyPassword }),
	enumKey("proxy_auth", []string{"basic", "ntlm"}, func(c *Connection) *string { return &c.ProxyAuth }),
	textKey("ca", func(c *Connection) *string { return &c.CA }),
	checkedKey("ledger", kindText, checkLedger, func(c *Connection, v string) { c.Ledger = v }),
	countKey("requests_per_minute", 1, 600, func(c *Connection, n int64) { c.RequestsPerMinute = int(n) }),
	sizeKey("bandwidth", 1000, 1<<53, func(c *Connection, n int64) { c.Bandwidth = n }),
	flagKey("exclusive_user", func(c *Connection) *bool { return &c.ExclusiveUser }),
	later(flagKey("protected", func(c *Connection) *bool { return &c.Protected }), "leave it out"),
}

var urlKeys = shape[Connection]{title: "urls", keys: []key[Connection]{
	checkedKey("api", kindText, checkAPI, func(c *Connection, v string) { c.APIURL = v }),
	checkedKey("auth", kindText, checkAuth, func(c *Connection, v string) { c.AuthURL = v }),
}}

// setURLs takes both addresses: a login at one place for requests at another is a
// mistake that shows late.
func setURLs(s scope, c *Connection, e entry) {
	const form = `write urls = { api = "https://…/2/0", auth = "https://…" }`
	t, ok := e.value.(*table)
	if !ok {
		s.badType(e, "a table", form)
		return
	}
	decode(s.in(e.name), urlKeys, t, c)
	for _, k := range urlKeys.keys {
		if _, ok := t.get(k.name); !ok {
			s.wrong(e.at, e.name, "lacks "+k.name, form)
		}
	}
}

// setProxyUser looks at DOMAIN\user before a text's own check speaks: between "…" its backslash
// makes a control character.
func setProxyUser(s scope, c *Connection, e entry) {
	if v, ok := e.value.(string); ok && strings.ContainsFunc(v, unicode.IsControl) {
		f := checkProxyUser(v)
		s.wrong(e.at, e.name, f.what, f.instead)
		return
	}
	checkedKey(e.name, kindText, checkProxyUser, func(c *Connection, v string) { c.ProxyUser = v }).set(s, c, e)
}

// checkedKey is a text that check has something to say about. A value with a ${…} is
// looked at when it has been replaced, by [Connection.finish].
func checkedKey[T any](name string, k kind, check func(string) *fault, set func(*T, string)) key[T] {
	return key[T]{name: name, kind: k, set: func(s scope, into *T, e entry) {
		if v, ok := e.value.(string); ok && strings.Contains(v, "-----BEGIN") {
			s.wrong(e.at, e.name, "the certificate or key itself stands here", "move it to a file of its own, and write that file's path")
			return
		}
		v, ok := s.text(e)
		if !ok {
			return
		}
		if f := check(v); f != nil && !hasValue(v) {
			s.wrong(e.at, e.name, f.what, f.instead)
			return
		}
		set(into, v)
	}}
}

// withValues lists the values of a key, for the schema.
func withValues[T any](k key[T], values []string) key[T] {
	k.values = values
	return k
}

// loginKeys say who we are: [auth] of a job file, [connection.NAME] of connections.toml.
var loginKeys = []key[Connection]{
	laterValue(enumKey("method", []string{"certificate", "basic"}, func(c *Connection) *string { return &c.Method }),
		"oauth", `use method = "certificate" or "basic"`),
	filesKey("certificate", checkCertificate, func(c *Connection) *Files { return &c.Certificates }),
	filesKey("private_key", checkKeyFile, func(c *Connection) *Files { return &c.PrivateKeys }),
	secretKeyOf("passphrase", func(c *Connection) *string { return &c.Passphrase }),
	textKey("alias", func(c *Connection) *string { return &c.Alias }),
	secretKeyOf("key_passphrase", func(c *Connection) *string { return &c.KeyPassphrase }),
	flagKey("allow_open_keys", func(c *Connection) *bool { return &c.AllowOpenKeys }),
	tableKey("vault", vaultTable, func(c *Connection) *Vault { return &c.Vault }),
	enumKey("message", []string{"v2", "v1"}, func(c *Connection) *string { return &c.Message }),
	enumKey("header", []string{"pem", "der"}, func(c *Connection) *string { return &c.Header }),
	textKey("user", func(c *Connection) *string { return &c.User }),
	secretKeyOf("password", func(c *Connection) *string { return &c.Password }),
	textKey("owner", func(c *Connection) *string { return &c.Owner }),
	textKey("note", func(c *Connection) *string { return &c.Note }),
	laterKey[Connection]("client_id", kindAny, `use method = "certificate" or "basic"`),
}

// laterKey is a key whose function comes later.
func laterKey[T any](name string, k kind, instead string) key[T] {
	return key[T]{name: name, kind: k, later: instead, set: func(scope, *T, entry) {}}
}

// laterValue makes one word of an enumeration, which is not among those that may be
// written, a word whose function comes later.
func laterValue[T any](k key[T], word, instead string) key[T] {
	set := k.set
	k.set = func(s scope, into *T, e entry) {
		if e.value == any(word) {
			s.wrong(e.at, e.name, `"`+word+`" is not available yet`, instead)
			return
		}
		set(s, into, e)
	}
	return k
}

// secretKeyOf is a reference to a secret, never the secret itself, and no message
// repeats what stands there instead.
func secretKeyOf[T any](name string, field func(*T) *string) key[T] {
	return secretKeyWith(name, `write where it is: "env:NAME", "file:PATH", "cmd:COMMAND" or "vault:PATH#FIELD"`, field)
}

// secretKeyWith is secretKeyOf with the hint about the forms that are meant.
func secretKeyWith[T any](name, form string, field func(*T) *string) key[T] {
	return key[T]{name: name, kind: kindSecret, set: func(s scope, into *T, e entry) {
		v, ok := e.value.(string)
		if !ok {
			s.badType(e, "a reference to a secret", form)
			return
		}
		_, err := secret.ParseRef(v)
		switch {
		case strings.HasPrefix(v, "${env.") && strings.HasSuffix(v, "}"):
			s.wrong(e.at, e.name, "a reference to a secret holds no ${…}", `write "env:`+strings.TrimSuffix(strings.TrimPrefix(v, "${env."), "}")+`"`)
		case errors.Is(err, secret.ErrNoScheme):
			s.wrong(e.at, e.name, "must be a reference to the secret, not the secret itself", form)
		case err != nil:
			s.wrong(e.at, e.name, err.Error(), form)
		case strings.Contains(v, "${"):
			s.wrong(e.at, e.name, "a reference to a secret holds no ${…}", "write it as it is")
		case strings.ContainsFunc(v, unicode.IsControl):
			s.wrong(e.at, e.name, `holds a control character: in "…" a backslash begins an escape such as \t`, "put the reference between '…'")
		default:
			*field(into) = v
		}
	}}
}

// lift makes keys of a part keys of the whole.
func lift[T, U any](keys []key[U], part func(*T) *U) []key[T] {
	all := make([]key[T], len(keys))
	for i, k := range keys {
		all[i] = key[T]{name: k.name, kind: k.kind, values: k.values, least: k.least, most: k.most, later: k.later,
			set: func(s scope, into *T, e entry) { k.set(s, part(into), e) }}
	}
	return all
}
