package jobs

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestMain lets the test binary be the program that a job tells of its end.
func TestMain(m *testing.M) {
	beProgram(os.Getenv("TEST_PROGRAM"))
	switch os.Getenv("TEST_ON_END") {
	case "tell":
		var in bytes.Buffer
		_, _ = in.ReadFrom(os.Stdin)
		wd, _ := os.Getwd()
		_, _ = os.Stdout.WriteString(strings.Join(os.Args[1:], "|") + "\n" + in.String() + "\n" + filepath.Base(wd))
		os.Exit(0)
	case "fail":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Minute)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // runs are short, and memory there is
	}
	os.Exit(m.Run())
}

func TestOnEnd(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "beside the job")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	on := &configs.OnEnd{Command: []string{self, "--team", "fpa; rm -rf $HOME", "*"}, When: []string{"failed", "partial"}}
	var out bytes.Buffer
	tell := func(mode string, v ledger.Verdict) (bool, error) {
		t.Setenv("TEST_ON_END", mode)
		out.Reset()
		return RunOnEnd(t.Context(), on, v, []byte(`{"schema":1}`), dir, &out)
	}
	if started, err := tell("tell", ledger.Partial); err != nil || !started || out.String() != "--team|fpa; rm -rf $HOME|*\n{\"schema\":1}\nbeside the job" {
		t.Errorf("%v, %v: %q", started, err, out.String())
	}
	if started, err := tell("tell", ledger.OK); err != nil || started || out.Len() > 0 {
		t.Errorf("it was told of what it does not want: %v, %v, %q", started, err, out.String())
	}
	if started, err := tell("fail", ledger.Failed); err == nil || !started || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v, %v", started, err)
	}
	on.Timeout = 100 * time.Millisecond
	if started, err := tell("hang", ledger.Failed); err == nil || !started || !strings.Contains(err.Error(), "not done within ") {
		t.Errorf("%v, %v", started, err)
	}
	on.Command, on.When = []string{"no-such-program"}, nil
	if started, err := tell("", ledger.OK); err == nil || !started || !strings.Contains(err.Error(), `on_end "no-such-program"`) {
		t.Errorf("%v, %v", started, err)
	}
	if started, err := RunOnEnd(t.Context(), nil, ledger.Failed, nil, dir, &out); started || err != nil {
		t.Errorf("%v, %v", started, err)
	}
}
