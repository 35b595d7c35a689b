package inventory

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)

// in is a time so many days from now.
func in(days int) time.Time { return now.AddDate(0, 0, days) }

func testKey(tb testing.TB) *rsa.PrivateKey {
	tb.Helper()
	data, err := os.ReadFile("../keystore/testdata/pkcs8.pem")
	if err != nil {
		tb.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// certificate issues one, the same each time.
func certificate(tb testing.TB, serial int64, email string, begin, end time.Time, change ...func(*x509.Certificate)) *keystore.Identity {
	tb.Helper()
	signer := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: []byte{1}}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Batch"}, EmailAddresses: []string{email}, NotBefore: begin, NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, CRLDistributionPoints: []string{"http://crl.example.com/x"}}
	for _, f := range change {
		f(c)
	}
	der, err := x509.CreateCertificate(nil, c, ca, testKey(tb).Public(), signer)
	if err != nil {
		tb.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return &keystore.Identity{Leaf: leaf}
}

func connection(name, file string, jobs ...string) Place {
	return Place{Connection: name, Defined: "/etc/connections.toml", File: file, Key: KeyMatches, Jobs: jobs}
}

// sample has one of every kind.
func sample(tb testing.TB) *Inventory {
	b := &Builder{Now: now, WarnDays: 60, Files: 9, OtherFiles: 2, Jobs: 3}
	prod := connection("prod", "certs/prod.pem", "nightly", "weekly")
	prod.Owner, prod.Note = "Finance systems", "ask Ada, room 4;\nönly on weekdays: she has the smart card of the authority, and knows the way"
	b.Add(certificate(tb, 0x11, "prod@example.com", in(-300), in(20)), prod)
	b.Add(certificate(tb, 0x12, "prod@example.com", in(-2), in(363)), Place{File: "new/prod-2027.pem", Key: KeyEncrypted})
	b.Add(certificate(tb, 0x21, "hr@example.com", in(-300), in(5)), connection("hr", "certs/hr.pem", "payroll"))
	b.Add(certificate(tb, 0x22, "HR@example.com", in(-2), in(363)), connection("hr", "certs/hr-2027.pem", "payroll"))
	b.Add(certificate(tb, 0x31, "ended@example.com", in(-400), in(-3)), connection("old", "certs/old.pem"))
	soon := certificate(tb, 0x41, "soon@example.com", in(-300), in(10))
	b.Add(soon, connection("a", "certs/soon.pem"))
	b.Add(soon, connection("b", "certs/soon.pem"))
	b.Add(certificate(tb, 0x51, "", in(-300), in(200), func(c *x509.Certificate) {
		c.EmailAddresses, c.Subject.CommonName, c.KeyUsage = nil, "=cmd|'/C calc'!A0", 0
	}), Place{File: "certs/formula.pem"})
	b.Add(nil, Place{Connection: "gone", Defined: "/etc/connections.toml", File: "certs/gone.pem", Key: KeyFailed, Problem: "certs/gone.pem cannot be read: no such file", Next: "check the path"})
	b.Add(nil, Place{File: "certs/store.p12", Key: KeyEncrypted, Locked: true, Problem: "it cannot be looked into without its passphrase", Next: "give --passphrase"})
	return b.Build()
}

func TestGolden(t *testing.T) {
	inv := sample(t)
	inv.ExitCode = 77
	for name, write := range map[string]func(io.Writer) error{
		"text.txt":   func(w io.Writer) error { return inv.Text(w, TextOptions{}) },
		"narrow.txt": func(w io.Writer) error { return inv.Text(w, TextOptions{Width: 90, Colour: true}) },
		"table.csv":  inv.CSV, "calendar.ics": inv.Calendar, "metrics.prom": inv.Metrics,
		"inventory.json": func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(inv)
		},
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestTextsOfFilesDoNothing, neither on a terminal nor in a shell or a spreadsheet.
func TestTextsOfFilesDoNothing(t *testing.T) {
	b := &Builder{Now: now, WarnDays: 60}
	b.Add(nil, Place{File: "\n=cmd|'/C calc'!A0", Key: KeyFailed, Problem: "no\x1b[2J", Next: "look at \x1b]0;x\x07.p12"})
	b.Add(certificate(t, 0x11, "prod@example.com", in(-300), in(20)), Place{File: "a`touch b`|c.pem"})
	inv := b.Build()
	var text, table bytes.Buffer
	if err := errors.Join(inv.Text(&text, TextOptions{}), inv.CSV(&table)); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\x07") {
		t.Errorf("%q", text.String())
	}
	if strings.Contains(table.String(), "\"\r\n=cmd") {
		t.Errorf("%q", table.String())
	}
	if len(inv.Plan) != 1 || !strings.Contains(inv.Plan[0].Steps[0], "--renew 'a`touch b`|c.pem' --out") {
		t.Errorf("%+v", inv.Plan)
	}
}

// The states, successors and the order to renew of the sample.
func TestBuild(t *testing.T) {
	inv := sample(t)
	var got []string
	for _, c := range inv.Certificates {
		serial := "-"
		if c.Report != nil {
			serial = c.Serial
		}
		line := serial + " " + string(c.State)
		if c.Successor != nil {
			line += " before " + c.Successor.Serial
			if c.Successor.InPlace {
				line += " in place"
			}
		}
		got = append(got, line)
	}
	want := []string{"- cannot be read", "31 ended", "41 ends soon", "11 ends soon before 12", "- not checked", "51 ok", "22 ok", "12 ok", "21 replaced before 22 in place"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var plan []string
	for _, r := range inv.Plan {
		plan = append(plan, r.User)
	}
	if diff := cmp.Diff([]string{"ended@example.com", "soon@example.com", "prod@example.com"}, plan); diff != "" {
		t.Error(diff)
	}
	if s := inv.Summary; s.Failing != 2 || s.EndsSoon != 2 || s.NotChecked != 1 || s.OK != 3 || s.Replaced != 1 || s.Certificates != 7 || s.Users != 5 {
		t.Errorf("%+v", s)
	}
}

// A user is due when the first login fails for want of a certificate, and all that have to be renewed are in the one step.
func TestPlanSaysByWhen(t *testing.T) {
	b := &Builder{Now: now, WarnDays: 60}
	late := connection("late", "certs/late.pem", "weekly")
	late.Owner = "Team B"
	early := connection("early", "certs/early.pem", "nightly")
	early.Owner = "Team A"
	b.Add(certificate(t, 1, "two@example.com", in(-9), in(50)), late)
	b.Add(certificate(t, 2, "two@example.com", in(-9), in(5)), early)
	b.Add(certificate(t, 3, "one@example.com", in(-9), in(30)), connection("one", "certs/one.pem"))
	b.Add(certificate(t, 4, "three@example.com", in(-9), in(10)), connection("three", "certs/three.pem"))
	b.Add(certificate(t, 5, "three@example.com", in(-9), in(300)), Place{File: "new/three.pem"})
	plan := b.Build().Plan
	var got []string
	for _, r := range plan {
		got = append(got, fmt.Sprint(r.User, " ", r.DaysLeft, " ", r.Request))
	}
	if diff := cmp.Diff([]string{"two@example.com 5 true", "three@example.com 10 false", "one@example.com 30 true"}, got); diff != "" {
		t.Fatal(diff)
	}
	r := plan[0]
	want := Renewal{User: "two@example.com", Fingerprint: r.Fingerprint, NotAfter: in(5), DaysLeft: 5, Owner: "Team B; Team A", Jobs: []string{"nightly", "weekly"}, Connections: []string{"late", "early"}, Request: true,
		Steps: []string{"make a key and a request: anaplan-runner auth request --renew certs/late.pem --out NAME",
			"have the certificate issued by a public authority that Anaplan supports, and look at it: anaplan-runner auth check CERTIFICATE",
			"have the new certificate uploaded by a tenant security administrator: Administration > Security > Certificates",
			"overlap: put it beside these in connection late, connection early, as a list; the one that ends last is used, and the other while Anaplan refuses it",
			"switch: anaplan-runner auth check --online says when the new one is accepted",
			"remove the old ones, until 2026-12-02 and 2027-01-16, there and in Anaplan"}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// What a login uses comes first, then what is due first; at the same time what jobs use.
func TestPlanPutsFirstWhatIsUsed(t *testing.T) {
	b := &Builder{Now: now, WarnDays: 60}
	b.Add(certificate(t, 1, "unused@example.com", in(-9), in(1)), Place{File: "a"})
	b.Add(certificate(t, 2, "late@example.com", in(-9), in(40)), connection("b", "b", "job"))
	b.Add(certificate(t, 3, "early@example.com", in(-9), in(30)), connection("c", "c", "job"))
	b.Add(certificate(t, 4, "also@example.com", in(-9), in(30)), connection("d", "d"))
	var got []string
	for _, r := range b.Build().Plan {
		got = append(got, r.User)
	}
	if diff := cmp.Diff([]string{"early@example.com", "also@example.com", "late@example.com", "unused@example.com"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestStates(t *testing.T) {
	for _, tt := range []struct {
		name  string
		add   func(b *Builder)
		want  State // of the certificate with serial 1
		fails bool
	}{
		{"the last day of the warning", func(b *Builder) { b.Add(certificate(t, 1, "a@b.c", in(-9), in(60)), Place{}) }, OK, false},
		{"a second later", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(60).Add(-time.Second)), Place{})
		}, EndsSoon, false},
		{"ended, and another serves in the same connection", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(-1)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), connection("x", "2"))
		}, Replaced, false},
		{"ended, and another serves elsewhere", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(-1)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), connection("y", "2"))
		}, Ended, true},
		{"a leftover in a folder", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(-1)), Place{File: "1"})
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), connection("y", "2"))
		}, Replaced, false},
		{"the successor is not valid yet", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(2), in(99)), connection("x", "2"))
		}, EndsSoon, false},
		{"not valid yet, and another serves", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(2), in(99)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(5)), connection("x", "2"))
		}, NotYetValid, false},
		{"not valid yet, alone", func(b *Builder) { b.Add(certificate(t, 1, "a@b.c", in(2), in(99)), connection("x", "1")) }, NotYetValid, true},
		{"the key does not match", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-2), in(99)), Place{Key: KeyFailed, Problem: "no", Next: "do"})
		}, Unusable, true},
		{"refused", func(b *Builder) {
			p := connection("x", "1")
			p.Online = &Login{Problem: "no", Next: "do"}
			b.Add(certificate(t, 1, "a@b.c", in(-2), in(99)), p)
		}, Refused, true},
		{"its successor is refused", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), answered(connection("x", "2"), Login{Problem: "no", Next: "do"}))
		}, EndsSoon, false},
		{"its successor is refused in one connection of two", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("y", "1"))
			two := certificate(t, 2, "a@b.c", in(-9), in(99))
			b.Add(two, answered(connection("x", "2"), Login{Accepted: true}))
			b.Add(two, answered(connection("y", "2"), Login{Problem: "no", Next: "do"}))
		}, EndsSoon, false},
		{"its successor is accepted where it is, and refused elsewhere", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
			two := certificate(t, 2, "a@b.c", in(-9), in(99))
			b.Add(two, answered(connection("x", "2"), Login{Accepted: true}))
			b.Add(two, answered(connection("y", "2"), Login{Problem: "no", Next: "do"}))
		}, Replaced, false},
		{"its successor could not be tried", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), answered(connection("x", "2"), Login{Problem: "no", Next: "do", Temporary: true}))
		}, Replaced, false},
		{"refused, and its successor is accepted", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(90)), answered(connection("x", "1"), Login{Problem: "no", Next: "do"}))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), answered(connection("x", "1"), Login{Accepted: true}))
		}, Replaced, false},
		{"refused, and its successor is accepted in one login of two", func(b *Builder) {
			one, two := certificate(t, 1, "a@b.c", in(-9), in(90)), certificate(t, 2, "a@b.c", in(-9), in(99))
			b.Add(one, answered(connection("x", "1"), Login{Problem: "no", Next: "do"}))
			b.Add(one, answered(connection("y", "1"), Login{Problem: "no", Next: "do"}))
			b.Add(two, answered(connection("x", "1"), Login{Accepted: true}))
		}, Refused, true},
		{"refused, and its successor could not be tried", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(90)), answered(connection("x", "1"), Login{Problem: "no", Next: "do"}))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), answered(connection("x", "1"), Login{Problem: "no", Next: "do", Temporary: true}))
		}, Refused, true},
		{"refused, and what is accepted ends before it", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(99)), answered(connection("x", "1"), Login{Problem: "no", Next: "do"}))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(90)), answered(connection("x", "1"), Login{Accepted: true}))
		}, Refused, true},
		{"its successor names its addresses in another order", func(b *Builder) {
			one, two := certificate(t, 1, "a@b.c", in(-9), in(5)), certificate(t, 2, "d@b.c", in(-9), in(99))
			one.Leaf.EmailAddresses, two.Leaf.EmailAddresses = []string{"a@b.c", "D@b.c"}, []string{"d@b.c", "a@b.c"}
			b.Add(one, connection("x", "1"))
			b.Add(two, connection("x", "2"))
		}, Replaced, false},
		{"its file has one of another user for its key", func(b *Builder) {
			other := unused(connection("x", "1"))
			other.Key = KeyMatches
			b.Add(certificate(t, 1, "other@b.c", in(-9), in(99)), other)
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(300)), connection("x", "1"))
		}, Replaced, false},
		{"a leftover, and what follows it is refused", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(-9), in(-1)), Place{File: "1"})
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), answered(connection("y", "2"), Login{Problem: "no", Next: "do"}))
		}, Ended, true},
		{"not valid yet, and the other is refused", func(b *Builder) {
			b.Add(certificate(t, 1, "a@b.c", in(2), in(99)), connection("x", "1"))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(5)), answered(connection("x", "2"), Login{Problem: "no", Next: "do"}))
		}, NotYetValid, true},
		{"it lies about where another logs in", func(b *Builder) {
			b.Add(certificate(t, 1, "other@b.c", in(-9), in(-1)), unused(connection("x", "1")))
			b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), connection("x", "2"))
		}, Replaced, false},
		{"it lies about, found in a folder, too", func(b *Builder) {
			b.Add(certificate(t, 1, "other@b.c", in(-9), in(-1)), Place{File: "1"})
			b.Add(certificate(t, 1, "other@b.c", in(-9), in(-1)), unused(connection("x", "1")))
		}, Replaced, false},
		{"it lies about in one connection, and is needed in another", func(b *Builder) {
			b.Add(certificate(t, 1, "other@b.c", in(-9), in(-1)), unused(connection("x", "1")))
			b.Add(certificate(t, 1, "other@b.c", in(-9), in(-1)), connection("y", "1"))
		}, Ended, true},
	} {
		b := &Builder{Now: now, WarnDays: 60}
		tt.add(b)
		for _, c := range b.Build().Certificates {
			if c.Serial == "1" && (c.State != tt.want || c.Fails() != tt.fails) {
				t.Errorf("%s: %s, fails %v", tt.name, c.State, c.Fails())
			}
			if c.Fails() && (c.Problem == "" || c.Todo == "") {
				t.Errorf("%s: problem %q, to do %q", tt.name, c.Problem, c.Todo)
			}
		}
	}
}

func answered(p Place, l Login) Place {
	p.Online = &l
	return p
}

func unused(p Place) Place {
	p.Key, p.Unused = KeyNotGiven, true
	return p
}

// Of several that may follow, the one that ends last does.
func TestSuccessorIsTheOneThatEndsLast(t *testing.T) {
	b := &Builder{Now: now, WarnDays: 60}
	b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
	b.Add(certificate(t, 2, "a@b.c", in(-9), in(99)), Place{File: "2"})
	b.Add(certificate(t, 3, "a@b.c", in(-9), in(299)), Place{File: "3"})
	b.Add(certificate(t, 4, "a@b.c", in(-9), in(199)), Place{File: "4"})
	if c := b.Build().Certificates[0]; c.Serial != "1" || c.Successor == nil || c.Successor.Serial != "3" {
		t.Errorf("%+v", c.Successor)
	}
}

// Two that end at the same moment are not each other's successors.
func TestSameEndIsNoSuccessor(t *testing.T) {
	b := &Builder{Now: now, WarnDays: 60}
	b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", "1"))
	b.Add(certificate(t, 2, "a@b.c", in(-9), in(5)), connection("x", "2"))
	for _, c := range b.Build().Certificates {
		if c.State != EndsSoon || c.Successor != nil {
			t.Errorf("%s: %s, %v", c.Serial, c.State, c.Successor)
		}
	}
}

func TestCalendarIsWellFormed(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).Calendar(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\r\n")
	for _, l := range lines {
		if len(l) > 75 || strings.ContainsAny(l, "\r\n") || strings.ToValidUTF8(l, "") != l {
			t.Errorf("%d bytes: %q", len(l), l)
		}
	}
	text := strings.ReplaceAll(b.String(), "\r\n ", "")
	if strings.Count(text, "BEGIN:VEVENT") != 7 || strings.Count(text, "TRIGGER:-P60D\r\n") != 6 || !strings.Contains(text, `Note: ask Ada\, room 4\;\nönly on weekdays`) {
		t.Errorf("got %s", text)
	}
	uids := regexp.MustCompile(`UID:[0-9a-f]{64}@anaplan-runner\r\n`).FindAllString(text, -1)
	if len(uids) != 7 {
		t.Errorf("UIDs %q", uids)
	}
}

func TestCSVHasNoFormulas(t *testing.T) {
	var b bytes.Buffer
	if err := sample(t).CSV(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil || len(rows) != 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	found := false
	for _, row := range rows {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) && rows[0][i] != "days_left" {
				t.Errorf("%s: %q", rows[0][i], cell)
			}
			found = found || strings.HasPrefix(cell, "'=")
		}
	}
	for _, s := range []string{"=a", "+a", "-a", "@a", "\ta"} {
		if got := defuse(s); got != "'"+s {
			t.Errorf("%q became %q", s, got)
		}
	}
	if strings.Count(b.String(), "\n") != strings.Count(b.String(), "\r\n") {
		t.Error("a line does not end with CRLF")
	}
}

func TestMetricsAreExposition(t *testing.T) {
	var b bytes.Buffer
	inv := sample(t)
	inv.Certificates[0].User = ""
	inv.Certificates[1].User = "a\\b\"c\nd"
	if err := inv.Metrics(&b); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? -?\d+)$`)
	for l := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("%q", l)
		}
	}
	if !strings.Contains(b.String(), `user="a\\b\"c\nd"`) {
		t.Error("the label is not escaped")
	}
}

func TestLook(t *testing.T) {
	for name, want := range map[string]string{
		"certificate.pem": "1 certificates, 0 keys, 0 encrypted", "pkcs8.pem": "0 certificates, 1 keys, 0 encrypted", "pkcs1.pem": "0 certificates, 1 keys, 0 encrypted",
		"from-p12.pem": "1 certificates, 0 keys, 1 encrypted",
	} {
		data, err := os.ReadFile("../keystore/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		c := Look(data)
		if got := fmt.Sprintf("%d certificates, %d keys, %d encrypted", len(c.Certificates), len(c.Keys), c.Encrypted); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	key := testKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	want := IDOf(certificate(t, 1, "a@b.c", in(-1), in(1)).Leaf)
	for name, data := range map[string][]byte{"PKCS#8": pkcs8, "PKCS#1": x509.MarshalPKCS1PrivateKey(key)} {
		if c := Look(data); len(c.Keys) != 1 || c.Keys[0] != want {
			t.Errorf("%s: %v", name, c)
		}
	}
	nested, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}}, pkcs8})
	if err != nil {
		t.Fatal(err)
	}
	if c := Look(nested); len(c.Keys) > 0 { // a file may be of nothing but such
		t.Error("PKCS#8 in PKCS#8 is taken for a key")
	}
	if KeyIDOf(key.Public()) != want {
		t.Error("the key has another id")
	}
	for name, data := range map[string]string{"nothing": "", "text": "hello", "a request": "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"} {
		if c := Look([]byte(data)); !c.Empty() {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := Look([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")); c.Damaged == "" {
		t.Error("a damaged certificate is not")
	}
	if !Look([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}).Store {
		t.Error("a Java key store is none")
	}
}

func FuzzLook(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte{0x30, 0x82, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if c := Look(data); len(data) == 0 && !c.Empty() {
			t.Errorf("%+v", c)
		}
	})
}

// A key store is not read without its password: what is asked for names the user instead.
func TestARequestForWhatIsInAKeyStoreNamesTheUser(t *testing.T) {
	for file, want := range map[string]string{
		"certs/a.pem": "--renew certs/a.pem", "certs/a.P12": "--email a@b.c", "a.jks": "--email a@b.c", "vault:kv/a#cert": "--email a@b.c",
	} {
		b := &Builder{Now: now, WarnDays: 60}
		b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), connection("x", file))
		if got := b.Build().Plan[0].Steps[0]; !strings.Contains(got, "auth request "+want+" --out NAME") {
			t.Errorf("%s: %s", file, got)
		}
	}
	inStore := connection("x", "a.store")
	inStore.Alias = "batch"
	b := &Builder{Now: now, WarnDays: 60}
	b.Add(certificate(t, 1, "a@b.c", in(-9), in(5)), inStore)
	if got := b.Build().Plan[0].Steps[0]; !strings.Contains(got, "--email a@b.c") {
		t.Error(got)
	}
}
