package anaplan

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strings"
)

// Kind is one of the four kinds of objects that can be run.
type Kind string

// The kinds. An action is an "other action": delete, copy and so on.
const (
	KindImport  Kind = "import"
	KindExport  Kind = "export"
	KindProcess Kind = "process"
	KindAction  Kind = "action"
)

// Path is the kind's part of a path: "imports".
func (k Kind) Path() string {
	if k == KindProcess {
		return "processes"
	}
	return string(k) + "s"
}

// Prefix begins the ids of the kind (anaplan-api.md 1.2).
func (k Kind) Prefix() string {
	switch k {
	case KindImport:
		return "112"
	case KindExport:
		return "116"
	case KindAction:
		return "117"
	}
	return "118"
}

// KindOf is the kind of an object by its id.
func KindOf(id string) (Kind, bool) {
	for _, k := range []Kind{KindImport, KindExport, KindAction, KindProcess} {
		if IsObjectID(id) && strings.HasPrefix(id, k.Prefix()) {
			return k, true
		}
	}
	return "", false
}

// IsObjectID says whether s has the shape of an id of something in a model: 12 digits.
func IsObjectID(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// Object is something that can be run.
type Object struct {
	Model ModelRef
	Kind  Kind
	ID    string
}

func (o Object) path(parts ...string) string {
	return o.Model.path(append([]string{o.Kind.Path(), o.ID}, parts...)...)
}

// DataSource says where an import reads from.
type DataSource struct {
	ID            string `json:"importDataSourceId"`
	Type          string `json:"type"` // FILE, MODEL
	SourceModelID string `json:"sourceModelId"`
	SourceModel   string `json:"sourceModelName"`
	SourceSpaceID string `json:"sourceWorkspaceId"`
}

// Import is a row of the list of imports (anaplan-api.md 10.1).
type Import struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Type         string     `json:"importType"`         // HIERARCHY_DATA, MODULE_DATA, …
	DataSourceID string     `json:"importDataSourceId"` // may be missing, empty, or not a file's
	DataSource   DataSource `json:"importDataSource"`   // may be missing
}

// File is the id of the server file that the import reads, empty if it reads none: only
// an id that begins with 113 is an upload target (anaplan-api.md 10.1).
func (i Import) File() string {
	for _, id := range []string{i.DataSourceID, i.DataSource.ID} {
		if strings.HasPrefix(id, "113") {
			return id
		}
	}
	return ""
}

// ImportDetail is how an import reads its file (anaplan-api.md 10.1).
type ImportDetail struct {
	Name   string       `json:"name"`
	Type   string       `json:"type"` // FILE, MODEL
	Source ImportSource `json:"source"`
}

// ImportSource is the layout of an import's file; zero for imports from a model.
type ImportSource struct {
	Encoding     string   `json:"textEncoding"`
	Separator    string   `json:"columnSeparator"`
	Delimiter    string   `json:"textDelimiter"`
	HeaderRow    int      `json:"headerRow"`
	FirstDataRow int      `json:"firstDataRow"`
	HeaderNames  []string `json:"headerNames"`
	ColumnCount  int      `json:"columnCount"`
}

// Export is a row of the list of exports (anaplan-api.md 10.2). Its output is the file of
// the same id.
type Export struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"exportType"`
	Format   string `json:"exportFormat"` // text/csv, …; may be missing
	Encoding string `json:"encoding"`
}

// ExportDetail describes an export's columns (anaplan-api.md 10.2).
type ExportDetail struct {
	ColumnCount int      `json:"columnCount"`
	HeaderNames []string `json:"headerNames"`
	DataTypes   []string `json:"dataTypes"`
	RowCount    int64    `json:"rowCount"` // an estimate
	Encoding    string   `json:"encoding"`
	Separator   string   `json:"separator"`
	Delimiter   string   `json:"delimiter"`
	Format      string   `json:"exportFormat"`
}

// Process is a row of the list of processes (anaplan-api.md 10.3).
type Process struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ProcessDetail is what a process does, in order (anaplan-api.md 10.3).
type ProcessDetail struct {
	Name    string          `json:"name"`
	Actions []ProcessAction `json:"actions"`
}

// ProcessAction is one part of a process: an import, an export or an other action.
type ProcessAction struct {
	Import
	ActionType string `json:"actionType"` // IMPORT, EXPORT, DELETE_BY_SELECTION, …
}

// Action is a row of the list of other actions (anaplan-api.md 10.4).
type Action struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"actionType"` // DELETE_BY_SELECTION, …; may be missing
}

// ActionDetail is what an other action does (anaplan-api.md 10.4). What does not apply to
// its type is empty.
type ActionDetail struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"actionType"`
	ListID   string `json:"listId"`           // DELETE_BY_SELECTION deletes from it
	FilterID string `json:"filterLineItemId"` // the Boolean line item that selects
}

// Imports lists the imports of a model.
func (c *Client) Imports(ctx context.Context, m ModelRef) iter.Seq2[Import, error] {
	return list[Import](ctx, c, m.path("imports"), "imports", nil)
}

// Exports lists the exports of a model.
func (c *Client) Exports(ctx context.Context, m ModelRef) iter.Seq2[Export, error] {
	return list[Export](ctx, c, m.path("exports"), "exports", nil)
}

// Processes lists the processes of a model.
func (c *Client) Processes(ctx context.Context, m ModelRef) iter.Seq2[Process, error] {
	return list[Process](ctx, c, m.path("processes"), "processes", nil)
}

// Actions lists the other actions of a model.
func (c *Client) Actions(ctx context.Context, m ModelRef) iter.Seq2[Action, error] {
	return list[Action](ctx, c, m.path("actions"), "actions", nil)
}

// ImportDetail tells how an import reads its file. An invented id answers 500, not 404
// (anaplan-api.md 6.3): look ids up in the list first.
func (c *Client) ImportDetail(ctx context.Context, m ModelRef, id string) (ImportDetail, error) {
	return one[ImportDetail](ctx, c, m.path("imports", id), "importMetadata", nil)
}

// ExportDetail describes an export.
func (c *Client) ExportDetail(ctx context.Context, m ModelRef, id string) (ExportDetail, error) {
	return one[ExportDetail](ctx, c, m.path("exports", id), "exportMetadata", nil)
}

// ProcessDetail lists what a process does, with the data sources of its imports.
func (c *Client) ProcessDetail(ctx context.Context, m ModelRef, id string) (ProcessDetail, error) {
	return one[ProcessDetail](ctx, c, m.path("processes", id), "processMetadata", query("showImportDataSource", "true"))
}

// ActionDetail describes an other action. Under which key it stands is not recorded
// (anaplan-api.md 10.4), so every likely one is tried.
func (c *Client) ActionDetail(ctx context.Context, m ModelRef, id string) (ActionDetail, error) {
	path := m.path("actions", id)
	var raw json.RawMessage
	if err := c.get(ctx, path, nil, &raw); err != nil {
		return ActionDetail{}, err
	}
	d, err := decodeAction(raw)
	if err != nil {
		return ActionDetail{}, &FormatError{Method: http.MethodGet, Path: path, Body: snippet(raw), Err: err}
	}
	return d, nil
}

func decodeAction(raw []byte) (ActionDetail, error) {
	var answer struct {
		Metadata *ActionDetail `json:"actionMetadata"`
		Action   *ActionDetail `json:"action"`
		ActionDetail
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return ActionDetail{}, err
	}
	for _, d := range []*ActionDetail{answer.Metadata, answer.Action, &answer.ActionDetail} {
		if d != nil && (d.ID != "" || d.Name != "") {
			return *d, nil
		}
	}
	return ActionDetail{}, errNoSuchKey
}
