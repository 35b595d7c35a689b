package blob

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
)

// azureService is Azure Blob Storage.
type azureService struct{}

func (azureService) credentials() string {
	return "set AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_STORAGE_CONNECTION_STRING; without them the Azure identity is used: AZURE_CLIENT_ID …, a managed identity, or `az login`"
}

func (azureService) unspeakable() string { return "\\\"#%?" }

func (azureService) open(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	b, err := blob.DefaultURLMux().OpenBucketURL(ctx, &url.URL{Scheme: azureblob.Scheme, Host: u.Host, RawQuery: u.RawQuery})
	return b, parameter(err)
}

// asStored asks the service's library for the bytes as they are: it would unpack those with
// a Content-Encoding by itself, and know no length of them. Others take no notice.
func asStored(ctx context.Context) context.Context {
	return policy.WithHTTPHeader(ctx, http.Header{"Accept-Encoding": {"identity"}})
}

func (azureService) listed(o *blob.ListObject) string {
	var raw container.BlobItem
	if o.As(&raw) && raw.Properties != nil && raw.Properties.ETag != nil {
		return etag(string(*raw.Properties.ETag))
	}
	return sizeAndTime(o.Size, o.ModTime)
}

func (azureService) attributes(a *blob.Attributes) string { return s3Service{}.attributes(a) }

func (azureService) reading(r *blob.Reader) string {
	var raw azblob.DownloadStreamResponse
	if r.As(&raw) && raw.ETag != nil {
		return etag(string(*raw.ETag))
	}
	return sizeAndTime(r.Size(), r.ModTime())
}

// match is the condition that an object is of this version; never, that there is none.
func match(version string) *azblob.AccessConditions {
	tag := azcore.ETag(quoted(version))
	return &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfMatch: &tag}}
}

func never() *azblob.AccessConditions {
	tag := azcore.ETagAny
	return &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfNoneMatch: &tag}}
}

func (azureService) readIf(version string) before {
	if version == "" {
		return nil
	}
	return func(as func(any) bool) error {
		var o *azblob.DownloadStreamOptions
		if as(&o) {
			o.AccessConditions = match(version)
		}
		return nil
	}
}

func (azureService) copyIf(version string, exclusive bool) before {
	return func(as func(any) bool) error {
		var o *azblob.StartCopyFromURLOptions
		if as(&o) {
			tag := azcore.ETag(quoted(version))
			o.SourceModifiedAccessConditions = &azblob.SourceModifiedAccessConditions{SourceIfMatch: &tag}
			if exclusive {
				o.AccessConditions = never()
			}
		}
		return nil
	}
}

func (azureService) removeIf(version string) before {
	return func(as func(any) bool) error {
		var o *azblob.DeleteOptions
		if as(&o) {
			o.AccessConditions = match(version)
		}
		return nil
	}
}

func (azureService) stage(b *blob.Bucket, u upload) staging {
	var c *container.Client
	b.As(&c)
	return &blocks{client: c.NewBlockBlobClient(u.key), upload: u}
}

// blocks is a blob whose blocks are durable, and which takes them all in one step.
type blocks struct {
	client *blockblob.Client
	upload upload

	mu   sync.Mutex
	most int
}

func (b *blocks) parts() int64 { return 2 }

// id names a block: those of one blob are all of one length.
func (b *blocks) id(number int) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%06d", b.upload.mark, number))
}

func (b *blocks) part(ctx context.Context, number int, body []byte) error {
	b.mu.Lock()
	b.most = max(b.most, number)
	b.mu.Unlock()
	_, err := b.client.StageBlock(ctx, b.id(number), streaming.NopCloser(bytes.NewReader(body)), nil)
	return err
}

func (b *blocks) finish(ctx context.Context) error {
	ids := make([]string, b.most)
	for i := range ids {
		ids[i] = b.id(i + 1)
	}
	o := &blockblob.CommitBlockListOptions{Metadata: map[string]*string{markName: &b.upload.mark}, HTTPHeaders: &azblob.HTTPHeaders{BlobContentType: &b.upload.kind}}
	if b.upload.exclusive {
		o.AccessConditions = never()
	}
	_, err := b.client.CommitBlockList(ctx, ids, o)
	return err
}

// drop has nothing to do: blocks that nothing names are removed by the service.
func (b *blocks) drop(context.Context) error { return nil }
