// Command anaplan-runner runs jobs in Anaplan: see its help.
package main

import (
	"os"

	"github.com/anaplan-runner/anaplan-runner/cmd/internal/cli"
)

func main() {
	cli.Harden()
	os.Exit(cli.Process().Main(os.Args[1:]))
}
