package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

const company = `
[[user]]
email = "ada@example.com"
password = "pw"
access = { "*" = "admin" }
[[workspace]]
name = "Finance"
[[workspace.model]]
name = "Hub"
[[workspace.model.list]]
name = "Towns"
items = """
name,code
Köln,1
Málaga,2
東京,3
"""
[[workspace.model.file]]
name = "sales.csv"
[[workspace.model.export]]
name = "Towns"
list = "Towns"
`

// tenant is a simulated tenant and a client that is logged in to it.
type tenant struct {
	sim    *simulator.Simulator
	client *anaplan.Client
	hub    anaplan.ModelRef
	file   string
	export anaplan.Object
	before int // requests of the preparation
}

// open makes a tenant, inside a bubble.
func open(ctx context.Context, o simulator.Options) (*tenant, error) {
	c, err := simulator.Load(strings.NewReader(company))
	if err != nil {
		return nil, err
	}
	o.TokenLife = 1000 * time.Hour
	if o.Switches == nil {
		o.Switches = &simulator.Switches{NoRateLimit: true}
	}
	n := &tenant{sim: simulator.New(c, o)}
	base := n.sim.Transport()
	base.DisableKeepAlives = true // else net/http repeats some requests by itself
	req, _ := http.NewRequest("POST", "https://auth.anaplan.com/token/authenticate", nil)
	req.SetBasicAuth("ada@example.com", "pw")
	resp, err := base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out struct {
		TokenInfo struct{ TokenValue string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	authorize := func(rt http.RoundTripper) http.RoundTripper { return bearer{rt, out.TokenInfo.TokenValue} }
	n.client = anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base, Authorize: authorize}), "https://api.anaplan.com/2/0")
	for m, err := range n.client.AllModels(ctx) {
		if err != nil {
			return nil, err
		}
		n.hub = anaplan.ModelRef{Workspace: m.WorkspaceID, Model: m.ID}
	}
	for f, err := range n.client.Files(ctx, n.hub) {
		if err != nil {
			return nil, err
		}
		if f.Name == "sales.csv" {
			n.file = f.ID
		}
	}
	for e, err := range n.client.Exports(ctx, n.hub) {
		if err != nil {
			return nil, err
		}
		n.export = anaplan.Object{Model: n.hub, Kind: anaplan.KindExport, ID: e.ID}
	}
	n.prepared()
	return n, nil
}

func (n *tenant) prepared() { n.before = len(n.sim.Requests()) }

// close says what the simulator has against us.
func (n *tenant) close() error {
	n.sim.Close()
	if m := n.sim.Misuse(); len(m) > 0 {
		return fmt.Errorf("misuse: %s", strings.Join(m, "; "))
	}
	if f := n.sim.UnfiredFaults(); len(f) > 0 {
		return fmt.Errorf("faults never fired: %+v", f)
	}
	return nil
}

type bearer struct {
	base  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Header.Set("Authorization", "AnaplanAuthToken "+b.token)
	return b.base.RoundTrip(r)
}

// inBubble runs f in virtual time.
func inBubble(t *testing.T, o simulator.Options, f func(*testing.T, *tenant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, err := open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		f(t, n)
		if err := n.close(); err != nil {
			t.Error(err)
		}
	})
}

// count of requests since the preparation, by method.
func (n *tenant) count(method string) (all int) {
	for _, r := range n.sim.Requests()[n.before:] {
		if r.Method == method {
			all++
		}
	}
	return all
}

// content is what the server file holds, by the model and not by a download.
func (n *tenant) content() []byte {
	state, _ := n.sim.Model("Hub")
	return state.Files["sales.csv"]["ada@example.com"]
}

func (n *tenant) upload(data []byte) Upload {
	return Upload{Model: n.hub, File: n.file, At: bytes.NewReader(data), Size: int64(len(data))}
}

func (n *tenant) download() Download { return Download{Model: n.hub, File: n.file} }

// pattern is text that does not repeat itself within a chunk or two.
func pattern(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,Köln,%x\n", i, i*2654435761)
	}
	return b.Bytes()[:size]
}

// onlyReader hides everything else that a reader can.
type onlyReader struct{ io.Reader }
