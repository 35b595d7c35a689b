package simulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// exceptions are what does not validate because the OpenAPI file is wrong: the place in the answer, what the
// validator says, and the section of anaplan-api.md that has it otherwise.
var exceptions = []struct{ says, section string }{
	{`/lastLoginDate': '.*\+0000' is not valid date-time`, "7.1: the offset has no colon [live]"},
	{`/email': '.*' does not match pattern '\^\[_A-Za-z0-9-\\\\`, "7.1: ordinary addresses; the file's pattern has its backslashes doubled"},
	{`/details/\d+/values/\d+': got null, want string`, "11.4: values can be null [client]"},
}

// excepted removes from a problem what is an exception; "" when nothing is left.
func excepted(problem string, used map[string]bool) string {
	var left []string
	for line := range strings.Lines(problem) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "jsonschema validation failed") || strings.HasSuffix(line, "': validation failed") {
			continue
		}
		known := false
		for _, e := range exceptions {
			if regexp.MustCompile(e.says).MatchString(line) {
				used[e.says], known = true, true
			}
		}
		if !known {
			left = append(left, line)
		}
	}
	return strings.Join(left, "\n")
}

// A contract holds the operations of an OpenAPI file and notes which were exercised.
type contract struct {
	t        *testing.T
	paths    map[string]map[string]any
	compiler *jsonschema.Compiler
	done     map[string]bool
}

func loadContract(t *testing.T, dir, name string) *contract {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{t: t, paths: map[string]map[string]any{}, compiler: jsonschema.NewCompiler(), done: map[string]bool{}}
	c.compiler.DefaultDraft(jsonschema.Draft4) // what OpenAPI 3.0 builds on
	if err := c.compiler.AddResource("spec.json", nullable(doc)); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.(map[string]any)["paths"].(map[string]any) {
		c.paths[path] = item.(map[string]any)
	}
	return c
}

// nullable turns OpenAPI's "nullable" into JSON Schema.
func nullable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v["nullable"] == true {
			if kind, ok := v["type"].(string); ok {
				v["type"] = []any{kind, "null"}
			}
			if allowed, ok := v["enum"].([]any); ok {
				v["enum"] = append(allowed, nil)
			}
		}
		for _, child := range v {
			nullable(child)
		}
	case []any:
		for _, child := range v {
			nullable(child)
		}
	}
	return v
}

func matches(template, path string) bool {
	a, b := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !strings.HasPrefix(a[i], "{") {
			return false
		}
	}
	return true
}

// operation finds the most literal template of the path.
func (c *contract) operation(method, path string) (template string, found map[string]any) {
	for candidate, item := range c.paths {
		op, ok := item[strings.ToLower(method)].(map[string]any)
		if ok && matches(candidate, path) && (found == nil || strings.Count(candidate, "{") < strings.Count(template, "{")) {
			template, found = candidate, op
		}
	}
	return template, found
}

// validate says what is wrong with an answer; "" when it is as the file has it.
func (c *contract) validate(method, path string, rec *httptest.ResponseRecorder) (name, problem string) {
	template, op := c.operation(method, path)
	if op == nil {
		return "", ""
	}
	name = method + " " + template
	c.done[name] = true
	place := []string{"paths", template, strings.ToLower(method), "responses", strconv.Itoa(rec.Code)}
	response, _ := op["responses"].(map[string]any)[place[4]].(map[string]any)
	if response == nil {
		return name, "status " + place[4] + " is not in the file"
	}
	if ref, ok := response["$ref"].(string); ok {
		place = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		return name, c.body(append(place, "content"), rec)
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 {
		if rec.Body.Len() > 0 && rec.Code < 300 {
			return name, "the file has no body"
		}
		return name, ""
	}
	kind, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
	if content[kind] == nil {
		return name, "content type " + kind + " is not in the file"
	}
	return name, c.body(append(place, "content"), rec)
}

func (c *contract) body(place []string, rec *httptest.ResponseRecorder) string {
	kind, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
	if kind != "application/json" {
		return ""
	}
	pointer := "spec.json#"
	for _, part := range append(place, kind, "schema") {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	schema, err := c.compiler.Compile(pointer)
	if err != nil {
		return err.Error()
	}
	v, err := jsonschema.UnmarshalJSON(rec.Body)
	if err != nil {
		return err.Error()
	}
	if err := schema.Validate(v); err != nil {
		return err.Error()
	}
	return ""
}

// implemented says whether the simulator has a route for the template.
func implemented(method, template string) bool {
	segments := strings.Split(strings.Trim(template, "/"), "/")
	routes := tenantRoutes
	switch {
	case segments[0] == "models" && len(segments) >= 2:
		routes, segments = modelRoutes, segments[2:]
	case len(segments) > 4 && segments[2] == "models":
		routes, segments = modelRoutes, segments[4:]
	}
	r, _, _ := find(routes, method, segments)
	return r != nil
}

func TestAnswersKeepTheOpenAPIContract(t *testing.T) {
	dir := os.Getenv("ANAPLAN_OPENAPI_DIR")
	if dir == "" {
		t.Log("not run: ANAPLAN_OPENAPI_DIR does not name the folder of the OpenAPI files")
		return
	}
	api, auth := loadContract(t, dir, "integration-openapi.json"), loadContract(t, dir, "authentication-openapi.json")
	clock := time.Now()
	s := New(company(t, ""), Options{Now: func() time.Time { return clock }, Switches: &Switches{ParallelTasks: true, PollEvery: -1, NoRateLimit: true}})
	token, used := "", map[string]bool{}
	do := func(method, path, body string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		contract, base := api, "https://api.anaplan.com/2/0"
		if strings.HasPrefix(path, "/token/") {
			contract, base = auth, "https://auth.anaplan.com"
		}
		req := httptest.NewRequest(method, base+path, strings.NewReader(body))
		req.Header.Set("Authorization", "AnaplanAuthToken "+token)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, req)
		path, _, _ = strings.Cut(path, "?")
		answered := rec.Body.String()
		name, problem := contract.validate(method, path, rec)
		if problem = excepted(problem, used); problem != "" {
			t.Errorf("%s (%d): %s\n%s", name, rec.Code, problem, answered)
		}
		rec.Body = bytes.NewBufferString(answered)
		return rec
	}
	login := func() {
		rec := do("POST", "/token/authenticate", "", "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("ada@example.com:pw")))
		var out struct{ TokenInfo struct{ TokenValue string } }
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		token = out.TokenInfo.TokenValue
	}
	do("POST", "/token/authenticate", "", "Authorization", "Basic eDp5")
	login()
	do("GET", "/token/validate", "")
	do("POST", "/token/refresh", "")
	do("GET", "/token/validate", "", "Authorization", "Bearer x")
	do("POST", "/token/refresh", "", "Authorization", "Bearer x")

	m := s.modelNamed("Hub")
	none := strings.Repeat("0", 32)
	do("GET", "/users/me", "")
	do("GET", "/users", "")
	do("GET", "/users/"+s.users[0].id, "")
	do("GET", "/workspaces?tenantDetails=true", "")
	do("GET", "/workspaces/"+m.workspace.id, "")
	do("GET", "/workspaces/"+none, "")
	do("GET", "/workspaces/"+m.workspace.id+"/models", "")
	do("GET", "/models?modelDetails=true", "")
	do("GET", "/models/"+m.id+"?modelDetails=true", "")

	// Every GET of a model, in both path forms, with what exists and with a model that does not.
	list, mod, imp, exp, prc, act := m.lists[1].id, m.modules[0].id, "", "", "", ""
	for _, r := range m.objects {
		for name, to := range map[string]*string{"Load Shops": &imp, "Sales.csv": &exp, "Night": &prc, "Purge": &act} {
			if r.name == name {
				*to = r.id
			}
		}
	}
	file, long := "113000000012", "/workspaces/"+m.workspace.id+"/models/"
	do("POST", long+m.id+"/files/"+file, `{"chunkCount":-1}`)
	do("PUT", long+m.id+"/files/"+file+"/chunks/0", shopsCSV)
	do("POST", long+m.id+"/files/"+file+"/complete", `{"id":"113000000012"}`)
	tasks := map[string]string{}
	ids := map[string]string{"imports": imp, "exports": exp, "processes": prc, "actions": act}
	for _, kind := range slices.Sorted(maps.Keys(ids)) { // in this order, for the same task ids each time
		id := ids[kind]
		path := long + m.id + "/" + kind + "/" + id + "/tasks"
		rec := do("POST", path, `{"localeName":"en_US"}`)
		var out taskAnswer
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		tasks[kind] = path + "/" + out.Task.TaskID
		do("GET", tasks[kind], "")
		clock = clock.Add(5 * time.Second)
		do("GET", tasks[kind], "")
		clock = clock.Add(time.Minute)
		do("GET", tasks[kind], "")
		do("GET", path, "")
		do("GET", tasks[kind]+"0", "")
		do("POST", long+none+"/"+kind+"/"+id+"/tasks", `{"localeName":"en_US"}`)
	}
	rec := do("POST", long+m.id+"/imports/"+imp+"/tasks", `{"localeName":"en_US"}`)
	var again taskAnswer
	if err := json.Unmarshal(rec.Body.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(time.Minute)
	for _, sub := range []string{"/dump", "/dump/chunks", "/dump/chunks/0"} {
		do("GET", long+m.id+"/imports/"+imp+"/tasks/"+again.Task.TaskID+sub, "")
		do("GET", tasks["imports"]+sub, "")
	}
	for _, prefix := range []string{"/models/", long} {
		for _, id := range []string{m.id, none} {
			for _, sub := range []string{
				"/status", "/files", "/files/" + file + "/chunks", "/files/" + file + "/chunks/0", "/files/" + file, "/imports", "/imports/" + imp,
				"/exports", "/exports/" + exp, "/processes", "/processes/" + prc + "?showImportDataSource=true", "/actions",
				"/lists", "/lists/" + list, "/lists/" + list + "/items?includeAll=true", "/modules", "/modules/" + mod + "/lineItems",
				"/lineItems", "/modules/" + mod + "/views", "/views", "/views/" + mod, "/versions", "/currentPeriod",
			} {
				do("GET", prefix+id+sub, "")
			}
		}
	}
	do("PUT", long+m.id+"/files/"+file, shopsCSV)
	do("DELETE", long+m.id+"/files/"+file, "")
	do("POST", "/models/"+m.id+"/open", "")
	do("POST", "/models/"+m.id+"/close", "")
	do("POST", "/token/logout", "")
	do("GET", "/token/validate", "")
	do("POST", "/token/refresh", "")
	do("POST", "/token/logout", "", "Authorization", "x")

	for template, item := range api.paths {
		for method := range item {
			method = strings.ToUpper(method)
			if name := method + " " + template; implemented(method, template) && !api.done[name] {
				t.Errorf("%s was not exercised", name)
			}
		}
	}
	for _, e := range exceptions {
		if !used[e.says] {
			t.Errorf("exception without need: %s (%s)", e.says, e.section)
		}
	}
	if len(api.done) < 60 || len(auth.done) != 4 {
		t.Errorf("%d and %d operations", len(api.done), len(auth.done))
	}
	t.Logf("%d operations of the Integration API, %d of the authentication service, %d exceptions", len(api.done), len(auth.done), len(exceptions))
}
