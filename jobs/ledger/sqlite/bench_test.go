package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

func BenchmarkAppend(b *testing.B) {
	l := mustOpen(b, filepath.Join(b.TempDir(), "ledger.db"))
	id := ledger.ID{Job: "j", Run: "r"}
	seq, err := l.Append(b.Context(), id, 0, 0, ledgertest.Created(id, ledgertest.T0))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if seq, err = l.Append(b.Context(), id, seq, 0, ledgertest.In("load", time.Second, ledger.Warned{Text: "w"})); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTakeAndRelease(b *testing.B) {
	l := mustOpen(b, filepath.Join(b.TempDir(), "ledger.db"))
	for b.Loop() {
		h, err := l.Take(b.Context(), "k", ledger.Holder{})
		if err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}

func BenchmarkRunsOver1000(b *testing.B) {
	l := mustOpen(b, filepath.Join(b.TempDir(), "ledger.db"))
	for n := range 1000 {
		id := ledger.ID{Job: "j", Run: fmt.Sprint(n)}
		if _, err := l.Append(b.Context(), id, 0, 0, ledgertest.Story(id)...); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if runs, err := l.Runs(b.Context(), ledger.Query{Limit: 1000}); err != nil || len(runs) != 1000 {
			b.Fatal(len(runs), err)
		}
	}
}

func BenchmarkEventsOf10000(b *testing.B) {
	l := mustOpen(b, filepath.Join(b.TempDir(), "ledger.db"))
	id := ledger.ID{Job: "j", Run: "r"}
	events := []ledger.Event{ledgertest.Created(id, ledgertest.T0)}
	for n := range 9999 {
		events = append(events, ledgertest.In("load", time.Duration(n), ledger.Warned{Text: "w"}))
	}
	if _, err := l.Append(b.Context(), id, 0, 0, events...); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if events, err := l.Events(b.Context(), id, 0); err != nil || len(events) != 10000 {
			b.Fatal(len(events), err)
		}
	}
}
