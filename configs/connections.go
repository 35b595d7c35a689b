package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Connections is one connections.toml. It is not changed after it was returned.
type Connections struct {
	File   string   // empty when none was found
	Looked []string // where it was looked for, in this order; the last one is File if it was found

	dir       string
	firstLine string
	saved     []savedConnection // in file order
}

// savedConnection is one [connection.NAME] as it is written.
type savedConnection struct {
	name    string
	at      Position
	table   *table
	extends string
}

// LoadConnections reads the connections.toml that is meant: the explicit one, else the
// first that exists beside the job file (if there is one) and in the machine's folder:
// /etc/anaplan-runner, on Windows %ProgramData%\anaplan-runner. None at all is no error
// here, but in [Connections.Get]. What is wrong with the file comes back at once, as
// [Problems].
//
// The working folder is not looked at unless the caller names a job file in it: such a
// file may name commands to be run, and a folder is entered more easily than a file is
// named.
func LoadConnections(explicit, jobFile string, getenv func(string) string) (*Connections, error) {
	var looked []string
	for _, file := range connectionFiles(runtime.GOOS, explicit, jobFile, getenv) {
		looked = append(looked, file)
		data, err := readAtMost(file)
		if errors.Is(err, fs.ErrNotExist) && explicit == "" {
			continue
		}
		if errors.Is(err, errTooLarge) {
			return nil, Problems{{File: file, What: err.Error(), Instead: "give the path of a file of connections, not data"}}
		}
		if err != nil {
			return nil, Problems{{File: file, What: "cannot be read: " + cause(err), Instead: "check its name and who may read it"}}
		}
		dir, err := filepath.Abs(filepath.Dir(file))
		if err != nil {
			return nil, fmt.Errorf("finding the folder of %s: %w", file, err)
		}
		c, problems := parseConnections(file, dir, data)
		if err := problems.err(); err != nil {
			return nil, err
		}
		c.Looked = looked
		return c, nil
	}
	return &Connections{Looked: looked}, nil
}

// connectionFiles lists where a connections.toml may be.
func connectionFiles(goos, explicit, jobFile string, getenv func(string) string) []string {
	const name = "connections.toml"
	if explicit != "" {
		return []string{explicit}
	}
	var files []string
	if jobFile != "" && jobFile != "-" {
		files = append(files, filepath.Join(filepath.Dir(jobFile), name))
	}
	// Not /etc on Windows: it would be a folder of the current drive, which anybody can make.
	if goos != "windows" {
		return append(files, "/etc/anaplan-runner/"+name)
	}
	if data := getenv("ProgramData"); data != "" {
		files = append(files, data+`\anaplan-runner\`+name)
	}
	return files
}

// Names lists the connections in file order.
func (c *Connections) Names() []string {
	var names []string
	for _, s := range c.saved {
		names = append(names, s.name)
	}
	return names
}

// Get returns a connection with what it extends, defaults filled in, and absolute paths.
// What is missing or unknown comes back as [Problems], with the nearest name or where a
// file was looked for.
func (c *Connections) Get(name string) (Connection, error) {
	i := c.find(name)
	if i < 0 {
		f := c.lacks(name)
		return Connection{}, Problems{{File: c.File, Key: "connection." + QuoteKey(name), What: f.what, Instead: f.instead}}
	}
	out := newConnection(c.File, c.dir)
	out.Name, out.FirstLine = name, c.firstLine
	for _, s := range slices.Backward(c.chain(i)) {
		saved := writtenConnection{Connection: out}
		saved.enter(s.table)
		// Its problems were reported when the file was read.
		decode(scope{decoder: &decoder{}, marks: out.Positions}, connectionShape, s.table, &saved)
		out = saved.Connection
	}
	out.Positions["name"] = c.saved[i].at
	problems := out.finish(func(key string) Problem {
		at := out.Positions.Near(key)
		return Problem{File: c.File, Line: at.Line, Column: at.Column, Key: c.saved[i].owner() + ": " + key}
	})
	if err := problems.err(); err != nil {
		return Connection{}, err
	}
	return out, nil
}

func (s savedConnection) owner() string { return "connection." + QuoteKey(s.name) }

func (c *Connections) find(name string) int {
	return slices.IndexFunc(c.saved, func(s savedConnection) bool { return s.name == name })
}

// lacks says that there is no connection of a name.
func (c *Connections) lacks(name string) fault {
	if c.File != "" {
		return fault{fmt.Sprintf("there is no connection %q", name), oneOf(name, c.Names(), "add [connection."+QuoteKey(name)+"]")}
	}
	f := fault{fmt.Sprintf("there is no connections.toml, so no connection %q", name), "give --connections FILE"}
	if len(c.Looked) > 0 {
		f.instead = "write " + strings.Join(c.Looked, " or ") + ", or give --connections FILE"
	}
	return f
}

// chain is a connection and what it extends, itself first. It ends at a circle.
func (c *Connections) chain(i int) []savedConnection {
	var all []savedConnection
	for i >= 0 && len(all) <= len(c.saved) {
		all = append(all, c.saved[i])
		if c.saved[i].extends == "" {
			break
		}
		i = c.find(c.saved[i].extends)
	}
	return all
}

// ConnectionFor returns how a step of the job logs in: by the connection that the step
// names, else by the job's own [anaplan] and [auth], else by the connection that the job
// names. The job is expanded. c may be nil. Errors are [Problems].
func (j *Job) ConnectionFor(step Step, c *Connections) (Connection, error) {
	if c == nil {
		c = &Connections{}
	}
	name, at, key := step.Connection, step.Positions.Near("connection"), "connection"
	if step.Connection != "" && step.Base != "" {
		key = step.prefix() + key
	}
	if name == "" || name == j.Connection {
		name, at, key = j.Connection, j.Positions.Near("connection"), "connection"
	}
	problem := func(f fault) error {
		return Problems{{File: j.File, Line: at.Line, Column: at.Column, Key: key, What: f.what, Instead: f.instead}}
	}
	switch {
	case step.Connection == "" && j.Inline != nil && j.Connection != "":
		return Connection{}, problem(fault{"the job names a connection and has a login of its own", "leave one of the two"})
	case name == "" && j.Inline != nil:
		return j.inline()
	case name == "":
		at = Position{}
		return Connection{}, problem(fault{"the job names no connection", `write connection = "NAME"` + aside(strings.Join(c.Names(), ", "))})
	case c.find(name) < 0:
		f := c.lacks(name)
		if c.File != "" {
			f.what = c.File + " has no connection " + fmt.Sprintf("%q", name)
		}
		return Connection{}, problem(f)
	}
	return c.Get(name)
}

// inline is the connection of the job file itself.
func (j *Job) inline() (Connection, error) {
	out := newConnection(j.File, j.Dir)
	over := *j.Inline
	for _, x := range []struct{ own, standard *string }{{&over.Method, &out.Method}, {&over.Message, &out.Message}, {&over.Header, &out.Header}, {&over.File, &out.File}, {&over.Dir, &out.Dir}} {
		if *x.own == "" {
			*x.own = *x.standard
		}
	}
	if over.RequestsPerMinute == 0 {
		over.RequestsPerMinute = out.RequestsPerMinute
	}
	problems := over.finish(func(key string) Problem {
		table := "anaplan."
		name, _, _ := strings.Cut(key, ".")
		if slices.ContainsFunc(loginKeys, func(k loginKey) bool { return k.name == name }) {
			table = "auth."
		}
		at := j.Positions.Near(table + key)
		return Problem{File: j.File, Line: at.Line, Column: at.Column, Key: table + key}
	})
	if err := problems.err(); err != nil {
		return Connection{}, err
	}
	return over, nil
}

type loginKey = key[Connection]
