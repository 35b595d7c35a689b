package anaplan

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
)

// User is an Anaplan user (anaplan-api.md 7.1).
type User struct {
	ID         string `json:"id"`
	Email      string `json:"email"`
	FirstName  string `json:"firstName"`
	LastName   string `json:"lastName"`
	Active     bool   `json:"active"`
	CustomerID string `json:"customerId"` // may be missing
}

// Me is the user that the token belongs to.
func (c *Client) Me(ctx context.Context) (User, error) {
	return one[User](ctx, c, "/users/me", "user", nil)
}

// Workspace is a workspace that the user can see (anaplan-api.md 7.2).
type Workspace struct {
	ID            string `json:"id"` // 32 hex digits, lower case
	Name          string `json:"name"`
	Active        bool   `json:"active"`
	SizeAllowance int64  `json:"sizeAllowance"` // bytes
}

// Workspaces lists the workspaces that the user can see.
func (c *Client) Workspaces(ctx context.Context) iter.Seq2[Workspace, error] {
	return list[Workspace](ctx, c, "/workspaces", "workspaces", nil)
}

// Model is a model (anaplan-api.md 7.3). It is listed, and answers, even to a user
// without a role in it, who gets 404 for everything inside (6.3).
type Model struct {
	ID            string `json:"id"` // 32 hex digits, upper case
	Name          string `json:"name"`
	ActiveState   string `json:"activeState"` // UNLOCKED, LOCKED, ARCHIVED, PRODUCTION, MAINTENANCE, …
	WorkspaceID   string `json:"currentWorkspaceId"`
	WorkspaceName string `json:"currentWorkspaceName"`
}

// Models lists the models of a workspace.
func (c *Client) Models(ctx context.Context, workspace string) iter.Seq2[Model, error] {
	return list[Model](ctx, c, join("workspaces", workspace, "models"), "models", nil)
}

// AllModels lists the models of every workspace.
func (c *Client) AllModels(ctx context.Context) iter.Seq2[Model, error] {
	return list[Model](ctx, c, "/models", "models", nil)
}

// Model is one model by its id. The path with a workspace does not exist
// (anaplan-api.md 1.3).
func (c *Client) Model(ctx context.Context, id string) (Model, error) {
	return one[Model](ctx, c, join("models", id), "model", nil)
}

// ModelStatus tells what a model does at the moment (anaplan-api.md 8.2).
type ModelStatus struct {
	TaskID      string  `json:"taskId"`
	CurrentStep string  `json:"currentStep"` // "Open", "Closed", "Closing", "Processing …": an open set
	Progress    float64 `json:"progress"`    // 0..1; -1 when idle
	Tooltip     string  `json:"tooltip"`     // while busy a sentence that names the import and its user
}

// Status is the state of a model, with or without the envelope that some documents show
// around it (anaplan-api.md 8.2, 20).
func (c *Client) Status(ctx context.Context, m ModelRef) (ModelStatus, error) {
	var raw json.RawMessage
	path := m.path("status")
	if err := c.get(ctx, path, nil, &raw); err != nil {
		return ModelStatus{}, err
	}
	var answer struct {
		RequestStatus *ModelStatus `json:"requestStatus"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.RequestStatus == nil {
		return ModelStatus{}, &FormatError{Method: http.MethodGet, Path: path, Body: snippet(raw), Err: errNoSuchKey}
	}
	return *answer.RequestStatus, nil
}

// Open asks for a closed model to be loaded, which takes as long as it takes: the answer
// does not wait for it (anaplan-api.md 8.1). It needs a Workspace Administrator.
func (c *Client) Open(ctx context.Context, m ModelRef) error {
	return c.call(ctx, request{method: http.MethodPost, path: m.path("open")}, nil)
}

// query is a query string of one key.
func query(key, value string) url.Values { return url.Values{key: {value}} }
