package configs

import (
	"bytes"
	_ "embed"
)

// The schemas are made from the tables that decode the files; TestSchemas writes them
// anew with -update, and fails when they do not fit each other.

//go:embed job.schema.json
var jobSchema []byte

//go:embed connections.schema.json
var connectionsSchema []byte

// Schema returns the JSON Schema (draft 2020-12) of job files. An editor that knows it
// completes and checks while one writes; the first line `#:schema job.schema.json` names
// it. [Parse] says more, and has the last word.
func Schema() []byte { return bytes.Clone(jobSchema) }

// ConnectionsSchema returns the JSON Schema of connections.toml.
func ConnectionsSchema() []byte { return bytes.Clone(connectionsSchema) }
