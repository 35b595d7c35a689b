package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// judged is all that the verdict on a finished task depends on.
type judged struct {
	Verb    configs.Verb
	Object  ledger.ObjectRef
	Task    anaplan.Task
	Accept  configs.Accept
	Imports []ImportPart             // with what each accepts
	Actions []ledger.ObjectRef       // of a process, in order
	Dumps   map[string]dumpCollected // by the id of the object that rejected rows
}

// dumpCollected is what became of an announced failure dump.
type dumpCollected struct {
	Path  string
	Stats ledger.DumpStats
	Err   error // it was announced and cannot be had
	bytes int64
}

// couldNotRun are the details that say an action could not run at all, at whatever
// level they stand (anaplan-api.md 11.5, "Failure").
var couldNotRun = map[string]bool{
	"actionFailed": true, "connectorError": true, "crossCustomerImport": true,
	"deleteFromSelectionFailed": true, "failedToLocateEntity": true,
	"failedToLocateHierarchy": true, "failedToLocateModel": true,
	"failedToLocateModule": true, "failedToLocateSavedView": true,
	"hierarchyImportFailed": true, "hierarchyImportDuplicateSourceKey": true,
	"hierarchyImportDuplicateTargetKey": true, "importFailedGeneralError": true,
	"internalError": true, "missingFields": true, "moduleImportFailed": true,
	"moduleImportNoWriteAccess": true, "msgExportCancelled": true,
	"msgImportCancelled": true, "notAuthorised": true, "sourceModelArchived": true,
	"uploadedFileNoLongerAvailable": true,
}

// completed are the details of something that ran (anaplan-api.md 11.5, "Completion").
var completed = map[string]bool{
	"deleteFromSelectionSucceeded": true, "exportSucceeded": true, "hierarchyNoChanges": true,
	"hierarchyRowsProcessed": true, "hierarchyRowsProcessedWithFailures": true,
	"lineItemRowsProcessed": true, "lineItemRowsProcessedWithFailures": true,
	"taskElementSucceeded": true, "usersRowsProcessed": true, "versionsRowsProcessed": true,
}

// rowLevel are the details that say what was wrong with rows (anaplan-api.md 11.5, "Row
// level").
var rowLevel = map[string]bool{
	"columnSeparatorExpected": true, "dateFormatInvalid": true, "hierarchyImportInvalidCode": true,
	"hierarchyImportInvalidName": true, "hierarchyImportInvalidParent": true, "hierarchyImportEmptyKey": true,
	"hierarchyImportFailedDependency": true, "hierarchyImportNameOrCodeExists": true,
	"hierarchyImportAccessNoUpdate": true, "hierarchyImportAccessNoMove": true,
	"moduleImportBooleanFormat": true, "moduleImportDateFormat": true, "moduleImportNumberFormat": true,
	"moduleImportInvalidLineItemIdentifier": true, "moduleImportInvalidListIdentifier": true,
	"moduleImportInvalidTimeEntityIdentifier": true, "unmatchedTextDelimiter": true,
	"usersImportInvalidEmail": true, "usersImportInvalidRole": true, "usersImportConflictingRoles": true,
}

// other says whether a detail speaks of something else than rows. With a result that is
// not successful it is a fault besides the rejected rows, known to us or not.
func other(d anaplan.Detail) bool { return d.Type != "" && !completed[d.Type] && !rowLevel[d.Type] }

// judge says how a step whose task has ended ended itself: the table "Accept" of
// design.md 4. It is pure.
func judge(j judged) ledger.StepEnded {
	switch {
	case j.Task.State == anaplan.Cancelled:
		return ledger.StepEnded{Verdict: ledger.Cancelled, Cause: ledger.CauseAction,
			Message: j.says("Anaplan cancelled it and rolled it back" + by(j.Task.CancelledBy)),
			Next:    "find out who cancelled it, and run it again"}
	case j.Task.Result == nil:
		return ledger.StepEnded{Verdict: ledger.Failed, Cause: ledger.CauseAction,
			Message: j.says(fmt.Sprintf("Anaplan ended it (%s, %q) without a result", j.Task.State, j.Task.CurrentStep)),
			Next:    "look at the action's history in Anaplan"}
	}
	var end ledger.StepEnded
	if j.Verb == configs.Process {
		end = j.process(*j.Task.Result)
	} else {
		a := j.leaf(*j.Task.Result, j.Accept, false)
		end = ledger.StepEnded{Verdict: a.Verdict, Cause: a.Cause, Message: j.says(a.Message), Rows: a.Rows,
			Actions: []ledger.ActionVerdict{a}}
	}
	if failedTask(j.Task) && end.Verdict != ledger.Failed {
		end.Verdict, end.Cause = ledger.Failed, ledger.CauseAction
		end.Message = j.says(fmt.Sprintf("Anaplan's last step was %q; %s", j.Task.CurrentStep, sentence(texts(*j.Task.Result))))
	}
	end.Next = next(end)
	return end
}

// failedTask says whether the task itself says that it failed. No source documents the
// state FAILED, two clients know it (anaplan-api.md 20).
func failedTask(t anaplan.Task) bool {
	return t.State == anaplan.Failed || t.CurrentStep == "Failed."
}

// leaf judges one import, export or other action. inProcess is the difference between a
// process that may say nothing about itself and an action that must.
func (j judged) leaf(r anaplan.Result, accept configs.Accept, inProcess bool) ledger.ActionVerdict {
	a := ledger.ActionVerdict{Object: j.name(r), Texts: texts(r), Rows: rows(r), Started: r.StartTime, Duration: r.Duration}
	dump, announced := j.Dumps[r.ObjectID]
	if announced && dump.Err == nil {
		a.Dump, a.DumpPath = &dump.Stats, dump.Path
		a.Rows = withDump(a.Rows, dump.Stats, cells(r))
	}
	end := func(v ledger.Verdict, c ledger.Cause, format string, args ...any) ledger.ActionVerdict {
		a.Verdict, a.Cause, a.Message = v, c, fmt.Sprintf(format, args...)
		return a
	}
	if d := find(r, func(d anaplan.Detail) bool { return couldNotRun[d.Type] }); d != nil {
		return end(ledger.Failed, ledger.CauseAction, "it could not run: %s", said(*d))
	}
	if d := find(r, other); d != nil && !r.Successful {
		return end(ledger.Failed, ledger.CauseAction, "Anaplan says it was not successful: %s", said(*d))
	}
	faults := announced || find(r, func(d anaplan.Detail) bool { return rowLevel[d.Type] }) != nil || r.FailureDumpAvailable || above(a.Rows.Failed, 0) || above(a.Rows.Warnings, 0) || above(a.Rows.Ignored, 0)
	if !r.Successful && !faults {
		switch {
		case !inProcess:
			return end(ledger.Failed, ledger.CauseAction, "Anaplan says it was not successful, and gives no reason")
		case !unexplained(accept):
			return end(ledger.Partial, ledger.CauseRows, "Anaplan says it was not successful, and gives no reason")
		}
		return end(ledger.OK, "", "Anaplan says it was not successful, and gives no reason; the job accepts that")
	}
	if announced && dump.Err != nil {
		return end(ledger.Partial, ledger.CauseRows, "rows were rejected, and which cannot be had: %v", dump.Err)
	}
	if why := exceeds(a.Rows, accept, imports(r.ObjectID), find(r, unchanged) != nil); why != "" {
		return end(ledger.Partial, ledger.CauseRows, "%s", why)
	}
	return end(ledger.OK, "", "%s", counted(a.Rows))
}

// process judges a process by each of its actions, and by what it says of itself.
func (j judged) process(r anaplan.Result) ledger.StepEnded {
	var end ledger.StepEnded
	missing := slices.Clone(j.Actions)
	explained := false
	for _, n := range leaves(r.Nested) {
		a := j.leaf(n, j.acceptOf(n.ObjectID), true)
		end.Actions = append(end.Actions, a)
		explained = explained || !n.Successful || n.FailureDumpAvailable || above(a.Rows.Failed, 0) ||
			above(a.Rows.Warnings, 0) || above(a.Rows.Ignored, 0)
		if i := slices.IndexFunc(missing, func(o ledger.ObjectRef) bool { return o.ID == n.ObjectID }); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
		}
	}
	// A process that says it was successful and nothing more has run (11.3: what there is
	// nothing to say of is left out). Else an action without a result did not run.
	if len(r.Nested) > 0 || !r.Successful {
		for _, o := range missing {
			end.Actions = append(end.Actions, ledger.ActionVerdict{Object: o, Verdict: ledger.Failed,
				Cause: ledger.CauseAction, Message: "Anaplan gives no result for it: it did not run"})
		}
	}
	own := r
	own.Nested = nil
	if d := find(own, func(d anaplan.Detail) bool { return couldNotRun[d.Type] }); d != nil {
		end.Verdict, end.Cause, end.Message = ledger.Failed, ledger.CauseAction, j.says("it could not run: "+said(*d))
		return end
	}
	if d := find(own, other); d != nil && !r.Successful {
		end.Verdict, end.Cause, end.Message = ledger.Failed, ledger.CauseAction, j.says("Anaplan says it was not successful: "+said(*d))
		return end
	}
	if dump, ok := j.Dumps[j.Object.ID]; ok { // the process's own
		explained = true
		a := ledger.ActionVerdict{Object: j.Object, Verdict: ledger.OK, Dump: &dump.Stats, DumpPath: dump.Path,
			Rows: ledger.Rows{Failed: &dump.Stats.Rejected, Warnings: &dump.Stats.Warned}}
		if dump.Err != nil {
			a.Dump, a.Rows, a.Verdict, a.Cause = nil, ledger.Rows{}, ledger.Partial, ledger.CauseRows
			a.Message = fmt.Sprintf("rows were rejected, and which cannot be had: %v", dump.Err)
		} else if why := exceeds(a.Rows, j.Accept, false, false); why != "" {
			a.Verdict, a.Cause, a.Message = ledger.Partial, ledger.CauseRows, why
		}
		end.Actions = append(end.Actions, a)
	}
	end.Rows = sum(end.Actions)
	end.Verdict, end.Cause, end.Message = worst(end.Actions)
	if end.Verdict == ledger.OK && !r.Successful && !explained && !unexplained(j.Accept) {
		end.Verdict, end.Cause = ledger.Partial, ledger.CauseRows
		end.Message = "Anaplan says it was not successful, and gives no reason"
	}
	if end.Verdict == ledger.OK {
		end.Message = fmt.Sprintf("%s; %s", plural(int64(len(end.Actions)), "action"), counted(end.Rows))
	}
	end.Message = j.says(end.Message)
	return end
}

// leaves flattens nested results: a process inside a process counts by its actions.
func leaves(nested []anaplan.Result) []anaplan.Result {
	var all []anaplan.Result
	for _, n := range nested {
		if len(n.Nested) > 0 && !faulty(n) {
			all = append(all, leaves(n.Nested)...)
			continue
		}
		all = append(all, n)
		all = append(all, leaves(n.Nested)...)
	}
	return all
}

// faulty says whether a nested result says something of itself that its own nested ones
// may not.
func faulty(r anaplan.Result) bool { return len(r.Details) > 0 || r.FailureDumpAvailable }

func (j judged) acceptOf(id string) configs.Accept {
	for _, p := range j.Imports {
		if p.Object.ID == id {
			return p.Accept
		}
	}
	return j.Accept
}

func (j judged) name(r anaplan.Result) ledger.ObjectRef {
	if r.ObjectID == j.Object.ID || r.ObjectID == "" {
		return j.Object
	}
	for _, o := range j.Actions { // nested results may lack their names
		if o.ID == r.ObjectID {
			return o
		}
	}
	return ledger.ObjectRef{ID: r.ObjectID, Name: r.ObjectName}
}

func (j judged) says(text string) string {
	return fmt.Sprintf("%s %q (%s): %s", j.Verb, j.Object.Name, j.Object.ID, text)
}

// worst is the verdict of a process by those of its actions.
func worst(actions []ledger.ActionVerdict) (ledger.Verdict, ledger.Cause, string) {
	for _, v := range []ledger.Verdict{ledger.Failed, ledger.Partial} {
		for _, a := range actions {
			if a.Verdict == v {
				return v, a.Cause, fmt.Sprintf("%q (%s): %s", a.Object.Name, a.Object.ID, a.Message)
			}
		}
	}
	return ledger.OK, "", ""
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return " (cancelled by " + who + ")"
}

func imports(id string) bool { return strings.HasPrefix(id, "112") }

func unchanged(d anaplan.Detail) bool { return d.Type == "hierarchyNoChanges" }

// find is the first detail of a result, itself or nested, that a function wants.
func find(r anaplan.Result, want func(anaplan.Detail) bool) *anaplan.Detail {
	for i := range r.Details {
		if want(r.Details[i]) {
			return &r.Details[i]
		}
	}
	for _, n := range r.Nested {
		if d := find(n, want); d != nil {
			return d
		}
	}
	return nil
}
