package simulator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const shopsCSV = `Shop,Code,Region,Opened
Paris,S1,EMEA,2021-02-01
Lyon,S2,EMEA,2022-01-01
"New York, NY",S3,AMER,13/45/26
Oslo,S4,Mars,2022-01-01
,S5,EMEA,2022-01-01
,,,
Lyon,S2,EMEA,2022-01-01
`

func TestListImportChangesListAndDumpsRejects(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		tn.upload("shops.csv", shopsCSV)
		path := tn.start("Hub", "Load Shops", "")
		result := tn.finish(path)
		if result.Successful || !result.FailureDumpAvailable {
			t.Errorf("result: %+v", result)
		}
		for key, want := range map[string]string{
			"successRowCount": "2", "successCreateCount": "1", "successUpdateCount": "1", "warningsRowCount": "1",
			"failedCount": "3", "ignoredCount": "1", "totalRowCount": "7",
		} {
			if got := result.value(key); got != want {
				t.Errorf("%s: %q, want %q", key, got, want)
			}
		}
		var dump []byte
		if status := tn.call("GET", path+"/dump/chunks/0", "", &dump); status != 200 {
			t.Fatalf("dump: %d", status)
		}
		want := `"_Status_","Shop","Code","Region","Opened","_Line_","_Error_1_"
"W","New York, NY","S3","AMER","13/45/26","4","Invalid date: 13/45/26"
"E","Oslo","S4","Mars","2022-01-01","5","Invalid parent"
"E","","S5","EMEA","2022-01-01","6","Invalid name: "
"E","Lyon","S2","EMEA","2022-01-01","8","Duplicate key: S2"
`
		if diff := cmp.Diff(want, string(dump)); diff != "" {
			t.Error(diff)
		}
		m, _ := tn.s.Model("Hub")
		wantItems := []Item{
			{"Paris", "S1", "EMEA", map[string]string{"Opened": "2021-02-01"}},
			{"Lyon", "S2", "EMEA", map[string]string{"Opened": "2022-01-01"}},
			{"New York, NY", "S3", "AMER", map[string]string{}},
		}
		if diff := cmp.Diff(wantItems, m.Lists["Shops"]); diff != "" {
			t.Error(diff)
		}
		tn.wantNoMisuse()
	})
}

func TestModuleImportReadsDefaultAndAsksPrompt(t *testing.T) {
	inBubble(t, Options{}, func(tn *tenant) {
		result := tn.finish(tn.start("Hub", "Load Sales", ""))
		if result.Successful || result.Details[0].Type != "missingFields" {
			t.Errorf("without prompt: %+v", result)
		}
		result = tn.finish(tn.start("Hub", "Load Sales", `,"mappingParameters":[{"entityType":"Version","entityName":"Actual"}]`))
		if !result.Successful || result.value("successCount") != "1" {
			t.Errorf("with prompt: %+v", result)
		}
		m, _ := tn.s.Model("Hub")
		want := map[string]string{"Paris, Jan 26, Actual / Units": "1"}
		if diff := cmp.Diff(want, m.Cells["Sales"]); diff != "" {
			t.Error(diff)
		}
		tn.wantNoMisuse()
	})
}

func TestTaskTakesItsTimeAndQueues(t *testing.T) {
	inBubble(t, Options{Switches: &Switches{UniformDetails: true, ParallelTasks: true}}, func(tn *tenant) {
		tn.upload("shops.csv", shopsCSV)
		first := tn.start("Hub", "Load Shops", "")
		second := tn.start("Hub", "Sales.csv", "")
		time.Sleep(4 * time.Second)
		if a := tn.task(first); a.Task.TaskState != inProgress || a.Task.Progress != 0.4 {
			t.Errorf("first: %+v", a.Task)
		}
		if a := tn.task(second); a.Task.TaskState != notStarted {
			t.Errorf("second: %+v", a.Task)
		}
		time.Sleep(6 * time.Second)
		if a := tn.task(first); a.Task.TaskState != complete || a.Task.CurrentStep != "Complete." {
			t.Errorf("first: %+v", a.Task)
		}
		time.Sleep(2 * time.Second)
		if a := tn.task(second); a.Task.TaskState != complete {
			t.Errorf("second: %+v", a.Task)
		}
	})
}
