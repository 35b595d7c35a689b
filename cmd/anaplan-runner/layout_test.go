package main

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/anaplan-runner/anaplan-runner"

// arrows are the imports that packages of ours may have among themselves, tests apart.
// What is not listed is forbidden.
var arrows = map[string][]string{
	"anaplan":                  {"anaplan/proxy", "anaplan/retry"},
	"anaplan/proxy":            {},
	"anaplan/retry":            {},
	"anaplan/simulator":        {},
	"anaplan/simulator/sample": {"anaplan/simulator"},
	"anaplan/transfer":         {"anaplan", "anaplan/retry"},
	"auth":                     {"anaplan/retry", "auth/keystore", "auth/secret"},
	"auth/inventory":           {"auth", "auth/keystore"},
	"auth/keystore":            {"auth/secret"},
	"auth/secret":              {},
	"auth/secret/vault":        {"auth/secret"},
	"configs":                  {"auth/secret"},
	"jobs":                     {"anaplan", "anaplan/proxy", "anaplan/retry", "anaplan/transfer", "configs", "jobs/data", "jobs/data/dump", "jobs/ledger"},
	"jobs/data":                {},
	"jobs/data/blob":           {"jobs/data"},
	"jobs/data/dump":           {"jobs/ledger"},
	"jobs/data/web":            {"jobs/data"},
	"jobs/ledger":              {},
	"jobs/ledger/ledgertest":   {"jobs/ledger"},
	"jobs/ledger/memory":       {"jobs/ledger"},
	"jobs/ledger/postgres":     {"jobs/ledger"},
	"jobs/ledger/sqlite":       {"jobs/ledger"},
	"jobs/report":              {"jobs/ledger"},
	"cmd/internal/cli":         {"*"},
	"cmd/anaplan-runner":       {"cmd/internal/cli"},
}

// leaves hold heavy libraries; only wiring imports them, and what uses them is nothing
// but the command.
var leaves = []string{"jobs/ledger/sqlite", "jobs/ledger/postgres", "jobs/ledger/memory", "jobs/data/blob", "jobs/data/web", "auth/secret/vault"}

// leafUsers are the files of the command that may import a leaf.
var leafUsers = []string{"ledger.go", "demo.go", "wire.go", "stores.go", "vault.go"}

// homes says where a library may stand, tests apart. One that is not listed stands nowhere.
var homes = map[string][]string{
	"github.com/sirupsen/logrus":         {"cmd/internal/cli", "jobs"},
	"github.com/urfave/cli/v2":           {"cmd/internal/cli"},
	"github.com/vbauerster/mpb/v8":       {"cmd/internal/cli"},
	"github.com/mattn/go-runewidth":      {"cmd/internal/cli", "jobs/report", "auth/inventory"},
	"github.com/thlib/go-timezone-local": {"cmd/internal/cli"},
	"github.com/BurntSushi/toml":         {"cmd/internal/cli", "configs", "anaplan/simulator"},
	"github.com/pelletier/go-toml":       {"configs"},
	"github.com/jackc/pgx":               {"jobs/ledger/postgres"},
	"github.com/gofrs/flock":             {"jobs/ledger/sqlite"},
	"modernc.org/sqlite":                 {"jobs/ledger/sqlite"},
	"github.com/klauspost/compress":      {"anaplan/transfer", "jobs/data"},
	"github.com/zeebo/xxh3":              {"anaplan/transfer", "jobs/data"},
	"github.com/hashicorp/vault/api":     {"auth/secret/vault"},
	"github.com/youmark/pkcs8":           {"auth/keystore"},
	"golang.org/x/crypto":                {"auth/keystore"},
	"gocloud.dev":                        {"jobs/data/blob"},
	"cloud.google.com/go/storage":        {"jobs/data/blob"},
	"github.com/googleapis/gax-go":       {"jobs/data/blob"},
	"google.golang.org/api":              {"jobs/data/blob"},
	"github.com/Azure/go-ntlmssp":        {"anaplan/proxy"},
	"golang.org/x/net/http/httpproxy":    {"anaplan/proxy"},
	"golang.org/x/oauth2":                {"jobs/data/blob"},
	"github.com/aws/aws-sdk-go-v2":       {"jobs/data/blob"},
	"github.com/aws/smithy-go":           {"jobs/data/blob"},
	"github.com/Azure/azure-sdk-for-go":  {"jobs/data/blob"},
	"golang.org/x/sync":                  {"anaplan/transfer", "jobs/data/blob"},
	"golang.org/x/sys":                   {"cmd/internal/cli", "jobs/ledger/sqlite"},
	"golang.org/x/term":                  {"cmd/internal/cli"},
	"golang.org/x/text":                  {"jobs/data", "anaplan/simulator"},
	"golang.org/x/time":                  {"anaplan", "anaplan/simulator", "anaplan/transfer"},
	"github.com/google/go-cmp":           {"jobs/ledger/ledgertest"},
	"pgregory.net/rapid":                 {"jobs/ledger/ledgertest"},
}

// topLevel is all that may stand there, dot files apart.
var topLevel = []string{"cmd", "auth", "jobs", "anaplan", "configs", "testdata", "go.mod", "go.sum", "README.md", "LICENSE"}

type listed struct {
	ImportPath string
	Name       string
	Dir        string
	Doc        string
	Imports    []string
	GoFiles    []string
	Standard   bool
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		own := strings.TrimPrefix(p.ImportPath, module+"/")
		allowed, known := arrows[own]
		if !known {
			t.Errorf("package %s has no place in the layout", own)
		}
		for _, i := range p.Imports {
			if other, ours := strings.CutPrefix(i, module+"/"); ours {
				if !slices.Contains(allowed, other) && !slices.Contains(allowed, "*") {
					t.Errorf("%s imports %s", own, other)
				}
				continue
			}
			if first, _, _ := strings.Cut(i, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			if places := homeOf(i); !slices.Contains(places, own) {
				t.Errorf("%s imports %s, which stands in %v", own, i, places)
			}
		}
	}
}

func homeOf(path string) []string {
	for library, places := range homes {
		if path == library || strings.HasPrefix(path, library+"/") {
			return places
		}
	}
	return nil
}

// TestFilesOfTheCommand: in the command, the simulator is for demo and simulate alone, and
// leaves are for wiring.
func TestFilesOfTheCommand(t *testing.T) {
	files := []string{"demo.go", "sample.go", "simulate.go", "simulate_watch.go"}
	for _, p := range packages(t) {
		if strings.HasPrefix(p.ImportPath, module+"/anaplan/simulator") {
			continue
		}
		inCommand := p.ImportPath == module+"/cmd/internal/cli"
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				own, _ := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/")
				simulator := strings.HasPrefix(own, "anaplan/simulator") && !(inCommand && slices.Contains(files, name))
				leaf := slices.Contains(leaves, own) && !(inCommand && slices.Contains(leafUsers, name))
				if simulator || leaf {
					t.Errorf("%s/%s imports %s", p.ImportPath, name, own)
				}
			}
		}
	}
}

func TestPackagesAreDescribed(t *testing.T) {
	for _, p := range packages(t) {
		begin := "Package " + p.Name
		if p.Name == "main" {
			begin = "Command "
		}
		if !strings.HasPrefix(p.Doc, begin) {
			t.Errorf("%s: its description begins %q, not %q", p.ImportPath, p.Doc, begin)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	const most = 450
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			data, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(data), "\n"); n > most {
				t.Errorf("%s/%s has %d lines: it is two files", p.ImportPath, name, n)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	ignored := []string{"anaplan-runner", "anaplan-runner.exe", "anaplan-runner-demo"} // .gitignore
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(topLevel, e.Name()) && !slices.Contains(ignored, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}
