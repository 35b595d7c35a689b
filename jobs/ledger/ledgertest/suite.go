// Package ledgertest is the suite that every implementation of a ledger must pass.
package ledgertest

import (
	"testing"

	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Suite is an implementation under test.
type Suite struct {
	// Open gives a new, empty ledger, and closes it at the end of the test.
	Open func(t testing.TB) ledger.Ledger
	// Plant adds an event, as it is stored, behind the ledger's back to a run that is
	// there: what a newer program or a bad disk has left.
	Plant func(t testing.TB, l ledger.Ledger, id ledger.ID, stored []byte)
}

// Run tests an implementation.
func Run(t *testing.T, s Suite) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Suite)
	}{
		{"AppendGivesNumbers", appendGivesNumbers},
		{"KeepsEveryKind", keepsEveryKind},
		{"EventsAfter", eventsAfter},
		{"NoRun", noRun},
		{"OfTwoWritersOneFails", ofTwoWritersOneFails},
		{"ManyWriters", manyWriters},
		{"ManyRunsAtOnce", manyRunsAtOnce},
		{"AllOrNothing", allOrNothing},
		{"RefusesWhatIsWrong", refusesWhatIsWrong},
		{"RefusesOlderEpochs", refusesOlderEpochs},
		{"NothingToAppend", nothingToAppend},
		{"LargeEvents", largeEvents},
		{"OddNames", oddNames},
		{"WrongNames", wrongNames},
		{"EveryVerdictAndCause", everyVerdictAndCause},
		{"RunsAreListed", runsAreListed},
		{"RunsAtTheSameInstant", runsAtTheSameInstant},
		{"UnknownKindStopsReading", unknownKindStopsReading},
		{"EndedContext", endedContext},
		{"Closed", closed},
		{"WhatWasGivenMayChange", whatWasGivenMayChange},
		{"LikeAMapOfSlices", likeAMapOfSlices},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s) })
	}
}
