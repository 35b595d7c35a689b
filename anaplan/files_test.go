package anaplan_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

func TestFiles(t *testing.T) {
	for _, zero := range []bool{false, true} { // the echoed count is not to be trusted
		inBubble(t, simulator.Options{Switches: &simulator.Switches{EchoZero: zero}}, anaplan.HTTPOptions{}, func(n *tenant) {
			ctx, f := n.Context(), n.file()
			if _, err := n.client.GetFile(ctx, n.hub, f); !errors.Is(err, anaplan.ErrNoContent) || !errors.Is(err, anaplan.ErrNotFound) {
				t.Errorf("a file without content: %v", err)
			}
			n.must(n.client.SetChunkCount(ctx, n.hub, f, 2))
			n.must(n.client.PutChunk(ctx, n.hub, f, 1, text("B")))
			if _, err := n.client.GetChunk(ctx, n.hub, f, "0"); !errors.Is(err, anaplan.ErrNoContent) {
				t.Errorf("a chunk that is not there: %v", err)
			}
			n.must(n.client.PutChunk(ctx, n.hub, f, 0, text("a")))
			n.must(n.client.PutChunk(ctx, n.hub, f, 0, text("A")))
			chunks, err := n.client.Chunks(ctx, n.hub, f)
			if diff := cmp.Diff([]anaplan.Chunk{{ID: "0", Name: "Chunk 0"}, {ID: "1", Name: "Chunk 1"}}, chunks); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			for id, want := range map[string]string{"0": "A", "1": "B"} {
				if got, err := readAll(n.client.GetChunk(ctx, n.hub, f, id)); got != want || err != nil {
					t.Errorf("chunk %s is %q, %v", id, got, err)
				}
			}
			if got, err := readAll(n.client.GetFile(ctx, n.hub, f)); got != "AB" || err != nil {
				t.Errorf("the file is %q, %v", got, err)
			}
			n.must(n.client.SetChunkCount(ctx, n.hub, f, anaplan.UnknownLength))
			n.must(n.client.PutChunk(ctx, n.hub, f, 0, text("C")))
			n.must(n.client.Complete(ctx, n.hub, f))
			n.must(n.client.Complete(ctx, n.hub, f))
			if got, err := readAll(n.client.GetFile(ctx, n.hub, f)); got != "C" || err != nil {
				t.Errorf("the file is %q, %v", got, err)
			}
			n.must(n.client.PutFile(ctx, n.hub, f, text("D")))
			if got, err := readAll(n.client.GetChunk(ctx, n.hub, f, "0")); got != "D" || err != nil {
				t.Errorf("the chunk is %q, %v", got, err)
			}
			n.must(n.client.DeleteFile(ctx, n.hub, f))
			n.must(n.client.DeleteFile(ctx, n.hub, f))
			if _, err := n.client.GetChunk(ctx, n.hub, f, "0"); !errors.Is(err, anaplan.ErrNoContent) {
				t.Errorf("after the delete: %v", err)
			}
			if err := n.client.PutFile(ctx, n.hub, f, anaplan.Body{Gzip: true}); err == nil {
				t.Error("a whole file was compressed")
			}
		})
	}
}

// An id that is no file makes a new file of that name (anaplan-api.md 9.3).
func TestTheTrapThatMakesAFile(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		err := n.client.SetChunkCount(n.Context(), n.hub, "113999999999", 1)
		e, ok := errors.AsType[*anaplan.WrongFileError](err)
		if !ok || e.Want != "113999999999" || e.Got == e.Want || e.Got == "" || !strings.Contains(err.Error(), "nothing was uploaded") {
			t.Errorf("got %v", err)
		}
	})
	for _, body := range []string{`{}`, `{"file":null}`, `{"file":{}}`, `{"file":{"id":""}}`, ``} {
		c := anaplan.New(&http.Client{Transport: answering(200, body)}, api)
		err := c.SetChunkCount(t.Context(), anaplan.ModelRef{Workspace: "w", Model: "m"}, "113000000012", 1)
		if e, ok := errors.AsType[*anaplan.FormatError](err); !ok || e.Method != "POST" {
			t.Errorf("%s: %v", body, err)
		}
	}
}
