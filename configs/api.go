package configs

import (
	"time"
)

// Values is what stands for ${…} when a run is created.
type Values struct {
	Params map[string]string // as [Job.ParamValues] returned them
	Env    func(name string) (string, bool)
	RunID  string
	Date   time.Time // its calendar day in its own location is run.date
}

func Schema() []byte            { return nil }
func ConnectionsSchema() []byte { return nil }
