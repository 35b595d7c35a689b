package memory

import (
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger/ledgertest"
)

func TestSuite(t *testing.T) { suite(t, func() *Ledger { return &Ledger{} }) }

func TestSuiteWithLeasesThatExpire(t *testing.T) {
	suite(t, func() *Ledger { return &Ledger{Expire: true} })
}

func suite(t *testing.T, open func() *Ledger) {
	ledgertest.Run(t, ledgertest.Suite{
		Open: func(t testing.TB) ledger.Ledger {
			l := open()
			t.Cleanup(func() { l.Close() })
			return l
		},
		Plant: func(_ testing.TB, l ledger.Ledger, id ledger.ID, stored []byte) {
			r := l.(*Ledger).runs[id]
			r.events = append(r.events, stored)
		},
	})
}
