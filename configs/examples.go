package configs

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed examples
var examples embed.FS

// Examples holds job files to start from, and the connections.toml that they name:
// nightly.toml, a whole night against the sample company, of connection "demo", with its
// data in data/ beside it; and small ones for one purpose each. landing-zone.toml has its
// calendar, holidays.txt, beside it.
func Examples() fs.FS {
	files, err := fs.Sub(examples, "examples")
	if err != nil {
		panic(fmt.Sprintf("configs: %v", err)) // the folder is part of the program, and tested
	}
	return files
}
