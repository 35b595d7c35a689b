package configs

import (
	"fmt"
	"slices"
)

// failures are the codes of details that say an action could not run, or did nothing
// (anaplan-api.md 11.5, "Failure").
var failures = []string{
	"actionFailed", "connectorError", "crossCustomerImport", "deleteFromSelectionFailed", "failedToLocateEntity",
	"failedToLocateHierarchy", "failedToLocateModel", "failedToLocateModule", "failedToLocateSavedView", "hierarchyImportFailed",
	"hierarchyImportDuplicateSourceKey", "hierarchyImportDuplicateTargetKey", "importFailedGeneralError", "internalError",
	"missingFields", "moduleImportFailed", "moduleImportNoWriteAccess", "msgExportCancelled", "msgImportCancelled", "notAuthorised",
	"sourceModelArchived", "uploadedFileNoLongerAvailable",
}

// completions are the codes of what ran (anaplan-api.md 11.5, "Completion").
var completions = []string{
	"deleteFromSelectionSucceeded", "exportSucceeded", "hierarchyNoChanges", "hierarchyRowsProcessed",
	"hierarchyRowsProcessedWithFailures", "lineItemRowsProcessed", "lineItemRowsProcessedWithFailures", "taskElementSucceeded",
	"usersRowsProcessed", "versionsRowsProcessed",
}

// setRerunOn takes the codes of failures. Whether the step may run again at all is for the
// validator: [defaults] may say it.
func setRerunOn(s scope, st *Step, e entry) {
	codes, ok := s.texts(e, nil)
	if !ok {
		return
	}
	for i, code := range codes {
		at := e.at
		if list, isList := e.value.([]entry); isList {
			at = list[i].at
		}
		switch {
		case slices.Contains(codes[:i], code):
			s.wrong(at, e.name, fmt.Sprintf("has %q twice", code), "leave one of the two")
		case slices.Contains(failures, code):
			continue
		case slices.Contains(completions, code):
			s.wrong(at, e.name, fmt.Sprintf("%q says that the action ran", code), "name codes of failures, as connectorError; what may be rejected is in accept")
		default:
			s.wrong(at, e.name, fmt.Sprintf("Anaplan has no failure %q", code), oneOf(code, failures, ""))
		}
		ok = false
	}
	if ok {
		st.RerunOn = codes
	}
}
