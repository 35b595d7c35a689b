package cli

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// company makes a folder with what a company has.
func company(t *testing.T) string {
	t.Helper()
	dir := inFolder(t)
	a, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	key := func(passphrase string) []byte {
		text, err := keystore.EncodeKey(a.key, secret.FromString(passphrase))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := time.Now()
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	for name, data := range map[string][]byte{
		"certs/sales.pem": issued(t, 1, "sales@example.com", day(-300), day(30)), "certs/sales.key": key(""),
		"new/sales-2027.pem": issued(t, 2, "sales@example.com", day(-1), day(364)), "new/sales-2027.key": key("secret"),
		"certs/hr.pem":     issued(t, 3, "hr@example.com", day(-300), day(200)),
		"certs/notes.txt":  []byte("no certificate\n"),
		"certs/ca.pem":     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.ca.Raw}),
		"certs/.git/x.pem": []byte("-----BEGIN CERTIFICATE-----\n"),
		"connections.toml": []byte("[connection.sales]\nregion = \"eu3\"\ncertificate = \"certs/sales.pem\"\nprivate_key = \"certs/sales.key\"\nowner = \"Team Sales\"\nnote = \"before the batch\"\n" +
			"[connection.hr]\nextends = \"sales\"\ncertificate = \"certs/hr.pem\"\n[connection.plain]\nregion = \"eu3\"\nmethod = \"basic\"\nuser = \"a@example.com\"\npassword = \"env:P\"\n"),
		"jobs/night.toml":    []byte(jobWith("night", `connection = "sales"`)),
		"jobs/inline.toml":   []byte(jobWith("inline", "") + "[auth]\ncertificate = \"../certs/hr.pem\"\nprivate_key = \"../certs/sales.key\"\n"),
		"jobs/broken.toml":   []byte("name = \"broken\"\n[[step]]\nnonsense = 1\n"),
		"other.toml":         []byte("a = 1\n"),
		"no-connection.toml": []byte("name = \"j\"\nanaplan = { workspace = \"F\", model = \"M\" }\n[[step]]\nname = \"s\"\nprocess = \"P\"\n"),
	} {
		writeFile(t, name, data)
	}
	return dir
}

func jobWith(name, connection string) string {
	region := "region = \"eu3\"\n"
	if connection != "" {
		region = ""
	}
	return "name = \"" + name + "\"\n" + connection + "\n[[step]]\nname = \"s\"\nprocess = \"P\"\n[anaplan]\nworkspace = \"F\"\nmodel = \"M\"\n" + region
}

func inventoryOf(t *testing.T, code int, args ...string) *inventory.Inventory {
	t.Helper()
	got := call([]string{"PASS", "secret", "ANAPLAN_SIMULATOR_SPEED", "100", "VAULT_TOKEN", "officer"}, append(append([]string{"auth", "check"}, args...), "--output", "json")...)
	if code >= 0 && got.code != code {
		t.Fatalf("%v: code %d: %s%s", args, got.code, got.err, got.out)
	}
	var inv inventory.Inventory
	if err := json.Unmarshal([]byte(got.out), &inv); err != nil {
		t.Fatal(err)
	}
	return &inv
}

func lineOf(c inventory.Certificate) string {
	parts := []string{c.User, string(c.State), string(c.Key), strings.Join(c.Jobs, "+"), c.Owner}
	for _, p := range c.Places {
		parts = append(parts, or(p.Connection, "-")+":"+filepath.Base(p.File))
	}
	return strings.Join(parts, " ")
}

func TestAuthCheckPutsTogetherWhatIsFoundAnywhere(t *testing.T) {
	if testing.Short() {
		return // nothing runs side by side in it, and the race detector is slow with keys
	}
	company(t)
	for _, tt := range []struct {
		args string
		code int
		want []string
	}{
		{"", 4, []string{"sales@example.com ends soon matches  Team Sales sales:sales.pem", "hr@example.com ok matches  Team Sales hr:hr.pem"}},
		{"--all certs new --jobs jobs --connections connections.toml", 4, []string{
			"sales@example.com ends soon matches night Team Sales sales:sales.pem -:sales.pem", "hr@example.com ok matches  Team Sales hr:hr.pem -:hr.pem",
			"sales@example.com ok encrypted   -:sales-2027.pem"}},
		{"jobs/night.toml jobs/inline.toml --connections connections.toml", 4, []string{"sales@example.com ends soon matches night Team Sales sales:sales.pem", "hr@example.com ok matches inline  -:hr.pem"}},
		{"new --passphrase env:PASS", 0, []string{"sales@example.com ok matches   -:sales-2027.pem"}},
		{"certs/sales.pem new connections.toml --warn 10d", 0, []string{"sales@example.com ok matches  Team Sales sales:sales.pem -:sales.pem",
			"hr@example.com ok matches  Team Sales hr:hr.pem", "sales@example.com ok encrypted   -:sales-2027.pem"}},
	} {
		inv := inventoryOf(t, tt.code, strings.Fields(tt.args)...)
		var got []string
		for _, c := range inv.Certificates {
			got = append(got, lineOf(c))
		}
		sortedGot, sortedWant := strings.Join(got, "\n"), strings.Join(tt.want, "\n")
		if sortedGot != sortedWant {
			t.Errorf("%s:\n%s\nwant\n%s", tt.args, sortedGot, sortedWant)
		}
	}
	inv := inventoryOf(t, 4, "certs", "new", "--all")
	if s := inv.Certificates[0].Successor; s == nil || s.InPlace || !strings.HasSuffix(s.File, "sales-2027.pem") {
		t.Errorf("successor %+v", s)
	}
	if len(inv.Plan) != 1 || inv.Plan[0].Request || inv.Plan[0].Owner != "Team Sales" || inv.Plan[0].Note != "before the batch" {
		t.Errorf("plan %+v", inv.Plan)
	}
	if s := inv.Summary; s.Files != 7 || s.OtherFiles != 1 {
		t.Errorf("files %d, others %d", s.Files, s.OtherFiles)
	}
	// The new one beside the old one: no warning any more.
	text, err := os.ReadFile("connections.toml")
	if err != nil {
		t.Fatal(err)
	}
	two := strings.NewReplacer(`certificate = "certs/sales.pem"`, `certificate = ["certs/sales.pem", "new/sales-2027.pem"]`, `private_key = "certs/sales.key"`,
		"private_key = [\"new/sales-2027.key\", \"certs/sales.key\"]\npassphrase = \"env:PASS\"").Replace(string(text))
	writeFile(t, "two.toml", []byte(two))
	inv = inventoryOf(t, 0, "two.toml")
	if last := inv.Certificates[len(inv.Certificates)-1]; last.State != inventory.Replaced || len(inv.Plan) != 0 {
		t.Errorf("%s, plan %v", lineOf(last), inv.Plan)
	}
}

func TestAuthCheckRefuses(t *testing.T) {
	dir := company(t)
	writeFile(t, "damaged/a.pem", []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	writeFile(t, "wrong.toml", []byte("[connection.x]\nregion = \"xx9\"\n"))
	writeFile(t, "half.toml", []byte("[connection.x]\nregion = \"eu3\"\n"))
	if err := os.MkdirAll("empty/below", 0o700); err != nil {
		t.Fatal(err)
	}
	const choose = "name folders or files with certificates: PEM, PKCS#12 or Java key stores"
	rows := []struct {
		args string
		code int
		want string // in stdout or stderr
	}{
		{"empty", 64, "there is no certificate in empty (0 files looked at)\n  → " + choose + "\n"},
		{"jobs/broken.toml", 78, "jobs/broken.toml:3: step 1: nonsense: there is no such key in [[step]]"},
		{"absent", 77, "absent cannot be read: open "},
		{"no-connection.toml", 78, "no-connection.toml:1: connection: the job does not say how to log in; write connection = \"NAME\", of connections.toml"},
		{"other.toml", 64, "other.toml is neither a job file nor a file of connections\n  → name a job file with [[step]], or a file of connections with [connection.NAME]\n"},
		{"wrong.toml", 78, "wrong.toml:2: connection.x: region: there is no region \"xx9\""},
		{"half.toml", 78, "half.toml:1: connection.x: certificate: is missing"},
		{"--connections absent.toml", 78, "absent.toml: cannot be read"},
		{"certs --output xml", 64, "--output: \"xml\" is not text, json, csv, ics or prom\n  → write --output text, json, csv, ics or prom\n"},
		{"certs --warn soon", 64, "--warn: \"soon\" is not a number of days\n  → write --warn 60d\n"},
		{"certs --warn -5d", 64, "--warn: \"-5d\" is not a number of days\n  → write --warn 60d\n"},
		{"certs --jobs absent", 64, "--jobs: stat absent: no such file or directory\n  → check the name, and who may read it\n"},
		{"certs --certificate certs/hr.pem", 64, "files, --certificate and --connection are different ways to choose certificates\n  → give one of them\n"},
		{"certs new --private-key certs/sales.key", 64, "one --private-key does not belong to several certificates\n  → check one file at a time with its key\n"},
		{"certs --passphrase hunter2", 64, "  → arguments can be seen by everybody on the machine: write --passphrase file:PATH, or set ANAPLAN_PASSPHRASE\n"},
		{"certs --online", 64, "--online logs in by a connection, and none is given\n  → name one, or its file: --connection NAME, connections.toml\n"},
		{"--certificate certs/sales.pem --private-key certs/sales.key --online", 64, "--online logs in by a connection, and none is given\n"},
		{"--connection nobody", 78, "there is no connection \"nobody\""},
		{"damaged", 77, "damaged/a.pem: damaged/a.pem is damaged: a certificate in it cannot be read: "},
		{"certs/notes.txt", 77, "certificate file certs/notes.txt is neither PEM, since it has no -----BEGIN line, nor a key store\n  → name a PEM file or a key store with the certificate\n"},
		{"certs/hr.pem --private-key new/sales-2027.key", 77, "is encrypted, no passphrase is given, and there is no terminal to ask on\n  → set passphrase = \"env:NAME\" in the connection, or give --passphrase file:PATH\n"},
		{"certs --output csv --result-file no/such.csv", 4, "--result-file no/such.csv: write no/such.csv: no such file or directory\n  → name a file in a folder that can be written"},
	}
	if u, err := user.Current(); err == nil && u.Uid != "0" {
		if err := os.Mkdir("closed", 0o000); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, rows[0])
		rows[len(rows)-1].args, rows[len(rows)-1].want = "closed", "open closed: permission denied\n  → check the name, and who may read it\n"
	}
	for _, tt := range rows {
		got := call(nil, append([]string{"auth", "check"}, strings.Fields(tt.args)...)...)
		if all := strings.ReplaceAll(got.err+got.out, dir+"/", ""); got.code != tt.code || !strings.Contains(all, tt.want) {
			t.Errorf("%s: code %d, want %d\n%s\nwant %q", tt.args, got.code, tt.code, all, tt.want)
		}
	}
}

// --online tells of each certificate what Anaplan says of it; a host that is not there is no refusal.
func TestAuthCheckOnline(t *testing.T) {
	dir := inFolder(t)
	files, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, "cert.pem", files["cert.pem"])
	writeFile(t, "key.pem", files["key.pem"])
	sim := simulator.New(sample.Company(), simulator.Options{Switches: &simulator.Switches{PollEvery: -1}})
	server := httptest.NewServer(sim)
	defer func() { server.Close(); sim.Close() }()
	a, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	stranger := issued(t, 9, "nobody@example.com", time.Now().AddDate(0, 0, -1), time.Now().AddDate(1, 0, 0))
	writeFile(t, "stranger.pem", append(stranger, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})...))
	urls := "urls = { api = \"" + server.URL + "/2/0\", auth = \"" + server.URL + "\" }\n"
	writeFile(t, "connections.toml", []byte("[connection.good]\n"+urls+"certificate = \"cert.pem\"\nprivate_key = \"key.pem\"\n"+
		"[connection.stranger]\n"+urls+"certificate = \"stranger.pem\"\n[connection.again]\nextends = \"good\"\n"))
	inv := inventoryOf(t, 77, "--all", "--online", "--connections", filepath.Join(dir, "connections.toml"))
	if len(inv.Certificates) != 2 {
		t.Fatalf("%+v", inv.Certificates)
	}
	refused, good := inv.Certificates[0], inv.Certificates[1]
	if l := refused.Places[0].Online; refused.State != inventory.Refused || l == nil || l.Accepted || l.Problem == "" || l.Next == "" || refused.Todo != l.Next {
		t.Errorf("%+v %+v", refused, l)
	}
	if l := good.Places[0].Online; good.State != inventory.OK || l == nil || !l.Accepted || l.User != sample.Email {
		t.Errorf("%+v", l)
	}
	for _, c := range inventoryOf(t, 0, "--all", "--connections", "connections.toml").Certificates {
		if c.Places[0].Online != nil {
			t.Error("it was asked without --online")
		}
	}
	if misuse := sim.Misuse(); len(misuse) > 0 {
		t.Errorf("misuse: %v", misuse)
	}
}
