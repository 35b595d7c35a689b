package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	folderName = "anaplan-runner"
	fileName   = "ledger.db"
)

// Machine is what the place of a ledger depends on.
type Machine struct {
	OS       string // as runtime.GOOS
	Home     string // the user's home folder; empty if there is none
	Getenv   func(string) string
	Writable func(dir string) bool // it is a folder in which this user may make files
}

// ThisMachine is the machine we run on.
func ThisMachine() Machine {
	home, _ := os.UserHomeDir() // without one, Default says so
	return Machine{OS: runtime.GOOS, Home: home, Getenv: os.Getenv, Writable: Writable}
}

// Choose says which ledger it is: the first that is named, by --ledger, by ANAPLAN_LEDGER
// and by the connection, else the default file. It is a file, or a PostgreSQL address, see
// [InPostgres]; others are refused.
func (m Machine) Choose(flag, env, connection string) (string, error) {
	for _, by := range []struct{ name, value string }{
		{"--ledger", flag}, {"ANAPLAN_LEDGER", env}, {"ledger of the connection", connection},
	} {
		if by.value == "" {
			continue
		}
		scheme, _, ok := strings.Cut(by.value, "://")
		if ok && !InPostgres(by.value) {
			return "", fmt.Errorf("%s: there is no ledger of the kind %s://; name a file, or postgres://USER@HOST/DATABASE", by.name, scheme)
		}
		return by.value, nil
	}
	return m.Default()
}

// InPostgres says whether a ledger is a PostgreSQL address. It may hold a password.
func InPostgres(ledger string) bool {
	scheme, _, ok := strings.Cut(ledger, "://")
	return ok && (scheme == "postgres" || scheme == "postgresql")
}

// DirElsewhere is the folder on this machine for the failure dumps and reports of a ledger
// that is not a file: beside the default one. where names that ledger, without secrets.
func (m Machine) DirElsewhere(where string) (string, error) {
	beside, err := m.Default()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(where))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, where[strings.LastIndex(where, "@")+1:])
	return Dir(m.join(filepath.Dir(beside), name[:min(len(name), 60)]+"_"+hex.EncodeToString(sum[:4]))), nil
}

// Default is the ledger that nobody named: in the folder of the system if an
// administrator has made it and this user may write there, else in the user's own.
func (m Machine) Default() (string, error) {
	if dir := m.system(); dir != "" && m.Writable(dir) {
		return m.join(dir, fileName), nil
	}
	dir := m.own()
	if dir == "" {
		return "", fmt.Errorf("this user has no home folder for a ledger; name a file with --ledger or ANAPLAN_LEDGER")
	}
	return m.join(dir, folderName, fileName), nil
}

// system is the folder for all users of the machine, or empty.
func (m Machine) system() string {
	if m.OS != "windows" {
		return "/var/lib/" + folderName
	}
	if dir := m.Getenv("ProgramData"); dir != "" {
		return m.join(dir, folderName)
	}
	return ""
}

// own is where this user's programs keep their state, or empty.
func (m Machine) own() string {
	switch m.OS {
	case "windows":
		if dir := m.Getenv("LocalAppData"); dir != "" || m.Home == "" {
			return dir
		}
		return m.join(m.Home, "AppData", "Local")
	case "darwin":
		if m.Home == "" {
			return ""
		}
		return m.join(m.Home, "Library", "Application Support")
	}
	// The XDG specification: a relative path is to be ignored.
	if dir := m.Getenv("XDG_STATE_HOME"); strings.HasPrefix(dir, "/") {
		return dir
	}
	if m.Home == "" {
		return ""
	}
	return m.join(m.Home, ".local", "state")
}

func (m Machine) join(parts ...string) string {
	sep := "/"
	if m.OS == "windows" {
		sep = `\`
	}
	parts[0] = strings.TrimRight(parts[0], sep)
	return strings.Join(parts, sep)
}

// Dir is the folder beside a ledger for the failure dumps and reports of its runs, one
// folder each. It may not be there yet; whoever makes it makes it for its owner only.
func Dir(path string) string { return filepath.Clean(path) + ".runs" }
