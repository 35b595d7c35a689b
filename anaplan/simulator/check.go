package simulator

import (
	"slices"
	"strings"
	"unicode/utf8"
)

var formats = []string{"", "number", "text", "boolean", "date", "list"}

func (k *checker) model(c *Company, place string, m *Model) {
	k.oneOf(place, "state", m.State, "", "UNLOCKED", "LOCKED", "ARCHIVED", "PRODUCTION", "MAINTENANCE", "PRODUCTION_MAINTENANCE")
	if m.LoadTime < 0 {
		k.wrong("%s: load_time is negative", place)
	}
	k.unique(place, "list", names(m.Lists, func(l List) string { return l.Name }))
	k.unique(place, "module", names(m.Modules, func(m Module) string { return m.Name }))
	k.unique(place, "file", names(m.Files, func(f File) string { return f.Name }))
	k.unique(place, "import", names(m.Imports, func(i Import) string { return i.Name }))
	k.unique(place, "export", names(m.Exports, func(e Export) string { return e.Name }))
	k.unique(place, "process", names(m.Processes, func(p Process) string { return p.Name }))
	k.unique(place, "action", names(m.Actions, func(a Action) string { return a.Name }))
	k.unique(place, "id of a", m.ids())
	for _, l := range m.Lists {
		k.list(place+": list "+l.Name, m, l)
	}
	for _, mod := range m.Modules {
		k.module(place+": module "+mod.Name, m, mod)
	}
	for _, f := range m.Files {
		k.file(place+": file "+f.Name, f)
	}
	for _, i := range m.Imports {
		k.imports(c, place+": import "+i.Name, m, i)
	}
	k.runnables(place, m)
}

// ids that are given.
func (m *Model) ids() []string {
	all := slices.Concat(
		names(m.Lists, func(l List) string { return l.ID }), names(m.Modules, func(m Module) string { return m.ID }),
		names(m.Files, func(f File) string { return f.ID }), names(m.Imports, func(i Import) string { return i.ID }),
		names(m.Exports, func(e Export) string { return e.ID }), names(m.Processes, func(p Process) string { return p.ID }),
		names(m.Actions, func(a Action) string { return a.ID }))
	return slices.DeleteFunc(all, func(id string) bool { return id == "" })
}

func (m *Model) list(name string) *List {
	for i := range m.Lists {
		if m.Lists[i].Name == name {
			return &m.Lists[i]
		}
	}
	return nil
}

func (m *Model) module(name string) *Module {
	for i := range m.Modules {
		if m.Modules[i].Name == name {
			return &m.Modules[i]
		}
	}
	return nil
}

func (k *checker) format(place string, m *Model, format, list string) {
	k.oneOf(place, "format", strings.ToLower(format), formats...)
	if strings.EqualFold(format, "list") && m.list(list) == nil {
		k.wrong("%s: there is no list %q", place, list)
	}
}

func (k *checker) columns(place, text string, allowed []string) {
	rows, err := parseInline(text)
	if err != nil {
		k.wrong("%s: %w", place, err)
		return
	}
	if len(rows) > 0 {
		for _, column := range rows[0] {
			k.oneOf(place, "column", column, allowed...)
		}
	}
}

func (k *checker) list(place string, m *Model, l List) {
	k.id(place, l.ID, "101")
	if l.Parent != "" && m.list(l.Parent) == nil {
		k.wrong("%s: parent %q is no list", place, l.Parent)
	}
	allowed := []string{"name", "code", "parent"}
	for _, p := range l.Properties {
		k.format(place+": property "+p.Name, m, p.Format, p.List)
		allowed = append(allowed, p.Name)
	}
	k.unique(place, "name, code, parent or property", allowed)
	k.columns(place+": items", l.Items, allowed)
}

func (k *checker) module(place string, m *Model, mod Module) {
	k.id(place, mod.ID, "102")
	if len(mod.Dimensions) == 0 {
		k.wrong("%s: it needs a dimension at least", place)
	}
	allowed := slices.Clone(mod.Dimensions)
	for _, d := range mod.Dimensions {
		if d != "Time" && d != "Versions" && m.list(d) == nil {
			k.wrong("%s: dimension %q is neither a list nor Time nor Versions", place, d)
		}
	}
	for _, li := range mod.LineItems {
		k.id(place+": line item "+li.Name, li.ID, "206")
		k.format(place+": line item "+li.Name, m, li.Format, li.List)
		allowed = append(allowed, li.Name)
	}
	k.unique(place, "dimension or line item", allowed)
	k.columns(place+": cells", mod.Cells, allowed)
}

func (k *checker) file(place string, f File) {
	k.id(place, f.ID, "113")
	k.oneOf(place, "encoding", strings.ToUpper(f.Encoding), "", "UTF-8", "ISO-8859-1", "UTF-16LE")
	if utf8.RuneCountInString(f.Separator) > 1 || utf8.RuneCountInString(f.Delimiter) > 1 {
		k.wrong("%s: separator and delimiter are one character each", place)
	}
	if f.HeaderRow < -1 || f.FirstDataRow < -1 {
		k.wrong("%s: header_row and first_data_row count from 1", place)
	}
}

func (k *checker) imports(c *Company, place string, m *Model, i Import) {
	k.id(place, i.ID, "112")
	k.oneOf(place, "type", i.Type, "", "HIERARCHY_DATA", "MODULE_DATA", "LINE_ITEM_DEFINITION", "USERS", "VERSIONS")
	other := i.Type != "" && i.Type != "HIERARCHY_DATA" && i.Type != "MODULE_DATA"
	l, mod := m.list(i.List), m.module(i.Module)
	switch {
	case other && i.List == "" && i.Module == "":
	case (i.List == "") == (i.Module == ""):
		k.wrong("%s: give either list or module as its target", place)
	case i.List != "" && l == nil:
		k.wrong("%s: there is no list %q", place, i.List)
	case i.Module != "" && mod == nil:
		k.wrong("%s: there is no module %q", place, i.Module)
	case l != nil && i.Type == "MODULE_DATA" || mod != nil && i.Type == "HIERARCHY_DATA":
		k.wrong("%s: type %s does not go with its target", place, i.Type)
	}
	if (i.File == "") == (i.SourceModel == "") {
		k.wrong("%s: give either file or source_model", place)
	}
	if i.File != "" && !slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == i.File }) {
		k.wrong("%s: there is no file %q", place, i.File)
	}
	if i.SourceModel != "" {
		source := c.model(i.SourceModel)
		switch {
		case source == nil:
			k.wrong("%s: there is no model %q", place, i.SourceModel)
		case (i.SourceList == "") == (i.SourceModule == ""):
			k.wrong("%s: give either source_list or source_module", place)
		case i.SourceList != "" && source.list(i.SourceList) == nil, i.SourceModule != "" && source.module(i.SourceModule) == nil:
			k.wrong("%s: model %q has no %q", place, i.SourceModel, i.SourceList+i.SourceModule)
		}
	}
	var targets []string
	if l != nil {
		targets = append([]string{"name", "code", "parent"}, names(l.Properties, func(p Property) string { return p.Name })...)
		if i.Map["name"] == "" && i.Map["code"] == "" {
			k.wrong("%s: map has neither name nor code", place)
		}
	}
	if mod != nil {
		targets = append(slices.Clone(mod.Dimensions), names(mod.LineItems, func(li LineItem) string { return li.Name })...)
		for _, d := range mod.Dimensions {
			if i.Map[d] == "" {
				k.wrong("%s: map lacks dimension %q", place, d)
			}
		}
	}
	for target := range i.Map {
		if !other {
			k.oneOf(place, "map's target", target, targets...)
		}
	}
	if i.Duration < 0 {
		k.wrong("%s: duration is negative", place)
	}
}

func (k *checker) runnables(place string, m *Model) {
	count := map[string]int{}
	for _, i := range m.Imports {
		count[i.Name]++
	}
	for _, e := range m.Exports {
		count[e.Name]++
		place := place + ": export " + e.Name
		k.id(place, e.ID, "116")
		k.oneOf(place, "encoding", strings.ToUpper(e.Encoding), "", "UTF-8", "ISO-8859-1", "UTF-16LE")
		if utf8.RuneCountInString(e.Separator) > 1 {
			k.wrong("%s: separator is one character", place)
		}
		mod := m.module(e.Module)
		switch {
		case (e.List == "") == (e.Module == ""):
			k.wrong("%s: give either list or module", place)
		case e.List != "" && m.list(e.List) == nil, e.Module != "" && mod == nil:
			k.wrong("%s: there is no %q", place, e.List+e.Module)
		case mod != nil:
			for _, name := range e.LineItems {
				k.oneOf(place, "line item", name, names(mod.LineItems, func(li LineItem) string { return li.Name })...)
			}
		}
		if e.Duration < 0 {
			k.wrong("%s: duration is negative", place)
		}
	}
	for _, a := range m.Actions {
		count[a.Name]++
		place := place + ": action " + a.Name
		k.id(place, a.ID, "117")
		if a.Duration < 0 {
			k.wrong("%s: duration is negative", place)
		}
		if a.Type != "DELETE_BY_SELECTION" {
			continue
		}
		mod := m.module(a.Module)
		switch {
		case m.list(a.List) == nil:
			k.wrong("%s: there is no list %q", place, a.List)
		case mod == nil:
			k.wrong("%s: there is no module %q", place, a.Module)
		case !slices.Equal(mod.Dimensions, []string{a.List}):
			k.wrong("%s: module %q must have %q as its only dimension", place, a.Module, a.List)
		case !slices.ContainsFunc(mod.LineItems, func(li LineItem) bool {
			return li.Name == a.LineItem && strings.EqualFold(li.Format, "boolean")
		}):
			k.wrong("%s: module %q has no boolean line item %q", place, a.Module, a.LineItem)
		}
	}
	for _, o := range m.Imports {
		count[o.ID]++
	}
	for _, o := range m.Exports {
		count[o.ID]++
	}
	for _, o := range m.Actions {
		count[o.ID]++
	}
	for _, p := range m.Processes {
		k.id(place+": process "+p.Name, p.ID, "118")
		for _, name := range p.Actions {
			if count[name] != 1 || name == "" {
				k.wrong("%s: process %s: %q names %d imports, exports or actions", place, p.Name, name, count[name])
			}
		}
	}
}
