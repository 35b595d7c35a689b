package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary is the command that cmd: references start, so that the tests need no shell and run everywhere.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "as-command" {
		os.Exit(command(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func command(args []string) int {
	fmt.Fprintln(os.Stderr, canary)
	switch args[0] {
	case "print":
		fmt.Print(strings.Join(args[1:], "|"))
	case "print-line":
		fmt.Print(args[1] + "\r\n")
	case "fail":
		fmt.Println(canary)
		return 3
	case "flood":
		for b := bytes.Repeat([]byte(canary), 1000); ; {
			if _, err := os.Stdout.Write(b); err != nil {
				return 1
			}
		}
	case "hang":
		fmt.Println(canary)
		time.Sleep(time.Minute)
	case "hang-with-child":
		child := exec.Command(os.Args[0], "as-command", "linger")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return 1
		}
		time.Sleep(time.Minute)
	case "read":
		b, err := io.ReadAll(os.Stdin)
		fmt.Printf("%d bytes, %v", len(b), err)
	case "leave-behind":
		fmt.Print("s3cret")
		child := exec.Command(os.Args[0], "as-command", "linger")
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			return 1
		}
	case "linger":
		time.Sleep(8 * time.Second)
	case "nothing":
	case "dir":
		d, _ := os.Getwd()
		fmt.Print(filepath.Base(d))
	}
	return 0
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plain", "s3cret")
	write("line", "s3cret\n")
	write("windows", "s3cret\r\n")
	write("lines", "s3cret\n\n")
	write("inner", " a\nb \n")
	write("empty", "\n")
	write("large", strings.Repeat(canary, 200_000))
	env := map[string]string{"SET": "from env", "LINE": "x\n", "EMPTY": ""}
	r := Resolver{Dir: dir, Getenv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}
	self := `"` + os.Args[0] + `" as-command `
	for _, tt := range []struct {
		ref  Ref
		want string
		err  string // a piece of it; "" when there is none
	}{
		{Ref{File, "plain"}, "s3cret", ""},
		{Ref{File, "line"}, "s3cret", ""},
		{Ref{File, "windows"}, "s3cret", ""},
		{Ref{File, "lines"}, "s3cret\n", ""},
		{Ref{File, "inner"}, " a\nb ", ""},
		{Ref{File, filepath.Join(dir, "plain")}, "s3cret", ""},
		{Ref{File, "none"}, "", "none"},
		{Ref{File, "empty"}, "", "is empty"},
		{Ref{File, "large"}, "", "more than 1 MiB"},
		{Ref{Env, "SET"}, "from env", ""},
		{Ref{Env, "LINE"}, "x", ""},
		{Ref{Env, "UNSET"}, "", "environment variable UNSET, which is to hold a secret, is not set"},
		{Ref{Env, "EMPTY"}, "", "is empty"},
		{Ref{Cmd, self + `print one "two three" 'fo"ur' a"b c"d $HOME *`}, `one|two three|fo"ur|ab cd|$HOME|*`, ""},
		{Ref{Cmd, self + `print-line s3cret`}, "s3cret", ""},
		{Ref{Cmd, self + "dir"}, filepath.Base(dir), ""},
		{Ref{Cmd, self + "read"}, "0 bytes, <nil>", ""},
		{Ref{Cmd, self + "fail"}, "", "exit status 3"},
		{Ref{Cmd, self + "nothing"}, "", "is empty"},
		{Ref{Cmd, "no-such-program-here --token " + canary}, "", "no-such-program-here"},
		{Ref{Cmd, `"unclosed ` + canary}, "", "without a closing"},
		{Ref{Cmd, `""`}, "", "names no program"},
		{Ref{Vault, "anaplan/prod#pass"}, "", "not available here"},
		{Ref{Vault, "anaplan/prod"}, "", "it is written vault:PATH#FIELD"},
		{Ref{"other", "x"}, "", "not a reference"},
		{Ref{}, "", "not a reference"},
	} {
		v, err := r.Resolve(t.Context(), tt.ref)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want one with %q", tt.ref, err, tt.err)
		}
		if err != nil && (strings.Contains(err.Error(), canary) || !v.Empty()) {
			t.Errorf("%s: the error shows something, or comes with a value: %v", tt.ref.Scheme, err)
		}
		if diff := cmp.Diff(tt.want, v.RevealString()); diff != "" {
			t.Errorf("%s: %s", tt.ref, diff)
		}
	}
}

func TestKindsOfFailure(t *testing.T) {
	r := Resolver{Dir: t.TempDir()}
	if _, err := r.Resolve(t.Context(), Ref{Vault, "x#y"}); !errors.Is(err, ErrNotAvailable) {
		t.Error(err)
	}
	if _, err := r.Resolve(t.Context(), Ref{File, "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	t.Setenv("ANAPLAN_RUNNER_TEST_EMPTY", "")
	if _, err := r.Resolve(t.Context(), Ref{Env, "ANAPLAN_RUNNER_TEST_EMPTY"}); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

func TestACommandHasALimit(t *testing.T) {
	self := `"` + os.Args[0] + `" as-command `
	for _, what := range []string{"hang", "flood", "hang-with-child"} {
		began := time.Now()
		v, err := Resolver{Timeout: 200 * time.Millisecond}.Resolve(t.Context(), Ref{Cmd, self + what})
		if !errors.Is(err, context.DeadlineExceeded) || !v.Empty() || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", what, err)
		}
		if d := time.Since(began); d > 20*time.Second {
			t.Errorf("%s: took %v", what, d)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	if _, err := (Resolver{}).Resolve(ctx, Ref{Cmd, self + "hang"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWhatACommandLeavesBehindIsNotWaitedFor(t *testing.T) {
	began := time.Now()
	v, err := Resolver{}.Resolve(t.Context(), Ref{Cmd, `"` + os.Args[0] + `" as-command leave-behind`})
	if err != nil || v.RevealString() != "s3cret" {
		t.Errorf("got %q, %v", v.RevealString(), err)
	}
	if d := time.Since(began); d > 6*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzSplitCommand(f *testing.F) {
	for _, s := range []string{`a b`, `"a b" c`, `'`, `a"b'c"`, "  ", `C:\x\y.exe "z"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		argv, err := splitCommand(s)
		if (err == nil) != (len(argv) > 0) {
			t.Errorf("%q: %q, %v", s, argv, err)
		}
		if err != nil && len(s) > 20 && strings.Contains(err.Error(), s) {
			t.Errorf("the error repeats the line: %v", err)
		}
	})
}
