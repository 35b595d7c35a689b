package simulator

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// copied is a deep copy for readers outside.
func (m *model) copied() ModelState {
	out := ModelState{
		Workspace: m.workspace.name, Name: m.name, ID: m.id, Lists: map[string][]Item{},
		Cells: map[string]map[string]string{}, Files: map[string]map[string][]byte{}, Effects: slices.Clone(m.effects),
	}
	for _, l := range m.lists {
		items := []Item{}
		for _, it := range l.items {
			items = append(items, Item{Name: it.name, Code: it.code, Parent: it.parent, Properties: maps.Clone(it.properties)})
		}
		out.Lists[l.name] = items
	}
	for _, mod := range m.modules {
		cells := map[string]string{}
		for key, v := range mod.cells {
			items, lineItem := splitKey(key)
			cells[strings.Join(items, ", ")+" / "+lineItem] = v
		}
		out.Cells[mod.name] = cells
	}
	for _, f := range m.files {
		private := map[string][]byte{}
		for u, c := range f.private {
			private[u.email] = slices.Clone(c.bytes())
		}
		out.Files[f.name] = private
	}
	return out
}

func (m *model) snapshot(w io.Writer) {
	state := m.copied()
	fmt.Fprintf(w, "model %s / %s\n", state.Workspace, state.Name)
	for _, name := range slices.Sorted(maps.Keys(state.Lists)) {
		fmt.Fprintf(w, "list %s\n", name)
		for _, it := range state.Lists[name] {
			fmt.Fprintf(w, "  %q %q %q", it.Name, it.Code, it.Parent)
			for _, p := range slices.Sorted(maps.Keys(it.Properties)) {
				fmt.Fprintf(w, " %q=%q", p, it.Properties[p])
			}
			fmt.Fprintln(w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(state.Cells)) {
		fmt.Fprintf(w, "module %s\n", name)
		for _, cell := range slices.Sorted(maps.Keys(state.Cells[name])) {
			fmt.Fprintf(w, "  %s = %q\n", cell, state.Cells[name][cell])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(state.Files)) {
		for _, email := range slices.Sorted(maps.Keys(state.Files[name])) {
			data := state.Files[name][email]
			fmt.Fprintf(w, "file %s of %s: %d bytes, sha256 %x\n", name, email, len(data), sha256.Sum256(data))
		}
	}
	for _, effect := range state.Effects {
		fmt.Fprintf(w, "effect %s\n", effect)
	}
}
