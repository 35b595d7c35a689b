package jobs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// TestExplainUntrustedServer is advice that helps: the network is not what is wrong.
func TestExplainUntrustedServer(t *testing.T) {
	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for _, err := range []error{
		&url.Error{Op: "Get", URL: "https://x", Err: untrusted},
		fmt.Errorf("%w: %w", refusedLogin{false}, untrusted),
	} {
		if got := Explain(err); got.Cause != ledger.CauseNetwork || !strings.Contains(got.Next, "name its authority") {
			t.Errorf("%v: %s, %s", err, got.Cause, got.Next)
		}
	}
}

// TestExplain is the cause, the code and the advice of every kind of error that a run can
// meet.
func TestExplain(t *testing.T) {
	status := func(code int, json bool) error {
		return &anaplan.Error{Method: "GET", Path: "/x", Status: code, Message: "Anaplan's text", JSON: json}
	}
	for _, tc := range []struct {
		err   error
		cause ledger.Cause
		code  int
		again bool
	}{
		{&proxy.Error{Kind: proxy.Unreachable, Text: "is bad", Advice: "look"}, ledger.CauseNetwork, 75, true},
		{&proxy.Error{Kind: proxy.Login, Text: "is bad", Advice: "look"}, ledger.CauseLogin, 77, false},
		{&proxy.Error{Kind: proxy.Refused, Text: "is bad", Advice: "look"}, ledger.CausePermission, 77, false},
		{&proxy.Error{Kind: proxy.Misconfigured, Text: "is bad", Advice: "look"}, ledger.CauseConfig, 78, false},
		{refusedLogin{true}, ledger.CauseLogin, 77, false},
		{refusedLogin{false}, ledger.CauseNetwork, 75, true},
		{configs.Problems{{What: "wrong"}}, ledger.CauseConfig, 78, false},
		{&data.GuardError{Guard: "min_rows", What: "few", Next: "look"}, ledger.CauseGuard, 65, false},
		{&data.InputError{Path: "a.csv", What: "gone", Next: "look"}, ledger.CauseInput, 65, false},
		{data.ErrAway, ledger.CauseNetwork, 75, true},
		{data.ErrDenied, ledger.CausePermission, 77, false},
		{&data.StoreError{Doing: "read", Name: "s3://b/k", Kind: data.ErrAway}, ledger.CauseNetwork, 75, true},
		{&data.StoreError{Doing: "write", Name: "gs://b/k", Why: "the store answers 403", Kind: data.ErrDenied}, ledger.CausePermission, 77, false},
		// The kind decides, whatever the library's error is.
		{&data.StoreError{Doing: "read", Name: "s3://b/k", Kind: data.ErrAway, Err: fs.ErrPermission}, ledger.CauseNetwork, 75, true},
		{&data.StoreError{Doing: "list", Name: "azblob://b/*", Kind: data.ErrDenied, Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, ledger.CausePermission, 77, false},
		{&data.StoreError{Doing: "read", Name: "s3://b/k", Kind: data.ErrChanged}, ledger.CauseInput, 65, false},
		{&data.StoreError{Doing: "read", Name: "s3://b/k", Kind: fs.ErrNotExist, Err: context.DeadlineExceeded}, ledger.CauseInput, 65, false},
		{&data.StoreError{Doing: "write", Name: "s3://b/k", Why: "the store answers 400"}, ledger.CauseInput, 65, false},
		{transfer.ErrEmpty, ledger.CauseInput, 65, false},
		{transfer.ErrChanged, ledger.CauseInput, 65, false},
		{transfer.ErrTooLarge, ledger.CauseInput, 65, false},
		{&fs.PathError{Op: "open", Path: "out.csv", Err: fs.ErrPermission}, ledger.CauseInput, 65, false},
		// As the system gives them: its error numbers are net.Errors.
		{&fs.PathError{Op: "open", Path: "in.csv", Err: syscall.ENOENT}, ledger.CauseInput, 65, false},
		{&os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EXDEV}, ledger.CauseInput, 65, false},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, ledger.CauseNetwork, 75, true},
		{anaplan.ErrNoContent, ledger.CauseInput, 65, false},
		{&anaplan.WrongFileError{Want: "113", Got: "114"}, ledger.CauseConfig, 78, false},
		{status(400, true), ledger.CauseConfig, 78, false},
		{status(401, true), ledger.CauseLogin, 77, false},
		{status(403, true), ledger.CausePermission, 77, false},
		{status(404, true), ledger.CausePermission, 77, false},
		{status(408, false), ledger.CauseNetwork, 75, true},
		{status(409, true), ledger.CauseBusy, 75, true},
		{status(422, true), ledger.CauseConfig, 78, false},
		{status(423, true), ledger.CauseBusy, 75, true},
		{status(424, true), ledger.CauseBusy, 75, true},
		{status(425, true), ledger.CauseConfig, 78, false},
		{status(429, false), ledger.CauseBusy, 75, true},
		{status(500, true), ledger.CauseNetwork, 75, true},
		{status(502, false), ledger.CauseNetwork, 75, true},
		{status(302, false), ledger.CauseNetwork, 75, true},
		{&anaplan.FormatError{Method: "GET", Path: "/x", Body: "<html>", Err: errors.New("no JSON")}, ledger.CauseNetwork, 75, true},
		{fmt.Errorf("GET /x: %w: %w", anaplan.ErrBrokenOff, io.ErrUnexpectedEOF), ledger.CauseNetwork, 75, true},
		{anaplan.ErrStalled, ledger.CauseNetwork, 75, true},
		{context.DeadlineExceeded, ledger.CauseNetwork, 75, true},
		{&url.Error{Op: "Get", URL: "https://x", Err: errors.New("reset")}, ledger.CauseNetwork, 75, true},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, ledger.CauseNetwork, 75, true},
		{&impatience{reasonBusy, 0, status(409, true)}, ledger.CauseBusy, 75, false},
		{&ledgerError{"here", errors.New("full")}, ledger.CauseInternal, 70, false},
		{errors.New("what nobody thought of"), ledger.CauseInternal, 70, false},
	} {
		for _, err := range []error{tc.err, fmt.Errorf("while doing this: %w", tc.err)} {
			end := explain(err)
			if end.Cause != tc.cause || end.Again != tc.again || end.Next == "" || !strings.Contains(end.Message, tc.err.Error()) {
				t.Errorf("%v: %s, again %v, next %q", err, end.Cause, end.Again, end.Next)
			}
			if code := ledger.Code(end.Verdict, end.Cause); code != tc.code {
				t.Errorf("%v: code %d, want %d", err, code, tc.code)
			}
		}
	}
}

// TestExplainStoreSaysWhatToDo: a store knows its own settings; else there is the usual
// advice.
func TestExplainStoreSaysWhatToDo(t *testing.T) {
	for _, kind := range []error{data.ErrAway, data.ErrDenied, data.ErrChanged, fs.ErrNotExist, nil} {
		err := &data.StoreError{Doing: "read", Name: "s3://b/k", Kind: kind}
		usual := Explain(err).Next
		err.Next = "set AWS_PROFILE"
		if got := Explain(fmt.Errorf("load: %w", err)).Next; got != err.Next || usual == "" || usual == got {
			t.Errorf("%v: %q, and usually %q", kind, got, usual)
		}
	}
}

// refusedLogin is an error of the kind that the login gives.
type refusedLogin struct{ final bool }

func (e refusedLogin) Error() string  { return "no token" }
func (e refusedLogin) NoEffect() bool { return true }
func (e refusedLogin) Final() bool    { return e.final }
func (e refusedLogin) Next() string   { return "look at the certificate" }

func FuzzDecodeJob(f *testing.F) {
	f.Add([]byte(`{"v":1,"job":{"Name":"x","Steps":[{"Name":"a"}]}}`))
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		job, err := DecodeJob(text)
		if err != nil {
			if job != nil {
				t.Error("a job came with an error")
			}
			return
		}
		again, err := EncodeJob(job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeJob(again); err != nil {
			t.Errorf("%s was read, %s is not: %v", text, again, err)
		}
	})
}
