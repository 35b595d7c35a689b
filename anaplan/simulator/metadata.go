package simulator

import (
	"net/http"
	"strings"
)

// The calls of this file are not needed to run jobs; third-party clients list with them.

func (c *call) list() *list {
	for _, l := range c.model.lists {
		if l.id == c.params[0] {
			return l
		}
	}
	return nil
}

func (c *call) module() *module {
	for _, mod := range c.model.modules {
		if mod.id == c.params[0] {
			return mod
		}
	}
	return nil
}

func (s *Simulator) getLists(c *call) answer {
	var rows []object
	for _, l := range c.model.lists {
		rows = append(rows, object{"id": l.id, "name": l.name})
	}
	return s.page(c, "list", "lists", rows)
}

func (s *Simulator) getList(c *call) answer {
	l := c.list()
	if l == nil {
		return s.notFound(c)
	}
	properties := []object{}
	for _, p := range l.properties {
		properties = append(properties, object{"name": p.Name, "format": strings.ToUpper(p.Format), "notes": "", "referencedBy": ""})
	}
	o := object{
		"id": l.id, "name": l.name, "properties": properties, "hasSelectiveAccess": false, "managedBy": "",
		"numberedList": false, "useTopLevelAsPageDefault": false, "itemCount": len(l.items),
		"permittedItems": 999999999, "workflowEnabled": false, "productionData": false,
	}
	if parent := c.model.list(l.parent); parent != nil {
		o["parent"] = object{"id": parent.id, "name": parent.name}
	}
	return c.success("list", "metadata", o)
}

func (s *Simulator) getListItems(c *call) answer {
	l := c.list()
	if l == nil {
		return s.notFound(c)
	}
	if strings.HasPrefix(c.header.Get("Accept"), "text/csv") {
		rows, _ := c.model.exportedList(l)
		return raw(http.StatusOK, "text/csv", write(rows, ",", false))
	}
	parent := c.model.list(l.parent)
	var rows []object
	for _, it := range l.items {
		o := object{"id": it.id, "name": it.name}
		if it.code != "" {
			o["code"] = it.code
		}
		if parent != nil && it.parent != "" {
			o["parent"], o["listId"], o["listName"] = it.parent, parent.id, parent.name
			if p := parent.find(it.parent); p != nil {
				o["parentId"] = p.id
			}
		}
		if c.query.Get("includeAll") == "true" {
			o["properties"], o["subsets"] = it.properties, object{}
		}
		rows = append(rows, o)
	}
	envelope := object{"meta": object{"schema": c.schema("listItem")}, "status": object{"code": 200, "message": "Success"}}
	if len(rows) > 0 {
		envelope["listItems"] = rows
	}
	return jsonAnswer(http.StatusOK, envelope)
}

func (s *Simulator) getModules(c *call) answer {
	var rows []object
	for _, mod := range c.model.modules {
		rows = append(rows, object{"id": mod.id, "name": mod.name})
	}
	return s.page(c, "module", "modules", rows)
}

// lineItemObjects have every field of the real ones, since generated clients ask for them; only name, ids,
// format and dimensions mean something here.
func (m *model) lineItemObjects(mod *module) (rows []object) {
	dimensions := []object{}
	for _, name := range mod.dimensions {
		dimensions = append(dimensions, object{"id": m.dimensionID(name), "name": name})
	}
	for i, li := range mod.lineItems {
		row := object{
			"moduleId": mod.id, "moduleName": mod.name, "id": li.ID, "name": li.Name,
			"format": strings.ToUpper(li.Format), "formatMetadata": m.formatMetadata(li), "summary": "None",
			"appliesTo": dimensions, "dataTags": []object{}, "referencedBy": []object{}, "timeScale": "Not Applicable",
			"timeRange": "Not Applicable", "version": object{"id": "20000000020", "name": "All"}, "style": "Normal",
			"cellCount": len(mod.cells), "notes": "", "code": "", "isSummary": false, "formula": "",
			"formulaScope": "All Versions", "useSwitchover": false, "breakback": false, "broughtForward": false,
			"startOfSection": i == 0,
		}
		if li.Calculated {
			row["formula"] = "0"
		}
		rows = append(rows, row)
	}
	return rows
}

func (m *model) formatMetadata(li LineItem) object {
	switch li.Format {
	case "number":
		return object{
			"dataType": "NUMBER", "comparisonIncrease": "GOOD", "customUnits": nil, "decimalPlaces": -1,
			"decimalSeparator": "FULL_STOP", "groupingSeparator": "COMMA", "minimumSignificantDigits": 4,
			"negativeNumberNotation": "MINUS_SIGN", "unitsDisplayType": "NONE", "unitsType": "NONE", "zeroFormat": "ZERO",
		}
	case "list":
		return object{
			"dataType": "ENTITY", "hierarchyEntityLongId": m.dimensionID(li.List), "selectiveAccessApplied": false,
			"showAll": false,
		}
	case "text":
		return object{"dataType": "TEXT", "textType": "GENERAL"}
	}
	return object{"dataType": strings.ToUpper(li.Format)}
}

func (c *call) items(kind string, rows []object) answer {
	envelope := object{"meta": object{"schema": c.schema(kind)}, "status": object{"code": 200, "message": "Success"}}
	if len(rows) > 0 {
		envelope["items"] = rows
	}
	return jsonAnswer(http.StatusOK, envelope)
}

func (s *Simulator) getModuleLineItems(c *call) answer {
	mod := c.module()
	if mod == nil {
		return s.notFound(c)
	}
	return c.items("lineItem", c.model.lineItemObjects(mod))
}

func (s *Simulator) getLineItems(c *call) answer {
	var rows []object
	for _, mod := range c.model.modules {
		rows = append(rows, c.model.lineItemObjects(mod)...)
	}
	return c.items("lineItem", rows)
}

// A module's default view has the module's id (anaplan-api.md 15).
func (s *Simulator) getViews(c *call) answer {
	var rows []object
	for _, mod := range c.model.modules {
		rows = append(rows, object{"id": mod.id, "name": mod.name + ".Default View", "moduleId": mod.id, "code": ""})
	}
	return s.page(c, "view", "views", rows)
}

func (s *Simulator) getModuleViews(c *call) answer {
	mod := c.module()
	if mod == nil {
		return s.notFound(c)
	}
	return s.page(c, "view", "views", []object{{"id": mod.id, "name": "Default View", "moduleId": mod.id, "code": ""}})
}

func (s *Simulator) getView(c *call) answer {
	mod := c.module()
	if mod == nil {
		return s.notFound(c)
	}
	o := object{
		"meta": object{"schema": c.schema("view")}, "status": object{"code": 200, "message": "Success"},
		"viewName": "Default View", "viewId": mod.id, "columns": []object{{"id": "101999999999", "name": "Line items"}},
	}
	var dimensions []object
	for _, name := range mod.dimensions {
		dimensions = append(dimensions, object{"id": c.model.dimensionID(name), "name": name})
	}
	if len(dimensions) > 0 {
		o["rows"] = dimensions[:1]
	}
	if len(dimensions) > 1 {
		o["pages"] = dimensions[1:]
	}
	return jsonAnswer(http.StatusOK, o)
}

func (m *model) dimensionID(name string) string {
	switch name {
	case "Time":
		return "20000000003"
	case "Versions":
		return "20000000020"
	}
	if l := m.list(name); l != nil {
		return l.id
	}
	return ""
}

func (s *Simulator) getVersions(c *call) answer {
	var rows []object
	for i, name := range c.model.versions {
		empty := object{"periodText": "", "date": ""}
		rows = append(rows, object{
			"id": numbers{"107": i}.next("", "107"), "name": name, "isCurrent": i == 0, "isActual": name == "Actual",
			"editFrom": empty, "editTo": empty, "notes": "",
		})
	}
	return s.page(c, "version", "versionMetadata", rows)
}

func (s *Simulator) getCurrentPeriod(c *call) answer {
	return c.success("currentPeriod", "currentPeriod", object{
		"periodText": c.model.current, "lastDay": "", "calendarType": "Calendar Months/Quarters/Years",
	})
}
