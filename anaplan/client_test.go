package anaplan_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

func collect[T any](n *tenant, list iter.Seq2[T, error]) (all []T) {
	n.Helper()
	for v, err := range list {
		n.must(err)
		all = append(all, v)
	}
	return all
}

func TestWhoAndWhere(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		me, err := n.client.Me(n.Context())
		if err != nil || me.Email != "ada@example.com" || me.FirstName != "Ada" || me.LastName != "Byron" || !me.Active || len(me.ID) != 32 || len(me.CustomerID) != 32 {
			t.Errorf("%+v, %v", me, err)
		}
		spaces := collect(n, n.client.Workspaces(n.Context()))
		want := []anaplan.Workspace{{ID: n.hub.Workspace, Name: "Finance", Active: true, SizeAllowance: 4096}}
		if diff := cmp.Diff(want, spaces); diff != "" {
			t.Error(diff)
		}
		models := collect(n, n.client.Models(n.Context(), n.hub.Workspace))
		if diff := cmp.Diff(collect(n, n.client.AllModels(n.Context())), models); diff != "" {
			t.Error(diff)
		}
		// A model without access is listed too (anaplan-api.md 6.3).
		var names []string
		for _, m := range models {
			names = append(names, m.Name+" "+m.ActiveState+" "+m.WorkspaceName)
		}
		if diff := cmp.Diff([]string{"Hub UNLOCKED Finance", "Spoke UNLOCKED Finance", "Secret UNLOCKED Finance", "Bare UNLOCKED Finance"}, names); diff != "" {
			t.Error(diff)
		}
		one, err := n.client.Model(n.Context(), n.hub.Model)
		if err != nil || !cmp.Equal(one, models[0]) {
			t.Errorf("%+v, %v", one, err)
		}
		if got := n.client.ServerTime(); !got.Equal(time.Now().Truncate(time.Second)) {
			t.Errorf("the server's time is %v", got)
		}
	})
	if got := anaplan.New(http.DefaultClient, api).ServerTime(); !got.IsZero() {
		t.Errorf("before any answer the server's time is %v", got)
	}
}

// Without access everything inside a model is 404 but task lists, which are empty
// (anaplan-api.md 6.3).
func TestAModelWithoutAccess(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		secret := n.model("Secret")
		_, err := n.client.Status(n.Context(), secret)
		for what, err := range map[string]error{
			"status": err, "files": drain(n.client.Files(n.Context(), secret)), "imports": drain(n.client.Imports(n.Context(), secret)),
			"open": n.client.Open(n.Context(), secret), "count": n.client.SetChunkCount(n.Context(), secret, "113000000000", 1),
		} {
			e, ok := errors.AsType[*anaplan.Error](err)
			if !ok || !errors.Is(err, anaplan.ErrNotFound) || e.Status != 404 || !e.JSON || e.Message != "Not Found" || !strings.Contains(e.Path, secret.Model) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if m, err := n.client.Model(n.Context(), secret.Model); err != nil || m.Name != "Secret" {
			t.Errorf("%+v, %v", m, err)
		}
		if got := collect(n, n.client.Tasks(n.Context(), anaplan.Object{Model: secret, Kind: anaplan.KindImport, ID: "112000000000"})); got != nil {
			t.Errorf("tasks: %+v", got)
		}
		_, err = n.client.Start(n.Context(), anaplan.Object{Model: secret, Kind: anaplan.KindImport, ID: "112000000000"}, english)
		if !errors.Is(err, anaplan.ErrNotStarted) || !errors.Is(err, anaplan.ErrNotFound) {
			t.Errorf("start: %v", err)
		}
	})
}

// A model without files, imports and so on answers without the key (anaplan-api.md 4.3).
func TestEmptyLists(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		bare := n.model("Bare")
		if got := collect(n, n.client.Files(n.Context(), bare)); got != nil {
			t.Errorf("files: %v", got)
		}
		if got := collect(n, n.client.Imports(n.Context(), bare)); got != nil {
			t.Errorf("imports: %v", got)
		}
		if got := collect(n, n.client.Actions(n.Context(), bare)); got != nil {
			t.Errorf("actions: %v", got)
		}
		if got, err := n.client.Chunks(n.Context(), n.hub, n.file()); err != nil || got != nil {
			t.Errorf("chunks: %v, %v", got, err)
		}
	})
}

func TestObjects(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		file := n.file()
		files := collect(n, n.client.Files(n.Context(), n.hub))
		want := anaplan.File{ID: file, Name: "sales.csv", Delimiter: `"`, Encoding: "UTF-8", Separator: ",", Format: "txt", HeaderRow: 1, FirstDataRow: 2}
		if diff := cmp.Diff(want, files[0]); diff != "" {
			t.Error(diff)
		}
		load, out := n.object(anaplan.KindImport, "Load Sales"), n.object(anaplan.KindExport, "Sales Out")
		night, purge := n.object(anaplan.KindProcess, "Night"), n.object(anaplan.KindAction, "Purge")
		for _, o := range []anaplan.Object{load, out, night, purge} {
			if kind, ok := anaplan.KindOf(o.ID); !ok || kind != o.Kind || !strings.HasPrefix(o.ID, kind.Prefix()) {
				t.Errorf("%s is a %s, %v", o.ID, kind, ok)
			}
		}
		if got := collect(n, n.client.Imports(n.Context(), n.hub))[0]; got.File() != file || got.Type != "MODULE_DATA" {
			t.Errorf("%+v", got)
		}
		spoke := n.model("Spoke")
		pull := collect(n, n.client.Imports(n.Context(), spoke))[0]
		if pull.File() != "" || pull.DataSource.Type != "MODEL" || pull.DataSource.SourceModelID != n.hub.Model || pull.DataSource.SourceModel != "Hub" || pull.DataSource.SourceSpaceID != n.hub.Workspace {
			t.Errorf("%+v", pull)
		}
		d, err := n.client.ImportDetail(n.Context(), spoke, pull.ID)
		if diff := cmp.Diff(anaplan.ImportDetail{Name: "Pull", Type: "MODEL"}, d); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		n.upload()
		d, err = n.client.ImportDetail(n.Context(), n.hub, load.ID)
		wantDetail := anaplan.ImportDetail{Name: "Load Sales", Type: "FILE", Source: anaplan.ImportSource{
			Encoding: "UTF-8", Separator: ",", Delimiter: `"`, HeaderRow: 1, FirstDataRow: 2, HeaderNames: []string{"Shop", "Month", "Units"}, ColumnCount: 3}}
		if diff := cmp.Diff(wantDetail, d); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		e, err := n.client.ExportDetail(n.Context(), n.hub, out.ID)
		if err != nil || e.ColumnCount != 4 || e.Format != "text/csv" || len(e.HeaderNames) != 4 || e.Separator != "," {
			t.Errorf("%+v, %v", e, err)
		}
		p, err := n.client.ProcessDetail(n.Context(), n.hub, night.ID)
		if err != nil || p.Name != "Night" || len(p.Actions) != 3 || p.Actions[0].ID != load.ID || p.Actions[0].File() != file ||
			p.Actions[0].DataSource.Type != "FILE" || p.Actions[1].ActionType != "EXPORT" || p.Actions[2].ActionType != "DELETE_BY_SELECTION" {
			t.Errorf("%+v, %v", p, err)
		}
		a, err := n.client.ActionDetail(n.Context(), n.hub, purge.ID)
		if err != nil || a.ID != purge.ID || a.Name != "Purge" || a.Type != "DELETE_BY_SELECTION" || a.ListID == "" || a.FilterID == "" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

func TestKinds(t *testing.T) {
	for _, tt := range []struct {
		id   string
		kind anaplan.Kind
		ok   bool
	}{
		{"112000000031", anaplan.KindImport, true}, {"116000000003", anaplan.KindExport, true},
		{"117000000009", anaplan.KindAction, true}, {"118000000002", anaplan.KindProcess, true},
		{"113000000012", "", false}, {"11200000003", "", false}, {"1120000000311", "", false}, {"11200000003x", "", false}, {"", "", false},
	} {
		if kind, ok := anaplan.KindOf(tt.id); kind != tt.kind || ok != tt.ok {
			t.Errorf("%q is a %q, %v", tt.id, kind, ok)
		}
	}
	for kind, path := range map[anaplan.Kind]string{anaplan.KindImport: "imports", anaplan.KindExport: "exports", anaplan.KindAction: "actions", anaplan.KindProcess: "processes"} {
		if kind.Path() != path {
			t.Errorf("%s is below %s", kind, kind.Path())
		}
	}
	for want, i := range map[string]anaplan.Import{
		"113000000012": {DataSourceID: "113000000012"}, "113000000013": {DataSource: anaplan.DataSource{ID: "113000000013"}},
		"": {DataSourceID: "102000000007", DataSource: anaplan.DataSource{ID: "102000000007"}},
	} {
		if got := i.File(); got != want {
			t.Errorf("file of %+v is %q", i, got)
		}
	}
}

type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// answering gives every request the same answer.
func answering(status int, body string) http.RoundTripper {
	return answers(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
}

func TestTasksAndCancel(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		ctx, o := n.Context(), n.object(anaplan.KindExport, "Sales Out")
		if got := collect(n, n.client.Tasks(ctx, o)); got != nil {
			t.Errorf("tasks: %+v", got)
		}
		first, err := n.client.Start(ctx, o, english)
		n.must(err)
		if got := n.finish(o, first.ID); got.State != anaplan.Complete || got.CurrentStep != "Complete." || got.RawResult == nil {
			t.Errorf("%+v", got)
		}
		second, err := n.client.Start(ctx, o, english)
		n.must(err)
		time.Sleep(5 * time.Second)
		got, err := n.client.Cancel(ctx, o, second.ID)
		if err != nil || got.ID != second.ID || got.State.Terminal() {
			t.Errorf("%+v, %v", got, err)
		}
		got = n.finish(o, second.ID)
		if got.State != anaplan.Cancelled || got.CancelledBy != "ada@example.com" || got.Result == nil || got.Result.Successful || got.Result.Details[0].Type != "msgExportCancelled" {
			t.Errorf("%+v", got)
		}
		if got, err := n.client.Cancel(ctx, o, second.ID); err != nil || got.State != anaplan.Cancelled {
			t.Errorf("cancelled twice: %+v, %v", got, err)
		}
		var states []anaplan.TaskState
		for _, task := range collect(n, n.client.Tasks(ctx, o)) {
			states = append(states, task.State)
			if task.CreationTime.IsZero() {
				t.Errorf("%+v", task)
			}
		}
		if diff := cmp.Diff([]anaplan.TaskState{anaplan.Complete, anaplan.Cancelled}, states); diff != "" {
			t.Error(diff)
		}
	})
	// A cancel that is accepted without a word is no error.
	c := anaplan.New(&http.Client{Transport: answering(204, "")}, api)
	if got, err := c.Cancel(t.Context(), anaplan.Object{Kind: anaplan.KindImport}, "x"); err != nil || got.ID != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Task(t.Context(), anaplan.Object{Kind: anaplan.KindImport}, "x"); err == nil {
		t.Error("a task was read from nothing")
	}
}

func TestTheStatusOfABusyModel(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		status, err := n.client.Status(n.Context(), n.hub)
		if diff := cmp.Diff(anaplan.ModelStatus{CurrentStep: "Open", Progress: -1}, status); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		task, err := n.client.Start(n.Context(), n.object(anaplan.KindExport, "Sales Out"), english)
		n.must(err)
		time.Sleep(5 * time.Second)
		status, err = n.client.Status(n.Context(), n.hub)
		if err != nil || status.TaskID != task.ID || !strings.Contains(status.Tooltip, "Sales Out") || !strings.Contains(status.Tooltip, "ada@example.com") || status.Progress <= 0 {
			t.Errorf("%+v, %v", status, err)
		}
	})
	// With the envelope that some documents show, too (anaplan-api.md 8.2).
	c := anaplan.New(&http.Client{Transport: answering(200, `{"status":{"code":200},"requestStatus":{"currentStep":"Closing","progress":0.5}}`)}, api)
	if got, err := c.Status(t.Context(), anaplan.ModelRef{}); err != nil || got.CurrentStep != "Closing" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, body := range []string{"", "{}", "null", `{"requestStatus":null}`, "<html>"} {
		c := anaplan.New(&http.Client{Transport: answering(200, body)}, api)
		if _, err := c.Status(t.Context(), anaplan.ModelRef{}); !isFormat(err) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func isFormat(err error) bool {
	_, ok := errors.AsType[*anaplan.FormatError](err)
	return ok
}

// What is sent, to the letter.
func TestRequests(t *testing.T) {
	type sent struct{ Method, URL, Type, Accept, Body string }
	var got []sent
	c := anaplan.New(&http.Client{Transport: answers(func(req *http.Request) (*http.Response, error) {
		s := sent{req.Method, req.URL.String(), req.Header.Get("Content-Type"), req.Header.Get("Accept"), ""}
		if req.Body != nil {
			data, _ := io.ReadAll(req.Body)
			s.Body = string(data)
			if req.ContentLength != int64(len(data)) {
				t.Errorf("%s: length %d of %d", s.URL, req.ContentLength, len(data))
			}
		}
		if len(req.Header) > 2 {
			t.Errorf("%s: headers %v", s.URL, req.Header)
		}
		got = append(got, s)
		return answering(200, `{"file":{"id":"113000000012"},"task":{"taskId":"x"}}`).RoundTrip(req)
	})}, "https://api.anaplan.com/2/0/")
	ctx, m := t.Context(), anaplan.ModelRef{Workspace: "8a80", Model: "0A1B"}
	o := anaplan.Object{Model: m, Kind: anaplan.KindProcess, ID: "118000000002"}
	_, _ = c.Start(ctx, o, anaplan.StartOptions{Locale: "en_US", Mapping: []anaplan.MappingParameter{{EntityType: "Time", EntityName: "Jan 26", ImportID: "112000000031"}}})
	_, _ = c.Start(ctx, o, english)
	_, _ = c.Task(ctx, o, "5E63")
	_, _ = c.Cancel(ctx, o, "5E63")
	_ = c.SetChunkCount(ctx, m, "113000000012", -1)
	zipped := text("zip")
	zipped.Gzip = true
	_ = c.PutChunk(ctx, m, "113000000012", 0, zipped)
	_ = c.PutChunk(ctx, m, "113000000012", 12, text("plain"))
	_ = c.Complete(ctx, m, "113000000012")
	_, _ = c.ProcessDetail(ctx, m, "118000000002")
	_, _ = c.GetChunk(ctx, m, "a/../b c?", "0")
	_ = c.Open(ctx, m)
	const base = "https://api.anaplan.com/2/0/workspaces/8a80/models/0A1B"
	want := []sent{
		{"POST", base + "/processes/118000000002/tasks", "application/json", "application/json", `{"localeName":"en_US","mappingParameters":[{"entityType":"Time","entityName":"Jan 26","importId":"112000000031"}]}`},
		{"POST", base + "/processes/118000000002/tasks", "application/json", "application/json", `{"localeName":"en_US"}`},
		{"GET", base + "/processes/118000000002/tasks/5E63?includeProcessDetails=true", "", "application/json", ""},
		{"DELETE", base + "/processes/118000000002/tasks/5E63", "", "application/json", ""},
		{"POST", base + "/files/113000000012", "application/json", "application/json", `{"chunkCount":-1}`},
		{"PUT", base + "/files/113000000012/chunks/0", "application/x-gzip", "application/json", "zip"},
		{"PUT", base + "/files/113000000012/chunks/12", "application/octet-stream", "application/json", "plain"},
		{"POST", base + "/files/113000000012/complete", "application/json", "application/json", `{"id":"113000000012"}`},
		{"GET", base + "/processes/118000000002?showImportDataSource=true", "", "application/json", ""},
		{"GET", base + "/files/a%2F..%2Fb%20c%3F/chunks/0", "", "*/*", ""},
		{"POST", base + "/open", "", "application/json", ""},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestAnAnswerThatIsTooLarge(t *testing.T) {
	c := anaplan.New(&http.Client{Transport: answers(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(blanks{})}, nil
	})}, api)
	if _, err := c.Me(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than 64 MB") {
		t.Errorf("got %v", err)
	}
}

// blanks never end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestABodyThatCannotBeOpened(t *testing.T) {
	gone := errors.New("gone")
	c := anaplan.New(&http.Client{Transport: answering(204, "")}, api)
	body := anaplan.Body{Size: 1, Open: func() (io.ReadCloser, error) { return nil, gone }}
	if err := c.PutChunk(t.Context(), anaplan.ModelRef{}, "f", 0, body); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if _, err := anaplan.New(http.DefaultClient, "http://[").Me(t.Context()); err == nil || !strings.Contains(err.Error(), "GET /users/me") {
		t.Errorf("got %v", err)
	}
}

// A client whose http.Client has none of our wrappers says what broke off, or was stopped.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	c := anaplan.New(&http.Client{Transport: answers(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"user":`), failing{}))}, nil
	})}, api)
	if _, err := c.Me(t.Context()); !errors.Is(err, anaplan.ErrBrokenOff) || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "GET /users/me") {
		t.Errorf("got %v", err)
	}
	cause := errors.New("stopped by SIGTERM")
	ctx, cancel := context.WithCancelCause(t.Context())
	c = anaplan.New(&http.Client{Transport: answers(func(*http.Request) (*http.Response, error) {
		cancel(cause)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(failing{})}, nil
	})}, api)
	if _, err := c.Me(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// failing is the body of a connection that breaks off.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestStartErrorsSayWhatIsKnown(t *testing.T) {
	cause := errors.New("reset")
	for _, e := range []*anaplan.StartError{{Err: cause}, {Unknown: true, Err: cause}} {
		want := "it was not started: reset"
		if e.Unknown {
			want = "it may have been started: reset"
		}
		if e.Error() != want || !errors.Is(e, cause) {
			t.Errorf("%q", e)
		}
	}
}
