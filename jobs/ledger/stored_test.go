package ledger_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestStoredForm holds how each kind of event is stored. Ledgers live for years: a line
// of the golden file may gain fields, and never change or lose any.
func TestStoredForm(t *testing.T) {
	path := filepath.Join("testdata", "stored_v1.jsonl")
	story := ledgertest.Story(ledger.ID{Job: "nightly", Run: "r1"})
	var got bytes.Buffer
	seen := map[string]bool{}
	for i, e := range story {
		e.Seq = int64(i + 1)
		story[i] = e
		data, err := ledger.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(data)
		got.WriteByte('\n')
		seen[e.Body.Kind()] = true
	}
	for _, k := range ledger.Kinds() {
		if !seen[k] {
			t.Errorf("%s is not in the story", k)
		}
	}
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(want), []byte("\n")) {
		e, err := ledger.Decode(line)
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		if diff := cmp.Diff(story[i], e); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i+1, diff)
		}
	}
}

// TestEveryFieldIsStored fills every field of every kind with something and expects it
// back: a field without a name in JSON, or two of one name, would be lost.
func TestEveryFieldIsStored(t *testing.T) {
	for _, e := range ledgertest.Story(ledger.ID{Job: "nightly", Run: "r1"}) {
		body := reflect.New(reflect.TypeOf(e.Body)).Elem()
		fill(t, body)
		want := ledger.Event{Seq: 7, At: ledgertest.T0, Step: "s", Body: body.Interface().(ledger.Body)}
		data, err := ledger.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Body.Kind(), diff)
		}
	}
}

// fill gives every field a value that is not its zero value.
func fill(t *testing.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(ledgertest.T0))
		return
	case json.RawMessage:
		v.SetBytes([]byte(`{"a":[1]}`))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key)
		fill(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("a field of kind %s: teach this test to fill it", v.Kind())
	}
}

func BenchmarkFoldOf10000(b *testing.B) {
	id := ledger.ID{Job: "j", Run: "r"}
	events := []ledger.Event{ledgertest.Created(id, ledgertest.T0), ledgertest.In("load", 0, ledger.StepStarted{Try: 1}),
		ledgertest.In("load", 0, ledger.Intent{Number: 1}), ledgertest.In("load", 0, ledger.TaskStarted{Number: 1, Task: "T"})}
	for len(events) < 10000 {
		events = append(events, ledgertest.In("load", time.Second, ledger.TaskSeen{Task: "T", State: "IN_PROGRESS"}))
	}
	for i := range events {
		events[i].Seq = int64(i + 1)
	}
	for b.Loop() {
		if _, err := ledger.Fold(events); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTransfersOfOlderPrograms: ledgers hold events that do not say how long a transfer took.
func TestTransfersOfOlderPrograms(t *testing.T) {
	for line, want := range map[string]ledger.Body{
		`{"v":1,"seq":7,"kind":"source_uploaded","at":"2026-11-24T01:00:06Z","step":"load","body":{"file":{"id":"113"},"path":"a.csv","bytes":9,"rows":5,"chunks":1,"digest":"d","user":"U1"}}`: ledger.SourceUploaded{
			File: ledger.ObjectRef{ID: "113"}, Path: "a.csv", Bytes: 9, Rows: new(int64(5)), Chunks: 1, Digest: "d", User: "U1"},
		`{"v":1,"seq":8,"kind":"target_written","at":"2026-11-24T01:00:17Z","step":"load","body":{"file":{"id":"116"},"path":"o.csv","bytes":4,"chunks":1,"digest":"e"}}`: ledger.TargetWritten{
			File: ledger.ObjectRef{ID: "116"}, Path: "o.csv", Bytes: 4, Chunks: 1, Digest: "e"},
	} {
		e, err := ledger.Decode([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, e.Body); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
