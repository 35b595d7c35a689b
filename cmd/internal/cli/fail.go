package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// failure is an error as the caller of the program sees it.
type failure struct {
	code     int
	cause    ledger.Cause
	what     string
	next     string
	problems []string // one a line, when what is wrong stands in a file
	err      error
}

func (f *failure) Error() string {
	if len(f.problems) > 0 {
		return strings.Join(f.problems, "\n")
	}
	return f.what
}

func (f *failure) Unwrap() error { return f.err }

// usage is a failure of whoever called the program: 64.
func usage(next, format string, args ...any) error {
	return &failure{code: ledger.CodeUsage, cause: ledger.CauseConfig, what: fmt.Sprintf(format, args...), next: next}
}

// explain gives every error its code, cause and what to do next.
func explain(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*configs.ParamError](err); ok {
		return &failure{code: ledger.CodeUsage, cause: ledger.CauseConfig, what: e.Error(), err: err}
	}
	if problems := problemsOf(err); problems != nil {
		f := &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: "the job cannot run as it is written", err: err,
			next: "correct what is listed, then try `check`"}
		for _, p := range problems {
			f.problems = append(f.problems, p.String())
		}
		return f
	}
	end := jobs.Explain(asTokenError(err))
	return &failure{code: ledger.Code(end.Verdict, end.Cause), cause: end.Cause, what: end.Message, next: end.Next, err: err}
}

// asTokenError makes what package auth says the error by which a run knows it. Errors that
// come from a request are such already.
func asTokenError(err error) error {
	if _, ok := errors.AsType[*auth.TokenError](err); ok {
		return err
	}
	_, login := errors.AsType[*auth.LoginError](err)
	_, certificate := errors.AsType[*keystore.CertificateError](err)
	if login || certificate {
		return &auth.TokenError{Err: err}
	}
	return err
}

func problemsOf(err error) configs.Problems {
	if p, ok := errors.AsType[configs.Problems](err); ok {
		return p
	}
	if p, ok := errors.AsType[*configs.Problems](err); ok {
		return *p
	}
	return nil
}

// failed is the JSON of a command that could not do its work.
type failed struct {
	Schema   int            `json:"schema"`
	Verdict  ledger.Verdict `json:"verdict"`
	Cause    ledger.Cause   `json:"cause"`
	ExitCode int            `json:"exit_code"`
	Message  string         `json:"message"`
	Next     string         `json:"next,omitempty"`
	Problems []string       `json:"problems,omitempty"`
}

// report says what went wrong, and returns the code.
func (p *Program) report(f *failure, asJSON bool) int {
	for _, line := range f.problems {
		fmt.Fprintln(p.Err, line)
	}
	if len(f.problems) == 0 {
		fmt.Fprintf(p.Err, "%s: %s\n", name, f.what)
	}
	if f.next != "" {
		fmt.Fprintf(p.Err, "  → %s\n", f.next)
	}
	if asJSON {
		_ = writeJSON(p.Out, failed{Schema: 1, Verdict: ledger.Failed, Cause: f.cause, ExitCode: f.code,
			Message: f.what, Next: f.next, Problems: f.problems})
	}
	return f.code
}

// wantsJSON says whether the arguments ask for JSON; they may be too wrong to be parsed.
func wantsJSON(args []string) bool {
	i := slices.Index(args, "--output")
	return i >= 0 && i+1 < len(args) && args[i+1] == "json" ||
		slices.Contains(args, "--output=json")
}
