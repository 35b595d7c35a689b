//go:build unix

package cli

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/configs"
)

// prose is the README without its blocks.
func prose(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")
}

var codeSpan = regexp.MustCompile("`([^`\n]+)`")

// TestReadmeCommandsExist takes every command and option that the README's text names.
func TestReadmeCommandsExist(t *testing.T) {
	text, _ := readme(t)
	ofConnect := []string{"--rotatable", "--forceRegister"}
	known := map[string]bool{"--help": true}
	var walk func(commands []*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			for _, name := range flagNames(c.Flags) {
				known["--"+name] = true
			}
			walk(c.Subcommands)
		}
	}
	walk((&Program{}).app().Commands)
	commands := 0
	for _, span := range codeSpan.FindAllStringSubmatch(prose(text), -1) {
		if command, ok := strings.CutPrefix(span[1], "anaplan-runner "); ok {
			commands++
			args, err := words(command)
			if err != nil {
				t.Errorf("%s: %v", span[0], err)
				continue
			}
			if got := call(nil, append(args, "--help")...); got.code != 0 || !strings.Contains(got.out, "USAGE") {
				t.Errorf("%s: code %d %s", span[0], got.code, got.err)
			}
		}
		for _, option := range regexp.MustCompile(`--[A-Za-z-]+`).FindAllString(span[1], -1) {
			if !known[option] && !slices.Contains(ofConnect, option) {
				t.Errorf("%s: no command has the option %s", span[0], option)
			}
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands were found in the text", commands)
	}
}

// words splits a command as a shell does, as far as the README needs it.
func words(command string) ([]string, error) {
	out, err := exec.Command("sh", "-c", `for w in `+command+`; do printf '%s\n' "$w"; done`).Output()
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), err
}

// TestReadmeExitCodes holds the README's table to the help.
func TestReadmeExitCodes(t *testing.T) {
	text, _ := readme(t)
	_, section, _ := strings.Cut(text, "\n## Exit codes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	codes := func(pattern, in string) []int {
		var found []int
		for _, row := range regexp.MustCompile(pattern).FindAllStringSubmatch(in, -1) {
			for _, code := range regexp.MustCompile(`\d+`).FindAllString(row[1], -1) {
				n, _ := strconv.Atoi(code)
				found = append(found, n)
			}
		}
		slices.Sort(found)
		return found
	}
	want := append(codes(`(?m)^   (\d+) `, exitCodes), 143)
	if got := codes(`(?m)^\| ([\d, ]+) \|`, section); !slices.Equal(got, want) || len(want) < 14 {
		t.Errorf("the README has the codes %v, the help %v", got, want)
	}
}

// TestReadmeMessagesExist looks for the messages of the README's table of troubles where
// messages stand: in the program, and in its scripts and golden files.
func TestReadmeMessagesExist(t *testing.T) {
	text, _ := readme(t)
	_, section, _ := strings.Cut(text, "\n## When something goes wrong\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var source strings.Builder
	for _, dir := range []string{"anaplan", "auth", "cmd", "configs", "jobs"} {
		err := filepath.WalkDir(filepath.Join(repository, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !slices.Contains([]string{".go", ".txt", ".want", ".golden"}, filepath.Ext(path)) || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			source.Write(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ofTheSystem := []string{"no such file or directory"}
	messages := 0
	for line := range strings.Lines(section) {
		first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !ok || !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, span := range codeSpan.FindAllStringSubmatch(first, -1) {
			if !strings.Contains(span[1], " ") || strings.HasPrefix(span[1], "auth ") || slices.Contains(ofTheSystem, span[1]) {
				continue
			}
			if messages++; !strings.Contains(source.String(), span[1]) {
				t.Errorf("no message has %s", span[0])
			}
		}
	}
	if messages < 5 {
		t.Errorf("only %d messages were found", messages)
	}
}

// TestReadmeConnectTable holds the table of Anaplan Connect's flags to what a job file
// and connections.toml take.
func TestReadmeConnectTable(t *testing.T) {
	text, _ := readme(t)
	_, section, _ := strings.Cut(text, "\n## Coming from Anaplan Connect\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows, keys := 0, 0
	for line := range strings.Lines(section) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| `") || len(cells) != 2 {
			continue
		}
		rows++
		for _, span := range codeSpan.FindAllStringSubmatch(cells[1], -1) {
			key, _, ok := strings.Cut(span[1], " = ")
			if !ok || strings.HasPrefix(span[1], "anaplan-runner ") {
				continue
			}
			keys++
			if err := fitsSomewhere(t, key, span[1]); err != nil {
				t.Errorf("%s: %v", span[0], err)
			}
		}
	}
	if rows < 40 || keys < 20 {
		t.Errorf("the table has %d rows with %d keys", rows, keys)
	}
}

// fitsSomewhere says whether a key, as it is written, is right in a connection, for a
// model, or in a step of some verb.
func fitsSomewhere(t *testing.T, key, written string) error {
	verbs := []string{"import = 'a'\nsource = 'a.csv'", "export = 'a'\ntarget = 'a.csv'", "process = 'a'", "action = 'a'", "upload = 'a.csv'\nsource = 'a.csv'",
		"download = 'a'\nstale = true\ntarget = 'a.csv'"}
	logins := []string{"region = 'us1'\ncertificate = 'a.pem'\nprivate_key = 'a.key'", "certificate = 'a.pem'\nprivate_key = 'a.key'",
		"region = 'us1'\nmethod = 'basic'\nuser = 'a@example.com'\npassword = 'env:A'"}
	// What is around it, without the key itself.
	with := func(lines string) string {
		kept := slices.DeleteFunc(strings.Split(lines, "\n"), func(l string) bool { return strings.HasPrefix(l, key+" =") })
		return strings.Join(append(kept, written), "\n") + "\n"
	}
	var problems []error
	for _, login := range logins {
		err := connectionsAreRight(t, "[connection.prod]\n"+with(login))
		if err == nil {
			return nil
		}
		problems = append(problems, err)
	}
	for _, verb := range verbs {
		_, err := configs.Parse("job.toml", []byte(wholeJob(with(verb), "")))
		if err == nil {
			return nil
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
