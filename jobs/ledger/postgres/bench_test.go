package postgres

import (
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

func BenchmarkAppend(b *testing.B) {
	l := mustOpen(b, fresh(b))
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

func BenchmarkTake(b *testing.B) {
	l := mustOpen(b, fresh(b))
	for b.Loop() {
		h, err := l.Take(b.Context(), "k", holder())
		if err != nil {
			b.Fatal(err)
		}
		h.Release()
	}
}
