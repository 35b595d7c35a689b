package anaplan

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeTask(t *testing.T) {
	half := 0.42
	for _, tt := range []struct {
		name, json string
		want       Task
		fails      bool
	}{
		{name: "in its envelope", json: `{"meta":{},"status":{"code":200},"task":{"taskId":"5E63","taskState":"NOT_STARTED","creationTime":1785000000000}}`,
			want: Task{ID: "5E63", State: NotStarted, CreationTime: time.UnixMilli(1785000000000).UTC()}},
		{name: "bare", json: `{"taskId":"5E63"}`, want: Task{ID: "5E63"}},
		{name: "on its way", json: `{"task":{"type":"taskInformation","taskId":"5E63","currentStep":"Processing import…","progress":0.42,"taskState":"IN_PROGRESS","extra":{"a":1}}}`,
			want: Task{ID: "5E63", State: InProgress, CurrentStep: "Processing import…", Progress: &half}},
		{name: "a time as text, and nulls", json: `{"task":{"taskId":"5E63","taskState":"CANCELLING","creationTime":"1785000000000","progress":null,"currentStep":null,"result":null}}`,
			want: Task{ID: "5E63", State: Cancelling, CreationTime: time.UnixMilli(1785000000000).UTC()}},
		{name: "a time that is none", json: `{"task":{"taskId":"5E63","creationTime":"soon"}}`, want: Task{ID: "5E63"}},
		{name: "cancelled", json: `{"task":{"taskId":"5E63","taskState":"CANCELLED","cancelledBy":"ada@example.com","result":{"successful":false}}}`,
			want: Task{ID: "5E63", State: Cancelled, CancelledBy: "ada@example.com", Result: &Result{}, RawResult: []byte(`{"successful":false}`)}},

		{name: "nothing", json: ``, fails: true},
		{name: "an empty object", json: `{}`, fails: true},
		{name: "null", json: `null`, fails: true},
		{name: "a null task", json: `{"task":null}`, fails: true},
		{name: "a task without an id", json: `{"task":{"taskState":"COMPLETE"}}`, fails: true},
		{name: "an empty id", json: `{"task":{"taskId":""}}`, fails: true},
		{name: "a list", json: `{"task":[{"taskId":"5E63"}]}`, fails: true},
		{name: "a page", json: `<html>`, fails: true},
		{name: "cut", json: `{"task":{"taskId":"5E63"`, fails: true},
		{name: "more than one", json: `{"taskId":"5E63"}{"taskId":"5E64"}`, fails: true},
	} {
		got, err := decodeTask([]byte(tt.json))
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Task{})); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// What is not known to be an end is none (anaplan-api.md 11.2, 20).
func TestTerminalStates(t *testing.T) {
	for state, want := range map[TaskState]bool{
		NotStarted: false, InProgress: false, Complete: true, Cancelling: false, Cancelled: true, Failed: true,
		"": false, "PAUSED": false, "complete": false, "SUSPENDED_BY_SERVER": false,
	} {
		if got := state.Terminal(); got != want {
			t.Errorf("%q ends a task: %v", state, got)
		}
	}
}

func decoded[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestDetails(t *testing.T) {
	for _, tt := range []struct {
		name, json string
		want       Detail
	}{
		{"as documented", `{"type":"hierarchyRowsProcessed","localMessageText":"Employees: 90 (0/90) rows successful, 5 ignored ","occurrences":0,"values":["hierarchyName","Employees","ignoredCount","5"]}`,
			Detail{Type: "hierarchyRowsProcessed", Text: "Employees: 90 (0/90) rows successful, 5 ignored ", Values: map[string]string{"hierarchyName": "Employees", "ignoredCount": "5"}}},
		{"without anything", `{}`, Detail{}},
		{"all null", `{"type":null,"localMessageText":null,"occurrences":null,"values":null}`, Detail{}},
		{"null values", `{"values":["serverAlert",null,null,"x","a","1"]}`, Detail{Values: map[string]string{"a": "1"}}},
		{"an odd number", `{"values":["a","1","b"]}`, Detail{Values: map[string]string{"a": "1"}}},
		{"one", `{"values":["a"]}`, Detail{}},
		{"none", `{"values":[]}`, Detail{}},
		{"numbers and more", `{"values":["a",1,"b",true,"c",{"d":2},7,"e"],"occurrences":"12"}`,
			Detail{Occurrences: 12, Values: map[string]string{"a": "1", "b": "true", "c": `{"d":2}`, "7": "e"}}},
		{"the same key twice", `{"values":["a","1","a","2"]}`, Detail{Values: map[string]string{"a": "2"}}},
		{"an object", `{"values":{"a":"1"},"type":5}`, Detail{Type: "5"}},
	} {
		if diff := cmp.Diff(tt.want, decoded[Detail](t, tt.json)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestResults(t *testing.T) {
	got := decoded[Result](t, `{"objectId":"118000000002","successful":false,"failureDumpAvailable":true,"duration":"1500","startTime":"1785000000000",
		"nestedResults":[{"objectId":"112000000031","objectName":"Load","successful":false,"failureDumpAvailable":true,"duration":"oh"},
		{"objectId":"118000000003","successful":true,"nestedResults":[{"objectId":"116000000003","successful":true,"details":[{"type":"exportSucceeded"}]}]}]}`)
	want := Result{ObjectID: "118000000002", FailureDumpAvailable: true, Duration: 1500 * time.Millisecond, StartTime: time.UnixMilli(1785000000000).UTC(),
		Nested: []Result{{ObjectID: "112000000031", ObjectName: "Load", FailureDumpAvailable: true},
			{ObjectID: "118000000003", Successful: true, Nested: []Result{{ObjectID: "116000000003", Successful: true, Details: []Detail{{Type: "exportSucceeded"}}}}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, long := range []string{`"9223372036854775807"`, `-5`, `1e300`, `null`, `[]`} {
		if got := decoded[Result](t, `{"duration":`+long+`}`); got.Duration != 0 {
			t.Errorf("duration %s is %v", long, got.Duration)
		}
	}
}

func TestCounts(t *testing.T) {
	n := func(i int64) *int64 { return &i }
	for _, tt := range []struct {
		name   string
		values []map[string]string
		want   Counts
	}{
		{"a list import", []map[string]string{{"successRowCount": "88", "failedCount": "2", "ignoredCount": "5", "totalRowCount": "95", "warningsRowCount": "0", "createdCount": "1"}},
			Counts{Total: n(95), OK: n(88), Ignored: n(5), Warnings: n(0), Failed: n(2)}},
		{"line items add up", []map[string]string{{"lineItemName": "Salary", "successCount": "1,204", "ignoredCount": "0"}, {"lineItemName": "Bonus", "successCount": "6", "ignoredCount": "3"}},
			Counts{OK: n(1210), Ignored: n(3)}},
		{"nothing known", []map[string]string{{"hierarchyName": "Employees"}, nil}, Counts{}},
		{"no numbers", []map[string]string{{"failedCount": "some", "ignoredCount": "-3", "totalRowCount": "", "successCount": "1.204"}}, Counts{}},
		{"with blanks of several kinds", []map[string]string{{"totalRowCount": "1 204", "failedCount": "1\u00a0204", "ignoredCount": "1\u202f204"}},
			Counts{Total: n(1204), Failed: n(1204), Ignored: n(1204)}},
		{"more than can be counted", []map[string]string{{"totalRowCount": "9223372036854775807"}, {"totalRowCount": "5"}}, Counts{Total: n(math.MaxInt64)}},
	} {
		var r Result
		for _, v := range tt.values {
			r.Details = append(r.Details, Detail{Values: v})
		}
		if diff := cmp.Diff(tt.want, r.Counts()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// FuzzTask: an error gives nothing, and what was read has an id, and counts and times
// that make sense.
func FuzzTask(f *testing.F) {
	for _, s := range []string{
		`{"task":{"taskId":"5E63","taskState":"COMPLETE","progress":1.0,"creationTime":1785000000000,"result":{"objectId":"1","successful":true,"details":[{"type":"a","values":["totalRowCount","5",null,1]}],"nestedResults":[{"duration":"5","startTime":1}]}}}`,
		`{"taskId":"5E63"}`, `{"task":null}`, `{"task":{"taskId":"x","result":{"details":[{"values":[[],{}]}]}}}`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		task, err := decodeTask(data)
		if err != nil {
			if diff := cmp.Diff(Task{}, task); diff != "" {
				t.Error(diff)
			}
			return
		}
		if task.ID == "" || (task.Result == nil) != (task.RawResult == nil) {
			t.Errorf("%+v", task)
		}
		var walk func(*Result)
		walk = func(r *Result) {
			c := r.Counts()
			for _, n := range []*int64{c.Total, c.OK, c.Ignored, c.Warnings, c.Failed} {
				if n != nil && *n < 0 {
					t.Errorf("counts %+v", c)
				}
			}
			if r.Duration < 0 {
				t.Errorf("duration %v", r.Duration)
			}
			for i := range r.Nested {
				walk(&r.Nested[i])
			}
		}
		if task.Result != nil {
			walk(task.Result)
		}
	})
}

// FuzzDetail: values come from the flat list, whatever stands in it.
func FuzzDetail(f *testing.F) {
	f.Add([]byte(`{"type":"a","values":["k","v",null,"x","odd"],"occurrences":"1"}`))
	f.Add([]byte(`{"values":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Detail
		if json.Unmarshal(data, &d) != nil {
			if diff := cmp.Diff(Detail{}, d); diff != "" {
				t.Error(diff)
			}
			return
		}
		if d.Values != nil && len(d.Values) == 0 {
			t.Error("values are there, and empty")
		}
	})
}
