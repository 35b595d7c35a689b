package simulator

import (
	"net/http"
	"strings"
	"time"
)

// A route of the Integration API. In path, * stands for an id. Routes with model are found below both
// /workspaces/{w}/models/{m} and /models/{m} (anaplan-api.md 1.3).
type route struct {
	method, path string
	serve        func(*Simulator, *call) answer
	// closed: answers though the model is closed or loading; busy: answers though a task runs (8.3);
	// open: answers without access to the model (6.3).
	closed, busy, open bool
}

var tenantRoutes = []route{
	{method: "GET", path: "/users/me", serve: (*Simulator).getMe},
	{method: "GET", path: "/users", serve: (*Simulator).getUsers},
	{method: "GET", path: "/users/*", serve: (*Simulator).getUser},
	{method: "GET", path: "/workspaces", serve: (*Simulator).getWorkspaces},
	{method: "GET", path: "/workspaces/*", serve: (*Simulator).getWorkspace},
	{method: "GET", path: "/workspaces/*/models", serve: (*Simulator).getWorkspaceModels},
	{method: "GET", path: "/models", serve: (*Simulator).getModels},
}

var modelRoutes = []route{
	{method: "GET", path: "", serve: (*Simulator).getModel, closed: true, busy: true, open: true},
	{method: "GET", path: "/status", serve: (*Simulator).getStatus, closed: true, busy: true},
	{method: "POST", path: "/open", serve: (*Simulator).openModel, closed: true, busy: true},
	{method: "POST", path: "/close", serve: (*Simulator).closeModel, closed: true, busy: true},

	{method: "GET", path: "/files", serve: (*Simulator).getFiles},
	{method: "POST", path: "/files/*", serve: (*Simulator).setChunkCount},
	{method: "PUT", path: "/files/*", serve: (*Simulator).putFile},
	{method: "GET", path: "/files/*", serve: (*Simulator).getFile},
	{method: "DELETE", path: "/files/*", serve: (*Simulator).deleteFile},
	{method: "POST", path: "/files/*/complete", serve: (*Simulator).completeFile},
	{method: "GET", path: "/files/*/chunks", serve: (*Simulator).getChunks},
	{method: "GET", path: "/files/*/chunks/*", serve: (*Simulator).getChunk},
	{method: "PUT", path: "/files/*/chunks/*", serve: (*Simulator).putChunk},

	{method: "GET", path: "/imports", serve: (*Simulator).getImports, busy: true},
	{method: "GET", path: "/imports/*", serve: (*Simulator).getImport, busy: true},
	{method: "GET", path: "/exports", serve: (*Simulator).getExports, busy: true},
	{method: "GET", path: "/exports/*", serve: (*Simulator).getExport, busy: true},
	{method: "GET", path: "/processes", serve: (*Simulator).getProcesses, busy: true},
	{method: "GET", path: "/processes/*", serve: (*Simulator).getProcess, busy: true},
	{method: "GET", path: "/actions", serve: (*Simulator).getActions, busy: true},
	{method: "GET", path: "/actions/*", serve: (*Simulator).getAction},

	{method: "GET", path: "/#/*/tasks", serve: (*Simulator).getTasks, busy: true, open: true},
	{method: "POST", path: "/#/*/tasks", serve: (*Simulator).startTask, busy: true},
	{method: "GET", path: "/#/*/tasks/*", serve: (*Simulator).getTask, busy: true},
	{method: "DELETE", path: "/#/*/tasks/*", serve: (*Simulator).cancelTask, busy: true},
	{method: "GET", path: "/#/*/tasks/*/dump", serve: (*Simulator).getDump, busy: true},
	{method: "GET", path: "/#/*/tasks/*/dump/chunks", serve: (*Simulator).getDumpChunks, busy: true},
	{method: "GET", path: "/#/*/tasks/*/dump/chunks/*", serve: (*Simulator).getDumpChunk, busy: true},
	{method: "GET", path: "/#/*/tasks/*/dumps/*", serve: (*Simulator).getDump, busy: true},
	{method: "GET", path: "/#/*/tasks/*/dumps/*/chunks", serve: (*Simulator).getDumpChunks, busy: true},
	{method: "GET", path: "/#/*/tasks/*/dumps/*/chunks/*", serve: (*Simulator).getDumpChunk, busy: true},

	{method: "GET", path: "/lists", serve: (*Simulator).getLists},
	{method: "GET", path: "/lists/*", serve: (*Simulator).getList},
	{method: "GET", path: "/lists/*/items", serve: (*Simulator).getListItems},
	{method: "GET", path: "/modules", serve: (*Simulator).getModules},
	{method: "GET", path: "/modules/*/lineItems", serve: (*Simulator).getModuleLineItems},
	{method: "GET", path: "/lineItems", serve: (*Simulator).getLineItems},
	{method: "GET", path: "/modules/*/views", serve: (*Simulator).getModuleViews},
	{method: "GET", path: "/views", serve: (*Simulator).getViews},
	{method: "GET", path: "/views/*", serve: (*Simulator).getView},
	{method: "GET", path: "/versions", serve: (*Simulator).getVersions},
	{method: "GET", path: "/currentPeriod", serve: (*Simulator).getCurrentPeriod},
}

// kinds of runnable objects by the segment of the path, written # in routes.
var kinds = map[string]string{"imports": "import", "exports": "export", "processes": "process", "actions": "action"}

// match compares segment by segment and returns the ids.
func match(pattern string, segments []string) ([]string, bool) {
	want := strings.Split(pattern, "/")[1:]
	if pattern == "" {
		want = nil
	}
	if len(want) != len(segments) {
		return nil, false
	}
	var params []string
	for i, segment := range segments {
		switch {
		case want[i] == "#":
			if kinds[segment] == "" {
				return nil, false
			}
			params = append(params, segment)
		case want[i] == "*":
			params = append(params, segment)
		case want[i] != segment:
			return nil, false
		}
	}
	return params, true
}

// find the route; other tells that the path exists with another method.
func find(routes []route, method string, segments []string) (found *route, params []string, other bool) {
	for i := range routes {
		p, ok := match(routes[i].path, segments)
		switch {
		case ok && routes[i].method == method:
			return &routes[i], p, false
		case ok:
			other = true
		}
	}
	return nil, nil, other
}

// answer answers now, or says until when the call hangs at least. The mutex is held.
func (s *Simulator) answer(c *call) (answer, time.Time) {
	if strings.HasPrefix(c.path, "/token/") {
		return s.authService(c), time.Time{}
	}
	path, ok := strings.CutPrefix(strings.Replace(c.path, "//", "/", 1), "/2/0/")
	if !ok {
		s.misused(c, "paths begin with /2/0/ or /token/")
		return s.notFound(c), time.Time{}
	}
	if c.user == nil {
		if a, limited := s.limited(c); limited {
			return a, time.Time{}
		}
		if c.header.Get("Idempotency-Key") != "" {
			s.misused(c, "Anaplan knows no Idempotency-Key")
		}
		if !s.authorize(c) {
			return s.unauthorized(c), time.Time{}
		}
	}
	if s.under(nil, "page") != nil {
		return s.maintenance(c), time.Time{}
	}
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	return s.dispatch(c, segments)
}

func (s *Simulator) dispatch(c *call, segments []string) (answer, time.Time) {
	if len(segments) >= 2 && segments[0] == "models" {
		return s.modelCall(c, segments[1], segments[2:])
	}
	if len(segments) >= 4 && segments[0] == "workspaces" && segments[2] == "models" {
		if len(segments) == 4 {
			s.misused(c, "use GET /models/{m}")
			return s.refuse(c, http.StatusMethodNotAllowed, "Method Not Allowed"), time.Time{}
		}
		m := s.modelByID(segments[3])
		if m != nil && m.workspace.id != segments[1] {
			s.noteCase(c, segments[1], m.workspace.id)
			return s.notFound(c), time.Time{}
		}
		return s.modelCall(c, segments[3], segments[4:])
	}
	r, params, other := find(tenantRoutes, c.method, segments)
	if r == nil {
		return s.unrouted(c, other), time.Time{}
	}
	c.params = params
	return r.serve(s, c), time.Time{}
}

func (s *Simulator) modelCall(c *call, id string, segments []string) (answer, time.Time) {
	r, params, other := find(modelRoutes, c.method, segments)
	if r == nil {
		return s.unrouted(c, other), time.Time{}
	}
	m := s.modelByID(id)
	taskList := strings.HasSuffix(r.path, "/tasks") && r.method == http.MethodGet
	c.params = params
	if m != nil {
		if a, until, away := s.spellbound(c, m, r); away {
			return a, until
		}
	}
	if m == nil || s.role(c.user, m) == "none" && !r.open {
		if m == nil {
			s.noteModelCase(c, id)
		}
		if taskList {
			return s.page(c, "task", "tasks", nil), time.Time{}
		}
		return s.notFound(c), time.Time{}
	}
	c.model = m
	if taskList && s.role(c.user, m) == "none" {
		return s.page(c, "task", "tasks", nil), time.Time{}
	}
	if !r.closed {
		if until := s.openFor(m); !until.IsZero() {
			return answer{}, until
		}
	}
	if !r.busy && s.switches.Busy != "" && m.busy() {
		if s.switches.Busy == "409" {
			return s.refuse(c, http.StatusConflict, "Conflict"), time.Time{}
		}
		due, _ := m.nextEvent()
		return answer{}, due
	}
	return r.serve(s, c), time.Time{}
}

func (s *Simulator) unrouted(c *call, other bool) answer {
	s.misused(c, "there is no such call")
	if other {
		return s.refuse(c, http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	return s.notFound(c)
}

// authorize finds the token's owner; both schemes are accepted here (4.1).
func (s *Simulator) authorize(c *call) bool {
	scheme, value, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if scheme != "AnaplanAuthToken" && scheme != "Bearer" {
		s.misused(c, "no token in the header")
		return false
	}
	t := s.token(c, value)
	if t == nil {
		c.user = nil
		return false
	}
	return true
}

func (s *Simulator) unauthorized(c *call) answer {
	switch s.switches.Unauthorized {
	case "empty":
		return empty(http.StatusUnauthorized)
	case "auth":
		return authError(http.StatusUnauthorized, "FAILURE_INVALID_TOKEN", "Invalid token.")
	}
	return s.refuse(c, http.StatusUnauthorized, "Unauthorized")
}

func (s *Simulator) modelByID(id string) *model {
	for _, m := range s.models {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (s *Simulator) noteModelCase(c *call, id string) {
	for _, m := range s.models {
		s.noteCase(c, id, m.id)
	}
}

// noteCase notes an id that differs from a true one by its case alone (1.2).
func (s *Simulator) noteCase(c *call, id, truth string) {
	if id != truth && strings.EqualFold(id, truth) {
		s.misused(c, "the id is %s, in this case of letters", truth)
	}
}
