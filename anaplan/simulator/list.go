package simulator

import (
	"fmt"
	"strings"
)

type item struct {
	id, name, code, parent string
	properties             map[string]string
}

type list struct {
	id, name, parent string
	properties       []Property
	items            []*item
	byName, byCode   map[string]*item
	made             int
}

func newList(id string, cl List) *list {
	l := &list{id: id, name: cl.Name, parent: cl.Parent, byName: map[string]*item{}, byCode: map[string]*item{}}
	for _, p := range cl.Properties {
		p.Format = strings.ToLower(or(p.Format, "text"))
		l.properties = append(l.properties, p)
	}
	rows := inlineRows(cl.Items)
	for _, row := range rows[min(1, len(rows)):] {
		it := l.add("", "")
		for i, value := range row {
			switch column := rows[0][i]; column {
			case "name":
				l.rename(it, value)
			case "code":
				l.recode(it, value)
			case "parent":
				it.parent = value
			default:
				if value != "" {
					it.properties[column] = value
				}
			}
		}
	}
	return l
}

func (l *list) add(name, code string) *item {
	l.made++
	it := &item{id: fmt.Sprintf("201%s%06d", l.id[len(l.id)-3:], l.made), properties: map[string]string{}}
	l.items = append(l.items, it)
	l.rename(it, name)
	l.recode(it, code)
	return it
}

func (l *list) rename(it *item, name string) {
	if l.byName[it.name] == it {
		delete(l.byName, it.name)
	}
	it.name = name
	if name != "" {
		l.byName[name] = it
	}
}

func (l *list) recode(it *item, code string) {
	if l.byCode[it.code] == it {
		delete(l.byCode, it.code)
	}
	it.code = code
	if code != "" {
		l.byCode[code] = it
	}
}

// find an item by its code, else by its name.
func (l *list) find(key string) *item {
	if key == "" {
		return nil
	}
	if it := l.byCode[key]; it != nil {
		return it
	}
	return l.byName[key]
}

func (l *list) remove(gone map[*item]bool) {
	kept := l.items[:0]
	for _, it := range l.items {
		if !gone[it] {
			kept = append(kept, it)
			continue
		}
		delete(l.byName, it.name)
		delete(l.byCode, it.code)
	}
	l.items = kept
}

func (m *model) list(name string) *list {
	for _, l := range m.lists {
		if l.name == name {
			return l
		}
	}
	return nil
}
