package cli

import (
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
	process := exec.Command("anaplan-runner", "run", filepath.Join(k.dir, "nightly.toml"), "--run-id", "night", "--quiet")
	process.Env, process.Stdout, process.Stderr = k.env, io.Discard, io.Discard
	if err := process.Start(); err != nil {
		k.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { _ = process.Process.Kill() })
		defer timer.Stop()
	}
	err := process.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
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

// TestKilledRunIsNotRepeated kills real runs at random moments, and calls each again with
// the same id: what was recorded is told, as unsure, and nothing is started; only a run
// that had not been recorded begins. What Anaplan was asked to start is in the record.
func TestKilledRunIsNotRepeated(t *testing.T) {
	whole := newKillable(t)
	began := time.Now()
	if code, _ := whole.run(0); code != ledger.CodeOK {
		t.Fatalf("undisturbed: code %d", code)
	}
	took := time.Since(began)
	tasks := len(whole.sim.Tasks())
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	seen := map[string]int{}
	for i := range *kills {
		after := time.Duration(random.Int64N(int64(took)*8/10)) + time.Millisecond
		t.Run(fmt.Sprintf("%d/%s", i, after.Round(time.Millisecond)), func(t *testing.T) {
			seen[killedOnce(newKillable(t), after, tasks)]++
		})
	}
	t.Logf("seed %d; a run takes %s; killed: %v", *seed, took.Round(time.Millisecond), seen)
}

// killedOnce kills a run and calls it again; it says what was met.
func killedOnce(k *killable, after time.Duration, all int) (met string) {
	t := k.t
	first, killed := k.run(after)
	left, there := k.recorded()
	again, _ := k.run(0)
	now, _ := k.recorded()
	want := ledger.CodeUnsure
	switch {
	case !there:
		met, want = "before the run was recorded", ledger.CodeOK
		if n := len(k.sim.Tasks()); n != all {
			t.Errorf("%d tasks, want %d", n, all)
		}
	case left.End != nil:
		met, want = "after its end was recorded", left.End.Code
		if !killed && first != want {
			t.Errorf("code %d, %d is recorded", first, want)
		}
	default:
		met = "in the middle"
	}
	if again != want {
		t.Errorf("%s: code %d when called again, want %d", met, again, want)
	}
	if there && now.Seq != left.Seq {
		t.Errorf("%s: events were recorded when it was called again: %d, then %d", met, left.Seq, now.Seq)
	}
	k.compare(now)
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
