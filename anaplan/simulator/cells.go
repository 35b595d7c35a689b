package simulator

import (
	"fmt"
	"strconv"
)

// cells imports into a module. A row whose items are known loads the cells that are in order; rows with
// an unknown item, and rows of which no cell could be loaded, are rejected (anaplan-api.md 12.5).
func (im *importing) cells(mod *module) *result {
	type count struct{ ok, ignored, failed int }
	counts := make([]count, len(mod.lineItems))
	failedRows := 0
	for _, r := range im.source.rows {
		items, errors := im.items(mod, r)
		if r.problem != "" {
			errors = []string{r.problem}
		}
		if len(errors) > 0 {
			for i, li := range mod.lineItems {
				if _, mapped := im.value(li.Name, r); mapped {
					counts[i].failed++
				}
			}
			failedRows++
			im.reject("E", r, errors...)
			continue
		}
		loaded := false
		for i, li := range mod.lineItems {
			text, mapped := im.value(li.Name, r)
			switch {
			case !mapped:
			case li.Calculated:
				counts[i].ignored++
			default:
				v, problem := im.task.model.parse(text, li.Format, li.List)
				if problem != "" {
					counts[i].failed++
					errors = append(errors, problem)
					continue
				}
				loaded = true
				counts[i].ok++
				if key := cellKey(items, li.Name); v == "" {
					delete(mod.cells, key)
				} else {
					mod.cells[key] = v
				}
			}
		}
		switch {
		case len(errors) > 0 && loaded:
			im.reject("W", r, errors...)
		case len(errors) > 0:
			failedRows++
			im.reject("E", r, errors...)
		}
	}
	done := &result{successful: failedRows == 0 || im.lenient}
	n := strconv.Itoa
	for i, li := range mod.lineItems {
		c := counts[i]
		if _, mapped := im.value(li.Name, row{}); !mapped {
			continue
		}
		d := detail{
			kind: "lineItemRowsProcessed",
			text: fmt.Sprintf("%s: %d cells successful", li.Name, c.ok),
			values: []string{
				"lineItemName", li.Name, "successCount", n(c.ok), "ignoredCount", n(c.ignored),
				"failedCount", n(c.failed), "totalCount", n(c.ok + c.ignored + c.failed),
			},
		}
		if c.ignored > 0 {
			d.text += fmt.Sprintf(", %d ignored", c.ignored)
		}
		if c.failed > 0 {
			d.kind = "lineItemRowsProcessedWithFailures"
			d.text += fmt.Sprintf(", %d failed", c.failed)
		}
		done.details = append(done.details, d)
	}
	return done
}

// items of the row in each dimension, or what is wrong with them.
func (im *importing) items(mod *module, r row) (items, errors []string) {
	for _, dimension := range mod.dimensions {
		text, _ := im.value(dimension, r)
		name, ok := im.task.model.member(dimension, text)
		switch {
		case ok:
		case dimension == "Time":
			errors = append(errors, "Invalid time period: "+text)
		default:
			errors = append(errors, "Item not located in "+dimension+" list")
		}
		items = append(items, name)
	}
	return items, errors
}
