package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (s *Simulator) userObject(u *user) object {
	login := u.loggedIn
	if login.IsZero() {
		login = time.Date(2026, 8, 12, 8, 5, 37, 0, time.UTC)
	}
	return object{
		"id": u.id, "active": true, "email": u.email, "emailOptIn": false, "firstName": u.first,
		"lastName": u.last, "customerId": s.customer,
		"lastLoginDate": login.UTC().Format("2006-01-02T15:04:05.000-0700"),
	}
}

func (s *Simulator) getMe(c *call) answer { return c.success("user", "user", s.userObject(c.user)) }

func (s *Simulator) getUsers(c *call) answer {
	var rows []object
	for _, u := range s.users {
		rows = append(rows, s.userObject(u))
	}
	if a, ok := s.strictSort(c, rows, "firstName", "lastName", "email", "active", "lastLoginDate"); !ok {
		return a
	}
	return s.page(c, "user", "users", rows)
}

func (s *Simulator) getUser(c *call) answer {
	for _, u := range s.users {
		if u.id == c.params[0] {
			return c.success("user", "user", s.userObject(u))
		}
	}
	return s.notFound(c)
}

func workspaceObject(c *call, w *workspace) object {
	o := object{"id": w.id, "name": w.name, "active": true, "sizeAllowance": w.allowance}
	if c.query.Get("tenantDetails") == "true" {
		o["currentSize"] = int64(len(w.models)) << 20
	}
	return o
}

// visible workspaces are those of which the user may open a model.
func (u *user) visible(w *workspace) bool {
	return u.tenantAdmin || slices.ContainsFunc(w.models, func(m *model) bool { return u.role(m) != "none" })
}

func (s *Simulator) getWorkspaces(c *call) answer {
	var rows []object
	for _, w := range s.workspaces {
		if c.user.visible(w) {
			rows = append(rows, workspaceObject(c, w))
		}
	}
	if a, ok := s.strictSort(c, rows, "name", "sizeAllowance"); !ok {
		return a
	}
	return s.page(c, "workspace", "workspaces", rows)
}

// getWorkspace answers 404 to those who administer nothing in it (anaplan-api.md 6.3).
func (s *Simulator) getWorkspace(c *call) answer {
	for _, w := range s.workspaces {
		s.noteCase(c, c.params[0], w.id)
		if w.id != c.params[0] {
			continue
		}
		admin := slices.ContainsFunc(w.models, func(m *model) bool { return c.user.role(m) == "admin" })
		if c.user.tenantAdmin || admin {
			return c.success("workspace", "workspace", workspaceObject(c, w))
		}
	}
	return s.refuse(c, http.StatusNotFound, "Resource not found")
}

func (s *Simulator) modelObject(c *call, m *model, single bool) object {
	categories := []object{}
	for name, value := range m.categories {
		categories = append(categories, object{
			"id": hexID("value", name, value), "attribute": value, "categoryId": hexID("category", name),
			"categoryName": name, "customerId": s.customer,
		})
	}
	sortRows(categories, "categoryName", false)
	o := object{
		"id": m.id, "name": m.name, "activeState": s.state(m), "currentWorkspaceId": m.workspace.id,
		"currentWorkspaceName": m.workspace.name, "categoryValues": categories,
		"modelUrl": "https://us1a.app.anaplan.com/core3/anaplan/anaplan/framework.jsp?selectedWorkspaceId=" + m.workspace.id + "&selectedModelId=" + m.id,
	}
	if c.query.Get("modelDetails") == "true" {
		o["memoryUsage"] = int64(1) << 20
		o["isoCreationDate"] = "2024-01-15T09:30:00.000+0000"
		o["lastModified"] = m.free.UTC().Format("2006-01-02T15:04:05.000-0700")
		o["lastSavedSerialNumber"] = strconv.Itoa(m.changes)
		by := c.user
		if m.lastChangedBy != nil {
			by = m.lastChangedBy
		}
		o["lastModifiedByUserGuid"] = by.id
		if single {
			o["modelTransactionRunning"] = m.busy()
		}
	}
	return o
}

func (s *Simulator) modelRows(c *call, models []*model) answer {
	var rows []object
	for _, m := range models {
		if c.query.Get("archived") == "false" && s.state(m) == "ARCHIVED" {
			continue
		}
		rows = append(rows, s.modelObject(c, m, false))
	}
	if a, ok := s.strictSort(c, rows, "name", "activeState"); !ok {
		return a
	}
	return s.page(c, "model", "models", rows)
}

func (s *Simulator) getModels(c *call) answer { return s.modelRows(c, s.models) }

// getWorkspaceModels lists models without access too (6.3).
func (s *Simulator) getWorkspaceModels(c *call) answer {
	for _, w := range s.workspaces {
		s.noteCase(c, c.params[0], w.id)
		if w.id == c.params[0] && c.user.visible(w) {
			return s.modelRows(c, w.models)
		}
	}
	return s.notFound(c)
}

func (s *Simulator) getModel(c *call) answer {
	m := c.model
	c.model = nil
	return c.success("model", "model", s.modelObject(c, m, true))
}

// getStatus is the one answer without an envelope (8.2).
func (s *Simulator) getStatus(c *call) answer {
	m := c.model
	status := object{
		"taskId": nil, "currentStep": "Open", "progress": -1.0, "tooltip": nil, "exportTaskType": nil,
		"creationTime": s.t.UnixMilli(), "peakMemoryUsageEstimate": nil, "peakMemoryUsageTime": nil,
	}
	switch {
	case s.t.Before(m.closing):
		status["currentStep"] = "Closing"
	case s.under(m, "loading") != nil:
		status["currentStep"], status["progress"] = "Loading model", 0.5
	case s.t.Before(m.loaded):
		status["currentStep"] = "Loading model"
		left := m.loaded.Sub(s.t)
		status["progress"] = 1 - float64(left)/float64(max(m.loading, 1))
	case m.closed:
		status["currentStep"] = "Closed"
	case m.busy():
		t := m.queue[0]
		run := t.current()
		status["taskId"] = t.id
		status["currentStep"] = "Processing " + run.kind + " " + run.name
		status["progress"] = s.progress(t)
		status["tooltip"] = fmt.Sprintf("%s %q is being run by %s", run.kind, t.label(), t.user.email)
		status["creationTime"] = t.created.UnixMilli()
	}
	return jsonAnswer(http.StatusOK, object{"requestStatus": status})
}

// openFor begins loading a closed model, and says until when; zero when it is open.
func (s *Simulator) openFor(m *model) time.Time {
	if s.t.Before(m.closing) {
		return m.closing
	}
	if m.closed {
		m.closed = false
		m.loaded = s.t.Add(m.loading)
	}
	if s.t.Before(m.loaded) {
		return m.loaded
	}
	return time.Time{}
}

func (s *Simulator) openModel(c *call) answer {
	m := c.model
	switch s.state(m) {
	case "ARCHIVED":
		return s.refuse(c, http.StatusUnprocessableEntity, "Model archived")
	case "MAINTENANCE", "PRODUCTION_MAINTENANCE":
		return s.refuse(c, http.StatusFailedDependency, "Model offline")
	}
	s.openFor(m)
	return empty(http.StatusAccepted)
}

func (s *Simulator) closeModel(c *call) answer {
	m := c.model
	if s.state(m) == "ARCHIVED" {
		return s.refuse(c, http.StatusUnprocessableEntity, "Model archived")
	}
	m.closed = true
	m.closing = s.t.Add(s.scaled(3 * time.Second))
	return empty(http.StatusNoContent)
}
