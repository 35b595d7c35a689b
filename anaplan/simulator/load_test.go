package simulator

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLoadSaysWhatIsWrong(t *testing.T) {
	const hub = "[[workspace]]\nname='W'\n[[workspace.model]]\nname='M'\n"
	for data, want := range map[string]string{
		"[[user]]\nemial = 'x'":                                                                                              `unknown key "user.emial"`,
		"[[user]]\nemail = 'x'\n[[user]]\nemail = 'x'":                                                                       `user "x" is there twice`,
		"[[user]]\nemail = 'x'\naccess = { Hub = 'user' }":                                                                   `access names model "Hub"`,
		"[[user]]\nemail = 'x'\naccess = { '*' = 'root' }":                                                                   `"root" is none of`,
		"[[workspace]]\nname='W'\nid='X'":                                                                                    "32 of the digits",
		hub + "state = 'OPEN'":                                                                                               `state "OPEN" is none of`,
		hub + "[[workspace.model.list]]\nname='L'\nparent='P'":                                                               `parent "P" is no list`,
		hub + "[[workspace.model.list]]\nname='L'\nitems='a,b'":                                                              `column "a" is none of`,
		hub + "[[workspace.model.list]]\nname='L'\nid='102000000001'":                                                        "beginning with 101",
		hub + "[[workspace.model.list]]\nname='L'\nproperty=[{name='x',format='money'}]":                                     `format "money"`,
		hub + "[[workspace.model.module]]\nname='S'\ndimensions=['X']":                                                       `dimension "X"`,
		hub + "[[workspace.model.file]]\nname='f'\nencoding='EBCDIC'":                                                        `encoding "EBCDIC"`,
		hub + "[[workspace.model.import]]\nname='i'\nlist='L'\nfile='f'":                                                     `no list "L"`,
		hub + "[[workspace.model.import]]\nname='i'":                                                                         "either list or module",
		hub + "[[workspace.model.list]]\nname='L'\n[[workspace.model.import]]\nname='i'\nlist='L'\nfile='f'":                 `no file "f"`,
		hub + "[[workspace.model.export]]\nname='e'\nmodule='S'":                                                             `no "S"`,
		hub + "[[workspace.model.action]]\nname='a'\ntype='DELETE_BY_SELECTION'":                                             `no list ""`,
		hub + "[[workspace.model.process]]\nname='p'\nactions=['x']":                                                         `"x" names 0`,
		hub + "[[workspace.model.file]]\nname='f'\nid='113000000001'\n[[workspace.model.file]]\nname='g'\nid='113000000001'": "is there twice",
		"[switches]\nbusy = 'wait'":                                                                                          `busy "wait"`,
		"[[fault]]\nstatus = 1":                                                                                              "fault 1: status 1",
		"[[workspace.model]]\nname = 'x'":                                                                                    "reading company data",
	} {
		if c, err := Load(strings.NewReader(data)); err == nil || c != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", data, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(small)
	sample, err := os.ReadFile("sample/company.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sample))
	f.Add("[switches]\nno_dump = '200'\n[[fault]]\ndrop = 'before'")
	f.Fuzz(func(t *testing.T, data string) {
		c, err := Load(strings.NewReader(data))
		if (err == nil) == (c == nil) {
			t.Fatalf("company %v with error %v", c, err)
		}
		if err == nil {
			New(c, Options{}).Snapshot()
		}
	})
}

func FuzzReadTable(f *testing.F) {
	f.Add([]byte(shopsCSV), "UTF-8", ",", `"`, 1, 2)
	f.Add([]byte("a;b\r\n'x;''y';2\n'open"), "ISO-8859-1", ";", "'", 0, 1)
	f.Add(encode([]byte("ä\tb\n1\t2"), "UTF-16LE"), "UTF-16LE", "\t", "", 1, 2)
	f.Fuzz(func(t *testing.T, data []byte, encoding, separator, delimiter string, header, first int) {
		table, err := readTable(data, encoding, separator, delimiter, header, first)
		if err != nil {
			return
		}
		line := 0
		for _, r := range table.rows {
			if r.line <= line {
				t.Fatalf("line %d after %d", r.line, line)
			}
			line = r.line
		}
	})
}

// What write writes, split reads back.
func FuzzTableRoundTrip(f *testing.F) {
	f.Add("a", `say "x"`, "two\nlines")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, v := range []string{a, b, c} {
			if !utf8.ValidString(v) || strings.Contains(v, "\r") {
				return
			}
		}
		rows := split(string(write([][]string{{a, b, c}}, ",", true)), ",", `"`)
		if len(rows) != 1 || len(rows[0].values) != 3 || rows[0].values[0] != a || rows[0].values[1] != b || rows[0].values[2] != c {
			t.Fatalf("%q %q %q: %+v", a, b, c, rows)
		}
	})
}
