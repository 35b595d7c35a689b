package cli

import (
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/term"

	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// Program is one call of the command, and what it touches of the process around it. The
// result goes to Out, everything else to Err.
type Program struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) (string, bool)
	Now    func() time.Time

	filter   *secret.Filter // knows the secrets of this call
	plainOut io.Writer      // stdout without the filter, for data and payloads
	plainErr io.Writer      // stderr without it, for the programs that are started

	log     *logrus.Logger
	screen  *screen // progress bars; nil where there are none
	secrets secrets
	answers sync.Map // of the person at the terminal, by what was asked
	pipes   pipes
	proxies proxy.Logins // at proxies, of all connections
}

// Process is the Program of this process.
func Process() *Program {
	return &Program{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.LookupEnv, Now: time.Now}
}

// env is an environment variable, empty if it is not set.
func (p *Program) env(name string) string {
	v, _ := p.Getenv(name)
	return v
}

// isTerminal says whether a stream of the program is a terminal.
func isTerminal(stream any) bool {
	f, ok := unwrapped(stream).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is that of the terminal behind a stream, or a sensible one.
func width(stream any) int {
	if f, ok := unwrapped(stream).(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			return w
		}
	}
	return 120
}

// colour says whether a stream should get colours (no-color.org).
func (p *Program) colour(stream any) bool {
	if v, set := p.Getenv("NO_COLOR"); set && v != "" {
		return false
	}
	return isTerminal(stream) && p.env("TERM") != "dumb"
}

// Version is the program's, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version, revision, changed := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = ", changed"
			}
		}
	}
	if version == "" || version == "(devel)" {
		version = "development"
	}
	if revision != "" {
		version += " (" + revision + changed + ")"
	}
	return version
}
