package configs

import (
	"errors"
	"io/fs"
	"time"
)

// Values is what stands for ${…} when a run is created.
type Values struct {
	Params map[string]string // as [Job.ParamValues] returned them
	Env    func(name string) (string, bool)
	RunID  string
	Date   time.Time // its calendar day in its own location is run.date
}

// Connections is one connections.toml.
type Connections struct {
	File   string   // empty when none was found
	Looked []string // where it was looked for
}

var errUnbuilt = errors.New("configs: signatures only")

func LoadConnections(explicit, jobFile string, getenv func(string) string) (*Connections, error) {
	return nil, errUnbuilt
}
func (c *Connections) Get(name string) (Connection, error) { return Connection{}, errUnbuilt }
func (c *Connections) Names() []string                     { return nil }
func (j *Job) ConnectionFor(step Step, c *Connections) (Connection, error) {
	return Connection{}, errUnbuilt
}
func Schema() []byte            { return nil }
func ConnectionsSchema() []byte { return nil }
func Examples() fs.FS           { return nil }
