package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (write it with -update):\n%s", path, diff)
	}
}

// canary stands in the rejected rows of these tests.
const canary = "Ada Lovelace-Canary"

// dumpOf is a reader of failure dumps that gives more than it is asked for.
func dumpOf(string, int) (Rejected, error) {
	return Rejected{Columns: []string{"Employee", "Amount"}, Rows: []Row{
		{Status: "E", Line: "151", Cells: []string{canary, "12"}, Errors: []string{"Item P-77 not located in PRODUCTS list"}},
		{Status: "W", Line: "2010", Cells: []string{"Grace Hopper", "13/45/26"}, Errors: []string{"Invalid date: 13/45/26", "Invalid parent"}},
		{Status: "E", Line: "2011", Cells: []string{"Third-Canary", ""}, Errors: []string{"Invalid date"}}}}, nil
}

func reportOf(t *testing.T, s ledger.State) Report {
	t.Helper()
	return New(s, Options{Ledger: "/var/lib/anaplan-runner/ledger.db", Rejected: dumpOf})
}

func TestText(t *testing.T) {
	for _, s := range stories {
		for _, o := range []struct {
			name string
			TextOptions
		}{{"80", TextOptions{}}, {"140", TextOptions{Width: 140}}, {"colour", TextOptions{Width: 100, Colour: true}}} {
			t.Run(s.name+"/"+o.name, func(t *testing.T) {
				var b bytes.Buffer
				if err := Text(&b, reportOf(t, s.tell(t)), o.TextOptions); err != nil {
					t.Fatal(err)
				}
				golden(t, s.name+"."+o.name+".txt", b.Bytes())
				width := o.Width
				if width == 0 {
					width = 80
				}
				lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
				for _, l := range lines[:len(lines)-1] {
					words := strings.Fields(l)
					if visible(l) > width && visible(words[len(words)-1]) < width/2 {
						t.Errorf("%d columns of %d: %s", visible(l), width, l)
					}
				}
				if !o.Colour && strings.Contains(b.String(), "\x1b") {
					t.Error("a terminal is steered without colour")
				}
			})
		}
	}
}

func TestJSON(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := JSON(&b, reportOf(t, s.tell(t))); err != nil {
				t.Fatal(err)
			}
			if bytes.Count(b.Bytes(), []byte("\n")) != 1 || !bytes.HasSuffix(b.Bytes(), []byte("}\n")) {
				t.Error("it is not one object on one line")
			}
			var indented bytes.Buffer
			if err := json.Indent(&indented, b.Bytes(), "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, s.name+".json", indented.Bytes())
		})
	}
}

func TestLines(t *testing.T) {
	var b bytes.Buffer
	for _, s := range stories {
		if s.name == "many" {
			continue
		}
		r := reportOf(t, s.tell(t))
		for _, step := range r.Steps {
			b.WriteString(StepLine(r, step) + "\n")
		}
		b.WriteString(Line(r) + "\n\n")
	}
	golden(t, "lines.txt", b.Bytes())
}
