package blob

import (
	"context"
	"net/url"
	"os"
	"strconv"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"golang.org/x/oauth2/google"
)

// gcsService is Google Cloud Storage.
type gcsService struct{}

func (gcsService) credentials() string {
	return "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, or use `gcloud auth application-default login`, or give the machine a service account"
}

func (gcsService) unspeakable() string { return "" }

// open finds the credentials itself: the library's own opener prints on stdout when there
// are none.
func (gcsService) open(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	opener := gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
	q := u.Query()
	anonymous, _ := strconv.ParseBool(q.Get("anonymous"))
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" && os.Getenv("STORAGE_EMULATOR_HOST_GRPC") == "" && !anonymous && q.Get("access_id") != "-" {
		creds, err := gcp.DefaultCredentialsWithParams(ctx, google.CredentialsParams{UniverseDomain: q.Get("universe_domain")})
		if err != nil {
			return nil, &credentialsError{err}
		}
		opener.TokenSource = gcp.CredentialsTokenSource(creds)
		if opener.Client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), opener.TokenSource); err != nil {
			return nil, &credentialsError{err}
		}
	}
	b, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, parameter(err)
	}
	var client *storage.Client
	if b.As(&client) { // the library has no limit of its own
		client.SetRetry(storage.WithMaxAttempts(tries), storage.WithBackoff(gax.Backoff{Initial: time.Second, Max: 10 * time.Second, Multiplier: 2}))
	}
	return b, nil
}

func generation(n int64) string { return strconv.FormatInt(n, 10) }

func (gcsService) listed(o *blob.ListObject) string {
	var raw storage.ObjectAttrs
	if o.As(&raw) {
		return generation(raw.Generation)
	}
	return sizeAndTime(o.Size, o.ModTime)
}

func (gcsService) attributes(a *blob.Attributes) string {
	var raw storage.ObjectAttrs
	if a.As(&raw) {
		return generation(raw.Generation)
	}
	return sizeAndTime(a.Size, a.ModTime)
}

func (gcsService) reading(r *blob.Reader) string {
	var raw *storage.Reader
	if r.As(&raw) {
		return generation(raw.Attrs.Generation)
	}
	return sizeAndTime(r.Size(), r.ModTime())
}

// readIf asks for the bytes as they are stored, too.
func (gcsService) readIf(version string) before {
	return func(as func(any) bool) error {
		var h **storage.ObjectHandle
		if as(&h) {
			*h = (*h).ReadCompressed(true)
			if n, err := strconv.ParseInt(version, 10, 64); err == nil && version != "" {
				*h = (*h).If(storage.Conditions{GenerationMatch: n})
			}
		}
		return nil
	}
}

func (gcsService) copyIf(version string, exclusive bool) before {
	return func(as func(any) bool) error {
		var h *gcsblob.CopyObjectHandles
		if as(&h) {
			if n, err := strconv.ParseInt(version, 10, 64); err == nil {
				h.Src = h.Src.If(storage.Conditions{GenerationMatch: n})
			}
			if exclusive {
				h.Dst = h.Dst.If(storage.Conditions{DoesNotExist: true})
			}
		}
		return nil
	}
}

func (gcsService) removeIf(version string) before {
	return func(as func(any) bool) error {
		var h **storage.ObjectHandle
		if n, err := strconv.ParseInt(version, 10, 64); err == nil && as(&h) {
			*h = (*h).If(storage.Conditions{GenerationMatch: n})
		}
		return nil
	}
}

func (gcsService) stage(b *blob.Bucket, u upload) staging {
	return newStream(b, u, blob.WriterOptions{})
}
