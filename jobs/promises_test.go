package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestRejectedRowsStayInTheirFile puts a canary into rows that are rejected for different
// reasons, and looks for it wherever a run leaves something.
func TestRejectedRowsStayInTheirFile(t *testing.T) {
	const canary = "Kanarienvogel"
	for _, path := range []string{"import", "process"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, simulator.Options{})
				defer n.close()
				var log bytes.Buffer
				n.runner.Log = logrus.New()
				n.runner.Log.SetOutput(&log)
				n.runner.Log.SetLevel(logrus.TraceLevel)
				rows := "Product code,Country,Month,Units,Revenue\nP1007,FR,Jan 26,1,1\n" +
					canary + ",FR,Jan 26,1,1\nP1007," + canary + " and sons,Jan 26,1,1\nP1007,FR," + canary + ",1,1\nP1007,FR,Jan 26,17 " + canary + ",1\n"
				stores := "Store;Code;Country;Opened;Floor space\n" + canary + ";S900;Nowhere " + canary + ";01/01/2010;1\nX;S901;France;" + canary + ";2\n"
				for name, text := range map[string]string{"sales.csv": rows, "stores.csv": stores} {
					if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				step := loadSales(n, 0)
				if path == "process" {
					step = masterData(n, nil, nil)
				}
				s := n.run(t.Context(), step)
				if s.End.Code != ledger.CodeRows || len(s.Steps[0].Dumps) != 1 {
					t.Fatal(messages(s))
				}
				dump := s.Steps[0].Dumps[0]
				if len(dump.Dump.Reasons) < 2 {
					t.Errorf("reasons %+v", dump.Dump.Reasons)
				}
				events, err := n.ledger.Events(context.Background(), s.Created.ID, 0)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					data, err := ledger.Encode(e)
					if err != nil || bytes.Contains(data, []byte(canary)) {
						t.Errorf("event %d: %s %v", e.Seq, data, err)
					}
				}
				for where, what := range map[string]any{"progress": n.seen, "state": s, "log": log.String(), "words": messages(s)} {
					if data, err := json.Marshal(what); err != nil || bytes.Contains(data, []byte(canary)) {
						t.Errorf("%s: %s %v", where, data, err)
					}
				}
				n.onlyOwnerSees(dump.Path, canary)
			})
		})
	}
}

// onlyOwnerSees checks that a text stands in one file of the runner's folder, which only
// its owner can reach.
func (n *night) onlyOwnerSees(path, text string) {
	n.t.Helper()
	err := filepath.WalkDir(n.runner.Dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			if info.Mode().Perm() != 0o700 {
				n.t.Errorf("folder %s has mode %o", at, info.Mode().Perm())
			}
			return nil
		}
		data, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte(text)) != (at == path) || info.Mode().Perm() != 0o600 {
			n.t.Errorf("%s, mode %o: %s", at, info.Mode().Perm(), data)
		}
		return nil
	})
	if err != nil {
		n.t.Error(err)
	}
}

// TestDumpsHaveReadableNames is how a person finds the rows of last night.
func TestDumpsHaveReadableNames(t *testing.T) {
	actions := []ledger.ObjectRef{{ID: "112000000001", Name: "Load: Rates"}, {ID: "112000000002", Name: "load; rates"}, {ID: "112000000003", Name: "Übersicht/Länder"}}
	for _, tc := range []struct {
		step PlanStep
		obj  ledger.ObjectRef
		of   ledger.ObjectRef
		want string
	}{
		{PlanStep{Step: configs.Step{Name: "load sales", Verb: configs.Import}}, actions[0], actions[0], "01_load-sales_Load--Rates_rejected_5E633168.csv"},
		{PlanStep{Index: 11, Step: configs.Step{Name: "night", Verb: configs.Process}}, ledger.ObjectRef{ID: "118000000001", Name: "Nightly"}, actions[0], "12_night_Load--Rates_112000000001_rejected_5E633168.csv"},
		{PlanStep{Index: 11, Step: configs.Step{Name: "night", Verb: configs.Process}}, ledger.ObjectRef{ID: "118000000001", Name: "Nightly"}, actions[1], "12_night_load--rates_112000000002_rejected_5E633168.csv"},
		{PlanStep{Step: configs.Step{Name: "../../x", Verb: configs.Process}}, ledger.ObjectRef{ID: "118000000001", Name: "Nightly"}, actions[2], "01_x_Übersicht-Länder_rejected_5E633168.csv"},
		{PlanStep{Step: configs.Step{Name: "spokes[EMEA]", Verb: configs.Process}}, ledger.ObjectRef{ID: "118000000001", Name: "Nightly"}, ledger.ObjectRef{ID: "118000000001"}, "01_spokes-EMEA_rejected_5E633168.csv"},
		{PlanStep{Step: configs.Step{Name: strings.Repeat("ü", 200), Verb: configs.Process}}, ledger.ObjectRef{ID: "118000000001"}, ledger.ObjectRef{ID: "118000000001"}, "01_" + strings.Repeat("ü", 30) + "_rejected_5E633168.csv"},
	} {
		s := &step{plan: tc.step, bound: BoundStep{Object: tc.obj}}
		if tc.step.Verb == configs.Process {
			s.bound.Actions = actions
		}
		if got := s.dumpName("5E6331685CC648A29B725923B8FAEA1C", tc.of); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// TestFreeStepsRunSideBySide: on different models at the same time, on one model never.
func TestFreeStepsRunSideBySide(t *testing.T) {
	none := int64(0)
	spoke := func(model string) configs.Step {
		return configs.Step{Name: model, Accept: configs.Accept{MinLoaded: &none}, Verb: configs.Process, Model: configs.Ref{Name: model}, Object: configs.Ref{Name: "Pull from Hub"}, NeedsSet: true}
	}
	banner := func(name string) configs.Step {
		return configs.Step{Name: name, Verb: configs.Action, Object: configs.Ref{Name: name}, NeedsSet: true}
	}
	for _, parallel := range []int{0, 1} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newLeanNight(t, slowTasks())
				defer n.close()
				req := n.request(ledger.ID{Job: "j", Run: "r"}, spoke("FP&A EMEA"), spoke("FP&A AMER"), banner("Open banner"), banner("Close banner"), banner("Order products"))
				req.Plan.Job.MaxParallel = parallel
				s, err := n.runner.Run(t.Context(), req)
				if err != nil || s.End.Code != 0 {
					t.Fatal(err, messages(s))
				}
				tasks := n.sim.Tasks()
				overlap := false
				for i, a := range tasks {
					for _, b := range tasks[i+1:] {
						meet := a.Created.Before(b.Ended) && b.Created.Before(a.Ended)
						if meet && a.Model == b.Model {
							t.Errorf("%s and %s were on %s at once", a.Object, b.Object, a.Model)
						}
						// The spokes read the hub: nothing changes it meanwhile.
						if hub := a.Model == "Sales Hub" || b.Model == "Sales Hub"; meet && hub {
							t.Errorf("%s and %s ran at once, one reads what the other changes", a.Object, b.Object)
						}
						overlap = overlap || meet
					}
				}
				if overlap != (parallel != 1) {
					t.Errorf("max_parallel %d: tasks overlap: %v", parallel, overlap)
				}
			})
		})
	}
}

// TestUploadThenImport: a second upload to one server file waits for the import that reads
// the first, though nothing else orders them.
func TestUploadThenImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		up := func(name, from string) configs.Step {
			return configs.Step{Name: name, Verb: configs.Upload, Object: configs.Ref{Name: "stores.csv"}, Source: n.file(from), NeedsSet: true}
		}
		load := func(name, of string) configs.Step {
			return configs.Step{Name: name, Verb: configs.Import, Object: configs.Ref{Name: "Load Stores"}, NeedsSet: true, Needs: []string{of}}
		}
		for i, text := range []string{"First;S900;France;01/01/2010;1\n", "Second;S901;France;01/01/2010;1\n"} {
			path := filepath.Join(n.dir, []string{"one.csv", "two.csv"}[i])
			if err := os.WriteFile(path, []byte("Store;Code;Country;Opened;Floor space\n"+text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := n.run(t.Context(), up("up one", "one.csv"), up("up two", "two.csv"), load("load one", "up one"), load("load two", "up two"))
		if s.End.Code != 0 {
			t.Fatal(messages(s))
		}
		model, _ := n.sim.Model("Sales Hub")
		for _, name := range []string{"First", "Second"} {
			if !slices.ContainsFunc(model.Lists["Stores"], func(i simulator.Item) bool { return i.Name == name }) {
				t.Errorf("store %q was not loaded", name)
			}
		}
	})
}

// TestLongNightWithShortTokens runs for hours with tokens that live 35 s. The simulator
// counts a dead token as misuse.
func TestLongNightWithShortTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := simulator.Options{TokenLife: 35 * time.Second, Speed: 0.0005, Switches: &simulator.Switches{PollEvery: 5 * time.Second}}
		n := newLeanNight(t, o)
		defer n.close()
		began := time.Now()
		s := n.run(t.Context(), sampleNight(n)...)
		if s.End.Code != 0 {
			t.Error(messages(s))
		}
		logins, refreshes := 0, 0
		for _, r := range n.sim.Requests() {
			switch {
			case strings.HasSuffix(r.Path, "/token/authenticate"):
				logins++
			case strings.HasSuffix(r.Path, "/token/refresh"):
				refreshes++
			case r.Status == 401:
				t.Errorf("%s %s carried a dead token", r.Method, r.Path)
			}
		}
		t.Logf("%s, %d logins, %d refreshes, %d requests", time.Since(began), logins, refreshes, len(n.sim.Requests()))
		if took := time.Since(began); took < 3*time.Hour || logins < 1 || refreshes < 100 {
			t.Errorf("%s, %d logins, %d refreshes", took, logins, refreshes)
		}
	})
}

// TestOutputsOfAProcess are downloaded by later steps, and only by those.
func TestOutputsOfAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNight(t, simulator.Options{ChunkSize: 100})
		defer n.close()
		publish := process("Publish Month")
		publish.Name = "publish"
		path := filepath.Join(n.dir, "stores.out.csv")
		s := n.run(t.Context(), publish, configs.Step{Name: "stores", Verb: configs.Download, Object: configs.Ref{Name: "Store List"}, Targets: []configs.Target{{Path: path}}})
		if s.End.Code != 0 {
			t.Fatal(messages(s))
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Steps[1].Targets
		if len(got) != 1 || got[0].Rows == nil || *got[0].Rows != int64(bytes.Count(data, []byte("\n")))-1 || got[0].Bytes != int64(len(data)) || got[0].Chunks < 2 {
			t.Errorf("%+v of %d bytes", got, len(data))
		}
	})
}

// TestWhatTheModelHolds is used only when the job says so: with source = "server" nothing
// is uploaded, and the default file is loaded.
func TestWhatTheModelHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLeanNight(t, simulator.Options{})
		defer n.close()
		step := loadSales(n, 1000)
		step.Source = &configs.Source{Server: true}
		s := n.run(t.Context(), step)
		if s.End.Code != 0 || len(s.Steps[0].Uploads) > 0 {
			t.Error(messages(s))
		}
		for _, r := range n.sim.Requests() {
			if r.Method == "PUT" {
				t.Errorf("%s %s", r.Method, r.Path)
			}
		}
	})
}

// TestEmptyOutputReplacesNothing: a server file without content is missing input, and what
// is no text is taken as it is.
func TestEmptyOutputReplacesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := bindCompany()
		n := newNightOf(t, c, simulator.Options{})
		defer n.close()
		target := filepath.Join(n.dir, "target.csv")
		if err := os.WriteFile(target, []byte("as it was"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := n.run(t.Context(), configs.Step{Name: "old", Verb: configs.Download, Object: configs.Ref{Name: "Store List"}, Stale: true, OnFailure: configs.Continue, Targets: []configs.Target{{Path: target}}},
			configs.Step{Name: "book", Verb: configs.Export, Object: configs.Ref{Name: "Store Book"}, Targets: []configs.Target{{Path: filepath.Join(n.dir, "book.xls")}}})
		if got := verdicts(s); got != "old failed/input, book ok" || s.End.Code != ledger.CodeInput {
			t.Errorf("%s\n%s", got, messages(s))
		}
		if data, err := os.ReadFile(target); err != nil || string(data) != "as it was" {
			t.Errorf("%q, %v", data, err)
		}
		if got := s.Steps[1].Targets; len(got) != 1 || got[0].Rows != nil || got[0].Bytes == 0 {
			t.Errorf("%+v", got)
		}
	})
}
