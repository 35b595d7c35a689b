package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// TestWrongConnections compares the exact text that the writer of a wrong file sees.
func TestWrongConnections(t *testing.T) {
	for _, file := range wrongFiles(t, "testdata/connections", 30) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, problems := parseConnections("connections.toml", "/jobs", data)
			if c != nil || len(problems) == 0 {
				t.Fatalf("no problem was found")
			}
			for _, p := range problems {
				if p.Instead == "" && !strings.Contains(p.What, "must be") {
					t.Errorf("a problem without what to write instead: %s", p)
				}
			}
			text := problems.Error() + "\n"
			if strings.Contains(text, "canary") {
				t.Error("a secret is repeated")
			}
			golden(t, wantOf(file), text)
		})
	}
}

const rightConnections = `
[connection.base]
region = "EU3"
certificate = "certs/c.pem"
private_key = "file:certs/k.pem"
passphrase = "file:pass.txt"
requests_per_minute = 120
ca = "/etc/ca.pem"

[connection.prod]
extends = "base"
message = "v1"
header = "der"
ledger = "runs.sqlite"
workspace = "Finance"
model = { id = "ABCDEF0123456789ABCDEF0123456789", name = "Hub" }

[connection.sim]
extends = "prod"
method = "basic"
user = "a@example.com"
password = "env:PASS"
urls = { api = "http://127.0.0.1:8080/", auth = "http://[::1]:8080/" }

[connection."back again"]
extends = "sim"
region = "us1"
method = "certificate"
private_key = "cmd:pass show key"
`

func TestConnections(t *testing.T) {
	c, problems := parseConnections("connections.toml", "/jobs", []byte(rightConnections))
	if problems != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff([]string{"base", "prod", "sim", "back again"}, c.Names()); diff != "" {
		t.Error(diff)
	}
	base := Connection{Name: "base", File: "connections.toml", Dir: "/jobs", Region: "eu3", Method: "certificate",
		Certificates: []string{"/jobs/certs/c.pem"}, PrivateKeys: []string{"/jobs/certs/k.pem"}, Passphrase: "file:/jobs/pass.txt",
		Message: "v2", Header: "pem", CA: "/etc/ca.pem", RequestsPerMinute: 120}
	prod := base
	prod.Name, prod.Message, prod.Header, prod.Ledger = "prod", "v1", "der", "/jobs/runs.sqlite"
	prod.Workspace, prod.Model = Ref{Name: "Finance"}, Ref{ID: "ABCDEF0123456789ABCDEF0123456789", Name: "Hub"}
	sim := prod
	sim.Name, sim.Method, sim.User, sim.Password = "sim", "basic", "a@example.com", "env:PASS"
	sim.Region, sim.APIURL, sim.AuthURL = "", "http://127.0.0.1:8080/2/0", "http://[::1]:8080"
	sim.Certificates, sim.PrivateKeys, sim.Passphrase = nil, nil, ""
	back := prod
	back.Name, back.Region, back.PrivateKeys = "back again", "us1", []string{"cmd:pass show key"}
	for _, want := range []Connection{base, prod, sim, back} {
		got, err := c.Get(want.Name)
		if err != nil {
			t.Errorf("%s: %v", want.Name, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Connection{}, "Positions")); diff != "" {
			t.Errorf("%s\n%s", want.Name, diff)
		}
	}
	got, _ := c.Get("prod")
	if got.Positions["region"].Line != 3 || got.Positions["message"].Line != 12 || got.Positions["name"].Line != 10 {
		t.Errorf("places: %v", got.Positions)
	}
}

// TestLoginsAtProxies: what is right alone and does not fit together, also by extends.
func TestLoginsAtProxies(t *testing.T) {
	const head = "[connection.base]\nregion = \"us1\"\ncertificate = \"c.pem\"\nproxy = \"http://proxy.example.com:8080\"\n[connection.x]\nextends = \"base\"\n"
	user, password := `proxy_user = 'CORP\anna'`+"\n", "proxy_password = \"file:p\"\n"
	for _, tt := range []struct{ keys, want string }{
		{"", ""},
		{user + password, ""},
		{user + password + "proxy_auth = \"ntlm\"\n", ""},
		{"proxy = \"socks5h://proxy.example.com:1080\"\n" + user + password, ""},
		{password, `proxy_user: is missing, and there is a proxy_password; write the user, for NTLM as 'DOMAIN\user'`},
		{user, `proxy_password: is missing, and there is a proxy_user; write where it is: file:PATH, env:NAME or cmd:COMMAND`},
		{"proxy_auth = \"ntlm\"\n", `proxy_user: is missing, and there is a proxy_auth; write the user, for NTLM as 'DOMAIN\user', and proxy_password`},
		{"proxy = \"socks5://proxy.example.com:1080\"\nproxy_auth = \"basic\"\n" + user + password,
			`proxy_auth: means nothing to a SOCKS proxy, which has a login of its own; leave it out`},
	} {
		c, problems := parseConnections("c.toml", "/jobs", []byte(head+tt.keys))
		if problems != nil {
			t.Fatal(problems)
		}
		got, err := c.Get("x")
		text := ""
		if err != nil {
			_, text, _ = strings.Cut(err.Error(), "connection.x: ")
		}
		if text != tt.want {
			t.Errorf("%s: %q, want %q", tt.keys, text, tt.want)
		}
		if err == nil && tt.keys != "" && got.ProxyPassword != "file:"+filepath.Join("/jobs", "p") {
			t.Errorf("the password is in %s", got.ProxyPassword)
		}
	}
}

func TestGetSaysWhatIsMissing(t *testing.T) {
	c, problems := parseConnections("c.toml", "/jobs", []byte(`
[connection.empty]
[connection.user]
region = "us1"
user = "a@example.com"
[connection.basic]
region = "us1"
method = "basic"
certificate = "c.pem"
[connection.prod]
region = "us1"
certificate = "c.pem"
`))
	if problems != nil {
		t.Fatal(problems)
	}
	tests := []struct{ name, want string }{
		{"prod", ""},
		{"empty", "c.toml:2: connection.empty: certificate: is missing; write the path of a PEM file or a key store, or method = \"basic\" with user and password\n" +
			`c.toml:2: connection.empty: region: is missing: nothing tells where the tenant is; write region = "us1" or another code, or urls = { api = "…", auth = "…" }`},
		{"user", `c.toml:3: connection.user: method: a user and a password are no certificate, which is the default; write method = "basic"`},
		{"basic", "c.toml:6: connection.basic: password: is missing, and method is \"basic\"; write where it is: file:PATH, env:NAME or cmd:COMMAND\n" +
			`c.toml:6: connection.basic: user: is missing, and method is "basic"; write the user's e-mail address`},
		{"prd", `c.toml: connection.prd: there is no connection "prd"; did you mean prod?`},
		{"zzz top", `c.toml: connection."zzz top": there is no connection "zzz top"; there is basic, empty, prod, user`},
	}
	for _, tt := range tests {
		got, err := c.Get(tt.name)
		text := ""
		if err != nil {
			text = err.Error()
			if _, ok := errors.AsType[Problems](err); !ok || got.Name != "" {
				t.Errorf("%s: %T, %v", tt.name, err, got)
			}
		}
		if diff := cmp.Diff(tt.want, text); diff != "" {
			t.Errorf("%s\n%s", tt.name, diff)
		}
	}
}

// wrongFiles are the TOML files of a folder, each with a .want beside it.
func wrongFiles(t *testing.T, dir string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil || len(files) < least {
		t.Fatalf("%s holds %d files, %v; at least %d were there", dir, len(files), err, least)
	}
	return files
}

func wantOf(file string) string { return strings.TrimSuffix(file, ".toml") + ".want" }

func TestLoadConnectionsLooksInOrder(t *testing.T) {
	env := func(name string) string { return map[string]string{"ProgramData": `C:\ProgramData`}[name] }
	tests := []struct {
		goos, explicit, job string
		want                []string
	}{
		{"linux", "", "jobs/a.toml", []string{"jobs/connections.toml", "/etc/anaplan-runner/connections.toml"}},
		{"linux", "", "", []string{"/etc/anaplan-runner/connections.toml"}},
		{"linux", "x.toml", "jobs/a.toml", []string{"x.toml"}},
		{"windows", "", "a.toml", []string{"connections.toml", `C:\ProgramData\anaplan-runner\connections.toml`}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, connectionFiles(tt.goos, tt.explicit, tt.job, env)); diff != "" {
			t.Errorf("%v\n%s", tt, diff)
		}
	}

	none := func(string) string { return "" }
	dir := t.TempDir()
	job := filepath.Join(dir, "job.toml")
	c, err := LoadConnections("", job, none)
	if err != nil || c.File != "" || len(c.Looked) == 0 || c.Looked[0] != filepath.Join(dir, "connections.toml") {
		t.Fatalf("without a file: %+v, %v", c, err)
	}
	if _, err := c.Get("prod"); err == nil || !strings.Contains(err.Error(), c.Looked[0]) || !strings.Contains(err.Error(), "--connections") {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(c.Looked[0], []byte("[connection.prod]\nregion = \"us1\"\ncertificate = \"c.pem\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = LoadConnections("", job, none)
	if err != nil || c.File != filepath.Join(dir, "connections.toml") {
		t.Fatalf("beside the job: %+v, %v", c, err)
	}
	if got, err := c.Get("prod"); err != nil || got.Certificates.First() != filepath.Join(dir, "c.pem") {
		t.Errorf("beside the job: %+v, %v", got, err)
	}
	for _, explicit := range []string{filepath.Join(dir, "none.toml"), dir} {
		if _, err := LoadConnections(explicit, job, none); err == nil || !strings.HasPrefix(err.Error(), explicit+": ") {
			t.Errorf("an explicit file that cannot be read: %v", err)
		}
	}
}

func TestConnectionFor(t *testing.T) {
	c, problems := parseConnections("c.toml", "/jobs", []byte(rightConnections))
	if problems != nil {
		t.Fatal(problems)
	}
	inline := &Connection{APIURL: "https://api.anaplan.com/2/0/", AuthURL: "https://auth.anaplan.com/", Certificates: []string{"c.pem"}, PrivateKeys: []string{"env:KEY"}}
	at := Positions{"connection": {2, 1}, "auth": {5, 1}, "anaplan": {4, 1}, "anaplan.urls.api": {7, 1}, "auth.certificate": {6, 1}}
	step := Step{Name: "load", Base: "load", Connection: "prd", Positions: Positions{"name": {9, 1}, "connection": {10, 1}}}
	tests := []struct {
		title string
		job   Job
		step  Step
		c     *Connections
		want  string // name and certificate, or the error
	}{
		{"the job's", Job{Connection: "prod"}, Step{}, c, "prod /jobs/certs/c.pem"},
		{"the step's", Job{Connection: "prod"}, Step{Connection: "base"}, c, "base /jobs/certs/c.pem"},
		{"the step's beside an inline one", Job{Inline: inline}, Step{Connection: "base"}, c, "base /jobs/certs/c.pem"},
		{"the inline one", Job{Inline: inline}, Step{}, nil, " /jobs/c.pem"},
		{"both", Job{Inline: inline, Connection: "prod"}, Step{}, c, "job.toml:2: connection: the job names a connection and has a login of its own; leave one of the two"},
		{"none", Job{}, Step{}, c, `job.toml: connection: the job names no connection; write connection = "NAME" (base, prod, sim, back again)`},
		{"unknown", Job{Connection: "bas"}, Step{}, c, `job.toml:2: connection: c.toml has no connection "bas"; did you mean base?`},
		{"unknown in a step", Job{Connection: "prod"}, step, c, `job.toml:10: step "load": connection: c.toml has no connection "prd"; did you mean prod?`},
		{"no file", Job{Connection: "prod"}, Step{}, &Connections{Looked: []string{"/a", "/b"}}, `job.toml:2: connection: there is no connections.toml, so no connection "prod"; write /a or /b, or give --connections FILE`},
		{"inline, wrong after its values are in", Job{Inline: &Connection{APIURL: "http://evil.example.com/2/0", AuthURL: "https://a.example.com", Certificates: []string{"env:${run.date}"}}}, Step{}, nil,
			"job.toml:6: auth.certificate: a reference to a secret holds no ${…}; write it as it is\n" +
				"job.toml:7: anaplan.urls.api: is http, and would send the login in clear; write https://evil.example.com/2/0"},
		{"inline, without a login", Job{Inline: &Connection{Region: "us1"}}, Step{}, nil, `job.toml:6: auth.certificate: is missing; write the path of a PEM file or a key store, or method = "basic" with user and password`},
	}
	for _, tt := range tests {
		tt.job.File, tt.job.Dir, tt.job.Positions = "job.toml", "/jobs", at
		got, err := tt.job.ConnectionFor(tt.step, tt.c)
		text := got.Name + " " + got.Certificates.First()
		if err != nil {
			text = err.Error()
		} else if got.Message != "v2" || got.RequestsPerMinute == 0 || strings.HasSuffix(got.APIURL, "/") {
			if got.Name != "prod" {
				t.Errorf("%s: defaults are missing: %+v", tt.title, got)
			}
		}
		if diff := cmp.Diff(tt.want, text); diff != "" {
			t.Errorf("%s\n%s", tt.title, diff)
		}
	}
	if inline.Method != "" || inline.Certificates.First() != "c.pem" {
		t.Errorf("the job's own connection was changed: %+v", inline)
	}
}

// TestRegionsAreThoseOfTheClient holds the table here against the client's.
func TestRegionsAreThoseOfTheClient(t *testing.T) {
	known := map[string]bool{}
	for _, r := range regions {
		known[r] = true
	}
	found := 0
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			for n := '0'; n <= '9'; n++ {
				code := string([]rune{a, b, n})
				if _, ok := anaplan.Region(code); ok != known[code] {
					t.Errorf("region %s: in the client %v, here %v", code, ok, known[code])
				} else if ok {
					found++
				}
			}
		}
	}
	if found != len(regions) {
		t.Errorf("found %d regions, %d are listed", found, len(regions))
	}
}

func FuzzConnections(f *testing.F) {
	f.Add([]byte(rightConnections))
	for _, file := range []string{"values", "urls_wrong", "extends_circle", "types", "later", "utf16"} {
		data, err := os.ReadFile("testdata/connections/" + file + ".toml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := parseConnections("c.toml", "/jobs", data)
		if (c == nil) != (len(problems) > 0) {
			t.Fatalf("%v with %v", c, problems)
		}
		if c == nil {
			return
		}
		for _, name := range c.Names() {
			got, err := c.Get(name)
			if err == nil && (got.Region == "") == (got.APIURL == "" || got.AuthURL == "") {
				t.Fatalf("%+v leads nowhere, or to two places", got)
			}
		}
	})
}
