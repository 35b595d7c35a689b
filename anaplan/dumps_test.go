package anaplan_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

func TestDumps(t *testing.T) {
	const want = `"_Status_","Shop","Month","Units","_Line_","_Error_1_"`
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		ctx, load := n.Context(), n.object(anaplan.KindImport, "Load Sales")
		task := n.run(load)
		if task.Result.Successful || !task.Result.FailureDumpAvailable {
			t.Fatalf("%+v", task.Result)
		}
		own := anaplan.Dump{Object: load, TaskID: task.ID}
		chunks, err := n.client.DumpChunks(ctx, own)
		n.must(err)
		got, err := readAll(n.client.GetDumpChunk(ctx, own, chunks[0].ID))
		if err != nil || !strings.HasPrefix(got, want) || !strings.Contains(got, "Nowhere") {
			t.Errorf("%q, %v", got, err)
		}
		// Inside a process: by the object that rejected rows (anaplan-api.md 12.1).
		night := n.object(anaplan.KindProcess, "Night")
		task = n.run(night)
		if len(task.Result.Nested) != 3 || task.Result.Nested[0].ObjectID != load.ID || task.Result.Nested[0].Duration == 0 {
			t.Fatalf("%+v", task.Result)
		}
		nested := anaplan.Dump{Object: night, TaskID: task.ID, Nested: load.ID}
		chunks, err = n.client.DumpChunks(ctx, nested)
		n.must(err)
		if got, err := readAll(n.client.GetDumpChunk(ctx, nested, chunks[0].ID)); err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%q, %v", got, err)
		}
		// The import's earlier one is gone now (12.4), and an action has none.
		for _, d := range []anaplan.Dump{own, {Object: night, TaskID: task.ID, Nested: task.Result.Nested[2].ObjectID}} {
			if _, err := n.client.DumpChunks(ctx, d); !errors.Is(err, anaplan.ErrNoDump) {
				t.Errorf("%+v: %v", d, err)
			}
			if _, err := n.client.GetDumpChunk(ctx, d, "0"); !errors.Is(err, anaplan.ErrNoDump) || !errors.Is(err, anaplan.ErrNotFound) {
				t.Errorf("%+v: %v", d, err)
			}
		}
	})
}

// That there is no dump is said in several ways (anaplan-api.md 12.2).
func TestNoDump(t *testing.T) {
	for _, how := range []string{"", "400", "200"} {
		inBubble(t, simulator.Options{Switches: &simulator.Switches{NoDump: how}}, anaplan.HTTPOptions{}, func(n *tenant) {
			o := n.object(anaplan.KindAction, "Purge")
			task, err := n.client.Start(n.Context(), o, english)
			n.must(err)
			n.finish(o, task.ID)
			if got, err := n.client.DumpChunks(n.Context(), anaplan.Dump{Object: o, TaskID: task.ID}); got != nil || !errors.Is(err, anaplan.ErrNoDump) {
				t.Errorf("%q: %v, %v", how, got, err)
			}
		})
	}
	c := anaplan.New(&http.Client{Transport: answering(204, "")}, api)
	if _, err := c.GetDumpChunk(t.Context(), anaplan.Dump{Object: anaplan.Object{Kind: anaplan.KindImport}}, "0"); !errors.Is(err, anaplan.ErrNoDump) {
		t.Errorf("204: %v", err)
	}
	for _, status := range []int{401, 403, 500} {
		c := anaplan.New(&http.Client{Transport: answering(status, "")}, api)
		if _, err := c.DumpChunks(t.Context(), anaplan.Dump{Object: anaplan.Object{Kind: anaplan.KindImport}}); err == nil || errors.Is(err, anaplan.ErrNoDump) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
