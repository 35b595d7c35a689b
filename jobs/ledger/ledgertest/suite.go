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
	// Second gives another handle on a ledger, as another process has one, and closes it at
	// the end of the test. Nil: there is none, and the ledger itself is used.
	Second func(t testing.TB, l ledger.Ledger) ledger.Ledger
	// Database goes around a ledger. Nil: it keeps no tables, and what is to be said of them
	// is not tested.
	Database func(t testing.TB, l ledger.Ledger) Database
	// Illegal are statements that this database must refuse, beside those that every one
	// must.
	Illegal []Illegal
}

func (s Suite) second(t testing.TB, l ledger.Ledger) ledger.Ledger {
	if s.Second == nil {
		return l
	}
	return s.Second(t, l)
}

type test struct {
	name string
	run  func(*testing.T, Suite)
}

// Run tests an implementation.
func Run(t *testing.T, s Suite) {
	tests := []test{
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
		{"RunsThatMoved", runsThatMoved},
		{"UnknownKindStopsReading", unknownKindStopsReading},
		{"EndedContext", endedContext},
		{"Closed", closed},
		{"WhatWasGivenMayChange", whatWasGivenMayChange},
		{"LikeAMapOfSlices", likeAMapOfSlices},
		{"TheListFollows", theListFollows},
		{"RefusesIllegalMoves", refusesIllegalMoves},
		{"PlansSkippedStepsAgain", plansSkippedStepsAgain},
		{"GoesOnAfterEachOutcome", goesOnAfterEachOutcome},
		{"UnsettledStarts", unsettledStarts},
		{"UnsettledOfANewerProgram", unsettledOfANewerProgram},
		{"TasksOfAnObject", tasksOfAnObject},
		{"TasksOfAnotherObject", tasksOfAnotherObject},
		{"Wishes", wishes},
		{"RemovedRuns", removedRuns},
		{"OneHolderAtATime", oneHolderAtATime},
		{"OddKeys", oddKeys},
		{"ManyTakers", manyTakers},
		{"TakingEndsWithTheContext", takingEndsWithTheContext},
		{"ClosingGivesLeasesBack", closingGivesLeasesBack},
		{"IntentsNeedTheLastLease", intentsNeedTheLastLease},
		{"EpochsOfARun", epochsOfARun},
	}
	if s.Database != nil {
		tests = append(tests, []test{
			{"TablesFollowTheEvents", tablesFollowTheEvents},
			{"TablesHoldOddTexts", tablesHoldOddTexts},
			{"TablesFollowRandomHistories", tablesFollowRandomHistories},
			{"TablesRefuseIllegalMoves", tablesRefuseIllegalMoves},
			{"ARunThatIsGoneIsNotRemembered", aRunThatIsGoneIsNotRemembered},
		}...)
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}
