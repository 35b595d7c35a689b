package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// permute moves flags before arguments, for the flag library ignores flags after the
// first argument, and `run job.toml --dry-run` must never be a real run. Flags that stand
// before the command's name move behind it. The order of flags among themselves and of
// arguments among themselves stays. A "--" and what follows it are arguments. Flags that
// no command has stay flags, so that they are refused. "-" is an argument. With --help the
// arguments are left out: the library takes the first one for what to tell about.
func permute(app *cli.App, args []string) []string {
	var before []string // flags in front of the command's name
	i := 0
	for i < len(args) && isFlag(args[i]) && args[i] != "--" {
		n := spanOf(below(app.Flags, app.Commands), args[i:])
		before = append(before, args[i:i+n]...)
		i += n
	}
	var names []string
	flags := app.Flags
	commands := app.Commands
	for i < len(args) {
		c := find(commands, args[i])
		if c == nil {
			break
		}
		names = append(names, args[i])
		flags, commands = c.Flags, c.Subcommands
		i++
	}
	if len(names) == 0 {
		return args
	}
	var last, rest []string
	help := false
	given := append(before, args[i:]...)
	for j := 0; j < len(given); {
		switch a := given[j]; {
		case a == "--":
			rest = append(rest, given[j+1:]...)
			j = len(given)
		case isFlag(a):
			known := below(flags, commands)
			n := spanOf(known, given[j:])
			help = help || n == 1 && slices.Contains([]string{"h", "help"}, strings.TrimLeft(a, "-"))
			last = append(append(last, canonical(known, a)), given[j+1:j+n]...)
			j += n
		case len(rest) == 0 && len(commands) > 0 && find(commands, a) != nil:
			// A flag stood between the command and its subcommand.
			c := find(commands, a)
			names = append(names, a)
			flags, commands = c.Flags, c.Subcommands
			j++
		default:
			rest = append(rest, a)
			j++
		}
	}
	out := append(names, last...)
	if len(rest) > 0 && !help {
		out = append(append(out, "--"), rest...)
	}
	return out
}

func isFlag(s string) bool { return strings.HasPrefix(s, "-") && s != "-" }

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// spanOf is the number of words that the flag at the beginning of args takes: two if
// its value is a word of its own.
func spanOf(flags []cli.Flag, args []string) int {
	name, _, assigned := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
	if assigned || len(args) == 1 {
		return 1
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			if d, ok := f.(cli.DocGenerationFlag); ok && d.TakesValue() {
				return 2
			}
			return 1
		}
	}
	return 1
}

// canonical is a flag by its first name: the library refuses two forms of one flag.
func canonical(flags []cli.Flag, word string) string {
	name, value, assigned := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			if assigned {
				return "--" + f.Names()[0] + "=" + value
			}
			return "--" + f.Names()[0]
		}
	}
	return word
}

// below are flags and those of the commands, at every depth.
func below(flags []cli.Flag, commands []*cli.Command) []cli.Flag {
	all := slices.Clone(flags)
	for _, c := range commands {
		all = append(all, below(c.Flags, c.Subcommands)...)
	}
	return all
}
