package configs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// writtenConnection is one [connection.NAME] while it is decoded.
type writtenConnection struct {
	Connection
	extends string
}

// enter makes room for a table that says anew where Anaplan is: a region replaces
// inherited addresses, and the other way round.
func (w *writtenConnection) enter(t *table) {
	_, region := t.get("region")
	_, urls := t.get("urls")
	if region || urls {
		w.Region, w.APIURL, w.AuthURL = "", "", ""
	}
}

var connectionShape = shape[writtenConnection]{title: "[connection.NAME]", keys: slices.Concat(
	[]key[writtenConnection]{textKey("extends", func(w *writtenConnection) *string { return &w.extends })},
	lift(slices.Concat(addressKeys, loginKeys), func(w *writtenConnection) *Connection { return &w.Connection }),
	[]key[writtenConnection]{
		refKey("workspace", workspaceID, func(w *writtenConnection) *Ref { return &w.Workspace }),
		refKey("model", modelID, func(w *writtenConnection) *Ref { return &w.Model }),
	},
)}

var connectionsShape = shape[Connections]{title: "connections.toml", keys: []key[Connections]{
	{name: "connection", kind: kindMap, set: setConnections},
	laterKey[Connections]("sql", kindMap, "let another program write the query's result into a file, and name that as source"),
}}

// parseConnections reads a connections.toml; dir is the folder it stands in. It is nil
// exactly when there are problems.
func parseConnections(file, dir string, data []byte) (*Connections, Problems) {
	text, problem := textOf(connectionsFile, file, data)
	if problem != nil {
		return nil, Problems{*problem}
	}
	root, problems := parseDocument(file, text)
	if root == nil {
		return nil, problems
	}
	if step, ok := root.get("step"); ok {
		return nil, append(problems, Problem{File: file, Line: step.at.Line, Column: step.at.Column, Key: "step", What: "this is a job file, not a connections.toml", Instead: connectionsFile.begin})
	}
	first, _, _ := strings.Cut(string(text), "\n")
	c := &Connections{File: file, dir: dir, firstLine: strings.TrimSpace(first)}
	d := &decoder{file: file, shapes: []shapeInfo{connectionsShape.info(), connectionShape.info(), urlKeys.info(), vaultTable.info()}, problems: problems}
	s := scope{decoder: d}
	var known []entry
	for _, e := range root.keys {
		// [prod] for [connection.prod]
		if _, isTable := e.value.(*table); isTable && Nearest(e.name, connectionsShape.info().names()) == "" && e.name != "sql" {
			s.wrong(e.at, e.name, "there is no such table in connections.toml", "write [connection."+QuoteKey(e.name)+"]")
			continue
		}
		known = append(known, e)
	}
	decode(s, connectionsShape, &table{at: root.at, keys: known}, c)
	if len(c.saved) == 0 && len(d.problems) == 0 {
		s.wrong(Position{}, "", "the file holds no connection", connectionsFile.begin)
	}
	c.checkExtends(d)
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	return c, nil
}

func setConnections(s scope, c *Connections, e entry) {
	t, ok := e.value.(*table)
	if !ok {
		s.wrong(e.at, e.name, "must be a table of connections, and is "+describe(e.value), "write [connection.NAME], with one bracket and a name")
		return
	}
	for _, one := range t.keys {
		saved := savedConnection{name: one.name, at: one.at}
		inner := scope{decoder: s.decoder, owner: saved.owner(), marks: Positions{}}
		if saved.table, ok = one.value.(*table); !ok {
			s.wrong(one.at, saved.owner(), "is "+describe(one.value)+", and must be a table", "write [connection.NAME], and the key below it")
			continue
		}
		var w writtenConnection
		decode(inner, connectionShape, saved.table, &w)
		saved.extends = w.extends
		if urls, both := saved.table.get("urls"); both {
			if _, both = saved.table.get("region"); both {
				inner.wrong(urls.at, "urls", "stands beside region", "leave one of the two")
			}
		}
		inner.literal(saved.table)
		c.saved = append(c.saved, saved)
	}
}

// literal reports every ${ of a table: nothing is replaced in connections.toml, which is
// read before a run has values.
func (s scope) literal(t *table) {
	for _, e := range t.keys {
		switch v := e.value.(type) {
		case string:
			// A secret's own check has spoken already.
			if hasValue(v) && !slices.Contains(secretKeys, e.name) {
				s.wrong(e.at, e.name, "${…} is replaced in job files only", "write the value as it is")
			}
		case []entry:
			for _, one := range v {
				if text, ok := one.value.(string); ok && hasValue(text) {
					s.wrong(one.at, e.name, "${…} is replaced in job files only", "write the value as it is")
				}
			}
		case *table:
			s.in(e.name).literal(v)
		}
	}
}

// secretKeys are those whose value is never repeated.
var secretKeys = []string{"passphrase", "key_passphrase", "password", "proxy_password", "token", "secret_id"}

func hasValue(s string) bool { return strings.Contains(s, "${") }

// checkExtends reports names that are extended and not there, and circles, each once.
func (c *Connections) checkExtends(d *decoder) {
	inCircle := map[string]bool{}
	for i, s := range c.saved {
		e, ok := s.table.get("extends")
		if !ok || s.extends == "" || inCircle[s.name] {
			continue
		}
		in := scope{decoder: d, owner: s.owner()}
		if c.find(s.extends) < 0 {
			others := slices.DeleteFunc(c.Names(), func(n string) bool { return n == s.name })
			in.wrong(e.at, "extends", fmt.Sprintf("there is no connection %q", s.extends), oneOf(s.extends, others, "add [connection."+QuoteKey(s.extends)+"]"))
			continue
		}
		way := []string{s.name}
		for _, next := range c.chain(i)[1:] {
			way = append(way, next.name)
			if next.name == s.name {
				in.wrong(e.at, "extends", "goes round in a circle: "+strings.Join(way, " → "), "leave one of them out")
				for _, n := range way {
					inCircle[n] = true
				}
				break
			}
		}
	}
}

// newConnection has the defaults.
func newConnection(file, dir string) Connection {
	return Connection{File: file, Dir: dir, Method: "certificate", Message: "v2", Header: "pem", RequestsPerMinute: 300, Positions: Positions{}}
}

// finish says what is missing or does not fit together, looks again at what a job file
// may have had a ${…} in, and makes paths absolute. at begins the problem of a key.
func (c *Connection) finish(at func(key string) Problem) Problems {
	var problems Problems
	wrong := func(key string, f *fault) {
		if f != nil {
			p := at(key)
			p.What, p.Instead = f.what, f.instead
			problems = append(problems, p)
		}
	}
	check := func(key, v string, f func(string) *fault) {
		if v != "" {
			wrong(key, f(v))
		}
	}
	check("region", c.Region, checkRegion)
	check("urls.api", c.APIURL, checkAPI)
	check("urls.auth", c.AuthURL, checkAuth)
	check("proxy", c.Proxy, checkProxy)
	check("proxy_user", c.ProxyUser, checkProxyUser)
	wrong(c.proxyLogin())
	check("ledger", c.Ledger, checkLedger)
	switch {
	case c.Region == "" && c.APIURL == "" && c.AuthURL == "":
		wrong("region", &fault{"is missing: nothing tells where the tenant is", `write region = "us1" or another code, or urls = { api = "…", auth = "…" }`})
	case c.Region == "" && c.APIURL == "":
		wrong("urls.api", &fault{"is missing", `write it as in api = "https://api.anaplan.com/2/0"`})
	case c.Region == "" && c.AuthURL == "":
		wrong("urls.auth", &fault{"is missing", `write it as in auth = "https://auth.anaplan.com"`})
	}
	if c.Method == "basic" {
		c.Certificates, c.PrivateKeys, c.Passphrase, c.Alias, c.KeyPassphrase = nil, nil, "", "", ""
		if c.User == "" {
			wrong("user", &fault{`is missing, and method is "basic"`, "write the user's e-mail address"})
		}
		if c.Password == "" {
			wrong("password", &fault{`is missing, and method is "basic"`, "write where it is: file:PATH, env:NAME or cmd:COMMAND"})
		}
		check("password", c.Password, checkSecret)
	} else {
		switch {
		case len(c.Certificates) == 0 && (c.User != "" || c.Password != ""):
			wrong("method", &fault{"a user and a password are no certificate, which is the default", `write method = "basic"`})
		case len(c.Certificates) == 0:
			wrong("certificate", &fault{"is missing", `write the path of a PEM file or a key store, or method = "basic" with user and password`})
		}
		c.User, c.Password = "", ""
		for _, v := range c.Certificates {
			check("certificate", v, checkCertificate)
		}
		for _, v := range c.PrivateKeys {
			check("private_key", v, checkKeyFile)
		}
		check("passphrase", c.Passphrase, checkSecret)
		check("key_passphrase", c.KeyPassphrase, checkSecret)
	}
	c.Region = strings.ToLower(c.Region)
	c.APIURL, c.AuthURL = apiAddress(c.APIURL), authAddress(c.AuthURL)
	c.Certificates, c.PrivateKeys, c.CA = c.plainPaths(c.Certificates), c.plainPaths(c.PrivateKeys), c.plainPath(c.CA)
	if !scheme.MatchString(c.Ledger) {
		c.Ledger = c.plainPath(c.Ledger)
	}
	for _, ref := range []*string{&c.Passphrase, &c.KeyPassphrase, &c.Password, &c.ProxyPassword} {
		*ref = c.plainReference(*ref)
	}
	c.finishVault(wrong)
	return problems
}

// plainPaths does so for several, in a list of their own.
func (c *Connection) plainPaths(paths Files) Files {
	paths = slices.Clone(paths)
	for i, p := range paths {
		paths[i] = c.plainPath(p)
	}
	return paths
}

// plainPath makes a path, also one written as file:, absolute. Other references stay.
func (c *Connection) plainPath(path string) string {
	if r, err := secret.ParseRef(path); err == nil {
		if r.Scheme != secret.File {
			return path
		}
		path = r.Rest
	}
	if path == "" || c.Dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}
