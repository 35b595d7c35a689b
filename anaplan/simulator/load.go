package simulator

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Load reads a Company. The error joins everything that is wrong, each with the place and the name; then
// the company is nil.
func Load(r io.Reader) (*Company, error) {
	var c Company
	meta, err := toml.NewDecoder(r).Decode(&c)
	if err != nil {
		return nil, fmt.Errorf("reading company data: %w", err)
	}
	var errs []error
	for _, key := range meta.Undecoded() {
		errs = append(errs, fmt.Errorf("unknown key %q", key.String()))
	}
	if err := errors.Join(append(errs, c.check())...); err != nil {
		return nil, fmt.Errorf("reading company data: %w", err)
	}
	return &c, nil
}

// A checker gathers what is wrong.
type checker struct{ errs []error }

func (k *checker) wrong(format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf(format, args...))
}

// unique notes names that are missing or stand there twice.
func (k *checker) unique(place, kind string, names []string) {
	seen := map[string]bool{}
	for i, name := range names {
		switch {
		case name == "":
			k.wrong("%s: %s %d has no name", place, kind, i+1)
		case seen[name]:
			k.wrong("%s: %s %q is there twice", place, kind, name)
		}
		seen[name] = true
	}
}

func (k *checker) oneOf(place, what, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.wrong("%s: %s %q is none of %q", place, what, value, allowed)
	}
}

func (k *checker) id(place, id, prefix string) {
	if id != "" && (len(id) != 12 || !strings.HasPrefix(id, prefix) || strings.Trim(id, "0123456789") != "") {
		k.wrong("%s: id %q is not 12 digits beginning with %s", place, id, prefix)
	}
}

func (k *checker) hex(place, id, digits string) {
	if id != "" && (len(id) != 32 || strings.Trim(id, digits) != "") {
		k.wrong("%s: id %q is not 32 of the digits %s", place, id, digits)
	}
}

func names[T any](all []T, name func(T) string) []string {
	var out []string
	for _, one := range all {
		out = append(out, name(one))
	}
	return out
}

const (
	lowerHex = "0123456789abcdef"
	upperHex = "0123456789ABCDEF"
)

func (c *Company) check() error {
	k := &checker{}
	k.hex("company", c.CustomerID, lowerHex)
	k.unique("company", "user", names(c.Users, func(u User) string { return u.Email }))
	k.unique("company", "workspace", names(c.Workspaces, func(w Workspace) string { return w.Name }))
	for _, u := range c.Users {
		k.hex("user "+u.Email, u.ID, lowerHex)
		for model, role := range u.Access {
			k.oneOf("user "+u.Email, "access to "+model, role, "none", "user", "admin")
			if model != "*" && c.model(model) == nil {
				k.wrong("user %s: access names model %q, which is not there", u.Email, model)
			}
		}
	}
	ids := map[string]string{}
	for _, w := range c.Workspaces {
		place := "workspace " + w.Name
		k.hex(place, w.ID, lowerHex)
		k.unique(place, "model", names(w.Models, func(m Model) string { return m.Name }))
		for _, m := range w.Models {
			place := "model " + w.Name + "/" + m.Name
			k.hex(place, m.ID, upperHex)
			if m.ID != "" && ids[m.ID] != "" {
				k.wrong("%s: id %s belongs to %s already", place, m.ID, ids[m.ID])
			}
			ids[m.ID] = place
			k.model(c, place, &m)
		}
	}
	k.switches(&c.Switches)
	if err := checkFaults(c.Faults); err != nil {
		k.errs = append(k.errs, err)
	}
	for i, sp := range c.Spells {
		if err := c.checkSpell(sp); err != nil {
			k.wrong("spell %d: %w", i+1, err)
		}
	}
	for i, st := range c.Strangers {
		if err := c.checkStranger(st); err != nil {
			k.wrong("stranger %d: %w", i+1, err)
		}
	}
	return errors.Join(k.errs...)
}

// model finds by "Model" or "Workspace/Model".
func (c *Company) model(name string) *Model {
	for i := range c.Workspaces {
		for j := range c.Workspaces[i].Models {
			m := &c.Workspaces[i].Models[j]
			if m.Name == name || c.Workspaces[i].Name+"/"+m.Name == name {
				return m
			}
		}
	}
	return nil
}

func (k *checker) switches(s *Switches) {
	k.oneOf("switches", "busy", s.Busy, "", "hang", "409")
	k.oneOf("switches", "no_dump", s.NoDump, "", "400", "200")
	k.oneOf("switches", "unauthorized", s.Unauthorized, "", "empty", "auth")
	k.oneOf("switches", "retry_after", s.RetryAfter, "", "date", "absent")
	if s.RateCapacity < 0 || s.RatePerSecond < 0 || s.FreshnessWindow < 0 || s.CancelTime < 0 || s.FileLife < 0 {
		k.wrong("switches: rate_capacity, rate_per_second, freshness_window, cancel_time and file_life must not be negative")
	}
}
