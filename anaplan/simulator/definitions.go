package simulator

import (
	"net/http"
	"strings"
)

func (s *Simulator) rows(c *call, kind, key string, row func(*runnable) object) answer {
	var rows []object
	for _, r := range c.model.objects {
		if r.kind == kind {
			rows = append(rows, row(r))
		}
	}
	laxSort(c, rows)
	return s.page(c, kind, key, rows)
}

func (s *Simulator) getImports(c *call) answer { return s.rows(c, "import", "imports", importObject) }
func (s *Simulator) getExports(c *call) answer { return s.rows(c, "export", "exports", exportObject) }
func (s *Simulator) getActions(c *call) answer { return s.rows(c, "action", "actions", actionObject) }

func (s *Simulator) getProcesses(c *call) answer {
	return s.rows(c, "process", "processes", func(r *runnable) object { return object{"id": r.id, "name": r.name} })
}

// importObject as in the list (anaplan-api.md 10.1).
func importObject(r *runnable) object {
	o := object{"id": r.id, "name": r.name, "importType": r.importType()}
	if r.file != nil {
		o["importDataSourceId"] = r.file.id
	}
	if source := r.dataSource(); r.source != nil {
		o["importDataSource"] = source
	}
	return o
}

func (r *runnable) importType() string {
	switch {
	case r.imports.Type != "":
		return r.imports.Type
	case r.imports.Module != "":
		return "MODULE_DATA"
	}
	return "HIERARCHY_DATA"
}

// dataSource as imports from models and processes show it.
func (r *runnable) dataSource() object {
	if r.file != nil {
		return object{"importDataSourceId": r.file.id, "type": "FILE"}
	}
	if r.source == nil {
		return nil
	}
	o := object{
		"type": "MODEL", "sourceModelId": r.source.id, "sourceModelName": r.source.name,
		"sourceWorkspaceId": r.source.workspace.id,
	}
	if l := r.source.list(r.imports.SourceList); l != nil {
		o["importDataSourceId"] = l.id
	}
	if mod := r.source.module(r.imports.SourceModule); mod != nil {
		o["importDataSourceId"] = mod.id
	}
	return o
}

func exportObject(r *runnable) object {
	layout := or(r.exports.Type, "TABULAR_MULTI_COLUMN")
	return object{
		"id": r.id, "name": r.name, "exportType": layout, "layout": layout,
		"exportFormat": or(r.exports.Format, "text/csv"), "encoding": or(r.exports.Encoding, "UTF-8"),
	}
}

func actionObject(r *runnable) object {
	return object{"id": r.id, "name": r.name, "actionType": r.actionType()}
}

func (r *runnable) actionType() string {
	switch r.kind {
	case "action":
		return or(r.action.Type, "ORDER_HIERARCHY")
	default:
		return strings.ToUpper(r.kind)
	}
}

// getImport answers 500 for an id that is none (6.3).
func (s *Simulator) getImport(c *call) answer {
	r := c.model.object("import", c.params[0])
	if r == nil {
		s.misused(c, "there is no such import")
		return s.refuse(c, http.StatusInternalServerError, "Internal Server Error")
	}
	if r.file == nil {
		return c.success("import", "importMetadata", object{"name": r.name, "type": "MODEL"})
	}
	names := s.headerNames(r.file, c.user)
	return c.success("import", "importMetadata", object{
		"name": r.name, "type": "FILE",
		"source": object{
			"textEncoding": r.file.encoding, "columnSeparator": r.file.separator,
			"textDelimiter": r.file.delimiter, "headerRow": r.file.header, "firstDataRow": r.file.first,
			"decimalSeparator": ".", "headerNames": names, "columnCount": len(names),
		},
	})
}

// headerNames of the default content, as the modeller set the import up; else of the private content;
// else the columns that the import asks for.
func (s *Simulator) headerNames(f *file, u *user) []string {
	contents := [][]byte{f.fallback}
	if up := s.own(f, u); up != nil {
		contents = append(contents, up.bytes())
	}
	for _, content := range contents {
		if len(content) == 0 {
			continue
		}
		if table, err := readTable(content, f.encoding, f.separator, f.delimiter, f.header, f.first); err == nil {
			return table.header
		}
	}
	return []string{}
}

func (s *Simulator) getExport(c *call) answer {
	r := c.model.object("export", c.params[0])
	if r == nil {
		s.misused(c, "there is no such export")
		return s.notFound(c)
	}
	rows, kinds := c.model.exported(r.exports)
	lists := []string{}
	if r.exports.List != "" {
		lists = append(lists, r.exports.List)
	}
	if mod := c.model.module(r.exports.Module); mod != nil {
		lists = append(lists, mod.dimensions...)
	}
	return c.success("export", "exportMetadata", object{
		"columnCount": len(rows[0]), "dataTypes": kinds, "delimiter": `"`, "encoding": or(r.exports.Encoding, "UTF-8"),
		"exportFormat": or(r.exports.Format, "text/csv"), "headerNames": rows[0], "listNames": lists,
		"rowCount": len(rows) - 1, "separator": or(r.exports.Separator, ","),
	})
}

func (s *Simulator) getProcess(c *call) answer {
	r := c.model.object("process", c.params[0])
	if r == nil {
		s.misused(c, "there is no such process")
		return s.notFound(c)
	}
	actions := []object{}
	for _, step := range r.steps {
		o := object{"id": step.id, "name": step.name, "actionType": step.actionType()}
		switch step.kind {
		case "import":
			o["importType"] = step.importType()
			if step.file != nil {
				o["importDataSourceId"] = step.file.id
			}
			if c.query.Get("showImportDataSource") == "true" {
				o["importDataSource"] = step.dataSource()
			}
		case "export":
			e := exportObject(step)
			o["exportType"], o["exportFormat"], o["layout"] = e["exportType"], e["exportFormat"], e["layout"]
		}
		actions = append(actions, o)
	}
	return c.success("process", "processMetadata", object{"name": r.name, "actions": actions})
}

func (s *Simulator) getAction(c *call) answer {
	r := c.model.object("action", c.params[0])
	if r == nil {
		s.misused(c, "there is no such action")
		return s.notFound(c)
	}
	o := actionObject(r)
	if l := c.model.list(r.action.List); l != nil {
		o["listId"] = l.id
	}
	if mod := c.model.module(r.action.Module); mod != nil {
		if li := mod.lineItem(r.action.LineItem); li != nil {
			o["filterLineItemId"] = li.ID
		}
	}
	return c.success("action", "action", o)
}
