package jobs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const (
	importID = "112000000031"
	secondID = "112000000032"
	exportID = "116000000003"
	deleteID = "117000000009"
)

func detail(kind string, values ...string) anaplan.Detail {
	d := anaplan.Detail{Type: kind, Text: "Anaplan's text on " + kind, Values: map[string]string{}}
	for i := 0; i+1 < len(values); i += 2 {
		d.Values[values[i]] = values[i+1]
	}
	return d
}

// rowsLoaded is a list import's detail with these counts.
func rowsLoaded(ok, ignored, warnings, failed int) anaplan.Detail {
	return detail("hierarchyRowsProcessedWithFailures", "successRowCount", fmt.Sprint(ok), "ignoredCount", fmt.Sprint(ignored),
		"warningsRowCount", fmt.Sprint(warnings), "failedCount", fmt.Sprint(failed), "totalRowCount", fmt.Sprint(ok+ignored+warnings+failed))
}

// cellsLoaded is a module import's detail on one line item with these counts.
func cellsLoaded(lineItem string, ok, ignored, failed int) anaplan.Detail {
	kind := "lineItemRowsProcessed"
	if failed > 0 {
		kind += "WithFailures"
	}
	return detail(kind, "lineItemName", lineItem, "successCount", fmt.Sprint(ok), "ignoredCount", fmt.Sprint(ignored),
		"failedCount", fmt.Sprint(failed), "totalCount", fmt.Sprint(ok+ignored+failed))
}

func result(id string, successful bool, details ...anaplan.Detail) anaplan.Result {
	return anaplan.Result{ObjectID: id, ObjectName: "name of " + id, Successful: successful, Details: details}
}

func flagged(r anaplan.Result) anaplan.Result {
	r.FailureDumpAvailable = true
	return r
}

func dumps(id string, rejected, warned int64) map[string]dumpCollected {
	return map[string]dumpCollected{id: {Path: "/dumps/" + id + ".csv", Stats: ledger.DumpStats{Rejected: rejected, Warned: warned}}}
}

func accept(f func(*configs.Accept)) configs.Accept {
	var a configs.Accept
	f(&a)
	return a
}

func failed(n int64) configs.Accept {
	return accept(func(a *configs.Accept) { a.Failed = &configs.Limit{Rows: n} })
}

func share(percent float64) *configs.Limit { return &configs.Limit{Share: true, Percent: percent} }

// TestJudgeImport is the table "Accept" of design.md 4 for what is not a process. Rows
// that say nothing of `successful` are judged with both values: Anaplan is known to
// report rejected rows either way (anaplan-api.md 11.3).
func TestJudgeImport(t *testing.T) {
	yes, no, both := []bool{true}, []bool{false}, []bool{true, false}
	zero := int64(0)
	truth := true
	lost := map[string]dumpCollected{importID: {Err: anaplan.ErrNoDump}}
	for _, tc := range []struct {
		name       string
		successful []bool
		details    []anaplan.Detail
		dump       bool
		dumps      map[string]dumpCollected
		accept     configs.Accept
		step       string
		want       ledger.Verdict
		cause      ledger.Cause
		says       string
	}{
		{name: "clean", successful: yes, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 0)}, want: ledger.OK, says: "90 loaded"},
		{name: "clean without counts", successful: yes, want: ledger.OK, says: "successful"},
		{name: "clean, yet not successful", successful: no, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 0)}, want: ledger.Failed, cause: ledger.CauseAction, says: "no reason"},
		{name: "one row failed", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 1)}, want: ledger.Partial, cause: ledger.CauseRows, says: "1 of 91 rows failed, the job accepts 0"},
		{name: "as many failed as accepted", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 10)}, accept: failed(10), want: ledger.OK, says: "10 rejected"},
		{name: "one more failed than accepted", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 11)}, accept: failed(10), want: ledger.Partial, cause: ledger.CauseRows},
		{name: "failed within a share", successful: both, details: []anaplan.Detail{rowsLoaded(98, 0, 0, 2)}, accept: configs.Accept{Failed: share(2)}, want: ledger.OK},
		{name: "failed beyond a share", successful: both, details: []anaplan.Detail{rowsLoaded(97, 0, 0, 3)}, accept: configs.Accept{Failed: share(2)}, want: ledger.Partial, cause: ledger.CauseRows, says: "accepts 2%"},
		{name: "warnings", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 3, 0)}, want: ledger.Partial, cause: ledger.CauseRows, says: "warnings"},
		{name: "warnings accepted", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 3, 0)}, accept: configs.Accept{Warnings: &configs.Limit{Rows: 3}}, want: ledger.OK},
		{name: "ignored rows are accepted unless said", successful: both, details: []anaplan.Detail{rowsLoaded(90, 50, 0, 0)}, want: ledger.OK},
		{name: "more ignored than accepted", successful: both, details: []anaplan.Detail{rowsLoaded(90, 10, 0, 0)}, accept: configs.Accept{Ignored: share(5)}, want: ledger.Partial, cause: ledger.CauseRows, says: "ignored"},
		{name: "nothing loaded", successful: both, details: []anaplan.Detail{rowsLoaded(0, 12, 0, 0)}, want: ledger.Partial, cause: ledger.CauseRows, says: "at least 1"},
		{name: "nothing loaded, accepted", successful: yes, details: []anaplan.Detail{rowsLoaded(0, 12, 0, 0)}, accept: configs.Accept{MinLoaded: &zero}, want: ledger.OK},
		{name: "an unchanged list counts as loaded", successful: yes, details: []anaplan.Detail{detail("hierarchyNoChanges", "successRowCount", "0")}, want: ledger.OK},
		{name: "counts from the dump", successful: both, dump: true, dumps: dumps(importID, 7, 0), want: ledger.Partial, cause: ledger.CauseRows, says: "7 rows failed"},
		{name: "counts from the dump, accepted", successful: both, dump: true, dumps: dumps(importID, 7, 0), accept: failed(7), want: ledger.OK},
		{name: "the details win over the dump", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 3)}, dump: true, dumps: dumps(importID, 700, 0), accept: failed(3), want: ledger.OK},
		{name: "an announced dump that cannot be had", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 3)}, dump: true, dumps: lost, accept: failed(100), want: ledger.Partial, cause: ledger.CauseRows, says: "cannot be had"},
		{name: "the details deny what the dump holds", successful: both, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 0)}, dump: true, dumps: dumps(importID, 7, 0), want: ledger.Partial, cause: ledger.CauseRows, says: "7 of 90 rows failed"},
		{name: "a share of an unknown total", successful: both, dump: true, dumps: dumps(importID, 7, 0), accept: configs.Accept{Failed: share(50)}, want: ledger.Partial, cause: ledger.CauseRows, says: "does not say of how many"},
		{name: "everything of an unknown total", successful: both, dump: true, dumps: dumps(importID, 7, 0), accept: configs.Accept{Failed: share(100)}, want: ledger.OK},
		{name: "rows with warnings are loaded", successful: both, details: []anaplan.Detail{rowsLoaded(0, 0, 5, 0)}, accept: configs.Accept{Warnings: &configs.Limit{Rows: 5}}, want: ledger.OK},
		{name: "cells failed, their rows loaded in part", successful: both, details: []anaplan.Detail{cellsLoaded("Units", 90, 0, 3), cellsLoaded("Revenue", 93, 0, 0)}, dump: true, dumps: dumps(importID, 0, 3), accept: failed(3), want: ledger.OK, says: "3 rejected"},
		{name: "cells failed, more than accepted", successful: both, details: []anaplan.Detail{cellsLoaded("Units", 90, 0, 3), cellsLoaded("Revenue", 92, 0, 1)}, dump: true, dumps: dumps(importID, 1, 3), accept: failed(3), want: ledger.Partial, cause: ledger.CauseRows, says: "4 of 186 rows failed"},
		{name: "a share of cells", successful: both, details: []anaplan.Detail{cellsLoaded("Units", 98, 0, 2), cellsLoaded("Revenue", 100, 0, 0)}, accept: configs.Accept{Failed: share(1)}, want: ledger.OK},
		{name: "ignored cells of a calculated line item", successful: both, details: []anaplan.Detail{cellsLoaded("Units", 50, 50, 0)}, accept: configs.Accept{Ignored: share(49)}, want: ledger.Partial, cause: ledger.CauseRows, says: "50 of 100 rows ignored"},
		{name: "cells without counts", successful: yes, details: []anaplan.Detail{detail("lineItemRowsProcessed")}, want: ledger.OK, says: "successful"},
		{name: "cells without counts, with a dump", successful: both, details: []anaplan.Detail{detail("lineItemRowsProcessedWithFailures")}, dump: true, dumps: dumps(importID, 4, 2), accept: failed(4), want: ledger.Partial, cause: ledger.CauseRows, says: "2 rows loaded with warnings"},
		{name: "a detail about rows, not counted", successful: no, details: []anaplan.Detail{detail("hierarchyImportInvalidParent")}, dump: true, dumps: dumps(importID, 2, 0), accept: failed(2), want: ledger.OK},
		{name: "rejected rows and a fault that nobody knows", successful: no, details: []anaplan.Detail{rowsLoaded(90, 0, 0, 1), detail("somethingNew")}, accept: failed(100), want: ledger.Failed, cause: ledger.CauseAction, says: "Anaplan's text on somethingNew"},
		{name: "could not run", successful: both, details: []anaplan.Detail{detail("uploadedFileNoLongerAvailable")}, want: ledger.Failed, cause: ledger.CauseAction, says: "Anaplan's text on uploadedFileNoLongerAvailable"},
		{name: "could not run, though rows are counted", successful: both, details: []anaplan.Detail{rowsLoaded(1, 0, 0, 0), detail("notAuthorised")}, accept: failed(100), want: ledger.Failed, cause: ledger.CauseAction},
		{name: "no evidence", successful: no, want: ledger.Failed, cause: ledger.CauseAction, says: "gives no reason"},
		{name: "no evidence is not accepted by unexplained", successful: no, accept: configs.Accept{Unexplained: &truth}, want: ledger.Failed, cause: ledger.CauseAction},
		{name: "a detail that nobody knows", successful: no, details: []anaplan.Detail{detail("somethingNew")}, want: ledger.Failed, cause: ledger.CauseAction, says: "Anaplan's text on somethingNew"},
		{name: "a detail that nobody knows, and successful", successful: yes, details: []anaplan.Detail{detail("somethingNew")}, want: ledger.OK},
		{name: "the last step says Failed.", successful: both, step: "Failed.", details: []anaplan.Detail{rowsLoaded(90, 0, 0, 0)}, want: ledger.Failed, cause: ledger.CauseAction},
	} {
		for _, successful := range tc.successful {
			t.Run(fmt.Sprintf("%s/%v", tc.name, successful), func(t *testing.T) {
				r := result(importID, successful, tc.details...)
				r.FailureDumpAvailable = tc.dump
				step := tc.step
				if step == "" {
					step = "Complete."
				}
				got := judge(judged{Verb: configs.Import, Object: ledger.ObjectRef{ID: importID, Name: "Load"}, Accept: tc.accept,
					Task: anaplan.Task{State: anaplan.Complete, CurrentStep: step, Result: &r}, Dumps: tc.dumps})
				check(t, got, tc.want, tc.cause, tc.says)
			})
		}
	}
}

func check(t *testing.T, got ledger.StepEnded, want ledger.Verdict, cause ledger.Cause, says string) {
	t.Helper()
	if got.Verdict != want || got.Cause != cause {
		t.Errorf("got %s (%s), want %s (%s): %s", got.Verdict, got.Cause, want, cause, got.Message)
	}
	if !strings.Contains(got.Message, says) {
		t.Errorf("message %q does not say %q", got.Message, says)
	}
	if got.Verdict != ledger.OK && got.Next == "" {
		t.Errorf("%s: nothing is said of what to do next", got.Message)
	}
}

// TestJudgeProcess is the same table for processes.
func TestJudgeProcess(t *testing.T) {
	truth := true
	actions := []ledger.ObjectRef{{ID: importID, Name: "Load"}, {ID: exportID, Name: "Out"}, {ID: deleteID, Name: "Purge"}}
	clean := []anaplan.Result{result(importID, true, rowsLoaded(90, 0, 0, 0)), result(exportID, true, detail("exportSucceeded")), result(deleteID, true)}
	with := func(first anaplan.Result, rest ...anaplan.Result) []anaplan.Result {
		return append([]anaplan.Result{first}, rest...)
	}
	both := []bool{true, false}
	for _, tc := range []struct {
		name       string
		successful []bool // of the process, and of nested results that say nothing of it
		nested     func(successful bool) []anaplan.Result
		details    []anaplan.Detail
		dump       bool
		dumps      map[string]dumpCollected
		accept     configs.Accept
		parts      []ImportPart
		step       string
		want       ledger.Verdict
		cause      ledger.Cause
		says       string
	}{
		{name: "clean", successful: []bool{true}, nested: func(bool) []anaplan.Result { return clean }, want: ledger.OK, says: "3 actions"},
		{name: "clean, yet not successful", successful: []bool{false}, nested: func(bool) []anaplan.Result { return clean }, want: ledger.Partial, cause: ledger.CauseRows, says: "gives no reason"},
		{name: "clean, not successful, accepted", successful: []bool{false}, nested: func(bool) []anaplan.Result { return clean }, accept: configs.Accept{Unexplained: &truth}, want: ledger.OK},
		{name: "a nested import rejects rows", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, rowsLoaded(88, 5, 0, 2)), clean[1:]...)
		}, want: ledger.Partial, cause: ledger.CauseRows, says: "2 of 95 rows failed"},
		{name: "the step accepts them", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, rowsLoaded(88, 5, 0, 2)), clean[1:]...)
		}, accept: failed(2), want: ledger.OK},
		{name: "the action accepts them, the step does not", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, rowsLoaded(88, 5, 0, 2)), clean[1:]...)
		}, parts: []ImportPart{{Object: actions[0], Accept: failed(2)}}, want: ledger.OK},
		{name: "the step accepts them, the action does not", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, rowsLoaded(88, 5, 0, 2)), clean[1:]...)
		}, accept: failed(2), parts: []ImportPart{{Object: actions[0]}}, want: ledger.Partial, cause: ledger.CauseRows},
		{name: "ignored rows explain not successful", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, rowsLoaded(88, 5, 0, 0)), clean[1:]...)
		}, want: ledger.OK},
		{name: "a nested import without a reason", successful: []bool{false}, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok), clean[1:]...)
		}, want: ledger.Partial, cause: ledger.CauseRows, says: "gives no reason"},
		{name: "an action could not run, the rest did", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, detail("failedToLocateModule")), clean[1:]...)
		}, accept: failed(1000), want: ledger.Failed, cause: ledger.CauseAction, says: "failedToLocateModule"},
		{name: "an action has no result", successful: both, nested: func(ok bool) []anaplan.Result { return clean[:2] }, want: ledger.Failed, cause: ledger.CauseAction, says: `"Purge"`},
		{name: "failed outright with details", successful: []bool{false}, nested: func(bool) []anaplan.Result { return nil }, details: []anaplan.Detail{detail("actionFailed")}, step: "Failed.", want: ledger.Failed, cause: ledger.CauseAction, says: "actionFailed"},
		{name: "failed outright without a word", successful: []bool{false}, nested: func(bool) []anaplan.Result { return nil }, want: ledger.Failed, cause: ledger.CauseAction, says: "did not run"},
		{name: "successful without a word", successful: []bool{true}, nested: func(bool) []anaplan.Result { return nil }, want: ledger.OK},
		{name: "its own dump", successful: both, nested: func(bool) []anaplan.Result { return clean }, dump: true, dumps: dumps("118000000002", 3, 0), want: ledger.Partial, cause: ledger.CauseRows, says: "3 rows failed"},
		{name: "a nested dump that cannot be had", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(flagged(result(importID, ok, rowsLoaded(88, 5, 0, 2))), clean[1:]...)
		}, dump: true, dumps: map[string]dumpCollected{importID: {Err: errors.New("gone")}}, accept: failed(100), want: ledger.Partial, cause: ledger.CauseRows, says: "cannot be had"},
		{name: "not successful, with a word of its own", successful: []bool{false}, nested: func(bool) []anaplan.Result { return clean }, details: []anaplan.Detail{detail("somethingNew")}, accept: configs.Accept{Unexplained: &truth}, want: ledger.Failed, cause: ledger.CauseAction, says: "Anaplan's text on somethingNew"},
		{name: "an action that could not run", successful: both, nested: func(ok bool) []anaplan.Result {
			return with(result(importID, ok, detail("uploadedFileNoLongerAvailable")), clean[1:]...)
		}, accept: failed(100), want: ledger.Failed, cause: ledger.CauseAction, says: "Anaplan's text on uploadedFileNoLongerAvailable"},
		{name: "an action without a result", successful: both, nested: func(bool) []anaplan.Result { return clean[:2] }, want: ledger.Failed, cause: ledger.CauseAction, says: "did not run"},
		{name: "an announced dump that no action has", successful: both, nested: func(bool) []anaplan.Result { return clean }, dump: true, dumps: map[string]dumpCollected{"118000000002": {Err: anaplan.ErrNoDump}}, accept: failed(100), want: ledger.Partial, cause: ledger.CauseRows, says: "cannot be had"},
		{name: "a process in a process", successful: both, nested: func(ok bool) []anaplan.Result {
			inner := anaplan.Result{ObjectID: "118000000009", Successful: ok, Nested: []anaplan.Result{result(secondID, ok, rowsLoaded(1, 0, 0, 4))}}
			return append([]anaplan.Result{inner}, clean...)
		}, want: ledger.Partial, cause: ledger.CauseRows, says: "4 of 5 rows failed"},
	} {
		for _, successful := range tc.successful {
			t.Run(fmt.Sprintf("%s/%v", tc.name, successful), func(t *testing.T) {
				r := anaplan.Result{ObjectID: "118000000002", Successful: successful, Details: tc.details, FailureDumpAvailable: tc.dump, Nested: tc.nested(successful)}
				step := tc.step
				if step == "" {
					step = "Complete."
				}
				got := judge(judged{Verb: configs.Process, Object: ledger.ObjectRef{ID: "118000000002", Name: "Nightly"}, Accept: tc.accept,
					Imports: tc.parts, Actions: actions, Dumps: tc.dumps,
					Task: anaplan.Task{State: anaplan.Complete, CurrentStep: step, Result: &r}})
				check(t, got, tc.want, tc.cause, tc.says)
			})
		}
	}
}

func TestJudgeOtherStates(t *testing.T) {
	r := result(importID, true, rowsLoaded(1, 0, 0, 0))
	for _, tc := range []struct {
		name string
		task anaplan.Task
		want ledger.Verdict
		says string
	}{
		{"cancelled", anaplan.Task{State: anaplan.Cancelled, CancelledBy: "somebody"}, ledger.Cancelled, "somebody"},
		{"cancelled with a result", anaplan.Task{State: anaplan.Cancelled, Result: &r}, ledger.Cancelled, "rolled it back"},
		{"complete without a result", anaplan.Task{State: anaplan.Complete}, ledger.Failed, "without a result"},
		{"failed, a state that no source documents", anaplan.Task{State: anaplan.Failed, Result: &r}, ledger.Failed, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := judge(judged{Verb: configs.Import, Object: ledger.ObjectRef{ID: importID, Name: "Load"}, Task: tc.task})
			check(t, got, tc.want, ledger.CauseAction, tc.says)
		})
	}
}
