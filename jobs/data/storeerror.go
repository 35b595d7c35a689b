package data

import (
	"errors"
	"strings"
)

// What callers tell apart about stores, besides fs.ErrNotExist and fs.ErrExist.
var (
	// ErrAway: the store cannot be reached, is busy, or broke off, after the patience that
	// reading and writing have themselves. Trying again later may help: network, exit code 75.
	ErrAway = errors.New("not to be reached at the moment")
	// ErrDenied: there are no credentials, or they may not do that. Trying again does not
	// help: permission, exit code 77.
	ErrDenied = errors.New("not allowed")
	// ErrChanged: the file was replaced or written while it was being read.
	ErrChanged = errors.New("changed while it was read")
)

// StoreError says what a store could not do. errors.Is finds the sentinel that says which
// kind it is, and the cause.
type StoreError struct {
	Doing string // "read", "write", "list", "move", "remove"
	Name  string // as Display gives it
	Why   string // in words, without secrets
	Next  string // what to do
	Kind  error  // ErrAway, ErrDenied, ErrChanged, fs.ErrNotExist, fs.ErrExist; nil: another
	Err   error  // the cause, for errors.Is alone: its text may hold secrets; may be nil
}

func (e *StoreError) Error() string {
	parts := []string{e.Doing + " " + e.Name}
	if e.Why != "" {
		parts = append(parts, e.Why)
	} else if e.Kind != nil {
		parts = append(parts, e.Kind.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the kind, and the cause.
func (e *StoreError) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}
