package cli

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/sqlite"
)

var (
	kills = flag.Int("kills", 4, "how many runs are killed")
	seed  = flag.Uint64("seed", 0, "of the moments at which they are; 0: a new one")
)

const killSpeed = 200

// killable is a run of the sample night by a process of its own, over loopback.
type killable struct {
	t   *testing.T
	sim *simulator.Simulator
	dir string
	env []string
}

func newKillable(t *testing.T) *killable {
	sim := simulator.New(sample.Company(), simulator.Options{Speed: killSpeed, Switches: &simulator.Switches{PollEvery: -1}})
	server := httptest.NewServer(late{sim})
	t.Cleanup(func() { server.Close(); sim.Close() })
	k := &killable{t: t, sim: sim, dir: t.TempDir()}
	files, err := writeSample(k.dir, server.URL, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	identity, err := identityOnce()
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{files.Certificate: identity["cert.pem"], files.Key: identity["key.pem"]} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Nobody else logs in: what became of every lost answer can be found out.
	connections, err := os.ReadFile(files.Connections)
	if err != nil {
		t.Fatal(err)
	}
	connections = bytes.Replace(connections, []byte("[connection.demo]\n"), []byte("[connection.demo]\nexclusive_user = true\n"), 1)
	if err := os.WriteFile(files.Connections, connections, 0o600); err != nil {
		t.Fatal(err)
	}
	k.env = append(os.Environ(), "ANAPLAN_LEDGER="+filepath.Join(k.dir, "ledger.db"), "ANAPLAN_SIMULATOR_SPEED="+fmt.Sprint(killSpeed))
	return k
}

// late is a simulator whose answers to starts are long on their way, which is when a death
// is worst.
type late struct{ sim http.Handler }

func (l late) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/tasks") {
		l.sim.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	l.sim.ServeHTTP(answer, r)
	time.Sleep(20 * time.Millisecond)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// run calls the program with the run's id, and kills it after a time; never, if that is 0.
func (k *killable) run(after time.Duration) (code int, killed bool) {
	k.t.Helper()
	return k.call(after, "run", filepath.Join(k.dir, "nightly.toml"), "--run-id", "night")
}

// resume continues the run.
func (k *killable) resume() (code int) {
	k.t.Helper()
	code, _ = k.call(0, "resume", "night")
	return code
}

func (k *killable) call(after time.Duration, args ...string) (code int, killed bool) {
	k.t.Helper()
	var said bytes.Buffer
	process := exec.Command("anaplan-runner", append(args, "--quiet")...)
	process.Env, process.Stdout, process.Stderr = k.env, io.Discard, &said
	if err := process.Start(); err != nil {
		k.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = process.Process.Kill() })
		defer timer.Stop()
	}
	err := process.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if after == 0 {
			k.t.Logf("%v: %v\n%s", args, err, &said)
		}
		return e.ExitCode(), !e.Exited()
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return 0, false
}

// recorded is what the ledger holds of the run; ok says whether it is there.
func (k *killable) recorded() (s ledger.State, ok bool) {
	k.t.Helper()
	l, err := sqlite.OpenExisting(k.t.Context(), filepath.Join(k.dir, "ledger.db"))
	if errors.Is(err, sqlite.ErrMissing) {
		return s, false
	}
	if err != nil {
		k.t.Fatal(err)
	}
	defer l.Close()
	events, err := l.Events(k.t.Context(), ledger.ID{Job: "nightly", Run: "night"}, 0)
	if errors.Is(err, ledger.ErrNoRun) {
		return s, false
	}
	if err != nil {
		k.t.Fatal(err)
	}
	if s, err = ledger.Fold(events); err != nil {
		k.t.Fatal(err)
	}
	return s, true
}

// TestKilledRunIsContinued kills real runs at random moments, and continues each, by resume
// or by the same call again: it ends as one that was never disturbed, with the same in
// every model, and nothing was started twice.
func TestKilledRunIsContinued(t *testing.T) {
	whole := newKillable(t)
	began := time.Now()
	if code, _ := whole.run(0); code != ledger.CodeOK {
		t.Fatalf("undisturbed: code %d", code)
	}
	took := time.Since(began)
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	seen := map[string]int{}
	for i := range *kills {
		after := time.Duration(random.Int64N(int64(took)*9/10)) + time.Millisecond
		again := random.IntN(2) == 0
		t.Run(fmt.Sprintf("%d/%s", i, after.Round(time.Millisecond)), func(t *testing.T) {
			seen[killedOnce(newKillable(t), after, again, whole.sim)]++
		})
	}
	t.Logf("seed %d; a run takes %s; killed: %v", *seed, took.Round(time.Millisecond), seen)
}

// killedOnce kills a run and continues it; it says what was met.
func killedOnce(k *killable, after time.Duration, again bool, whole *simulator.Simulator) (met string) {
	t := k.t
	k.run(after)
	left, there := k.recorded()
	code := 0
	if there && !again {
		code = k.resume()
	} else {
		code, _ = k.run(0)
	}
	switch {
	case !there:
		met = "before the run was recorded"
	case left.End != nil:
		met = "after its end was recorded"
	default:
		met = "in the middle"
	}
	if code != ledger.CodeOK {
		t.Errorf("%s: code %d when continued", met, code)
	}
	now, _ := k.recorded()
	k.compare(now)
	if got, want := len(k.sim.Tasks()), len(whole.Tasks()); got != want {
		t.Errorf("%s: %d tasks, want %d", met, got, want)
	}
	if diff := cmp.Diff(string(whole.Snapshot()), string(k.sim.Snapshot())); diff != "" {
		t.Errorf("%s: the models differ (-undisturbed +killed):\n%s", met, diff)
	}
	return met
}

// compare holds the record to what Anaplan started: no object twice, none without an
// intent that was recorded before, and each task that is recorded.
func (k *killable) compare(s ledger.State) {
	k.t.Helper()
	intended, recorded := map[string]int{}, map[string]bool{}
	for _, step := range s.Steps {
		for _, i := range step.Intents {
			intended[step.Model.Name+" "+step.Object.ID]++
			recorded[i.Task] = true
		}
	}
	started := map[string]int{}
	for _, task := range k.sim.Tasks() {
		object := task.Model + " " + task.ObjectID
		if started[object]++; started[object] > 1 {
			k.t.Errorf("%s %q was started %d times", task.Kind, task.Object, started[object])
		}
		if intended[object] < started[object] {
			k.t.Errorf("%s %q was started, and no intent is recorded", task.Kind, task.Object)
		}
		delete(recorded, task.ID)
	}
	delete(recorded, "") // an intent without an answer
	if len(recorded) > 0 {
		k.t.Errorf("tasks are recorded that Anaplan does not know: %v", recorded)
	}
}
