package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const rightVaults = `
[connection.base]
region = "eu3"
certificate = "vault:anaplan/prod#p12"
passphrase = "vault:team/kv:anaplan/prod?version=3#pass phrase"
vault = { address = "https://vault.example.com:8200", mount = "team/kv", ca = "vault.pem" }

[connection.agent]
extends = "base"
vault = { address = "http://127.0.0.1:8100", token_file = "sink" }

[connection.approle]
extends = "base"
[connection.approle.vault]
namespace = "finance"
role_id = "5f2b"
secret_id = "file:secret_id"
auth_mount = "team/approle"

[connection.kubernetes]
extends = "approle"
vault = { method = "kubernetes", role = "runner", jwt_file = "/var/run/jwt" }

[connection.token]
extends = "base"
vault.token = "cmd:vault print token"

[connection.environment]
region = "us1"
certificate = "env:CERT"
private_key = "vault:a#key"
`

func TestVaults(t *testing.T) {
	c, problems := parseConnections("connections.toml", "/jobs", []byte(rightVaults))
	if problems != nil {
		t.Fatal(problems)
	}
	base := Vault{Address: "https://vault.example.com:8200", Mount: "team/kv", CA: "/jobs/vault.pem"}
	agent := base
	agent.Address, agent.Method, agent.TokenFile = "http://127.0.0.1:8100", "agent", "/jobs/sink"
	approle := base
	approle.Namespace, approle.Method, approle.RoleID, approle.SecretID, approle.AuthMount = "finance", "approle", "5f2b", "file:/jobs/secret_id", "team/approle"
	kubernetes := approle
	kubernetes.Method, kubernetes.Role, kubernetes.JWTFile = "kubernetes", "runner", "/var/run/jwt"
	token := base
	token.Method, token.Token = "token", "cmd:vault print token"
	for name, want := range map[string]Vault{"base": base, "agent": agent, "approle": approle, "kubernetes": kubernetes, "token": token, "environment": {}} {
		got, err := c.Get(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got.Vault); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got, _ := c.Get("environment"); got.Certificates.First() != "env:CERT" || got.PrivateKeys.First() != "vault:a#key" {
		t.Errorf("a reference became a path: %q, %q", got.Certificates, got.PrivateKeys)
	}
}

func TestAVaultLacksWhatItsLoginNeeds(t *testing.T) {
	for _, tt := range []struct{ vault, want string }{
		{`{ method = "agent" }`, `vault.token_file: is missing, and method is "agent"; write the path of the file`},
		{`{ role_id = "x" }`, `vault.secret_id: is missing, and method is "approle"; write where it is`},
		{`{ secret_id = "env:X" }`, `vault.role_id: is missing, and method is "approle"; write the role's id`},
		{`{ method = "kubernetes" }`, `vault.role: is missing, and method is "kubernetes"`},
		{`{ token_file = "x", role = "y" }`, `vault.method: is missing, and there are keys of several ways to log in: token_file, role; write method = "agent"`},
	} {
		text := "[connection.x]\nregion = \"us1\"\ncertificate = \"c.pem\"\nvault = " + tt.vault + "\n"
		c, problems := parseConnections("c.toml", "/jobs", []byte(text))
		if problems != nil {
			t.Errorf("%s: %v", tt.vault, problems)
			continue
		}
		if _, err := c.Get("x"); err == nil || !strings.HasPrefix(err.Error(), "c.toml:4: connection.x: "+tt.want) {
			t.Errorf("%s: %v", tt.vault, err)
		}
	}
}

func TestAJobsVaultTakesValues(t *testing.T) {
	const text = `name = "nightly"
[params]
stage = "prod"
[anaplan]
region = "us1"
workspace = "F"
model = "M"
[auth]
certificate = "vault:anaplan/prod#p12"
private_key = "PRIVATE"
vault = { namespace = "team-${params.stage}", token_file = "sinks/${params.stage}", mount = "kv/${params.stage}" }
[[step]]
name = "post"
process = "Post"
`
	j, err := Parse("/jobs/job.toml", []byte(strings.Replace(text, "PRIVATE", "k.pem", 1)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := j.Expand(Values{RunID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := got.ConnectionFor(got.Steps[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Vault{Namespace: "team-prod", Method: "agent", TokenFile: "/jobs/sinks/prod", Mount: "kv/prod"}, conn.Vault); diff != "" {
		t.Error(diff)
	}
	// A reference takes none.
	_, err = Parse("/jobs/job.toml", []byte(strings.Replace(text, "PRIVATE", "vault:anaplan/${params.stage}#key", 1)))
	if want := "/jobs/job.toml:10: auth.private_key: a reference to a secret holds no ${…}"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
