package configs

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Runs of programs that knew one certificate alone have recorded it as a text.
func TestFilesAsJSON(t *testing.T) {
	for _, test := range []struct {
		text string
		want Files
	}{
		{`""`, nil},
		{`"c.pem"`, Files{"c.pem"}},
		{`["new.pem","old.pem"]`, Files{"new.pem", "old.pem"}},
	} {
		var got Files
		if err := json.Unmarshal([]byte(test.text), &got); err != nil || !cmp.Equal(test.want, got, cmpopts.EquateEmpty()) {
			t.Errorf("%s: %v, %v", test.text, got, err)
		}
		if back, err := json.Marshal(got); err != nil || string(back) != test.text {
			t.Errorf("%s becomes %s, %v", test.text, back, err)
		}
	}
	var c Connection
	if err := json.Unmarshal([]byte(`{"Name": "prod", "Certificate": "c.pem", "PrivateKey": "env:KEY"}`), &c); err != nil || c.Certificates.First() != "c.pem" || c.PrivateKeys.First() != "env:KEY" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, wrong := range []string{`7`, `{}`, `["a", 7]`} {
		if err := json.Unmarshal([]byte(wrong), new(Files)); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

func TestConnectionWithSeveralCertificates(t *testing.T) {
	c, problems := parseConnections("c.toml", "/jobs", []byte(`[connection.base]
region = "us1"
certificate = ["certs/new.pem", "file:old.pem"]
private_key = ["/keys/old.key", "env:NEW", "new.key"]
[connection.prod]
extends = "base"
[connection.folder]
extends = "base"
certificate = "certs"
private_key = ["certs"]
`))
	if problems != nil {
		t.Fatal(problems)
	}
	for name, want := range map[string][2]Files{
		"prod":   {{"/jobs/certs/new.pem", "/jobs/old.pem"}, {"/keys/old.key", "env:NEW", "/jobs/new.key"}},
		"folder": {{"/jobs/certs"}, {"/jobs/certs"}},
	} {
		for range 2 { // asking once changes nothing for those who ask again
			got, err := c.Get(name)
			if d := cmp.Diff(want, [2]Files{got.Certificates, got.PrivateKeys}); d != "" || err != nil {
				t.Errorf("%s: %v\n%s", name, err, d)
			}
		}
	}
}

func TestJobWithSeveralCertificates(t *testing.T) {
	job, err := Parse("job.toml", []byte(`name = "n"
[anaplan]
region = "us1"
workspace = "W"
model = "M"
[auth]
certificate = ["${env.DATA}/new.pem", "old.pem"]
private_key = ["env:NEW", "${run.date}.key"]
[[step]]
name = "s"
process = "P"
`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the job itself is not changed
		got, err := job.Expand(testValues(nil))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			conn, err := got.ConnectionFor(got.Steps[0], nil)
			want := Connection{Certificates: Files{"/data/in/new.pem", "old.pem"}, PrivateKeys: Files{"env:NEW", "2026-11-25.key"}}
			if d := cmp.Diff(want.Certificates, conn.Certificates); d != "" || err != nil {
				t.Errorf("%v\n%s", err, d)
			}
			if d := cmp.Diff(want.PrivateKeys, conn.PrivateKeys); d != "" {
				t.Error(d)
			}
		}
	}
	job.Inline.PrivateKeys = Files{"a.key", "env:${env.NAME}"}
	if p := job.checkValues(); len(p) != 1 || filepath.Base(p[0].Key) != "auth.private_key" {
		t.Errorf("%v", p)
	}
}
