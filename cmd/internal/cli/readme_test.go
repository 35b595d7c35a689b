//go:build unix

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/configs"
)

// A block is one fenced block of the README. Behind its language stand words for the
// tests: file=NAME is where a reader puts it, by=PART says which part of .ci/integration
// runs it, part=KIND what a TOML block is a part of, serve that it runs until it is ended.
type block struct {
	line     int
	language string
	words    map[string]string
	text     string
}

func readme(t *testing.T) (text string, blocks []block) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			fields := strings.Fields(info)
			if len(fields) == 0 {
				t.Fatalf("README.md:%d: a block without a language", n)
			}
			open = &block{line: n, language: fields[0], words: map[string]string{}}
			for _, f := range fields[1:] {
				key, value, _ := strings.Cut(f, "=")
				open.words[key] = value
			}
		case fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		}
	}
	if open != nil || len(blocks) < 30 {
		t.Fatalf("README.md: %d blocks, the last one open: %v", len(blocks), open != nil)
	}
	return string(data), blocks
}

// TestReadme runs the README from top to bottom, as a reader does, in a folder of its own
// with a simulator in the place of Anaplan: files are written, commands are run, what they
// are shown to print is what they print. What needs more than that names the part of
// .ci/integration that runs it.
func TestReadme(t *testing.T) {
	if testing.Short() {
		return // its commands are those of other tests, one after another: of no use to the race detector, which is slow with them
	}
	_, blocks := readme(t)
	integration, err := os.ReadFile(filepath.Join(repository, ".ci", "integration"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	for _, b := range blocks {
		by, elsewhere := b.words["by"]
		switch {
		case elsewhere:
			if !regexp.MustCompile(`(?m)^part_` + by + `\(\)`).Match(integration) {
				t.Errorf("README.md:%d: .ci/integration has no part %q", b.line, by)
			}
		case b.language == "toml":
			r.toml(b)
		case b.language == "sh":
			r.shell(b)
		case b.language == "text":
			r.printed(b)
		case b.language == "json":
			r.result(b)
		default:
			t.Errorf("README.md:%d: nothing runs a block in %q", b.line, b.language)
		}
	}
}

// reader is one who does what the README says.
type reader struct {
	t   *testing.T
	dir string
	env []string
	sim string // its URL
	out string // of the last commands, both streams
}

func newReader(t *testing.T) *reader {
	files, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	sim := simulator.New(sample.Company(), simulator.Options{Speed: scriptSpeed, Switches: &simulator.Switches{PollEvery: -1}})
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		sim.Close()
		if misuse := sim.Misuse(); len(misuse) > 0 {
			t.Errorf("misuse: %v", misuse)
		}
	})
	r := &reader{t: t, dir: t.TempDir(), sim: server.URL}
	home := filepath.Join(r.dir, "home")
	r.env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANAPLAN_") || strings.HasPrefix(v, "XDG_") }),
		"HOME="+home, "ANAPLAN_LEDGER="+filepath.Join(home, ".local", "state", "anaplan-runner", "ledger.db"), // where it is by itself, but on a machine with /var/lib/anaplan-runner
		"ANAPLAN_SIMULATOR_SPEED="+fmt.Sprint(scriptSpeed))
	for name, data := range files {
		if strings.HasPrefix(name, "data/") {
			r.write(name, data)
		}
	}
	r.write("certs/anaplan.pem", files["cert.pem"])
	r.write("certs/anaplan.key", files["encrypted.pem"])
	r.write("certs/passphrase.txt", []byte(keyPassphrase+"\n"))
	return r
}

func (r *reader) write(name string, data []byte) {
	r.t.Helper()
	if err := write(r.dir, name, data); err != nil {
		r.t.Fatal(err)
	}
}

// region is what leads to Anaplan, and here to the simulator.
var region = regexp.MustCompile(`(?m)^region +=.*$`)

func (r *reader) toml(b block) {
	r.t.Helper()
	file := b.words["file"]
	fail := func(err error) {
		if err != nil {
			r.t.Errorf("README.md:%d: %v", b.line, err)
		}
	}
	text := b.text
	switch {
	case b.words["part"] == "job":
		_, err := configs.Parse("job.toml", []byte(wholeJob("", text)))
		fail(err)
		return
	case b.words["part"] == "faults":
		_, err := simulator.LoadFaults(strings.NewReader(text))
		fail(err)
	case b.words["part"] == "line":
		if !strings.HasPrefix(text, "#:schema ") {
			r.t.Errorf("README.md:%d: %q", b.line, text)
		}
		return
	case strings.HasPrefix(file, "connections"):
		fail(connectionsAreRight(r.t, text))
		text = region.ReplaceAllString(text, fmt.Sprintf("urls = { api = \"%s/2/0\", auth = %q }", r.sim, r.sim))
	default:
		job, err := configs.Parse(file, []byte(text))
		fail(err)
		if err == nil && len(job.Warnings) > 0 {
			r.t.Errorf("README.md:%d: %v", b.line, job.Warnings)
		}
	}
	if file == "" {
		r.t.Fatalf("README.md:%d: the block names no file", b.line)
	}
	r.write(file, []byte(text))
}

// connectionsAreRight reads a connections.toml, and each connection that is whole.
func connectionsAreRight(t *testing.T, text string) error {
	file := filepath.Join(t.TempDir(), "connections.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	all, err := configs.LoadConnections(file, "", func(string) string { return "" })
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range all.Names() {
		_, err := all.Get(name)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// shell runs a block's commands one after another, each of which must end with 0.
func (r *reader) shell(b block) {
	r.t.Helper()
	shell := exec.Command("sh", "-e", "-c", b.text)
	if _, ok := b.words["serve"]; ok {
		shell = exec.Command("sh", "-c", "exec "+b.text)
	}
	shell.Dir, shell.Env = r.dir, r.env
	if _, ok := b.words["serve"]; ok {
		r.serve(b, shell)
		return
	}
	out, err := shell.CombinedOutput()
	r.out = string(out)
	if err != nil {
		r.t.Errorf("README.md:%d: %v\n%s\n%s", b.line, err, b.text, r.out)
	}
	for line := range strings.Lines(b.text) { // what is exported lasts
		if v, ok := strings.CutPrefix(line, "export "); ok {
			r.env = append(r.env, strings.TrimSpace(v))
		}
	}
}

// serve starts a block that runs until the end of the test, and waits until it is ready.
func (r *reader) serve(b block, server *exec.Cmd) {
	r.t.Helper()
	out, err := os.Create(filepath.Join(r.t.TempDir(), "out"))
	if err != nil {
		r.t.Fatal(err)
	}
	server.Stdout, server.Stderr = out, out
	if err := server.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		err := server.Wait()
		said, _ := os.ReadFile(out.Name())
		if err != nil || !strings.Contains(string(said), "misuse: 0") {
			r.t.Errorf("README.md:%d: %v\n%s", b.line, err, said)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if said, _ := os.ReadFile(out.Name()); strings.Contains(string(said), "ready: ") {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("README.md:%d: never ready", b.line)
		}
	}
}

var (
	different = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z|[0-9a-f]{32}|[0-9.hm]+s\b|[0-9][0-9,.]*`)
	blanks    = regexp.MustCompile(`\s+`)
)

// printed holds a block to what the commands above it printed: each of its lines must be
// among theirs, but for numbers, times and ids.
func (r *reader) printed(b block) {
	r.t.Helper()
	normal := func(s string) string {
		return blanks.ReplaceAllString(different.ReplaceAllString(strings.TrimSpace(s), "0"), " ")
	}
	there := map[string]bool{}
	for line := range strings.Lines(r.out) {
		there[normal(line)] = true
	}
	for line := range strings.Lines(b.text) {
		if !there[normal(line)] {
			r.t.Errorf("README.md:%d: %q is not printed; this is\n%s", b.line, strings.TrimSpace(line), r.out)
		}
	}
}

// result holds a JSON block to the file that a command wrote: what it shows must be there,
// in the same form, and small facts alike.
func (r *reader) result(b block) {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, b.words["file"]))
	if err != nil {
		r.t.Fatal(err)
	}
	var shown, got any
	if err := errors.Join(json.Unmarshal([]byte(b.text), &shown), json.Unmarshal(data, &got)); err != nil {
		r.t.Fatalf("README.md:%d: %v", b.line, err)
	}
	for _, problem := range unlike("", shown, got) {
		r.t.Errorf("README.md:%d: %s", b.line, problem)
	}
}

// exact are the fields of a result whose values the README has as they are.
var exact = []string{"schema", "job", "verdict", "exit_code", "name", "verb", "cause", "ok", "failed", "text", "count"}

func unlike(at string, shown, got any) []string {
	var problems []string
	switch s := shown.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{at + " is no object"}
		}
		for _, key := range slices.Sorted(maps.Keys(s)) {
			v, ok := g[key]
			if !ok {
				problems = append(problems, at+"."+key+" is not there")
				continue
			}
			problems = append(problems, unlike(at+"."+key, s[key], v)...)
			if _, nested := s[key].(map[string]any); !nested && slices.Contains(exact, key) && fmt.Sprint(s[key]) != fmt.Sprint(v) {
				problems = append(problems, fmt.Sprintf("%s.%s is %v", at, key, v))
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) < len(s) {
			return []string{at + " is no such list"}
		}
		for i := range s {
			problems = append(problems, unlike(fmt.Sprintf("%s[%d]", at, i), s[i], g[i])...)
		}
	default:
		if fmt.Sprintf("%T", shown) != fmt.Sprintf("%T", got) {
			problems = append(problems, fmt.Sprintf("%s is a %T", at, got))
		}
	}
	return problems
}

// wholeJob is a small right job, with tables behind its step.
func wholeJob(step, tables string) string {
	if step == "" {
		step = "import = \"Load Sales\"\nsource = \"sales.csv\"\n"
	}
	return "name = \"job\"\nconnection = \"prod\"\nanaplan = { workspace = \"Finance\", model = \"Sales Hub\" }\n[[step]]\nname = \"step\"\n" + step + tables
}
