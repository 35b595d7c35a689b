package cli

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth/inventory"
)

// renewed writes both.pem, which holds a key with a certificate that ends after so many days, of
// serial 1, and the renewed one, of serial 2; and a connection that uses it with a simulator that
// knows one of the two.
func renewed(t *testing.T, days int, registered int64) (url string) {
	t.Helper()
	inFolder(t)
	a, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	old, fresh := issued(t, 1, sample.Email, now.AddDate(0, 0, days-365), now.AddDate(0, 0, days)), issued(t, 2, sample.Email, now.AddDate(0, 0, -1), now.AddDate(1, 0, 0))
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})
	writeFile(t, "both.pem", slices.Concat(fresh, key, old))
	block, _ := pem.Decode(map[int64][]byte{1: old, 2: fresh}[registered])
	known, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sim := simulator.New(sample.Company(), simulator.Options{Speed: scriptSpeed, Registered: []*x509.Certificate{known}, Switches: &simulator.Switches{PollEvery: -1}})
	server := httptest.NewServer(sim)
	t.Cleanup(func() { server.Close(); sim.Close() })
	writeFile(t, "connections.toml", []byte("[connection.one]\nurls = { api = \""+server.URL+"/2/0\", auth = \""+server.URL+"\" }\ncertificate = \"both.pem\"\nowner = \"Ada\"\n"))
	return server.URL
}

// One file with a key, the old certificate and the renewed one is as good as two: while the new one is refused, the old one logs in,
// and auth check says so of each.
func TestOneFileIsRenewedWithoutAGap(t *testing.T) {
	url, ends := renewed(t, 30, 1), time.Now().AddDate(0, 0, 30).UTC().Format(time.DateOnly)
	got := call([]string{"ANAPLAN_SIMULATOR_SPEED", "100"}, "auth", "token", "--certificate", "both.pem", "--api-url", url, "--auth-url", url)
	if got.code != 0 || !strings.Contains(got.err, "(serial 2) was refused, and the certificate of "+sample.Email+" that ends "+ends+" (serial 1) logged in instead") {
		t.Errorf("code %d: %s", got.code, got.err)
	}
	inv := inventoryOf(t, 77, filepath.Join(".", "connections.toml"), "--online")
	if len(inv.Certificates) != 2 {
		t.Fatalf("%d certificates", len(inv.Certificates))
	}
	for i, want := range []struct {
		serial string
		state  inventory.State
	}{{"2", inventory.Refused}, {"1", inventory.EndsSoon}} {
		c := inv.Certificates[i]
		if l := c.Places[0].Online; c.Serial != want.serial || c.State != want.state || c.Key != inventory.KeyMatches || c.Owner != "Ada" || l == nil || l.Accepted != (want.serial == "1") {
			t.Errorf("%s: %s, %s, %+v", c.Serial, c.State, c.Key, c.Places)
		}
	}
	if len(inv.Plan) != 1 || inv.Plan[0].Request || inv.Plan[0].Connections[0] != "one" {
		t.Errorf("plan %+v", inv.Plan)
	}
}

// A certificate that was removed in Anaplan, while its successor logs in, is nothing that fails: no run needs it.
func TestARemovedCertificateWithASuccessorIsReplaced(t *testing.T) {
	renewed(t, 100, 2)
	inv := inventoryOf(t, 0, filepath.Join(".", "connections.toml"), "--online")
	if len(inv.Certificates) != 2 || inv.Certificates[0].Serial != "2" || inv.Certificates[0].State != inventory.OK {
		t.Fatalf("%+v", inv.Certificates)
	}
	if c := inv.Certificates[1]; c.State != inventory.Replaced || c.Places[0].Online.Accepted || !strings.HasSuffix(c.Todo, "is in place: remove it from connection one") || len(inv.Plan) > 0 {
		t.Errorf("%s, %q, %+v", c.State, c.Todo, inv.Plan)
	}
}
