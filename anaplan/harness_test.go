package anaplan_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

const api = "https://api.anaplan.com/2/0"

// A company with something of everything.
const company = `
[[user]]
email = "ada@example.com"
first_name = "Ada"
last_name = "Byron"
password = "pw"
access = { "Secret" = "none", "*" = "admin" }

[[workspace]]
name = "Finance"
size_allowance = 4096

[[workspace.model]]
name = "Hub"
time = ["Jan 26"]
versions = ["Actual", "Forecast"]

[[workspace.model.list]]
name = "Shops"
items = """
name,code
Paris,S1
Lyon,S2
"""

[[workspace.model.module]]
name = "Sales"
dimensions = ["Shops", "Time", "Versions"]
line_item = [{ name = "Units" }]

[[workspace.model.module]]
name = "Flags"
dimensions = ["Shops"]
line_item = [{ name = "Gone", format = "boolean" }]

[[workspace.model.file]]
name = "sales.csv"

[[workspace.model.import]]
name = "Load Sales"
file = "sales.csv"
module = "Sales"
map = { Shops = "Shop", Time = "Month", Versions = "?Version", Units = "Units" }
duration = "10s"

[[workspace.model.export]]
name = "Sales Out"
module = "Sales"
duration = "10s"

[[workspace.model.action]]
name = "Purge"
type = "DELETE_BY_SELECTION"
list = "Shops"
module = "Flags"
line_item = "Gone"

[[workspace.model.process]]
name = "Night"
actions = ["Load Sales", "Sales Out", "Purge"]

[[workspace.model]]
name = "Spoke"
[[workspace.model.list]]
name = "Shops"
[[workspace.model.import]]
name = "Pull"
source_model = "Hub"
source_list = "Shops"
list = "Shops"
map = { name = "Name", code = "Code" }

[[workspace.model]]
name = "Secret"

[[workspace.model]]
name = "Bare"
`

// One row of it is rejected.
const salesCSV = "Shop,Month,Units\nParis,Jan 26,3\nNowhere,Jan 26,4\n"

var actual = []anaplan.MappingParameter{{EntityType: "Version", EntityName: "Actual"}}

// tenant is a simulated tenant and a client that is logged in to it.
type tenant struct {
	*testing.T
	sim    *simulator.Simulator
	client *anaplan.Client
	hub    anaplan.ModelRef
	waits  []time.Duration // before repeats
	seen   []anaplan.Exchange
	before int // requests of the preparation
}

// inBubble runs f in virtual time. At its end the simulator must have nothing to say
// against us, and every fault must have fired.
func inBubble(t *testing.T, o simulator.Options, h anaplan.HTTPOptions, f func(*tenant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := simulator.Load(strings.NewReader(company))
		if err != nil {
			t.Fatal(err)
		}
		if o.TokenLife == 0 {
			o.TokenLife = 1000 * time.Hour
		}
		n := &tenant{T: t, sim: simulator.New(c, o)}
		defer n.sim.Close()
		base := n.sim.Transport()
		base.DisableKeepAlives = true // else net/http repeats some requests by itself
		if h.Base == nil {
			h.Base = base
		}
		if h.Authorize == nil {
			token := login(t, base)
			h.Authorize = func(rt http.RoundTripper) http.RoundTripper { return bearer{rt, token} }
		}
		var telling sync.Mutex // a test may have several goroutines
		h.Waits = func(_ *http.Request, _ int, wait time.Duration, _ string) {
			telling.Lock()
			defer telling.Unlock()
			n.waits = append(n.waits, wait)
		}
		h.Trace = func(e anaplan.Exchange) {
			telling.Lock()
			defer telling.Unlock()
			n.seen = append(n.seen, e)
		}
		n.client = anaplan.New(anaplan.NewHTTPClient(h), api)
		n.hub = n.model("Hub")
		n.prepared()
		f(n)
		n.sim.Close()
		for _, m := range n.sim.Misuse() {
			t.Errorf("misuse: %s", m)
		}
		for _, f := range n.sim.UnfiredFaults() {
			t.Errorf("fault never fired: %+v", f)
		}
	})
}

func login(t *testing.T, base http.RoundTripper) string {
	t.Helper()
	req, _ := http.NewRequest("POST", "https://auth.anaplan.com/token/authenticate", nil)
	req.SetBasicAuth("ada@example.com", "pw")
	resp, err := base.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		TokenInfo struct{ TokenValue string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out.TokenInfo.TokenValue
}

// bearer adds one token for ever.
type bearer struct {
	base  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Header.Set("Authorization", "AnaplanAuthToken "+b.token)
	return b.base.RoundTrip(r)
}

// prepared begins to count: of requests, waits and exchanges.
func (n *tenant) prepared() {
	n.before, n.waits, n.seen = len(n.sim.Requests()), nil, nil
}

// requests since the preparation.
func (n *tenant) requests() []simulator.Request { return n.sim.Requests()[n.before:] }

func (n *tenant) must(err error) {
	n.Helper()
	if err != nil {
		n.Fatal(err)
	}
}

func (n *tenant) model(name string) anaplan.ModelRef {
	n.Helper()
	for m, err := range n.client.AllModels(n.Context()) {
		n.must(err)
		if m.Name == name {
			return anaplan.ModelRef{Workspace: m.WorkspaceID, Model: m.ID}
		}
	}
	n.Fatalf("no model %s", name)
	return anaplan.ModelRef{}
}

// object finds something runnable of the hub.
func (n *tenant) object(kind anaplan.Kind, name string) anaplan.Object {
	n.Helper()
	found := ""
	look := func(id, other string) {
		if other == name {
			found = id
		}
	}
	switch kind {
	case anaplan.KindImport:
		for o, err := range n.client.Imports(n.Context(), n.hub) {
			n.must(err)
			look(o.ID, o.Name)
		}
	case anaplan.KindExport:
		for o, err := range n.client.Exports(n.Context(), n.hub) {
			n.must(err)
			look(o.ID, o.Name)
		}
	case anaplan.KindProcess:
		for o, err := range n.client.Processes(n.Context(), n.hub) {
			n.must(err)
			look(o.ID, o.Name)
		}
	case anaplan.KindAction:
		for o, err := range n.client.Actions(n.Context(), n.hub) {
			n.must(err)
			look(o.ID, o.Name)
		}
	}
	if found == "" {
		n.Fatalf("no %s %s", kind, name)
	}
	return anaplan.Object{Model: n.hub, Kind: kind, ID: found}
}

func (n *tenant) file() string {
	n.Helper()
	for f, err := range n.client.Files(n.Context(), n.hub) {
		n.must(err)
		if f.Name == "sales.csv" {
			return f.ID
		}
	}
	n.Fatal("no file")
	return ""
}

func text(s string) anaplan.Body { return anaplan.BytesBody([]byte(s)) }

func (n *tenant) upload() string {
	n.Helper()
	f := n.file()
	n.must(n.client.PutFile(n.Context(), n.hub, f, text(salesCSV)))
	return f
}

// finish polls a task until it has ended.
func (n *tenant) finish(o anaplan.Object, id string) anaplan.Task {
	n.Helper()
	for range 100 {
		task, err := n.client.Task(n.Context(), o, id)
		n.must(err)
		if task.State.Terminal() {
			return task
		}
		time.Sleep(5 * time.Second) // of the bubble
	}
	n.Fatal("the task does not end")
	return anaplan.Task{}
}

// run uploads, starts and waits.
func (n *tenant) run(o anaplan.Object) anaplan.Task {
	n.Helper()
	n.upload()
	task, err := n.client.Start(n.Context(), o, anaplan.StartOptions{Locale: "en_US", Mapping: actual})
	n.must(err)
	return n.finish(o, task.ID)
}

func readAll(body io.ReadCloser, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return string(data), err
}
