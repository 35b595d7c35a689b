package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultPlace(t *testing.T) {
	for _, c := range []struct {
		name     string
		os, home string
		env      map[string]string
		writable string
		want     string // empty: an error
	}{
		{"linux", "linux", "/home/u", nil, "", "/home/u/.local/state/anaplan-runner/ledger.db"},
		{"linux, set up for all", "linux", "/home/u", nil, "/var/lib/anaplan-runner", "/var/lib/anaplan-runner/ledger.db"},
		{"linux, XDG", "linux", "/home/u", map[string]string{"XDG_STATE_HOME": "/state/"}, "", "/state/anaplan-runner/ledger.db"},
		{"linux, set up for all before XDG", "linux", "/home/u", map[string]string{"XDG_STATE_HOME": "/state"}, "/var/lib/anaplan-runner", "/var/lib/anaplan-runner/ledger.db"},
		{"linux, XDG relative", "linux", "/home/u", map[string]string{"XDG_STATE_HOME": "state"}, "", "/home/u/.local/state/anaplan-runner/ledger.db"},
		{"linux, no home", "linux", "", nil, "", ""},
		{"linux, no home, XDG", "linux", "", map[string]string{"XDG_STATE_HOME": "/state"}, "", "/state/anaplan-runner/ledger.db"},
		{"linux, no home, set up for all", "linux", "", nil, "/var/lib/anaplan-runner", "/var/lib/anaplan-runner/ledger.db"},
		{"macOS", "darwin", "/Users/u", map[string]string{"XDG_STATE_HOME": "/state"}, "", "/Users/u/Library/Application Support/anaplan-runner/ledger.db"},
		{"macOS, no home", "darwin", "", nil, "", ""},
		{"windows", "windows", `C:\Users\u`, map[string]string{"LocalAppData": `C:\Users\u\AppData\Local`, "ProgramData": `C:\ProgramData`}, "",
			`C:\Users\u\AppData\Local\anaplan-runner\ledger.db`},
		{"windows, set up for all", "windows", `C:\Users\u`, map[string]string{"LocalAppData": `C:\Users\u\AppData\Local`, "ProgramData": `C:\ProgramData`},
			`C:\ProgramData\anaplan-runner`, `C:\ProgramData\anaplan-runner\ledger.db`},
		{"windows, no LocalAppData", "windows", `C:\Users\u`, nil, "", `C:\Users\u\AppData\Local\anaplan-runner\ledger.db`},
		{"windows, nothing", "windows", "", nil, "", ""},
	} {
		m := Machine{OS: c.os, Home: c.home, Getenv: func(name string) string { return c.env[name] },
			Writable: func(dir string) bool { return dir == c.writable }}
		got, err := m.Default()
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	m := Machine{OS: "linux", Home: "/home/u", Getenv: func(string) string { return "" }, Writable: func(string) bool { return false }}
	for _, c := range []struct{ flag, env, connection, want, says string }{
		{"", "", "", "/home/u/.local/state/anaplan-runner/ledger.db", ""},
		{"", "", "c.db", "c.db", ""},
		{"", "e.db", "c.db", "e.db", ""},
		{"f.db", "e.db", "c.db", "f.db", ""},
		{"f.db", "postgres://u:secret@h/d", "", "f.db", ""},
		{`C:\x\l.db`, "", "", `C:\x\l.db`, ""},
		{`\\server\share\l.db`, "", "", `\\server\share\l.db`, ""},
		{"postgres://u:secret@h/d", "e.db", "", "postgres://u:secret@h/d", ""},
		{"", "postgresql://u:secret@h/d", "c.db", "postgresql://u:secret@h/d", ""},
		{"", "", "mysql://u:secret@h/d", "", "ledger of the connection: there is no ledger of the kind mysql://; name a file, or postgres://USER@HOST/DATABASE"},
	} {
		got, err := m.Choose(c.flag, c.env, c.connection)
		if c.says != "" {
			if err == nil || err.Error() != c.says || got != "" {
				t.Errorf("%+v: got %q, %v", c, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

func TestThisMachine(t *testing.T) {
	dir := t.TempDir()
	m := ThisMachine()
	if !m.Writable(dir) {
		t.Errorf("%s cannot be written", dir)
	}
	if m.Writable(filepath.Join(dir, "none")) {
		t.Error("a folder that is not there can be written")
	}
	path, err := m.Default()
	if err != nil || !strings.HasSuffix(path, "ledger.db") {
		t.Errorf("got %q, %v", path, err)
	}
	if got := Dir("/a/ledger.db"); got != filepath.Clean("/a/ledger.db.runs") {
		t.Errorf("its files lie in %s", got)
	}
}

func TestDirElsewhere(t *testing.T) {
	m := Machine{OS: "linux", Home: "/home/u", Getenv: func(string) string { return "" }, Writable: func(string) bool { return false }}
	seen := map[string]bool{}
	for where, begin := range map[string]string{
		"postgres://u@db.example.com/runs":                      "/home/u/.local/state/anaplan-runner/db.example.com_runs_",
		"postgres://v@db.example.com/runs":                      "/home/u/.local/state/anaplan-runner/db.example.com_runs_",
		"postgres://u@[2001:db8::1]:5433/a?search_path=../../x": "/home/u/.local/state/anaplan-runner/_2001_db8__1__5433_a_search_path_.._.._x_",
		"postgres://u@" + strings.Repeat("h", 300) + "/runs":    "/home/u/.local/state/anaplan-runner/" + strings.Repeat("h", 60) + "_",
	} {
		got, err := m.DirElsewhere(where)
		if err != nil || !strings.HasPrefix(got, begin) || len(got) != len(begin)+len("01234567.runs") || seen[got] {
			t.Errorf("%s: %s, %v", where, got, err)
		}
		seen[got] = true
	}
	m.Home = ""
	if got, err := m.DirElsewhere("postgres://u@h/d"); err == nil {
		t.Errorf("got %s", got)
	}
}
