package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

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

// Explain tells a run that meets it, as a connection that cannot be made, what it is.
func (f *failure) Explain() (ledger.Cause, string) { return f.cause, f.next }

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
	if f := decisionFailure(err); f != nil {
		return f
	}
	if problems := problemsOf(err); problems != nil {
		f := &failure{code: ledger.CodeConfig, cause: ledger.CauseConfig, what: "the job cannot run as it is written", err: err,
			next: "correct what is listed, then try `check`"}
		if !slices.ContainsFunc(problems, func(p configs.Problem) bool { return p.File != "" }) { // there is no file
			f.what, f.next = problems[0].String(), "`"+name+" list` shows what is there"
		}
		for _, p := range problems {
			f.problems = append(f.problems, p.String())
		}
		return f
	}
	if f := ledgerTrouble(err); f != nil {
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

// report says what went wrong: on stderr, and where the words of the command line ask for
// the result, which may be too wrong to be parsed. It returns the code.
func (p *Program) report(f *failure, words []string) int {
	p.say(f, asked(words, "log-format") == "json")
	result := failed{Schema: 1, Verdict: ledger.Failed, Cause: f.cause, ExitCode: f.code, Message: f.what, Next: f.next, Problems: f.problems}
	// A result that other programs read, as a table or as metrics, is not replaced by what they cannot read.
	others := slices.Contains([]string{"csv", "ics", "prom"}, asked(words, "output"))
	if path := asked(words, "result-file"); path != "" && !others {
		if err := p.writeResultFile(path, result); err != nil {
			p.log.Errorf("--result-file %s: %v", path, err)
		}
	}
	if asked(words, "output") == "json" {
		_ = p.writeClean(p.Out, result)
	}
	return f.code
}

// say tells of a failure on stderr.
func (p *Program) say(f *failure, asJSON bool) {
	lines := f.problems
	if len(lines) == 0 {
		lines = []string{f.what}
	}
	if asJSON {
		p.log.SetFormatter(jsonLines())
		for _, line := range lines {
			p.log.WithFields(logrus.Fields{"exit_code": f.code, "next": f.next}).Error(line)
		}
		return
	}
	for _, line := range lines {
		if len(f.problems) == 0 {
			line = name + ": " + line
		}
		fmt.Fprintln(p.Err, line)
	}
	if f.next != "" {
		fmt.Fprintf(p.Err, "  → %s\n", f.next)
	}
}

// asked is the value that the words of a command line, flags first, give to a flag; empty
// if they give none.
func asked(words []string, flag string) string {
	value := ""
	for i, w := range words {
		given, of, assigned := strings.Cut(w, "=")
		switch {
		case w == "--":
			return value
		case given != "--"+flag:
		case assigned:
			value = of
		case i+1 < len(words):
			value = words[i+1]
		}
	}
	return value
}
