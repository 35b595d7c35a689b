package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A tenant under test: a small company, reached through the in-memory transport.
const small = `
[[user]]
email = "ada@example.com"
first_name = "Ada"
password = "pw"
access = { "*" = "admin" }

[[user]]
email = "bob@example.com"
password = "pw"
access = { "Hub" = "user", "Spoke" = "none" }

[[workspace]]
name = "Finance"

[[workspace.model]]
name = "Hub"
time = ["Jan 26", "Feb 26"]
versions = ["Actual", "Forecast"]

[[workspace.model.list]]
name = "Regions"
items = """
name,code
EMEA,R1
AMER,R2
"""

[[workspace.model.list]]
name = "Shops"
parent = "Regions"
property = [{ name = "Opened", format = "date" }, { name = "Size", format = "number" }]
items = """
name,code,parent,Opened
Paris,S1,EMEA,2020-01-31
"""

[[workspace.model.module]]
name = "Sales"
dimensions = ["Shops", "Time", "Versions"]
line_item = [{ name = "Units" }, { name = "Net", calculated = true }, { name = "Open", format = "boolean" }]

[[workspace.model.module]]
name = "Flags"
dimensions = ["Shops"]
line_item = [{ name = "Gone", format = "boolean" }]

[[workspace.model.file]]
id = "113000000012"
name = "shops.csv"
[[workspace.model.file]]
name = "sales.txt"
separator = ";"
encoding = "UTF-16LE"
default = "Shop;Month;Units\nS1;Jan 26;1\n"

[[workspace.model.import]]
name = "Load Shops"
file = "shops.csv"
list = "Shops"
map = { name = "Shop", code = "Code", parent = "Region", Opened = "Opened" }
duration = "10s"

[[workspace.model.import]]
name = "Load Sales"
file = "sales.txt"
module = "Sales"
map = { Shops = "Shop", Time = "Month", Versions = "?Version", Units = "Units", Net = "Units" }
duration = "10s"

[[workspace.model.import]]
name = "Flag"
file = "shops.csv"
module = "Flags"
map = { Shops = "Code", Gone = "=true" }

[[workspace.model.export]]
name = "Sales.csv"
module = "Sales"

[[workspace.model.action]]
name = "Purge"
type = "DELETE_BY_SELECTION"
list = "Shops"
module = "Flags"
line_item = "Gone"

[[workspace.model.action]]
name = "Broken"
fails = true

[[workspace.model.action]]
name = "Order"

[[workspace.model.process]]
name = "Night"
actions = ["Load Shops", "Sales.csv", "Order"]

[[workspace.model.process]]
name = "Stops"
actions = ["Order", "Broken", "Order"]

[[workspace.model]]
name = "Spoke"
closed = true
load_time = "1m"

[[workspace.model.list]]
name = "Shops"
[[workspace.model.import]]
name = "Pull"
source_model = "Hub"
source_list = "Shops"
list = "Shops"
map = { name = "Name", code = "Code" }

[[workspace.model]]
name = "Old"
state = "ARCHIVED"
[[workspace.model.action]]
name = "Order"
`

type tenant struct {
	t     *testing.T
	s     *Simulator
	hc    *http.Client
	token string
}

func company(t *testing.T, more string) *Company {
	t.Helper()
	c, err := Load(strings.NewReader(small + more))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// inBubble runs f in virtual time, logged in as Ada.
func inBubble(t *testing.T, o Options, f func(*tenant)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(company(t, ""), o)
		defer s.Close()
		tn := &tenant{t: t, s: s, hc: &http.Client{Transport: s.Transport()}}
		tn.login("ada@example.com")
		f(tn)
	})
}

func (tn *tenant) login(email string) {
	tn.t.Helper()
	req, _ := http.NewRequest("POST", "https://auth.anaplan.com/token/authenticate", nil)
	req.SetBasicAuth(email, "pw")
	var out struct {
		TokenInfo struct{ TokenValue string }
	}
	if status := tn.send(req, &out); status != http.StatusCreated {
		tn.t.Fatalf("login: %d", status)
	}
	tn.token = out.TokenInfo.TokenValue
}

func (tn *tenant) send(req *http.Request, out any) int {
	tn.t.Helper()
	resp, err := tn.hc.Do(req)
	if err != nil {
		tn.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tn.t.Fatal(err)
	}
	switch out := out.(type) {
	case nil:
	case *[]byte:
		*out = data
	default:
		if err := json.Unmarshal(data, out); err != nil {
			tn.t.Fatalf("%s %s: %v: %s", req.Method, req.URL, err, data)
		}
	}
	return resp.StatusCode
}

// call sends a request below /2/0; headers are in pairs.
func (tn *tenant) call(method, path, body string, out any, headers ...string) int {
	tn.t.Helper()
	req, err := http.NewRequest(method, "https://api.anaplan.com/2/0"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		tn.t.Fatal(err)
	}
	req.Header.Set("Authorization", "AnaplanAuthToken "+tn.token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return tn.send(req, out)
}

// model is the path of a model by its name, object that of a runnable one.
func (tn *tenant) model(name string) string {
	m := tn.s.modelNamed(name)
	return "/workspaces/" + m.workspace.id + "/models/" + m.id
}

func (tn *tenant) object(model, name string) string {
	for _, r := range tn.s.modelNamed(model).objects {
		if r.name == name {
			return tn.model(model) + "/" + r.path() + "/" + r.id
		}
	}
	tn.t.Fatalf("no object %s", name)
	return ""
}

type taskAnswer struct {
	Task struct {
		TaskID, TaskState, CurrentStep, CancelledBy string
		Progress                                    float64
		CreationTime                                int64
		Result                                      *resultAnswer
	}
}

type resultAnswer struct {
	ObjectID, ObjectName             string
	Successful, FailureDumpAvailable bool
	Details                          []struct {
		Type, LocalMessageText string
		Values                 []*string
	}
	NestedResults []resultAnswer
}

func (r *resultAnswer) value(key string) string {
	for _, d := range r.Details {
		for i := 0; i+1 < len(d.Values); i += 2 {
			if *d.Values[i] == key && d.Values[i+1] != nil {
				return *d.Values[i+1]
			}
		}
	}
	return ""
}

// start returns the path of the new task.
func (tn *tenant) start(model, name, prompts string) string {
	tn.t.Helper()
	path := tn.object(model, name) + "/tasks"
	var out taskAnswer
	body := `{"localeName":"en_US"` + prompts + `}`
	if status := tn.call("POST", path, body, &out); status != 200 || out.Task.TaskID == "" {
		tn.t.Fatalf("starting %s: %d %+v", name, status, out)
	}
	return path + "/" + out.Task.TaskID
}

func (tn *tenant) task(path string) taskAnswer {
	tn.t.Helper()
	var out taskAnswer
	if status := tn.call("GET", path, "", &out); status != 200 {
		tn.t.Fatalf("GET %s: %d", path, status)
	}
	return out
}

// finish polls until the task is over.
func (tn *tenant) finish(path string) *resultAnswer {
	tn.t.Helper()
	for range 100 {
		if a := tn.task(path); a.Task.Result != nil {
			return a.Task.Result
		}
		time.Sleep(5 * time.Second) // of the bubble
	}
	tn.t.Fatal("the task does not end")
	return nil
}

func (tn *tenant) upload(file, content string) {
	tn.t.Helper()
	path := tn.model("Hub") + "/files/" + tn.s.modelNamed("Hub").fileNamed(file).id
	if status := tn.call("PUT", path, content, nil, "Content-Type", octets); status != 204 {
		tn.t.Fatalf("PUT %s: %d", path, status)
	}
}

func (tn *tenant) wantNoMisuse() {
	tn.t.Helper()
	for _, m := range tn.s.Misuse() {
		tn.t.Errorf("misuse: %s", m)
	}
}
