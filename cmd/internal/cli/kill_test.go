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
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/sqlite"
)

var (
	kills = flag.Int("kills", 4, "how many processes are killed")
	seed  = flag.Uint64("seed", 0, "of the moments at which they are; 0: a new one")
)

const killSpeed = 200

// killable is a run of the sample night by processes of its own, over loopback.
type killable struct {
	t     *testing.T
	sim   *simulator.Simulator
	inner http.Handler // the simulator, or what stands before it
	dir   string
	env   []string

	mu       sync.Mutex
	requests int
	at       int           // the request with this number is the last one …
	then     time.Duration // … so long after it has come
	process  *os.Process
}

// newKillable makes a simulated tenant and the sample night. exclusive says that nobody
// else uses the login: then what became of every lost answer can be found out.
func newKillable(t *testing.T) *killable { return newKillableOf(t, true) }

func newKillableOf(t *testing.T, exclusive bool) *killable {
	k := &killable{t: t, dir: t.TempDir()}
	k.sim = simulator.New(sample.Company(), simulator.Options{Speed: killSpeed, Switches: &simulator.Switches{PollEvery: -1}})
	k.inner = k.sim
	server := httptest.NewServer(k)
	t.Cleanup(func() { server.Close(); k.sim.Close() })
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
	connections, err := os.ReadFile(files.Connections)
	if err != nil {
		t.Fatal(err)
	}
	connections = bytes.Replace(connections, []byte("[connection.demo]\n"), fmt.Appendf(nil, "[connection.demo]\nexclusive_user = %t\n", exclusive), 1)
	if err := os.WriteFile(files.Connections, connections, 0o600); err != nil {
		t.Fatal(err)
	}
	k.env = append(os.Environ(), "ANAPLAN_LEDGER="+filepath.Join(k.dir, "ledger.db"), "ANAPLAN_SIMULATOR_SPEED="+fmt.Sprint(killSpeed))
	return k
}

// ServeHTTP is the simulator's, but for its answers to starts, which are long on their way,
// and for some of the starts themselves: that is when a death is worst.
func (k *killable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.requests++
	number := k.requests
	if process := k.process; process != nil && number == k.at {
		time.AfterFunc(k.then, func() { _ = process.Kill() })
	}
	k.mu.Unlock()
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/tasks") {
		k.inner.ServeHTTP(w, r)
		return
	}
	time.Sleep(time.Duration(number%2) * 10 * time.Millisecond)
	answer := httptest.NewRecorder()
	k.inner.ServeHTTP(answer, r)
	time.Sleep(20 * time.Millisecond)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// kill ends the next process a time after the nth request from now; never, if n is 0.
func (k *killable) kill(n int, then time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at, k.then = 0, then
	if n > 0 {
		k.at = k.requests + n
	}
}

// call calls the program, and says whether it was killed.
func (k *killable) call(args ...string) (code int, killed bool) {
	k.t.Helper()
	var said bytes.Buffer
	process := exec.Command("anaplan-runner", append(args, "--quiet")...)
	process.Env, process.Stdout, process.Stderr = k.env, io.Discard, &said
	k.mu.Lock()
	err := process.Start()
	k.process = process.Process
	k.mu.Unlock()
	if err != nil {
		k.t.Fatal(err)
	}
	err = process.Wait()
	k.mu.Lock()
	k.process = nil
	k.mu.Unlock()
	e, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, false
	case !failed:
		k.t.Fatal(err)
	case e.Exited():
		k.t.Logf("%v: %v\n%s", args, err, &said)
	}
	return e.ExitCode(), !e.Exited()
}

// goOn continues the run, if it is recorded; else, or with again, it calls it as the first
// time.
func (k *killable) goOn(again bool, decisions ...string) (code int, killed bool) {
	k.t.Helper()
	if _, there := k.recorded(); there && !again {
		return k.call(append([]string{"resume", "night"}, decisions...)...)
	}
	return k.call("run", filepath.Join(k.dir, "nightly.toml"), "--run-id", "night")
}

// recorded is what the ledger holds of the run; ok says whether it is there.
func (k *killable) recorded() (s ledger.State, ok bool) {
	k.t.Helper()
	return k.recordedIn(filepath.Join(k.dir, "ledger.db"))
}

func (k *killable) recordedIn(path string) (s ledger.State, ok bool) {
	k.t.Helper()
	l, err := sqlite.OpenExisting(k.t.Context(), path)
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

// TestKilledRunIsContinued kills real processes at random moments of a run, and continues it
// after each death, by resume or by the same call again, until it has ended: as one that was
// never disturbed, with the same in every model and target, and nothing started twice. Where
// the login is not ours alone, a person may have to say what became of a start.
func TestKilledRunIsContinued(t *testing.T) {
	whole := newKillable(t)
	if code, _ := whole.goOn(false); code != ledger.CodeOK {
		t.Fatalf("undisturbed: code %d", code)
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	most := *kills
	if testing.Short() {
		most = 1
	}
	killed, unsure, runs := 0, 0, 0
	for ; killed < most; runs++ {
		exclusive := random.IntN(3) > 0
		var deaths []int
		for range 1 + random.IntN(3) {
			deaths = append(deaths, 1+random.IntN(whole.requests))
		}
		then := time.Duration(random.IntN(15)) * time.Millisecond
		t.Run(fmt.Sprintf("%d/%v", runs, deaths), func(t *testing.T) {
			died, asked := killedOften(newKillableOf(t, exclusive), deaths, then, random.IntN(2) == 0, exclusive, whole)
			killed += died
			unsure += asked
		})
	}
	t.Logf("seed %d; %d processes of %d runs were killed, %d times a person was asked", *seed, killed, runs, unsure)
}

// killedOften kills the processes of a run at these requests, and continues it to its end.
func killedOften(k *killable, deaths []int, then time.Duration, again, exclusive bool, whole *killable) (died, asked int) {
	t := k.t
	for _, at := range deaths {
		k.kill(at, then)
		if _, killed := k.goOn(again); killed {
			died++
		}
	}
	k.kill(0, 0)
	code, _ := k.goOn(again)
	for code == ledger.CodeUnsure && !exclusive && asked < 3 {
		asked++
		code, _ = k.goOn(false, k.decide()...)
	}
	if code != ledger.CodeOK {
		t.Errorf("code %d when continued", code)
	}
	now, _ := k.recorded()
	k.compare(now)
	if got, want := len(k.sim.Tasks()), len(whole.sim.Tasks()); got != want {
		t.Errorf("%d tasks, want %d", got, want)
	}
	if diff := cmp.Diff(string(whole.sim.Snapshot()), string(k.sim.Snapshot())); diff != "" {
		t.Errorf("the models differ (-undisturbed +killed):\n%s", diff)
	}
	if diff := cmp.Diff(whole.targets(), k.targets()); diff != "" {
		t.Errorf("the targets differ (-undisturbed +killed):\n%s", diff)
	}
	for _, m := range k.sim.Misuse() {
		if !strings.Contains(m, "logged in again after") { // as each process does
			t.Errorf("misuse: %s", m)
		}
	}
	return died, asked
}

// decide is what a person says of a run that is unsure, who knows what Anaplan has run.
func (k *killable) decide() (flags []string) {
	s, _ := k.recorded()
	known := map[string]bool{}
	for _, step := range s.Steps {
		for _, i := range step.Intents {
			known[i.Task] = true
		}
	}
	for _, step := range s.Steps {
		if step.End == nil || step.End.Verdict != ledger.Unsure {
			continue
		}
		decision := []string{"--again", step.Plan.Name}
		for _, task := range k.sim.Tasks() {
			if task.ObjectID == step.Object.ID && task.Model == step.Model.Name && !known[task.ID] {
				decision = []string{"--adopt", task.ID}
			}
		}
		flags = append(flags, decision...)
	}
	return flags
}

// targets are the files that the run has written.
func (k *killable) targets() map[string]string {
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(k.dir, "out", "*.csv"))
	if err != nil || len(paths) == 0 {
		k.t.Errorf("no target, %v", err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			k.t.Error(err)
		}
		files[filepath.Base(path)] = string(data)
	}
	return files
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
