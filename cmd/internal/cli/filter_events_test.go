package cli

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

// TestWordsOfEventsAreFiltered puts a secret into every text of every kind of event: it is
// taken out of what is said in words, and out of nothing by which a run goes on.
func TestWordsOfEventsAreFiltered(t *testing.T) {
	const canary = "canary-secret"
	f := &secret.Filter{}
	f.Add(secret.FromString(canary))
	words := []string{"text", "message", "next", "error", "tail", "changes", "texts", "current_step", "localMessageText", "cancel_asked reason", "step_reopened why"}
	for _, e := range ledgertest.Story(ledger.ID{Job: "nightly", Run: "r1"}) {
		body := reflect.New(reflect.TypeOf(e.Body)).Elem()
		sayAll(body, canary)
		given := fmt.Sprintf("%+v", body.Interface())
		got, err := json.Marshal(clean(f, body.Interface().(ledger.Body)))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v", body.Interface()) != given {
			t.Errorf("%s: what was given is changed", e.Body.Kind())
		}
		var look func(name string, v any)
		look = func(name string, v any) {
			switch v := v.(type) {
			case string:
				want := canary
				if slices.Contains(words, name) || slices.Contains(words, e.Body.Kind()+" "+name) {
					want = "[redacted]"
				}
				if v != want && (v == canary || v == "[redacted]") {
					t.Errorf("%s: %s is %q, want %q", e.Body.Kind(), name, v, want)
				}
			case []any:
				for _, in := range v {
					look(name, in)
				}
			case map[string]any:
				for name, in := range v {
					if name != "job" { // the file as it is
						look(name, in)
					}
				}
			}
		}
		var all any
		if err := json.Unmarshal(got, &all); err != nil {
			t.Fatal(err)
		}
		look("", all)
	}
}

// sayAll writes s into every text.
func sayAll(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		sayAll(v.Elem(), s)
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"details":[{"localMessageText":"` + s + `","type":"` + s + `"}],"objectId":"` + s + `"}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		sayAll(v.Index(0), s)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				sayAll(v.Field(i), s)
			}
		}
	}
}

// TestRunGoesOnThoughItsHostHoldsAPassword: a password that is a word in the address of
// Anaplan does not change what the ledger knows of the run.
func TestRunGoesOnThoughItsHostHoldsAPassword(t *testing.T) {
	sim := simulator.New(sample.Company(), simulator.Options{Speed: scriptSpeed})
	defer sim.Close()
	server := httptest.NewServer(sim)
	defer server.Close()
	dir := canaryFolder(t, server.URL)
	env := []string{"ANAPLAN_SIMULATOR_SPEED", fmt.Sprint(scriptSpeed), "SECRET_PASS", canaryPassphrase, "PGPASSWORD", "127.0.0", "ANAPLAN_LEDGER", filepath.Join(dir, "ledger.db")}
	run := call(env, "run", filepath.Join(dir, "certificate.toml"), "--run-id", "1", "--quiet")
	if got := call(env, "resume", "1", "--quiet", "--again", "sales"); got.code != run.code || got.code != 3 {
		t.Errorf("run: code %d; resume: code %d: %s", run.code, got.code, got.err)
	}
}

func TestNamesOfSecretsInAddresses(t *testing.T) {
	for name, want := range map[string]bool{"keyword": false, "design": false, "assignee": false, "monkey": false, "X-Amz-SignedHeaders": false, "sort": false,
		"sig": true, "key": true, "api_key": true, "apiKey": true, "apikey": true, "access_token": true, "accesstoken": true, "clientSecret": true, "password": true, "db_passwd": true, "passphrase": true, "credentials": true, "accesskey": true,
		"X-Amz-Signature": true, "X-Amz-Security-Token": true, "X-Goog-Credential": true, "AWSAccessKeyId": true} {
		if got := secretName(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
