package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

// TestFlagsStandAnywhere is the trap of the flag library: it ignores flags after the
// first argument, and `run job.toml --dry-run` must never be a real run.
func TestFlagsStandAnywhere(t *testing.T) {
	app := &cli.App{Commands: []*cli.Command{
		{Name: "run", Flags: []cli.Flag{&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}}, &cli.StringFlag{Name: "report"}, &cli.StringSliceFlag{Name: "param"}}},
		{Name: "exec", Subcommands: []*cli.Command{{Name: "import", Flags: []cli.Flag{&cli.StringFlag{Name: "model"}}}}},
	}}
	for _, tc := range []struct{ in, want string }{
		{"run job.toml --dry-run", "run --dry-run -- job.toml"},
		{"run --dry-run job.toml", "run --dry-run -- job.toml"},
		{"--dry-run run job.toml", "run --dry-run -- job.toml"},
		{"--report x.html run job.toml", "run --report x.html -- job.toml"},
		{"run job.toml --report x.html -n --param a=1 --param b=2", "run --report x.html --dry-run --param a=1 --param b=2 -- job.toml"},
		{"run job.toml --report=x.html more", "run --report=x.html -- job.toml more"},
		{"run job.toml -- --dry-run", "run -- job.toml --dry-run"},
		{"run - --dry-run", "run --dry-run -- -"},
		{"run job.toml --nonsense", "run --nonsense -- job.toml"},
		{"run job.toml --report", "run --report -- job.toml"},
		{"exec import Load --model Hub", "exec import --model Hub -- Load"},
		{"exec --model Hub import Load", "exec import --model Hub -- Load"},
		{"exec import --model Hub Load", "exec import --model Hub -- Load"},
		{"run", "run"},
		{"", ""},
		{"--help", "--help"},
		{"run --help", "run --help"},
		{"run job.toml --help --dry-run", "run --help --dry-run"},
		{"run job.toml -h", "run -h"},
		{"run job.toml --report --help", "run --report --help -- job.toml"},
		{"nothing --dry-run", "nothing --dry-run"},
	} {
		got := permute(app, strings.Fields(tc.in))
		if diff := cmp.Diff(strings.Fields(tc.want), got, cmp.Transformer("none", func(s []string) []string {
			if len(s) == 0 {
				return nil
			}
			return s
		})); diff != "" && strings.Join(got, " ") != tc.want {
			t.Errorf("%q: %s", tc.in, diff)
		}
	}
}

// TestEveryFlagAfterAnArgument tries every command with every flag of its own
// after an argument: the flag must reach it.
func TestEveryFlagAfterAnArgument(t *testing.T) {
	p := &Program{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Getenv: func(string) (string, bool) { return "", false }}
	app := p.app()
	var visit func(path []string, commands []*cli.Command)
	visit = func(path []string, commands []*cli.Command) {
		for _, c := range commands {
			path := append(path[:len(path):len(path)], c.Name)
			for _, f := range c.Flags {
				words := []string{"--" + f.Names()[0]}
				if f.(cli.DocGenerationFlag).TakesValue() {
					words = append(words, "1")
				}
				got := permute(app, append(append(path[:len(path):len(path)], "argument"), words...))
				want := append(append(path[:len(path):len(path)], words...), "--", "argument")
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%v: %s", path, diff)
				}
			}
			visit(path, c.Subcommands)
		}
	}
	visit(nil, app.Commands)
}
