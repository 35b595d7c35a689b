package configs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeyStoreOfAConnection(t *testing.T) {
	c, problems := parseConnections("c.toml", "/jobs", []byte(`
[connection.base]
region = "us1"
certificate = "anaplan.jks"
passphrase = "env:STORE"
alias = "Anaplan"
key_passphrase = "file:key.txt"
allow_open_keys = true

[connection.prod]
extends = "base"
alias = "prod"
allow_open_keys = false

[connection.basic]
extends = "base"
method = "basic"
user = "a@example.com"
password = "env:P"
`))
	if problems != nil {
		t.Fatal(problems)
	}
	type keys struct {
		Certificate, Passphrase, Alias, KeyPassphrase string
		Open                                          bool
	}
	for name, want := range map[string]keys{
		"base":  {"/jobs/anaplan.jks", "env:STORE", "Anaplan", "file:/jobs/key.txt", true},
		"prod":  {"/jobs/anaplan.jks", "env:STORE", "prod", "file:/jobs/key.txt", false},
		"basic": {Open: true},
	} {
		conn, err := c.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		got := keys{conn.Certificates.First(), conn.Passphrase, conn.Alias, conn.KeyPassphrase, conn.AllowOpenKeys}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
