package blob

import (
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// servers are the places on real servers: URLs of buckets, with parameters. Tests that need
// them run where they are: .ci/integration starts them, and fails if one is skipped.
func servers(t testing.TB) []string {
	t.Helper()
	all := strings.Fields(os.Getenv("ANAPLAN_RUNNER_TEST_STORES"))
	if len(all) == 0 {
		t.Skip("NOT TESTED: there are no buckets in ANAPLAN_RUNNER_TEST_STORES; `.ci/integration stores` makes some")
	}
	return all
}

func TestServers(t *testing.T) {
	for _, where := range servers(t) {
		scheme, _, _ := strings.Cut(where, "://")
		t.Run(scheme, func(t *testing.T) {
			b := within(New(), where)
			if scheme == "azblob" { // its containers are made by requests alone
				var c *container.Client
				bucketOf(t, b).As(&c)
				if _, err := c.Create(t.Context(), nil); err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
					t.Fatal(err)
				}
			}
			suite(t, b, 64<<20)
		})
	}
}

// unfinished fails if a service keeps parts of objects that were given up, where it tells.
func unfinished(t *testing.T, b base) {
	t.Helper()
	if !strings.HasPrefix(b.home, "s3://") {
		return
	}
	var client *s3.Client
	bucketOf(t, b).As(&client)
	bucket, folder, _ := strings.Cut(strings.TrimPrefix(b.home, "s3://"), "/")
	out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &folder})
	if err != nil || len(out.Uploads) > 0 {
		t.Errorf("%d uploads were left (%v)", len(out.Uploads), err)
	}
}

func bucketOf(t *testing.T, b base) *blob.Bucket {
	t.Helper()
	p, err := b.store.exact(b.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	bucket, _, err := b.store.open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}
