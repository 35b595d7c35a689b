package simulator

import (
	"slices"
	"strings"
)

type module struct {
	id, name   string
	dimensions []string
	lineItems  []LineItem
	cells      map[string]string
}

const (
	betweenItems   = "\x1f"
	beforeLineItem = "\x1e"
)

// cellKey names a cell by its items in the order of the dimensions.
func cellKey(items []string, lineItem string) string {
	return strings.Join(items, betweenItems) + beforeLineItem + lineItem
}

func splitKey(key string) (items []string, lineItem string) {
	left, lineItem, _ := strings.Cut(key, beforeLineItem)
	return strings.Split(left, betweenItems), lineItem
}

func (m *module) fill(text string) {
	rows := inlineRows(text)
	for _, row := range rows[min(1, len(rows)):] {
		items := make([]string, len(m.dimensions))
		for i, value := range row {
			if d := slices.Index(m.dimensions, rows[0][i]); d >= 0 {
				items[d] = value
			}
		}
		for i, value := range row {
			if m.lineItem(rows[0][i]) != nil && value != "" {
				m.cells[cellKey(items, rows[0][i])] = value
			}
		}
	}
}

func (m *module) lineItem(name string) *LineItem {
	for i := range m.lineItems {
		if m.lineItems[i].Name == name {
			return &m.lineItems[i]
		}
	}
	return nil
}

func (m *model) module(name string) *module {
	for _, mod := range m.modules {
		if mod.name == name {
			return mod
		}
	}
	return nil
}

// members of a dimension in order: list items, periods or versions.
func (m *model) members(dimension string) []string {
	switch dimension {
	case "Time":
		return m.time
	case "Versions":
		return m.versions
	}
	var names []string
	if l := m.list(dimension); l != nil {
		for _, it := range l.items {
			names = append(names, it.name)
		}
	}
	return names
}

// member finds the name of a dimension's item by code or name.
func (m *model) member(dimension, key string) (string, bool) {
	switch dimension {
	case "Time":
		return key, slices.Contains(m.time, key)
	case "Versions":
		return key, slices.Contains(m.versions, key)
	}
	if l := m.list(dimension); l != nil {
		if it := l.find(key); it != nil {
			return it.name, true
		}
	}
	return "", false
}
