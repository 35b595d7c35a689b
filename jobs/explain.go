package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/proxy"
	"github.com/anaplan-runner/anaplan-runner/anaplan/transfer"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// Explain says of an error that is not a run's own what its cause is and what can be done,
// in the words of a run.
func Explain(err error) ledger.StepEnded { return explain(err).StepEnded }

// explain maps an error to its cause and to what a person can do. It is the one place
// that does; every error that a run meets passes here.
func explain(err error) *ending {
	end := func(c ledger.Cause, again bool, next string) *ending {
		return &ending{Again: again, StepEnded: ledger.StepEnded{
			Verdict: ledger.Failed, Cause: c, Message: err.Error(), Next: next}}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return end(ledger.CauseNetwork, true, "whoever answered is not trusted: check the address; if a proxy here inspects TLS, name its authority: ca in the connection, or --ca-file")
	}
	if e := explained(nil); errors.As(err, &e) {
		cause, next := e.Explain()
		return end(cause, false, next)
	}
	if e, ok := errors.AsType[*proxy.Error](err); ok {
		cause := map[proxy.Kind]ledger.Cause{proxy.Unreachable: ledger.CauseNetwork, proxy.Login: ledger.CauseLogin,
			proxy.Refused: ledger.CausePermission, proxy.Misconfigured: ledger.CauseConfig}[e.Kind]
		return end(cause, !e.Final(), e.Next())
	}
	if e := tokenError(nil); errors.As(err, &e) {
		if e.Final() {
			return end(ledger.CauseLogin, false, e.Next())
		}
		return end(ledger.CauseNetwork, true, "check the network and Anaplan's status page, then run it again")
	}
	if _, ok := errors.AsType[*ledgerError](err); ok {
		return end(ledger.CauseInternal, false, "see that the ledger can be written, then run it again; what was started is in the log")
	}
	if e, ok := errors.AsType[*impatience](err); ok {
		return end(waitCause(e.err), false, "run it again when the model is free, or raise the step's wait")
	}
	if _, ok := errors.AsType[configs.Problems](err); ok {
		return end(ledger.CauseConfig, false, "correct the job file and run it again")
	}
	if e, ok := errors.AsType[*data.GuardError](err); ok {
		return end(ledger.CauseGuard, false, e.Next)
	}
	if e, ok := errors.AsType[*data.InputError](err); ok {
		return end(ledger.CauseInput, false, e.Next)
	}
	if _, ok := errors.AsType[*ProgramError](err); ok {
		return end(ledger.CauseConfig, false, "name a program that is there and may be run: in the PATH, or by its path")
	}
	if _, ok := errors.AsType[*anaplan.WrongFileError](err); ok {
		return end(ledger.CauseConfig, false, "make the server file in Anaplan, or name one that is there")
	}
	if _, ok := errors.AsType[*ledger.HeldError](err); ok {
		return end(ledger.CauseBusy, true, "wait until that run has ended: anaplan-runner status")
	}
	if _, ok := errors.AsType[*stillRuns](err); ok {
		return end(ledger.CauseBusy, true, "wait until that has ended in Anaplan: anaplan-runner status")
	}
	if e, ok := errors.AsType[*data.StoreError](err); ok {
		next := func(usual string) string {
			if e.Next != "" {
				return e.Next
			}
			return usual
		}
		switch {
		case errors.Is(err, data.ErrAway):
			return end(ledger.CauseNetwork, true, next("check the network and the store, then run it again"))
		case errors.Is(err, data.ErrDenied):
			return end(ledger.CausePermission, false, next("see that the store's credentials are there and allow it"))
		case errors.Is(err, data.ErrChanged):
			return end(ledger.CauseInput, false, next("run this after the file was written"))
		}
		return end(ledger.CauseInput, false, next("check the name, and that it can be read and written"))
	}
	switch {
	case errors.Is(err, data.ErrAway):
		return end(ledger.CauseNetwork, true, "check the network and the store, then run it again")
	case errors.Is(err, data.ErrDenied):
		return end(ledger.CausePermission, false, "see that the store's credentials are there and allow it")
	case errors.Is(err, ledger.ErrLeaseLost):
		return end(ledger.CauseBusy, true, "another runner may have gone on in its place; continue the run when that has ended")
	case errors.Is(err, errAbsent):
		return end(ledger.CauseNetwork, true, "check the network and Anaplan's status page, then continue the run")
	case errors.Is(err, transfer.ErrEmpty):
		return end(ledger.CauseInput, false, "a file of zero bytes cannot be uploaded; give it at least its header")
	case errors.Is(err, transfer.ErrChanged):
		return end(ledger.CauseInput, false, "run this after the file was written, or write to another name and rename it")
	case errors.Is(err, transfer.ErrTooLarge):
		return end(ledger.CauseInput, false, "split the file")
	case errors.Is(err, anaplan.ErrNoContent):
		return end(ledger.CauseInput, false, "Anaplan keeps what was uploaded or exported for 48 hours, and for that user alone; upload it, or run the export again")
	case errors.Is(err, anaplan.ErrUnauthorized):
		return end(ledger.CauseLogin, false, "Anaplan refused a new token; check the user's access")
	case errors.Is(err, anaplan.ErrForbidden):
		return end(ledger.CausePermission, false, "give the user the right to do this in the model")
	case errors.Is(err, anaplan.ErrArchived):
		return end(ledger.CauseConfig, false, "ask an administrator to unarchive the model")
	case errors.Is(err, anaplan.ErrNotFound):
		return end(ledger.CausePermission, false, "it is gone, or the user has no access to the model: Anaplan answers both with 404")
	case errors.Is(err, anaplan.ErrBusy), errors.Is(err, anaplan.ErrLocked), errors.Is(err, anaplan.ErrOffline):
		return end(waitCause(err), true, "run it again when the model is free")
	case errors.Is(err, anaplan.ErrRateLimited):
		return end(ledger.CauseBusy, true, "the tenant's request budget is used up; run it again later")
	}
	// Before the network: the system's error numbers are net.Errors.
	_, path := errors.AsType[*fs.PathError](err)
	_, link := errors.AsType[*os.LinkError](err) // of a rename
	if path || link {
		return end(ledger.CauseInput, false, "check that the path can be read and written, and that the disk is not full")
	}
	if networkError(err) {
		return end(ledger.CauseNetwork, true, "check the network and Anaplan's status page, then run it again")
	}
	if e, ok := errors.AsType[*anaplan.Error](err); ok && e.Status >= 400 && e.Status < 500 {
		return end(ledger.CauseConfig, false, "Anaplan refused the request as it is; see its text")
	}
	return end(ledger.CauseInternal, false, "this should not happen; please report it with the log")
}

// waitCause is the cause of having waited in vain.
func waitCause(err error) ledger.Cause {
	if errors.Is(err, anaplan.ErrArchived) {
		return ledger.CauseConfig
	}
	return ledger.CauseBusy
}

// networkError says whether no usable answer came.
func networkError(err error) bool {
	for _, e := range []error{context.DeadlineExceeded, anaplan.ErrUnavailable, anaplan.ErrStalled, anaplan.ErrBrokenOff, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	if _, ok := errors.AsType[*anaplan.FormatError](err); ok {
		return true // the page of something between us and Anaplan
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

// tokenError is an error that kept a request from having an effect for want of a token.
// It is recognised without knowing how logins are made.
type tokenError interface {
	error
	NoEffect() bool
	Final() bool
	Next() string
}

// explained is an error of who connects to Anaplan for us, which says itself what its
// cause is, and what can be done.
type explained interface {
	error
	Explain() (cause ledger.Cause, next string)
}

// run turns the ending of something that concerns the whole run into the run's end.
func (e *ending) run() ledger.RunEnded {
	return ledger.RunEnded{Verdict: e.Verdict, Cause: e.Cause, Code: ledger.Code(e.Verdict, e.Cause),
		Message: e.Message, Next: e.Next}
}
