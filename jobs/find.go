package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// find finds the one thing that a reference names. An id decides, and another name
// beside it is a warning; a name must match exactly one, letter for letter. What is
// wrong becomes a problem that lists what it could be.
func (b *binder) find(s PlanStep, key string, ref configs.Ref, items []item, where string) (item, bool) {
	what, _, _ := strings.Cut(key, ".")
	switch what {
	case "files", "upload", "download":
		what = "server file"
	case "actions":
		what = "action"
	}
	if ref.Zero() {
		b.wrong(s, key, fmt.Sprintf("write %s = %s", key, choices(items)), "no %s is named", what)
		return item{}, false
	}
	if ref.ID == "" {
		// A bare string that is an id of one of them is that one.
		if i := slices.IndexFunc(items, func(n item) bool { return n.id == ref.Name }); i >= 0 {
			return items[i], true
		}
		var found []item
		for _, n := range items {
			if n.name == ref.Name {
				found = append(found, n)
			}
		}
		switch len(found) {
		case 1:
			return found[0], true
		case 0:
			instead := "there is none"
			if len(items) > 0 {
				instead = "did you mean " + candidates(ref.Name, items) + "?"
			}
			b.wrong(s, key, instead, "there is no %s %q %s", what, ref.Name, where)
		default:
			var ids []string
			for _, n := range found {
				ids = append(ids, n.id)
			}
			b.wrong(s, key, "write the id of the one you mean: "+strings.Join(ids, ", "), "%d %s bear the name %q %s", len(found), many(what), ref.Name, where)
		}
		return item{}, false
	}
	i := slices.IndexFunc(items, func(n item) bool { return n.id == ref.ID })
	if i < 0 {
		b.wrong(s, key, "write one of "+choices(items), "there is no %s with the id %s %s", what, ref.ID, where)
		return item{}, false
	}
	if ref.Name != "" && ref.Name != items[i].name {
		b.warn(s, "%s %s is named %q, the job file says %q: the id decides", what, ref.ID, items[i].name, ref.Name)
	}
	return items[i], true
}

func many(what string) string {
	if what == "process" {
		return "processes"
	}
	return what + "s"
}

// oneOf is a kind with its article.
func oneOf(what string) string {
	if strings.ContainsRune("aeiou", rune(what[0])) {
		return "an " + what
	}
	return "a " + what
}

// unique leaves out what was there before: a process may run one action twice.
func unique(items []item) []item {
	var all []item
	for _, n := range items {
		if !slices.ContainsFunc(all, func(o item) bool { return o.id == n.id }) {
			all = append(all, n)
		}
	}
	return all
}

func choices(items []item) string { return listed(items, 5) }

// listed names so many of some things.
func listed(items []item, most int) string {
	var all []string
	for _, n := range items[:min(len(items), most)] {
		all = append(all, fmt.Sprintf("%q (%s)", n.name, n.id))
	}
	switch {
	case len(items) == 0:
		return "nothing: there is none"
	case len(items) > most:
		all = append(all, fmt.Sprintf("or one of %d more", len(items)-most))
	}
	return strings.Join(all, ", ")
}

// candidates lists the things whose names are nearest to one that is not there.
func candidates(wanted string, items []item) string {
	near := slices.Clone(items)
	slices.SortStableFunc(near, func(a, b item) int { return far(wanted, a.name) - far(wanted, b.name) })
	return listed(near, 3)
}

// far is how far a name is from the wanted one; case and blanks count little. What begins
// with it, as whoever shortens a name means, is as near as one letter.
func far(wanted, name string) int {
	plain := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	d := configs.Distance(plain(wanted), plain(name))
	if len(wanted) >= 3 && strings.HasPrefix(plain(name), plain(wanted)) {
		return min(1, d)
	}
	return d
}
