package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"google.golang.org/api/googleapi"

	"github.com/anaplan-runner/anaplan-runner/jobs/data"
)

// TestMain gives the services' libraries credentials.
func TestMain(m *testing.M) {
	if os.Getenv("ANAPLAN_RUNNER_TEST_STORES") == "" {
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
			"AWS_REGION": "", "AWS_PROFILE": "", "AZURE_STORAGE_ACCOUNT": "anna", "AZURE_STORAGE_KEY": "czNjcmV0"} {
			os.Setenv(name, value)
		}
	}
	if name := os.Getenv(writerOf); name != "" {
		os.Exit(beginAndWait(name))
	}
	os.Exit(m.Run())
}

func amazon(status int, code string) error {
	err := error(&smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.GenericAPIError{Code: code, Message: "s3cret"}})
	return &smithy.OperationError{ServiceID: "S3", OperationName: "GetObject", Err: err}
}

// TestErrors: each is of its kind, says which object and what to do, and shows no secret.
func TestErrors(t *testing.T) {
	s := New()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	for _, c := range []struct {
		name, doing string
		err         error
		kind        error
		says, next  string
	}{
		{"s3://b/k", "read", amazon(404, "NoSuchKey"), fs.ErrNotExist, "no such object", "URL"},
		{"s3://b/k", "read", amazon(404, "NoSuchBucket"), fs.ErrNotExist, "no bucket b", "bucket"},
		{"s3://b/k", "read", amazon(403, "AccessDenied"), data.ErrDenied, "403 AccessDenied", "AWS_ACCESS_KEY_ID"},
		{"s3://b/k", "read", amazon(400, "ExpiredToken"), data.ErrDenied, "ExpiredToken", "AWS_PROFILE"},
		{"s3://b/k", "read", amazon(503, "SlowDown"), data.ErrAway, "503 SlowDown", "later"},
		{"s3://b/k", "read", amazon(500, "InternalError"), data.ErrAway, "500", "later"},
		{"s3://b/k", "read", amazon(412, "PreconditionFailed"), data.ErrChanged, "replaced", "one step"},
		{"s3://b/k", "write", amazon(412, "PreconditionFailed"), fs.ErrExist, "there already", "another name"},
		{"s3://b/k", "read", amazon(301, "PermanentRedirect"), nil, "another region", "region"},
		{"s3://b/k", "read", amazon(400, "InvalidArgument"), nil, "400 InvalidArgument", "manual"},
		{"s3://b/k", "read", fmt.Errorf("get identity: get credentials: s3cret"), data.ErrDenied, "no credentials", "AWS_PROFILE"},
		{"azblob://b/k", "read", &azcore.ResponseError{StatusCode: 403, ErrorCode: "AuthorizationFailure"}, data.ErrDenied, "403 AuthorizationFailure", "AZURE_STORAGE_KEY"},
		{"azblob://b/k", "read", &azcore.ResponseError{StatusCode: 404, ErrorCode: "ContainerNotFound"}, fs.ErrNotExist, "no bucket", ""},
		{"azblob://b/k", "write", &azcore.ResponseError{StatusCode: 409, ErrorCode: "BlobAlreadyExists"}, fs.ErrExist, "", ""},
		{"azblob://b/k", "read", &azcore.ResponseError{StatusCode: 503, ErrorCode: "ServerBusy"}, data.ErrAway, "ServerBusy", ""},
		{"gs://b/k", "read", &googleapi.Error{Code: 403, Message: "s3cret"}, data.ErrDenied, "403", "GOOGLE_APPLICATION_CREDENTIALS"},
		{"gs://b/k", "read", &googleapi.Error{Code: 429}, data.ErrAway, "429", ""},
		{"gs://b/k", "read", &credentialsError{errors.New("s3cret")}, data.ErrDenied, "no credentials", "gcloud"},
		{"gs://b/k", "read", &url.Error{Op: "Get", URL: "https://h/?token=s3cret", Err: reset}, data.ErrAway, "connection reset", ""},
		{"gs://b/k", "read", &url.Error{Op: "Get", URL: "https://h/?token=s3cret", Err: io.EOF}, data.ErrAway, "broke off", ""},
		{"gs://b/k", "read", &net.DNSError{Name: "storage.example.com", IsNotFound: true}, data.ErrAway, "storage.example.com", ""},
		{"gs://b/k", "read", context.DeadlineExceeded, data.ErrAway, "in time", ""},
		{"gs://b/k", "read", errReplaced, data.ErrChanged, "", ""},
	} {
		p, err := s.parse(c.name + "?token=s3cret")
		if err != nil {
			t.Fatal(err)
		}
		got := s.explain(t.Context(), p, c.doing, c.err)
		e, ok := errors.AsType[*data.StoreError](got)
		if !ok || e.Kind != c.kind || c.kind != nil && !errors.Is(got, c.kind) || !strings.HasPrefix(got.Error(), c.doing+" "+c.name+": ") ||
			!strings.Contains(got.Error(), c.says) || !strings.Contains(e.Next, c.next) || e.Next == "" || strings.Contains(got.Error()+e.Next, "s3cret") {
			t.Errorf("%v: got %v; %+v", c.err, got, e)
		}
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(fs.ErrClosed)
	if got := s.explain(ctx, place{}, "read", amazon(503, "")); got != fs.ErrClosed {
		t.Errorf("stopped: %v", got)
	}
}

// TestAnswersOfServers asks servers that refuse everything, through the libraries.
func TestAnswersOfServers(t *testing.T) {
	for status, kind := range map[int]error{503: data.ErrAway, 403: data.ErrDenied, 401: data.ErrDenied} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		defer server.Close()
		s := newStore(map[string]service{"s3": s3Service{tries: 1}})
		name := "s3://b/k?region=x&use_path_style=true&endpoint=" + server.URL
		_, _, open := s.Open(t.Context(), name)
		_, list := s.List(t.Context(), strings.Replace(name, "/k?", "/k*?", 1))
		_, one := s.List(t.Context(), name)
		w, create := s.Create(t.Context(), name)
		if create != nil {
			t.Fatal(create)
		}
		_, _ = io.WriteString(w, "a,b\n")
		for doing, err := range map[string]error{"open": open, "list": list, "look": one, "write": w.Ready(t.Context()), "move": s.Move(t.Context(), name, strings.Replace(name, "/k?", "/l?", 1)), "remove": s.Remove(t.Context(), name)} {
			if !errors.Is(err, kind) || strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("%d: %s: %v", status, doing, err)
			}
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
	}
}

// TestReadingGoesOnByRange: a connection that breaks costs only what was not read yet.
func TestReadingGoesOnByRange(t *testing.T) {
	const text = "0123456789"
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if asked.Add(1) == 1 {
			w.Header().Set("Last-Modified", "Tue, 24 Nov 2026 02:00:00 GMT")
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, text[:4])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		if r.Header.Get("If-Match") != `"v1"` || r.Header.Get("Range") != "bytes=4-" {
			t.Errorf("asked with %v", r.Header)
		}
		http.ServeContent(w, r, "", time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC), strings.NewReader(text))
	}))
	defer server.Close()
	if got := content(t, New(), "s3://b/k?region=x&use_path_style=true&endpoint="+server.URL); got != text || asked.Load() != 2 {
		t.Errorf("got %q after %d requests", got, asked.Load())
	}
}

func TestWrongParameters(t *testing.T) {
	for name, says := range map[string]string{
		"s3://b/k?region=x&odd=s3cret":         "odd",
		"s3://b/k":                             "region",
		"s3://b/k?region=x&accelerate=maybe":   "accelerate",
		"azblob://b/k?odd=s3cret":              "odd",
		"azblob://b/k?domain=evil.example.com": "domain",
		"gs://b/k?anonymous=true&odd=s3cret":   "odd",
	} {
		_, err := New().List(t.Context(), name)
		e, ok := errors.AsType[*data.InputError](err)
		if !ok || !strings.Contains(err.Error(), says) || e.Next == "" || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
