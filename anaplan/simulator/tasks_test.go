package simulator

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProcessRunsInOrderWithNestedResultsAndDumps(t *testing.T) {
	inBubble(t, Options{Switches: &Switches{UniformDetails: true}}, func(tn *tenant) {
		tn.upload("shops.csv", shopsCSV)
		path := tn.start("Hub", "Night", "")
		result := tn.finish(path)
		var got []string
		for _, n := range result.NestedResults {
			got = append(got, n.ObjectName)
		}
		if diff := cmp.Diff([]string{"Load Shops", "Sales.csv", "Order"}, got); diff != "" || result.Successful || !result.FailureDumpAvailable {
			t.Errorf("%s %+v", diff, result)
		}
		object := result.NestedResults[0].ObjectID
		if status := tn.call("GET", path+"/dumps/"+object+"/chunks", "", nil); status != 200 {
			t.Errorf("dump: %d", status)
		}
		if status := tn.call("GET", path+"/dump/chunks", "", nil); status != 404 {
			t.Errorf("dump of the process itself: %d", status)
		}
		again := tn.start("Hub", "Load Shops", "")
		tn.finish(again)
		if status := tn.call("GET", path+"/dumps/"+object, "", nil); status != 404 {
			t.Errorf("the dump of an earlier task: %d", status)
		}
		if status := tn.call("GET", again+"/dump", "", nil); status != 200 {
			t.Errorf("the dump of the latest task: %d", status)
		}
		tn.login("bob@example.com")
		if status := tn.call("GET", again+"/dump", "", nil); status != 404 {
			t.Errorf("another user's dump: %d", status)
		}
		tn.wantNoMisuse()
	})
}

func TestVerdictSwitches(t *testing.T) {
	for _, row := range []struct {
		name                 string
		switches             Switches
		object               string
		successful, dump     bool
		nested, firstDetails int
	}{
		{"rejects fail", Switches{}, "Load Shops", false, true, 0, 1},
		{"rejects succeed", Switches{RejectsSuccessful: true}, "Load Shops", true, true, 0, 1},
		{"silent", Switches{SilentProcess: true}, "Night", false, false, 3, 0},
		{"failure stops", Switches{}, "Stops", false, false, 2, 0},
		{"failure does not stop", Switches{ContinueAfterFailure: true}, "Stops", false, false, 3, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, Options{Switches: &row.switches}, func(tn *tenant) {
				tn.upload("shops.csv", shopsCSV)
				r := tn.finish(tn.start("Hub", row.object, ""))
				if r.Successful != row.successful || r.FailureDumpAvailable != row.dump || len(r.NestedResults) != row.nested || len(r.Details) != row.firstDetails {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

func TestCancel(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		tn.upload("shops.csv", shopsCSV)
		before := tn.s.Snapshot()
		path := tn.start("Hub", "Load Shops", "")
		queued := tn.start("Hub", "Load Shops", "")
		time.Sleep(5 * time.Second)
		var a taskAnswer
		if tn.call("DELETE", queued, "", &a); a.Task.TaskState != cancelled {
			t.Errorf("queued: %+v", a.Task)
		}
		if tn.call("DELETE", path, "", &a); a.Task.TaskState != cancelling {
			t.Errorf("running: %+v", a.Task)
		}
		time.Sleep(time.Second)
		if a := tn.task(path); a.Task.TaskState != cancelled || a.Task.CancelledBy != "ada@example.com" || a.Task.Result.Successful {
			t.Errorf("afterwards: %+v", a.Task)
		}
		if diff := cmp.Diff(string(before), string(tn.s.Snapshot())); diff != "" {
			t.Errorf("not rolled back: %s", diff)
		}
		late := tn.start("Hub", "Load Shops", "")
		time.Sleep(9500 * time.Millisecond)
		if tn.call("DELETE", late, "", &a); a.Task.TaskState != inProgress {
			t.Errorf("too late: %+v", a.Task)
		}
		time.Sleep(500 * time.Millisecond)
		if tn.call("DELETE", late, "", &a); a.Task.TaskState != complete {
			t.Errorf("over: %+v", a.Task)
		}
	})
}

func TestDeleteBySelection(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		tn.upload("shops.csv", "Shop,Code,Region,Opened\nParis,S1,EMEA,\n")
		tn.finish(tn.start("Hub", "Flag", ""))
		r := tn.finish(tn.start("Hub", "Purge", ""))
		m, _ := tn.s.Model("Hub")
		if !r.Successful || r.Details[0].Type != "deleteFromSelectionSucceeded" || len(m.Lists["Shops"]) != 0 || len(m.Cells["Flags"]) != 0 {
			t.Errorf("%+v %+v", r, m)
		}
	})
}

func TestUploadDuringImportMixes(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		tn.upload("shops.csv", "Shop,Code,Region,Opened\nLyon,S2,EMEA,\n")
		path := tn.start("Hub", "Load Shops", "")
		time.Sleep(time.Second)
		tn.upload("shops.csv", "Shop,Code,Region,Opened\nBonn,S9,AMER,\n")
		tn.finish(path)
		m, _ := tn.s.Model("Hub")
		if got := m.Lists["Shops"][1]; got.Parent == "EMEA" || len(tn.s.Misuse()) != 1 {
			t.Errorf("%+v, %q", got, tn.s.Misuse())
		}
	})
}

func TestUploadedFileGone(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		r := tn.finish(tn.start("Hub", "Load Shops", ""))
		if r.Successful || r.FailureDumpAvailable || r.Details[0].Type != "uploadedFileNoLongerAvailable" {
			t.Errorf("%+v", r)
		}
	})
	for _, importable := range []bool{false, true} {
		inBubble(t, Options{Switches: &Switches{IncompleteImportable: importable}}, func(tn *tenant) {
			f := tn.model("Hub") + "/files/113000000012"
			tn.call("POST", f, `{"chunkCount":-1}`, nil)
			tn.call("PUT", f+"/chunks/0", "Shop,Code,Region,Opened\nLyon,S2,EMEA,\n", nil)
			if r := tn.finish(tn.start("Hub", "Load Shops", "")); r.Successful != importable {
				t.Errorf("importable %t: %+v", importable, r)
			}
			if misuse := len(tn.s.Misuse()) == 1; misuse == importable {
				t.Errorf("importable %t: %q", importable, tn.s.Misuse())
			}
		})
	}
}

func TestStartRefusals(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		shops := tn.object("Hub", "Load Shops")
		for _, row := range []struct {
			path, body string
			status     int
		}{
			{shops + "/tasks", `{}`, 400},
			{shops + "/tasks", ``, 400},
			{tn.model("Hub") + "/imports/112000000999/tasks", `{"localeName":"en_US"}`, 404},
			{tn.object("Old", "Order") + "/tasks", `{"localeName":"en_US"}`, 422},
		} {
			if status := tn.call("POST", row.path, row.body, nil); status != row.status {
				t.Errorf("%s %s: %d, want %d", row.path, row.body, status, row.status)
			}
		}
		for state, status := range map[string]int{"LOCKED": 423, "MAINTENANCE": 424, "PRODUCTION": 200} {
			tn.s.modelNamed("Old").state = state
			if got := tn.call("POST", tn.object("Old", "Order")+"/tasks", `{"localeName":"en_US"}`, nil); got != status {
				t.Errorf("%s: %d, want %d", state, got, status)
			}
		}
		path := tn.start("Hub", "Order", "")
		id := path[len(path)-32:]
		if status := tn.call("GET", shops+"/tasks/"+id, "", nil); status != 404 {
			t.Errorf("a task under another object: %d", status)
		}
		var a struct{ Tasks []struct{ TaskID string } }
		if status := tn.call("GET", tn.model("Hub")+"/imports/112000000999/tasks", "", &a); status != 200 || a.Tasks != nil {
			t.Errorf("tasks of nothing: %d %+v", status, a)
		}
		if status := tn.call("GET", tn.model("Hub")+"/imports/112000000999", "", nil); status != 500 {
			t.Errorf("an import that is not there: %d", status)
		}
	})
}

func TestModelWithoutAccess(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		tn.login("bob@example.com")
		m := tn.s.modelNamed("Spoke")
		if status := tn.call("GET", "/models/"+m.id, "", nil); status != 200 {
			t.Errorf("the model: %d", status)
		}
		if status := tn.call("GET", tn.model("Spoke")+"/imports", "", nil); status != 404 {
			t.Errorf("its imports: %d", status)
		}
		if status := tn.call("GET", tn.object("Spoke", "Pull")+"/tasks", "", nil); status != 200 {
			t.Errorf("tasks: %d", status)
		}
	})
}

func TestClosedModelLoads(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		if status := tn.call("POST", tn.model("Spoke")+"/open", "", nil); status != 202 {
			t.Errorf("open: %d", status)
		}
		begun := time.Now()
		if status := tn.call("GET", tn.model("Spoke")+"/imports", "", nil); status != 200 || time.Since(begun) != time.Minute {
			t.Errorf("%d after %s", status, time.Since(begun))
		}
		tn.finish(tn.start("Spoke", "Pull", ""))
		m, _ := tn.s.Model("Spoke")
		if diff := cmp.Diff([]Item{{"Paris", "S1", "", map[string]string{}}}, m.Lists["Shops"]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBusyModel(t *testing.T) {
	for busy, want := range map[string]struct {
		status int
		took   time.Duration
	}{"": {200, 0}, "409": {409, 0}, "hang": {200, 10 * time.Second}} {
		inBubble(t, Options{Switches: &Switches{Busy: busy}}, func(tn *tenant) {
			tn.upload("shops.csv", shopsCSV)
			path := tn.start("Hub", "Load Shops", "")
			tn.task(path)
			begun := time.Now()
			if status := tn.call("GET", tn.model("Hub")+"/files", "", nil); status != want.status || time.Since(begun) != want.took {
				t.Errorf("%q: %d after %s", busy, status, time.Since(begun))
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		for i := range 600 {
			if status := tn.call("GET", "/users/me", "", nil); status != 200 {
				t.Fatalf("request %d: %d", i, status)
			}
		}
		if status := tn.call("GET", "/users/me", "", nil); status != 429 {
			t.Errorf("request 601: %d", status)
		}
		time.Sleep(time.Second)
		for i := range 11 {
			want := 200
			if i == 10 {
				want = 429
			}
			if status := tn.call("GET", "/users/me", "", nil); status != want {
				t.Errorf("a second later, request %d: %d", i, status)
			}
		}
	})
}

func TestPollingTooFastIsMisuse(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		path := tn.start("Hub", "Order", "")
		for range 5 {
			tn.task(path)
			time.Sleep(time.Second)
		}
		if n := len(tn.s.Misuse()); n != 1 {
			t.Errorf("%q", tn.s.Misuse())
		}
	})
}

// Close ends a call that hangs, and leaves no goroutine: the bubble would complain.
func TestCloseEndsHangingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(company(t, ""), Options{Switches: &Switches{Busy: "hang"}})
		tn := &tenant{t: t, s: s, hc: &http.Client{Transport: s.Transport()}}
		tn.login("ada@example.com")
		failed := make(chan error)
		go func() {
			req, _ := http.NewRequest("GET", "https://api.anaplan.com/2/0"+tn.model("Spoke")+"/imports", nil)
			req.Header.Set("Authorization", "Bearer "+tn.token)
			resp, err := tn.hc.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			failed <- err
		}()
		synctest.Wait()
		s.Close()
		if err := <-failed; err == nil {
			t.Error("the call was answered")
		}
	})
}
