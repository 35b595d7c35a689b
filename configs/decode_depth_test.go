package configs

import (
	"strings"
	"testing"
)

func TestParseRefusesDeepNesting(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		line       int
	}{
		{"arrays", "name = \"j\"\nx = " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), 2},
		{"arrays over lines", "x = " + strings.Repeat("[\n", 100_000), mostDepth + 1},
		{"inline tables", "x = " + strings.Repeat("{a=", 100_000), 1},
		{"a key with dots", strings.Repeat("a.", 100_000) + "a = 1", 1},
		{"a table with dots", "[" + strings.Repeat("a.", 100_000) + "a]", 1},
		{"behind strings", "a = \"[\\\"\"\nb = '''\n]]'''\nc = \"\"\"\n\\\"\"\"\" # ]\nd = " + strings.Repeat("[", mostDepth+1), 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("job.toml", []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), "nested") {
				t.Fatalf("got %v", err)
			}
			if line := tooDeep([]byte(tc.text)); line != tc.line {
				t.Errorf("line %d, want %d", line, tc.line)
			}
		})
	}
	deep := strings.Repeat("[", 1000) + strings.Repeat("a.", 1000)
	for _, text := range []string{`a = "` + deep + `"`, "# " + deep + "\na = 1", "a = '''\n" + deep + "\n'''", strings.Repeat("[[step]]\na = [1.5]\n", 1000), `a = "` + deep} {
		if line := tooDeep([]byte(text)); line != 0 {
			t.Errorf("%.20q…: line %d is said to be nested deeply", text, line)
		}
	}
}
