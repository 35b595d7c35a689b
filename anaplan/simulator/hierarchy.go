package simulator

import (
	"fmt"
	"maps"
	"strconv"
)

// hierarchy imports into a list: rows find their item by code, else by name; new ones are made.
func (im *importing) hierarchy(l *list) *result {
	var created, updated, warnedCreated, warnedUpdated, failed, ignored int
	changed := false
	seen := map[*item]bool{}
	for _, r := range im.source.rows {
		it, isNew, warnings, problem := im.item(l, r, seen)
		switch {
		case problem != "":
			failed++
			im.reject("E", r, problem)
			continue
		case it == nil:
			ignored++
			continue
		}
		changed = it.apply(l) || isNew || changed
		seen[it.found] = true
		switch {
		case len(warnings) > 0 && isNew:
			warnedCreated++
		case len(warnings) > 0:
			warnedUpdated++
		case isNew:
			created++
		default:
			updated++
		}
		if len(warnings) > 0 {
			im.reject("W", r, warnings...)
		}
	}
	warned := warnedCreated + warnedUpdated
	n := strconv.Itoa
	d := detail{
		kind: "hierarchyRowsProcessed",
		text: fmt.Sprintf("%s: %d (%d/%d) rows successful, %d ignored ", l.name, created+updated, created, updated, ignored),
		values: []string{
			"hierarchyName", l.name, "successRowCount", n(created + updated), "successCreateCount", n(created),
			"successUpdateCount", n(updated), "warningsRowCount", n(warned), "warningsCreateCount", n(warnedCreated),
			"warningsUpdateCount", n(warnedUpdated), "failedCount", n(failed), "ignoredCount", n(ignored),
			"totalRowCount", n(len(im.source.rows)), "totalCreateCount", n(created + warnedCreated),
			"totalUpdateCount", n(updated + warnedUpdated), "invalidCount", "0", "updatedCount", n(updated + warnedUpdated),
			"renamedCount", n(updated + warnedUpdated), "createdCount", n(created + warnedCreated),
		},
	}
	switch {
	case failed+warned > 0:
		d.kind = "hierarchyRowsProcessedWithFailures"
		d.text = fmt.Sprintf("%s: %d (%d/%d) rows successful, %d (%d/%d) rows has warnings, %d failed, %d ignored",
			l.name, created+updated, created, updated, warned, warnedCreated, warnedUpdated, failed, ignored)
	case !changed:
		d.kind, d.text = "hierarchyNoChanges", l.name+": no changes"
	}
	return &result{successful: failed == 0 || im.lenient, details: []detail{d}}
}

// A change is what one row wants of an item.
type change struct {
	found              *item // nil until made
	name, code, parent string
	hasCode, hasParent bool
	properties         map[string]string
}

func (ch *change) apply(l *list) bool {
	if ch.found == nil {
		ch.found = l.add(ch.name, ch.code)
	}
	it := ch.found
	before := *it
	before.properties = maps.Clone(it.properties)
	if ch.name != "" && ch.name != it.name {
		l.rename(it, ch.name)
	}
	if ch.hasCode && ch.code != "" && ch.code != it.code {
		l.recode(it, ch.code)
	}
	if ch.hasParent {
		it.parent = ch.parent
	}
	maps.Copy(it.properties, ch.properties)
	return before.name != it.name || before.code != it.code || before.parent != it.parent || !maps.Equal(before.properties, it.properties)
}

// item works out what a row does. A nil change without a problem is a blank row.
func (im *importing) item(l *list, r row, seen map[*item]bool) (ch *change, isNew bool, warnings []string, problem string) {
	if r.problem != "" {
		return nil, false, nil, r.problem
	}
	ch = &change{properties: map[string]string{}}
	var mapsName bool
	ch.name, mapsName = im.value("name", r)
	ch.code, ch.hasCode = im.value("code", r)
	ch.parent, ch.hasParent = im.value("parent", r)
	if ch.name == "" && ch.code == "" {
		for _, v := range r.values {
			if v != "" {
				return nil, false, nil, "Invalid name: "
			}
		}
		return nil, false, nil, ""
	}
	if mapsName && ch.name == "" {
		return nil, false, nil, "Invalid name: "
	}
	if len(ch.name) > 60 {
		return nil, false, nil, "Invalid name: " + ch.name
	}
	if len(ch.code) > 60 {
		return nil, false, nil, "Invalid code: " + ch.code
	}
	byCode, byName := l.byCode[ch.code], l.byName[ch.name]
	ch.found = byCode
	if byCode == nil {
		ch.found = byName
	}
	switch {
	case byCode != nil && byName != nil && byCode != byName && ch.name != "":
		return nil, false, nil, "Name or code already exists: " + ch.name
	case byCode == nil && byName != nil && ch.code != "" && byName.code != "":
		return nil, false, nil, "Name or code already exists: " + ch.name
	case ch.found != nil && seen[ch.found]:
		return nil, false, nil, "Duplicate key: " + or(ch.code, ch.name)
	}
	if ch.parent != "" {
		parent, ok := im.task.model.member(l.parent, ch.parent)
		if !ok {
			return nil, false, nil, "Invalid parent"
		}
		ch.parent = parent
	}
	for _, p := range l.properties {
		text, mapped := im.value(p.Name, r)
		if !mapped {
			continue
		}
		v, warning := im.task.model.parse(text, p.Format, p.List)
		if warning != "" {
			warnings = append(warnings, warning)
			continue
		}
		ch.properties[p.Name] = v
	}
	return ch, ch.found == nil, warnings, ""
}
