package jobs

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

func loadRates(n *night) configs.Step {
	return configs.Step{Name: "load rates", Verb: configs.Import, Object: configs.Ref{Name: "Load Rates"}, Source: n.file("rates.csv"),
		Prompts: []configs.Prompt{{Dimension: "Version", Item: "Actual"}}, Accept: configs.Accept{Failed: &configs.Limit{Rows: 1000}}}
}

// chunks is how many chunks were sent.
func (n *night) chunks() (sent int) {
	for _, r := range n.sim.Requests() {
		if r.Method == http.MethodPut && strings.Contains(r.Path, "/chunks/") {
			sent++
		}
	}
	return sent
}

// shorter takes the last row from a source.
func (n *night) shorter(name string) []byte {
	path := filepath.Join(n.dir, name)
	data, err := os.ReadFile(path)
	if err == nil {
		data = data[:bytes.LastIndexByte(data[:len(data)-1], '\n')+1]
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		n.t.Error(err)
	}
	return data
}

// early are the steps whose sources were uploaded before they started.
func (n *night) early(id ledger.ID) (early []string) {
	events, err := n.ledger.Events(context.Background(), id, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	started := map[string]bool{}
	for _, e := range events {
		switch e.Body.(type) {
		case ledger.StepStarted:
			started[e.Step] = true
		case ledger.SourceUploaded:
			if !started[e.Step] {
				early = append(early, e.Step)
			}
		}
	}
	slices.Sort(early)
	return early
}

// others lets somebody else have a lease for ten minutes.
func (n *night) others(key ledger.Key) {
	lease, err := n.ledger.Take(context.Background(), key, ledger.Holder{Step: "other"})
	if err != nil {
		n.t.Fatal(err)
	}
	time.AfterFunc(10*time.Minute, lease.Release)
}

// TestUploadsAheadOfNeed: two imports, one after the other, and what may come between the
// upload of the second and its turn.
func TestUploadsAheadOfNeed(t *testing.T) {
	hangs := simulator.Fault{Method: "PUT", Path: "/files/113000000004/chunks/", Delay: 2 * time.Hour, Count: 2}
	for _, tc := range []struct {
		name   string
		faults []simulator.Fault
		job    func(*configs.Job)
		during func(*night, *Bound) // when the run begins
		want   string               // verdicts; both ok
		chunks int
		early  string        // steps whose source was uploaded before they started
		starts time.Duration // when the first step does, at the latest 10 s later
	}{
		{name: "nothing", chunks: 2, early: "load rates, load sales"},
		{name: "it may not", chunks: 2, job: func(j *configs.Job) { j.Steps[0].Ahead, j.Steps[1].Ahead = new(bool), new(bool) }},
		{name: "one at a time", chunks: 2, early: "load rates, load sales", job: func(j *configs.Job) { j.MaxParallel = 1 }},
		{name: "its source changes", chunks: 3, early: "load rates, load sales", during: func(n *night, _ *Bound) { time.AfterFunc(time.Minute, func() { n.shorter("rates.csv") }) }},
		{name: "its source is not there yet", chunks: 2, early: "load sales", during: func(n *night, _ *Bound) {
			data, _ := os.ReadFile(filepath.Join(n.dir, "rates.csv"))
			_ = os.Remove(filepath.Join(n.dir, "rates.csv"))
			time.AfterFunc(time.Minute, func() { _ = os.WriteFile(filepath.Join(n.dir, "rates.csv"), data, 0o600) })
		}},
		{name: "its guard refuses it", chunks: 1, early: "load sales", want: "load sales ok, load rates failed/guard",
			job: func(j *configs.Job) { j.Steps[1].Guard.MinRows = new(int64); *j.Steps[1].Guard.MinRows = 1_000_000 }},
		{name: "the first does not wait for what hangs", faults: []simulator.Fault{hangs}, chunks: 4, early: "load sales", starts: aheadStall},
		{name: "nor for long before not_after", faults: []simulator.Fault{hangs}, chunks: 4, early: "load sales", starts: 3 * time.Minute,
			job: func(j *configs.Job) { j.NotAfter = "00:15" }},
		{name: "an upload that fails is made again at its turn", faults: []simulator.Fault{{Method: "POST", Path: "/files/113000000004$", Status: 400}}, chunks: 2, early: "load sales"},
		{name: "somebody else has the file for a while", chunks: 2, early: "load sales", during: func(n *night, b *Bound) {
			n.others(ledger.FileKey(b.Steps[1].Model, b.Steps[1].Reads[0].File.ID, b.user(1)))
		}},
		{name: "somebody else works in the model", chunks: 2, during: func(n *night, b *Bound) { n.others(ledger.ModelKey(b.Steps[0].Model)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := slowTasks()
				o.Faults = tc.faults
				n := newLeanNight(t, o)
				defer n.close()
				n.mayNotFire = true
				req := n.request(ledger.ID{Job: "nightly", Run: rand.Text()}, loadSales(n, 1000), loadRates(n))
				req.Date = time.Now().UTC()
				if tc.job != nil {
					tc.job(req.Plan.Job)
					for i := range req.Plan.Steps {
						req.Plan.Steps[i].Step = req.Plan.Job.Steps[i]
					}
				}
				if tc.during != nil {
					b, err := Bind(t.Context(), req.Plan, n.runner.Connect)
					if err != nil {
						t.Fatal(err)
					}
					tc.during(n, b)
				}
				began := time.Now()
				s, err := n.runner.Run(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				want := tc.want
				if want == "" {
					want = "load sales ok, load rates ok"
				}
				if got := verdicts(s); got != want {
					t.Fatalf("got %s, want %s\n%s", got, want, messages(s))
				}
				early := strings.Join(n.early(s.Created.ID), ", ")
				if sent := n.chunks(); sent != tc.chunks || early != tc.early {
					t.Errorf("%d chunks were sent, want %d; early %q, want %q", sent, tc.chunks, early, tc.early)
				}
				if at := s.Steps[0].Started.Sub(began); at < tc.starts || at > tc.starts+10*time.Second {
					t.Errorf("the first step starts after %s, want %s", at, tc.starts)
				}
				data, err := os.ReadFile(filepath.Join(n.dir, "rates.csv"))
				for _, task := range n.sim.Tasks() {
					for _, read := range task.Read {
						if read.File == "rates.csv" && (err != nil || read.SHA256 != digest(data)) {
							t.Errorf("it read %d bytes, the source has %d", read.Bytes, len(data))
						}
					}
				}
			})
		})
	}
}

// TestStoppedAheadOfNeed: a signal ends an upload ahead of need at once, and what was
// uploaded before is used by whoever continues, for as long as it is relied upon.
func TestStoppedAheadOfNeed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		slow   simulator.Fault
		after  time.Duration
		pause  time.Duration
		chunks int
		left   string // verdicts of the first process
	}{
		{"while one is under way", simulator.Fault{Method: "PUT", Path: "/files/113000000003/chunks/", Delay: time.Minute}, 10 * time.Second, time.Minute, 3, "load sales blocked, load rates blocked"},
		{"when both are done", simulator.Fault{}, 100 * time.Second, time.Minute, 2, "load sales -, load rates blocked"},
		{"and they are too old", simulator.Fault{}, 100 * time.Second, uploadLife, 3, "load sales -, load rates blocked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := slowTasks()
				if tc.slow.Method != "" {
					o.Faults = []simulator.Fault{tc.slow}
				}
				n := newLeanNight(t, o)
				defer n.close()
				ctx, stop := context.WithCancelCause(t.Context())
				var stopped time.Time
				time.AfterFunc(tc.after, func() { stopped = time.Now(); stop(&Stopped{Signal: "SIGTERM"}) })
				s := n.run(ctx, loadSales(n, 1000), loadRates(n))
				if took := time.Since(stopped); took > time.Second || verdicts(s) != tc.left {
					t.Errorf("it took %s to end: %s, want %s", took, verdicts(s), tc.left)
				}
				time.Sleep(tc.pause)
				s = n.resume(s.Created.ID, Continuation{})
				if got := verdicts(s); got != "load sales ok, load rates ok" || n.chunks() != tc.chunks {
					t.Errorf("%s, %d chunks were sent, want %d\n%s", got, n.chunks(), tc.chunks, messages(s))
				}
			})
		})
	}
}

// TestCommandWritesWhatWasUploadedAhead: what a program writes is not known before, and
// imported all the same.
func TestCommandWritesWhatWasUploadedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, slowTasks())
		defer n.close()
		var data []byte
		n.runner.Exec = func(ctx context.Context, _ Program) (Exit, error) {
			sleep(ctx, time.Minute)
			data = n.shorter("rates.csv")
			return Exit{}, nil
		}
		s := n.run(t.Context(), commandStep(), loadRates(n))
		if got := verdicts(s); got != "prepare ok, load rates ok" || !slices.Equal(n.early(s.Created.ID), []string{"load rates"}) {
			t.Fatalf("%s, early %q\n%s", got, n.early(s.Created.ID), messages(s))
		}
		if read := n.sim.Tasks()[0].Read; len(read) != 1 || read[0].SHA256 != digest(data) || n.chunks() != 2 {
			t.Errorf("it read %+v of %d bytes", read, len(data))
		}
	})
}

// TestAheadStandsItsGuard: what was uploaded ahead of need stands its guard at its turn too, as
// it would without that.
func TestAheadStandsItsGuard(t *testing.T) {
	for _, tc := range []struct {
		name  string
		takes time.Duration
		guard func(*night) configs.Guard
	}{
		{"a control file that was written since", time.Minute, func(n *night) configs.Guard {
			return configs.Guard{Control: &configs.Control{Path: filepath.Join(n.dir, "sales.ctl")}}
		}},
		{"a source that has become too old", 40 * time.Minute, func(*night) configs.Guard { return configs.Guard{MaxAge: &configs.Age{Duration: 30 * time.Minute}} }},
	} {
		for _, ahead := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, simulator.Options{})
				defer n.close()
				n.runner.Now = realNow(t, n)
				n.put("sales.csv", n.read("sales.csv"))
				n.put("sales.ctl", "rows = 24\n")
				n.runner.Exec = func(context.Context, Program) (Exit, error) {
					time.Sleep(tc.takes)
					n.put("sales.ctl", "rows = 99\n")
					return Exit{}, nil
				}
				s := n.run(t.Context(), commandStep(), salesFrom(n, "sales.csv", func(s *configs.Step) { s.Guard, s.Ahead = tc.guard(n), &ahead }))
				if verdicts(s) != "prepare ok, load sales failed/guard" || len(s.Steps[1].Uploads) != map[bool]int{true: 1}[ahead] {
					t.Errorf("%s, ahead %v: %s, %d uploads\n%s", tc.name, ahead, verdicts(s), len(s.Steps[1].Uploads), messages(s))
				}
			})
		}
	}
}
