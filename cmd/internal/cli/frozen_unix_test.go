//go:build unix

package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// frozenSpeed leaves a settling of ten seconds.
const frozenSpeed = 30

// gate holds one request back, with the process that sent it stopped.
type gate struct {
	next http.Handler
	hit  func(*http.Request) bool
	// late: the request waits, and reaches the simulator after a time; else its answer does.
	late bool

	once    sync.Once
	reached chan struct{} // the request is here
	open    chan struct{} // it may go on
	looked  sync.Once     // somebody settles: a late request arrives soon
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	held := false
	if g.hit(r) {
		g.once.Do(func() { held = true })
	}
	if !held {
		if g.late && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/tasks") && isClosed(g.reached) {
			g.looked.Do(func() { time.AfterFunc(2*time.Second, func() { close(g.open) }) })
		}
		g.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	close(g.reached)
	if g.late {
		<-g.open
	}
	answer := httptest.NewRecorder()
	g.next.ServeHTTP(answer, r)
	<-g.open
	for key, values := range answer.Header() {
		w.Header()[key] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// TestFrozenRunner stops a process with SIGSTOP for longer than its leases, which end by
// time in PostgreSQL, and lets another go on in its place.
func TestFrozenRunner(t *testing.T) {
	address := ledgersOf("")["postgres"]
	if address == "" {
		t.Log("leases that end by time are tested with " + postgresForTests + " only")
		return
	}
	firstStart := func(method string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, "/tasks") }
	}
	t.Run("before the last check", func(t *testing.T) {
		t.Parallel()
		// It hangs in the look at the task list, before the intent.
		f := freeze(t, &gate{hit: firstStart(http.MethodGet)})
		f.resume()
		close(f.gate.open)
		f.thaw()
		f.ended()
	})
	t.Run("after the last check", func(t *testing.T) {
		t.Parallel()
		// The start is on its way, and arrives while the other settles the intent.
		f := freeze(t, &gate{hit: firstStart(http.MethodPost), late: true})
		f.resume()
		f.thaw()
		f.ended()
	})
}

type frozen struct {
	*killable
	gate    *gate
	process *exec.Cmd
	said    bytes.Buffer
}

// freeze starts a run and stops its process when the request is held.
func freeze(t *testing.T, g *gate) *frozen {
	k := newKillable(t)
	f := &frozen{killable: k, gate: g}
	g.reached, g.open = make(chan struct{}), make(chan struct{})
	g.next, k.inner = k.sim, g
	k.env = append(k.env, "ANAPLAN_LEDGER="+ledgersOf("")["postgres"], fmt.Sprintf("ANAPLAN_SIMULATOR_SPEED=%d", frozenSpeed))
	f.process = exec.Command("anaplan-runner", "run", k.dir+"/nightly.toml", "--run-id", "night")
	f.process.Env, f.process.Stdout, f.process.Stderr = k.env, io.Discard, &f.said
	if err := f.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.process.Process.Kill() })
	select {
	case <-g.reached:
	case <-time.After(time.Minute):
		t.Fatal("the request was never sent")
	}
	f.signal(syscall.SIGSTOP)
	return f
}

func (f *frozen) signal(s os.Signal) {
	if err := f.process.Process.Signal(s); err != nil {
		f.t.Fatal(err)
	}
}

// resume continues the run by another process, as soon as the leases of the first end.
func (f *frozen) resume() {
	f.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Second) {
		code, _ := f.call("resume", "night")
		if code == 75 && time.Since(began) < 3*time.Minute {
			continue // it is held
		}
		if code != 0 {
			f.t.Errorf("resume ended with %d after %s", code, time.Since(began))
		}
		return
	}
}

// thaw lets the first process go on, and waits for its end.
func (f *frozen) thaw() {
	f.t.Helper()
	before := len(f.sim.Tasks())
	f.signal(syscall.SIGCONT)
	err := f.process.Wait()
	if err == nil {
		f.t.Errorf("it says that all is well:\n%s", &f.said)
	}
	if after := len(f.sim.Tasks()); after != before {
		f.t.Errorf("it started %d tasks\n%s", after-before, &f.said)
	}
}

// ended holds the night to one that was not disturbed.
func (f *frozen) ended() {
	f.t.Helper()
	whole := newKillable(f.t)
	if code, _ := whole.call("run", whole.dir+"/nightly.toml", "--run-id", "night"); code != 0 {
		f.t.Errorf("undisturbed: %d", code)
	}
	if got, want := len(f.sim.Tasks()), len(whole.sim.Tasks()); got != want {
		f.t.Errorf("%d tasks, want %d\n%s", got, want, &f.said)
	}
	if !bytes.Equal(f.sim.Snapshot(), whole.sim.Snapshot()) {
		f.t.Error("the models differ from those of an undisturbed night")
	}
}
