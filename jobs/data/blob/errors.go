package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"gocloud.dev/gcerrors"
	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// errReplaced: the object is not the one it was.
var errReplaced = errors.New("the object was replaced or removed meanwhile")

// parameterError is a URL whose parameters cannot be used.
type parameterError struct{ what string }

func (e *parameterError) Error() string { return e.what }

// credentialsError says that there are none.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "there are no credentials" }
func (e *credentialsError) Unwrap() error { return e.err }

// parameter is an error of opening a bucket, which calls nobody. Its text may hold the URL.
func parameter(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return err
	}
	for _, known := range []string{"unknown query parameter", "invalid query parameter", "invalid value", "AccountName", "domain", "protocol", "profile", "role"} {
		if i := strings.Index(err.Error(), known); i >= 0 {
			return &parameterError{"the parameters of the URL, or the settings of the environment: " + firstLine(err.Error()[i:])}
		}
	}
	return err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// status is what a service answered: an HTTP status, and its own code; 0 and "" for none.
func status(err error) (int, string) {
	code := ""
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code = e.ErrorCode()
	}
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return e.HTTPStatusCode(), code
	}
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return e.StatusCode, e.ErrorCode
	}
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		if len(e.Errors) > 0 {
			code = e.Errors[0].Reason
		}
		return e.Code, code
	}
	return 0, code
}

func isNotFound(err error) bool {
	if n, _ := status(err); n != 0 {
		return n == http.StatusNotFound // the library calls Google's 403 so, too
	}
	return err != nil && (gcerrors.Code(err) == gcerrors.NotFound || errors.Is(err, fs.ErrNotExist))
}

func isNoBucket(err error) bool {
	_, code := status(err)
	return slices.Contains([]string{"NoSuchBucket", "ContainerNotFound"}, code)
}

func isPrecondition(err error) bool {
	n, code := status(err)
	return n == http.StatusPreconditionFailed || n == http.StatusConflict && (code == "BlobAlreadyExists" || code == "ConditionalRequestConflict") ||
		n == 0 && gcerrors.Code(err) == gcerrors.FailedPrecondition
}

// isRefusal says whether a service has answered that it did not do, and will not do, what
// it was asked for.
func isRefusal(err error) bool {
	n, _ := status(err)
	return n >= 400 && n < 500 && n != http.StatusRequestTimeout && n != http.StatusTooManyRequests
}

// failure makes an error about an object.
func (s *Store) failure(p place, doing string, kind error, why string, err error) *data.StoreError {
	e := &data.StoreError{Doing: doing, Name: p.display(), Why: why, Kind: kind, Err: err}
	switch kind {
	case data.ErrAway:
		e.Next = "try again later, and see whether this machine reaches the store"
	case data.ErrDenied:
		e.Next = s.services[p.scheme].credentials()
	case data.ErrChanged:
		e.Next = "let it be written in one step, and before the run begins"
	case fs.ErrNotExist:
		e.Next = "find out why it was not written, or correct the URL"
	case fs.ErrExist:
		e.Next = "give it another name, or remove what is there"
	}
	return e
}

// explain makes an error of the libraries one that says what happened to which object, and
// what to do. Their texts hold requests, and are not shown.
func (s *Store) explain(ctx context.Context, p place, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, ok := errors.AsType[*data.StoreError](err); ok {
		return err
	}
	if e, ok := errors.AsType[*parameterError](err); ok {
		return &data.InputError{Path: p.display(), What: e.what, Next: "correct the URL; " + s.services[p.scheme].credentials()}
	}
	n, code := status(err)
	answer := strings.TrimSpace(fmt.Sprintf("the store answers %d %s", n, code))
	switch {
	case errors.Is(err, errReplaced):
		return s.failure(p, doing, data.ErrChanged, errReplaced.Error(), nil)
	case isNoCredentials(err):
		return s.failure(p, doing, data.ErrDenied, "there are no credentials that can be used", err)
	case isNoBucket(err):
		e := s.failure(p, doing, fs.ErrNotExist, "there is no bucket "+p.bucket, err)
		e.Next = "correct the name of the bucket, or make it"
		return e
	case isNotFound(err):
		return s.failure(p, doing, fs.ErrNotExist, "there is no such object", err)
	case isPrecondition(err) && doing == "write":
		return s.failure(p, doing, fs.ErrExist, "an object of this name is there already", err)
	case isPrecondition(err):
		return s.failure(p, doing, data.ErrChanged, errReplaced.Error(), err)
	case n == http.StatusMovedPermanently || n == http.StatusTemporaryRedirect || code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException":
		e := s.failure(p, doing, nil, answer+": the bucket is in another region", err)
		e.Next = "add ?region=… to the URL, or set AWS_REGION"
		return e
	case n == http.StatusUnauthorized || n == http.StatusForbidden || slices.Contains([]string{"ExpiredToken", "InvalidToken", "TokenRefreshRequired"}, code):
		return s.failure(p, doing, data.ErrDenied, answer, err)
	case n == http.StatusRequestTimeout || n == http.StatusTooManyRequests || n >= 500 || code == "SlowDown" || code == "RequestTimeout":
		return s.failure(p, doing, data.ErrAway, answer, err)
	case n != 0:
		e := s.failure(p, doing, nil, answer, err)
		e.Next = "look up the code in the store's manual"
		return e
	}
	if why, ok := isNetwork(err); ok {
		return s.failure(p, doing, data.ErrAway, why, err)
	}
	e := s.failure(p, doing, nil, innermost(err), err)
	e.Next = "see whether the URL and the settings of the environment are right"
	return e
}

// isNoCredentials: the libraries tell in words, for the most part.
func isNoCredentials(err error) bool {
	if _, ok := errors.AsType[*credentialsError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return e.Response == nil || e.Response.StatusCode < 500
	}
	text := err.Error()
	return strings.Contains(text, "get credentials: ") || strings.Contains(text, "failed to refresh cached credentials") || strings.Contains(text, "failed to acquire a token")
}

// isNetwork says whether the store was not reached, or the connection broke, and how.
func isNetwork(err error) (string, bool) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "no answer in time", true
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "no address is known for " + e.Name, true
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Error(), true
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the connection broke off", true
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return innermost(err), true
	}
	return "", false
}

// innermost is the text of the first cause: those around it hold requests.
func innermost(err error) string {
	for {
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			if e.Unwrap() == nil {
				return firstLine(err.Error())
			}
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) == 0 {
				return firstLine(err.Error())
			}
			err = all[0]
		default:
			return firstLine(err.Error())
		}
	}
}
