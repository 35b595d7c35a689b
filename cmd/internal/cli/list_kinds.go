package cli

import (
	"context"
	"strconv"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// What list prints of each kind, as JSON.
type (
	workspaceItem struct {
		ID            string `json:"id"`
		Name          string `json:"name"`
		Active        bool   `json:"active"`
		SizeAllowance int64  `json:"size_allowance"` // bytes
	}
	modelItem struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		State     string    `json:"state"` // UNLOCKED, LOCKED, ARCHIVED, …
		Workspace namedItem `json:"workspace"`
	}
	namedItem struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	fileItem struct {
		ID           string `json:"id"`
		Name         string `json:"name"`
		Chunks       int    `json:"chunks"` // 0: it holds nothing
		Encoding     string `json:"encoding"`
		Separator    string `json:"separator"`
		Delimiter    string `json:"delimiter"`
		HeaderRow    int    `json:"header_row"`     // from 1; 0 or -1: none
		FirstDataRow int    `json:"first_data_row"` // likewise
	}
	importItem struct {
		ID     string     `json:"id"`
		Name   string     `json:"name"`
		Type   string     `json:"type"`
		File   *namedItem `json:"file"`         // null: it reads none
		Source *namedItem `json:"source_model"` // null: it reads none
	}
	exportItem struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Type     string `json:"type"`
		Format   string `json:"format"`
		Encoding string `json:"encoding"`
	}
	actionItem struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Type string `json:"type"`
	}
)

func listings() []listing {
	return []listing{
		{"workspaces", "lists the workspaces that the user can see", "tenant", listWorkspaces},
		{"models", "lists models: of a workspace, or of all when none is given; a connection's own does not count", "workspace", listModels},
		{"files", "lists the server files of a model", "model", listFiles},
		{"imports", "lists the imports of a model, and the files that they read", "model", listImports},
		{"exports", "lists the exports of a model", "model", listExports},
		{"processes", "lists the processes of a model", "model", listProcesses},
		{"actions", "lists the other actions of a model", "model", listActions},
	}
}

func listWorkspaces(ctx context.Context, c *anaplan.Client, _ listedPlace) (listed, error) {
	return collect(c.Workspaces(ctx), []string{"WORKSPACE", "ID", "ACTIVE", "SIZE"}, func(w anaplan.Workspace) (any, []string) {
		return workspaceItem{w.ID, w.Name, w.Active, w.SizeAllowance}, []string{w.Name, w.ID, yes(w.Active), gigabytes(w.SizeAllowance)}
	})
}

func listModels(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error) {
	all := c.AllModels(ctx)
	if at.workspace != "" {
		all = c.Models(ctx, at.workspace)
	}
	return collect(all, []string{"WORKSPACE", "MODEL", "ID", "STATE"}, func(m anaplan.Model) (any, []string) {
		return modelItem{m.ID, m.Name, m.ActiveState, namedItem{m.WorkspaceID, m.WorkspaceName}}, []string{m.WorkspaceName, m.Name, m.ID, m.ActiveState}
	})
}

func listFiles(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error) {
	return collect(c.Files(ctx, at.model), []string{"FILE", "ID", "CHUNKS", "SEPARATOR", "DELIMITER", "ENCODING"}, func(f anaplan.File) (any, []string) {
		return fileItem{f.ID, f.Name, f.ChunkCount, f.Encoding, f.Separator, f.Delimiter, f.HeaderRow, f.FirstDataRow},
			[]string{f.Name, f.ID, strconv.Itoa(f.ChunkCount), visible(f.Separator), visible(f.Delimiter), f.Encoding}
	})
}

func listImports(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error) {
	names := map[string]string{}
	for f, err := range c.Files(ctx, at.model) {
		if err != nil {
			return listed{}, err
		}
		names[f.ID] = f.Name
	}
	return collect(c.Imports(ctx, at.model), []string{"IMPORT", "ID", "TYPE", "READS"}, func(i anaplan.Import) (any, []string) {
		item, reads := importItem{ID: i.ID, Name: i.Name, Type: i.Type}, ""
		if file := i.File(); file != "" {
			item.File = &namedItem{file, names[file]}
			reads = or(names[file], file)
		} else if i.DataSource.SourceModelID != "" {
			item.Source = &namedItem{i.DataSource.SourceModelID, i.DataSource.SourceModel}
			reads = "model " + or(i.DataSource.SourceModel, i.DataSource.SourceModelID)
		}
		return item, []string{i.Name, i.ID, i.Type, reads}
	})
}

func listExports(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error) {
	return collect(c.Exports(ctx, at.model), []string{"EXPORT", "ID", "TYPE", "FORMAT", "ENCODING"}, func(e anaplan.Export) (any, []string) {
		return exportItem{e.ID, e.Name, e.Type, e.Format, e.Encoding}, []string{e.Name, e.ID, e.Type, e.Format, e.Encoding}
	})
}

func listProcesses(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error) {
	return collect(c.Processes(ctx, at.model), []string{"PROCESS", "ID"}, func(q anaplan.Process) (any, []string) {
		return namedItem{q.ID, q.Name}, []string{q.Name, q.ID}
	})
}

func listActions(ctx context.Context, c *anaplan.Client, at listedPlace) (listed, error) {
	return collect(c.Actions(ctx, at.model), []string{"ACTION", "ID", "TYPE"}, func(a anaplan.Action) (any, []string) {
		return actionItem{a.ID, a.Name, a.Type}, []string{a.Name, a.ID, a.Type}
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func gigabytes(n int64) string {
	if n <= 0 {
		return ""
	}
	return strconv.FormatFloat(float64(n)/(1<<30), 'f', 1, 64) + " GB"
}

// visible is a separator or delimiter that can be seen.
func visible(s string) string {
	switch s {
	case "\t", "\\t":
		return "tab"
	case " ":
		return "blank"
	}
	return s
}
