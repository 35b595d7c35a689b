package ledger

// The exit codes of the program, one table for every command.
const (
	CodeOK         = 0
	CodeAction     = 1
	CodeRows       = 3
	CodeExpiring   = 4 // auth check only
	CodeUsage      = 64
	CodeInput      = 65
	CodeInternal   = 70
	CodeTemporary  = 75
	CodeUnsure     = 76
	CodePermission = 77
	CodeConfig     = 78
	CodeSkipped    = 99 // what --skip-code is meant to be under Airflow; 0 by default
	CodeTime       = 124
	CodeInterrupt  = 130
	CodeTerminate  = 143
)

// Code is the exit code of one verdict and cause. A signal's own code depends on which
// signal it was; here it is that of SIGTERM.
func Code(v Verdict, c Cause) int {
	switch v {
	case OK, Skipped:
		return CodeOK
	case Unsure:
		return CodeUnsure
	}
	switch c {
	case CauseRows:
		return CodeRows
	case CauseInput, CauseGuard:
		return CodeInput
	case CauseBusy, CauseNetwork:
		return CodeTemporary
	case CauseLogin, CausePermission:
		return CodePermission
	case CauseConfig:
		return CodeConfig
	case CauseTime:
		return CodeTime
	case CauseSignal:
		return CodeTerminate
	case CauseStartUnknown:
		return CodeUnsure
	case CauseInternal:
		return CodeInternal
	case CauseAction:
		return CodeAction
	}
	switch v {
	case Partial:
		return CodeRows
	case TimedOut:
		return CodeTime
	case Blocked:
		return CodeOK // the step that blocked it bears the code
	}
	return CodeAction
}
