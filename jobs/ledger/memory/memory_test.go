package memory

import (
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

func TestSuite(t *testing.T) {
	ledgertest.Run(t, ledgertest.Suite{
		Open: func(testing.TB) ledger.Ledger { return &Ledger{} },
		Plant: func(_ testing.TB, l ledger.Ledger, id ledger.ID, stored []byte) {
			r := l.(*Ledger).runs[id]
			r.events = append(r.events, stored)
		},
	})
}
