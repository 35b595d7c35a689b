package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSuggestions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "connections.toml")
	text := "[connection.prod]\nregion = \"us1\"\ncertificate = \"c.pem\"\nprivate_key = \"k.pem\"\n[connection.preview]\nextends = \"prod\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, shell, current string
		words                []string
		want                 []string
	}{
		{"commands", "bash", "au", nil, []string{"auth"}},
		{"subcommands", "bash", "", []string{"auth"}, []string{"payload", "check", "request", "token"}},
		{"options", "bash", "--ou", []string{"auth", "payload"}, []string{"--output", "--out"}},
		{"options after arguments", "bash", "--dr", []string{"run", "job.toml"}, []string{"--dry-run"}},
		{"values", "bash", "", []string{"auth", "payload", "--output"}, []string{"text", "json", "curl"}},
		{"values after =, as bash breaks words", "bash", "v", []string{"auth", "payload", "--format", "="}, []string{"v2", "v1"}},
		{"values after =, with nothing behind it", "bash", "=", []string{"auth", "payload", "--format"}, []string{"v2", "v1"}},
		{"values after =", "fish", "--format=", []string{"auth", "payload"}, []string{"--format=v2\t", "--format=v1\t"}},
		{"a connection", "bash", "pr", []string{"list", "models", "--connections", file, "--connection"}, []string{"prod", "preview"}},
		{"regions", "bash", "gb", []string{"list", "models", "--region"}, []string{"gb1"}},
		{"the value of an option is no command", "bash", "", []string{"auth", "payload", "--out", "auth", "--format"}, []string{"v2", "v1"}},
		{"shells", "bash", "", []string{"completion"}, []string{"bash", "zsh", "fish", "powershell"}},
		{"a file's name", "bash", "jo", []string{"run"}, nil},
		{"a file's name as a value", "bash", "c", []string{"auth", "payload", "--certificate"}, nil},
		{"nothing of the kind", "bash", "x", []string{"nonsense"}, nil},
		{"help for shells that show it", "zsh", "versi", nil, []string{"version\tsays which version this is"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := call(nil, append([]string{completionCall, tc.shell, "=" + tc.current}, tc.words...)...)
			var lines []string
			if got.out != "" {
				lines = strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
			}
			if diff := cmp.Diff(tc.want, lines); diff != "" || got.code != 0 || got.err != "" {
				t.Errorf("code %d, stderr %q: %s", got.code, got.err, diff)
			}
		})
	}
}

// TestBashGetsOnlyWhatItReplaces covers run ids, which hold colons.
func TestBashGetsOnlyWhatItReplaces(t *testing.T) {
	words, whole, cut := joinBroken([]string{"runs", "show", "2026-11-01T00", ":", "00", ":"}, "0")
	if diff := cmp.Diff([]string{"runs", "show"}, words); diff != "" || whole != "2026-11-01T00:00:0" || whole[cut:] != "0" {
		t.Errorf("%s %q %d", diff, whole, cut)
	}
}

func FuzzSuggestions(f *testing.F) {
	f.Add("bash", "--out", "auth payload --output =")
	f.Add("zsh", "", "run job.toml --param a=b --")
	f.Add("bash", ":", "= : --connections= list")
	f.Fuzz(func(t *testing.T, shell, current, words string) {
		if got := call(nil, append([]string{completionCall, shell, "=" + current}, strings.Fields(words)...)...); got.code != 0 || got.err != "" {
			t.Errorf("code %d, stderr %q", got.code, got.err)
		}
	})
}
