package secret

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode"
)

// VaultForm is how a vault: reference is written.
const VaultForm = "vault:PATH#FIELD, vault:MOUNT:PATH#FIELD, or with a version vault:PATH?version=3#FIELD"

// A VaultRef is what a vault: reference names: a field of a secret in a KV version 2 store of HashiCorp Vault or OpenBao.
type VaultRef struct {
	Mount   string // where the store is mounted; empty: the one that is configured
	Path    string // as `vault kv get` takes it, without mount and without data/
	Field   string
	Version int // 0: the current one
}

// A VaultReader reads fields of secrets. Implementations may be used from several goroutines.
type VaultReader interface {
	// Read returns the value of a field. What keeps it from doing so is a *FetchError, or the error of ctx.
	Read(ctx context.Context, ref VaultRef) (Value, error)
	// Forget makes the next Read of every secret ask the server again.
	Forget()
}

// A FetchError says why a place that is asked over the network gave no secret. Nothing in it is secret.
type FetchError struct {
	What string // what was being done, with what, and what came of it
	Next string // what to do about it
	// Temporary: the place could not be reached, or could not answer, however often it was asked; trying again later may help.
	Temporary bool
	Err       error // the cause; may be nil
}

func (e *FetchError) Error() string { return e.What }

func (e *FetchError) Unwrap() error { return e.Err }

// ParseVault splits what follows "vault:". Before the first colon, if there is one, stands the mount, and behind the last # the
// field. Errors tell the form and do not repeat what was written: it may be a secret in the wrong place.
func ParseVault(rest string) (VaultRef, error) {
	wrong := func(what string) (VaultRef, error) {
		return VaultRef{}, errors.New("a vault: reference " + what + ": it is written " + VaultForm)
	}
	i := strings.LastIndexByte(rest, '#')
	if i < 0 {
		return wrong("has no # with a field behind it")
	}
	r := VaultRef{Path: rest[:i], Field: rest[i+1:]}
	if strings.Contains(r.Field, "?version=") {
		return wrong("has its version behind the #")
	}
	if mount, path, ok := strings.Cut(r.Path, ":"); ok {
		if mount == "" {
			return wrong("names no mount before the colon")
		}
		r.Mount, r.Path = mount, path
	}
	if path, query, ok := strings.Cut(r.Path, "?"); ok {
		number, isVersion := strings.CutPrefix(query, "version=")
		n, err := strconv.ParseInt(number, 10, 32)
		if !isVersion || err != nil || n < 1 || strconv.FormatInt(n, 10) != number {
			return wrong("has something else than ?version=NUMBER behind its path")
		}
		r.Path, r.Version = path, int(n)
	}
	switch {
	case r.Field == "" || strings.TrimSpace(r.Field) != r.Field:
		return wrong("names no field behind the #")
	case strings.ContainsFunc(rest, unicode.IsControl):
		return wrong("holds a control character")
	case !plainPath(r.Path), r.Mount != "" && !plainPath(r.Mount):
		return wrong("has a path or a mount that is empty, or begins or ends with / or a space, or holds //, . or ..")
	}
	return r, nil
}

// plainPath reports whether the parts of a path mean themselves, also in a URL.
func plainPath(path string) bool {
	if strings.TrimSpace(path) != path {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// String returns the reference as it is written.
func (r VaultRef) String() string {
	s := Vault + ":"
	if r.Mount != "" {
		s += r.Mount + ":"
	}
	s += r.Path
	if r.Version > 0 {
		s += "?version=" + strconv.Itoa(r.Version)
	}
	return s + "#" + r.Field
}
