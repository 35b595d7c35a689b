package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// completionCall is what the scripts of completionCommand call:
//
//	anaplan-runner __complete SHELL =CURRENT WORD...
//
// CURRENT is the word that is being typed, with a = before it so that no shell drops it when
// it is empty; the words are those before it, without the program. What it could be
// comes one a line, for other shells than bash with a tab and a description. Nothing
// means the name of a file.
const completionCall = "__complete"

// suggestion is something that the current word could be.
type suggestion struct{ word, help string }

// suggest answers a completion call. It is never an error: there is nobody to read it.
func (p *Program) suggest(app *cli.App, args []string) {
	if len(args) < 2 || !strings.HasPrefix(args[1], "=") {
		return
	}
	shell, current, words := args[0], args[1][1:], args[2:]
	cut := 0
	if shell == "bash" {
		words, current, cut = joinBroken(words, current)
	}
	for _, s := range p.suggestions(app, words, current) {
		if shell == "bash" {
			fmt.Fprintln(p.Out, s.word[cut:])
			continue
		}
		fmt.Fprintf(p.Out, "%s\t%s\n", s.word, s.help)
	}
}

// joinBroken puts words together again that bash breaks at = and :. Bash replaces only
// what stands after the last of them in the current word: cut is where that begins.
func joinBroken(words []string, current string) (joined []string, whole string, cut int) {
	all := append(slices.Clone(words), current)
	for i := 0; i < len(all); i++ {
		w := all[i]
		if i > 0 && len(joined) > 0 && w != "" && strings.Trim(w, "=:") == "" {
			joined[len(joined)-1] += w
			if i+1 < len(all) {
				i++
				joined[len(joined)-1] += all[i]
			}
			continue
		}
		joined = append(joined, w)
	}
	whole = joined[len(joined)-1]
	return joined[:len(joined)-1], whole, strings.LastIndexAny(whole, "=:") + 1
}

// suggestions are what the current word after those words could be, in the order of the help.
func (p *Program) suggestions(app *cli.App, words []string, current string) []suggestion {
	commands, flags := app.Commands, app.Flags
	var command *cli.Command
	var rest []string // flags and arguments of the command
	var open cli.Flag // the flag whose value the current word is
	for i := 0; i < len(words); i++ {
		w := words[i]
		if isFlag(w) {
			if spanOf(below(flags, commands), words[i:]) == 2 {
				rest = append(rest, w, words[i+1])
				i++
			} else if f := flagOf(flags, w); f != nil && i+1 == len(words) && takesValue(f) && !strings.Contains(w, "=") {
				open = f
			} else {
				rest = append(rest, w)
			}
			continue
		}
		if c := find(commands, w); c != nil {
			command, commands, flags = c, c.Subcommands, c.Flags
			continue
		}
		rest = append(rest, w)
	}
	if open != nil {
		return matching(p.values(app, command, open, rest), "", current)
	}
	if before, value, ok := strings.Cut(current, "="); ok && isFlag(before) {
		if f := flagOf(flags, before); f != nil {
			return matching(p.values(app, command, f, rest), before+"=", before+"="+value)
		}
		return nil
	}
	if isFlag(current) {
		return matching(flagSuggestions(flags), "", current)
	}
	if len(commands) > 0 {
		var all []suggestion
		for _, c := range commands {
			if !c.Hidden {
				all = append(all, suggestion{c.Name, c.Usage})
			}
		}
		return matching(all, "", current)
	}
	if command != nil && command.BashComplete != nil {
		return matching(p.fromCommand(app, command, rest), "", current)
	}
	return nil
}

// fromCommand asks the command itself.
func (p *Program) fromCommand(app *cli.App, command *cli.Command, given []string) []suggestion {
	out := p.Out
	var b bytes.Buffer
	p.Out = &b
	command.BashComplete(completionContext(app, command, given))
	p.Out = out
	var all []suggestion
	for line := range strings.Lines(b.String()) {
		all = append(all, suggestion{word: strings.TrimSuffix(line, "\n")})
	}
	return all
}

// values are those that a flag can have, nil if they are not known.
func (p *Program) values(app *cli.App, command *cli.Command, f cli.Flag, given []string) []suggestion {
	var all []string
	switch f.Names()[0] {
	case "connection":
		saved, err := p.connectionsHere(completionContext(app, command, given))
		if err != nil {
			return nil
		}
		all = saved.Names()
	case "again", "accept":
		if command != nil && command.Name == "resume" {
			all = p.stepsLeft(completionContext(app, command, given))
		}
	case "region":
		all = anaplan.Regions()
	case "message", "format":
		all = []string{"v2", "v1"}
	case "header", "header-form":
		all = []string{"pem", "der"}
	case "log-format":
		all = []string{"text", "json"}
	case "output":
		all = []string{"text", "json"}
		if command != nil && command.Name == "payload" {
			all = append(all, "curl")
		}
		if command != nil && command.Name == "check" && flagOf(command.Flags, "--online") != nil {
			all = checkForms
		}
	}
	var s []suggestion
	for _, v := range all {
		s = append(s, suggestion{word: v})
	}
	return s
}

// completionContext is that of a command with the flags that stand already.
func completionContext(app *cli.App, command *cli.Command, given []string) *cli.Context {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	if command != nil {
		for _, f := range command.Flags {
			_ = f.Apply(set) // what cannot be applied is not needed here
		}
	}
	var flags, arguments []string
	for i := 0; i < len(given); {
		n := 1
		if isFlag(given[i]) && command != nil {
			n = spanOf(command.Flags, given[i:])
			flags = append(flags, given[i:i+n]...)
		} else {
			arguments = append(arguments, given[i])
		}
		i += n
	}
	_ = set.Parse(append(append(flags, "--"), arguments...)) // as far as it can be parsed
	c := cli.NewContext(app, set, &cli.Context{Context: context.Background()})
	c.Command = command
	return c
}

func flagSuggestions(flags []cli.Flag) []suggestion {
	all := []suggestion{}
	for _, f := range flags {
		if d, ok := f.(cli.DocGenerationFlag); ok {
			all = append(all, suggestion{"--" + f.Names()[0], strings.ReplaceAll(d.GetUsage(), "`", "")})
		}
	}
	return append(all, suggestion{"--help", "shows help"})
}

func flagOf(flags []cli.Flag, word string) cli.Flag {
	word, _, _ = strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, f := range flags {
		if slices.Contains(f.Names(), word) {
			return f
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// matching are the suggestions, with something before them, that begin with what was typed.
func matching(all []suggestion, before, typed string) []suggestion {
	var some []suggestion
	for _, s := range all {
		if s.word = before + s.word; strings.HasPrefix(s.word, typed) {
			some = append(some, s)
		}
	}
	return some
}
