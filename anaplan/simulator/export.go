package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// runExport writes the export's output as private content of the file that has the export's id (11.9).
func (s *Simulator) runExport(t *task, r *runnable) *result {
	rows, _ := t.model.exported(r.exports)
	data := encode(write(rows, or(r.exports.Separator, ","), false), r.exports.Encoding)
	t.wrote = append(t.wrote, dataOf(r.name, r.file.name, data))
	out := cut(data, s.options.ChunkSize, s.t)
	r.file.private[t.user] = out
	r.file.shown[t.user] = len(out.chunks)
	return &result{successful: true, ran: true, details: []detail{{
		kind: "exportSucceeded", text: "Export completed successfully",
		values: []string{"rowCount", strconv.Itoa(len(rows) - 1)},
	}}}
}

// exported is the table of a list or a module, the header first, with the data types of its columns. Rows
// of a module are those that have a value, in the order of the dimensions' items.
func (m *model) exported(e *Export) (rows [][]string, kinds []string) {
	if l := m.list(e.List); l != nil {
		return m.exportedList(l)
	}
	mod := m.module(e.Module)
	if mod == nil {
		return [][]string{{}}, nil
	}
	header := slices.Clone(mod.dimensions)
	order := make([]map[string]int, len(mod.dimensions))
	for i, dimension := range mod.dimensions {
		kinds = append(kinds, dataType(dimension))
		order[i] = map[string]int{}
		for at, name := range m.members(dimension) {
			order[i][name] = at
		}
	}
	var lineItems []LineItem
	for _, li := range mod.lineItems {
		if len(e.LineItems) == 0 || slices.Contains(e.LineItems, li.Name) {
			lineItems = append(lineItems, li)
			header = append(header, li.Name)
			kinds = append(kinds, dataType(li.Format))
		}
	}
	places := map[string][]string{}
	for key := range mod.cells {
		items, _ := splitKey(key)
		places[strings.Join(items, betweenItems)] = items
	}
	rows = [][]string{header}
	for _, items := range places {
		line := slices.Clone(items)
		any := false
		for _, li := range lineItems {
			v := mod.cells[cellKey(items, li.Name)]
			any = any || v != ""
			line = append(line, v)
		}
		if any {
			rows = append(rows, line)
		}
	}
	slices.SortFunc(rows[1:], func(a, b []string) int {
		for i := range mod.dimensions {
			if n := order[i][a[i]] - order[i][b[i]]; n != 0 {
				return n
			}
		}
		return slices.Compare(a, b)
	})
	return rows, kinds
}

// dataType of a column by the format of its line item, or by its dimension (10.2).
func dataType(of string) string {
	switch of {
	case "number", "text", "boolean", "date":
		return strings.ToUpper(of)
	case "Time":
		return "TIME_ENTITY"
	}
	return "ENTITY"
}

func (m *model) exportedList(l *list) (rows [][]string, kinds []string) {
	header := []string{"Name", "Code", "Parent"}
	kinds = []string{"ENTITY", "TEXT", "ENTITY"}
	for _, p := range l.properties {
		header = append(header, p.Name)
		kinds = append(kinds, dataType(p.Format))
	}
	rows = [][]string{header}
	for _, it := range l.items {
		line := []string{it.name, it.code, it.parent}
		for _, p := range l.properties {
			line = append(line, it.properties[p.Name])
		}
		rows = append(rows, line)
	}
	return rows, kinds
}

// runAction deletes by selection; other actions have no effect but that they are remembered.
func (s *Simulator) runAction(t *task, r *runnable) *result {
	if r.action.Fails {
		return cannot("actionFailed", "The action could not run.")
	}
	if r.action.Type != "DELETE_BY_SELECTION" {
		t.model.effects = append(t.model.effects, r.name)
		return &result{successful: true, ran: true}
	}
	l, mod := t.model.list(r.action.List), t.model.module(r.action.Module)
	gone, names := map[*item]bool{}, map[string]bool{}
	for _, it := range l.items {
		if mod.cells[cellKey([]string{it.name}, r.action.LineItem)] == "true" {
			gone[it], names[it.name] = true, true
		}
	}
	l.remove(gone)
	t.model.forget(l.name, names)
	return &result{successful: true, ran: true, details: []detail{{
		kind: "deleteFromSelectionSucceeded", text: fmt.Sprintf("%d items deleted from %s", len(gone), l.name),
		values: []string{"hierarchyName", l.name, "deletedCount", strconv.Itoa(len(gone))},
	}}}
}

// forget removes cells and parents that belong to items that are gone.
func (m *model) forget(dimension string, gone map[string]bool) {
	for _, mod := range m.modules {
		at := slices.Index(mod.dimensions, dimension)
		if at < 0 {
			continue
		}
		for key := range mod.cells {
			if items, _ := splitKey(key); gone[items[at]] {
				delete(mod.cells, key)
			}
		}
	}
	for _, l := range m.lists {
		for _, it := range l.items {
			if l.parent == dimension && gone[it.parent] {
				it.parent = ""
			}
		}
	}
}
